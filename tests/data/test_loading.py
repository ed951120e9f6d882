from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, LargeList, List, Value, load_dataset

from hfattnlstm.data.loading import describe_labels, load_texts


TEXTS = ["good film", "bad film", "fine plot", "dull plot", "great cast", "poor cast"]
NAMES = ["pos", "neg"] * 3
NEG_POS = ClassLabel(names=["neg", "pos"])


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_csv(path: Path, rows: list[tuple], header: str = "text,label") -> Path:
    return write(path, "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def write_rows(path: Path, data: Dataset) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        data.to_parquet(path)
    elif path.suffix in (".csv", ".tsv"):
        data.to_csv(path, index=False, sep="," if path.suffix == ".csv" else "\t")
    else:
        write(path, json.dumps(list(data)) if "array" in path.name else "\n".join(map(json.dumps, data)))
    return path


def make(labels: list, feature: object = None, texts: list | None = None) -> Dataset:
    data = Dataset.from_dict({"text": texts or [f"text {row}" for row in range(len(labels))], "label": labels})
    return data if feature is None else data.cast_column("label", feature)


def together(splits: DatasetDict) -> dict[str, object]:
    """Text to label over train and validation: what the source said, whatever the split."""
    return {row["text"]: row["label"] for name in ("train", "validation") for row in splits[name]}


def names_of(splits: DatasetDict) -> list[str]:
    return describe_labels(splits["train"].features)[1]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "array.json", "a.parquet", "A.CSV"])
def test_every_kind_of_file_gives_the_same(tmp_path, name):
    path = write_rows(tmp_path / name.lower(), make(NAMES, texts=TEXTS)).rename(tmp_path / name)
    for source in (path, str(path), {"train": str(path)}):
        splits = load_texts(source, validation_size=2)
        assert splits["train"].features == splits["validation"].features
        assert splits["train"].features == Features({"text": Value("string"), "label": NEG_POS})
        assert splits.num_rows == {"train": 4, "validation": 2}
        assert together(splits) == {text: int(name == "pos") for text, name in zip(TEXTS, NAMES)}


@pytest.mark.parametrize("name", ["validation", "dev", "valid", "val"])
def test_mapping_of_files_keeps_the_splits(tmp_path, name):
    train = write_csv(tmp_path / "a.csv", zip(TEXTS, NAMES))
    validation = write_rows(tmp_path / "b.jsonl", make(["neg"], texts=["so so"]))
    test = write(tmp_path / "c.tsv", "text\tlabel\nwhat a film\tpos\n")
    splits = load_texts({"test": test, name: validation, "train": train})
    assert list(splits) == ["train", "validation", "test"]
    assert splits["train"]["text"][:] == TEXTS
    assert splits["validation"][:] == {"text": ["so so"], "label": [0]}
    assert splits["test"][:] == {"text": ["what a film"], "label": [1]}


def test_other_splits_are_left_out_and_test_is_never_the_validation():
    data = make([0, 1] * 10, NEG_POS)
    source = {"unsupervised": make([-1] * 4, NEG_POS), "test": make([1, 0], NEG_POS), "train": data}
    splits = load_texts(DatasetDict(source))
    assert splits.num_rows == {"train": 18, "validation": 2, "test": 2}
    assert splits["test"]["label"][:] == [1, 0]
    assert sorted(together(splits)) == sorted(data["text"])


@pytest.mark.parametrize("feature", [NEG_POS, Value("int64"), Value("float64")])
def test_a_test_split_of_minus_ones_is_left_out_unless_it_is_a_label(feature):
    splits = load_texts(DatasetDict({"train": make([0, 1] * 2, feature), "test": make([-1, -1], feature)}))
    assert set(splits) == {"train", "validation"}
    splits = load_texts(DatasetDict({"train": make([-1, 1] * 2), "test": make([-1])}))
    assert names_of(splits) == ["-1", "1"]
    assert splits["test"]["label"][:] == [0]


def test_a_column_that_needs_no_change_stays_in_the_cache(tmp_path):
    data = make([0, 1] * 5, NEG_POS).add_column("extra", list(range(10)))
    splits = load_texts(write_rows(tmp_path / "a.parquet", data))
    assert isinstance(splits["train"].data, datasets.table.MemoryMappedTable)
    assert splits["train"].column_names == ["text", "label"]


