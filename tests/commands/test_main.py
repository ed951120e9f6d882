"""The command line around the subcommands: mistakes in one sentence, or with Python's traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from hfattnlstm.commands.main import _COMMANDS, main


MISTAKE = ["predict", "nowhere", "good", "--file", "texts.txt"]
SENTENCE = "Give texts or --file, not both."


def test_a_mistake_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(MISTAKE) == 2
    printed = capsys.readouterr()
    assert printed.err == f"hfattnlstm predict: {SENTENCE}\n" and not printed.out


@pytest.mark.parametrize("argv", [["--traceback", *MISTAKE], [*MISTAKE, "--traceback"]], ids=["before", "after"])
def test_traceback_shows_the_mistake_itself(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=rf"^{SENTENCE}$"):
        main(argv)
    assert not capsys.readouterr().err


def test_traceback_of_training(tmp_path: Path) -> None:
    arguments = ["--train_file", str(tmp_path / "nowhere.csv"), "--output_dir", str(tmp_path / "model")]
    assert main(["train", *arguments]) == 2
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        main(["train", "--traceback", *arguments])


def test_a_text_after_two_dashes_is_no_flag(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(checkpoint), "--", "--traceback"]) == 0
    assert capsys.readouterr().out.endswith("\t--traceback\n")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["nosuch"], "There is no command 'nosuch'; see hfattnlstm --help."),
        (["trian", "--lr", "1"], "There is no command 'trian': did you mean 'train'?"),
        (["--tracebak", "train"], "There is no flag --tracebak: did you mean '--traceback'?"),
        (["--traceback"], "COMMAND is missing; see hfattnlstm --help."),
    ],
)
def test_a_wrong_command_is_one_sentence(argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.err == f"hfattnlstm: {sentence}\n" and not printed.out


def test_no_command_is_answered_by_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    printed = capsys.readouterr()
    assert "Commands:\n  train" in printed.err and not printed.out


@pytest.mark.parametrize("name", _COMMANDS)
def test_an_unknown_flag_of_every_command_is_one_sentence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--no_such_flag_here"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"hfattnlstm {name}: ") and printed.err.count("\n") == 1 and not printed.out


def test_the_help_has_a_line_for_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for name, line in _COMMANDS.items():
        assert f"  {name} " in shown and line in shown


def test_help_shows_the_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "--traceback" in capsys.readouterr().out
