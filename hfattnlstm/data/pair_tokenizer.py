"""Tokenizers for texts that are written: what they decode is the text, space by space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from .._wording import option
from ..modeling.text_inputs import check_texts
from .bpe import train_bpe


PIECE_KINDS = ("bpe", "word", "char")
PAD, UNK, BOS, EOS = PIECE_SPECIALS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]")
# Stands for a space, and for the beginning of a text.
SPACE = "▁"
_BATCH = 1_000
_LONGEST_WORD = 100
# Digits and marks are words of their own, with the space before them.
_ALONE = rf"{SPACE}?[^\p{{L}}\p{{M}}{SPACE}]"
# A Chinese character, too, where words are tokens.
_HAN = rf"{SPACE}?\p{{Han}}"


def train_pair_tokenizer(
    texts: Iterable[str],
    *,
    kind: str = "bpe",
    vocab_size: int = 8_000,
    lowercase: bool = False,
    min_frequency: int = 2,
    model_max_length: int = 512,
) -> PreTrainedTokenizerFast:
    """Train a tokenizer whose tokens can be turned back into the text that they were made of.

    A space is a part of the token behind it; runs of white space are one. Digits and marks of punctuation are tokens
    of their own. Letters with accents are in the composed form (NFC), however they come. Characters that are too rare
    are unknown.

    Args:
        texts: The texts; they are read once. For one vocabulary of sources and targets, both.
        kind: `"bpe"`, frequent pieces of words, `"word"`, whole words, or `"char"`, characters.
        vocab_size: Tokens at most, with the four special ones.
        lowercase: Whether upper and lower case are the same; what is written is then in lower case.
        min_frequency: How often a character, piece or word must occur.
        model_max_length: Tokens of a text that are kept with `truncation=True`, with the one that ends it.

    Returns:
        A tokenizer with [PAD] as token 0, [UNK] 1, [BOS] 2 and [EOS] 3, which ends each text.

    Raises:
        ValueError: For an impossible argument, or texts without any token that is frequent enough.

    Example:

    ```python
    >>> tokenizer = train_pair_tokenizer(["Ein Hund bellt.", "A dog barks."], min_frequency=1)
    >>> tokenizer.decode(tokenizer("A dog bellt.").input_ids, skip_special_tokens=True)
    'A dog bellt.'
    ```
    """
    if kind not in PIECE_KINDS:
        raise ValueError(f"{option('tokenizer_kind')} must be one of {', '.join(PIECE_KINDS)}, got {kind!r}.")
    tokenizer = Tokenizer(models.WordLevel({}, unk_token=UNK))
    # One form of letters with accents; `TextEncoder` gives the marks back to the spans.
    steps = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    tokenizer.normalizer = normalizers.Sequence(steps + ([normalizers.Lowercase()] if lowercase else []))
    tokenizer.pre_tokenizer = _splitter(kind)
    counts = _counted(tokenizer, texts)
    tokenizer.model = _model(kind, counts, vocab_size, min_frequency)
    if tokenizer.get_vocab_size() <= len(PIECE_SPECIALS):
        raise ValueError(
            f"The texts hold nothing that occurs at least {min_frequency} times, of which a token could be made: give "
            "more texts."
        )
    tokenizer.decoder = decoders.Metaspace(SPACE, prepend_scheme="always", split=False)
    tokenizer.add_special_tokens(list(PIECE_SPECIALS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, PIECE_SPECIALS.index(EOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNK,
        bos_token=BOS,
        eos_token=EOS,
        model_max_length=model_max_length,
        model_input_names=["input_ids", "attention_mask"],
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def is_lowercased(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether upper and lower case are the same for a tokenizer.

    Example:

    ```python
    >>> is_lowercased(train_pair_tokenizer(["A dog"], lowercase=True, min_frequency=1))
    True
    ```
    """
    normalizer = tokenizer.backend_tokenizer.normalizer
    return normalizer is not None and normalizer.normalize_str("A").endswith("a")


def kind_of_tokenizer(tokenizer: PreTrainedTokenizerFast) -> str:
    """The kind of a tokenizer that was trained here.

    Example:

    ```python
    >>> kind_of_tokenizer(train_pair_tokenizer(["A dog"], kind="char", min_frequency=1))
    'char'
    ```
    """
    backend = tokenizer.backend_tokenizer
    if isinstance(backend.model, models.BPE):
        return "bpe"
    return "char" if len(backend.pre_tokenizer.pre_tokenize_str("ab")) == 2 else "word"


def _splitter(kind: str) -> pre_tokenizers.PreTokenizer:
    spaces = pre_tokenizers.Metaspace(SPACE, prepend_scheme="always", split=True)
    pattern = {"char": rf"{SPACE}?[^{SPACE}]", "word": f"{_ALONE}|{_HAN}", "bpe": _ALONE}[kind]
    return pre_tokenizers.Sequence([spaces, pre_tokenizers.Split(Regex(pattern), "isolated")])


def _counted(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    normalize, split = tokenizer.normalizer.normalize_str, tokenizer.pre_tokenizer.pre_tokenize_str
    counts: Counter[str] = Counter()
    for text in _checked(texts):
        counts.update(word for word, _ in split(normalize(text)))
    return counts


def _checked(texts: Iterable[str]) -> Iterator[str]:
    remaining, first = iter(texts), 0
    while batch := list(islice(remaining, _BATCH)):
        yield from check_texts(batch, first)
        first += len(batch)


def _model(kind: str, counts: Counter[str], vocab_size: int, min_frequency: int) -> models.Model:
    room = vocab_size - len(PIECE_SPECIALS)
    if room < 1:
        raise ValueError(
            f"{option('vocab_size', vocab_size)} has no room beside the {len(PIECE_SPECIALS)} special tokens: make it "
            "larger."
        )
    if kind != "bpe":
        words = _frequent(counts, min_frequency)[:room]
        return models.WordLevel(dict(zip([*PIECE_SPECIALS, *words], range(vocab_size))), unk_token=UNK)
    characters: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
    alphabet = sorted(_frequent(characters, min_frequency)[:room])
    known = set(alphabet)
    trainable = Counter(
        {word: count for word, count in counts.items() if len(word) <= _LONGEST_WORD and known.issuperset(word)}
    )
    vocabulary, merges = train_bpe(trainable, alphabet, vocab_size, min_frequency, special_tokens=PIECE_SPECIALS)
    return models.BPE(vocabulary, merges, unk_token=UNK, fuse_unk=False)


def _frequent(counts: Counter[str], least: int) -> list[str]:
    """Those that occur so often, the most frequent first."""
    found = [(count, what) for what, count in counts.items() if count >= least]
    return [what for _, what in sorted(found, key=lambda pair: (-pair[0], pair[1]))]
