"""What the card of a classifier of texts with pictures says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets import DatasetDict

from ..data.image_text_processor import ImageTextProcessor
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from .markdown import code_span, shown_name
from .task import CardParts, Task


_USAGE = """from transformers import pipeline

classifier = pipeline("attention-image-text-classification", model="{{model_id}}"{{options}})
classifier({{{{{entries}}}}}){note}"""


def image_text_card(
    task: Task, examples: DatasetDict, processor: ImageTextProcessor, config: AttnLSTMConfig
) -> CardParts:
    """The parts of the card of an [`ImageTextTask`] that has been run."""
    data = task.data
    local = data.dataset is None or Path(data.dataset).exists()
    source = Path(data.dataset or data.train_file).name if local else data.dataset
    sizes = ", ".join(f"{len(split):,} texts with pictures for {name}" for name, split in examples.items())
    labels = ", ".join(map(code_span, task.label_names or ()))
    return CardParts(
        summary="A classifier of texts with a picture each: an LSTM whose words and the picture's regions attend to "
        "each other",
        usage=_usage(config, task.reads_features),
        usage_note="`AutoModelForVisualQuestionAnswering` loads it, too.",
        source=source,
        dataset=None if local else data.dataset,
        data=f"{code_span(source)}: {sizes}." + (f"\n\nLabels: {labels}." if labels else ""),
        recipe={
            "started from": shown_name(task.model.model_name_or_path or "random weights"),
            "pictures": _shown_pictures(processor, config),
            "layers, width, cross-modal layers": f"{config.num_hidden_layers}, {config.hidden_size}, "
            f"{config.num_cross_modal_layers}",
            **_baselines(task),
        },
        limits=(
            f"It reads at most {processor.tokenizer.model_max_length:,} tokens of a text.",
            "Pictures of another kind than those above it has not learnt to see.",
            "The attention shows where the model looked. It is no proof of why it decided.",
        ),
        pipeline_tag="visual-question-answering",
        tags=("hfattnlstm", "lstm", "attention"),
    )


def _usage(config: AttnLSTMConfig, reads_features: bool) -> str:
    """Python that uses the model; braces are doubled for the card, which fills in others."""
    texts = ", ".join(f'{json.dumps(name, ensure_ascii=False)}: "a text"' for name in config.text_columns or ["text"])
    picture = '"image_features": features' if reads_features else '"image": "picture.png"'
    note = "  # features: (regions, width)" if reads_features else ""
    return _USAGE.format(entries=f"{picture}, {texts}", note=note)


def _shown_pictures(processor: ImageTextProcessor, config: AttnLSTMConfig) -> str:
    if processor.image_processor is None:
        return f"features of regions, {config.image_feature_size} numbers each"
    size = processor.image_processor.size
    filters = ", ".join(map(str, config.image_conv_sizes))
    return f"{size['width']} x {size['height']} pixels, convolutions with {filters} filters"


def _baselines(task: Task) -> dict[str, Any]:
    """What the same model reaches that is told one of the two."""
    if not task.baselines:
        return {}
    scores = ", ".join(f"{name} {value:.4f}" for name, value in task.baselines.items() if "/" not in name)
    return {"the same model, told one of the two": scores}
