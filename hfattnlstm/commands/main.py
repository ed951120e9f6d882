"""The `hfattnlstm` command: each subcommand is a call of one function of the package."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .._version import __version__


_DESCRIPTION = """Train and use small, explainable text classifiers.

  hfattnlstm train --dataset stanfordnlp/imdb --output_dir imdb-model
  hfattnlstm predict imdb-model "Not bad at all"
  hfattnlstm export imdb-model --int8
  hfattnlstm quickstart
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; 0 on success, 2 after a mistake that is told in one sentence on standard error."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        "hfattnlstm", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"hfattnlstm {__version__}")
    commands = {"train": _train, "predict": _predict, "export": _export, "quickstart": _quickstart}
    parser.add_argument("command", choices=commands, metavar="command", help=", ".join(commands))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see hfattnlstm COMMAND --help")
    parsed = parser.parse_args(argv)
    try:
        return commands[parsed.command](parsed.arguments)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ImportError, OSError, ValueError, TypeError, RuntimeError) as error:
        if os.environ.get("HFATTNLSTM_TRACEBACK"):
            raise
        print(f"hfattnlstm {parsed.command}: {error}", file=sys.stderr)
        return 2


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


if __name__ == "__main__":
    sys.exit(main())
