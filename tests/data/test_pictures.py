"""Texts with pictures, from tables, files and features; how they are held out, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict, Image, concatenate_datasets

from data.image_text_helpers import COLOURS, colour_rows, feature_rows, picture, picture_files
from hfattnlstm.data.pictures import load_image_texts
from hfattnlstm.data.splitting import split_groups


pytest.importorskip("PIL")


def test_pictures_groups_and_kinds_of_a_data_set() -> None:
    loaded, further = load_image_texts(colour_rows(40), kind_column="kind")
    assert not further and loaded.held_out
    assert loaded.splits["train"].column_names == ["text", "label", "image", "group", "kind"]
    assert loaded.splits.num_rows == {"train": 36, "validation": 4}
    # The four that belong together are on one side.
    assert len(set(loaded.splits["validation"]["group"])) == 1
    assert not set(loaded.splits["validation"]["group"]) & set(loaded.splits["train"]["group"])
    row = loaded.splits["train"][0]
    assert np.asarray(row["image"]).shape == (8, 12, 3)
    told, shown = row["text"].removeprefix("it is "), tuple(np.asarray(row["image"])[0, 0])
    assert (COLOURS[told] == shown) == (loaded.splits["train"].features["label"].names[row["label"]] == "true")


def test_without_groups_rows_are_held_out() -> None:
    loaded, _ = load_image_texts(colour_rows(40).remove_columns("group"), validation_size=0.25)
    assert loaded.splits.num_rows == {"train": 30, "validation": 10}
    assert "group" not in loaded.splits["train"].column_names


def test_names_of_files_begin_where_the_table_is(tmp_path: Path) -> None:
    loaded, _ = load_image_texts({"train": picture_files(tmp_path)}, validation_size=2)
    assert loaded.splits.num_rows == {"train": 6, "validation": 2}
    colours = {tuple(np.asarray(row["image"])[0, 0]) for split in loaded.splits.values() for row in split}
    assert colours == set(COLOURS.values())
    assert loaded.text_columns == ["text"] and loaded.other_columns == []


def test_a_folder_of_pictures_is_read_as_its_table(tmp_path: Path) -> None:
    picture_files(tmp_path)
    folder = tmp_path / "photos"
    # A picture that is called as a split is, and strings that stand for nothing elsewhere.
    (folder / "0.png").rename(folder / "train.png")
    lines = (tmp_path / "photos.csv").read_text().replace("photos/0.png", "train.png").replace("photos/", "")
    (folder / "metadata.csv").write_text(lines.replace(",no", ",None").replace("it is white", "N/A"))
    loaded, _ = load_image_texts(folder, validation_size=2)
    assert loaded.splits.num_rows == {"train": 6, "validation": 2}
    assert loaded.splits["train"].features["label"].names == ["None", "yes"]
    assert "N/A" in [row["text"] for split in loaded.splits.values() for row in split]


def test_a_folder_for_each_split(tmp_path: Path) -> None:
    for name in ("train", "test", "hard"):
        (tmp_path / name).mkdir()
        picture_files(tmp_path / name)
        shutil.move(tmp_path / name / "photos.csv", tmp_path / name / "metadata.csv")
    loaded, further = load_image_texts(tmp_path, validation_size=2, further_splits=["hard"])
    assert loaded.splits.num_rows == {"train": 6, "validation": 2, "test": 8} and len(further["hard"]) == 8


@pytest.mark.parametrize("kind", ["bytes and paths", "bytes"])
def test_bytes_as_other_libraries_write_them(kind: str, tmp_path: Path) -> None:
    picture("red").save(tmp_path / "red.png")
    content = (tmp_path / "red.png").read_bytes()
    values = [content if kind == "bytes" else {"bytes": content, "path": "red.png"}] * 8
    rows = {"image": values, "text": ["a", "b"] * 4, "label": ["no", "yes"] * 4}
    pd.DataFrame(rows).to_parquet(tmp_path / "x.parquet")
    loaded, _ = load_image_texts(tmp_path / "x.parquet", validation_size=2)
    assert np.asarray(loaded.splits["train"][0]["image"])[0, 0].tolist() == [*COLOURS["red"]]


def test_features_and_further_splits() -> None:
    splits = DatasetDict({"train": feature_rows(20), "validation": feature_rows(4), "hard": feature_rows(6)})
    loaded, further = load_image_texts(splits, further_splits=["hard"])
    assert {name: len(part) for name, part in further.items()} == {"hard": 6}
    assert further["hard"].features == loaded.splits["train"].features
    assert np.shape(further["hard"][2]["image_features"]) == (3, 3)
    assert not loaded.held_out


def test_whole_groups_are_held_out_as_the_seed_says() -> None:
    groups = ["a"] * 3 + ["b"] * 2 + ["c"] * 4 + ["d"] * 2
    kept, held = split_groups(groups, 2, seed=1)
    assert sorted([*kept, *held]) == list(range(11))
    assert not {groups[row] for row in kept} & {groups[row] for row in held}
    again = split_groups(groups, 2, seed=1)[1]
    assert (again == held).all()
    assert {tuple(split_groups(groups, 2, seed=seed)[1]) for seed in range(9)} == {(3, 4), (9, 10)}


def test_a_large_group_is_not_held_out_where_others_are(caplog: pytest.LogCaptureFixture) -> None:
    groups = ["large"] * 900 + [f"{number}" for number in range(100)]
    for seed in range(5):
        assert len(split_groups(groups, 100, seed)[1]) == 100
    assert not caplog.messages
    # Where all are larger, it is the smallest, and that is told.
    assert split_groups(["a"] * 5 + ["b"] * 4, 1, seed=0)[1].tolist() == [5, 6, 7, 8]
    assert "has 4 rows, not 1: groups are held out whole" in caplog.text


def without(rows: Dataset, column: str, value: Any = None) -> Dataset:
    """The rows, of which the second has nothing in a column."""
    if column == "image":
        rows = rows.cast_column("image", Image(decode=False))
    values = rows[column][:]
    values[1] = value
    return rows.remove_columns(column).add_column(column, values, feature=rows.features[column])


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        (
            lambda: colour_rows().remove_columns("image"),
            {},
            "no column that is known to hold pictures; it has .*: name",
        ),
        (colour_rows, {"image_column": "picture"}, "has no column 'picture'; it has 'image', 'text'.*image_column"),
        (colour_rows, {"group_column": "set"}, "has no column 'set'; .*: name it with group_column"),
        (colour_rows, {"image_column": "text", "text_column": "text"}, "image_column='text' has the texts or the lab"),
        (colour_rows, {"image_column": "group"}, "holds Value.*, neither pictures nor names of files nor features"),
        (colour_rows, {"image_column": "kind"}, r"names in row 1 cold, where there is no file: mend the name"),
        (
            lambda: without(colour_rows(), "image"),
            {},
            r"The column 'image' of the .* has nothing in row 2: fill or rem",
        ),
        (lambda: without(colour_rows(), "group"), {}, r"The column 'group' of the .* has nothing in row 2"),
        (lambda: without(feature_rows(), "image_features", [[1.0]]), {}, "has regions of '1', '3' numbers: give each"),
        (colour_rows, {"further_splits": ["hard"]}, "further_splits='hard' is not among the further splits"),
        (lambda: colour_rows(4), {}, "validation_size=0.1 leaves none of the groups for training"),
        (colour_rows, {"group_column": "image"}, "holds Image.*, no names or numbers: name"),
        (lambda: without(feature_rows(), "image_features", []), {}, "has no region in row 2, or a number is missing"),
        (lambda: without(feature_rows(), "image_features", [[1.0, None, 1.0]]), {}, "has no region in row 2, or a"),
        (colour_rows, {"label_column": "none"}, "has no column 'none'"),
        (lambda: DatasetDict(other=colour_rows()), {}, "There is no split 'train', only 'other'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(rows: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("[", r"\[")):
        load_image_texts(rows(), **options)


def test_a_split_without_the_column(tmp_path: Path) -> None:
    splits = DatasetDict(train=colour_rows(), validation=colour_rows().remove_columns("image"))
    with pytest.raises(ValueError, match="'validation' has no column 'image', as the training rows have: add it"):
        load_image_texts(splits)


def test_groups_of_any_kind() -> None:
    rows = concatenate_datasets([colour_rows(40).remove_columns("group")])
    rows = rows.add_column("scene", [f"scene {number // 4}" for number in range(40)])
    loaded, _ = load_image_texts(rows, group_column="scene", image_column="image", validation_size=9)
    assert len(loaded.splits["validation"]) == 8


def test_names_of_kinds_and_groups_that_training_alone_has() -> None:
    rows = colour_rows(40).class_encode_column("kind")
    splits = DatasetDict(train=rows, validation=rows.remove_columns("group"))
    loaded, _ = load_image_texts(splits, kind_column="kind")
    assert set(loaded.splits["train"]["kind"]) == {"warm", "cold"}
    assert "group" not in loaded.splits["validation"].column_names
