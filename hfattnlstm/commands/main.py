"""The `hfattnlstm` command: each subcommand is a call of one function of the package."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from .._extras import needs_extra
from .._version import __version__
from .._wording import flags_in_sentences
from .mistakes import describe, is_foreseen
from .program import TRACEBACK_HELP
from .streams import abandon_output, flush_output, keep_descriptors


_DESCRIPTION = """Train and use small, explainable text classifiers.

  hfattnlstm train --dataset stanfordnlp/imdb --output_dir imdb-model
  hfattnlstm predict imdb-model "Not bad at all"
  hfattnlstm export imdb-model --int8
  hfattnlstm quickstart
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        argv: The command line without the program's name; that of the process when it is None.

    Returns:
        The exit status: 0 on success; 2 after a mistake, which is told in one sentence on standard error; 1 after an
        error that nobody has foreseen; 130 when it was interrupted.

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
    parsed = _parser().parse_args(argv)
    arguments, asked_after = _take_traceback(parsed.arguments)
    traceback = parsed.traceback or asked_after
    try:
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
    except Exception as error:
        abandon_output()
        if traceback:
            raise
        print(f"hfattnlstm {parsed.command}: {describe(error)}", file=sys.stderr)
        return 2 if is_foreseen(error) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "hfattnlstm", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"hfattnlstm {__version__}")
    parser.add_argument(
        "--traceback",
        action="store_true",
        help=f"{TRACEBACK_HELP}; before or after the command",
    )
    parser.add_argument("command", choices=_COMMANDS, metavar="command", help=", ".join(_COMMANDS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see hfattnlstm COMMAND --help")
    return parser


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
    from .quiet import only_errors

    with only_errors():
        return command(arguments)


# Each is a function in the module of the same name; it takes the command line after its name.
_COMMANDS = ("train", "predict", "embed", "export", "quickstart", "env")
# What they log is a part of what they tell.
_WITH_LOG = ("train", "quickstart")


if __name__ == "__main__":
    sys.exit(main())
