"""Options of the Trainer beside the model's own loss: each is followed, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding, TrainingArguments
from transformers.trainer_callback import EarlyStoppingCallback

from hfattnlstm import AttnLSTMTrainer
from hfattnlstm.training.metrics import compute_metrics_for
from training.training_helpers import NO_DROPOUT, make_dataset, make_model, make_tokenizer, make_trainer, weights_of


TYPES = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "regression": "regression",
}
# What the model's loss may have beside the plain one.
PARTS = {
    "plain": {},
    "class weights": {"class_weights": [1.0, 5.0]},
    "penalties": {"pooler_l2_coef": 2.0, "pooler_entropy_coef": 0.5},
}
PAIRS = [(kind, part) for kind in TYPES for part in PARTS if (kind, part) != ("regression", "class weights")]


def steps(folder: Path, kind: str, fields: dict[str, Any], **options: Any) -> tuple[list[float], dict, dict]:
    """Losses of a training of some steps, the weights after it, and the scores then."""
    dataset = make_dataset(24, kind)
    trainer = make_trainer(
        folder,
        make_model(kind, **NO_DROPOUT, **fields),
        dataset,
        **{"num_train_epochs": 1, "logging_strategy": "steps", "logging_steps": 1, "max_grad_norm": 0.0, **options},
    )
    trainer.compute_metrics = compute_metrics_for(TYPES[kind])
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    scores = {name: value for name, value in trainer.evaluate().items() if "per_second" not in name}
    for name in ("eval_runtime", "eval_model_preparation_time"):
        scores.pop(name, None)
    return losses, weights_of(trainer.model), scores


@pytest.fixture(scope="module")
def plain() -> dict[Any, Any]:
    """What the plain path gives, by kind and part, once it is known."""
    return {}


@pytest.mark.parametrize(
    "options",
    [
        {"activation_checkpointing": True},
        {"auto_find_batch_size": True},
        {"average_tokens_across_devices": False},
        {"dataloader_drop_last": True},
        {"eval_accumulation_steps": 1},
        {"eval_do_concat_batches": False},
        {"include_for_metrics": ["inputs", "loss"]},
        {"optim": "adamw_torch"},
        {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "train_sampling_strategy": "sequential"},
        {"remove_unused_columns": False},
        {"use_cache": True},
    ],
    ids=lambda options: next(iter(options)),
)
# A part of the loss that an option left out would show in either.
@pytest.mark.parametrize(("kind", "part"), [pair for pair in PAIRS if pair[1] != "plain" or pair[0] == "regression"])
def test_the_loss_is_that_of_the_plain_path(
    tmp_path: Path, kind: str, part: str, options: dict[str, Any], plain: dict[Any, Any]
) -> None:
    accumulates = "gradient_accumulation_steps" in options
    if accumulates and (kind, part) == ("single", "class weights"):
        pytest.skip("Cross entropy with class weights is a mean over the weights of the batch at hand.")
    # The same texts in each update, whatever the batch size.
    order = {"train_sampling_strategy": "sequential"} if accumulates else {}
    if (kind, part, accumulates) not in plain:
        plain[kind, part, accumulates] = steps(tmp_path, kind, PARTS[part], **order)
    losses, weights, scores = plain[kind, part, accumulates]
    others = steps(tmp_path, kind, PARTS[part], **options)
    assert others[0] == pytest.approx(losses, rel=1e-4)
    for name, tensor in weights.items():
        # A moment of Adam that is next to 0 may go either way.
        torch.testing.assert_close(others[1][name], tensor, atol=2e-4, rtol=1e-3, msg=name)
    assert others[2] == pytest.approx(scores, rel=1e-3)


# torch looks at an attribute of its own that it warns about.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_training_is_the_same(tmp_path: Path) -> None:
    losses, weights, scores = steps(tmp_path, "single", PARTS["class weights"])
    compiled = steps(tmp_path, "single", PARTS["class weights"], torch_compile=True, torch_compile_backend="eager")
    assert compiled[0] == pytest.approx(losses, rel=1e-4) and compiled[2] == pytest.approx(scores, rel=1e-3)
    assert compiled[1].keys() == weights.keys()


@pytest.mark.parametrize("name", ["bf16_full_eval", "fp16_full_eval"])
def test_an_evaluation_in_half_precision_leaves_the_weights_whole(tmp_path: Path, name: str) -> None:
    _, weights, scores = steps(tmp_path, "single", PARTS["penalties"])
    _, kept, halved = steps(tmp_path, "single", PARTS["penalties"], **{name: True})
    for key, tensor in weights.items():
        assert kept[key].dtype == torch.float32 and torch.equal(kept[key], tensor), key
    assert halved["eval_loss"] == pytest.approx(scores["eval_loss"], rel=0.02) and halved != scores


class TestSmoothing:
    """`label_smoothing_factor` is a part of the model's loss, beside class weights and penalties."""

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize("kind", ["single", "multi"])
    def test_the_models_loss_is_used(self, tmp_path: Path, kind: str, part: str) -> None:
        dataset = make_dataset(8, kind)
        trainer = make_trainer(tmp_path, make_model(kind, **PARTS[part]), dataset, label_smoothing_factor=0.2)
        assert trainer.model.config.label_smoothing == 0.2 and trainer.label_smoother is None
        trainer.model.eval()
        batch = next(iter(trainer.get_train_dataloader()))
        own = trainer.model(**batch).loss
        assert torch.equal(trainer.compute_loss(trainer.model, dict(batch)), own)
        trainer.model.config.label_smoothing = 0.0
        assert not torch.equal(trainer.compute_loss(trainer.model, dict(batch)), own)

    @pytest.mark.parametrize("kind", ["single", "multi"])
    def test_evaluations_show_it_too(self, tmp_path: Path, kind: str) -> None:
        model, dataset = make_model(kind, class_weights=[1.0, 5.0]), make_dataset(8, kind)
        trainer = make_trainer(tmp_path, model, dataset, label_smoothing_factor=0.2)
        batch = trainer.data_collator([{k: v for k, v in row.items() if k != "length"} for row in dataset])
        with torch.no_grad():
            expected = model.eval()(**batch).loss.item()
        assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-5)

    def test_a_model_made_by_the_trainer_smooths(self, tmp_path: Path) -> None:
        args = TrainingArguments(str(tmp_path), label_smoothing_factor=0.3, use_cpu=True)
        trainer = AttnLSTMTrainer(args=args, model_init=lambda: make_model())
        assert trainer.model.config.label_smoothing == 0.3 and trainer.label_smoother is None
        assert trainer.call_model_init().config.label_smoothing == 0.3

    def test_a_models_own_smoothing_stays(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, make_model(label_smoothing=0.1), make_dataset(8))
        assert trainer.model.config.label_smoothing == 0.1

    def test_not_in_a_regression(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="label_smoothing_factor has no meaning in a regression"):
            make_trainer(tmp_path, make_model("regression"), make_dataset(8, "regression"), label_smoothing_factor=0.1)


