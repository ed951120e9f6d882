"""Training of tokenizers whose tokens can be traced back to words and places of the original text."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

import regex
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging

from .._wording import option
from ..modeling.text_inputs import check_texts
from .bpe import train_bpe
from .token_pieces import GOES_ON
from .unigram import train_unigram


logger = logging.get_logger(__name__)

KINDS = ("word", "open", "wordpiece", "bpe", "unigram", "char")
AUTO = "auto"
PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Ideographs are thousands; beyond that are mostly stray characters, which would leave no room for longer pieces.
MAX_ALPHABET = 10_000

TEXTS_TO_CHOOSE_BY = 1_000
# What a character is read as that an open vocabulary has not.
UNSEEN = "\ufffd"
_BATCH = 1_000
# Letters of scripts without spaces between words: Thai and Lao, Tibetan, Burmese, Khmer, Japanese syllables; a Chinese
# character is a word of its own here.
_UNSPACED = re.compile("[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_UNSPACED_SHARE = 0.3
_MAX_WORD = 100
_LETTERS = r"\p{L}\p{M}\p{N}"
# What joins the parts of a word: the apostrophe of "don't", and invisible joiners and soft hyphens.
_INVISIBLE = r"\x{AD}\x{200C}\x{200D}"
_JOINERS = f"'{_INVISIBLE}"
# An emoji with its variation, skin tone or tags.
_EMOJI = r"\p{Extended_Pictographic}[\p{M}\x{1F3FB}-\x{1F3FF}\x{E0020}-\x{E007F}]*"
_HAN = r"\p{Han}\p{M}*"
_SYMBOLS = (
    r"\p{Regional_Indicator}{2}",  # a flag
    rf"{_EMOJI}(?:\x{{200D}}{_EMOJI})*",
    r"#\p{M}*",  # never two in a token, because "##" marks the pieces inside a word
    # Any other mark, as often as it is repeated. Control and formatting characters, which nobody sees, are no tokens.
    rf"([^{_LETTERS}\s\p{{Cc}}\p{{Cf}}])\1*\p{{M}}*",
)
_OPENING = r"(\[{“«¿¡（【「『《、。，！？；："
_CLOSING = r".,!?;:%)\]}”»…、。，！？；：）】」』》"
_NEEDLESS_SPACE = rf" (?=[{_CLOSING}])|(?<=[{_OPENING}]) |(?<=\p{{Han}}) (?=\p{{Han}})"

# Special tokens never come from text. As the lowest score they also make any known piece better than [UNK].
_SPECIAL_SCORE = -1e6


class _Marks(NamedTuple):
    """Prefixes that tell the pieces at the beginning of a word from those inside, so that decoding finds the words."""

    start: str
    inner: str

    def symbols(self, word: str) -> list[str]:
        return [self.start + word[0], *(self.inner + character for character in word[1:])]


_HASHES = _Marks("", GOES_ON)
_METASPACE = _Marks("▁", "")
_UNSEEN_FORMS = (UNSEEN, _HASHES.inner + UNSEEN)


def train_tokenizer(
    texts: Iterable[str | Sequence[str]],
    *,
    kind: str = AUTO,
    vocab_size: int = 30_000,
    lowercase: bool = True,
    min_frequency: int = 2,
    model_max_length: int = 512,
    show_progress: bool = False,
) -> PreTrainedTokenizerFast:
    """Trains a tokenizer for models that explain themselves by words.

    Every token has its exact span in the original text, and `word_ids` says which tokens make up a word. A contraction
    is one word, the parts of a hyphenated one are several; a mark of punctuation, however often repeated, and an emoji
    are words too. `<br />` counts as a space. Accents are kept as they are written: where the texts hold both the
    composed and the decomposed form, bring them to one with `unicodedata.normalize("NFC", text)` before.

    The texts are read once, as they come; the same texts in the same order give the same tokenizer.

    Args:
        texts: The texts, such as a list, a column of a data set, or a generator over a large file; of a column with
            lists of texts, such as pairs, all are read.
        kind: What a token is. `"word"`: a word, or a Chinese character. `"open"`: the same, but a word that is not
            known is spelt, a token a character, see [`Spelling`]. `"char"`: a character. `"wordpiece"`, `"bpe"`
            and `"unigram"`: a frequent piece of a word; of Chinese, `"wordpiece"` gives single characters, while for
            `"bpe"` and `"unigram"` all characters up to the next punctuation are one word, cut into pieces. `"auto"`:
            `"word"` or `"bpe"`, which [`suitable_kind`] chooses by the first 1,000 texts.
        vocab_size: Tokens at most, the five special ones included.
        lowercase: Whether upper and lower case are the same.
        min_frequency: How often a word, a character or a piece must occur to get a token of its own.
        model_max_length: Tokens of a text that are kept with `truncation=True`.
        show_progress: Whether to show how many texts have been read.

    Returns:
        A tokenizer that `AutoTokenizer` can load without this package. [PAD] is token 0, [UNK] token 1. A single text
        gets no special tokens, a pair has [SEP] between its texts.

    Raises:
        TypeError: `texts` is not an iterable of strings; the sentence tells the position of the first other thing.
        ValueError: There is no text, no word is frequent enough, or an argument is out of range.

    Example:

    ```python
    >>> tokenizer = train_tokenizer(["A good film.", "Not a good film!", "Don't go."], min_frequency=1)
    >>> tokenizer.tokenize("Good, don't go!")
    ['good', '[UNK]', "don't", 'go', '!']

    ```
    """
    _check_arguments(texts, kind, vocab_size, min_frequency, model_max_length)
    texts = single_texts(texts)
    if kind == AUTO:
        first = check_texts(islice(texts, TEXTS_TO_CHOOSE_BY))
        kind, texts = suitable_kind(first), chain(first, texts)
    tokenizer = Tokenizer(models.WordLevel({}, unk_token=UNK))
    tokenizer.normalizer = text_normalizer(lowercase)
    tokenizer.pre_tokenizer = _word_splitter(kind)
    stream = _TextStream(texts, show_progress)
    vocab_size = min(vocab_size, sys.maxsize)
    if kind == "word":
        _train_words(tokenizer, stream, vocab_size, min_frequency)
    else:
        counts = _count_words(tokenizer, stream)
        if kind == "open":
            open_vocabulary(tokenizer, counts, vocab_size, min_frequency)
        else:
            tokenizer.model = _subword_model(kind, counts, vocab_size, min_frequency)
    invented = (*SPECIAL_TOKENS, *(_UNSEEN_FORMS if kind == "open" else ()))
    _check_vocabulary(tokenizer, stream, min_frequency, len(invented))
    return finished_tokenizer(tokenizer, kind, model_max_length)


def finished_tokenizer(tokenizer: Tokenizer, kind: str, model_max_length: int) -> PreTrainedTokenizerFast:
    """A trained tokenizer with its special tokens and its way back to texts, for transformers.

    Args:
        tokenizer: With normalizer, pre-tokenizer and model; it is changed.
        kind: One of `KINDS`.
        model_max_length: Tokens of a text that are kept with `truncation=True`.

    Example:

    ```python
    >>> tokenizer = Tokenizer(models.WordLevel(dict(zip([*SPECIAL_TOKENS, "a"], range(6))), unk_token=UNK))
    >>> finished_tokenizer(tokenizer, "word", 512).pad_token_id
    0
    ```
    """
    _finish(tokenizer, kind)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNK,
        cls_token=CLS,
        sep_token=SEP,
        mask_token=MASK,
        model_max_length=model_max_length,
        model_input_names=["input_ids", "attention_mask"],
        padding_side="right",
    )


def single_texts(texts: Iterable[str | Sequence[str]]) -> Iterator[str]:
    """The same texts, those of a list or tuple one by one.

    Example:

    ```python
    >>> list(single_texts([["A cat sleeps.", "A cat rests."], "A dog barks."]))
    ['A cat sleeps.', 'A cat rests.', 'A dog barks.']
    ```
    """
    for text in texts:
        if isinstance(text, (list, tuple)):
            yield from text
        else:
            yield text


def suitable_kind(texts: Iterable[str]) -> str:
    """The kind of tokenizer that suits the script of texts: words, or pieces where no space stands between words.

    Args:
        texts: Some of the texts.

    Returns:
        `"bpe"` if three in ten letters or more are Thai, Lao, Tibetan, Burmese, Khmer or Japanese syllables, which is
        told; otherwise `"word"`.

    Example:

    ```python
    >>> suitable_kind(["A good film."]), suitable_kind(["スープはおいしいです。"])
    ('word', 'bpe')

    ```
    """
    unspaced = letters = 0
    for text in texts:
        letters += sum(map(str.isalpha, text))
        unspaced += 0 if text.isascii() else len(_UNSPACED.findall(text))
    if unspaced < max(_UNSPACED_SHARE * letters, 1):
        return "word"
    logger.warning(
        "The texts have no spaces between words, so the tokens are pieces of words, as with %s.",
        option("kind", "bpe"),
    )
    return "bpe"


def _check_arguments(texts: object, kind: object, vocab_size: object, min_frequency: object, length: object) -> None:
    if kind not in (AUTO, *KINDS):
        raise ValueError(f"{option('kind')} must be one of {', '.join((AUTO, *KINDS))}, got {kind!r}.")
    _check_integer("vocab_size", vocab_size, len(SPECIAL_TOKENS) + 1, " (five special tokens and another one)")
    _check_integer("min_frequency", min_frequency, 1)
    _check_integer("model_max_length", length, 1)
    if isinstance(texts, (str, bytes, bytearray)):
        raise TypeError(f"texts must be an iterable of texts, not a single {type(texts).__name__}: put it in a list.")
    if isinstance(texts, Mapping) or not isinstance(texts, Iterable):
        raise TypeError(
            f"texts must be an iterable of texts, not a {type(texts).__name__}: give a list, a column or a generator."
        )


def _check_integer(name: str, value: object, least: int, reason: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}{reason}, got {value!r}.")


def text_normalizer(lowercase: bool) -> normalizers.Normalizer:
    """What every tokenizer that is trained here does to a text before it is cut.

    Example:

    ```python
    >>> text_normalizer(lowercase=True).normalize_str("Don’t<br />")
    "don't "
    ```
    """
    # Only steps that keep the spans exact: NFC, for one, leaves the accent of a decomposed letter out of them.
    steps = [normalizers.Replace(Regex(r"<[bB][rR]\s*/?>"), " "), normalizers.Replace("’", "'")]
    if lowercase:
        # The only letter with a lower case of two characters, which would be two tokens with the same span.
        steps += [normalizers.Replace("İ", "i"), normalizers.Lowercase()]
    return normalizers.Sequence(steps)


def _word_splitter(kind: str) -> pre_tokenizers.PreTokenizer:
    """Cuts a text into words, so that `word_ids` counts words for every kind."""
    runs_of_han = kind in ("bpe", "unigram")
    inside = _LETTERS + UNSEEN * (kind == "open")
    letters = f"[{inside}]+" if runs_of_han else rf"[{inside}&&[^\p{{Han}}]]+"
    word = f"{letters}(?:[{_JOINERS}]+{letters})*"
    alternatives = (word, *_SYMBOLS) if runs_of_han else (word, _HAN, *_SYMBOLS)
    return pre_tokenizers.Split(Regex("|".join(alternatives)), "removed", invert=True)


class _TextStream:
    """Checked texts in batches, read as they are needed; remembers whether all were blank."""

    def __init__(self, texts: Iterable[str], show_progress: bool):
        self.blank = True
        self._texts = texts
        self._show_progress = show_progress

    def __iter__(self) -> Iterator[list[str]]:
        remaining, first = iter(self._texts), 0
        with logging.tqdm(desc="Reading texts", unit=" texts", disable=not self._show_progress) as bar:
            while batch := list(islice(remaining, _BATCH)):
                batch = check_texts(batch, first)
                self.blank = self.blank and not any(text.strip() for text in batch)
                first += len(batch)
                yield batch
                bar.update(len(batch))


def _train_words(tokenizer: Tokenizer, stream: _TextStream, vocab_size: int, min_frequency: int) -> None:
    # This trainer breaks ties between equally frequent words by the alphabet, so it always gives the same.
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    tokenizer.train_from_iterator(iter(stream), trainer)


def _count_words(tokenizer: Tokenizer, stream: _TextStream) -> Counter[str]:
    normalize, split = tokenizer.normalizer.normalize_str, tokenizer.pre_tokenizer.pre_tokenize_str
    counts: Counter[str] = Counter()
    for batch in stream:
        for text in batch:
            counts.update(word for word, _ in split(normalize(text)))
    return counts


def _subword_model(kind: str, counts: Counter[str], vocab_size: int, min_frequency: int) -> models.Model:
    room = vocab_size - len(SPECIAL_TOKENS)
    marks = _METASPACE if kind == "unigram" else _HASHES
    limit = room if kind == "char" else min(room, MAX_ALPHABET)
    alphabet = _alphabet(counts, marks, limit, min_frequency)
    if kind == "char":
        vocabulary, merges = _numbered([*SPECIAL_TOKENS, *alphabet]), []
    else:
        counts = _trainable(counts, marks, alphabet)
        if kind == "unigram":
            words = ((marks.symbols(word), count) for word, count in counts.most_common())
            pieces = train_unigram(words, alphabet, room, min_frequency)
            return models.Unigram([*((token, _SPECIAL_SCORE) for token in SPECIAL_TOKENS), *pieces], unk_id=1)
        vocabulary, merges = train_bpe(
            counts, alphabet, vocab_size, min_frequency, special_tokens=SPECIAL_TOKENS, inner=_HASHES.inner
        )
    if kind == "wordpiece":
        return models.WordPiece(vocabulary, unk_token=UNK, continuing_subword_prefix=_HASHES.inner)
    return models.BPE(vocabulary, merges, unk_token=UNK, continuing_subword_prefix=_HASHES.inner, fuse_unk=False)


def open_vocabulary(tokenizer: Tokenizer, counts: Mapping[str, int], vocab_size: int, min_frequency: int) -> None:
    """Let a tokenizer know frequent words, and spell all others, a token a character.

    A character that was not seen often enough is read as U+FFFD, so that no token is unknown: a letter as one that
    belongs to its word, and marks as a word of their own. Those that nobody sees are left out.

    Args:
        tokenizer: With a normalizer, which is extended; its model is replaced.
        counts: How often each word occurs.
        vocab_size, min_frequency: As in [`train_tokenizer`].

    Raises:
        ValueError: There is no room for the characters.

    Example:

    ```python
    >>> tokenizer = Tokenizer(models.BPE())
    >>> tokenizer.normalizer = normalizers.Sequence([])
    >>> open_vocabulary(tokenizer, {"tea": 2, "at": 1}, vocab_size=99, min_frequency=2)
    >>> tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    >>> tokenizer.encode("tea ate").tokens
    ['tea', 'a', '##t', '##e']
    ```
    """
    frequencies: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            frequencies[character] += count
    room = vocab_size - len(SPECIAL_TOKENS)
    known = [character for character, count in frequencies.most_common(MAX_ALPHABET) if count >= min_frequency]
    alphabet = sorted({*known, UNSEEN})
    symbols = [form for character in alphabet for form in (character, _HASHES.inner + character)]
    if len(symbols) > room:
        raise ValueError(
            f"{option('vocab_size', vocab_size)} has no room for the {len(alphabet):,} characters of the texts: make "
            f"it more than {len(symbols) + len(SPECIAL_TOKENS):,}."
        )
    words = sorted(
        (word for word, count in counts.items() if count >= min_frequency), key=lambda word: (-counts[word], word)
    )
    vocabulary = dict.fromkeys([*SPECIAL_TOKENS, *symbols])
    for word in words:
        # A word that looks like a mark inside another would be read as that.
        if len(vocabulary) < vocab_size and not word.startswith(_HASHES.inner) and word not in SPECIAL_TOKENS:
            vocabulary[word] = None
    tokenizer.normalizer = normalizers.Sequence([tokenizer.normalizer, *_without_unseen(alphabet)])
    tokenizer.model = models.BPE(
        _numbered(vocabulary),
        [],
        unk_token=UNK,
        continuing_subword_prefix=_HASHES.inner,
        fuse_unk=False,
        ignore_merges=True,
    )


def _without_unseen(alphabet: Iterable[str]) -> list[normalizers.Normalizer]:
    """What reads all other characters as U+FFFD, with spaces around those that are no part of a word."""
    known = regex.escape("".join(alphabet), special_only=False)
    steps = (
        # What follows no letter belongs to a mark, such as the variation of an emoji.
        (rf"(?<![{_LETTERS}{_INVISIBLE}])(?:(?![{known}])[\p{{M}}{_INVISIBLE}])+", ""),
        (rf"[^{known}{_LETTERS}{_INVISIBLE}\s\p{{Cc}}\p{{Cf}}]", f" {UNSEEN} "),
        (rf"[^{known}{_INVISIBLE}\s\P{{C}}]", " "),
        (rf"[^{known}\s]", UNSEEN),
    )
    return [normalizers.Replace(Regex(pattern), text) for pattern, text in steps]


def _alphabet(counts: Counter[str], marks: _Marks, limit: int, min_frequency: int) -> list[str]:
    """The most frequent characters, each as it begins a word and, where it was seen there, as it goes on."""
    frequencies: Counter[str] = Counter()
    inside: set[str] = set()
    for word, count in counts.items():
        for character in word:
            frequencies[character] += count
        inside.update(word[1:])
    # In a text it cannot be told from the mark.
    frequencies.pop(marks.start, None)
    alphabet: list[str] = []
    for character, frequency in frequencies.most_common():
        forms = [marks.start + character] + [marks.inner + character] * (character in inside)
        if frequency < min_frequency or len(alphabet) == limit:
            break
        alphabet += forms[: limit - len(alphabet)]
    return sorted(alphabet)


def _trainable(counts: Counter[str], marks: _Marks, alphabet: list[str]) -> Counter[str]:
    """The words with known characters only, and not so long that they are none, on which training would take hours."""
    known = set(alphabet)
    return Counter(
        {
            word: count
            for word, count in counts.items()
            if len(word) <= _MAX_WORD and known.issuperset(marks.symbols(word))
        }
    )


def _numbered(tokens: Iterable[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def _check_vocabulary(tokenizer: Tokenizer, stream: _TextStream, min_frequency: int, empty: int) -> None:
    """ValueError where there are no more tokens than the `empty` ones that do not come from texts."""
    if tokenizer.get_vocab_size() > empty:
        return
    if stream.blank:
        raise ValueError("There is no text to train a tokenizer on: texts is empty, or all of them are.")
    raise ValueError(
        f"The texts hold no word or character that occurs at least {min_frequency} times (min_frequency): give more "
        f"texts, or say {option('kind', 'char')}."
    )


def _finish(tokenizer: Tokenizer, kind: str) -> None:
    words: decoders.Decoder = decoders.WordPiece(prefix=_HASHES.inner, cleanup=False)
    if kind == "unigram":
        mark = pre_tokenizers.Metaspace(_METASPACE.start, prepend_scheme="always", split=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([tokenizer.pre_tokenizer, mark])
        spaced = [decoders.Replace(token, _METASPACE.start + token) for token in SPECIAL_TOKENS]
        unmarked = decoders.Metaspace(_METASPACE.start, prepend_scheme="always", split=False)
        words = decoders.Sequence([*spaced, unmarked])
    tokenizer.decoder = decoders.Sequence([words, decoders.Fuse(), decoders.Replace(Regex(_NEEDLESS_SPACE), "")])
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair=f"$A {SEP} $B", special_tokens=[(SEP, SPECIAL_TOKENS.index(SEP))]
    )
