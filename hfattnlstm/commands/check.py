"""`hfattnlstm check`: what a file of labelled texts holds, before anything is learnt from it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from .._extras import needs_extra
from .._files import check_writable, same_file
from .._parsing import SentenceParser
from ..data.progress import no_progress_bars
from ..modeling.configuration_base import PROBLEM_TYPES
from .options import check_at_least
from .outputs import report_is_printed, write_json
from .program import add_traceback


# As many as summarize_texts lists, which `--help` does not wait for.
_SUSPECTS = 5


def check(arguments: Sequence[str]) -> int:
    """Print what a file of labelled texts holds, and what is odd about it.

    Args:
        arguments: The command line after `hfattnlstm check`; see its `--help`.

    Returns:
        The exit status: 0 unless the file cannot be used.

    Raises:
        ImportError: Without the extra `train`.
        OSError: For a file that cannot be read or written.
        ValueError: For a file that cannot be learnt from.

    Example:

    ```python
    >>> check(["reviews.csv", "--output", "summary.json"])
    texts: text  labels: label
    ...
    0
    ```
    """
    parsed = _parser().parse_args(arguments)
    check_at_least(parsed, suspects=0)
    source = _source(parsed)
    _check_output(parsed)
    with needs_extra("hfattnlstm check"):
        from ..data.summary import summarize_texts
        from .data_report import print_summary
    with no_progress_bars():
        summary = summarize_texts(
            source,
            text_column=parsed.text_column,
            label_column=parsed.label_column,
            problem_type=parsed.problem_type,
            config_name=parsed.dataset_config,
            most_suspects=parsed.suspects,
        )
    if report_is_printed(parsed.output):
        print_summary(summary)
    if parsed.output is not None:
        write_json(parsed.output, {"file": parsed.file} | summary.to_dict())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        "hfattnlstm check",
        description="Look at labelled texts before training on them. Nothing is written unless asked for.",
    )
    parser.add_argument("file", help="csv, tsv, json lines or parquet file, folder or Hub name, with texts and labels")
    parser.add_argument("--validation_file", help="file with the validation texts, if they are in one of their own")
    parser.add_argument("--test_file", help="file with the test texts, if they are in one of their own")
    parser.add_argument(
        "--text_column", nargs="+", help="column with the texts, or several that are read together; found without"
    )
    parser.add_argument("--label_column", help="column with the labels; found by its name without")
    parser.add_argument("--problem_type", choices=PROBLEM_TYPES, help="what the labels are; seen from them without")
    parser.add_argument("--dataset_config", help="configuration of the data set, where it has several")
    parser.add_argument(
        "--suspects",
        type=int,
        default=_SUSPECTS,
        help=f"how many labels that may be wrong are listed; {_SUSPECTS} without",
    )
    parser.add_argument("--output", metavar="FILE.json", help="file to write all of it to")
    add_traceback(parser)
    return parser


def _source(parsed: argparse.Namespace) -> str | Mapping[str, str]:
    others = {"validation": parsed.validation_file, "test": parsed.test_file}
    files = {name: path for name, path in others.items() if path is not None}
    return {"train": parsed.file} | files if files else parsed.file


def _check_output(parsed: argparse.Namespace) -> None:
    if parsed.output is None:
        if sys.stdout is None:
            raise ValueError("Standard output is closed, and the summary would be lost: name a file by --output.")
        return
    check_writable(parsed.output)
    others = {f"--{name}": getattr(parsed, name) for name in ("validation_file", "test_file")}
    for name, path in {"the file": parsed.file, **others}.items():
        if path is not None and same_file(parsed.output, path):
            raise ValueError(f"--output {parsed.output} is {name} with the texts: write to another one.")
