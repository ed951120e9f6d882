"""Loading of pairs: from tables, lines, translations; what is held out, and what is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict, Features, Value

from hfattnlstm import load_pairs
from hfattnlstm.data.pairs import read_pairs


PAIRS = [(f"ein Hund {number}", f"a dog {number}") for number in range(20)]


def table(**columns: list) -> Dataset:
    return Dataset.from_dict(columns)


def both(splits: DatasetDict) -> set[tuple[str, str]]:
    return {pair for split in splits.values() for pair in zip(split["source"], split["target"])}


def write(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


class TestForms:
    """Every form gives the same pairs."""

    def test_a_tsv_without_names(self, tmp_path, caplog):
        path = write(tmp_path / "pairs.tsv", [f"{one}\t{two}\tCC-BY" for one, two in PAIRS])
        loaded = load_pairs(path)
        assert both(loaded.splits) == set(PAIRS) and loaded.held_out
        assert "the first column is taken for what is read" in caplog.text

    def test_a_tsv_that_begins_with_numbers(self, tmp_path):
        path = write(tmp_path / "pairs.tsv", [f"{number}\t{one}\t{two}" for number, (one, two) in enumerate(PAIRS)])
        with pytest.raises(ValueError, match=r"first of the 3 columns of .* holds only numbers"):
            load_pairs(path)
        path = write(tmp_path / "words.tsv", [f"{number}\t{one}" for number, (one, _) in enumerate(PAIRS)])
        assert len(both(load_pairs(path).splits)) == len(PAIRS)

    def test_a_tsv_with_names(self, tmp_path, caplog):
        path = write(tmp_path / "pairs.tsv", ["target\tsource", *(f"{two}\t{one}" for one, two in PAIRS)])
        loaded = load_pairs(path)
        assert both(loaded.splits) == set(PAIRS) and not caplog.text
        assert (loaded.source_column, loaded.target_column) == ("source", "target")

    def test_a_tsv_whose_names_are_given(self, tmp_path):
        path = write(tmp_path / "pairs.tsv", ["de\ten", *(f"{one}\t{two}" for one, two in PAIRS)])
        assert both(load_pairs(path, source_column="de", target_column="en").splits) == set(PAIRS)
        with pytest.raises(ValueError, match="no column 'fr' with texts; it has 'de', 'en'"):
            load_pairs(path, source_column="de", target_column="fr")

    def test_two_files_of_lines(self, tmp_path):
        source = write(tmp_path / "train.de", [one for one, _ in PAIRS])
        target = tmp_path / "train.en.gz"
        target.write_bytes(gzip.compress("\n".join(two for _, two in PAIRS).encode()))
        loaded = load_pairs((source, target))
        assert both(loaded.splits) == set(PAIRS)
        assert loaded.source_column is loaded.target_column is None
        loaded = load_pairs({"train": [source, str(target)], "validation": [source, str(target)]})
        assert loaded.splits.num_rows == {"train": 20, "validation": 20} and not loaded.held_out

    def test_json_lines_and_csv(self, tmp_path):
        path = write(tmp_path / "pairs.jsonl", [json.dumps({"en": two, "de": one}) for one, two in PAIRS])
        assert both(load_pairs(path, source_column="de", target_column="en").splits) == set(PAIRS)
        path = write(tmp_path / "pairs.csv", ["src,tgt", *(f'"{one}",{two}' for one, two in PAIRS)])
        assert both(load_pairs(path).splits) == set(PAIRS)

    @pytest.mark.parametrize("typed", [True, False])
    def test_the_column_of_translations(self, typed):
        rows = [{"de": one, "en": two} for one, two in PAIRS]
        features = Features({"translation": {"de": Value("string"), "en": Value("string")}}) if typed else None
        data = Dataset.from_dict({"translation": rows}, features=features)
        loaded = load_pairs(data, source_column="en", target_column="de")
        assert both(loaded.splits) == {(two, one) for one, two in PAIRS}
        with pytest.raises(ValueError, match="of texts it has 'de', 'en'; name two, such as source_column='de'"):
            load_pairs(data)

    def test_a_folder_with_splits(self, tmp_path):
        for name, rows in (("train", PAIRS[:15]), ("validation", PAIRS[15:18]), ("test", PAIRS[18:])):
            lines = [json.dumps({"source": one, "target": two}) for one, two in rows]
            write(tmp_path / f"{name}.jsonl", lines)
        assert load_pairs(tmp_path).splits.num_rows == {"train": 15, "validation": 3, "test": 2}
        assert read_pairs(tmp_path)["source"][:] == [one for one, _ in PAIRS[18:]]
        assert len(read_pairs(tmp_path, split="train")) == 15
        with pytest.raises(ValueError, match="no split 'dev'"):
            read_pairs(tmp_path, split="dev")


class TestColumns:
    """Found by their names, or named."""

    def test_usual_names(self):
        loaded = load_pairs(table(output=["b"] * 2 + ["c"], input=["a", "x", "y"], other=["u"] * 3))
        assert (loaded.source_column, loaded.target_column) == ("input", "output")

    @pytest.mark.parametrize(
        ("columns", "options", "sentence"),
        [
            ({"de": ["a", "b"], "en": ["c", "d"]}, {}, "no columns that are known to be read and written"),
            ({"source": ["a", "b"], "target": [1, 2]}, {}, "of texts it has 'source', and two are needed"),
            ({"a": ["a"], "b": ["b"]}, {"source_column": "a"}, "target_column= is missing"),
            ({"a": ["a"], "b": ["b"]}, {"source_column": "a", "target_column": "a"}, "are one column"),
            ({"a": ["a"], "b": ["b"]}, {"source_column": "a", "target_column": "c"}, "no column 'c' with texts"),
            ({"source": ["a"], "target": ["b"]}, {}, "There is one pair"),
            ({"source": ["", "a"], "target": ["b", " "]}, {}, "no pair of which both sides have a text"),
            ({"source": ["a", "a"], "target": ["b", "c"]}, {}, "none can be held out by itself"),
        ],
    )
    def test_mistakes(self, columns, options, sentence):
        with pytest.raises(ValueError, match=sentence):
            load_pairs(table(**columns), **options)

    def test_one_column_alone(self):
        for name in ("source_column", "target_column"):
            with pytest.raises(ValueError, match="is missing: name both columns, or none"):
                read_pairs(table(a=["x"], b=["y"]), **{name: "a"})

    def test_rows_without_a_translation_are_told(self, caplog):
        kind = Features({"translation": {"de": Value("string"), "en": Value("string")}})
        rows = [{"de": one, "en": two} for one, two in PAIRS]
        data = Dataset.from_dict({"translation": [*rows, None]}, features=kind)
        assert both(load_pairs(data, source_column="de", target_column="en").splits) == set(PAIRS)
        assert "1 of the 21 pairs" in caplog.text

    def test_splits_with_other_columns(self):
        splits = DatasetDict(train=table(source=["a", "b"], target=["c", "d"]), validation=table(src=["a"], tgt=["b"]))
        with pytest.raises(ValueError, match="no column 'source' with texts; it has 'src', 'tgt'"):
            load_pairs(splits)


class TestLines:
    """Files with a text a line belong together line by line."""

    def test_other_numbers_of_lines(self, tmp_path):
        source, target = write(tmp_path / "a.de", ["x", "y"]), write(tmp_path / "a.en", ["x"])
        with pytest.raises(ValueError, match=r"has 2 lines, and .* has 1"):
            load_pairs((source, target))

    def test_blank_lines_are_pairs_that_are_left_out(self, tmp_path, caplog):
        lines = [one for one, _ in PAIRS]
        source = write(tmp_path / "a.de", [*lines[:5], "", *lines[6:]])
        target = write(tmp_path / "a.en", [two for _, two in PAIRS])
        assert both(load_pairs((source, target)).splits) == set(PAIRS) - {PAIRS[5]}
        assert "1 of the 20 pairs" in caplog.text and "have an empty side" in caplog.text

    def test_each_line_of_the_files_is_one_pair(self, tmp_path):
        expected = {(f"satz {number}", f"sentence {number}") for number in range(1, 12)}
        source = [one for one, _ in sorted(expected)]
        target = [two for _, two in sorted(expected)]
        (tmp_path / "a.de").write_bytes("\n".join([*source[:3], source[3] + "\rrest", *source[4:]]).encode())
        (tmp_path / "a.en").write_bytes("\r\n".join([*target[:7], target[7] + "\rrest", *target[8:]]).encode())
        found = both(load_pairs((tmp_path / "a.de", tmp_path / "a.en")).splits)
        assert {(one.split("\r")[0], two.split("\r")[0]) for one, two in found} == expected

    def test_blank_lines_at_the_end(self, tmp_path):
        source = write(tmp_path / "a.de", [*(one for one, _ in PAIRS), "", ""])
        target = write(tmp_path / "a.en", [two for _, two in PAIRS])
        assert both(load_pairs((source, target)).splits) == set(PAIRS)
        source = write(tmp_path / "a.de", [*(one for one, _ in PAIRS[:-1]), ""])
        assert both(load_pairs((source, target)).splits) == set(PAIRS[:-1])

    def test_what_is_no_file_of_lines(self, tmp_path):
        path = write(tmp_path / "a.csv", ["x,y"])
        with pytest.raises(ValueError, match="is a table"):
            load_pairs((path, path))
        with pytest.raises(FileNotFoundError, match="There is no file"):
            load_pairs((path.replace("a.csv", "b.de"), path))
        with pytest.raises(ValueError, match="and 3 are named"):
            load_pairs({"train": [path, path, path]})

    def test_a_row_without_a_tab(self, tmp_path):
        path = write(tmp_path / "a.tsv", ["a\tb", "c"])
        with pytest.raises(ValueError, match="no tab in row 2"):
            load_pairs(path)


class TestHeldOut:
    """Pairs that share a side stay together."""

    def test_none_is_on_both_sides(self):
        sources = [f"s{number // 3}" for number in range(90)]
        targets = [f"T{number % 45}" if number < 10 else f"t{number}" for number in range(90)]
        splits = load_pairs(table(source=sources, target=targets), validation_size=0.3).splits
        train, held = splits["train"], splits["validation"]
        assert not set(train["source"]) & set(held["source"]) and not set(train["target"]) & set(held["target"])
        assert len(held) == 27

    def test_case_and_spaces_make_no_other_text(self):
        splits = load_pairs(
            table(source=["a b", "A  B", "c", "d"], target=["1", "2", "3", "4"]), validation_size=2
        ).splits
        held = set(splits["validation"]["source"])
        assert held in ({"a b", "A  B"}, {"c", "d"})

    def test_by_the_seed(self):
        data = table(source=[one for one, _ in PAIRS], target=[two for _, two in PAIRS])
        first, again, other = (load_pairs(data, seed=seed, validation_size=5).splits for seed in (1, 1, 2))
        assert first["validation"][:] == again["validation"][:] != other["validation"][:]

    def test_a_tenth_but_no_more_than_2000(self):
        many = table(source=[f"s{number}" for number in range(30_000)], target=[f"t{n}" for n in range(30_000)])
        assert load_pairs(many).splits.num_rows["validation"] == 2_000
        assert load_pairs(many.select(range(100))).splits.num_rows["validation"] == 10

    def test_what_is_measured_on_pairs_that_were_learnt(self, caplog):
        data = table(source=[one for one, _ in PAIRS], target=[two for _, two in PAIRS])
        load_pairs(DatasetDict(train=data, validation=data.select(range(5))))
        assert "5 of the 5 sources for validation are among those for training, too" in caplog.text
        caplog.clear()
        near = table(source=[f"EIN  {one[4:]}" for one, _ in PAIRS], target=["z"] * len(PAIRS))
        load_pairs(DatasetDict(train=data, validation=near))
        assert "20 of the 20 sources for validation" in caplog.text
