"""What the card of a tagger says of its words, its tags and its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from .markdown import code_span, escaped, shown_name, table
from .tagging_evaluation import TagEvaluation
from .task import CardParts, Task


# More are hardly read in a card, and `hfattnlstm evaluate` shows them.
_MOST_IN_A_SQUARE = 12
_USAGE = """from transformers import pipeline

tagger = pipeline("attention-token-classification", model="{model_id}"{options})
tagger("Angela Merkel was born in Hamburg.")"""


def tagging_card(
    task: Task, examples: DatasetDict, processor: PreTrainedTokenizerBase, config: AttnLSTMConfig
) -> CardParts:
    """The parts of the card of a [`TaggingTask`] that has been run."""
    data = task.data
    local = data.dataset is None or Path(data.dataset).exists()
    source = Path(data.dataset or data.train_file).name if local else data.dataset
    sizes = ", ".join(f"{len(split):,} sentences for {name}" for name, split in examples.items())
    kinds = [name for name in config.id2label.values() if config.tagging_scheme is None or name.startswith("B-")]
    shown = ", ".join(code_span(name.removeprefix("B-") if config.tagging_scheme else name) for name in kinds)
    what = "Tags" if config.tagging_scheme is None else "Spans"
    return CardParts(
        summary="A tagger of words: an LSTM" + (" with a CRF" if config.use_crf else ""),
        usage=_USAGE,
        usage_note='`pipeline("token-classification", …)` and the Auto classes work in both ways, too.',
        source=source,
        dataset=None if local else data.dataset,
        data=f"{code_span(source)}: {sizes}.\n\n{what}: {shown or 'none'}.",
        recipe=_recipe(task, config),
        limits=(
            f"It reads at most {processor.model_max_length:,} tokens at once; longer sentences are read in parts that "
            "overlap.",
            "It was trained on single sentences, and knows nothing of those around them.",
            "Words are cut from a text by rules that follow its training words; words that are given are tagged as "
            "they are.",
        ),
        pipeline_tag="token-classification",
        tags=("hfattnlstm", "lstm", "token-classification"),
    )


def _recipe(task: Task, config: AttnLSTMConfig) -> dict[str, Any]:
    names = ", ".join(Path(path).name for path in task.vectors)
    return {
        "started from": shown_name(task.model.model_name_or_path or "random weights"),
        "read of a word": ", ".join(config.inputs) + (f" ({escaped(names)})" if names else ""),
        "joined by": config.input_merge,
        "layers, width": f"{config.num_hidden_layers}, {config.hidden_size}",
        "decoding": "the best sequence of tags (CRF)" if config.use_crf else "each tag by itself",
    }


def describe_tags(evaluation: TagEvaluation, split: str) -> str:
    """Sections of a card on what a tagger is worth, in Markdown.

    Example:

    ```python
    >>> from hfattnlstm.training.tagging_evaluation import evaluate_tags
    >>> print(describe_tags(evaluate_tags([["Paris"]], [["B-LOC"]], [["B-LOC"]], [[0.9]], "bio"), "test"))
    ### Kinds of spans
    ...
    ```
    """
    spans = evaluation.tagging_scheme is not None
    title = "Kinds of spans" if spans else "Tags"
    heads = ("kind" if spans else "tag", "precision", "recall", "F1", "spans" if spans else "words")
    rows = [
        (escaped(kind), *(f"{of[score]:.4f}" for score in ("precision", "recall", "f1")), f"{of['support']:,}")
        for kind, of in evaluation.per_kind.items()
    ]
    note = " A span counts where its kind, beginning and end are right." if spans else ""
    sections = [f"### {title}\n\nOn the {split} split.{note}\n\n{table(heads, rows)}"]
    if 1 < len(evaluation.kinds) <= _MOST_IN_A_SQUARE:
        names = [escaped(name) for name in evaluation.kinds]
        rows = [(name, *map(str, counts)) for name, counts in zip(names, evaluation.confusions.tolist())]
        what = "The right kind by row, the predicted one by column" + (
            "; of spans that share words, whatever their borders" if spans else ""
        )
        sections.append(f"### Confusions\n\n{what}:\n\n{table(('', *names), rows)}")
    return "\n\n".join(sections)