@pytest.mark.parametrize("length", [3, 12])
def test_noise_is_scaled_by_the_length_and_the_width(tmp_path: Path, length: int) -> None:
    """The embedding is read time-major; transformers' hook would take the number of texts for the length."""
    dataset = Dataset.from_dict({"input_ids": [[2] * length] * 6, "labels": [0, 1] * 3})
    model = make_model(**NO_DROPOUT)
    before = model.get_input_embeddings().weight[2].detach().clone()
    seen: list[torch.Tensor] = []
    model.base_model.embeddings.register_forward_hook(lambda _, __, output: seen.append(output.detach()))
    trainer = make_trainer(
        tmp_path,
        model,
        dataset,
        neftune_noise_alpha=5.0,
        max_steps=1,
        per_device_train_batch_size=6,
        learning_rate=0.0,
    )
    trainer.train()
    noise = (seen[0] - before).abs()
    assert seen[0].shape == (6, length, 8)
    bound = 5.0 / (length * 8) ** 0.5
    assert 0.8 * bound < noise.max().item() <= bound + 1e-6
    # Each text and place has its own, and later readings have none.
    assert len(seen[0][..., 0].unique()) == 6 * length
    model.eval()(torch.tensor([[2]]))
    assert torch.equal(seen[-1][0, 0], before)
    model.train()(torch.tensor([[2]]))
    assert torch.equal(seen[-1][0, 0], before)


def test_noise_in_a_training_that_would_be_lazy(tmp_path: Path) -> None:
    """The lazy look-up reads every row once, without length and texts: it failed with an IndexError."""
    trainer = make_trainer(tmp_path, make_model(vocab_size=20_000), make_dataset(8), neftune_noise_alpha=5.0)
    trainer.train()
    assert type(trainer.optimizer.optimizer) is torch.optim.AdamW


class TestRefused:
    """What would leave a part of the model out."""

    def make(self, folder: Path, fields: dict[str, Any], compute_loss_func: Any = None, **options: Any):
        args = TrainingArguments(str(folder), use_cpu=True, report_to="none", **options)
        tokenizer = make_tokenizer()
        return AttnLSTMTrainer(
            make_model(**fields),
            args,
            train_dataset=make_dataset(8),
            eval_dataset=make_dataset(8),
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=compute_metrics_for(TYPES["single"]),
            compute_loss_func=compute_loss_func,
        )

    @pytest.mark.parametrize(
        ("fields", "options", "names"),
        [
            ({"class_weights": [1.0, 2.0]}, {}, "class_weights"),
            ({"pooler_entropy_coef": 0.1}, {}, "pooler_entropy_coef"),
            ({}, {"label_smoothing_factor": 0.1}, "label_smoothing"),
        ],
    )
    def test_a_loss_function_that_replaces_the_models(self, tmp_path, fields, options, names) -> None:
        def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
            return outputs.logits.sum() * 0

        assert self.make(tmp_path, {}, loss).compute_loss_func is loss
        with pytest.raises(ValueError, match=f"compute_loss_func replaces the loss of the model, of which {names}"):
            self.make(tmp_path, fields, loss, **options)

    def test_options_that_leave_nothing_to_measure(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="label_names=\\['target'\\] leaves out 'labels'"):
            self.make(tmp_path, {}, label_names=["target"])
        with pytest.raises(ValueError, match="'accuracy' is none of the metrics: loss"):
            self.make(tmp_path, {}, prediction_loss_only=True, metric_for_best_model="accuracy")


