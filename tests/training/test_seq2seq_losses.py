"""What is told of texts that tokens cannot stand for."""

from __future__ import annotations

import pytest

from hfattnlstm import PairProcessor, train_pair_tokenizer
from hfattnlstm.training.seq2seq_losses import tell_changed


PLAIN = ["a dog barks", "A dog  sleeps ", "cafe\u0301 [dog]"] * 20


def told(texts: list[str], caplog: pytest.LogCaptureFixture, **options) -> str:
    processor = PairProcessor(train_pair_tokenizer(PLAIN, kind="char", **options))
    tell_changed(processor.targets(texts), texts, processor.target_tokenizer, "targets")
    return caplog.text


@pytest.mark.parametrize("lowercase", [False, True])
def test_spaces_and_forms_of_letters_are_left_aside(lowercase, caplog):
    assert told(PLAIN, caplog, lowercase=lowercase) == ""


@pytest.mark.parametrize(
    ("text", "written"), [("a dog\nbarks", "a dog barks"), ("a dog [EOS]", "a dog"), ("a dog 🐕 barks", "a dog barks")]
)
def test_what_is_lost(text, written, caplog):
    sentence = told([*PLAIN, text], caplog)
    assert "2% of the targets cannot be written as they are, because" in sentence
    assert sentence.rstrip().endswith(f"{text!r}, for one, becomes {written!r}.")


def test_few_are_not_told(caplog):
    assert told([*PLAIN * 4, "a\nb"], caplog) == ""


def test_what_is_cut_is_told_elsewhere(caplog):
    assert told(["a dog barks"] * 10, caplog, model_max_length=4) == ""
