"""What the card of a model that describes pictures says."""

from __future__ import annotations

from pathlib import Path

from datasets import DatasetDict

from ..data.captions import CAPTIONS
from ..data.image_text_processor import ImageTextProcessor
from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from .markdown import code_span, shown_name
from .task import CardParts, Task


_USAGE = """from transformers import pipeline

writer = pipeline("attention-image-to-text", model="{{model_id}}"{{options}})
writer({picture})["generated_text"]"""


def captioning_card(
    task: Task, examples: DatasetDict, processor: ImageTextProcessor, config: AttnLSTMSeq2SeqConfig
) -> CardParts:
    """The parts of the card of a [`CaptioningTask`] that has been run."""
    data = task.data
    local = data.dataset is None or Path(data.dataset).exists()
    source = Path(data.dataset or data.train_file).name if local else data.dataset
    sizes = ", ".join(f"{len(split):,} pictures for {name}" for name, split in examples.items())
    count = sum(len(texts) for texts in examples["train"][CAPTIONS])
    pictures = f"features of regions, {config.image_feature_size} numbers each"
    if processor.image_processor is not None:
        size, filters = processor.image_processor.size, ", ".join(map(str, config.image_conv_sizes))
        pictures = f"{size['width']} x {size['height']} pixels, convolutions with {filters} filters"
    return CardParts(
        summary="A model that says what is in a picture: an LSTM that looks at a part of it for each word",
        usage=_USAGE.format(picture="features" if task.reads_features else '"picture.png"'),
        usage_note="`AutoModelForImageTextToText` and `generate` work in both ways, too.",
        source=source,
        dataset=None if local else data.dataset,
        data=f"{code_span(source)}: {sizes}; {count:,} captions for training.",
        recipe={
            "started from": shown_name(task.model.model_name_or_path or "random weights"),
            "pictures": pictures,
            "tokens": f"{config.vocab_size:,}",
            "layers, width of the decoder": f"{config.num_decoder_layers}, {config.decoder_size}",
            "attention": f"{config.cross_attention_score}, {config.cross_attention_num_heads} head(s)"
            + (", with coverage" if config.coverage else ""),
            "beams": task.training.generation_num_beams or 1,
        },
        limits=(
            "Pictures of another kind than those above it has not learnt to see, photographs among them.",
            "The attention shows where the model looked. It is no proof of why it wrote a word.",
        ),
        pipeline_tag="image-to-text",
        tags=("hfattnlstm", "lstm", "attention", "image-captioning"),
    )
