"""`hfattnlstm explain --image`: the label of a text with its picture, or a caption, and where each word looks."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from transformers import AutoModelForImageTextToText, AutoModelForVisualQuestionAnswering, PretrainedConfig, pipeline

from .._extras import needs_extra
from .._heads import ATTENTION_IMAGE_TEXT_CLASSIFICATION, ATTENTION_IMAGE_TO_TEXT
from ..data.figures import write_figure
from ..data.image_text_processor import ImageTextProcessor
from ..data.progress import no_progress_bars
from ..explain.region_maps import MOST_WORDS, plot_regions
from ..modeling.image_opening import open_image
from ..modeling.pipeline_image_text_classification import AttnLSTMImageTextClassificationPipeline
from ..modeling.pipeline_image_to_text import AttnLSTMImageToTextPipeline
from .context_map import ENDINGS, refuse_of_labels
from .inputs import read_inputs
from .models import describes_pictures, load_backbone_config, load_model, load_tokenizer, reads_pictures
from .terminal import printable


def check_region_map(parsed: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse flags that have no effect beside `--image`.

    Args:
        parsed, parser: Of `hfattnlstm explain`.

    Raises:
        FileNotFoundError: There is no such picture.
        ValueError: Names the first of them.
    """
    refuse_of_labels(parsed, parser, "beside --image: leave one of the two out.")
    if parsed.output is not None and Path(parsed.output).suffix.lower() not in ENDINGS:
        raise ValueError(f"--output {parsed.output!r} must end in one of {', '.join(ENDINGS)} beside --image.")
    if not Path(parsed.image).expanduser().is_file():
        raise FileNotFoundError(f"--image {parsed.image} is no file: mend the name.")


def explain_picture(parsed: argparse.Namespace) -> None:
    """Print the label of one text with its picture, or a caption, and, with `--output`, draw where each word looks.

    Args:
        parsed: The flags of `hfattnlstm explain`.

    Raises:
        ImportError: Without the extra `images`, or, for a drawing, `plots`.
        OSError: For a model or a file that cannot be read or written.
        ValueError: For several texts, or a model that reads no pictures.
    """
    with needs_extra("--image"):
        importlib.import_module("PIL.Image")
    if parsed.output is not None:
        with needs_extra(f"The picture {parsed.output}"):
            importlib.import_module("matplotlib.figure")
    config = load_backbone_config(parsed.model, parsed.trust_remote_code)
    if not (reads_pictures(config) or describes_pictures(config)):
        raise ValueError(f"{parsed.model} reads no pictures: leave --image out, or name a model that does.")
    if not config.image_conv_sizes:
        task = ATTENTION_IMAGE_TO_TEXT if describes_pictures(config) else ATTENTION_IMAGE_TEXT_CLASSIFICATION
        raise ValueError(
            f"{parsed.model} reads features of regions, not pictures: give it these in Python, by pipeline({task!r})."
        )
    if describes_pictures(config):
        _describe(parsed, config)
        return
    texts = list(read_inputs(parsed, config.text_columns))
    if len(texts) != 1:
        raise ValueError(f"--image goes with one text, and there are {len(texts):,}: give one.")
    picture = _opened(parsed)
    row = {"text": texts[0]} if config.text_columns is None else dict(zip(config.text_columns, texts[0]))
    result = _classifier(parsed, config)({"image": picture, **row})
    labels = [result] if "label" in result else result["labels"]
    shown = ", ".join(f"{each['label']} {each['score']:.4f}" for each in labels) or "no label"
    print(f"{shown}\t{texts[0] if config.text_columns is None else ' | '.join(texts[0])}")
    _draw(parsed, picture, result)


def _describe(parsed: argparse.Namespace, config: PretrainedConfig) -> None:
    """What is in the picture, as the model says it."""
    if parsed.texts or parsed.file is not None:
        raise ValueError(f"{parsed.model} describes pictures, and reads no texts: leave the text out.")
    picture = _opened(parsed)
    with no_progress_bars():
        model = load_model(parsed.model, config, parsed.trust_remote_code, AutoModelForImageTextToText)
        tokenizer = load_tokenizer(parsed.model, parsed.trust_remote_code)
        result = AttnLSTMImageToTextPipeline(model, tokenizer)(picture)
    print(printable(result["generated_text"]))
    _draw(parsed, picture, result)


def _opened(parsed: argparse.Namespace) -> Any:
    try:
        return open_image(parsed.image)
    except ValueError as error:
        raise ValueError(f"--image {parsed.image} {error}") from None


def _draw(parsed: argparse.Namespace, picture: Any, result: dict[str, Any]) -> None:
    if parsed.output is None:
        return
    write_figure(plot_regions(picture, result), parsed.output)
    words = len(result["attention"])
    first = f"the first {MOST_WORDS} of {words:,} words" if words > MOST_WORDS else f"{words} words"
    print(f"Wrote {parsed.output}: {first}")


def _classifier(parsed: argparse.Namespace, config: PretrainedConfig) -> AttnLSTMImageTextClassificationPipeline:
    with no_progress_bars():
        model = load_model(parsed.model, config, parsed.trust_remote_code, AutoModelForVisualQuestionAnswering)
        processor = ImageTextProcessor.from_pretrained(parsed.model, config)
    return pipeline(
        ATTENTION_IMAGE_TEXT_CLASSIFICATION,
        model=model,
        tokenizer=processor.tokenizer,
        image_processor=processor.image_processor,
        pipeline_class=AttnLSTMImageTextClassificationPipeline,
    )
