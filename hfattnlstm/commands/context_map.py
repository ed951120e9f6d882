"""The picture of `hfattnlstm explain --output map.png`: how much of each word every other word takes."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, PretrainedConfig

from .._extras import needs_extra
from ..data.figures import write_figure
from ..data.progress import no_progress_bars
from ..explain import context_maps
from ..explain.heatmaps import MOST_WORDS, plot_context
from .inputs import read_inputs
from .models import is_tagger, load_model, load_tokenizer


ENDINGS = (".png", ".svg")
# What is for the weights of words in a label.
_OF_LABELS = ("method", "target", "level", "label_column", "rationale_column", "faithfulness_samples", "seed")


def is_context_map(output: str | None) -> bool:
    """Whether a file is such a picture, by its ending."""
    return output is not None and Path(output).suffix.lower() in ENDINGS


def check_context_map(parsed: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse flags that have no effect on the picture.

    Args:
        parsed, parser: Of `hfattnlstm explain`.

    Raises:
        ValueError: Names the first of them.
    """
    refuse_of_labels(
        parsed,
        parser,
        "on a picture of the attention between words: leave it out, or name an --output that ends in .html or .jsonl.",
    )


def refuse_of_labels(parsed: argparse.Namespace, parser: argparse.ArgumentParser, why: str) -> None:
    """Refuse flags that are for the weights of words in a label.

    Args:
        parsed, parser: Of `hfattnlstm explain`.
        why: How the sentence goes on after "has no effect".

    Raises:
        ValueError: Names the first of them.
    """
    for name in _OF_LABELS:
        if getattr(parsed, name) != parser.get_default(name):
            raise ValueError(f"--{name} has no effect {why}")


def draw_context_map(parsed: argparse.Namespace, config: PretrainedConfig) -> None:
    """Write the picture of one text.

    Args:
        parsed: The flags of `hfattnlstm explain`.
        config: Of the model.

    Raises:
        ImportError: Without the extra `plots`.
        OSError: For a model or a file that cannot be read or written.
        ValueError: For several texts, or a model without context layers.
    """
    with needs_extra(f"The picture {parsed.output}"):
        importlib.import_module("matplotlib.figure")
    texts = list(read_inputs(parsed, getattr(config, "text_columns", None)))
    if len(texts) != 1:
        raise ValueError(f"A picture shows one text, and there are {len(texts):,}: give one, or another --output.")
    loads = AutoModelForTokenClassification if is_tagger(config) else AutoModelForSequenceClassification
    with no_progress_bars():
        model = load_model(parsed.model, config, parsed.trust_remote_code, loads)
        maps = context_maps(texts[0], model, load_tokenizer(parsed.model, parsed.trust_remote_code))
    write_figure(plot_context(maps), parsed.output)
    shown = min(len(maps.words), MOST_WORDS)
    layers, heads = maps.weights.shape[:2]
    first = f" the first {shown} of {len(maps.words):,} words," if shown < len(maps.words) else f" {shown} words,"
    print(f"Wrote {parsed.output}:{first} {layers} x {heads} maps")  # noqa: T201
