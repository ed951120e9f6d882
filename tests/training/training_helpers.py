"""A small data set and model for the tests of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import DataCollatorWithPadding, PreTrainedTokenizerFast, TrainingArguments, set_seed

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMTrainer


VOCABULARY = {"[PAD]": 0, "[UNK]": 1, **{f"w{index}": index for index in range(2, 30)}}


def make_tokenizer() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=32)


def make_dataset(count: int = 48, kind: str = "single", seed: int = 0) -> Dataset:
    """Texts of 1 to 9 tokens; the label says whether token 2 is among them."""
    generator = torch.Generator().manual_seed(seed)
    rows: dict[str, list] = {"input_ids": [], "length": [], "labels": []}
    for _ in range(count):
        length = int(torch.randint(1, 10, (1,), generator=generator))
        ids = torch.randint(2, 6, (length,), generator=generator).tolist()
        present = [2 in ids, 3 in ids]
        rows["input_ids"].append(ids)
        rows["length"].append(length)
        label = {"single": int(present[0]), "multi": [float(value) for value in present], "regression": length / 9}
        rows["labels"].append(label[kind])
    return Dataset.from_dict(rows)


def make_model(kind: str = "single", seed: int = 0, **overrides: Any) -> AttnLSTMForSequenceClassification:
    set_seed(seed)
    problems = {
        "single": {"problem_type": "single_label_classification", "num_labels": 2},
        "multi": {"problem_type": "multi_label_classification", "num_labels": 2},
        "regression": {"problem_type": "regression", "num_labels": 1},
    }
    fields = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, **problems[kind], **overrides}
    return AttnLSTMForSequenceClassification(AttnLSTMConfig(**fields))


NO_DROPOUT = {"hidden_dropout_prob": 0.0, "embedding_dropout": 0.0, "classifier_dropout": 0.0}


def make_trainer(
    folder: Path, model: AttnLSTMForSequenceClassification, dataset: Dataset, **arguments: Any
) -> AttnLSTMTrainer:
    settings = {
        "per_device_train_batch_size": 4,
        "num_train_epochs": 2,
        "learning_rate": 5e-3,
        "train_sampling_strategy": "group_by_length",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "logging_strategy": "no",
        **arguments,
    }
    tokenizer = make_tokenizer()
    return AttnLSTMTrainer(
        model=model,
        args=TrainingArguments(str(folder), **settings),
        train_dataset=dataset,
        eval_dataset=dataset,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )


def weights_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
