"""Words are cut into pieces where the pieces of rare words tell something."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from hfattnlstm import load_texts
from hfattnlstm.training import parse_task, run_task, tokenizer_choice
from hfattnlstm.training.tokenizer_choice import choose_tokenizer_kind


STEMS = ["bar", "dol", "fen", "gim", "hup", "kas", "lor", "mun", "pex", "rit", "sov", "tuz"]


def splits(rows: list[tuple[str, str]]) -> DatasetDict:
    texts, labels = zip(*rows)
    return load_texts(Dataset.from_dict({"text": texts, "label": labels}), validation_size=0.3)


def coined(count: int = 300) -> list[tuple[str, str]]:
    """Words that hardly ever come twice; how they end says what they are."""
    chooser = random.Random(0)
    rows = []
    for index in range(count):
        ending, label = ("ful", "pos") if index % 2 else ("less", "neg")
        rows.append((" ".join("".join(chooser.sample(STEMS, 3)) + ending for _ in range(3)), label))
    return rows


def test_endings_of_rare_words_ask_for_pieces() -> None:
    assert choose_tokenizer_kind(splits(coined())) == "wordpiece"


def test_frequent_words_stay_whole() -> None:
    rows = [
        (f"the {word} film {index % 7}", label)
        for word, label in (("fine", "a"), ("grey", "b"))
        for index in range(60)
    ]
    assert choose_tokenizer_kind(splits(rows)) == "word"


def test_scripts_without_spaces_have_pieces_of_their_own() -> None:
    rows = [("すばらしい映画でした", "a"), ("ひどい映画でした", "b")] * 20
    assert choose_tokenizer_kind(splits(rows)) == "bpe"


def test_numbers_as_labels_are_not_told_by_ngrams() -> None:
    texts = Dataset.from_dict({"text": [text for text, _ in coined(40)], "label": [index / 7 for index in range(40)]})
    assert choose_tokenizer_kind(load_texts(texts)) == "word"


def test_without_held_out_texts_words_stay_whole() -> None:
    assert choose_tokenizer_kind(DatasetDict(train=splits(coined())["train"])) == "word"


def test_only_so_many_texts_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    encode = tokenizer_choice.encode_texts
    monkeypatch.setattr(tokenizer_choice, "MOST_TEXTS", {"train": 50, "validation": 20})
    monkeypatch.setattr(
        tokenizer_choice, "encode_texts", lambda texts, encoder: sizes.append(texts.num_rows) or encode(texts, encoder)
    )
    choose_tokenizer_kind(splits(coined()))
    assert sizes == [{"train": 50, "validation": 20}] * 2


def test_word_vectors_are_of_whole_words(tmp_path: Path) -> None:
    rows = coined(60)
    (tmp_path / "texts.csv").write_text("text,label\n" + "".join(f"the film {text},{label}\n" for text, label in rows))
    (tmp_path / "vectors.txt").write_text("the 0.1 0.2\nfilm 0.2 0.1\n")
    flags = ["--train_file", str(tmp_path / "texts.csv"), "--output_dir", str(tmp_path / "model"), "--max_steps", "1"]
    vectors = ["--word_vectors", str(tmp_path / "vectors.txt"), "--embedding_size", "2", "--use_cpu"]
    run = run_task(parse_task([*flags, *vectors, "--disable_tqdm", "true"]))
    assert not any(token.startswith("##") for token in run.processor.get_vocab())
    assert "tokenizer: word, trained" in (tmp_path / "model" / "README.md").read_text("utf-8")
