"""What is published: the metadata, and what the wheel and the source distribution hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from hfattnlstm._version import __version__


ROOT = Path(__file__).parents[1]
MOST_BYTES = 45 * 2**20
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# What a person needs to test, to measure and to build the site, beside the package.
SOURCES = (
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "constraints.txt", "mkdocs.yml"),
    *(".ci/run", "benchmarks", "docs", "examples", "model_cards", "scripts", "tests"),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source distribution, made by the setuptools of this environment."""
    pytest.importorskip("build", reason="build is missing: it is in the extra dev")
    pytest.importorskip("setuptools", reason="setuptools is missing, which builds the package")
    folder = tmp_path_factory.mktemp("dist")
    # A copy, for setuptools writes beside the sources.
    sources = tmp_path_factory.mktemp("sources") / "hfattnlstm"
    unwanted = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info", "build", "dist", "outputs", "site")
    shutil.copytree(ROOT, sources, ignore=unwanted)
    _python("-m", "build", "--no-isolation", "--outdir", str(folder), str(sources))
    return folder


def _python(*arguments: str, folder: Path = ROOT) -> str:
    """What a Python prints that does not see this checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_metadata_is_complete() -> None:
    assert PROJECT["readme"] == "README.md" and PROJECT["license"] == "Apache-2.0"
    assert PROJECT["urls"] and all(url.startswith("https://") for url in PROJECT["urls"].values())
    topics = {name.partition(" :: ")[0] for name in PROJECT["classifiers"]}
    assert topics >= {
        "Development Status",
        "Environment",
        "Intended Audience",
        "Programming Language",
        "Topic",
        "Typing",
    }


def test_versions_of_python_agree() -> None:
    least = re.search(r">=3\.(\d+)", PROJECT["requires-python"])[1]
    named = [name for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert min(int(name.rpartition(".")[2]) for name in named) == int(least)


@pytest.mark.long
def test_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    recipes = {f"hfattnlstm/recipes/{path.name}" for path in (ROOT / "hfattnlstm" / "recipes").iterdir()}
    assert {"hfattnlstm/py.typed", "hfattnlstm/data/reviews/reviews.jsonl", *recipes} <= set(names) and recipes
    assert {name.partition("/")[0] for name in names} == {"hfattnlstm", f"hfattnlstm-{__version__}.dist-info"}
    released = {name for name in names if name.startswith("hfattnlstm/released/")}
    assert len([name for name in {*names} - released if name.endswith(".py")]) == len(
        list((ROOT / "hfattnlstm").rglob("*.py"))
    )
    cards = ROOT / "model_cards"
    files = [path for path in cards.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert released == {f"hfattnlstm/released/{path.relative_to(cards).as_posix()}" for path in files}
    assert wheel.stat().st_size <= MOST_BYTES


@pytest.mark.long
def test_released_models_are_found_in_a_wheel(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import hfattnlstm, sys; from hfattnlstm.commands.main import main;"
        "print(hfattnlstm.released_model('attnlstm-imdb'));"
        "sys.exit(main(['predict', 'attnlstm-imdb', 'A wonderful film.']))"
    )
    lines = _python("-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}", folder=tmp_path).splitlines()
    assert lines[0] == str(tmp_path / "hfattnlstm" / "released" / "attnlstm-imdb")
    assert lines[1].startswith("pos\t")


@pytest.mark.long
def test_source_distribution_holds_all_sources(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    for wanted in SOURCES:
        below = [path for path in (ROOT / wanted).rglob("*") if path.is_file() and path.suffix not in (".pyc", "")]
        for path in below or [ROOT / wanted] * (ROOT / wanted).is_file():
            assert str(path.relative_to(ROOT)) in names, path
    assert not [name for name in names if name.endswith(".pyc") or name.startswith(("site/", ".venv/"))]


@pytest.mark.long
def test_its_tests_can_be_collected_and_run(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    (sources,) = tmp_path.iterdir()
    run = ("-m", "pytest", "-n", "0", "-p", "no:cacheprovider")
    assert "tests collected" in _python(*run, "--collect-only", folder=sources)
    assert "passed" in _python(*run, "-v", "tests/test_wording.py", "tests/test_files.py", folder=sources)


@pytest.mark.long
def test_twine_takes_them(built: Path) -> None:
    pytest.importorskip("twine", reason="twine is missing: it is in the extra dev")
    printed = _python("-m", "twine", "check", "--strict", *(str(path) for path in built.iterdir()))
    assert printed.count("PASSED") == 2
