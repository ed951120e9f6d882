"""`python -m benchmarks biases`: one table of what a classifier of opinions makes of small differences."""

# ruff: noqa: T201
from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import pipeline

from hfattnlstm._places import loading_from
from hfattnlstm.data.progress import no_progress_bars

from ..output import Files, Parser, add_files, default_threads, hush, make_record
from ..table import Table, as_text
from .measure import Classifier, group_table, negation_table


DESCRIPTION = """Show how a classifier of opinions on films answers sentences that differ in one thing alone.

A name or a group in the sentence should not change the label; a negation should; a long text without opinions around
an opinion should not.
"""


def main(argv: Sequence[str]) -> int:
    """Print and write the tables; 0 on success, 2 after a mistake.

    Args:
        argv: What follows `python -m benchmarks biases`.
    """
    parser = Parser("python -m benchmarks biases", description=DESCRIPTION)
    parser.add_argument("model", help="folder or Hub name of a text classifier with a label for praise")
    parser.add_argument("--label", help="the label for praise; pos, positive or LABEL_1 without")
    parser.add_argument("--threads", type=int, default=default_threads(), help="threads of torch")
    add_files(parser)
    parsed = parser.parse_args(argv)
    files = Files(parsed.json, parsed.markdown)
    if mistake := files.mistake():
        parser.error(mistake)
    if parsed.threads <= 0:
        parser.error(f"--threads must be above 0, got {parsed.threads}.")
    hush()
    torch.set_num_threads(parsed.threads)
    try:
        with no_progress_bars(), loading_from(parsed.model) as place:
            found = pipeline("text-classification", model=place, top_k=None, device="cpu")
        classifier = Classifier(found, parsed.label)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    record = make_record(["biases", *argv])
    tables: list[Table] = [group_table(classifier), negation_table(classifier)]
    files.write(record, tables)
    print("\n" + "\n\n".join(map(as_text, tables)) + "\n", flush=True)
    return 0
