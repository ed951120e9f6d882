"""What works without the extras, what is said where one is missing, and that the lists of them agree."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import torch

from deploy_helpers import LABELS, random_model, word_tokenizer
from hfattnlstm._extras import EXTRAS, import_optional, needs_extra
from loopback_hub import run_python


ROOT = Path(__file__).parents[1]
# peft is there for the tests alone, and imports accelerate.
ABSENT = {module for modules in EXTRAS.values() for module in modules} | {"peft"}

WITHOUT_EXTRAS = f"""
import sys

class Without:
    # A finder as before, for which some packages are not installed.
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {ABSENT} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
LABELLING = """
import contextlib, io
import hfattnlstm
from hfattnlstm.commands.main import main
from transformers import AutoModelForSequenceClassification, pipeline

loaded = AutoModelForSequenceClassification.from_pretrained("model")
assert type(loaded) is hfattnlstm.AttnLSTMForSequenceClassification
for task in ("attention-text-classification", "text-classification"):
    print(pipeline(task, model="model")("good film")[0]["label"])

def labels(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["predict", "model", *arguments]) == 0
    print(printed.getvalue().split()[0])

labels("good film")
labels("--file", "texts.txt")
sys.stdin = io.StringIO("good film\\n")
labels()
"""
COMMANDS = {
    "train": (["train", "--train_file", "x.csv", "--output_dir", "new"], "Training needs datasets", "train"),
    "quickstart": (["quickstart"], "Training needs datasets", "train"),
    "predict --file": (["predict", "model", "--file", "x.csv"], "--file x.csv needs pyarrow", "train"),
    "export": (["export", "model"], "This needs onnx", "onnx"),
    "export --check_texts": (
        ["export", "model", "--int8", "--check_texts", "x.csv"],
        "--check_texts x.csv needs pyarrow",
        "train",
    ),
}
NAMES = ["AttnLSTMTrainer", "LazyAdamW", "describe_labels", "load_texts"]
SENTENCES = f"""
import contextlib, io, json
import hfattnlstm
from hfattnlstm.commands.main import main

said = {{}}
for name, (arguments, _, _) in {COMMANDS}.items():
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        assert main(arguments) == 2
    # After the progress bar of loading the model.
    said[name] = printed.getvalue().splitlines()[-1]
for name in {NAMES}:
    try:
        getattr(hfattnlstm, name)
    except ImportError as error:
        said[name] = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Working directory with a model, a .txt file and a table."""
    folder = tmp_path_factory.mktemp("extras")
    model = random_model(id2label=LABELS, classifier_pooling="attention")
    # So that the label is known.
    model.classifier.out_proj.weight.data.zero_()
    model.classifier.out_proj.bias.data[:] = torch.tensor([0.0, 1.0, 0.0])
    model.save_pretrained(folder / "model")
    word_tokenizer().save_pretrained(folder / "model")
    (folder / "texts.txt").write_text("good film\n")
    (folder / "x.csv").write_text("text\ngood film\n")
    return folder


def test_labelling_needs_no_extra(folder: Path) -> None:
    printed = run_python(WITHOUT_EXTRAS + LABELLING, {"HF_HUB_OFFLINE": "1"}, folder)
    assert printed.split() == [LABELS[1]] * 5


def test_what_needs_an_extra_names_it(folder: Path) -> None:
    said = json.loads(run_python(WITHOUT_EXTRAS + SENTENCES, {"HF_HUB_OFFLINE": "1"}, folder))
    for name, (arguments, sentence, extra) in COMMANDS.items():
        install = f', which is not installed: pip install "hfattnlstm[{extra}]".'
        assert said[name] == f"hfattnlstm {arguments[0]}: {sentence}{install}"
    for name in NAMES:
        assert re.fullmatch(
            rf'(hfattnlstm\.{name}|Training) needs \w+, .* pip install "hfattnlstm\[train\]"\.', said[name]
        )


def test_a_module_of_no_extra_is_missing_as_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'nowhere'$"):
        import_optional("nowhere")


def test_an_error_raised_from_that_of_the_import_is_told_too() -> None:
    cause = ModuleNotFoundError("No module named 'accelerate'", name="accelerate.utils")
    with pytest.raises(ImportError, match=r"^train needs accelerate, ") as caught, needs_extra("train"):
        raise ModuleNotFoundError("Could not import module 'Trainer'.") from cause
    assert caught.value.name == "accelerate"


def test_an_installed_module_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", json)
    assert import_optional("onnx") is json


def requirements() -> dict[str, set[str]]:
    """Names that each extra lists, extras of its own as `hfattnlstm[…]`, and those of the package alone under ""."""
    project = pytest.importorskip("tomllib").loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: {re.split(r"[>=<!~;]", entry)[0].strip() for entry in names} for extra, names in lists.items()}


def test_the_modules_of_each_extra_are_its_requirements() -> None:
    found = requirements()
    # transformers brings pyyaml, so that it is never missing.
    assert found["train"] - {"pyyaml"} == {name.replace("sklearn", "scikit-learn") for name in EXTRAS["train"]}
    for extra in ("onnx", "explain", "plots"):
        assert found[extra] == set(EXTRAS[extra])
    assert found["images"] == {name.replace("PIL", "pillow") for name in EXTRAS["images"]}
    assert found[""] & {name for names in EXTRAS.values() for name in names} == set()


def reached(found: dict[str, set[str]], extras: set[str]) -> set[str]:
    inner = {
        name
        for extra in extras
        for entry in found[extra]
        if entry.startswith("hfattnlstm[")
        for name in entry[len("hfattnlstm[") : -1].split(",")
    }
    return extras if inner <= extras else reached(found, extras | inner)


def test_the_check_of_the_extras_reaches_all_of_them() -> None:
    found = requirements()
    named = re.search(r'--dry-run "\.\[(.*)\]"', (ROOT / "Makefile").read_text("utf-8"))[1].split(",")
    assert reached(found, set(named)) == set(found) - {""}
    assert reached(found, {"all"}) == {"all", "train", "onnx", "explain", "images", "plots", "tensorboard"}
