"""Series from files and folders: what spreadsheets, R and pandas write, M4's csv, and the form of GluonTS."""

from __future__ import annotations

import bz2
import datetime
import gzip
import json
import logging
import lzma
import re
import zipfile
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.series import Panel, SeriesColumns
from hfattnlstm.data.series_files import load_series, name_of, read_table
from hfattnlstm.data.series_tables import panel_of_frame
from hfattnlstm.data.series_times import later_times


LONG = "unique_id,ds,y\n" + "".join(f"{name},2024-01-0{day},{day}\n" for name in "Ab" for day in range(1, 5))
ROWS = [{"unique_id": name, "ds": f"2024-01-0{day}", "y": day} for name in "Ab" for day in range(1, 5)]
LINES = "\n".join(map(json.dumps, ROWS))
M4 = """"V1","V2","V3","V4","V5","V6"
"H1","605","586","586.5","559",""
"H2","3124","2990","","",""
"H3","1","","3","4","5"
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def values_of(panel: Panel, name: str = "") -> list:
    return [[None if np.isnan(value) else value for value in row] for row in panel[name].values.tolist()]


def assert_long(panel: Panel) -> None:
    assert [each.name for each in panel] == ["A", "b"]
    assert panel.frequency == "D"
    for each in panel:
        assert each.start == np.datetime64("2024-01-01")
        assert each.values.tolist() == [[1], [2], [3], [4]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ", "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_marks(write, separator: str, end: str, mark: str) -> None:
    for name in ("a.csv", "A.CSV", "a.txt", "a.tsv"):
        assert_long(load_series(write(name, mark + LONG.replace(",", separator).replace("\n", end))))


@pytest.mark.parametrize("ending, compress", [(".gz", gzip.compress), (".BZ2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files(write, ending: str, compress) -> None:
    for name, content in (("a.csv", LONG), ("a.jsonl", LINES)):
        path = write(name + ending, compress(content.encode()))
        assert_long(load_series(path))
        path.write_bytes(path.read_bytes()[:-12])
        with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} cannot be read, check that it is whole: "):
            load_series(path)
        with pytest.raises(ValueError, match="cannot be read, check that it is whole"):
            load_series(write(name + ending, content))


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_json_lines(write, name: str) -> None:
    assert_long(load_series(write(name, LINES)))
    assert_long(load_series(str(write(name, LINES.replace("2024-01-0", "2024010") + "\n\n"))))
    panel = load_series(write(name, LINES.replace('"y": 2', '"y": null')))
    assert values_of(panel, "A") == [[1], [None], [3], [4]]


def test_json_lines_with_a_mark(write) -> None:
    assert_long(load_series(write("a.jsonl", "\ufeff" + LINES)))


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_in_a_json_file_is_read_or_refused_in_a_sentence(write, indent: int | None) -> None:
    path = write("a.json", json.dumps(ROWS, indent=indent))
    try:
        panel = load_series(path)
    except ValueError as error:
        assert re.match(rf"{re.escape(str(path))} .*line", str(error))
    else:
        assert_long(panel)


def test_times_that_pandas_writes_as_json_are_no_whole_numbers(write) -> None:
    hours = pd.date_range("2024-01-01", periods=3, freq="h").as_unit("ms")
    lines = "\n".join(json.dumps({"ds": time, "y": 1}) for time in hours.asi8.tolist())
    try:
        panel = load_series(write("a.jsonl", lines))
    except ValueError as error:
        assert "'ds'" in str(error)
    else:
        assert (panel.frequency, len(panel.series[0])) == ("h", 3)


def test_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS).assign(ds=lambda rows: pd.to_datetime(rows["ds"]))
    frame.to_parquet(tmp_path / "a.parquet")
    assert_long(load_series(tmp_path / "a.parquet"))
    frame.set_index("ds").to_parquet(tmp_path / "b.parquet")
    assert_long(load_series(tmp_path / "b.parquet"))
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert_long(load_series(tmp_path / "a.parquet.gz"))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz"])
@pytest.mark.parametrize("content", ["", "\ufeff", "{", "\n\n"])
def test_files_that_are_empty_or_none(write, name: str, content: str) -> None:
    path = write(name, content)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} (cannot be read, check that|has no )"):
        load_series(path)


def test_a_header_alone_has_no_rows(write) -> None:
    with pytest.raises(ValueError, match=r"a\.csv has no rows\.$"):
        load_series(write("a.csv", "unique_id,ds,y\n"))


def test_what_windows_writes_is_told(write, caplog: pytest.LogCaptureFixture) -> None:
    panel = load_series(write("a.csv", LONG.replace("A", "é").encode("latin-1")))
    assert panel.series[0].name == "é" and "is not UTF-8 text: it is read as cp1252" in caplog.text


def test_other_encodings_are_refused(write) -> None:
    path = write("a.csv", LONG.replace("A", "é").encode("utf-16"))
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} is not UTF-8 text: save it as UTF-8\.$"):
        load_series(path)


def test_a_row_with_too_many_cells_names_its_line(write) -> None:
    with pytest.raises(ValueError, match=r"a\.csv cannot be read, .*line 3"):
        load_series(write("a.csv", "ds,y\n2024-01-01,1\n2024-01-02,2,3\n2024-01-03,3\n"))


@pytest.mark.parametrize("header", ["ds,a,b", "ds,a,b,"])
def test_a_separator_at_the_end_of_each_row_moves_no_column(write, header: str) -> None:
    path = write("a.csv", f"{header}\n2024-01-01,1,5,\n2024-01-02,2,6,\n2024-01-03,3,7,\n")
    panel = load_series(path)
    assert (panel.channels, panel.frequency) == (("a", "b"), "D")
    assert values_of(panel) == [[1, 5], [2, 6], [3, 7]]


def test_numbers_of_rows_that_pandas_writes_are_no_channel(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3, freq="D"), "a": 1.0, "b": 2.0})
    frame.to_csv(tmp_path / "a.csv")
    assert load_series(tmp_path / "a.csv").channels == ("a", "b")


def test_times_in_an_index_without_a_name_come_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3]}, index=pd.date_range("2024-01-01", periods=3, freq="D"))
    frame.to_csv(tmp_path / "a.csv")
    try:
        panel = load_series(tmp_path / "a.csv")
    except ValueError as error:
        assert "time_column=" in str(error)
    else:
        assert (panel.frequency, values_of(panel)) == ("D", [[1], [2], [3]])


def test_a_column_that_is_there_twice_is_refused(write) -> None:
    with pytest.raises(ValueError, match=r"a\.csv has the column 'y' twice: rename one of them"):
        load_series(write("a.csv", "ds,y,y\n2024-01-01,1,5\n2024-01-02,2,6\n"))


@pytest.mark.parametrize("name", ["NA", "null"])
def test_words_for_nothing_are_names_of_series(write, name: str) -> None:
    assert [each.name for each in load_series(write("a.csv", LONG.replace("b,", f"{name},")))] == ["A", name]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_zeros_in_front_of_a_name_stay(write, kind: str) -> None:
    content = {"csv": LONG.replace("A,", "007,").replace("b,", "7,"), "jsonl": LINES.replace("A", "007")}[kind]
    panel = load_series(write(f"a.{kind}", content.replace('"b"', '"7"')))
    assert [each.name for each in panel] == ["007", "7"]


def test_decimal_commas_name_row_and_column_or_are_read(write) -> None:
    path = write("a.csv", '"";"MT_001";"MT_002"\n"2011-01-01 00:15:00";0;1,5\n"2011-01-01 00:30:00";2,5;1\n')
    named = SeriesColumns(time="Unnamed: 0")
    try:
        panel = load_series(path, named)
    except ValueError as error:
        assert str(error).startswith(f"Row 2 of {path} has '2,5' in the column 'MT_001', which is no number: ")
    else:
        assert values_of(panel) == [[0, 1.5], [2.5, 1]]


def test_a_wrong_cell_names_file_row_and_column(write) -> None:
    path = write("a.csv", LONG.replace(",3\n", ",?\n"))
    with pytest.raises(ValueError, match=rf"^Row 3 of {re.escape(str(path))} has '\?' in the column 'y', which is no"):
        load_series(path)
    path = write("a.csv", LONG.replace("2024-01-03", "soon"))
    with pytest.raises(ValueError, match=rf"^Row 3 of {re.escape(str(path))} has 'soon' in the column 'ds'"):
        load_series(path)


def test_the_csv_of_m4(write, caplog: pytest.LogCaptureFixture) -> None:
    panel = load_series(write("Hourly-train.csv", M4))
    assert (panel.frequency, panel.channels, len(panel)) == (None, ("y",), 3)
    assert values_of(panel, "H1") == [[605], [586], [586.5], [559]]
    assert values_of(panel, "H2") == [[3124], [2990]]
    assert values_of(panel, "H3") == [[1], [None], [3], [4], [5]]
    assert not caplog.messages
    # Columns after the end of the longest series, and a beginning that is missing.
    panel = load_series(write("m.csv", re.sub("$", ',""', M4.strip(), flags=re.M).replace('"605"', '""')))
    assert values_of(panel, "H1") == [[None], [586], [586.5], [559]]


def test_a_folder(write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write("power/train.csv", LONG).parent
    write("power/test.csv", LONG.replace("2024", "2025"))
    for source in (folder, str(folder)):
        assert_long(load_series(source))
    assert load_series(folder, split="test").series[0].start == np.datetime64("2025-01-01")
    monkeypatch.chdir(folder.parent)
    assert_long(load_series("power"))
    with pytest.raises(ValueError, match=r"^'power' cannot be loaded, check the name and the split: .*validation"):
        load_series("power", split="validation")
    write("power/train.csv", LONG.replace("A", "é").encode("latin-1"))
    write("power/test.csv", b"\xff")
    with pytest.raises(ValueError, match=r"^'power' cannot be loaded, check"):
        load_series("power")


@pytest.mark.parametrize("name", ["~/power/train.csv", "~/power"])
def test_a_file_and_a_folder_at_home(write, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HOME", str(write("power/train.csv", LONG).parent.parent))
    assert_long(load_series(name))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^There is no file .*a\.csv\.gz: check its name\.$"):
        load_series(tmp_path / "a.csv.gz")
    for name in ("nothing", "nobody/nothing", str(tmp_path)):
        with pytest.raises(
            FileNotFoundError, match=rf"^No data set is found at '{name}', neither here nor on the Hub"
        ):
            load_series(name)


@pytest.mark.parametrize("name", ["a.csv.zip", "a.xlsx", "a.csv.7z"])
def test_a_file_of_another_kind_is_not_looked_for_on_the_hub(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("a.csv", LONG)
    with pytest.raises(ValueError, match=rf"{re.escape(name)}.*\.csv.*\.parquet"):
        load_series(tmp_path / name)


def test_tables_and_panels_are_taken_as_they_are() -> None:
    frame = pd.DataFrame(ROWS)
    panel = load_series(frame)
    assert_long(panel)
    assert panel.origin == name_of(frame) == "the table"
    assert load_series(panel) is panel
    assert read_table(frame) is frame
    assert name_of(Path("a.csv")) == "a.csv"
    with pytest.raises(KeyError):
        panel["nobody"]


def entry(**columns: object) -> dict:
    return {"start": "2024-01-01", "target": [1.0, 2.0, 3.0], **columns}


def gluonts(rows: list[dict], folder: Path, kind: str, frequency: str | None = "D") -> Panel:
    if kind == "frame":
        return panel_of_frame(pd.DataFrame(rows), frequency=frequency)
    path = folder / f"a.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        pd.DataFrame(rows).to_parquet(path)
    return load_series(path, frequency=frequency)


KINDS = pytest.mark.parametrize("kind", ["frame", "jsonl", "parquet"])


@KINDS
def test_a_start_and_a_target_a_row(tmp_path: Path, kind: str) -> None:
    rows = [entry(item_id="A"), entry(item_id="B", start="2024-02-01", target=[None, 5.0, None, 7.0])]
    panel = gluonts(rows, tmp_path, kind)
    assert panel.columns == SeriesColumns("item_id", "start", ("target",))
    assert (panel.frequency, panel["B"].start) == ("D", np.datetime64("2024-02-01"))
    assert values_of(panel, "A") == [[1], [2], [3]]
    assert values_of(panel, "B") == [[None], [5], [None], [7]]
    assert [each.name for each in gluonts([entry(), entry()], tmp_path, kind)] == ["T1", "T2"]


@KINDS
def test_a_list_a_channel_with_all_that_is_known(tmp_path: Path, kind: str) -> None:
    known = {
        "feat_dynamic_real": [[1.0, 2, 3, 4], [5.0, 6, 7, 8]],
        "feat_static_cat": [0, 3],
        "feat_static_real": [0.5],
    }
    panel = gluonts([entry(target=[[1.0, 2, 3], [4.0, None, 6]], **known)], tmp_path, kind)
    series = panel.series[0]
    assert panel.channels == ("target_0", "target_1")
    assert values_of(panel, "T1") == [[1, 4], [2, None], [3, 6]]
    assert series.features.tolist() == [[1, 5], [2, 6], [3, 7], [4, 8]]
    assert (series.static_categories, series.static_real.tolist()) == (("0", "3"), [0.5])
    assert panel.columns.features == ("known_0", "known_1")
    assert (panel.columns.static_real, panel.columns.static_categories) == (
        ("static_0",),
        ("category_0", "category_1"),
    )


def test_the_frequency_is_named_or_stands_beside_the_target(tmp_path: Path) -> None:
    sentence = r"^The table has `start` and `target`, but no frequency: name it by "
    with pytest.raises(ValueError, match=sentence + r"frequency='h'\.$"):
        panel_of_frame(pd.DataFrame([entry()]))
    with pytest.raises(ValueError, match=sentence + r"--frequency h\.$"), flags_in_sentences():
        panel_of_frame(pd.DataFrame([entry()]))
    assert gluonts([entry(freq="h"), entry(freq="h")], tmp_path, "jsonl", None).frequency == "h"
    with pytest.raises(ValueError, match="is no frequency"):
        gluonts([entry(freq="hourly")], tmp_path, "jsonl", None)
    with pytest.raises(ValueError, match=r"'h'.*'D'|'D'.*'h'"):
        gluonts([entry(freq="h"), entry(freq="D")], tmp_path, "jsonl", None)


STARTS = [pd.Timestamp("2024-01-01"), pd.Period("2024-01-01", "D"), datetime.date(2024, 1, 1), 20240101, "20240101"]


@pytest.mark.parametrize("start", STARTS)
def test_starts_of_every_kind(start: object) -> None:
    panel = panel_of_frame(pd.DataFrame([entry(start=start)]), frequency="D")
    assert panel.series[0].start == np.datetime64("2024-01-01")


@pytest.mark.parametrize("start", [1990, "1990", 5.0])
def test_a_start_without_a_date_is_a_year_or_is_refused(start: object) -> None:
    try:
        panel = panel_of_frame(pd.DataFrame([entry(start=start)]), frequency="YS")
    except ValueError as error:
        assert "'start'" in str(error)
    else:
        assert panel.series[0].start == np.datetime64("1990-01-01")


@pytest.mark.parametrize(
    "frequency, first",
    [("MS", "2024-01-01"), ("QS", "2024-01-01"), ("YS", "2024-01-01"), ("ME", "2024-01-31"), ("W", "2024-01-21")],
)
def test_a_start_within_a_step_is_that_of_the_step(frequency: str, first: str) -> None:
    """As in GluonTS, whose starts are periods; or it is refused."""
    try:
        panel = panel_of_frame(pd.DataFrame([entry(start="2024-01-17")]), frequency=frequency)
    except ValueError as error:
        assert "between the steps" in str(error)
    else:
        assert later_times(panel.series[0].start, frequency, [0])[0] == np.datetime64(first)


@KINDS
def test_targets_that_are_no_numbers(tmp_path: Path, kind: str) -> None:
    for target in (["a", "b"], [[1.0, 2.0], [3.0]]):
        with pytest.raises(ValueError, match=r"^The target of the series 'B' in .* is no list of numbers: mend it\.$"):
            gluonts([entry(item_id="A", target=target), entry(item_id="B", target=target)][::-1], tmp_path, kind)
    with pytest.raises(ValueError, match=r"^Row 2 of .* has nothing in the column 'start'"):
        gluonts([entry(), entry(start=None)], tmp_path, kind)
    with pytest.raises(ValueError, match=r"has two series called 'A': give each a name of its own\.$"):
        gluonts([entry(item_id="A"), entry(item_id="A")], tmp_path, kind)


WRONG = {
    "infinite": [entry(), entry(target=[1.0, float("inf"), 2.0])],
    "no target first": [entry(target=None), entry()],
    "no target": [entry(), entry(target=None)],
    "no name": [entry(item_id="A"), entry(item_id=None)],
    "channels that differ": [entry(target=[[1.0], [2.0]]), entry(target=[[1.0]])],
    "covariates too short": [entry(feat_dynamic_real=[[1.0, 2.0]])],
    "covariates of two lengths": [entry(feat_dynamic_real=[[1.0, 2.0, 3.0], [1.0, 2.0]])],
    "covariates with gaps": [entry(feat_dynamic_real=[[1.0, None, 3.0]])],
    "covariates of some": [entry(feat_dynamic_real=[[1.0, 2.0, 3.0]]), entry()],
    "covariates of another number": [entry(feat_dynamic_real=[[1.0, 2.0, 3.0]] * n) for n in (1, 2)],
    "covariates in no list": [entry(feat_dynamic_real=[1.0, 2.0, 3.0])],
    "no covariates": [entry(feat_dynamic_real=[])],
    "categories of some": [entry(feat_static_cat=[1]), entry()],
    "more categories": [entry(feat_static_cat=[1]), entry(feat_static_cat=[1, 2])],
    "a category in no list": [entry(feat_static_cat=3)],
    "numbers of some": [entry(feat_static_real=[1.0]), entry()],
    "more numbers": [entry(feat_static_real=[1.0]), entry(feat_static_real=[1.0, 2.0])],
    "a number that is missing": [entry(feat_static_real=[None])],
}


# What is missing is None in parquet, and NaN elsewhere.
@pytest.mark.parametrize("kind", ["frame", "parquet"])
@pytest.mark.parametrize("wrong", WRONG)
def test_rows_that_do_not_fit_together_name_the_series(tmp_path: Path, wrong: str, kind: str) -> None:
    with pytest.raises(ValueError, match=r"'T\d'|Row \d") as caught:
        gluonts(WRONG[wrong], tmp_path, kind)
    assert re.search(r"[Tt]he (series|table|target)|a\.(jsonl|parquet)", str(caught.value))


@pytest.mark.parametrize("target", [[], [None, None]])
def test_a_target_without_values_is_left_out_and_told(target: list, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    panel = panel_of_frame(pd.DataFrame([entry(target=target), entry()]), frequency="D")
    assert [each.name for each in panel] == ["T2"]
    assert caplog.messages == ["The series 'T1' of the table has no values: it is left out."]
    with pytest.raises(ValueError, match=r"^The table has no values"):
        panel_of_frame(pd.DataFrame([entry(target=target)]), frequency="D")


def test_missing_values_at_the_end_go_as_in_a_long_table() -> None:
    known = [[1.0, 2.0, 3.0, 4.0]]
    rows = [entry(target=[None, 2.0, None, None], feat_dynamic_real=known)]
    series = panel_of_frame(pd.DataFrame(rows), frequency="D").series[0]
    assert (len(series), len(series.features)) == (2, 4)


@pytest.mark.parametrize(
    "rows",
    [
        [entry(item_id="A")],
        [entry()],
        [entry(target=[[1.0, 2, 3], [4.0, 5, 6]])],
        [entry(feat_dynamic_real=[[1.0, 2, 3]], feat_static_cat=[0], feat_static_real=[0.5])],
    ],
)
def test_the_columns_that_were_found_are_read_again(rows: list[dict]) -> None:
    frame = pd.DataFrame(rows)
    panel = panel_of_frame(frame, frequency="D")
    again = panel_of_frame(frame, panel.columns, panel.frequency)
    assert again.columns == panel.columns
    np.testing.assert_array_equal(again.series[0].values, panel.series[0].values)


def test_a_folder_in_the_form_of_gluonts(write) -> None:
    folder = write("m/train.jsonl", "\n".join(map(json.dumps, [entry(item_id="A"), entry(item_id="B")]))).parent
    panel = load_series(folder, frequency="D")
    assert [each.name for each in panel] == ["A", "B"]
    assert values_of(panel, "B") == [[1], [2], [3]]


@pytest.mark.parametrize("source", [[1.0, 2.0], np.arange(3.0), {"y": [1.0]}], ids=["list", "array", "mapping"])
def test_numbers_without_a_table_are_told_how_to_make_one(source: object) -> None:
    with pytest.raises(TypeError, match=r"make a table of it, as by pandas\.DataFrame\(\{'y': values\}\)\.$"):
        load_series(source)


def test_columns_of_series_that_were_read_are_their_own() -> None:
    frame = pd.DataFrame(ROWS).assign(price=1.0, size=2.0)
    columns = SeriesColumns(targets=("y",), features=("price",), static_categories=("size",))
    panel = load_series(frame, columns)
    assert load_series(panel, columns) is panel
    for name, other in (("targets", ("price",)), ("features", ("size",)), ("id", "price"), ("time", "y")):
        with pytest.raises(ValueError, match=r"is for a table, and these series were read without that: name the col"):
            load_series(panel, SeriesColumns(**{name: other}))
