"""The flags of a pretraining: where its texts come from, which model reads them, and how."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch

from ..modeling.compute_dtype import has_fast_bfloat16
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from .arguments import RunArguments, flag


# Fields of the configuration that follow from the tokenizer.
_FROM_THE_TOKENIZER = frozenset({"vocab_size"})


@dataclass
class CorpusArguments:
    """Where the texts come from; labels, if there are any, are not read."""

    dataset: str | None = flag(None, "Hub name or folder, in place of train_file.")
    dataset_config: str | None = flag(None, "Configuration of the data set, where it has several.")
    splits: list[str] = flag(["train"], "Splits of the data set that are read, such as train unsupervised.")
    train_file: list[str] | None = flag(
        None, "Files with texts: txt with one a line, csv, tsv, jsonl or parquet, or compressed; larger than memory."
    )
    validation_file: str | None = flag(None, "File with texts to measure on; some are held out without.")
    text_column: str | None = flag(None, "Column with the texts; found by its name without.")
    validation_size: float | None = flag(None, "Share of the texts held out; without, a tenth, but at most 500 texts.")
    split_seed: int = flag(42, "Seed of that choice alone; --seed is that of the run.")


@dataclass
class LanguageModelArguments:
    """Which tokenizer and language model are trained."""

    model_name_or_path: str | None = flag(None, "Pretrained model to go on from; a new model without.")
    tokenizer_name: str | None = flag(None, "Tokenizer to use; one is trained without.")
    tokenizer_kind: Literal["auto", "word", "wordpiece", "bpe", "unigram", "char"] = flag(
        "auto", "Kind of tokenizer trained; auto is word, or bpe for scripts without spaces."
    )
    vocab_size: int = flag(30_000, "Tokens that it has at most.")
    lowercase: bool = flag(True, "Whether it lower-cases.")
    max_length: int = flag(400, "Tokens of a text that the trained tokenizer says are read later.")
    block_size: int = flag(256, "Tokens that are read in one go; texts stand behind each other.")
    embedding_size: int = flag(128, "Width of the embedding.")
    hidden_size: int = flag(256, "Width of the states, both directions together.")
    bidirectional: bool = flag(True, "Whether the model also reads from the end.")
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = flag("concat", "How two directions become one.")
    embedding_dropout: float = flag(0.1, "Dropout on the embeddings.")
    locked_dropout: bool = flag(True, "Whether it drops the same units at every token.")
    word_dropout: float = flag(0.0, "Share of the tokens left out in training.")
    classifier_dropout: float = flag(0.1, "Dropout on the states that predict tokens.")
    num_sampled_tokens: int = flag(1024, "Tokens that a target is compared with in training; 0 for all.")
    initializer_range: float = flag(0.1, "Standard deviation of the initial embedding.")


@dataclass
class PretrainingArguments(RunArguments):
    """The flags of the run, with the defaults of a pretraining."""

    num_train_epochs: float | None = flag(4.0, "Passes over the texts.", "epochs")
    learning_rate: float = flag(3e-3, "Highest learning rate.", "lr")
    warmup_steps: float = flag(0.02, "Steps in which it rises, or their share.")
    weight_decay: float = flag(0.0, "Weight decay.")
    per_device_train_batch_size: int = flag(32, "Blocks in a training batch of one process.", "batch_size")
    per_device_eval_batch_size: int = flag(32, "Blocks in an evaluation batch of one process.")
    train_sampling_strategy: Literal["random", "sequential"] = flag("random", "random or sequential.")
    save_strategy: Literal["no", "steps", "epoch", "best"] = flag(
        "steps", "When to save a checkpoint: no, steps, epoch or best."
    )
    save_steps: float = flag(0.05, "Steps between two checkpoints, or their share of all.")
    save_total_limit: int | None = flag(1, "Checkpoints that are kept.")
    load_best_model_at_end: bool = flag(False, "Whether the best checkpoint is kept, not the last.")
    bf16: bool | None = flag(None, "Whether to compute in bfloat16; without, where the processor is fast in it.")

    def __post_init__(self) -> None:
        # The base class decides by it.
        chosen, self.bf16 = self.bf16, False if self.bf16 is None else self.bf16
        if chosen is None and not self.fp16:
            self.bf16 = has_fast_bfloat16(
                torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
            )
        super().__post_init__()
        self.asked.bf16 = chosen
        if self.ddp_find_unused_parameters is None and not self.unfreeze_steps:
            # Each step uses all of them; several processes would look for others every time, and warn of it.
            self.ddp_find_unused_parameters = False


def language_model_fields(arguments: LanguageModelArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMConfig`], by name, but for the size of the vocabulary."""
    names = {item.name for item in fields(AttnLSTMConfig)} & {item.name for item in fields(LanguageModelArguments)}
    return {name: getattr(arguments, name) for name in names - _FROM_THE_TOKENIZER}
