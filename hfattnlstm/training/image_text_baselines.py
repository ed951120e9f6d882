"""The same model, trained on the texts alone and on the pictures alone: what the two say by themselves."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping

from datasets import Dataset, DatasetDict
from transformers import PreTrainedModel, PrinterCallback, ProgressCallback, set_seed

from ..data.image_text_rows import IMAGE_ALONE, TEXT_ALONE, ImageTextCollator
from .callbacks_of_flags import callbacks_of
from .trainer import AttnLSTMTrainer


TOLD = (TEXT_ALONE, IMAGE_ALONE)


def train_baselines(
    trainer: AttnLSTMTrainer,
    begin: Callable[[], PreTrainedModel],
    encoded: DatasetDict,
    splits: Mapping[str, Dataset],
    metric: str,
) -> dict[str, float]:
    """Train two models as the given one was trained, from the same weights, and measure them.

    Args:
        trainer: That of the model that is told both, whose flags are theirs, too.
        begin: Makes the model as the training began with it; its random weights depend on the seed alone.
        encoded: The rows, of which those of "train" are learnt, and those of "validation" choose the best checkpoint.
        splits: Rows to measure on, by the prefix of their metrics, such as "eval".
        metric: What is measured, such as "accuracy".

    Returns:
        The scores, such as `text_alone_eval_accuracy` and `image_alone_eval_accuracy`.
    """
    metrics = {}
    for told in TOLD:
        with tempfile.TemporaryDirectory() as folder:
            baseline = _trainer(trainer, begin, encoded, told, folder)
            baseline.train()
            for prefix, rows in splits.items():
                found = baseline.predict(rows, metric_key_prefix=prefix).metrics
                metrics[f"{told}_{prefix}_{metric}"] = found[f"{prefix}_{metric}"]
    return metrics


def _trainer(
    trainer: AttnLSTMTrainer, begin: Callable[[], PreTrainedModel], encoded: DatasetDict, told: str, folder: str
) -> AttnLSTMTrainer:
    args = copy.copy(trainer.args)
    args.output_dir, args.push_to_hub, args.report_to, args.disable_tqdm = folder, False, [], True
    set_seed(args.seed)
    model = begin()
    baseline = AttnLSTMTrainer(
        model=model,
        args=args,
        train_dataset=encoded["train"],
        eval_dataset=encoded.get("validation"),
        processing_class=trainer.processing_class,
        data_collator=ImageTextCollator(trainer.processing_class, model.config.region_size, told),
        compute_metrics=trainer.compute_metrics,
        callbacks=callbacks_of(args),
    )
    # Their losses are none of the log of the model.
    for own in (PrinterCallback, ProgressCallback):
        baseline.remove_callback(own)
    return baseline
