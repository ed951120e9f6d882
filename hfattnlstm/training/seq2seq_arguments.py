"""The flags of a model that writes texts from others: where pairs come from, and which model learns from them."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from transformers import Seq2SeqTrainingArguments

from .arguments import Passes, RunArguments, flag
from .context_arguments import ContextArguments
from .writer_arguments import WriterArguments


# Processors whose bfloat16 makes such a training faster.
_FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16")


@dataclass
class PairArguments:
    """Where the pairs of texts come from."""

    dataset: str | None = flag(None, "Hub name, folder, or file, in place of train_file.")
    dataset_config: str | None = flag(None, "Configuration of the data set, where it has several.")
    train_file: list[str] | None = flag(
        None, "File with the training pairs: tsv, csv, jsonl or parquet; or two files, each with a text a line."
    )
    validation_file: list[str] | None = flag(None, "The same for validation; some pairs are held out without.")
    test_file: list[str] | None = flag(None, "The same for the test metrics.")
    source_column: str | None = flag(
        None, "Column of what is read, or its language in a column translation; found by its name without."
    )
    target_column: str | None = flag(None, "The same of what is written.")
    validation_size: float | None = flag(
        None, "Share of the training pairs held out without validation pairs; a tenth, but at most 2,000 pairs."
    )
    split_seed: int = flag(42, "Seed of that split alone; --seed is that of the run.")
    max_train_samples: int | None = flag(None, "Train on so many pairs only, to try things out.")


@dataclass
class Seq2SeqModelArguments(ContextArguments, WriterArguments):
    """Which model writes texts from others."""

    separate_vocabularies: bool = flag(False, "Whether sources and targets have a vocabulary each.")
    num_hidden_layers: int = flag(1, "LSTM layers of the encoder.")
    bidirectional: bool = flag(True, "Whether the encoder also reads from the end.")
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = flag("concat", "How two directions become one.")
    residual: bool = flag(False, "Whether a layer's input is added to its output, in the encoder.")


@dataclass
class Seq2SeqRunArguments(RunArguments, Seq2SeqTrainingArguments):
    """The flags of the run, with the defaults of a model that writes."""

    num_train_epochs: float | None = flag(
        None, "Passes over the training pairs; without, as many as give 8,000 updates, but 4 to 40.", "epochs"
    )
    learning_rate: float = flag(2e-3, "Highest learning rate.", "lr")
    per_device_train_batch_size: int = flag(64, "Pairs in a training batch of one process.", "batch_size")
    per_device_eval_batch_size: int = flag(128, "Pairs in an evaluation batch of one process.")
    warmup_steps: float = flag(0.05, "Share of the steps, or steps, in which the learning rate rises.")
    label_smoothing_factor: float = flag(0.1, "Share of the target that the loss spreads over all tokens.")
    ema_decay: float | None = flag(
        0.998, "Keep an average of the weights, of which a step leaves so much; 0 for the weights themselves."
    )
    bf16: bool | None = flag(
        None, "Whether matrices are multiplied in bfloat16; without, where the processor is faster in it."
    )
    predict_with_generate: bool = flag(True, "Whether evaluations write texts, and not only measure the loss.")
    generation_num_beams: int | None = flag(5, "Beams with which the model writes when it is trained.")
    generation_max_length: int | None = flag(
        None, "Tokens that it writes at most; half as many again as the longest target without."
    )
    scheduled_sampling: float = flag(
        0.0, "Share of its own tokens that the model reads at the end of the training, rising from 0."
    )
    copy_unknown: bool = flag(False, "Whether words that are not known are copied when the model is measured.")
    bleu_tokenize: Literal["13a", "intl", "zh", "char", "none"] | None = flag(
        None, "How sacreBLEU cuts texts; by their script without."
    )
    bleu_lowercase: bool | None = flag(
        None, "Whether the scores take upper and lower case for the same; without, where the model writes lower case."
    )

    passes: ClassVar[tuple[Passes, ...]] = (Passes(8_000, 4, 40),) * 3
    unit: ClassVar[str] = "pairs"

    def __post_init__(self) -> None:
        # The base class decides by it.
        wanted, self.bf16 = self.bf16, bool(self.bf16)
        if wanted is None and not (self.fp16 or self.fp16_full_eval):
            accelerator = None if self.use_cpu else torch.accelerator.current_accelerator(check_available=True)
            self.bf16 = has_fast_bfloat16_products(accelerator or torch.device("cpu"))
        super().__post_init__()
        self.asked.bf16 = wanted


def has_fast_bfloat16_products(device: torch.device) -> bool:
    """Whether the processor multiplies matrices faster in bfloat16 than in float32.

    The fused LSTM is not, unless there are tile units; here, products of matrices take most of the time.

    Example:

    ```python
    >>> has_fast_bfloat16_products(torch.device("meta"))
    False
    ```
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Older versions of torch cannot tell.
    found = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    return any(found.get(name, False) for name in _FAST_BFLOAT16)
