"""`hfattnlstm embed`: one vector for each text of the command line, a file or standard input."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from transformers import AutoModel, PretrainedConfig, PreTrainedModel

from .._files import written_beside
from .._parsing import SentenceParser
from .._places import loading_from
from ..data.embedding import embed_texts, vector_width
from ..data.progress import no_progress_bars
from ..deploy.onnx_model import is_onnx
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from .inputs import check_inputs, read_inputs
from .models import load_backbone_config, load_tokenizer
from .options import add_model, add_text_column, check_at_least
from .outputs import check_output
from .program import add_traceback
from .results import names_beside
from .text_files import chosen_columns


class _Rows(NamedTuple):
    """What stands beside the vectors: the texts of each, and the names of these."""

    names: list[str]
    texts: list[tuple[str, ...]]

    @classmethod
    def of(cls, texts: Sequence[Any], columns: Sequence[str] | None) -> _Rows:
        rows = [(text,) for text in texts] if columns is None else list(texts)
        return cls(names_beside(columns, ("vector",)), rows)


def embed(arguments: Sequence[str]) -> int:
    """Compute a vector for each text, and print or write them.

    Args:
        arguments: The command line after `hfattnlstm embed`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        OSError: For a model or a file that cannot be read or written.
        ValueError: For a file or a flag that cannot be used, or where there is no text.

    Example:

    ```python
    >>> embed(["my-model", "--file", "reviews.csv", "--output", "vectors.npy"])
    Wrote vectors.npy: 880 vectors of 512 numbers, in the order of the texts
    0
    ```
    """
    parsed = _parser().parse_intermixed_args(arguments)
    # All that can be wrong is told before the model is loaded, which takes long.
    ending = _ending(parsed.output)
    check_at_least(parsed, batch_size=1)
    check_inputs(parsed)
    check_output(parsed, ending.removeprefix("."))
    config = _config(parsed.model, parsed.trust_remote_code)
    chosen_columns(parsed.model, parsed.text_column, config.text_columns)
    with no_progress_bars():
        texts = list(read_inputs(parsed, config.text_columns))
        if not texts:
            raise ValueError("There are no texts: give some, or a --file or standard input that has them.")
        model = _load(parsed.model, config, parsed.trust_remote_code)
        tokenizer = load_tokenizer(parsed.model, parsed.trust_remote_code)
    vectors = embed_texts(texts, model, tokenizer, batch_size=parsed.batch_size, normalize=parsed.normalize)
    rows = _Rows.of(texts, config.text_columns)
    if parsed.output is None:
        _write_json_lines(sys.stdout, rows, vectors)
        return 0
    with written_beside(parsed.output) as unfinished:
        _WRITERS[ending](unfinished, rows, vectors)
    print(
        f"Wrote {parsed.output}: {len(vectors):,} {'vector' if len(vectors) == 1 else 'vectors'} of "
        f"{vector_width(model)} numbers, in the order of the texts"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        "hfattnlstm embed",
        description="Turn texts into vectors: what the model's pooling makes of the words, before the labels.",
    )
    add_model(parser)
    parser.add_argument(
        "texts",
        nargs="*",
        help="texts, of a model for pairs two for each vector; without them --file, or lines of standard input",
    )
    parser.add_argument("--file", help="csv, tsv, json lines or parquet file, or a .txt file with a text a line")
    add_text_column(parser)
    parser.add_argument(
        "--output",
        help="file to write: .npy with the vectors alone, or .parquet, .jsonl or .csv with the texts beside them; "
        "json lines are printed without",
    )
    parser.add_argument("--normalize", action="store_true", help="give every vector the length 1")
    parser.add_argument("--batch_size", type=int, help="texts in a batch; chosen by their length without")
    parser.add_argument("--trust_remote_code", action="store_true", help="run the code in the checkpoint")
    add_traceback(parser)
    return parser


def _ending(output: str | None) -> str:
    if output is None:
        return ".jsonl"
    ending = Path(output).suffix.lower()
    if ending not in _WRITERS:
        raise ValueError(f"--output {output!r} must end in one of {', '.join(_WRITERS)}, which says what is written.")
    return ending


def _config(name: str, trust_remote_code: bool) -> PretrainedConfig:
    if is_onnx(name):
        raise ValueError(f"{name} was exported, and gives labels alone: name the model that it was exported from.")
    config = load_backbone_config(name, trust_remote_code)
    if config.model_type != AttnLSTMConfig.model_type:
        raise ValueError(
            f"{name} is a model of the type {config.model_type!r}: name one of the type {AttnLSTMConfig.model_type!r}."
        )
    return config


def _load(name: str, config: PretrainedConfig, trust_remote_code: bool) -> PreTrainedModel:
    """The backbone of a checkpoint, with its pooling, where it was saved with one."""
    options: dict[str, Any] = {"config": config, "trust_remote_code": trust_remote_code}
    with loading_from(name) as place:
        model, report = AutoModel.from_pretrained(place, output_loading_info=True, **options)
        missing = sorted(report["missing_keys"])
        if missing and all(key.startswith("pooler.") for key in missing):
            return AutoModel.from_pretrained(place, add_pooling_layer=False, **options)
    if missing:
        raise ValueError(
            f"The weights of {name} are incomplete: {missing[0]} is missing. Save or download the model again."
        )
    return model


def _write_npy(path: Path, rows: _Rows, vectors: np.ndarray) -> None:
    with path.open("wb") as stream:
        np.save(stream, vectors)


def _write_parquet(path: Path, rows: _Rows, vectors: np.ndarray) -> None:
    # check_output has looked for the extra.
    import pyarrow as pa
    import pyarrow.parquet

    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    texts = {name: pa.array(column, pa.string()) for name, column in zip(rows.names, zip(*rows.texts))}
    pyarrow.parquet.write_table(pa.table(texts | {"vector": column}), path)


def _write_json_lines(stream: TextIO, rows: _Rows, vectors: np.ndarray) -> None:
    for texts, vector in zip(rows.texts, vectors):
        shown = json.dumps(dict(zip(rows.names, texts)), ensure_ascii=False).removesuffix("}")
        # The shortest decimals that are the same float32 again.
        numbers = ", ".join(map(str, vector))
        stream.write(f'{shown}, "vector": [{numbers}]}}\n')


def _write_jsonl(path: Path, rows: _Rows, vectors: np.ndarray) -> None:
    with path.open("a", encoding="utf-8", newline="") as stream:
        _write_json_lines(stream, rows, vectors)


def _write_csv(path: Path, rows: _Rows, vectors: np.ndarray) -> None:
    with path.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*rows.names, *(f"v{index}" for index in range(vectors.shape[1]))])
        writer.writerows([*texts, *map(str, vector)] for texts, vector in zip(rows.texts, vectors))


_WRITERS: dict[str, Callable[[Path, _Rows, np.ndarray], None]] = {
    ".npy": _write_npy,
    ".parquet": _write_parquet,
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
}