def test_formats_selections_and_large_strings():
    features = Features({"text": Value("large_string"), "label": Value("large_string")})
    data = make(["b", "a", "c", "a"]).cast(features).with_format("numpy").select([3, 1, 0])
    splits = load_texts({"train": data, "validation": data})
    assert splits["train"][:] == {"text": ["text 3", "text 1", "text 0"], "label": [0, 0, 1]}
    assert splits["train"].features["text"] == Value("string")


def write_readme(folder: Path, ending: str, with_features: bool) -> None:
    configs = [{"config_name": name, "data_files": f"{name}/*.{ending}"} for name in ("films", "books")]
    label = {"class_label": {"names": {"0": "good", "1": "bad"}}}
    features = [{"name": "text", "dtype": "string"}, {"name": "label", "dtype": label}]
    info = {"dataset_info": [{"config_name": "films", "features": features}]} if with_features else {}
    write(folder / "README.md", f"---\n{json.dumps({'configs': configs, **info})}\n---\n")


def test_a_folder_in_the_layout_of_the_hub(tmp_path):
    write_readme(tmp_path, "parquet", with_features=True)
    write_rows(tmp_path / "films" / "a.parquet", make([1, 0]))
    write_rows(tmp_path / "books" / "a.parquet", make([7, 8]))
    splits = load_texts(tmp_path, config_name="films", validation_size=1)
    assert together(splits) == {"text 0": 1, "text 1": 0}
    assert names_of(splits) == ["good", "bad"]
    with pytest.raises(ValueError, match=r"config_name=.*'plays' not found"):
        load_texts(tmp_path, config_name="plays")
    write_readme(tmp_path, "parquet", with_features=False)
    assert names_of(load_texts(tmp_path, config_name="books", validation_size=1)) == ["7", "8"]
    with pytest.raises(ValueError, match=r"config_name=.*'films', 'books'"):
        load_texts(tmp_path)


