"""A text that is cut has the tokens of the whole text, whatever it holds; a huge one is not tokenised as a whole."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from text_helpers import BACKENDS, KINDS, TRAINED_ON, TRUNCATIONS, WORDS, cut, fast, sentence, whole, word_level
from tokenizers import Encoding, Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hfattnlstm.data.tokenization import KINDS as OWN_KINDS
from hfattnlstm.data.tokenization import train_tokenizer
from hfattnlstm.modeling.text_cuts import CHARACTERS_PER_TOKEN, EXCERPT_GROWTH, GUARD_CHARACTERS
from hfattnlstm.modeling.text_inputs import EncodedText, TextEncoder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000 + " so" * 10_000,
        "so " * 10_000 + "x" * 10_000,
        "so " * 5 + "x" * 10_000 + " good",
        "é" * 5_000 + "ü" * 5_000,
    ],
    ids=["word first", "word last", "word between", "one word"],
)
def test_a_word_however_long_is_read_to_its_end(kind: str, truncation: str, text: str) -> None:
    room, tokenizer = 8, fast(BACKENDS[kind]())
    assert_cut_like_the_whole(tokenizer, room, truncation, [text])


def assert_cut_like_the_whole(
    tokenizer: PreTrainedTokenizerFast, room: int, truncation: str, texts: list[str]
) -> list[EncodedText]:
    """The same ids, spans, words and left-out characters as from tokenising everything and then cutting."""
    encoder = TextEncoder(tokenizer, room, truncation)
    found = encoder(texts)
    assert encoder.input_ids(texts) == [encoded.input_ids for encoded in found]
    for text, encoded in zip(texts, found):
        expected = whole(tokenizer, text)
        assert encoded.input_ids == cut(expected.ids, room, truncation)
        spans = cut(expected.offsets, room, truncation)
        assert encoded.spans == spans
        # The numbers of the words can be others.
        assert encoded.word_ids == sorted(encoded.word_ids)
        assert changes(encoded.word_ids) == changes(cut(expected.word_ids, room, truncation))
        gap = 0
        if len(expected) > room:
            head = {"head": room, "tail": 0, "head_tail": room // 4}[truncation]
            end = len(text) if truncation == "head" else spans[head][0]
            gap = end - (spans[head - 1][1] if head else 0)
        assert encoded.left_out == gap
    return found


def changes(words: list[int]) -> list[int]:
    """Where a new word begins."""
    return [index for index, (before, after) in enumerate(itertools.pairwise(words), 1) if before != after]


def replacing() -> Tokenizer:
    """Takes line breaks of HTML for spaces, counts digits by threes, and drops what it does not know."""
    vocabulary = {token: number for number, token in enumerate([*"abdegnost7</", "oo", "so", "77", "777"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("o", "o"), ("s", "o"), ("7", "7"), ("77", "7")]))
    tokenizer.normalizer = normalizers.Replace(Regex(r"<br\s*/?>"), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\p{N}{1,3}|\p{L}+|[<>/]"), "removed", invert=True)
    return tokenizer


def pieces_with_spaces() -> Tokenizer:
    """As SentencePiece does it: no words at all, and runs of spaces that are pieces."""
    scores = [("[UNK]", 0.0), ("▁", -3.0), ("▁▁", -3.5), ("▁▁▁▁", -4.0), ("▁so", -4.0), ("oo", -4.0), ("ooo", -4.5)]
    tokenizer = Tokenizer(models.Unigram([*scores, *((letter, -6.0) for letter in "abcdefghijklmnopqrstuvwxyz7")], 0))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tokenizer


ALL_KINDS: dict[str, Callable[[], Tokenizer]] = {
    **BACKENDS,
    "replacing": replacing,
    "pieces with spaces": pieces_with_spaces,
    **{
        f"own {kind}": lambda kind=kind: (
            train_tokenizer(
                [TRAINED_ON, "🇩🇪🇪🇩 777 ooooooo!"], kind=kind, vocab_size=80, min_frequency=1
            ).backend_tokenizer
        )
        for kind in OWN_KINDS
    },
}
# What gives no tokens, or other ones where it is cut apart.
UNITS = [" ", "\n", "\t \r\n", "<br />", "<br        />", "\u200b", "\x00", "\ufeff\x1f", "\u3000", "ꙮ", "⠿"]
RUNS = ["o", "7", "🇩🇪", "!", "so!", "ѣ", "é", "\U0001f44d\u200d"]


def random_text(chance: random.Random, length: int) -> str:
    """Words between long runs of what gives no tokens, and now and then a run without white space."""
    parts, size = [], 0
    while size < length:
        part = chance.choice(UNITS) * chance.choice([1, 1, 2, 60]) + chance.choice(WORDS)
        if chance.random() < 0.1:
            part += chance.choice(RUNS) * chance.choice([2, 7, 40, 400])
        parts.append(part)
        size += len(part)
    if chance.random() < 0.3:
        parts.insert(chance.randint(0, len(parts)), chance.choice(UNITS) * chance.randint(300, 2_000))
    return "".join(parts)


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("room", [1, 3, 24])
def test_random_texts_are_cut_like_their_whole_encoding(kind: str, truncation: str, room: int) -> None:
    chance = random.Random(room)
    texts = [random_text(chance, chance.choice([0, 300, 1_500, 6_000])) for _ in range(30)]
    assert_cut_like_the_whole(fast(ALL_KINDS[kind]()), room, truncation, texts)


@pytest.mark.parametrize("kind", ["replacing", "own word", "own unigram", "own bpe", "pieces with spaces"])
@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize(
    "unit", ["<br /><br        />so ", "good<br" + 300 * " " + "/>", "777777", "🇩🇪🇪🇩", "ooo", "so good"]
)
def test_it_does_not_matter_where_an_excerpt_is_cut_off(kind: str, truncation: str, unit: str) -> None:
    text = unit * (3_000 // len(unit))
    places = range(0, len(unit), max(1, len(unit) // 30))
    texts = ["so " + text[: len(text) - place] for place in places] + [text[place:] + " so" for place in places]
    assert_cut_like_the_whole(fast(ALL_KINDS[kind]()), 8, truncation, texts)


@pytest.mark.parametrize("kind", ["replacing", "own word", "own char"])
def test_what_is_replaced_can_be_longer_than_an_excerpt(kind: str) -> None:
    tokenizer, gap = fast(ALL_KINDS[kind]()), "<br" + 1_000 * " " + "/>"
    for texts in (["so so" + gap, gap + "so so", "so" + gap + "so", "so" + gap + gap + "so"], [gap + gap]):
        room = len(whole(tokenizer, texts[0])) or 2
        for truncation in TRUNCATIONS:
            found = assert_cut_like_the_whole(tokenizer, room, truncation, texts)
            assert [encoded.left_out for encoded in found] == [0] * len(texts)


@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_what_is_replaced_can_have_many_words(truncation: str) -> None:
    tokenizer = word_level()
    tokenizer.normalizer = normalizers.Replace(Regex("<[^>]*>"), " ")
    tag = "<" + "so " * 40 + ">"
    text = ("good " + tag) * 20
    texts = [text[place:] + "as" for place in range(0, len(tag), 3)] + [text + "as" * place for place in range(40)]
    # Those that begin or end within a tag are other texts, but read alike.
    for room in (1, 2, 4, 8):
        assert_cut_like_the_whole(fast(tokenizer), room, truncation, texts)


@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_the_longest_text_that_is_tokenised_as_a_whole(truncation: str) -> None:
    sizes = range(10 * CHARACTERS_PER_TOKEN + 2 * GUARD_CHARACTERS, 10 * CHARACTERS_PER_TOKEN + 4 * GUARD_CHARACTERS)
    texts = [("so good " * 200)[:size] for size in (*sizes[:2], *sizes[-2:], sizes[-1] + 2)]
    assert_cut_like_the_whole(fast(word_level()), 10, truncation, texts)


@pytest.mark.parametrize("blank", [" ", "\n", "<br />", "\u200b "])
@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("kind", OWN_KINDS)
def test_a_text_that_fits_is_not_cut_however_far_its_words_stand_apart(blank: str, truncation: str, kind: str) -> None:
    tokenizer = fast(train_tokenizer([TRAINED_ON], kind=kind, min_frequency=1).backend_tokenizer)
    text = (blank * 60).join(WORDS[:2] * 20)
    tokens = len(whole(tokenizer, text))
    for far in (text, blank * 9_000 + text, text + blank * 9_000):
        encoded = assert_cut_like_the_whole(tokenizer, tokens, truncation, [far])[0]
        assert (len(encoded.input_ids), encoded.left_out) == (tokens, 0)
        assert assert_cut_like_the_whole(tokenizer, tokens - 1, truncation, [far])[0].left_out > 0


class CountingBackend:
    """Counts the characters that a backend is given."""

    def __init__(self, backend: Tokenizer):
        self.backend, self.characters = backend, 0

    def encode_batch(self, texts: list[str], **options: object) -> list[Encoding]:
        self.characters += sum(map(len, texts))
        return self.backend.encode_batch(texts, **options)

    def encode_batch_fast(self, texts: list[str], **options: object) -> list[Encoding]:
        self.characters += sum(map(len, texts))
        return self.backend.encode_batch_fast(texts, **options)


def characters_read(encoder: TextEncoder, text: str) -> int:
    """Characters tokenised for a text, the same for its ids alone."""
    cutter, counts = encoder._cutter, []
    backend = cutter._backend
    for read in (encoder, encoder.input_ids):
        cutter._backend = counting = CountingBackend(backend)
        read([text])
        counts.append(counting.characters)
    cutter._backend = backend
    assert counts[0] == counts[1]
    return counts[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_of_a_huge_text_only_so_much_is_tokenised_as_can_be_kept(kind: str, truncation: str) -> None:
    encoder = TextEncoder(fast(BACKENDS[kind]()), 100, truncation)
    most = 100 * CHARACTERS_PER_TOKEN + 4 * GUARD_CHARACTERS
    assert characters_read(encoder, sentence(100_000)) <= most < 4_000
    # Where most of it gives no tokens, more is read, but not all.
    assert characters_read(encoder, (" " * 50).join(sentence(100_000).split())) <= (1 + EXCERPT_GROWTH) * most


@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("text", [" " * 300_000, "x" * 300_000, "so " * 20 + "\n" * 300_000])
def test_no_text_costs_much_more_than_to_tokenise_it_once(truncation: str, text: str) -> None:
    encoder = TextEncoder(fast(word_level()), 100, truncation)
    # The whole of it, and before that excerpts of growing length.
    most = len(text) * (1 + EXCERPT_GROWTH / (EXCERPT_GROWTH - 1))
    assert len(text) <= characters_read(encoder, text) <= most
