"""The example notebooks: what they hold, and, in the long tests, that they run and show what they promise."""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest


EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = [
    *("classify_your_csv", "dates_in_one_form", "forecast_with_intervals", "from_scikit_learn"),
    *("language_without_spaces", "multi_label_with_thresholds", "statements_on_pictures", "tag_words_of_recipes"),
]


def notebook(name: str) -> Any:
    return nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)


def code_of(name: str) -> list[ast.Module]:
    return [ast.parse(cell.source) for cell in notebook(name).cells if cell.cell_type == "code"]


def test_every_notebook_is_tested_and_told_of() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.ipynb")) == NAMES
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    assert set(re.findall(r"`(\w+)\.ipynb`", readme)) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_valid_and_has_no_outputs(name: str) -> None:
    found = notebook(name)
    nbformat.validate(found)
    assert (found.nbformat, found.nbformat_minor) == (4, 5)
    assert found.cells[0].cell_type == "markdown" and found.cells[0].source.startswith("# ")
    for cell in found.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert found.metadata.keys() == {"kernelspec", "language_info"}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_imports_public_names_that_there_are(name: str) -> None:
    imports = [node for cell in code_of(name) for node in ast.walk(cell) if isinstance(node, ast.ImportFrom)]
    own = [node for node in imports if node.module.startswith("hfattnlstm")]
    for node in own:
        module = importlib.import_module(node.module)
        for alias in node.names:
            assert alias.name in module.__all__ and hasattr(module, alias.name)
    assert own


class Ran:
    """The outputs of a notebook that was run."""

    def __init__(self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
        from nbclient import NotebookClient

        path = os.pathsep.join([str(EXAMPLES.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        monkeypatch.setenv("PYTHONPATH", path)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        found = notebook(name)
        client = NotebookClient(found, timeout=300, resources={"metadata": {"path": str(folder)}})
        client.create_kernel_manager()
        # The Python of the tests, whatever kernels are installed.
        client.km.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        client.execute()
        self.outputs = [output for cell in found.cells for output in cell.get("outputs", ())]

    @property
    def text(self) -> str:
        return "".join(output.text for output in self.outputs if output.get("name") == "stdout")

    @property
    def pages(self) -> list[str]:
        """What was shown in HTML."""
        return [output.data["text/html"] for output in self.outputs if "text/html" in output.get("data", {})]

    def share(self, pattern: str) -> float:
        """The last number after a pattern in what was printed."""
        return float(re.findall(rf"{pattern}\D*(\d+\.\d+)", self.text)[-1])

    def measured(self, name: str) -> float:
        """A score in the table of the run."""
        pages = "".join(self.pages)
        return float(re.search(rf">{name}</th><td>([\d.]+)</td>", pages)[1])


@pytest.fixture
def ran(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    found = Ran(request.param, tmp_path, monkeypatch)
    # Words are shaded, a training is a table, and no bar of a data set is left.
    assert any("<mark" in page for page in found.pages)
    assert any("Validation Loss" in page and "Accuracy" in page for page in found.pages)
    errors = "".join(output.text for output in found.outputs if output.get("name") == "stderr")
    assert "Tokenising" not in errors and "are among those" not in errors
    return found


@pytest.mark.long
@pytest.mark.parametrize("ran", ["classify_your_csv"], indirect=True)
def test_classify_your_csv(ran: Ran, tmp_path: Path) -> None:
    assert ran.measured("test_accuracy") > 0.55
    assert "train.csv 770\ntest.csv 110" in ran.text and "% of 110 texts are right" in ran.text
    assert (tmp_path / "my-model" / "model.safetensors").exists()


@pytest.mark.long
@pytest.mark.parametrize("ran", ["multi_label_with_thresholds"], indirect=True)
def test_multi_label_with_thresholds(ran: Ran, tmp_path: Path) -> None:
    chosen = ran.share("chosen:")
    assert 0 < chosen < 0.5
    half, other = re.findall(r"precision (\S+), recall (\S+),", ran.text)
    assert float(other[1]) > float(half[1]) and float(other[1]) > 0.9 and float(other[0]) > 0.6
    assert (tmp_path / "remarks-with-threshold" / "config.json").exists()
    assert ran.pages[-1].count("<tr>") == 4


@pytest.mark.long
@pytest.mark.parametrize("ran", ["language_without_spaces"], indirect=True)
def test_language_without_spaces(ran: Ran) -> None:
    assert ran.measured("test_accuracy") > 0.8
    assert "差评" in ran.text and any("好评" in page and "<mark" in page for page in ran.pages)


@pytest.mark.long
@pytest.mark.parametrize("ran", ["from_scikit_learn"], indirect=True)
def test_from_scikit_learn(ran: Ran, tmp_path: Path) -> None:
    assert ran.share("accuracy") > 0.55 and ran.share("TF-IDF") > 0.55 and ran.share("LSTM") > 0.55
    assert "attnlstmclassifier__embedding_dropout" in ran.text and "True" in ran.text
    assert (tmp_path / "sklearn-model" / "model.safetensors").exists()


@pytest.mark.long
def test_forecast_with_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran("forecast_with_intervals", tmp_path, monkeypatch)
    # Errors, residuals, a forecast, and the attention over its past.
    assert sum("image/png" in output.get("data", {}) for output in ran.outputs) == 4
    _, trained, *_, odd = [page for page in ran.pages if "<table" in page]
    assert all(f"<th>{name}</th>" in trained for name in ("model", "last value", "last season", "linear"))
    assert "random ranking" in ran.text
    assert "2024-02-18 18:00:00" in odd and "25.0" in odd


@pytest.mark.long
def test_tag_words_of_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran("tag_words_of_recipes", tmp_path, monkeypatch)
    assert ran.measured("test_f1") > 0.7
    assert all(f"\n{kind:7} found 0." in ran.text or f"\n{kind:7} found 1." in ran.text for kind in ("UNIT", "FOOD"))
    assert "AMOUNT 'Two' 0 3" in ran.text
    assert ran.pages[-1].count('class="span k') > 6 and "<script" not in ran.pages[-1]
    choices = [float(line.split()[0]) for line in ran.text.splitlines()[-3:]]
    assert choices == sorted(choices, reverse=True) and sum(choices) <= 1.01


@pytest.mark.long
def test_statements_on_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    ran = Ran("statements_on_pictures", tmp_path, monkeypatch)
    assert ran.share("both") > 0.95
    assert abs(ran.share("text_alone_") - 0.5) < 0.06 and abs(ran.share("image_alone_") - 0.5) < 0.06
    assert re.search(r"^yellow +\d\.\d\d$", ran.text, re.M)
    assert sum("image/png" in output.get("data", {}) for output in ran.outputs) == 1


@pytest.mark.long
def test_dates_in_one_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran("dates_in_one_form", tmp_path, monkeypatch)
    assert ran.measured("test_exact_match") > 0.95
    shown = "".join(output.data["text/plain"] for output in ran.outputs if "text/plain" in output.get("data", {}))
    assert "'1989-07-14', '2021-12-03', '1955-05-03'" in shown
    assert '<table class="alignment">' in ran.pages[-1] and (tmp_path / "alignment.html").exists()
