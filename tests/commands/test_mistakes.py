"""What is said of an error."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from hfattnlstm.commands import main as command
from hfattnlstm.commands.main import main
from hfattnlstm.commands.mistakes import describe, is_foreseen


def caused() -> Exception:
    error = RuntimeError("could not save")
    error.__cause__ = OSError(errno.EDQUOT, "Disk quota exceeded")
    return error


def copied() -> OSError:
    error = OSError(errno.ENOSPC, "No space left on device", "source.py")
    error.filename2 = "model/source.py"
    return error


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "labels.csv"), " at labels.csv"),
        (OSError(errno.ENOSPC, "No space left on device"), ""),
        (OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"), ""),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), ""),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"), ""),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), ""),
        (caused(), ""),
        (copied(), " at model/source.py"),
    ],
    ids=["named", "unnamed", "pyarrow", "safetensors", "torch", "torch too", "caused", "copied"],
)
def test_a_full_disk_in_the_words_of_each_library(error: Exception, place: str) -> None:
    assert describe(error) == f"The disk is full{place}: make room there, and run the command again."
    assert is_foreseen(error)


def test_several_lines_are_one() -> None:
    assert describe(ValueError("one\n\n  two\n")) == "one two"
    long = describe(RuntimeError("word " * 1000))
    assert len(long) < 700 and long.endswith("… (--traceback shows all)")


def test_letters_that_the_terminal_does_not_know() -> None:
    with pytest.raises(UnicodeEncodeError) as raised:
        "größer".encode("ascii")
    assert describe(raised.value) == (
        "Standard output takes ascii only, which has no '\\xf6': set PYTHONIOENCODING=utf-8, or give --output."
    )


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (ValueError("A mistake."), 2, "A mistake."),
        (MemoryError(), 2, "There is not enough memory: take smaller batches, or fewer texts at once."),
        (
            KeyError("f1"),
            1,
            "An error that was not foreseen, KeyError: 'f1'. Please report it, with what --traceback shows.",
        ),
        (
            AssertionError(),
            1,
            "An error that was not foreseen, AssertionError. Please report it, with what --traceback shows.",
        ),
    ],
    ids=["mistake", "memory", "key", "assertion"],
)
def test_every_error_is_a_sentence(
    error: Exception,
    status: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(command, "_run", fail)
    assert main(["predict", "my-model"]) == status
    assert capsys.readouterr() == ("", f"hfattnlstm predict: {sentence}\n")
    with pytest.raises(type(error)):
        main(["--traceback", "predict", "my-model"])


@pytest.mark.parametrize("name", ["train", "predict", "export", "quickstart"])
def test_every_help_shows_the_flag(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert "--traceback" in capsys.readouterr().out


def test_flags_are_named_only_within_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hfattnlstm._wording import option

    assert main(["train", "--train_file", str(tmp_path / "nowhere.csv"), "--output_dir", str(tmp_path / "m")]) == 2
    assert option("text_column") == "text_column="
