"""`hfattnlstm explain --output map.png`: the picture of the attention between words, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from commands.predict_helpers import refusal, save_model
from deploy_helpers import LABELS, word_tokenizer
from hfattnlstm import AttnLSTMConfig, AttnLSTMForTokenClassification
from hfattnlstm.commands.main import main


CONTEXT: dict[str, Any] = {"context_layers": ["attention"], "num_attention_heads": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("maps") / "model", id2label=LABELS, **CONTEXT)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tagger")
    sizes = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 12}
    AttnLSTMForTokenClassification(AttnLSTMConfig(**sizes, **CONTEXT)).save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("ending", ["png", "svg"])
@pytest.mark.parametrize("kind", ["model", "tagger"])
def test_a_picture_of_one_text(
    kind: str, ending: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / f"map.{ending}"
    assert main(["explain", request.getfixturevalue(kind), "not a good film", "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"Wrote {output}: 4 words, 1 x 2 maps\n"
    assert output.read_bytes()[:5] == (b"\x89PNG\r" if ending == "png" else b"<?xml")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["good", "bad"], "A picture shows one text, and there are 2: give one, or another --output"),
        (["good", "--method", "occlusion"], "--method has no effect on a picture of the attention between words"),
        (["good", "--level", "token"], "--level has no effect on a picture"),
        (["good", "--target", "gut"], "--target has no effect on a picture"),
        (["good", "--faithfulness_samples", "3"], "--faithfulness_samples has no effect on a picture"),
        (["good", "--seed", "3"], "--seed has no effect on a picture"),
        ([""], "There is no word to draw: give a text that has one"),
    ],
)
def test_a_mistake_is_one_sentence(
    flags: list[str], sentence: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "map.png"
    assert sentence in refusal(["explain", model, *flags, "--output", str(output)], capsys)
    assert not output.exists()


def test_models_without_such_attention_are_refused(
    tagger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = save_model(tmp_path / "plain", id2label=LABELS)
    capsys.readouterr()
    output = str(tmp_path / "map.png")
    assert "has no context layers" in refusal(["explain", plain, "good", "--output", output], capsys)
    assert "tags words, and labels no texts: name a text" in refusal(["explain", tagger, "good"], capsys)
