"""The `hfattnlstm` command: each subcommand is a call of one function of the package."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .._extras import needs_extra
from .._version import __version__


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
        The exit status: 0 on success, 2 after a mistake, which is told in one sentence on standard error.

    Raises:
        Exception: The mistake itself, with `--traceback`.

    Example:

    ```python
    >>> main(["predict", "my-model", "Not bad at all"])
    positive	0.9412	Not bad at all
    0
    ```
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parsed = _parser().parse_args(argv)
    arguments, asked_after = _take_traceback(parsed.arguments)
    try:
        with needs_extra():
            return _COMMANDS[parsed.command](arguments)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ImportError, OSError, ValueError, TypeError, RuntimeError) as error:
        if parsed.traceback or asked_after:
            raise
        print(f"hfattnlstm {parsed.command}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "hfattnlstm", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"hfattnlstm {__version__}")
    parser.add_argument(
        "--traceback",
        action="store_true",
        help="show Python's traceback of a mistake, not one sentence; before or after the command",
    )
    parser.add_argument("command", choices=_COMMANDS, metavar="command", help=", ".join(_COMMANDS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see hfattnlstm COMMAND --help")
    return parser


def _take_traceback(arguments: list[str]) -> tuple[list[str], bool]:
    """The arguments without `--traceback`, and whether it was there; what follows a `--` is left alone."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--traceback"]
    return kept + arguments[end:], len(kept) < end


def _train(arguments: list[str]) -> int:
    # The subcommands import what they need: `--help` and mistakes should not wait for torch.
    from ..training import parse_task, run_task

    run = run_task(parse_task(arguments, "hfattnlstm train"))
    if run.trainer.is_world_process_zero():
        print(f"\n{run.report()}\n\nSaved in {run.trainer.args.output_dir}")
    return 0


def _predict(arguments: list[str]) -> int:
    from .predict import predict

    return predict(arguments)


def _export(arguments: list[str]) -> int:
    from .export import export

    return export(arguments)


def _quickstart(arguments: list[str]) -> int:
    from .quickstart import quickstart

    return quickstart(arguments)


_COMMANDS = {"train": _train, "predict": _predict, "export": _export, "quickstart": _quickstart}


if __name__ == "__main__":
    sys.exit(main())