def test_csv_with_declared_features_or_shards_keeps_its_texts(tmp_path):
    write_readme(tmp_path, "csv", with_features=True)
    for name in ("films", "books"):
        write_csv(tmp_path / name / "a.csv", [("NA", 1), ("null", 0)])
    splits = load_texts(tmp_path, config_name="films", validation_size=1)
    assert together(splits) == {"NA": 1, "null": 0}
    assert names_of(splits) == ["good", "bad"]
    write_csv(tmp_path / "books" / "b.csv", [("None", 2), ("nan", 3)])
    splits = load_texts(tmp_path, config_name="books", validation_size=1)
    assert together(splits) == {"NA": 1, "null": 0, "None": 2, "nan": 3}


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_folder_with_data_files_only(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    write_rows(Path(f"csv/train.{ending}"), make(["1", "2", "x"], texts=["007", "10", "12"]))
    write_rows(Path(f"csv/test.{ending}"), make(["1", "2"], texts=["", "NA"]))
    splits = load_texts("csv", validation_size=1)  # which is also the name of a reader in datasets
    assert together(splits) == {"007": 0, "10": 1, "12": 2}
    assert splits["test"]["text"][:] == ["", "NA"]
    assert names_of(splits) == ["1", "2", "x"]


def test_a_rewritten_file_is_read_again(tmp_path):
    for labels in (["a", "b"], ["c", "d"]):
        write_rows(tmp_path / "train.parquet", make(labels))
        assert names_of(load_texts(tmp_path, validation_size=1)) == labels
        assert names_of(load_texts(tmp_path / "train.parquet", validation_size=1)) == labels


def test_a_data_set_of_the_hub(tmp_path):
    write_csv(tmp_path / "reviews" / "a.csv", zip(TEXTS, NAMES))
    load_dataset(str(tmp_path / "reviews"))
    cache = Path(datasets.config.HF_DATASETS_CACHE)
    (cache / "reviews").rename(cache / "someone___reviews")
    assert load_texts("someone/reviews").num_rows == {"train": 4, "validation": 2}


def test_sources_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No data set is found at 'someone/nothing'.*Hub"):
        load_texts("someone/nothing")
    for name in ("reviews.csv", "./reviews", "data/raw/reviews.parquet", "~/none/reviews.jsonl"):
        with pytest.raises(FileNotFoundError, match=r"There is no file .*reviews"):
            load_texts(name)
    with pytest.raises(FileNotFoundError, match=f"No data set is found at '{tmp_path}'"):
        load_texts(tmp_path)
    write(tmp_path / "train.parquet", b"PAR1 no more")
    with pytest.raises(ValueError, match=f"'{tmp_path}' cannot be loaded.*arquet"):
        load_texts(tmp_path)


def test_csv_texts_stay_as_they_are(tmp_path):
    texts = ["NA", "null", "None", "nan", "", "007", "1e5", " padded ", 'say "x"', "two\nlines", "a, b", "5.0"]
    splits = load_texts(write_rows(tmp_path / "a.csv", make(["NA", "None", "null"] * 4, texts=texts)))
    assert names_of(splits) == ["NA", "None", "null"]
    assert together(splits) == {text: number % 3 for number, text in enumerate(texts)}
    for column in ("headline", "body"):
        path = write_csv(tmp_path / "b.csv", [("012", "x"), ("12", "y")], header=f"{column},label")
        assert together(load_texts(path, text_column=column, validation_size=1)) == {"012": 0, "12": 1}


def test_csv_label_names(tmp_path):
    for labels, names in (
        (["0", "1", "0"], ["0", "1"]),
        (['"10"', "9", " 9"], ["9", "10"]),
        (["+1", "-1", "-1"], ["+1", "-1"]),
        (["007", "010", "7"], ["007", "010", "7"]),
        (["12345678901234567890", "1", "1"], ["1", "12345678901234567890"]),
        (["yes", "1", "1"], ["1", "yes"]),
    ):
        path = write_csv(tmp_path / "a.csv", [(f"t{row}", label) for row, label in enumerate(labels)])
        assert names_of(load_texts({"train": path, "validation": path})) == names


def test_byte_order_marks_blank_lines_and_dates(tmp_path):
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbf"text","label"\r\n"a\r\nb",x\r\n\r\nc,y\r\n')
    assert together(load_texts(path, validation_size=1)) == {"a\r\nb": 0, "c": 1}
    lines = b'\xef\xbb\xbf{"text": "2020-01-01", "label": 1}\n\n{"text": "2021-02-03", "label": 0}\n'
    splits = load_texts(write(tmp_path / "a.jsonl", lines), validation_size=1)
    assert together(splits) == {"2020-01-01": 1, "2021-02-03": 0}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "text,label", "a.csv has no rows"),
        ("a.csv", "text,label\nHello, you,1\nHello, me,0\n", r"Row 1 of .*a.csv \(line 2\) has 3 columns, not 2: put"),
        ("a.csv", "text,label\na,1\nb\n", r"Row 2 of .* \(line 3\) has 1 columns, not 2"),
        ("a.tsv", 'text\tlabel\nb\t2\n"two\nlines"\t1\n', r"Row 2 of .* \(line 3\) .*in a tsv a text has no tab"),
        ("a.csv", "text,label,text\na,1,b\n", "header of the file .*a.csv names a column twice"),
        ("a.csv", "text,label\na,1\n\xe9,1\n".encode("latin-1"), "not UTF-8 text in line 3"),
        ("a.csv", b"PAR1\x15\x04\x95 binary", "not UTF-8"),
        ("a.jsonl", '{"text": "a", "label": 1}\n\n{"text": "b",}\n', "a.jsonl does not hold one JSON object.*line 3"),
        ("a.jsonl", '{"text": "a"}\n["b"]\n', "line 2"),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n{"text": "b", "label": "x"}',
            "column 'label' .* holds a number in row 1, but text in row 2",
        ),
        ("a.json", '[{"text": "a"},\n{"text": b}]', "a.json is not JSON: line 2"),
        ("a.parquet", "text,label\na,1\n", "a.parquet is not a whole parquet file"),
        ("a.csv.gz", "a", "a.csv.gz is no whole .gz file"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_texts(write(tmp_path / name, content))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        ("Review Sentiment", "Review", "Sentiment"),
        ("id# headline stars#", "headline", "stars"),
        ("text content label# topic", "text", "label"),
        ("text coarse_label# fine_label#", "text", "coarse_label"),
        ("label title question", "question", "label"),
        ("text# words class#", "words", "class"),
    ],
)
def test_columns_are_found(columns, text, label):
    rows = {c.strip("#"): [row if "#" in c else f"{c} {row}" for row in range(4)] for c in columns.split()}
    splits = load_texts(Dataset.from_dict(rows))
    assert splits["train"].column_names == ["text", "label"]
    assert sorted(together(splits)) == rows[text]
    assert names_of(splits) == [str(value) for value in rows[label]]


