"""Loading of pairs: from tables, lines, translations; what is held out, and what is told."""

from __future__ import annotations

import json

import pytest
from datasets import Dataset, DatasetDict, Features, Value

from data.pair_helpers import PAIRS, both, table, write
from hfattnlstm import load_pairs
from hfattnlstm.data.pairs import read_pairs


class TestForms:
    """Every form gives the same pairs."""

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
