"""Tokenizers of pairs: what is decoded is the text, and equal texts give equal tokenizers."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from hfattnlstm import train_pair_tokenizer
from hfattnlstm.data.pair_tokenizer import PIECE_KINDS
from hfattnlstm.modeling.text_inputs import TextEncoder


TEXTS = [
    "Two dogs run, and one sleeps.",
    'She said: "It\'s 3.50 (or 20)!"',
    "Zwei Hunde laufen über die Straße.",
    "我们明白。 Tom说了。",
    "the  end\tof it",
]


def tokens_of(tokenizer, text: str) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids)


@pytest.mark.parametrize("kind", PIECE_KINDS)
def test_what_is_decoded_is_the_text_but_for_runs_of_spaces(kind):
    tokenizer = train_pair_tokenizer(TEXTS, kind=kind, min_frequency=1)
    for text in TEXTS:
        ids = tokenizer(text).input_ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == " ".join(text.split())
        assert ids[-1] == tokenizer.eos_token_id == 3 and tokenizer.unk_token_id not in ids


@pytest.mark.parametrize("kind", PIECE_KINDS)
def test_spans_lead_back_to_the_text(kind):
    tokenizer = train_pair_tokenizer(TEXTS, kind=kind, min_frequency=1)
    for text in TEXTS:
        found = tokenizer(text, return_offsets_mapping=True)
        shown = "".join(text[start:end] for start, end in found["offset_mapping"])
        assert "".join(shown.split()) == "".join(text.split())


def test_digits_and_marks_stand_alone():
    tokenizer = train_pair_tokenizer(TEXTS * 9, vocab_size=400)
    assert tokens_of(tokenizer, "3.50, no")[:5] == ["▁3", ".", "5", "0", ","]


def test_kinds():
    words = train_pair_tokenizer(TEXTS, kind="word", min_frequency=1)
    assert tokens_of(words, "Two dogs 我们") == ["▁Two", "▁dogs", "▁我", "们", "[EOS]"] or tokens_of(
        words, "Two dogs 我们"
    )[:2] == ["▁Two", "▁dogs"]
    characters = train_pair_tokenizer(TEXTS, kind="char", min_frequency=1)
    assert tokens_of(characters, "dogs") == ["▁d", "o", "g", "s", "[EOS]"]
    pieces = train_pair_tokenizer(["the cat", "the cat", "the mat"], vocab_size=14)
    assert tokens_of(pieces, "the")[0] == "▁the"


def test_rare_characters_are_unknown():
    tokenizer = train_pair_tokenizer(["aa", "aa", "ab"], min_frequency=2)
    assert tokens_of(tokenizer, "ab") == ["▁", "a", "[UNK]", "[EOS]"] or "[UNK]" in tokens_of(tokenizer, "ab")


def test_lower_case():
    tokenizer = train_pair_tokenizer(TEXTS, lowercase=True, min_frequency=1)
    assert tokenizer.decode(tokenizer("TWO Dogs").input_ids, skip_special_tokens=True) == "two dogs"


def test_it_is_loaded_by_transformers_alone(tmp_path: Path):
    tokenizer = train_pair_tokenizer(TEXTS, min_frequency=1, model_max_length=7)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        assert loaded(text).input_ids == tokenizer(text).input_ids
        assert loaded.decode(loaded(text).input_ids) == tokenizer.decode(tokenizer(text).input_ids)
    cut = loaded(TEXTS[0], truncation=True).input_ids
    assert len(cut) == 7 and cut[-1] == 3
    assert [loaded.pad_token_id, loaded.unk_token_id, loaded.bos_token_id, loaded.eos_token_id] == [0, 1, 2, 3]


CODE = """
from hfattnlstm import train_pair_tokenizer
texts = ["".join(chr(97 + (i * j) % 26) for j in range(i % 9 + 2)) + " " + str(i) for i in range(300)]
print(train_pair_tokenizer(texts, vocab_size=150).backend_tokenizer.to_str())
"""


def test_the_same_texts_give_the_same_tokenizer():
    first, second = (
        subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first == second and len(first) > 1_000


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        (["a"], {"kind": "wordpiece"}, "tokenizer_kind= must be one of bpe, word, char"),
        (["a"], {}, "nothing that occurs at least 2 times"),
        ([" "], {"min_frequency": 1}, "nothing that occurs"),
        (["a", "a"], {"vocab_size": 4}, "vocab_size=4 has no room"),
    ],
)
def test_mistakes(texts, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        train_pair_tokenizer(texts, **options)


def test_what_is_no_text():
    with pytest.raises(TypeError, match="Text number 1 is of type int"):
        train_pair_tokenizer(["a", 7])


@pytest.mark.parametrize("kind", PIECE_KINDS)
def test_decomposed_letters_are_those_that_are_composed(kind):
    text = "malý kůň 한글 Straße"
    parts = unicodedata.normalize("NFD", text)
    tokenizer = train_pair_tokenizer([text], kind=kind, min_frequency=1)
    encoded, other = TextEncoder(tokenizer)([text, parts])
    assert parts != text and encoded.input_ids == other.input_ids and tokenizer.unk_token_id not in other.input_ids
    spans = zip(encoded.spans[:-1], other.spans[:-1])
    assert all(unicodedata.normalize("NFC", parts[slice(*two)]) == text[slice(*one)] for one, two in spans)
