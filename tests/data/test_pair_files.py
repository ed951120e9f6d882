"""Files that only pairs have: columns between tabs that have no names, and two with a text a line."""

from __future__ import annotations

import gzip

import pytest

from data.pair_helpers import PAIRS, both, write
from hfattnlstm import load_pairs
from hfattnlstm.data.pairs import read_pairs


class TestColumns:
    """Tabs between a source and a target."""

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

    @pytest.mark.parametrize("ending", ["tsv", "txt"])
    def test_columns_by_their_numbers(self, ending, tmp_path, caplog):
        path = write(tmp_path / f"deu.{ending}", [f"{two}\t{one}\tCC-BY" for one, two in PAIRS])
        loaded = load_pairs(path, source_column="2", target_column="1")
        assert both(loaded.splits) == set(PAIRS) and not caplog.text
        assert len(read_pairs(path, "2", "1")) == len(PAIRS)
        with pytest.raises(ValueError, match="numbers from 1 to 3"):
            load_pairs(path, source_column="2", target_column="4")
        with pytest.raises(ValueError, match="are one column"):
            load_pairs(path, source_column="2", target_column="2")

    def test_columns_that_are_called_numbers(self, tmp_path):
        path = write(tmp_path / "a.tsv", ["2\t1", *map("\t".join, PAIRS)])
        assert both(load_pairs(path, source_column="2", target_column="1").splits) == set(PAIRS)

    def test_a_text_file_with_names(self, tmp_path):
        path = write(tmp_path / "a.txt", ["source\ttarget", *map("\t".join, PAIRS)])
        with pytest.raises(ValueError, match="call such a file"):
            load_pairs(path)

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

    def test_a_row_without_a_tab(self, tmp_path):
        path = write(tmp_path / "a.tsv", ["a\tb", "c"])
        with pytest.raises(ValueError, match="no tab in row 2"):
            load_pairs(path)


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
        lines = write(tmp_path / "a.de", ["x"])
        with pytest.raises(ValueError, match=r"Both files are .*a\.de: name one with the sources"):
            load_pairs((lines, lines))
        with pytest.raises(FileNotFoundError, match="There is no file"):
            load_pairs((path.replace("a.csv", "b.de"), path))
        with pytest.raises(ValueError, match="and 3 are named"):
            load_pairs({"train": [path, path, path]})
