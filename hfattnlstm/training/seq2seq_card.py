"""What the card of a model that writes says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import DatasetDict

from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from ..modeling.pair_processor import PairProcessor
from .markdown import code_span, escaped, shown_name, table
from .seq2seq_evaluation import TextEvaluation
from .task import CardParts, Task


_SHOWN = 8
_LONGEST = 160
_USAGE = """from transformers import pipeline

writer = pipeline("attention-text2text", model="{model_id}"{options})
writer("a text")["generated_text"]"""


def seq2seq_card(
    task: Task, examples: DatasetDict, processor: PairProcessor, config: AttnLSTMSeq2SeqConfig
) -> CardParts:
    """The parts of the card of a [`Seq2SeqTask`] that has been run."""
    data = task.data
    named = data.dataset or " and ".join(Path(name).name for name in data.train_file)
    local = data.dataset is None or Path(data.dataset).exists()
    source = Path(named).name if local else named
    sizes = ", ".join(f"{len(split):,} pairs for {name}" for name, split in examples.items())
    columns = task.loaded.source_column, task.loaded.target_column
    read = "" if columns[0] is None else f"\n\nRead: {code_span(columns[0])}; written: {code_span(columns[1])}."
    return CardParts(
        summary="A model that writes a text from another one: a bidirectional LSTM, and an LSTM decoder with "
        "attention over what it has read",
        usage=_USAGE,
        usage_note="`AutoModelForSeq2SeqLM` and `generate` work in both ways, too.",
        source=source,
        dataset=None if local else data.dataset,
        data=f"{code_span(source)}: {sizes}.{read}",
        recipe={
            "started from": shown_name(task.model.model_name_or_path or "random weights"),
            "tokens": _tokens(task, config),
            "layers, width of the encoder": f"{config.num_hidden_layers}, {config.hidden_size}",
            "layers, width of the decoder": f"{config.num_decoder_layers}, {config.decoder_size}",
            "attention": f"{config.cross_attention_score}, {config.cross_attention_num_heads} head(s)"
            + (", with coverage" if config.coverage else ""),
            "input feeding": "yes" if config.input_feeding else "no",
            "beams": task.training.generation_num_beams or 1,
        },
        limits=(
            f"It reads at most {processor.tokenizer.model_max_length:,} tokens of a text, and was trained on texts as "
            "long as those above: give longer ones sentence by sentence.",
            "What it writes can be fluent and wrong: names, numbers and negations most of all.",
            "The attention shows where the model looked. It is no proof of why it wrote a word.",
        ),
        pipeline_tag="text2text-generation",
        tags=("hfattnlstm", "lstm", "attention", "translation"),
    )


def _tokens(task: Task, config: AttnLSTMSeq2SeqConfig) -> str:
    if config.decoder_vocab_size is None:
        return f"{config.vocab_size:,}, one vocabulary"
    return f"{config.vocab_size:,} read, {config.decoder_vocab_size:,} written"


def describe_texts(evaluation: TextEvaluation, split: str) -> str:
    """Sections of a card on what was written, in Markdown.

    Example:

    ```python
    >>> from hfattnlstm.training.text_scores import score_texts
    >>> scores = score_texts(["A dog barks."], ["A dog barks."])
    >>> print(describe_texts(TextEvaluation(scores, ["Ein Hund."], ["A dog."], ["A dog."]), "test"))
    ### Texts
    ...
    ```
    """
    rows = [tuple(escaped(_short(text)) for text in row) for row in evaluation.examples(_SHOWN)]
    signatures: dict[str, Any] = evaluation.scores.signatures
    shown = ", ".join(f"{name} {code_span(signature)}" for name, signature in signatures.items())
    return (
        f"### Texts\n\nSome of the {split} split, from all over it; sacreBLEU's signatures: {shown}.\n\n"
        f"{table(('read', 'should be', 'written'), rows, texts=3)}"
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