def test_columns_are_named():
    data = Dataset.from_dict({"text": ["x", "y"], "label": ["long x", "long y"], "other": ["p", "q"]})
    swapped = load_texts(data, text_column="label", label_column="text", validation_size=1)
    assert together(swapped) == {"long x": 0, "long y": 1}
    assert names_of(swapped) == ["x", "y"]
    assert names_of(load_texts(data, label_column="other", validation_size=1)) == ["p", "q"]
    assert set(together(load_texts(data, text_column="other", validation_size=1))) == {"p", "q"}
    with pytest.raises(ValueError, match=r"split 'test' has no column 'other'; it has 'text', 'label': name it"):
        load_texts({"train": data, "test": make(["x"])}, label_column="other")


@pytest.mark.parametrize(
    ("columns", "arguments", "message"),
    [
        ("body stars", {"text_column": "text"}, "no column 'text'; it has 'body', 'stars': name it with text_column="),
        ("body stars", {"label_column": "a"}, "no column 'a'; it has 'body', 'stars': name it with label_column="),
        ("question sentence label", {}, "more than one column .* the texts.*'question', 'sentence', .*text_column="),
        ("title abstract label", {}, "more than one column .* the texts.*'title', 'abstract', .*text_column="),
        ("text topic category", {}, "more than one column that could hold the labels.*label_column="),
        ("text number", {}, "no column that is known to hold the labels; it has 'text', 'number'"),
        ("text label", {"text_column": "label", "label_column": "label"}, "both 'label'"),
    ],
)
def test_columns_that_are_not_found(tmp_path, columns, arguments, message):
    data = Dataset.from_dict({name: ["a", "b"] for name in columns.split()})
    for source in (data, write_rows(tmp_path / "a.csv", data)):
        with pytest.raises(ValueError, match=message):
            load_texts(source, **arguments)


def test_texts_must_be_texts():
    with pytest.raises(ValueError, match=r"column 'tokens' .* holds List.*, no texts"):
        load_texts(Dataset.from_dict({"tokens": [["a"]], "label": [1]}), text_column="tokens")
    with pytest.raises(ValueError, match="column 'text' of the split 'train' holds empty texts only"):
        load_texts(make(["a", "b", "a"], texts=["", " ", "\n\t"]))
    assert load_texts(make(["a", "b", "a"], texts=["", " ", "x"])).num_rows == {"train": 2, "validation": 1}


def test_missing_values_name_row_column_and_file(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"body": "a", "stars": 1}\n{"body": null, "stars": 1}')
    with pytest.raises(ValueError, match=r"column 'body' of the file .*a.jsonl has no text in row 2"):
        load_texts(path)
    path = write(tmp_path / "a.jsonl", '{"body": "a", "stars": 1}\n{"body": "b", "stars": 1}\n{"body": "c"}')
    with pytest.raises(ValueError, match=r"column 'stars' of the file .*a.jsonl has no label in row 3"):
        load_texts(path)


@pytest.mark.parametrize("labels", [["a", "", "b"], ["1", "NA", "0"], ["2", "nan", "0.5"], ["1", " ", "0"]])
def test_missing_labels(tmp_path, labels):
    path = write_csv(tmp_path / "a.csv", [("text", label) for label in labels])
    with pytest.raises(ValueError, match=r"a.csv has no label in row 2"):
        load_texts(path)
    for others in ([1.5, float("nan")], [["a"], None], [["a"], ["b", None]], ["a", None], [1, None]):
        with pytest.raises(ValueError, match="split 'train' has no label in row 2"):
            load_texts(make(others))


def test_label_names_are_the_sorted_values_of_the_training_split():
    assert names_of(load_texts(make(["b", "a", "c", "b"]))) == ["a", "b", "c"]
    assert names_of(load_texts(make([10, 9, 100, 9]))) == ["9", "10", "100"]
    assert names_of(load_texts(make(["10", "9", "100", "9"]))) == ["9", "10", "100"]
    assert names_of(load_texts(make([True, False, True]))) == ["false", "true"]
    splits = load_texts(make([10.0, 9.0, 9.0]), problem_type="single_label_classification")
    assert names_of(splits) == ["9", "10"]


