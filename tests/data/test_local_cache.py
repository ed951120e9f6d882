"""A folder is read as it is now, whatever datasets has read before from it, or from another of the same name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from datasets import Dataset

from hfattnlstm.data.sources import read_source


FRONT = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {name}\n---\n"


def written(folder: Path, word: str, name: str) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data = Dataset.from_dict({"text": [word] * 3, "label": [0, 1, 0]})
    data.to_parquet(folder / name) if name.endswith("parquet") else data.to_csv(folder / name, sep=";")
    # That the README.md names a separator lets datasets read the csv.
    front = FRONT.format(name=name) if name.endswith("parquet") else FRONT.format(name=f'{name}\n  sep: ";"')
    (folder / "README.md").write_text(front)
    return folder


@pytest.mark.parametrize("name", ["train.parquet", "train.csv"])
def test_folders_of_one_name_and_a_folder_that_has_changed(name: str, tmp_path: Path) -> None:
    found = []
    for place, word in (("one", "first"), ("other", "second"), ("one", "changed")):
        split = read_source(written(tmp_path / place / "reviews", word, name), None)["train"]
        found.append(split.data["text"][0])
    assert found == ["first", "second", "changed"]
