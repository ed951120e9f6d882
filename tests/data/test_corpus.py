"""Texts for pretraining: where they come from, which are held out, and their windows of tokens."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from datasets import Dataset, DatasetDict, config
from transformers import PreTrainedTokenizerFast

from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.corpus import WindowMaker, hold_out_texts, load_corpus
from hfattnlstm.data.tokenization import train_tokenizer


TEXTS = ["good soup", "bad lift"]
MANY = [f"word{number} again" for number in range(2_500)]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write(path: Path, content: str | bytes) -> str:
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


class TestLoading:
    """One column, whatever the files are."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("texts.txt", "good soup\nbad lift\n"),
            ("TEXTS.TXT.GZ", "good soup\nbad lift"),
            ("texts.csv", "id,text\n1,good soup\n2,bad lift\n"),
            ("texts.csv.gz", "text,label\ngood soup,1\nbad lift,0\n"),
            ("texts.csv", "label;text\n1;good soup\n0;bad lift\n"),
            ("texts.tsv", "review\tdate\ngood soup\t1\nbad lift\t2\n"),
            ("texts.jsonl", '{"text": "good soup", "label": 1}\n{"text": "bad lift", "label": 0}\n'),
            ("texts.jsonl.gz", '{"text": "good soup"}\n{"text": "bad lift"}\n'),
        ],
    )
    def test_of_each_kind(self, tmp_path: Path, name: str, content: str) -> None:
        if name.isupper():
            Path(tmp_path / name).write_bytes(gzip.compress(content.encode()))
        else:
            write(tmp_path / name, content)
        loaded = load_corpus([tmp_path / name])
        assert loaded.column_names == ["text"] and loaded["text"][:] == TEXTS

    def test_parquet_beside_lines_by_a_column(self, tmp_path: Path) -> None:
        pyarrow.parquet.write_table(pa.table({"body": TEXTS, "title": ["a", "b"]}), tmp_path / "texts.parquet")
        lines = write(tmp_path / "more.txt", "more\n")
        loaded = load_corpus([tmp_path / "texts.parquet", lines], "body")
        assert loaded["text"][:] == [*TEXTS, "more"]

    def test_columns_that_are_not_read_may_hold_anything(self, tmp_path: Path) -> None:
        """The reader's guess at their types was once wrong in a later part of a file."""
        rows = [f'{row if row < 30_000 else ""},"text {row}"' for row in range(30_001)]
        loaded = load_corpus([write(tmp_path / "texts.csv", "number,text\n" + "\n".join(rows))])
        assert loaded["text"][-1] == "text 30000"
        numbers = write(tmp_path / "numbers.csv", "text\n007\n1e5\n")
        assert load_corpus([numbers], "text")["text"][:] == ["007", "1e5"]

    def test_a_damaged_end_is_told(self, tmp_path: Path) -> None:
        """Far behind what is looked at first."""
        content = gzip.compress(("text\n" + "".join(f"text {row}\n" for row in range(30_000))).encode())
        (tmp_path / "texts.csv.gz").write_bytes(content[:-2_000])
        with pytest.raises(ValueError, match=r"texts\.csv\.gz cannot be read, mend or convert it"):
            load_corpus([tmp_path / "texts.csv.gz"])

    def test_what_is_odd_is_told_each_time(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        file = write(tmp_path / "texts.csv", "text,\ngood soup,1\nbad lift,2\n")
        for count in (1, 2):
            assert load_corpus([file])["text"][:] == TEXTS
            assert caplog.text.count("has a value in a column without a name") == count

    def test_a_file_that_has_changed_is_read_anew(self, tmp_path: Path) -> None:
        file = write(tmp_path / "texts.csv", "text\ngood soup\nbad lift\n")
        assert load_corpus([file])["text"][:] == TEXTS
        write(tmp_path / "texts.csv", "text\ngood lift\nbad lift\n")
        assert load_corpus([file])["text"][:] == ["good lift", "bad lift"]

    @pytest.mark.parametrize("name", ["a::b.csv", "a[1].csv", "a[1].txt", "a*.jsonl", "file:b.txt", "a#b?.tsv"])
    def test_a_name_is_no_pattern_and_no_address(
        self, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for other in ("a", "a1.txt", "a1.csv", "b.txt", "b.csv", "ab.jsonl"):
            write(Path(other), "text\nno\n")
        content = {".txt": "good soup\nbad lift\n", ".jsonl": '{"text": "good soup"}\n{"text": "bad lift"}\n'}
        write(Path(name), content.get(Path(name).suffix, "text\ngood soup\nbad lift\n"))
        assert load_corpus([name])["text"][:] == TEXTS

    def test_a_column_of_lines_is_refused(self, tmp_path: Path) -> None:
        lines = write(tmp_path / "texts.txt", "good\n")
        with pytest.raises(ValueError, match="text_column='body' has no effect on files with a text a line"):
            load_corpus([lines], "body")
        with pytest.raises(ValueError, match="has no column 'body'"):
            load_corpus([write(tmp_path / "texts.csv", "text\ngood\n")], "body")

    def test_a_folder_by_its_splits(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        for name in ("train", "test", "unsupervised"):
            write(tmp_path / f"{name}.csv", f"text\nof {name}\n")
        (tmp_path / "README.md").write_text(
            "---\nconfigs:\n- config_name: default\n  data_files:\n"
            + "".join(f"  - split: {name}\n    path: {name}.csv\n" for name in ("train", "test", "unsupervised"))
            + "---\n"
        )
        with flags_in_sentences():
            loaded = load_corpus([tmp_path], splits=("train", "unsupervised"))
        assert loaded["text"][:] == ["of train", "of unsupervised"]
        assert "is read, not 'test': --splits reads others" in caplog.text
        with pytest.raises(ValueError, match=r"has no split 'more': splits= takes"):
            load_corpus([tmp_path], splits=("more",))

    def test_empty_texts_are_left_out(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        loaded = load_corpus([write(tmp_path / "texts.txt", "good\n\n  \nbad\n")])
        assert loaded["text"][:] == ["good", "bad"]
        assert "Of 4 texts, 2 are empty and left out." in caplog.text

    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("texts.txt", "", "The file .*texts.txt is empty"),
            ("texts.txt", "\n \n", "hold(s)? empty texts only"),
            ("texts.csv", "number\n1\n2\n", "no column that is known to hold the texts"),
            ("texts.jsonl", '{"text": "a"}\n{"text": ', "cannot be read, mend or convert it"),
            ("texts.parquet", "no parquet", "cannot be read, mend or convert it"),
            ("texts.txt", b"good\ncaf\xe9\n", "is not UTF-8 text in line 2: byte 4 of the line, 0xe9, cannot be"),
            ("texts.csv", b"text\ngood\ncaf\xe9\n", "is not UTF-8 text in line 3: byte 4 of the line"),
            ("texts.jsonl", '{"text": "a"}'.encode("utf-16-le"), "is not UTF-8 text in line 1: it has NUL bytes"),
            ("texts.txt", "good\n".encode("utf-16-le"), "is not UTF-8 text in line 1: it has NUL bytes"),
            ("texts.csv.bz2", b"no bzip2", "cannot be read, mend or convert it"),
            ("texts.csv.gz", "text\n", "has no rows"),
            ("texts.csv", "text\nGood food, slow service\n", "Row 1 of .*texts.csv .line 2. has 2 columns, not 1"),
            ("texts.csv", 'id,text\n1,"good\n', "Row 1 of .*texts.csv .line 2. opens a quote that no quote"),
            ("texts.doc", "good", "must end in one of"),
        ],
    )
    def test_what_cannot_be_read(self, tmp_path: Path, name: str, content: str | bytes, sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            load_corpus([write(tmp_path / name, content)])

    @pytest.mark.parametrize("name", ["none.txt", "no/such/folder"])
    def test_what_is_not_there(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FileNotFoundError, match=r"There is no file|No data set is found"):
            load_corpus([tmp_path / name])


class TestHoldingOut:
    """A few of the texts, chosen by the seed."""

    def test_a_tenth_but_at_most_500(self) -> None:
        texts = Dataset.from_dict({"text": MANY * 4})
        assert hold_out_texts(texts).num_rows == {"train": 9_500, "validation": 500}
        assert hold_out_texts(texts.select(range(50))).num_rows == {"train": 45, "validation": 5}
        assert hold_out_texts(texts.select(range(2))).num_rows == {"train": 1, "validation": 1}
        assert hold_out_texts(texts, 0.2).num_rows == {"train": 8_000, "validation": 2_000}

    def test_no_text_is_in_both_and_the_seed_chooses(self) -> None:
        texts = Dataset.from_dict({"text": MANY})
        parts = hold_out_texts(texts, seed=1)
        assert sorted([*parts["train"]["text"], *parts["validation"]["text"]]) == sorted(MANY)
        assert hold_out_texts(texts, seed=1)["validation"]["text"][:] == parts["validation"]["text"][:]
        assert hold_out_texts(texts, seed=2)["validation"]["text"][:] != parts["validation"]["text"][:]

    def test_a_single_text(self) -> None:
        with pytest.raises(ValueError, match="There is one text, and one must be held out"):
            hold_out_texts(Dataset.from_dict({"text": ["one"]}))


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(MANY, kind="word", min_frequency=1)


class TestWindows:
    """Nothing is lost, and nothing stays behind."""

    @pytest.mark.parametrize("size", [2, 5, 256])
    def test_they_are_the_texts(self, tokenizer: PreTrainedTokenizerFast, size: int) -> None:
        made = WindowMaker(tokenizer, size)(DatasetDict(train=Dataset.from_dict({"text": MANY})))
        rows = [list(row["input_ids"]) for row in made.splits["train"]]
        lengths = [len(row) for row in rows]
        # One shorter window for each thousand of texts at most.
        assert max(lengths) == size and sum(length < size for length in lengths) <= 3
        joined = [token for row in rows for token in row]
        expected = [token for text in MANY for token in (*tokenizer(text)["input_ids"], tokenizer.sep_token_id)]
        assert joined == expected
        assert made.tokens == {"train": len(expected)}
        assert made.counts.tolist() == np.bincount(expected, minlength=len(tokenizer)).tolist()

    def test_counts_are_of_the_training_alone(self, tokenizer: PreTrainedTokenizerFast) -> None:
        parts = {"train": MANY[:3], "validation": MANY[3:9]}
        texts = DatasetDict({name: Dataset.from_dict({"text": part}) for name, part in parts.items()})
        made = WindowMaker(tokenizer, 4)(texts)
        assert made.tokens == {"train": 9, "validation": 18} and made.counts.sum() == 9

    def test_a_tokenizer_that_frames_its_texts_needs_no_separator(self, tokenizer: PreTrainedTokenizerFast) -> None:
        from tokenizers import processors

        framing = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer.backend_tokenizer, sep_token="[SEP]", cls_token="[CLS]", unk_token="[UNK]"
        )
        framing.backend_tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        made = WindowMaker(framing, 99)(DatasetDict(train=Dataset.from_dict({"text": ["again", "again"]})))
        assert made.splits["train"][0]["input_ids"][0] == 2
        assert made.splits["train"][0]["input_ids"][2:4] == [3, 2]

    def test_they_lie_on_the_disk_and_are_removed(self, tokenizer: PreTrainedTokenizerFast) -> None:
        maker = WindowMaker(tokenizer, 4)
        made = maker(DatasetDict(train=Dataset.from_dict({"text": MANY})))
        folder = Path(config.HF_DATASETS_CACHE)
        assert [Path(file["filename"]).is_relative_to(folder) for file in made.splits["train"].cache_files] == [True]
        del maker
        assert list(folder.iterdir()) == []
