"""`hfattnlstm predict`: labels for texts, or tags for their words, from the command line, a file or standard input."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

from tqdm import tqdm
from transformers import Pipeline, PretrainedConfig

from .._parsing import SentenceParser
from ..data.pipeline_inputs import pipeline_input
from ..data.problem_types import problem_type_of
from ..data.progress import no_progress_bars
from ..deploy.onnx_model import is_onnx
from ..modeling.compute_dtype import DTYPES
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from ..modeling.pipeline_text_classification import LEVELS, PROGRESS_DELAY, thresholds_by_label
from ..modeling.text_rows import PAIR
from .arriving import Arrivals
from .inputs import check_inputs, is_conversation, is_stream, read_inputs
from .models import has_attention, is_tagger, load_classifier, load_config, writes_texts
from .options import (
    LABELS,
    add_beams,
    add_model,
    add_text_column,
    add_tokens_column,
    check_at_least,
    check_flags_of_kind,
    check_threshold,
    check_threshold_suits,
)
from .outputs import FORMATS, LABEL_FORMS, check_form, check_output, choose_form, open_results, shows_attention
from .predict_parts import add_parts, answer_parts, check_parts, reads_parts
from .predict_tags import predict_tags
from .predict_texts import predict_texts
from .program import add_traceback
from .results import Result
from .terminal import is_terminal
from .text_files import chosen_columns


# Of the stock pipeline, which models without attention pooling use.
STOCK_BATCH_SIZE = 32
# The probability above which a label is taken to apply, for models that do not name one.
THRESHOLD = 0.5


def predict(arguments: Sequence[str]) -> int:
    """Label texts and print or write them.

    Args:
        arguments: The command line after `hfattnlstm predict`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        OSError: For a model or a file that cannot be read or written.
        ValueError: For a file or a flag that cannot be used.

    Example:

    ```python
    >>> predict(["my-model", "Not bad at all", "--format", "table"])
    positive	0.9412	Not bad at all
    0
    ```
    """
    parsed = _parser().parse_intermixed_args(arguments)
    # All that can be wrong is told before the model is loaded, which takes long.
    _check_numbers(parsed)
    check_parts(parsed)
    if reads_parts(parsed):
        return _predict_parts(parsed)
    form = choose_form(parsed.output, parsed.format)
    check_inputs(parsed)
    check_output(parsed, form)
    config = load_config(parsed.model, parsed.trust_remote_code)
    if is_tagger(config):
        return predict_tags(parsed, form, config)
    if writes_texts(config):
        return predict_texts(parsed, form, config)
    check_form(parsed, form, LABEL_FORMS, "labels")
    check_flags_of_kind(parsed, LABELS)
    problem, explains = problem_type_of(config), has_attention(config)
    columns = getattr(config, "text_columns", None)
    _check_flags(parsed, form, problem, explains)
    _check_columns(parsed, columns, explains)
    with no_progress_bars():
        texts = read_inputs(parsed, columns)
        classifier = load_classifier(parsed.model, config, parsed.trust_remote_code)
    thresholds = _thresholds(parsed, config) if problem == MULTI_LABEL and parsed.top_k is None else None
    several = thresholds is not None or (parsed.top_k or 1) > 1
    parameters = _parameters(parsed, explains, all_labels=thresholds is not None)
    answers = _one_by_one if is_conversation(parsed) else _as_they_arrive if is_stream(parsed) else _streamed
    with open_results(parsed.output, form, several, explains, columns) as writer, _progress(texts, parsed) as bar:
        for text, found in answers(classifier, texts, parameters):
            writer.write(_result(text, found, thresholds))
            bar.update(1)
    return 0


def _predict_parts(parsed: argparse.Namespace) -> int:
    """Label the texts of all files of a folder."""
    config = load_config(parsed.model, parsed.trust_remote_code)
    if is_tagger(config) or writes_texts(config):
        raise ValueError(
            f"{parsed.model} gives no labels, as a folder of files needs them: name one file with --file."
        )
    problem, explains = problem_type_of(config), has_attention(config)
    columns = getattr(config, "text_columns", None)
    _check_flags(parsed, "parquet", problem, explains)
    _check_columns(parsed, columns, explains)
    thresholds = _thresholds(parsed, config) if problem == MULTI_LABEL and parsed.top_k is None else None
    parameters = _parameters(parsed, explains, all_labels=thresholds is not None)
    return answer_parts(
        parsed, config, chosen_columns(parsed.model, parsed.text_column, columns), parameters, thresholds
    )


def _parser() -> SentenceParser:
    parser = SentenceParser(
        "hfattnlstm predict",
        description="Label texts and show the attention on words, tag words, or write a text from each.",
    )
    add_model(parser, also="; or what was exported from one")
    parser.add_argument(
        "texts",
        nargs="*",
        help="texts, of a model for pairs two for each answer; without them --file, or lines of standard input, where "
        "a tab stands between the texts of a pair",
    )
    parser.add_argument(
        "--file",
        help="csv, tsv, json lines or parquet file, or a .txt file with a text a line; or a folder of such files",
    )
    add_text_column(parser)
    add_tokens_column(parser)
    add_beams(parser)
    add_parts(parser)
    parser.add_argument(
        "--output",
        help="file to write: .csv or .tsv with a header, .jsonl, .json or .parquet, which have the attention, too, or "
        ".txt for the table that is printed without; of a tagger also .conll, a word and its tag a line, and .html, a "
        "page with its spans; of a folder as --file, a folder",
    )
    parser.add_argument(
        "--format", choices=tuple(FORMATS), help="form of what is printed; json is a line a text, with the attention"
    )
    parser.add_argument("--top_k", type=int, help="most labels shown for each text, best first")
    parser.add_argument(
        "--threshold",
        type=float,
        help="with several labels a text, the probability above which any label is shown; the model's own without",
    )
    parser.add_argument("--level", choices=LEVELS, help="what the attention is given for; word without")
    parser.add_argument("--batch_size", type=int, help="texts in a batch; chosen by their length without")
    parser.add_argument("--dtype", choices=DTYPES, help="what to compute in; the model's own dtype without")
    parser.add_argument("--trust_remote_code", action="store_true", help="run the code in the checkpoint")
    add_traceback(parser)
    return parser


def _check_numbers(parsed: argparse.Namespace) -> None:
    check_at_least(parsed, top_k=1, batch_size=1, num_beams=1, workers=1)
    check_threshold(parsed)
    if parsed.threshold is not None and parsed.top_k is not None:
        raise ValueError("--top_k shows the best labels, and --threshold those above it: give one of the two.")
    if parsed.batch_size is not None and is_conversation(parsed):
        raise ValueError("--batch_size is for many texts, and those that are typed are answered one by one.")


def _check_flags(parsed: argparse.Namespace, form: str, problem: str, explains: bool) -> None:
    """Refuse flags that would have no effect with this model and this output."""
    check_threshold_suits(parsed, problem)
    if parsed.top_k is not None and problem == REGRESSION:
        raise ValueError(f"--top_k is for models with labels, and {parsed.model} gives one number: leave it out.")
    for flag in ("dtype", "level"):
        if getattr(parsed, flag) is not None and not explains:
            raise ValueError(f"--{flag} is for models with attention pooling: leave it out.")
    if parsed.dtype is not None and is_onnx(parsed.model):
        raise ValueError(f"--dtype is not for what was exported, and {parsed.model} was: leave it out.")
    if parsed.level is not None and not shows_attention(parsed.output, form):
        raise ValueError(
            "--level is for results with the attention: write .jsonl, .json or .parquet, or print with --format json."
        )


def _check_columns(parsed: argparse.Namespace, columns: Sequence[str] | None, explains: bool) -> None:
    """Refuse columns that the model cannot read together."""
    chosen_columns(parsed.model, parsed.text_column, columns)
    if columns is not None and len(columns) > len(PAIR) and not explains:
        raise ValueError(
            f"{parsed.model} reads {len(columns)} texts together and has no attention pooling; without that, no more "
            "than two can be labelled here: train it with attention in --classifier_pooling."
        )


def _thresholds(parsed: argparse.Namespace, config: PretrainedConfig) -> dict[str, float]:
    own = getattr(config, "threshold", THRESHOLD)
    return thresholds_by_label(own if parsed.threshold is None else parsed.threshold, config)


def _parameters(parsed: argparse.Namespace, explains: bool, all_labels: bool) -> dict[str, Any]:
    """What the pipeline is called with."""
    parameters = {"top_k": parsed.top_k, "batch_size": parsed.batch_size, "level": parsed.level, "dtype": parsed.dtype}
    if not explains and parsed.batch_size is None:
        parameters["batch_size"] = STOCK_BATCH_SIZE
    parameters = {name: value for name, value in parameters.items() if value is not None}
    return parameters | {"top_k": None} if all_labels else parameters


def _progress(texts: Iterable[str], parsed: argparse.Namespace) -> tqdm:
    """A bar on the terminal for work that takes longer than two seconds, unless the results appear there."""
    hidden = sys.stderr is None or is_conversation(parsed) or (parsed.output is None and is_terminal(sys.stdout))
    total = len(texts) if isinstance(texts, Sized) else None
    # None hides it where standard error is no terminal.
    return tqdm(total=total, disable=True if hidden else None, delay=PROGRESS_DELAY, unit="text")


def _streamed(classifier: Pipeline, texts: Iterable[str], parameters: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each text with its result. The pipeline reads ahead, so the texts are kept until their results come."""
    waiting: deque[str] = deque()
    errors: list[Exception] = []

    def remembered() -> Iterator[str]:
        try:
            for text in texts:
                waiting.append(text)
                yield pipeline_input(text)
        except Exception as error:
            # What cannot be read ends the texts; the results of those before come first.
            errors.append(error)

    for result in classifier(remembered(), **parameters):
        yield waiting.popleft(), result
    for error in errors:
        raise error


def _as_they_arrive(
    classifier: Pipeline, texts: Iterable[str], parameters: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Each text with its result, which does not wait for texts that have not come yet."""
    for burst in Arrivals(texts).bursts():
        yield from _streamed(classifier, burst, parameters)


def _one_by_one(classifier: Pipeline, texts: Iterable[str], parameters: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for text in texts:
        yield text, classifier([pipeline_input(text)], **parameters)[0]


def _result(text: str, found: dict[str, Any] | list[dict[str, Any]], thresholds: dict[str, float] | None) -> Result:
    """The result of the pipeline; with thresholds, no label may be left, but the text and its attention are."""
    entries = found if isinstance(found, list) else [found]
    extra = {key: value for key, value in entries[0].items() if key not in ("label", "score")}
    shown = [entry for entry in entries if thresholds is None or entry["score"] > thresholds[entry["label"]]]
    return Result(text, shown, extra)
