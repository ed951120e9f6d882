"""The `hfattnlstm` command: each subcommand is a call of one function of the package."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from .._errors import EXIT_STOPPED, TrainingStoppedError
from .._extras import needs_extra
from .._parsing import SentenceParser, did_you_mean
from .._version import __version__
from .._wording import flags_in_sentences
from .mistakes import describe, is_foreseen
from .program import TRACEBACK_HELP
from .streams import abandon_output, flush_output, keep_descriptors


# Each is a function in the module of the same name, which takes the command line after its name; and what it does.
_COMMANDS = {
    "train": "train a model on your texts, measure it, and save it",
    "pretrain": "learn a language from texts without labels, for models to begin with",
    "distill": "train a small model on what a large one says",
    "forecast": "train a forecaster of time series, and forecast",
    "predict": "label texts, and shade the words by the attention on them",
    "explain": "say how much each word has to do with a label, and how far that can be trusted",
    "evaluate": "measure a model on labelled texts",
    "check": "look at labelled texts before training on them",
    "embed": "write the vectors of texts",
    "features": "turn pictures into features of their regions, by a vision model",
    "export": "write a model as one ONNX file",
    "quickstart": "train and explain on a small corpus, in a minute",
    "env": "show versions, processor and threads, for a report",
}
# What they log is a part of what they tell.
_WITH_LOG = ("train", "pretrain", "distill", "forecast", "check", "evaluate", "explain", "quickstart")
_DESCRIPTION = "Train and use small, explainable models of texts and time series."
_EXAMPLES = """Examples:
  hfattnlstm train --train_file reviews.csv --output_dir my-model
  hfattnlstm predict attnlstm-imdb "A fine film"
  hfattnlstm evaluate my-model reviews.csv
  hfattnlstm train --help"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        argv: The command line without the program's name; that of the process when it is None.

    Returns:
        The exit status: 0 on success; 2 after a mistake, which is told in one sentence on standard error; 1 after an
        error that nobody has foreseen; 75 when SIGTERM has stopped a training, which the same command goes on with;
        130 when it was interrupted.

    Raises:
        Exception: The mistake itself, with `--traceback`.

    Example:

    ```python
    >>> main(["predict", "my-model", "Not bad at all"])
    positive	0.9412	Not bad at all
    0
    ```
    """
    keep_descriptors()
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv:
        print(_parser().format_help(), file=sys.stderr)
        return 2
    # Until it is known that there is such a command.
    name, traceback = "", False
    try:
        parsed = _parser().parse_args(argv)
        _check_command(parsed.command)
        name = f" {parsed.command}"
        arguments, asked_after = _take_traceback(parsed.arguments)
        traceback = parsed.traceback or asked_after
        with needs_extra(), flags_in_sentences():
            status = _run(parsed.command, arguments, traceback)
        flush_output()
        return status
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough.
        abandon_output()
        return 0
    except KeyboardInterrupt:
        return 130
    except TrainingStoppedError as stop:
        print(f"hfattnlstm{name}: {stop}", file=sys.stderr)
        return EXIT_STOPPED
    except Exception as error:
        abandon_output()
        if traceback:
            raise
        print(f"hfattnlstm{name}: {describe(error)}", file=sys.stderr)
        return 2 if is_foreseen(error) else 1


def _parser() -> SentenceParser:
    width = max(map(len, _COMMANDS)) + 2
    commands = "\n".join(f"  {name:{width}}{line}" for name, line in _COMMANDS.items())
    parser = SentenceParser(
        "hfattnlstm",
        usage="hfattnlstm [--traceback] COMMAND ...",
        description=f"{_DESCRIPTION}\n\nCommands:\n{commands}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hfattnlstm {__version__}")
    parser.add_argument("--traceback", action="store_true", help=f"{TRACEBACK_HELP}; before or after the command")
    parser.add_argument("command", metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _check_command(name: str) -> None:
    if name not in _COMMANDS:
        mend = did_you_mean(name, _COMMANDS) or "; see hfattnlstm --help."
        raise ValueError(f"There is no command {name!r}{mend}")


def _take_traceback(arguments: list[str]) -> tuple[list[str], bool]:
    """The arguments without `--traceback`, and whether it was there; what follows a `--` is left alone."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--traceback"]
    return kept + arguments[end:], len(kept) < end


def _run(name: str, arguments: list[str], traceback: bool) -> int:
    """Call a subcommand, whose module is imported now: `--help` and mistakes should not wait for torch."""
    command: Callable[[list[str]], int] = getattr(importlib.import_module(f".{name}", __package__), name)
    if traceback or name in _WITH_LOG:
        return command(arguments)
    # Without the reports of transformers, which come before the sentence of a mistake and are many lines long.
    from ..data.progress import only_errors

    with only_errors():
        return command(arguments)
