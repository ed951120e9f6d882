"""`hfattnlstm explain`: how much each word has to do with the label of a text, and how far that can be trusted."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from tqdm import tqdm
from transformers import PretrainedConfig
from transformers.utils import logging

from .._extras import needs_extra
from .._files import written_beside
from .._parsing import SentenceParser
from ..data.marks import RATIONALE
from ..data.problem_types import label_names_of, problem_type_of
from ..data.progress import no_progress_bars
from ..data.text_lines import LINES_ENDING, ending_of
from ..deploy.onnx_model import is_onnx
from ..explain import Agreement, Explainer, Explanation
from ..explain.attribution import DEFAULT_METHOD, METHODS, UNSIGNED
from ..explain.report import ExplanationReport
from ..modeling.configuration_base import SINGLE_LABEL
from ..modeling.pipeline_text_classification import LEVELS, PROGRESS_DELAY
from .alignment_map import explain_writing
from .context_map import ENDINGS as PICTURES
from .context_map import check_context_map, draw_context_map, is_context_map
from .explained_texts import print_explanations
from .inputs import check_inputs, is_file, read_inputs
from .models import has_attention, is_tagger, load_config, load_model, load_tokenizer, writes_texts
from .options import add_model, add_text_column, check_at_least
from .outputs import check_output
from .program import add_traceback
from .region_map import check_region_map, explain_picture
from .terminal import is_terminal
from .text_files import chosen_columns


logger = logging.get_logger(__name__)

# Texts whose faithfulness is measured, and with which method where the model has no attention pooling.
_MEASURED = 200
_WITHOUT_ATTENTION = "gradient_x_input"
_ENDINGS = (".html", ".jsonl", *PICTURES)


class _Texts(NamedTuple):
    """What is explained: texts or rows of texts, their labels, where these are known, and what is marked in them."""

    texts: list[Any]
    labels: list[str] | None = None
    # Start and end of what people have marked.
    marked: list[list[list[int]]] | None = None


def explain(arguments: Sequence[str]) -> int:
    """Explain what a model says of texts, and print or write that.

    Args:
        arguments: The command line after `hfattnlstm explain`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        ImportError: Without the extra that a method or a table needs.
        OSError: For a model or a file that cannot be read or written.
        ValueError: For a file or a flag that cannot be used.

    Example:

    ```python
    >>> explain(["my-model", "reviews.csv", "--faithfulness_samples", "0", "--output", "report.html"])
    Wrote report.html: 48 texts
    0
    ```
    """
    parser = _parser()
    parsed = parser.parse_intermixed_args(arguments)
    # All that can be wrong is told before the model is loaded, which takes long.
    _check_flags(parsed, parser)
    if parsed.image is not None:
        explain_picture(parsed)
        return 0
    config = load_config(parsed.model, parsed.trust_remote_code)
    if writes_texts(config):
        explain_writing(parsed, parser, config)
        return 0
    if is_context_map(parsed.output):
        draw_context_map(parsed, config)
        return 0
    if is_tagger(config):
        raise ValueError(
            f"{parsed.model} tags words, and labels no texts: name a text classifier, or an --output that ends in "
            ".png for the attention between the words."
        )
    named = chosen_columns(parsed.model, parsed.text_column, getattr(config, "text_columns", None))
    method = _method(parsed, config)
    with no_progress_bars():
        given = _read(parsed, config, named)
        if not given.texts:
            raise ValueError("There are no texts: give some, or a file or standard input that has them.")
        model = load_model(parsed.model, config, parsed.trust_remote_code)
        tokenizer = load_tokenizer(parsed.model, parsed.trust_remote_code)
    explainer = Explainer(model, tokenizer, method, seed=parsed.seed)
    count = len(given.texts)
    found = explainer(given.texts, [parsed.target] * count, _measured(parsed, count))
    found = _with_bar(found, count, parsed)
    agreement = None
    if given.marked is not None:
        agreement = Agreement(parsed.seed)
        found = agreement.watch(found, given.marked)
    if parsed.output is None:
        print_explanations(found, method not in UNSIGNED, sys.stdout)
    else:
        _write(found, given, parsed, method, agreement)
    if agreement is not None:
        print(agreement.sentence())  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        "hfattnlstm explain",
        description="Say how much each word has to do with the label of a text, and how far that can be trusted.",
    )
    add_model(parser)
    parser.add_argument(
        "texts",
        nargs="*",
        help="one file, or texts, of a model for pairs two for each answer; without them --file, or lines of standard "
        "input",
    )
    parser.add_argument("--file", help="csv, tsv, json lines or parquet file, or a .txt file with a text a line")
    add_text_column(parser)
    parser.add_argument(
        "--label_column", help="column with the labels, for the mistakes in the report; found by its name without"
    )
    parser.add_argument(
        "--rationale_column",
        help="column with the words that people have marked, to measure how well the weights agree with them",
    )
    parser.add_argument(
        "--output",
        help="file to write: a report as .html, .jsonl with a line a text, or, as .png or .svg, a picture of how much "
        "of each word every other word takes in the context layers, or, with --image, of where each word looks",
    )
    parser.add_argument("--image", help="picture that belongs to the text, of a model that reads both")
    parser.add_argument(
        "--method",
        choices=tuple(METHODS),
        help=f"how the weights are found; {DEFAULT_METHOD} without, where the model has attention",
    )
    parser.add_argument("--target", help="label to explain; that which the model gives without")
    parser.add_argument("--level", choices=LEVELS, help="what .jsonl has weights for; word without")
    parser.add_argument(
        "--faithfulness_samples",
        type=int,
        default=_MEASURED,
        help=f"of how many texts it is measured how far the weights can be trusted, chosen at random; {_MEASURED} "
        "without, 0 for none",
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is chosen at random; 0 without")
    parser.add_argument("--trust_remote_code", action="store_true", help="run the code in the checkpoint")
    add_traceback(parser)
    return parser


def _check_flags(parsed: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    check_at_least(parsed, faithfulness_samples=0, seed=0)
    if parsed.file is None and len(parsed.texts) == 1 and is_file(parsed.texts[0]):
        parsed.file, parsed.texts = parsed.texts[0], []
    check_inputs(parsed)
    ending = "" if parsed.output is None else Path(parsed.output).suffix.lower()
    if parsed.output is not None and ending not in _ENDINGS:
        raise ValueError(f"--output {parsed.output!r} must end in one of {', '.join(_ENDINGS)}.")
    if parsed.image is not None:
        check_region_map(parsed, parser)
    elif is_context_map(parsed.output):
        check_context_map(parsed, parser)
    if parsed.level is not None and ending != ".jsonl":
        raise ValueError("--level is for what is written as .jsonl: leave it out, or name such an --output.")
    if parsed.label_column is not None and (ending != ".html" or not _is_table(parsed)):
        raise ValueError("--label_column is for the report of a table, an --output that ends in .html: leave it out.")
    if parsed.rationale_column is not None and not _is_table(parsed):
        raise ValueError("--rationale_column names a column, and needs a --file that is a table: add it.")
    check_output(parsed, ending.removeprefix("."))
    if is_onnx(parsed.model):
        raise ValueError(
            f"{parsed.model} was exported, and can only be asked for labels: name the model that it was exported from."
        )


def _is_table(parsed: argparse.Namespace) -> bool:
    return parsed.file is not None and ending_of(Path(parsed.file)) != LINES_ENDING


def _method(parsed: argparse.Namespace, config: PretrainedConfig) -> str:
    if parsed.method is not None:
        return parsed.method
    if has_attention(config):
        return DEFAULT_METHOD
    logger.warning("%s has no attention pooling, and --method %s is taken.", parsed.model, _WITHOUT_ATTENTION)
    return _WITHOUT_ATTENTION


def _read(parsed: argparse.Namespace, config: PretrainedConfig, named: Sequence[str] | None) -> _Texts:
    columns = getattr(config, "text_columns", None)
    if not _is_table(parsed):
        return _Texts(list(read_inputs(parsed, columns)))
    with needs_extra(f"The file {parsed.file}"):
        from ..data.labelled_texts import load_texts_and_any_labels
    names, problem = label_names_of(config), problem_type_of(config)
    options = {"text_column": named, "label_column": parsed.label_column, "rationale_column": parsed.rationale_column}
    data = load_texts_and_any_labels(parsed.file, problem, names, **options).data
    texts = [tuple(text) if columns is not None else text for text in data["text"][:]]
    marked = data[RATIONALE][:] if RATIONALE in data.column_names else None
    if "label" not in data.column_names or problem != SINGLE_LABEL:
        return _Texts(texts, marked=marked)
    return _Texts(texts, [names[label] for label in data["label"][:]], marked)


def _measured(parsed: argparse.Namespace, count: int) -> list[bool]:
    """Of which texts it is measured how far the weights can be trusted."""
    chosen = set(random.Random(parsed.seed).sample(range(count), min(parsed.faithfulness_samples, count)))
    return [index in chosen for index in range(count)]


def _with_bar(found: Iterator[Explanation], total: int, parsed: argparse.Namespace) -> Iterator[Explanation]:
    """The same, with a bar on the terminal for work that takes longer than two seconds, unless they appear there."""
    hidden = sys.stderr is None or (parsed.output is None and is_terminal(sys.stdout))
    yield from tqdm(found, total=total, disable=True if hidden else None, delay=PROGRESS_DELAY, unit="text")


def _write(
    found: Iterator[Explanation],
    given: _Texts,
    parsed: argparse.Namespace,
    method: str,
    agreement: Agreement | None,
) -> None:
    with written_beside(parsed.output) as unfinished, open(unfinished, "a", encoding="utf-8", newline="") as stream:
        if Path(parsed.output).suffix.lower() == ".jsonl":
            _write_lines(found, stream, parsed.level or "word")
        else:
            report = ExplanationReport(parsed.model, method, seed=parsed.seed, agreement=agreement)
            for explanation, truth in zip(found, given.labels or [None] * len(given.texts)):
                report.add(explanation, truth)
            stream.write(report.page())
    count = len(given.texts)
    print(f"Wrote {parsed.output}: {count:,} {'text' if count == 1 else 'texts'}")  # noqa: T201


def _write_lines(found: Iterator[Explanation], stream: TextIO, level: str) -> None:
    for explanation in found:
        line = json.dumps(explanation.to_dict(level), ensure_ascii=False)
        stream.write(line.encode("utf-8", "replace").decode("utf-8") + "\n")