@pytest.mark.parametrize("labels", [[["b", "a"], [], ["a"]], [[10, 9], [], [9]]])
@pytest.mark.parametrize("kind", [List, LargeList])
def test_lists_are_multi_label(labels, kind):
    data = make(labels)
    data = data.cast_column("label", kind(data.features["label"].feature))
    splits = load_texts({"train": data, "validation": data})
    assert splits["train"]["label"][:] == splits["validation"]["label"][:] == [[1, 0], [], [0]]
    assert splits["train"].features["label"] == List(ClassLabel(names=[str(labels[2][0]), str(labels[0][0])]))
    assert describe_labels(splits["train"].features)[0] == "multi_label_classification"


def test_lists_of_a_class_label_and_vectors_of_0_and_1():
    feature = List(ClassLabel(names=["z", "a", "unused"]))
    assert load_texts(make([[0, 1], [1], []] * 4, feature))["train"].features["label"] == feature
    assert names_of(load_texts(make([[0, 1], [1], [0]]))) == ["0", "1"]
    with pytest.raises(ValueError, match="neither vectors of one length nor lists of different labels"):
        load_texts(make([[0, 1, 0], [1, 0]]))


def test_regression(tmp_path):
    path = write_csv(tmp_path / "a.csv", [("a", "3.5"), ("b", "-1e-2"), ("c", "2")], header="headline,comment")
    splits = load_texts(path, label_column="comment", validation_size=1)
    assert describe_labels(splits["train"].features) == ("regression", [])
    assert together(splits) == pytest.approx({"a": 3.5, "b": -0.01, "c": 2.0})
    assert load_texts(make([1.5, 2.0, 3.0, 1.0]))["train"].features["label"] == Value("float32")
    for feature in (Value("int64"), ClassLabel(names=["0 stars", "1 star", "2 stars"])):
        splits = load_texts(make([2, 1, 0], feature), problem_type="regression")
        assert splits["train"].features["label"] == splits["validation"].features["label"] == Value("float32")
        assert together(splits) == {"text 0": 2.0, "text 1": 1.0, "text 2": 0.0}


@pytest.mark.parametrize(
    ("labels", "problem_type", "message"),
    [
        (["a", "b"], "regression", "holds Value.'string'., which does not suit problem_type='regression'"),
        (["a", "b"], "multi_label_classification", "does not suit problem_type='multi_label"),
        ([["a"], ["b"]], "single_label_classification", "it can be 'multi_label_classification'"),
        ([1.5, float("inf")], None, "holds inf in row 2"),
        ([[0.5], [0.1]], None, "holds lists of Value.'float64'., no labels"),
        ([{"a": 1}, {"a": 2}], None, "no labels"),
        ([[], []], None, "no labels"),
        (["a", "a"], None, "too few different labels, .'a'."),
        (["a", "b"], "classification", "problem_type='classification' is none of"),
    ],
)
def test_labels_that_do_not_suit(labels, problem_type, message):
    with pytest.raises(ValueError, match=message):
        load_texts(make(labels), problem_type=problem_type)


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("labels", [["a", "b", "new"], [0, 1, 2], [["a"], ["b"], ["a", "new"]]])
def test_a_label_outside_the_training_split(split, labels):
    source = {"train": make(labels[:2]), split: make(labels[1:])}
    with pytest.raises(ValueError, match=rf"label '(new|2)' in row 2 .*split '{split}'.* none of the labels"):
        load_texts(source)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_minus_one_in_a_class_label_is_no_label(split):
    source = {name: make([0, -1 if name == split else 1, 1], NEG_POS) for name in ("train", "validation")}
    with pytest.raises(ValueError, match=rf"label '-1' in row 2 .*split '{split}'.*'no label' on the Hub"):
        load_texts(source)
    with pytest.raises(ValueError, match="holds -1 in row 2"):
        load_texts(source, problem_type="regression")
    source[split] = make([[0], [1, -1]], List(NEG_POS))
    with pytest.raises(ValueError, match="label '-1' in row 2"):
        load_texts({"train": make([[0], [1]], List(NEG_POS)), split: source[split]})


def test_splits_whose_classes_come_in_another_order_are_aligned():
    other = make([0, 1], ClassLabel(names=["pos", "neg"]))
    splits = load_texts({"train": make([0, 1], NEG_POS), "validation": other, "test": make(["pos", "neg"])})
    assert splits["validation"]["label"][:] == splits["test"]["label"][:] == [1, 0]
    assert splits["train"].features == splits["validation"].features == splits["test"].features


