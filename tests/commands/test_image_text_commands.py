"""`hfattnlstm explain --image`, `hfattnlstm features`, and the script that trains on texts with pictures."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import DatasetDict, load_dataset
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    ConvNextImageProcessorPil,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTImageProcessorPil,
    ViTMAEConfig,
    ViTMAEModel,
    ViTModel,
)

from commands.predict_helpers import refusal, save_model
from data.image_text_helpers import colour_rows, feature_rows, picture, picture_files
from deploy_helpers import LABELS
from hfattnlstm import (
    AttnLSTMConfig,
    AttnLSTMForImageTextClassification,
    ImageTextProcessor,
    load_image_texts,
    train_tokenizer,
)
from hfattnlstm.commands.main import main
from hfattnlstm.data.picture_sets import save_splits
from hfattnlstm.data.region_features import RegionFeatures


Image = pytest.importorskip("PIL.Image")
SCRIPT = Path(__file__).parents[2] / "scripts" / "run_image_text_classification.py"
SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def save_image_model(folder: Path, **options: Any) -> str:
    tokenizer = train_tokenizer(["it is red", "it is blue"] * 3, kind="word")
    torch.manual_seed(0)
    config = AttnLSTMConfig(vocab_size=len(tokenizer), embedding_size=8, hidden_size=12, id2label=LABELS, **options)
    AttnLSTMForImageTextClassification(config).save_pretrained(folder)
    pixels = config.image_conv_sizes is not None
    processor = (
        ImageTextProcessor.fit(tokenizer, [picture("red"), picture("blue")], side=8)
        if pixels
        else ImageTextProcessor(tokenizer)
    )
    processor.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_image_model(tmp_path_factory.mktemp("image") / "model", image_conv_sizes=[4, 4])


@pytest.fixture
def red(tmp_path: Path) -> str:
    picture("red").save(tmp_path / "red.png")
    return str(tmp_path / "red.png")


class TestExplain:
    """`hfattnlstm explain --image`."""

    def test_the_label_and_the_picture(self, model: str, red: str, tmp_path: Path, capsys: Any) -> None:
        assert main(["explain", model, "it is red", "--image", red]) == 0
        label, _, rest = capsys.readouterr().out.partition(" ")
        assert label in LABELS.values() and rest.endswith("\tit is red\n")
        pytest.importorskip("matplotlib")
        output = tmp_path / "map.png"
        assert main(["explain", model, "it is red", "--image", red, "--output", str(output)]) == 0
        assert capsys.readouterr().out.endswith(f"Wrote {output}: 3 words\n")
        assert output.read_bytes()[:4] == b"\x89PNG"

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (["it", "is", "--image", "RED"], "--image goes with one text, and there are 2: give one"),
            (["it", "--image", "RED", "--method", "occlusion"], "--method has no effect beside --image"),
            (["it", "--image", "none.png"], "--image none.png is no file: mend the name"),
            (["it", "--image", __file__], "cannot be read (cannot identify image file"),
            (["it", "--image", "RED", "--output", "x.html"], "must end in one of .png, .svg beside --image"),
            (
                ["it"],
                "reads texts with a picture each, which this command does not: ask for one with hfattnlstm explai",
            ),
        ],
    )
    def test_mistakes(self, flags: list[str], sentence: str, model: str, red: str, capsys: Any) -> None:
        assert sentence in refusal(["explain", model, *(red if flag == "RED" else flag for flag in flags)], capsys)

    def test_other_models(self, red: str, tmp_path: Path, capsys: Any) -> None:
        plain = save_model(tmp_path / "plain", id2label=LABELS)
        capsys.readouterr()
        assert "reads no pictures: leave --image out" in refusal(["explain", plain, "it", "--image", red], capsys)
        features = save_image_model(tmp_path / "features", image_feature_size=3)
        capsys.readouterr()
        assert "reads features of regions, not pictures" in refusal(
            ["explain", features, "it", "--image", red], capsys
        )

    @pytest.mark.parametrize("command", ["predict", "evaluate", "export"])
    def test_commands_that_read_texts_alone(self, command: str, model: str, tmp_path: Path, capsys: Any) -> None:
        more = {"predict": ["it"], "evaluate": [str(tmp_path)], "export": ["--output", str(tmp_path / "x.onnx")]}
        assert "reads texts with a picture each" in refusal([command, model, *more[command]], capsys)


def save_vision_model(kind: str, folder: Path) -> str:
    torch.manual_seed(0)
    side = {"height": 32, "width": 32}
    if kind == "vit":
        model, processor = ViTModel(ViTConfig(**SIZES, image_size=32, patch_size=8)), ViTImageProcessorPil(size=side)
    elif kind == "clip":
        vision = {**SIZES, "image_size": 32, "patch_size": 8}
        text = {**SIZES, "vocab_size": 30, "max_position_embeddings": 8}
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
        processor = ViTImageProcessorPil(size=side)
    else:
        # A classifier, whose backbone is what is read.
        model = ResNetForImageClassification(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]))
        processor = ConvNextImageProcessorPil(size={"shortest_edge": 32})
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


class TestFeatures:
    """`hfattnlstm features`, of random models."""

    @pytest.mark.parametrize(("kind", "regions"), [("vit", 17), ("clip", 17), ("resnet", 16)])
    def test_any_vision_model(self, kind: str, regions: int, tmp_path: Path, capsys: Any) -> None:
        save_splits(DatasetDict(train=colour_rows(), hard=colour_rows(4)), tmp_path / "colours", "")
        vision, output = save_vision_model(kind, tmp_path / kind), tmp_path / "features"
        capsys.readouterr()
        assert main(["features", vision, str(tmp_path / "colours"), "--output", str(output), "--batch_size", "3"]) == 0
        assert capsys.readouterr().out == f"Wrote {output}: 8 train, 4 hard, {regions} regions of 16 numbers each\n"
        data = load_dataset(str(output))
        assert data["train"]["text"][:] == colour_rows()["text"][:]
        assert np.shape(data["hard"]["image_features"][:]) == (4, regions, 16)
        loaded, _ = load_image_texts(output, validation_size=4)
        assert loaded.splits["train"].column_names == ["text", "label", "image_features", "group"]

    def test_they_are_the_states_of_the_model_and_their_means(self, tmp_path: Path) -> None:
        folder = save_vision_model("vit", tmp_path / "vit")
        vision, processor = ViTModel.from_pretrained(folder).eval(), ViTImageProcessorPil.from_pretrained(folder)
        images = [picture("red", 40, 20), picture("blue")]
        with torch.no_grad():
            states = vision(processor(images, return_tensors="pt")["pixel_values"]).last_hidden_state.numpy()
        assert np.allclose(RegionFeatures(vision, processor)(images), states, atol=1e-5)
        means = states[:, 1:].reshape(2, 2, 2, 2, 2, 16).mean((2, 4)).reshape(2, 4, 16)
        assert np.allclose(RegionFeatures(vision, processor, grid=2)(images), means, atol=1e-5)

    def test_oblong_regions_and_models_that_mask_at_random(self, tmp_path: Path) -> None:
        config = ViTConfig(**SIZES, image_size=(32, 64), patch_size=(4, 8))
        processor = ViTImageProcessorPil(size={"height": 32, "width": 64})
        vision = ViTModel(config).eval()
        with torch.no_grad():
            states = vision(processor([picture("red")], return_tensors="pt")["pixel_values"]).last_hidden_state
        rows = states[:, 1:].view(8, 8, 16)
        found = RegionFeatures(vision, processor, grid=8)([picture("red")])
        assert np.allclose(found, rows.reshape(1, 64, 16), atol=1e-5)
        masking = ViTMAEModel(ViTMAEConfig(**SIZES, image_size=32, patch_size=4))
        processor = ViTImageProcessorPil(size={"height": 32, "width": 32})
        with pytest.raises(ValueError, match=r"gives other features each time, .*mask_ratio 0"):
            RegionFeatures(masking, processor).check(Image.effect_noise((32, 32), 99))

    def test_a_broken_picture_and_a_processor_that_crops(self, tmp_path: Path, capsys: Any) -> None:
        photos = picture_files(tmp_path)
        vision = save_vision_model("resnet", tmp_path / "resnet")
        ViTImageProcessorPil(size={"height": 32, "width": 32}, do_center_crop=True, crop_size=32).save_pretrained(
            vision
        )
        capsys.readouterr()
        assert main(["features", vision, str(photos), "--output", str(tmp_path / "out")]) == 0
        assert "sees the middle of a picture: its image processor crops the rest" in capsys.readouterr().err
        (tmp_path / "photos" / "2.png").write_bytes(b"no picture")
        assert main(["features", vision, str(photos), "--output", str(tmp_path / "other")]) == 2
        assert "The picture 2.png in row 5 of the split 'train' cannot be read" in capsys.readouterr().err

    def test_numbers_of_a_csv_stay_numbers(self, tmp_path: Path) -> None:
        photos = picture_files(tmp_path)
        lines = photos.read_text().splitlines()
        rows = [f"{line.rsplit(',', 1)[0]},{number / 8}" for number, line in enumerate(lines[1:])]
        photos.write_text("\n".join([lines[0], *rows]) + "\n")
        vision = save_vision_model("vit", tmp_path / "vit")
        assert main(["features", vision, str(photos), "--output", str(tmp_path / "out")]) == 0
        loaded, _ = load_image_texts(tmp_path / "out", validation_size=2)
        assert loaded.splits["train"].features["label"].dtype == "float32"

    def test_mistakes(self, model: str, tmp_path: Path, capsys: Any) -> None:
        save_splits({"both": colour_rows().add_column("photo", colour_rows()["kind"])}, tmp_path / "both", "")
        save_splits({"train": colour_rows()}, tmp_path / "colours", "")
        save_splits({"train": feature_rows()}, tmp_path / "done", "")
        colours, done, output = (str(tmp_path / name) for name in ("colours", "done", "out"))
        vision, both = save_vision_model("vit", tmp_path / "vit"), str(tmp_path / "both")
        BertModel(BertConfig(**SIZES, vocab_size=30)).save_pretrained(tmp_path / "bert")
        ViTImageProcessorPil().save_pretrained(tmp_path / "bert")
        capsys.readouterr()
        cases = [
            ([vision, done, "--output", output], "has features already: name one of pictures"),
            (
                [vision, colours, "--output", done],
                "has data/train-00000-of-00001.parquet already: name another",
            ),
            ([vision, colours, "--output", output, "--grid", "9"], "has 4 x 4 regions, too few for a grid of 9"),
            ([vision, colours, "--output", output, "--grid", "0"], "--grid must be at least 1, got 0"),
            ([str(tmp_path / "bert"), colours, "--output", output], "BertModel is a model that reads no pictures"),
            ([vision, colours, "--output", output, "--image_column", "img"], "has no column 'img'"),
            (
                [vision, both, "--output", output, "--image_column", "photo"],
                "has a column 'image' beside 'photo', which",
            ),
            ([str(tmp_path / "none"), colours, "--output", output], "There is no folder"),
        ]
        for flags, sentence in cases:
            assert sentence in refusal(["features", *flags], capsys)
        assert not (tmp_path / "out").exists()


def test_the_script_is_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, "--hidden_size", "8"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert stop.value.code == 2
    assert capsys.readouterr().err == "hfattnlstm train: Give either --dataset or --train_file.\n"