class TestDirection:
    """transformers takes `greater_is_better=True` for all metrics but losses."""

    def test_the_best_checkpoint_has_the_lowest_error(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("WARNING", "hfattnlstm"):
            trainer = make_for_metric(tmp_path, "mse")
        assert "Of mse, lower is better: greater_is_better is set to False" in caplog.text
        assert trainer.args.greater_is_better is False

    @pytest.mark.parametrize(("metric", "best"), [("mse", 2), ("eval_mae", 2), ("r2", 1), ("eval_loss", None)])
    def test_best_model(self, tmp_path: Path, metric: str, best: int | None, monkeypatch) -> None:
        trainer = make_for_metric(tmp_path, metric, eval_strategy="epoch", save_strategy="epoch", num_train_epochs=3)
        trainer.args.load_best_model_at_end = True
        name = metric.removeprefix("eval_")
        given = iter([3.0, 1.0, 2.0])
        scorer = trainer.compute_metrics
        trainer.compute_metrics = lambda prediction: scorer(prediction) | ({name: next(given)} if best else {})
        trainer.train()
        if best is not None:
            assert trainer.state.best_metric == (1.0 if best == 2 else 3.0)
            assert trainer.state.best_global_step == best
        else:
            losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
            assert trainer.state.best_metric == min(losses)

    def test_early_stopping(self, tmp_path: Path) -> None:
        trainer = make_for_metric(tmp_path, "rmse", eval_strategy="epoch", save_strategy="epoch", num_train_epochs=6)
        trainer.args.load_best_model_at_end = True
        trainer.add_callback(EarlyStoppingCallback(2))
        given = iter([5.0, 4.0, 3.0, 3.5, 3.6, 9.0])
        trainer.compute_metrics = lambda prediction: {"rmse": next(given)}
        trainer.train()
        assert trainer.state.global_step == 5 and trainer.state.best_metric == 3.0

    @pytest.mark.parametrize("scheduler", ["reduce_lr_on_plateau", "greedy"])
    @pytest.mark.parametrize(("metric", "mode"), [("mse", "min"), ("r2", "max"), ("loss", "min")])
    def test_plateau(self, tmp_path: Path, scheduler: str, metric: str, mode: str) -> None:
        trainer = make_for_metric(tmp_path, metric, lr_scheduler_type=scheduler, eval_strategy="epoch")
        trainer.train()
        assert trainer.lr_scheduler.mode == mode

    def test_a_plateau_the_other_way_is_refused(self, tmp_path: Path) -> None:
        options = {"lr_scheduler_type": "reduce_lr_on_plateau", "lr_scheduler_kwargs": {"mode": "max"}}
        with pytest.raises(ValueError, match="lr_scheduler_kwargs has the mode 'max', but of mse lower is better"):
            make_for_metric(tmp_path, "mse", eval_strategy="epoch", **options).train()

    def test_unknown_metrics_are_refused_before_the_training(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="metric_for_best_model='f1' is none of the metrics: mse, rmse, mae"):
            make_for_metric(tmp_path, "f1")

    def test_metrics_of_others_are_left_alone(self, tmp_path: Path) -> None:
        arguments = TrainingArguments(str(tmp_path), metric_for_best_model="perplexity_gain", use_cpu=True)
        trainer = AttnLSTMTrainer(make_model(), arguments, compute_metrics=lambda prediction: {})
        assert trainer.args.greater_is_better is True


def make_for_metric(folder: Path, metric: str, **options: Any) -> AttnLSTMTrainer:
    """A regression of one step an epoch."""
    settings = {
        "metric_for_best_model": metric,
        "use_cpu": True,
        "report_to": "none",
        "disable_tqdm": True,
        "per_device_train_batch_size": 4,
        "num_train_epochs": 1,
        "dataloader_pin_memory": False,
        **options,
    }
    args = TrainingArguments(str(folder), **settings)
    tokenizer = make_tokenizer()
    dataset = make_dataset(4, "regression")
    return AttnLSTMTrainer(
        make_model("regression"),
        args,
        train_dataset=dataset,
        eval_dataset=dataset,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=compute_metrics_for("regression"),
    )


def test_predictions_of_a_training_that_drops_the_last_batch_are_complete(tmp_path: Path) -> None:
    dataset = make_dataset(10)
    trainer = make_trainer(
        tmp_path, make_model(), dataset, dataloader_drop_last=True, per_device_eval_batch_size=4, num_train_epochs=1
    )
    assert len(trainer.predict(dataset).predictions) == 10
    assert trainer.train().global_step == 2 and trainer.args.dataloader_drop_last
    assert np.isfinite(trainer.evaluate()["eval_loss"])
