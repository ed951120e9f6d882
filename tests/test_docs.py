"""The documentation: its pages run, name what exists, and load nothing from elsewhere."""

from __future__ import annotations

import importlib
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from page_blocks import DOCS, ROOT, alike, blocks, command_lines, run_page


sys.path.insert(0, str(DOCS))
from build_hooks import commands, help_of, on_page_markdown


PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
# It is run first; figures that take hours, what the sources say of themselves, and what the site writes itself.
NOT_RUN = {"tour.md", "performance.md", "changelog.md", "contributing.md", "limits.md", "recipes.md"}
RUN = [page for page in PAGES if page not in NOT_RUN and not page.startswith("reference/")]


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tour leaves behind, from which the guides go on."""
    return run_page(DOCS / "tour.md", tmp_path_factory.mktemp("tour"))


# Of a Trainer with its own defaults on a machine without an accelerator, and of peft.
@pytest.mark.filterwarnings("ignore:'pin_memory' argument", "ignore:.*is_gradient_checkpointing:FutureWarning")
@pytest.mark.long
@pytest.mark.parametrize("page", RUN)
def test_page_runs(page: str, tour: Path, tmp_path: Path) -> None:
    run_page(DOCS / page, tmp_path, tour if "go on from the [tour]" in (DOCS / page).read_text() else None)


@pytest.mark.long
def test_the_tour_runs(tour: Path) -> None:
    assert {"reviews.jsonl", "labels.csv", "my-model", "my-model-onnx"} <= {path.name for path in tour.iterdir()}


@pytest.mark.long
def test_site_is_strict_and_loads_nothing_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("material", reason="the extra docs is missing")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    build(load_config("mkdocs.yml", site_dir=str(tmp_path), strict=True))
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        loaded = re.findall(
            r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>", page.read_text()
        )
        assert not [tag for tag in loaded if "canonical" not in tag], page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", sheet.read_text()), sheet
    assert "usage: hfattnlstm predict" in (tmp_path / "reference" / "commands.html").read_text()


@pytest.mark.parametrize("place", ["hfattnlstm", "hfattnlstm.training", "hfattnlstm.deploy", "hfattnlstm.explain"])
def test_every_public_name_is_in_the_reference(place: str) -> None:
    pages = "\n".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    shown = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)$", pages, re.M)}
    module = importlib.import_module(place)
    assert not {*module.__all__} - {"__version__"} - shown


@cache
def flags(command: str) -> frozenset[str]:
    words = command.split()
    words = [*words, "--help-all"] if "--help-all" in help_of(*words) else words
    return frozenset(re.findall(r"--[\w-]+", help_of(*words))) | {"--help"}


@pytest.mark.parametrize("page", [ROOT / "README.md", *(DOCS / page for page in PAGES)], ids=lambda page: page.name)
def test_commands_and_their_flags_exist(page: Path) -> None:
    for line in command_lines(page):
        words = line.split()
        if words[1].startswith("--"):
            continue
        name = " ".join(words[1:3]) if words[1] == "forecast" else words[1]
        assert name in commands() or name == "COMMAND", line
        if "--task" in words:
            # Each task has flags of its own.
            name = f"{name} --task {words[words.index('--task') + 1]}"
        used = {word.partition("=")[0] for word in words if re.fullmatch(r"--[a-z][\w-]*(=.*)?", word)}
        assert not used - flags(name), line


def test_python_of_the_readme_is_valid() -> None:
    found = [block.code for block in blocks(ROOT / "README.md") if block.kind == "python"]
    assert len(found) > 1
    for code in found:
        compile(code, "README.md", "exec")


def test_links_of_the_readme_hold_on_pypi() -> None:
    links = re.findall(r"\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert not [link for link in links if not link.startswith(("https://", "#"))]


def test_marks_become_the_help_of_the_commands() -> None:
    page = on_page_markdown("# A\n\n<!-- help: export -->\n\n<!-- commands -->\n")
    assert page.count("usage: hfattnlstm export") == 2
    assert re.findall("^## (.*)$", page, re.M) == [f"hfattnlstm {name}" for name in commands()]
    fields = on_page_markdown("<!-- fields: AttnLSTMConfig -->").splitlines()
    assert "| `vocab_size` | `int` | `30000` |" in fields
    assert r"| `threshold` | `float \| int \| list[float \| int]` | `0.5` |" in fields


@pytest.mark.parametrize(
    ("wanted", "printed", "same"),
    [
        ("a 1.5 b", "a  27\nb\n", True),
        ("a\n…\nb", "a\nany\nthing\nb", True),
        ("positive … all", "positive 0.93 Not bad at all", True),
        ("a 1", "b 1", False),
        ("a 1", "a 1 more", False),
    ],
)
def test_what_a_page_shows_is_compared(wanted: str, printed: str, same: bool) -> None:
    assert alike(wanted, printed) is same


def test_a_wrong_page_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```bash\necho so\n```\n\n```text\nnot so\n```\n"
    )
    with pytest.raises(AssertionError, match=r"page.md:9 prints\nso"):
        run_page(page, tmp_path)
