"""`hfattnlstm predict`: labels for texts from the command line, a file or standard input."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm
from transformers import AutoConfig, Pipeline, pipeline

from .._heads import ATTENTION_TEXT_CLASSIFICATION
from ..deploy.onnx_model import is_onnx, onnx_pipeline
from ..modeling.compute_dtype import DTYPES
from ..modeling.pipeline_text_classification import PROGRESS_DELAY
from .terminal import bold, printable, shade_words
from .text_files import read_texts


# Of the stock pipeline, which models without attention pooling use.
STOCK_BATCH_SIZE = 32


def predict(arguments: Sequence[str]) -> int:
    """Label texts and print or write them.

    Args:
        arguments: The command line after `hfattnlstm predict`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        ValueError: For a file or a flag that cannot be used.

    Example:

    ```python
    >>> predict(["my-model", "Not bad at all", "--format", "table"])
    positive	0.9412	Not bad at all
    0
    ```
    """
    parsed = _parser().parse_intermixed_args(arguments)
    if parsed.texts and parsed.file:
        raise ValueError("Give texts or --file, not both.")
    classifier = _pipeline(parsed)
    texts = _texts(parsed)
    parameters = _parameters(parsed, explains=classifier.task == ATTENTION_TEXT_CLASSIFICATION)
    with _output(parsed.output) as stream, _progress(texts, parsed) as bar:
        write = _write_json if _as_json(parsed) else _write_table
        pairs = _one_by_one if _is_conversation(parsed) else _pairs
        for text, result in pairs(classifier, texts, parameters):
            write(stream, text, result if isinstance(result, list) else [result])
            bar.update(1)
    return 0


def _parameters(parsed: argparse.Namespace, explains: bool) -> dict[str, Any]:
    """What the pipeline is called with."""
    parameters = {"top_k": parsed.top_k, "batch_size": parsed.batch_size}
    if explains:
        parameters |= {"level": parsed.level, "dtype": parsed.dtype}
    elif parsed.dtype is not None:
        raise ValueError("--dtype is for models with attention pooling: leave it out.")
    elif parsed.batch_size is None:
        parameters["batch_size"] = STOCK_BATCH_SIZE
    return {name: value for name, value in parameters.items() if value is not None}


def _progress(texts: Iterable[str], parsed: argparse.Namespace) -> tqdm:
    """A bar on the terminal for work that takes longer than two seconds, unless the results appear there."""
    hidden = _is_conversation(parsed) or (parsed.output is None and sys.stdout.isatty())
    total = len(texts) if isinstance(texts, Sized) else None
    # None hides it where standard error is no terminal.
    return tqdm(total=total, disable=True if hidden else None, delay=PROGRESS_DELAY, unit="text")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("hfattnlstm predict", description="Label texts and show the attention on words.")
    parser.add_argument("model", help="folder or Hub name of a trained model, or what was exported from it")
    parser.add_argument("texts", nargs="*", help="texts; without them --file, or lines of standard input")
    parser.add_argument("--file", help="csv, tsv, json lines or parquet file, or a .txt file with a text a line")
    parser.add_argument("--text_column", help="column with the texts; found by its name without")
    parser.add_argument("--output", help="file to write; .jsonl for json lines, else a table")
    parser.add_argument("--format", choices=("table", "json"), help="form of the output; a table without")
    parser.add_argument("--top_k", type=int, help="labels shown for each text, best first")
    parser.add_argument("--level", choices=("word", "token"), default="word", help="what the weights are given for")
    parser.add_argument("--batch_size", type=int, help="texts in a batch; chosen by their length without")
    parser.add_argument("--dtype", choices=DTYPES, help="what to compute in; the model's own dtype without")
    parser.add_argument("--trust_remote_code", action="store_true", help="run the code in the checkpoint")
    return parser


def _pipeline(parsed: argparse.Namespace) -> Pipeline:
    if is_onnx(parsed.model):
        return onnx_pipeline(parsed.model)
    trust = parsed.trust_remote_code or None
    config = AutoConfig.from_pretrained(parsed.model, trust_remote_code=trust)
    explains = "attention" in getattr(config, "poolings", ())
    task = ATTENTION_TEXT_CLASSIFICATION if explains else "text-classification"
    return pipeline(task, model=parsed.model, trust_remote_code=trust)


def _texts(parsed: argparse.Namespace) -> Iterable[str]:
    if parsed.texts:
        return parsed.texts
    if parsed.file is None:
        if _is_conversation(parsed):
            print("Type a text and press Enter; end with Ctrl-D.", file=sys.stderr)
        return (line.rstrip("\r\n") for line in sys.stdin)
    if parsed.file.endswith(".txt"):
        return _lines(Path(parsed.file))
    return read_texts("--file", parsed.file, parsed.text_column)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as stream:
            yield from (line.rstrip("\r\n") for line in stream)
    except OSError as error:
        raise ValueError(f"The file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"The file {path} is not UTF-8 text: convert it first.") from None


def _pairs(classifier: Pipeline, texts: Iterable[str], parameters: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each text with its result. The pipeline reads ahead, so the texts are kept until their results come."""
    waiting: deque[str] = deque()

    def remembered() -> Iterator[str]:
        for text in texts:
            waiting.append(text)
            yield text

    for result in classifier(remembered(), **parameters):
        yield waiting.popleft(), result


def _is_conversation(parsed: argparse.Namespace) -> bool:
    """Whether somebody types the texts and waits for the answer to each."""
    return not parsed.texts and parsed.file is None and sys.stdin.isatty()


def _one_by_one(classifier: Pipeline, texts: Iterable[str], parameters: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for text in texts:
        yield text, classifier([text], **parameters)[0]


@contextlib.contextmanager
def _output(path: str | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        stream = Path(path).open("w", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise ValueError(f"The file {path} cannot be written: {error.strerror}.") from None
    with stream:
        yield stream


def _as_json(parsed: argparse.Namespace) -> bool:
    if parsed.format is not None:
        return parsed.format == "json"
    return parsed.output is not None and parsed.output.endswith((".jsonl", ".json"))


def _write_json(stream: TextIO, text: str, results: list[dict[str, Any]]) -> None:
    shared = {key: value for key, value in results[0].items() if key not in ("label", "score")}
    if len(results) == 1:
        record = {"text": text, "label": results[0]["label"], "score": results[0]["score"]}
    else:
        record = {"text": text, "labels": [{key: entry[key] for key in ("label", "score")} for entry in results]}
    # A lone surrogate cannot be written as UTF-8.
    line = json.dumps(record | shared, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")
    stream.write(line + "\n")
    stream.flush()


def _write_table(stream: TextIO, text: str, results: list[dict[str, Any]]) -> None:
    text = text.encode("utf-8", "replace").decode("utf-8")
    coloured = stream.isatty() and "NO_COLOR" not in os.environ
    shown = shade_words(text, results[0].get("attention", [])) if coloured else printable(text)
    for row, entry in enumerate(results):
        label, score = printable(entry["label"]), f"{entry['score']:.4f}"
        if coloured:
            stream.write(f"{bold(label)} {score}  {shown if row == 0 else ''}".rstrip() + "\n")
        else:
            stream.write(f"{label}\t{score}\t{shown}\n")
    stream.flush()
