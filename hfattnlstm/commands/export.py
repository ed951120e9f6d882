"""`hfattnlstm export`: a trained model as an ONNX file, from the command line."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from .._files import same_file
from .._parsing import SentenceParser
from .._places import loading_from
from ..data.progress import no_progress_bars
from ..deploy.onnx_check import Agreement
from ..deploy.onnx_export import OnnxExport, export_onnx
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from .models import is_tagger, load_backbone_config, load_config, load_model, load_tokenizer
from .options import add_model, add_text_column
from .program import add_traceback
from .text_files import chosen_columns, read_texts


def export(arguments: Sequence[str]) -> int:
    """Export a model and print what was written and found out.

    Args:
        arguments: The command line after `hfattnlstm export`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        ValueError: For a file or a flag that cannot be used.

    Example:

    ```python
    >>> export(["my-model", "--int8", "--check_texts", "reviews.csv"])
    Wrote my-model-onnx/model_int8.onnx, 4.2 MB
    float32 differs from the model by at most 4.8e-07
    int8 and float32 agree on the labels of 99.80% of 1,000 texts; probabilities differ by at most 0.0085
    0
    ```
    """
    parsed = _parser().parse_args(arguments)
    if parsed.text_column is not None and parsed.check_texts is None:
        raise ValueError("--text_column names a column of --check_texts: give both.")
    if parsed.check_texts is not None and not parsed.int8:
        raise ValueError("--check_texts are for --int8: float32 is always checked against the model.")
    output = _default_output(parsed.model) if parsed.output is None else Path(parsed.output).expanduser()
    if _reads_series(parsed.model):
        print(_report(_export_series_model(parsed, output)))
        return 0
    _check_texts_stay(output, parsed.check_texts)
    texts = None
    if parsed.check_texts is not None:
        own = getattr(load_config(parsed.model), "text_columns", None)
        columns = chosen_columns(parsed.model, parsed.text_column, own)
        with no_progress_bars():
            texts = read_texts("--check_texts", parsed.check_texts, columns)
    with no_progress_bars():
        model, tokenizer = _load(parsed.model)
        result = export_onnx(
            model, output, tokenizer=tokenizer, int8=parsed.int8, check_texts=texts, opset=parsed.opset
        )
    print(_report(result))
    if result.warning:
        print(f"hfattnlstm export: {result.warning}", file=sys.stderr)
    return 0


def _reads_series(name: str) -> bool:
    return load_backbone_config(name).model_type == AttnLSTMForecasterConfig.model_type


def _export_series_model(parsed: argparse.Namespace, output: Path) -> OnnxExport:
    for name in ("int8", "check_texts"):
        if getattr(parsed, name):
            raise ValueError(f"--{name} is for classifiers of texts, and {parsed.model} reads series: leave it out.")
    # Of tables, and so of the extra `train`, models of series alone know.
    from ..deploy.series_export import export_series_model

    with no_progress_bars(), loading_from(parsed.model) as place:
        return export_series_model(place, output, opset=parsed.opset)


def _parser() -> SentenceParser:
    parser = SentenceParser(
        "hfattnlstm export", description="Write a model as one ONNX file, and check that it computes the same."
    )
    add_model(parser)
    parser.add_argument("--output", help="folder, or file that ends in .onnx; MODEL-onnx without")
    parser.add_argument("--int8", action="store_true", help="smaller and faster, with nearly the same answers")
    parser.add_argument(
        "--check_texts",
        help="csv, tsv, json lines or parquet file with real texts, to count the labels that int8 changes",
    )
    add_text_column(parser)
    parser.add_argument("--opset", type=int, help="version of ONNX's operators, 18 or later; torch's choice without")
    add_traceback(parser)
    return parser


def _default_output(model: str) -> Path:
    """Beside a folder; in the working directory for a model on the Hub."""
    path = Path(model).expanduser()
    if not path.is_dir():
        return Path(f"{path.name}-onnx")
    path = path.resolve() if path.name in ("", "..") else path
    return path.with_name(f"{path.name}-onnx")


def _load(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase | None]:
    """A model, and its tokenizer, which a checkpoint need not have."""
    config = load_config(name)
    if config.model_type != AttnLSTMConfig.model_type:
        raise TypeError(f"{name} is a model of the type {config.model_type!r}, which cannot be exported.")
    auto_class = AutoModelForTokenClassification if is_tagger(config) else AutoModelForSequenceClassification
    model = load_model(name, config, auto_class=auto_class)
    with loading_from(name, "tokenizer") as place:
        has_tokenizer = get_tokenizer_config(place) or Path(place, "tokenizer.json").is_file()
    return model, load_tokenizer(name) if has_tokenizer else None


def _check_texts_stay(output: Path, check_texts: str | None) -> None:
    """Refuse to write over the texts; whether other files may be replaced, the export itself decides."""
    folder = output.parent if output.suffix == ".onnx" else output
    written = [output, *(folder / name for name in ("config.json", "tokenizer.json", "tokenizer_config.json"))]
    if check_texts is not None and any(same_file(check_texts, path) for path in written):
        raise ValueError(f"--check_texts {check_texts} would be replaced by the export: export to another folder.")


def _report(result: OnnxExport) -> str:
    lines = [
        f"Wrote {result.path}, {result.num_bytes / 1e6:.1f} MB",
        f"float32 differs from the model by at most {result.largest_difference:.1e}",
    ]
    if result.agreement is not None:
        lines.append(_describe(result.agreement))
    elif result.int8:
        lines.append("The share of labels that int8 and float32 agree on was not measured: give --check_texts")
    return "\n".join(lines)


def _describe(found: Agreement) -> str:
    if found.equal_labels is None:
        return f"int8 and float32 differ by at most {found.largest_difference:.2g} on {found.num_texts:,} texts"
    return (
        f"int8 and float32 agree on the labels of {found.equal_labels:.2%} of {found.num_texts:,} texts; "
        f"probabilities differ by at most {found.largest_difference:.2g}"
    )
