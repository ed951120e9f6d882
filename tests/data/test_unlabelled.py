"""Texts without labels: their files, and the order of their batches."""

from __future__ import annotations

import gzip
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from datasets import Dataset

from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.batching import LengthGroupedSampler
from hfattnlstm.data.encoding import tokenised
from hfattnlstm.data.tokenization import train_tokenizer
from hfattnlstm.data.unlabelled import UnlabelledBatches, load_unlabelled
from hfattnlstm.modeling.text_inputs import TextEncoder


TEXTS = ["good soup", "bad lift"]
PAIR = ["premise", "hypothesis"]


def write(path: Path, content: str) -> Path:
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


class TestLoading:
    """One column, whatever the file is."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("texts.csv", "id,text\n1,good soup\n2,bad lift\n"),
            ("texts.csv.gz", "text\ngood soup\nbad lift\n"),
            ("texts.tsv", "review\tdate\ngood soup\t1\nbad lift\t2\n"),
            ("texts.jsonl", '{"text": "good soup", "label": 1}\n{"text": "bad lift", "label": 0}\n'),
            ("texts.txt", "good soup\nbad lift\n"),
            ("TEXTS.TXT", "\ufeffgood soup\r\nbad lift"),
        ],
    )
    def test_of_each_kind(self, tmp_path: Path, name: str, content: str) -> None:
        loaded = load_unlabelled(str(write(tmp_path / name, content)))
        assert loaded.column_names == ["text"] and loaded["text"][:] == TEXTS

    def test_parquet(self, tmp_path: Path) -> None:
        pyarrow.parquet.write_table(pa.table({"text": TEXTS, "number": [1, 2]}), tmp_path / "texts.parquet")
        assert load_unlabelled(tmp_path / "texts.parquet")["text"][:] == TEXTS

    def test_a_named_column(self, tmp_path: Path) -> None:
        path = write(tmp_path / "texts.csv", "text,remark\nx,good soup\ny,bad lift\n")
        assert load_unlabelled(path, ["remark"])["text"][:] == TEXTS
        # A file of lines has none, and that of the training texts is named.
        assert load_unlabelled(write(tmp_path / "texts.txt", "good soup\nbad lift"), ["remark"])["text"][:] == TEXTS

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("pairs.csv", "premise,hypothesis\na cat,it sleeps\na dog,\n,\n"),
            ("pairs.txt", "a cat\tit sleeps\na dog\t\n\n"),
        ],
    )
    def test_pairs(self, tmp_path: Path, name: str, content: str) -> None:
        assert load_unlabelled(write(tmp_path / name, content), PAIR)["text"][:] == [
            ["a cat", "it sleeps"],
            ["a dog", ""],
        ]

    def test_empty_texts_are_left_out_and_told(self, tmp_path: Path, caplog) -> None:
        path = write(tmp_path / "texts.txt", "good soup\n\n \t\nbad lift\n")
        with caplog.at_level("WARNING", "hfattnlstm"):
            assert load_unlabelled(path)["text"][:] == TEXTS
        assert f"Of the 4 texts of {path}, 2 are empty and left out." in caplog.text

    @pytest.mark.parametrize(
        ("name", "content", "column", "sentence"),
        [
            ("texts.txt", " \n\n", None, "The file .*texts.txt holds empty texts only: give others, or leave it out"),
            ("texts.csv", 'text\n" "\n', None, "holds empty texts only"),
            ("texts.txt", "", None, "The file .*texts.txt is empty"),
            (
                "texts.csv",
                "text\ngood\n",
                "body",
                "file .*texts.csv has no column 'body'; it has 'text': name it with",
            ),
            ("texts.txt", "a\tb\nc", PAIR, "has 1 text in line 2, .* write premise and hypothesis with a tab between"),
            ("texts.docx", "good", None, "texts.docx must end in one of"),
        ],
    )
    def test_what_cannot_be_read(self, tmp_path: Path, name: str, content: str, column, sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            load_unlabelled(write(tmp_path / name, content), column)

    def test_no_file(self, tmp_path: Path) -> None:
        for name in ("no.txt", "no.csv", "no/name"):
            with pytest.raises(FileNotFoundError, match=f"There is no file .*{name}: check its name"):
                load_unlabelled(tmp_path / name)
        with (
            flags_in_sentences(),
            pytest.raises(IsADirectoryError, match=r"--unlabelled_file .* is a folder: name a file"),
        ):
            load_unlabelled(tmp_path)


def test_encoding(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(TEXTS, kind="word", min_frequency=1, model_max_length=1)
    encoded = tokenised(Dataset.from_dict({"text": TEXTS}), TextEncoder(tokenizer, None, "tail"))
    vocabulary = tokenizer.get_vocab()
    assert encoded[:] == {"input_ids": [[vocabulary["soup"]], [vocabulary["lift"]]], "length": [1, 1]}


LENGTHS = [1 + (7 * row) % 23 for row in range(50)]


def batches(size: int = 4, **options: int) -> UnlabelledBatches:
    return UnlabelledBatches(Dataset.from_dict({"row": range(50)}), LENGTHS, list, size, **options)


def rows(batch: list) -> list[int]:
    return [row["row"] for row in batch]


class TestOrder:
    """A function of seed and step."""

    def test_all_texts_are_read_before_one_is_read_again(self) -> None:
        found = batches()
        read = [rows(found.take(step)) for step in range(26)]
        assert [len(batch) for batch in read] == ([4] * 12 + [2]) * 2
        for epoch in (read[:13], read[13:]):
            assert sorted(chain(*epoch)) == list(range(50))
        assert read[:13] != read[13:]

    def test_texts_of_like_length_stand_together(self) -> None:
        found = batches()
        spread = [
            max(lengths) - min(lengths)
            for step in range(12)
            if (lengths := [LENGTHS[row] for row in rows(found.take(step))])
        ]
        assert sum(spread) / 12 < 4

    def test_any_step_can_be_the_first(self) -> None:
        found = batches()
        read = [found.take(step) for step in range(40)]
        for step in (0, 7, 12, 13, 39):
            assert batches().take(step) == read[step]

    def test_accumulation(self) -> None:
        one, three = batches(), batches(accumulation=3)
        expected = [one.take(step) for step in range(9)]
        assert [three.take(step // 3) for step in range(9)] == expected
        late = batches(accumulation=3)
        assert [late.take(2) for _ in range(3)] == expected[6:]

    def test_seeds(self) -> None:
        assert batches(seed=1).take(0) == batches(seed=1).take(0) != batches(seed=2).take(0)

    def test_the_order_is_not_that_of_labelled_texts(self) -> None:
        for seed in (0, 2**32 - 1):
            found, labelled = batches(seed=seed), LengthGroupedSampler(LENGTHS, 4, seed)
            assert [*chain(*(rows(found.take(step)) for step in range(13)))] != list(labelled)

    def test_processes_have_a_part_each(self) -> None:
        one, two = batches(8, seed=5), [batches(4, seed=5, process=rank, processes=2) for rank in (0, 1)]
        for step in range(7):
            parts = [rows(found.take(step)) for found in two]
            assert sorted(chain(*parts)) == sorted(rows(one.take(step)))
        # Of the two texts that are left, two processes of three have one, and the third has one of theirs.
        three = [batches(4, process=rank, processes=3) for rank in range(3)]
        assert [len(found.take(4)) for found in three] == [1, 1, 1]

    def test_fewer_texts_than_a_batch(self) -> None:
        found = UnlabelledBatches(Dataset.from_dict({"row": [0, 1]}), [1, 2], list, 8)
        assert all(sorted(rows(found.take(step))) == [0, 1] for step in range(3))
