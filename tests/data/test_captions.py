"""Loading of pictures with captions: columns, several captions, pictures that are there twice."""

from __future__ import annotations

import json

import numpy as np
import pytest
from datasets import Dataset, DatasetDict, Features, Image, List, Value

from hfattnlstm import ImageTextProcessor, load_captions, train_pair_tokenizer
from hfattnlstm.data.caption_rows import CaptionCollator, encode_captions
from hfattnlstm.data.picture_sets import save_picture_set
from hfattnlstm.data.scenes import examples


Pictures = pytest.importorskip("PIL.Image")
COLOURS = ["red", "blue", "green", "yellow", "black", "white"]


def picture(colour: str):
    return Pictures.new("RGB", (16, 16), colour)


def rows(captions, colours=COLOURS, **more) -> Dataset:
    kind = List(Value("string")) if isinstance(captions[0], list) else Value("string")
    features = Features({"image": Image(), "caption": kind, **{name: Value("string") for name in more}})
    return Dataset.from_dict({"image": [picture(c) for c in colours], "caption": captions, **more}, features=features)


def test_scenes_have_each_picture_once(tmp_path):
    save_picture_set({"train": examples(6, seed=1), "compositional": examples(2, seed=2)}, tmp_path / "scenes", 32)
    loaded = load_captions(tmp_path / "scenes", further_splits=["compositional"])
    assert loaded.held_out and loaded.caption_column == "caption" and loaded.image_column == "image"
    pictures = sum(loaded.splits.num_rows.values())
    # Of the four rows that belong together, two are on one picture.
    assert pictures <= 12 and len(loaded.further["compositional"]) == 4
    for texts in loaded.splits["train"]["captions"]:
        assert len(texts) == 1 and texts[0].startswith("a ")


def test_captions_of_one_picture_come_together(caplog):
    data = rows(
        ["it is red", "red it is", "it is red", "a", "b", "c"], ["red", "red", "red", "blue", "green", "black"]
    )
    loaded = load_captions(DatasetDict(train=data, validation=data))
    assert loaded.splits["train"]["captions"][:] == [["it is red", "red it is"], ["a"], ["b"], ["c"]]
    assert "4 of the 4 pictures for validation are among those for training, too" in caplog.text


def test_lists_of_captions_and_blank_ones():
    data = rows([["a", "b"], ["c", " "], [], [None, "d"], ["e"], ["f", "f"]])
    loaded = load_captions(DatasetDict(train=data, validation=data))
    assert loaded.splits["train"]["captions"][:] == [["a", "b"], ["c"], ["d"], ["e"], ["f"]]


def test_a_table_of_files_and_its_columns(tmp_path):
    lines = []
    for colour in COLOURS:
        picture(colour).save(tmp_path / f"{colour}.png")
        lines.append(json.dumps({"file_name": f"{colour}.png", "words": f"it is {colour}"}))
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    with pytest.raises(
        ValueError, match="no column that is known to hold captions; of texts it has 'file_name', 'words'"
    ):
        load_captions(tmp_path)
    loaded = load_captions(tmp_path, caption_column="words", validation_size=2)
    assert loaded.splits.num_rows == {"train": 4, "validation": 2}


def test_pictures_in_a_folder_beside_their_table(tmp_path, caplog):
    """As Flickr8k comes."""
    (tmp_path / "Images").mkdir()
    for colour in COLOURS:
        picture(colour).save(tmp_path / "Images" / f"{colour}.jpg")
    table = tmp_path / "captions.csv"
    table.write_text("image,caption\n" + "".join(f"{colour}.jpg,it is {colour}\n" for colour in COLOURS))
    assert load_captions(table).splits["train"]["image"][0].size == picture(COLOURS[0]).size
    assert "are those of pictures in" in caplog.text and str(tmp_path / "Images") in caplog.text
    (tmp_path / "thumbnails").mkdir()
    picture("red").save(tmp_path / "thumbnails" / f"{COLOURS[0]}.jpg")
    with pytest.raises(ValueError, match=r"names in row 1 .*, where there is no file"):
        load_captions(table)


def test_features_and_mistakes():
    features = Features({"image_features": List(List(Value("float32"))), "caption": Value("string")})
    data = Dataset.from_dict(
        {"image_features": [[[1.0, 2.0]], [[1.0, 2.0]], [[0.0, 1.0], [2.0, 3.0]]], "caption": ["a", "b", "c"]},
        features=features,
    )
    loaded = load_captions(DatasetDict(train=data, validation=data))
    assert loaded.splits["train"]["captions"][:] == [["a", "b"], ["c"]]
    with pytest.raises(ValueError, match="no column 'x' with texts"):
        load_captions(data, caption_column="x")
    with pytest.raises(ValueError, match="There is one picture"):
        load_captions(data.select([0]))
    with pytest.raises(ValueError, match="holds empty texts only"):
        load_captions(rows([" "] * 6))
    with pytest.raises(ValueError, match="further_splits='hard' is not among"):
        load_captions(data, further_splits=["hard"])


def test_rows_and_batches():
    data = rows([["it is red", "red"], ["it is blue"], ["b"], ["c"], ["d"], ["e"]])
    split = load_captions(DatasetDict(train=data, validation=data)).splits["train"]
    tokenizer = train_pair_tokenizer(["it is red", "it is blue b c d e"], kind="word", min_frequency=1)
    processor = ImageTextProcessor.fit(tokenizer, [picture("red"), picture("blue")], side=8)
    every, one = (encode_captions(split, processor, every=each) for each in (True, False))
    assert len(every) == 7 and len(one) == 6
    assert every[0]["pixel_values"] == every[1]["pixel_values"] == one[0]["pixel_values"]
    assert tokenizer.batch_decode(every["labels"][:2], skip_special_tokens=True) == ["it is red", "red"]
    batch = CaptionCollator(processor)(list(every.select(range(3))))
    assert batch["pixel_values"].shape == (3, 3, 8, 8)
    assert batch["labels"].shape == (3, 4) and (batch["labels"][1, 2:] == -100).all()


def test_features_come_as_arrays():
    features = Features({"image_features": List(List(Value("float32"))), "caption": Value("string")})
    data = Dataset.from_dict(
        {"image_features": [[[1.0, 2.0]], [[0.0, 1.0], [2.0, 3.0]]], "caption": ["a", "c"]}, features=features
    )
    processor = ImageTextProcessor(train_pair_tokenizer(["a c"], kind="word", min_frequency=1))
    split = load_captions(DatasetDict(train=data, validation=data)).splits["train"]
    encoded = encode_captions(split, processor, every=True)
    assert isinstance(encoded[1]["image_features"], np.ndarray)
    batch = CaptionCollator(processor)([encoded[0], encoded[1]])
    assert batch["image_features"].shape == (2, 2, 2) and batch["image_mask"].sum().item() == 3