def test_label_names_by_argument():
    for data, names, codes in (
        (make(["b", "a", "b"]), ["b", "a", "unseen"], [0, 1, 0]),
        (make([1, 0, 1]), ["neg", "pos"], [1, 0, 1]),
        (make([0, 2, 2]), ["bad", "so-so", "good"], [0, 2, 2]),
        (make([3, 1, 3]), ["one", "three"], [1, 0, 1]),
        (make([1, 0, 1], NEG_POS), ["bad", "good"], [1, 0, 1]),
        (make([1, 0, 1], NEG_POS), ["pos", "neg"], [0, 1, 0]),
    ):
        splits = load_texts({"train": data, "validation": data}, label_names=names)
        assert names_of(splits) == names
        assert splits["train"]["label"][:] == splits["validation"]["label"][:] == codes


@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        (["neg", "pos"], {"label_names": ["neg", "psitive"]}, "label_names 'neg', 'psitive' do not fit"),
        ([1, 2, 3], {"label_names": ["a", "b"]}, "do not fit the column 'label'.*'1', '2', '3'"),
        (["a", "b"], {"label_names": ["a", "a"]}, "all be different"),
        (["a", "b"], {"label_names": "ab"}, "label_names must be a list of strings"),
        ([1.5, 2.5], {"label_names": ["a"]}, "regression, which has no label_names"),
        (["a", "b"], {"config_name": "x"}, "config_name='x'"),
        (["a", "b"], {"validation_size": 0}, "validation_size=0 must lie between 0 and 1"),
        (["a", "b"], {"validation_size": 2}, "leaves none of the 2 training rows"),
    ],
)
def test_arguments_that_do_not_fit(labels, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        load_texts(make(labels), **arguments)


def test_sources_that_do_not_fit(tmp_path):
    for source, message in ((7, "Dataset, not int"), ({"train": ["a.csv"]}, "split 'train' .*, not list")):
        with pytest.raises(TypeError, match=message):
            load_texts(source)
    data = make(["a", "b"])
    with pytest.raises(ValueError, match="split 'trian' is none of 'train'"):
        load_texts({"trian": data})
    with pytest.raises(ValueError, match="no split 'train', only 'test'"):
        load_texts({"test": data})
    with pytest.raises(ValueError, match="split 'validation' has no rows"):
        load_texts({"train": data, "validation": data.select([])})
    with pytest.raises(ValueError, match=r"a.parquet has no rows"):
        load_texts(write_rows(tmp_path / "a.parquet", data.select([])))
    with pytest.raises(ValueError, match=r"More than one of the splits .* is for validation"):
        load_texts({"train": data, "dev": data, "validation": data})


def test_describe_labels_of_other_features():
    with pytest.raises(ValueError, match=r"column 'label' must hold .*, not Value.'string'"):
        describe_labels(Features({"text": Value("string"), "label": Value("string")}))
    with pytest.raises(ValueError, match="not nothing"):
        describe_labels(Features({"text": Value("string")}))
    assert describe_labels(Features({"label": ClassLabel(names=["z", "a"])}))[1] == ["z", "a"]


def test_validation_is_stratified_seeded_and_disjoint():
    data = make(["a"] * 60 + ["b"] * 30 + ["c"] * 10)
    splits = load_texts(data, validation_size=0.2)
    assert splits.num_rows == {"train": 80, "validation": 20}
    np.testing.assert_allclose(np.bincount(splits["validation"]["label"][:]), [12, 6, 2], atol=1)
    assert sorted(together(splits)) == sorted(data["text"])
    again, other = load_texts(data, validation_size=0.2), load_texts(data, validation_size=0.2, seed=1)
    assert again["validation"]["text"][:] == splits["validation"]["text"][:] != other["validation"]["text"][:]
    assert load_texts(data, validation_size=7).num_rows == {"train": 93, "validation": 7}


@pytest.mark.parametrize("labels", [[[0], [2]] * 50, [0.5, 1.5] * 50])
def test_the_other_problem_types_have_a_random_validation_split(labels):
    first, second = (load_texts(make(labels), seed=seed) for seed in (1, 2))
    assert first.num_rows == {"train": 90, "validation": 10}
    assert sorted(together(first)) == sorted(together(second)) == sorted(f"text {row}" for row in range(100))
    assert first["validation"]["text"][:] != second["validation"]["text"][:]
