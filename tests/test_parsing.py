"""What is wrong with a command line, in one sentence."""

from __future__ import annotations

import pytest

from hfattnlstm._parsing import SentenceParser, did_you_mean


@pytest.fixture
def parser() -> SentenceParser:
    parser = SentenceParser("tool")
    parser.add_argument("model")
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--count", "--number", type=int)
    parser.add_argument("--share", type=float)
    parser.add_argument("--kind", choices=("a", "b"))
    parser.add_argument("--loud", action="store_true")
    return parser


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "model is missing; see tool --help."),
        (["m", "--count", "x"], "--count takes a whole number, got 'x'; see tool --help."),
        (["m", "--number", "1.5"], "--count takes a whole number, got '1.5'; see tool --help."),
        (["m", "--share", "half"], "--share takes a number, got 'half'; see tool --help."),
        (["m", "--count"], "--count needs a value; see tool --help."),
        (["m", "--loud=yes"], "--loud takes no value, got 'yes'; see tool --help."),
        (["m", "--knd", "a"], "There is no flag --knd: did you mean '--kind'?"),
        (["m", "--knd=a"], "There is no flag --knd: did you mean '--kind'?"),
        (["m", "--xyz"], "There is no flag --xyz; see tool --help."),
    ],
)
def test_each_mistake_is_a_sentence(
    parser: SentenceParser, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError) as error:
        parser.parse_args(words)
    assert str(error.value) == sentence
    printed = capsys.readouterr()
    assert not printed.out and not printed.err


def test_what_a_flag_of_several_values_can_swallow_belongs_before_it(parser: SentenceParser) -> None:
    parser.add_argument("--column", nargs="+")
    with pytest.raises(ValueError, match=r"^model is missing: give it first, before the flags; see tool --help\.$"):
        parser.parse_args(["--column", "text", "my-model"])


def test_a_choice_that_there_is_not(parser: SentenceParser) -> None:
    # Python 3.13 writes the choices without quotation marks.
    with pytest.raises(ValueError, match=r"^--kind takes one of '?a'?, '?b'?, got 'c'; see tool --help\.$"):
        parser.parse_args(["m", "--kind", "c"])


def test_what_belongs_to_no_flag() -> None:
    parser = SentenceParser("tool")
    with pytest.raises(ValueError, match=r"^There is one argument too many, 'extra'; see tool --help\.$"):
        parser.parse_args(["extra"])


def test_a_beginning_of_several_flags(parser: SentenceParser) -> None:
    parser.add_argument("--shape")
    with pytest.raises(ValueError, match=r"^--sha is the beginning of several flags: --share, --shape; see"):
        parser.parse_args(["m", "--sha", "1"])


def test_the_nearest_name() -> None:
    assert did_you_mean("trian", ["train", "predict"]) == ": did you mean 'train'?"
    assert did_you_mean("xyz", ["train", "predict"]) == ""
