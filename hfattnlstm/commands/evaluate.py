"""`hfattnlstm evaluate`: how good a saved model is on labelled texts, or on words with tags."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._extras import needs_extra
from .._files import check_writable, same_file
from .._parsing import SentenceParser
from .._wording import flags_in_sentences
from ..data.problem_types import problem_type_of
from ..data.progress import no_progress_bars, only_errors
from .models import is_tagger, load_classifier, load_config, load_tagger, load_writer, writes_texts
from .options import (
    LABELS,
    TAGS,
    TEXTS,
    add_beams,
    add_model,
    add_text_column,
    add_tokens_column,
    check_at_least,
    check_flags_of_kind,
    check_threshold,
    check_threshold_suits,
)
from .outputs import check_model_files, report_is_printed, write_json
from .program import add_traceback
from .text_files import chosen_columns


if TYPE_CHECKING:
    from transformers import PretrainedConfig

# As many as evaluate_texts keeps, which `--help` does not wait for.
_MISTAKES = 10


def evaluate(arguments: Sequence[str]) -> int:
    """Measure a model on labelled texts, and print the scores, the classes, the confusions and the mistakes.

    Args:
        arguments: The command line after `hfattnlstm evaluate`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        ImportError: Without the extra `train`, or the extra `plots` for `--plots`.
        OSError: For a model or a file that cannot be read or written.
        ValueError: For texts, labels or flags that do not suit the model.

    Example:

    ```python
    >>> evaluate(["my-model", "reviews.csv", "--output", "scores.json"])
    my-model on reviews.csv: 48 texts, 2 labels
    ...
    0
    ```
    """
    parsed = _parser().parse_args(arguments)
    # All that can be wrong is told before the model is loaded, which takes long.
    _check_flags(parsed)
    with needs_extra("hfattnlstm evaluate"):
        from ..training.text_evaluation import evaluate_texts
        from .evaluation_report import print_evaluation
    with only_errors(), no_progress_bars():
        config = load_config(parsed.model, parsed.trust_remote_code)
        if is_tagger(config):
            return _evaluate_tags(parsed, config)
        if writes_texts(config):
            return _evaluate_texts(parsed, config)
        check_flags_of_kind(parsed, LABELS)
        check_threshold_suits(parsed, problem_type_of(config))
        chosen_columns(parsed.model, parsed.text_column, getattr(config, "text_columns", None))
        classifier = load_classifier(parsed.model, config, parsed.trust_remote_code)
    with no_progress_bars():
        found = evaluate_texts(
            classifier,
            parsed.file,
            text_column=parsed.text_column,
            label_column=parsed.label_column,
            split=parsed.split,
            threshold=parsed.threshold,
            batch_size=parsed.batch_size,
            mistakes=parsed.mistakes,
        )

    def draw(folder: Path) -> None:
        from ..training.plots import write_plots

        write_plots(found, folder)

    _tell(found, parsed, print_evaluation, draw)
    return 0


def _evaluate_tags(parsed: argparse.Namespace, config: PretrainedConfig) -> int:
    """The same for a tagger, on words with tags."""
    from ..training.tagged_evaluation import evaluate_tagger
    from .tag_report import print_tag_evaluation

    check_flags_of_kind(parsed, TAGS, "text_column")
    tagger = load_tagger(parsed.model, config, parsed.trust_remote_code)
    found = evaluate_tagger(
        tagger,
        parsed.file,
        tokens_column=parsed.tokens_column,
        label_column=parsed.label_column,
        tagging_scheme=parsed.tagging_scheme,
        split=parsed.split,
        batch_size=parsed.batch_size,
        mistakes=parsed.mistakes,
    )

    def draw(folder: Path) -> None:
        from ..training.tagging_plots import write_tag_plots

        write_tag_plots(found, folder)

    _tell(found, parsed, print_tag_evaluation, draw)
    return 0


def _evaluate_texts(parsed: argparse.Namespace, config: PretrainedConfig) -> int:
    """The same for a model that writes, on pairs of texts."""
    from .text_report import print_text_evaluation

    check_flags_of_kind(parsed, TEXTS, "text_column", "label_column", "plots")
    writer = load_writer(parsed.model, config, parsed.trust_remote_code)
    with flags_in_sentences():
        found = _measured(writer, parsed)
    _tell(found, parsed, partial(print_text_evaluation, mistakes=parsed.mistakes), lambda folder: None)
    return 0


def _measured(writer: Any, parsed: argparse.Namespace) -> Any:
    from ..training.seq2seq_evaluation import evaluate_writer

    return evaluate_writer(
        writer,
        parsed.file if parsed.target_file is None else (parsed.file, parsed.target_file),
        source_column=parsed.source_column,
        target_column=parsed.target_column,
        split=parsed.split,
        batch_size=parsed.batch_size,
        num_beams=parsed.num_beams,
        copy_unknown=bool(parsed.copy_unknown),
        tokenize=parsed.bleu_tokenize,
        lowercase=parsed.bleu_lowercase,
    )


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        "hfattnlstm evaluate",
        description="Measure a model on labelled texts, or on words with tags. Nothing is trained, and nothing "
        "written unless asked for.",
    )
    add_model(parser, also="; or what was exported from one")
    parser.add_argument(
        "file",
        help="csv, tsv, json lines or parquet file, folder or Hub name, with texts and labels, or, of a tagger, with "
        "words and tags, such as .conll, or, of a model that writes, pairs of texts",
    )
    add_text_column(parser)
    add_tokens_column(parser)
    add_beams(parser)
    parser.add_argument("--source_column", help="of a model that writes, column of what is read; found without")
    parser.add_argument("--target_column", help="of a model that writes, column of what should be written")
    parser.add_argument(
        "--target_file", help="of a model that writes, where the file has a text a line, that with the targets"
    )
    parser.add_argument(
        "--bleu_tokenize",
        choices=("13a", "intl", "zh", "char", "none"),
        help="of a model that writes, how BLEU cuts texts; by their script without",
    )
    parser.add_argument(
        "--bleu_lowercase",
        action="store_const",
        const=True,
        help="of a model that writes, scores in which case does not matter",
    )
    parser.add_argument("--label_column", help="column with the labels; found by its name without")
    parser.add_argument(
        "--tagging_scheme",
        choices=("bio", "iob1", "iobes", "io"),
        help="of a tagger, how the tags in the file mark spans; seen from them without",
    )
    parser.add_argument("--split", help="of a folder or a Hub name; the test split without")
    parser.add_argument("--output", metavar="FILE.json", help="file to write all figures and the mistakes to")
    parser.add_argument("--plots", metavar="DIR", help="folder to write the figures to, as PNG files")
    parser.add_argument(
        "--mistakes", type=int, default=_MISTAKES, help=f"how many of the worst are shown; {_MISTAKES} without"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help="with several labels a text, the probability above which any label applies; the model's own without",
    )
    parser.add_argument("--batch_size", type=int, help="texts in a batch; chosen by their length without")
    parser.add_argument("--trust_remote_code", action="store_true", help="run the code in the checkpoint")
    add_traceback(parser)
    return parser


def _check_flags(parsed: argparse.Namespace) -> None:
    check_at_least(parsed, batch_size=1, mistakes=0)
    check_threshold(parsed)
    if sys.stdout is None and parsed.output is None and parsed.plots is None:
        raise ValueError("Standard output is closed, and the figures would be lost: name a file by --output.")
    if parsed.output is not None:
        check_writable(parsed.output)
        if any(same_file(parsed.output, name) for name in (parsed.file, parsed.target_file) if name is not None):
            raise ValueError(f"--output {parsed.output} is the file with the texts: write to another one.")
        check_model_files(parsed.output, parsed.model)
    if parsed.plots is not None:
        with needs_extra("--plots"):
            import matplotlib  # noqa: F401
        _check_folder(parsed.plots)


def _check_folder(name: str) -> None:
    """A folder that is there, or can be made."""
    folder = Path(name).expanduser()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"--plots {name} is a file: name a folder.")
    # As of a file: whether one can be written in it, or it can be made in the folder above.
    check_writable(folder / "confusion_matrix.png" if folder.is_dir() else folder)


def _tell(found: Any, parsed: argparse.Namespace, show: Callable, draw: Callable[[Path], None]) -> None:
    """Print what was found by `show`, and write it, and its pictures by `draw`, where that was asked for."""
    if report_is_printed(parsed.output):
        show(found, f"{parsed.model} on {parsed.file}", sys.stdout)
    if parsed.output is not None:
        write_json(parsed.output, {"model": parsed.model, "file": parsed.file} | found.to_dict())
    if parsed.plots is not None:
        folder = Path(parsed.plots).expanduser()
        folder.mkdir(exist_ok=True)
        draw(folder)
