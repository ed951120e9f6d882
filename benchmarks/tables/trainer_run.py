"""A whole run of the Trainer against the bare loop of the same steps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from datasets import Dataset, Features, List, Value
from transformers import PrinterCallback

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMTrainer
from hfattnlstm.data.batching import PaddingCollator
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.classification_arguments import ModelArguments, config_overrides

from ..loops import training
from ..models import LABELS, Configuration, configurations
from ..options import Options
from ..speed import add_measurements, speed_table
from ..table import Table
from ..targets import BARE_LOOP, TRAINER
from ..timing import Call, Candidate, Prepare, measure
from ..workload import Sample, Workload


# A run is longer than a few steps: what the Trainer does once should weigh as little as it does in earnest.
BUDGET_FACTOR = 5
MOST_TEXTS = 2**16
NOTES = [
    "Both train the default model of `hfattnlstm train` for one epoch of the same length-grouped batches of 32, with "
    "the same AdamW and clipping; the bare loop has its batches made before, no learning-rate schedule and no log.",
    "The Trainer reads a data set, pads in its collator, and is run as by `hfattnlstm train`, without evaluation and "
    "checkpoints.",
]


def run(options: Options) -> Table:
    """Measure reviews and sentences."""
    table = speed_table("trainer-run", "A whole Trainer run", BARE_LOOP, list(NOTES))
    kinds = ("reviews",) if options.main else ("reviews", "sentences")
    vocab_size = configurations(options)[0].vocab_size
    for kind in kinds:
        configuration = Configuration(kind, vocab_size=vocab_size)
        workload = options.workload(kind)
        model = partial(_default_model, configuration)
        candidates = [
            Candidate(TRAINER, partial(_trainer, model, workload), most=MOST_TEXTS),
            Candidate(BARE_LOOP, training(model, "grouped"), most=MOST_TEXTS),
        ]
        longer = replace(options, budget=options.budget * BUDGET_FACTOR)
        measured = measure(candidates, workload, longer, baseline=BARE_LOOP, same_texts=True)
        add_measurements(table, f"{kind}, default model of hfattnlstm train", measured, BARE_LOOP, targets=kind)
    return table


def _default_model(configuration: Configuration) -> AttnLSTMForSequenceClassification:
    config = AttnLSTMConfig(
        vocab_size=configuration.vocab_size, num_labels=LABELS, **config_overrides(ModelArguments())
    )
    return AttnLSTMForSequenceClassification(config)


def _trainer(make_model: Callable[[], AttnLSTMForSequenceClassification], workload: Workload) -> Prepare:
    model, tokenizer = make_model(), workload.tokenizer()

    def prepare(sample: Sample) -> Call:
        folder = tempfile.TemporaryDirectory()
        trainer = AttnLSTMTrainer(
            model=model,
            args=_arguments(folder.name),
            train_dataset=_data_set(sample),
            processing_class=tokenizer,
            data_collator=PaddingCollator(tokenizer.pad_token_id, model.config.model_input_names),
        )
        trainer.remove_callback(PrinterCallback)

        # The folder lives as long as the call.
        def call(folder: tempfile.TemporaryDirectory = folder) -> int:
            trainer.train()
            return len(sample)

        return call

    return prepare


def _data_set(sample: Sample) -> Dataset:
    """As `hfattnlstm.data.encoding.encode_texts` makes it."""
    features = Features({"input_ids": List(Value("int32")), "length": Value("int32"), "labels": Value("int64")})
    columns = {"input_ids": sample.ids, "length": sample.lengths, "labels": sample.labels}
    return Dataset.from_dict(columns, features=features)


def _arguments(folder: str) -> RunArguments:
    return RunArguments(
        output_dir=folder,
        num_train_epochs=1,
        eval_strategy="no",
        save_strategy="no",
        use_cpu=not torch.accelerator.is_available(),
        disable_tqdm=True,
        report_to="none",
    )
