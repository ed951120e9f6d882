"""Where a model is loaded from: a path never touches the network, and what goes wrong is one sentence."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError

from hfattnlstm._places import loading_from


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, one that holds another, and no network."""

    def refuse(*_: object) -> None:
        raise AssertionError("A path touched the network.")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    # Deeper than the folders of other tests, which hold models, too.
    place = tmp_path / "deeper" / "here"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv("HOME", str(place))
    for folder in ("my-model", "outputs/quickstart"):
        Path(folder).mkdir(parents=True)
        Path(folder, "config.json").write_text("{}")
    Path("empty").mkdir()
    return place


def sentence(name: str, error: Exception | None = None, what: str = "model") -> str:
    with pytest.raises((OSError, ValueError)) as raised, loading_from(name, what):
        assert error is not None, "It was not refused."
        raise error
    return str(raised.value)


def test_a_folder_and_a_name_of_the_hub_are_loaded(here: Path) -> None:
    for name, place in (
        ("my-model", "my-model"),
        ("~/my-model", str(here / "my-model")),
        ("owner/name", "owner/name"),
    ):
        with loading_from(name) as found:
            assert found == place


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./my-modle", "There is no folder ./my-modle: did you mean my-model?"),
        ("/nowhere/my-model", "There is no folder /nowhere/my-model: check its name."),
        ("../my-model", "There is no folder ../my-model: check its name."),
        ("outputs/quikstart/last", "There is no folder outputs/quikstart/last: check its name."),
        ("./outptus/quickstart", "There is no folder ./outptus/quickstart: did you mean outputs/quickstart?"),
        ("my model", "There is no folder my model: did you mean my-model?"),
        ("my-model/config.json", "my-model/config.json is a file: give the folder of the model."),
        ("", "The name of the model is empty: give a folder, or a name on the Hub."),
        (
            "outputs",
            "The folder outputs holds no model, for it has no config.json: did you mean outputs/quickstart?",
        ),
        (
            "empty",
            "The folder empty holds no model, for it has no config.json: give the folder that a model was saved in.",
        ),
    ],
)
def test_a_path_is_never_looked_for_on_the_hub(name: str, expected: str) -> None:
    assert sentence(name) == expected


def test_a_number_of_a_token_that_would_fill_the_memory(tmp_path: Path) -> None:
    """tokenizers takes some bytes for each number up to the largest, and ends the process where it gets none."""
    (tmp_path / "config.json").write_text("{}")
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "WordLevel", "vocab": {"a": 0, "\\": 123456789": 1}}}')
    with loading_from(tmp_path):
        pass
    path.write_text('{"model": {"type": "WordLevel", "vocab": {"a": 0, "b": 2147483648}}}')
    sentence = r"tokenizer.json is damaged \(a token has the number 2147483648\)"
    with pytest.raises(ValueError, match=sentence), loading_from(tmp_path):
        raise AssertionError("It must not be loaded.")


def test_a_home_is_replaced(here: Path) -> None:
    assert sentence("~/my-modle") == f"There is no folder ~/my-modle: did you mean {here / 'my-model'}?"


def test_what_is_nowhere_is_told_with_what_is_nearly_called_so() -> None:
    error = OSError("We couldn't connect to 'https://huggingface.co'\nCheck your internet connection")
    error.__cause__ = OfflineModeIsEnabled("offline")
    where = "and the Hub, where it might be, cannot be reached"
    assert sentence("my-modle", error) == f"There is no folder my-modle, {where}: did you mean my-model?"
    assert sentence("other/thing", error) == f"There is no folder other/thing, {where}: check its name."
    error = OSError("my-modle is not a local folder\nand is not a valid model identifier")
    error.__cause__ = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    where = "and no model of that name on the Hub"
    assert sentence("my-modle", error) == f"There is no folder my-modle, {where}: did you mean my-model?"


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", b'{"model_type":\n', "no JSON in line 2"),
        ("config.json", b"[1]", "no JSON object"),
        ("config.json", b"\xff\xfe{}", "no UTF-8 text"),
        ("tokenizer.json", b"", "no JSON in line 1"),
        ("tokenizer.json", b"{}", "Model missing"),
        ("tokenizer_config.json", b"{", "no JSON in line 1"),
        ("model.safetensors.index.json", b"{", "no JSON in line 1"),
        ("model.safetensors", b"garbage, no weights", "Error while deserializing header"),
        ("model-00001-of-00002.safetensors", b"", "Error while deserializing header"),
    ],
)
def test_the_damaged_file_is_named(file: str, content: bytes, reason: str) -> None:
    Path("my-model", file).write_bytes(content)
    # Whatever the libraries below say.
    told = sentence("my-model", KeyError("added_tokens"))
    assert told.startswith(f"The file my-model/{file} is damaged ({reason}")
    assert told.endswith("): save or download it again.")


def test_results_beside_a_model_are_not_to_blame() -> None:
    Path("my-model", "all_results.json").write_text("{")
    assert sentence("my-model", ValueError("A reason.")) == "The model in my-model cannot be loaded: A reason."


def test_missing_files_are_named() -> None:
    assert sentence("my-model", OSError("Error no file named model.safetensors found")) == (
        "The folder my-model has no weights, such as model.safetensors: save them again."
    )
    assert sentence("my-model", OSError("Couldn't instantiate"), "tokenizer") == (
        "The folder my-model has no tokenizer, such as tokenizer.json: copy that of the model there."
    )


def test_long_reasons_are_one_short_line() -> None:
    Path("my-model", "tokenizer_config.json").write_text(json.dumps({}))
    told = sentence("my-model", ValueError("a\nb\n" * 500))
    assert "\n" not in told and len(told) < 400


def test_an_interruption_passes() -> None:
    with pytest.raises(KeyboardInterrupt), loading_from("my-model"):
        raise KeyboardInterrupt


def test_a_hub_without_an_address_is_not_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(urllib.request, "getproxies", dict)

    def lookup(host: str, port: object) -> None:
        assert host == "hub.invalid"
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    sentence = "There is no folder nowhere, and the Hub, where it might be, cannot be reached"
    with pytest.raises(OSError, match=sentence), loading_from("nowhere"):
        pytest.fail("It was tried.")
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://proxy"})
    with loading_from("nowhere") as place:
        assert place == "nowhere"
