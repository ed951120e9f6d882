"""The released models: their files, their cards, and that they load with the package and without it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from hfattnlstm import AttnLSTMForPreTraining, released_model
from hfattnlstm._released import released_models
from hfattnlstm.commands.main import main
from loopback_hub import run_python
from shipped_files import SHIPPED


ROOT = Path(__file__).parents[1]
CLASSIFIER, BASE = "attnlstm-imdb", "attnlstm-base-reviews"
NAMES = (BASE, CLASSIFIER)
MOST_BYTES = 40 * 2**20
SENTENCES = {
    "A wonderful film with a great cast, one of the best of the year.": "pos",
    "A boring mess, badly written and worse acted.": "neg",
    "I loved every minute of it.": "pos",
    "What a waste of time and money.": "neg",
}
SECTIONS = ("How to load it", "Data", "Metrics", "Recipe", "Limits", "Biases")
WITHOUT_PACKAGE = """
import json
import sys

sys.modules["hfattnlstm"] = None
from transformers import pipeline

classifier = pipeline("attention-text-classification", model=sys.argv[1], trust_remote_code=True)
print(json.dumps(classifier(json.loads(sys.argv[2]))))
"""


@pytest.fixture
def make_cards(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import make_cards

    yield make_cards
    sys.modules.pop("make_cards", None)


def test_they_are_found_and_fit_into_forty_megabytes() -> None:
    assert list(released_models()) == sorted(NAMES)
    files = [path for name in NAMES for path in Path(released_model(name)).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_their_code_is_todays(name: str, make_cards, tmp_path: Path) -> None:
    released = Path(released_model(name))
    copy = shutil.copytree(released, tmp_path / name)
    make_cards.refresh_code(copy)
    codes = {path.name: path.read_text("utf-8") for path in copy.glob("*.py")}
    architecture = AutoConfig.from_pretrained(released).architectures[0]
    assert set(codes) == {f"{file}.py" for file in SHIPPED[architecture]}
    stale = [file for file, code in codes.items() if (released / file).read_text("utf-8") != code]
    assert not stale, f"make cards has not been run since these were changed: {stale}"
    assert {path.name for path in released.glob("*.py")} == set(codes)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_kept_in_half_precision_and_loaded_in_single(name: str) -> None:
    folder = Path(released_model(name))
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        kept = {file.get_tensor(key).dtype for key in file.keys() if file.get_tensor(key).is_floating_point()}  # noqa: SIM118
    assert kept == {torch.float16}
    auto = AttnLSTMForPreTraining if name == BASE else AutoModelForSequenceClassification
    model, info = auto.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert len(AutoTokenizer.from_pretrained(folder)) <= model.config.vocab_size


def test_the_classifier_labels_films() -> None:
    classifier = pipeline("attention-text-classification", model=released_model(CLASSIFIER))
    assert classifier.model.config.id2label == {0: "neg", 1: "pos"}
    assert classifier.model.config.calibration_temperature != 1.0
    results = classifier(list(SENTENCES))
    assert [result["label"] for result in results] == list(SENTENCES.values())
    stock = pipeline("text-classification", model=released_model(CLASSIFIER))
    assert [result["label"] for result in stock(list(SENTENCES))] == list(SENTENCES.values())


def test_it_loads_without_the_package(tmp_path: Path) -> None:
    environment = {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}
    texts = list(SENTENCES)
    arguments = f"import sys; sys.argv[1:] = {[released_model(CLASSIFIER), json.dumps(texts)]!r}\n"
    answered = json.loads(run_python(arguments + WITHOUT_PACKAGE, environment, tmp_path).splitlines()[-1])
    expected = pipeline("attention-text-classification", model=released_model(CLASSIFIER))(texts)
    assert [result["label"] for result in answered] == [result["label"] for result in expected]
    assert [result["score"] for result in answered] == pytest.approx([result["score"] for result in expected])


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_a_user_must_know(name: str) -> None:
    card = Path(released_model(name), "README.md").read_text("utf-8")
    front, _, body = card.removeprefix("---\n").partition("\n---\n")
    assert re.search(r"^- en$|^language: en$", front, re.MULTILINE) and "license: " in front
    headings = re.findall(r"^## (.+)$", body, re.MULTILINE)
    assert set(SECTIONS) <= set(headings)
    assert f'released_model("{name}")' in body and "trust_remote_code=True" in body
    recipe = body.partition("## Recipe")[2].partition("\n## ")[0]
    assert "hfattnlstm " in recipe


def test_a_command_takes_the_name_and_a_model_of_that_name_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = next(iter(SENTENCES))
    Path(CLASSIFIER).mkdir()
    assert main(["predict", CLASSIFIER, text]) == 0
    assert capsys.readouterr().out.startswith("pos\t")
    for path in Path(released_model(CLASSIFIER)).iterdir():
        shutil.copy(path, CLASSIFIER)
    config = Path(CLASSIFIER, "config.json")
    config.write_text(config.read_text().replace('"pos"', '"praise"'))
    assert main(["predict", CLASSIFIER, text]) == 0
    assert capsys.readouterr().out.startswith("praise\t")


def test_a_run_does_not_hide_the_model_that_it_begins_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reviews.csv").write_text("text,label\ngood,pos\nbad,neg\n")
    assert main(["train", "--recipe", "pretrained", "--train_file", "reviews.csv", "--output_dir", f"./{BASE}"]) == 2
    assert f"would hide the model {BASE}, which comes with the package" in capsys.readouterr().err
    flags = ("--teacher", CLASSIFIER, "--train_file", "reviews.csv", "--output_dir", CLASSIFIER)
    assert main(["distill", *flags]) == 2
    assert f"would hide the model {CLASSIFIER}" in capsys.readouterr().err
    assert not Path(CLASSIFIER).exists()


def test_a_name_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=f"There is no released model 'attnlstm': there are {BASE}, {CLASSIFIER}"):
        released_model("attnlstm")
    assert main(["predict", "atnlstm-imdb", "Fine."]) == 2
    assert f"did you mean {CLASSIFIER}, which comes with the package?" in capsys.readouterr().err


def test_a_card_is_left_alone_where_a_model_is_laid_out_anew(make_cards, tmp_path: Path) -> None:
    folder = tmp_path / CLASSIFIER
    make_cards.lay_out(folder, Path(released_model(CLASSIFIER)))
    (folder / "README.md").write_text("mine")
    make_cards.lay_out(folder, Path(released_model(CLASSIFIER)))
    assert (folder / "README.md").read_text() == "mine"
    again = AutoModelForSequenceClassification.from_pretrained(folder).state_dict()
    first = AutoModelForSequenceClassification.from_pretrained(released_model(CLASSIFIER)).state_dict()
    assert again.keys() == first.keys() and all(torch.equal(again[key], first[key]) for key in first)
