"""What the card of a pretrained model says of its texts and its recipe."""

from __future__ import annotations

from pathlib import Path

from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from .markdown import code_span, shown_name
from .task import CardParts, Task


_USAGE = """from transformers import AutoModelForSequenceClassification

model = AutoModelForSequenceClassification.from_pretrained("{model_id}", num_labels=2{options})"""


def pretraining_card(
    task: Task, examples: DatasetDict, processor: PreTrainedTokenizerBase, config: AttnLSTMConfig
) -> CardParts:
    """The parts of the card of a [`PretrainingTask`] that has been run."""
    named = task.data.train_file or [task.data.dataset]
    local = task.data.dataset is None or Path(task.data.dataset).exists()
    source = ", ".join(Path(name).name for name in named) if local else task.data.dataset
    tokens = task.windows.tokens
    sizes = ", ".join(f"{len(split):,} texts ({tokens[name]:,} tokens) for {name}" for name, split in examples.items())
    trained = shown_name(task.model.tokenizer_name or task.model.model_name_or_path or "that of the checkpoint")
    if task.trained_kind is not None:
        trained = f"{task.trained_kind}, trained on the texts"
    return CardParts(
        summary="A pretrained LSTM: a language model of both directions, to be fine-tuned,",
        usage=_USAGE,
        usage_note="It is made to be fine-tuned: `hfattnlstm train --model_name_or_path` begins with it.",
        source=source,
        dataset=None if local else task.data.dataset,
        data=f"{code_span(source)}: {sizes}. Labels were not read.",
        recipe={
            "tokenizer": trained,
            "started from": shown_name(task.model.model_name_or_path or "random weights"),
            "width, embedding": f"{config.hidden_size}, {config.embedding_size}",
            "dropout of embeddings, words, head": f"{config.embedding_dropout}, {config.word_dropout}, "
            f"{config.classifier_dropout}",
            "block": f"{task.model.block_size} tokens",
            "softmax": f"{config.num_sampled_tokens:,} sampled tokens" if config.num_sampled_tokens else "full",
        },
        limits=(
            f"Its vocabulary has {len(processor):,} tokens; what they do not cover is unknown to it.",
            "It is a beginning for other models: what it predicts itself are tokens.",
        ),
        pipeline_tag="feature-extraction",
        tags=("hfattnlstm", "lstm", "pretraining"),
    )
