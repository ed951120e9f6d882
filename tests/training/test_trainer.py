"""The Trainer: resuming, order, accumulation, NaN, and several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from hfattnlstm.training.callbacks import GradientValueClipping
from hfattnlstm.training.trainer import NonFiniteLossError
from training.training_helpers import NO_DROPOUT, make_dataset, make_model, make_trainer, weights_of


@pytest.mark.parametrize("strategy", ["group_by_length", "random", "sequential"])
@pytest.mark.parametrize("stop_at", [5, 12, 17])
def test_resuming_is_bit_equal(tmp_path: Path, strategy: str, stop_at: int) -> None:
    """Also from the middle of an epoch (12 steps) and from its end, with dropout on."""
    dataset = make_dataset()
    settings = {"train_sampling_strategy": strategy, "save_strategy": "steps", "save_steps": stop_at}
    whole = make_trainer(tmp_path / "whole", make_model(), dataset, **settings)
    whole.train()
    checkpoint = tmp_path / "whole" / f"checkpoint-{stop_at}"

    resumed = make_trainer(tmp_path / "resumed", make_model(seed=99), dataset, **settings)
    resumed.train(resume_from_checkpoint=str(checkpoint))

    assert resumed.state.global_step == whole.state.global_step == 24
    for name, tensor in weights_of(whole.model).items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


class _Batches(TrainerCallback):
    """Keeps the lengths of the batches that the model sees."""

    def __init__(self, model: torch.nn.Module):
        self.shapes: list[tuple[int, ...]] = []
        model.register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, model, args, kwargs) -> None:
        self.shapes.append(tuple(kwargs["input_ids"].shape))


def test_group_by_length_reduces_padding(tmp_path: Path) -> None:
    widths = {}
    for strategy in ("group_by_length", "random"):
        model = make_model()
        batches = _Batches(model)
        make_trainer(tmp_path, model, make_dataset(400), train_sampling_strategy=strategy, num_train_epochs=1).train()
        widths[strategy] = sum(rows * width for rows, width in batches.shapes)
    assert widths["group_by_length"] < 0.75 * widths["random"]


def test_epochs_have_different_orders_and_seeds_do_too(tmp_path: Path) -> None:
    orders = []
    for seed in (1, 2):
        trainer = make_trainer(tmp_path, make_model(), make_dataset(), seed=seed)
        sampler = trainer._get_train_sampler()
        orders.append(list(sampler))
        sampler.set_epoch(1)
        orders.append(list(sampler))
    assert all(sorted(order) == list(range(48)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_the_order_depends_on_the_seed_of_the_data_where_there_is_one(tmp_path: Path) -> None:
    def order(**seeds: int) -> list[int]:
        return list(make_trainer(tmp_path, make_model(), make_dataset(), **seeds)._get_train_sampler())

    assert order(seed=1, data_seed=5) == order(seed=2, data_seed=5) == order(seed=5)
    assert order(seed=1, data_seed=0) == order(seed=0) != order(seed=1)


def test_prediction_keeps_the_order_of_the_data_set(tmp_path: Path) -> None:
    dataset = make_dataset(30)
    trainer = make_trainer(tmp_path, make_model(), dataset, per_device_eval_batch_size=7)
    output = trainer.predict(dataset)
    assert output.label_ids.tolist() == dataset["labels"]
    trainer.model.eval()
    for row in (0, 13, 29):
        with torch.no_grad():
            alone = trainer.model(torch.tensor([dataset[row]["input_ids"]])).logits[0]
        torch.testing.assert_close(torch.tensor(output.predictions[row]), alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["single", "multi", "regression"])
def test_accumulation_equals_the_larger_batch(tmp_path: Path, kind: str) -> None:
    dataset = make_dataset(32, kind)
    results = []
    for batch_size, steps in ((8, 1), (2, 4)):
        trainer = make_trainer(
            tmp_path,
            make_model(kind, **NO_DROPOUT),
            dataset,
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=steps,
            # The same texts in each update, whatever the batch size.
            train_sampling_strategy="sequential",
            max_grad_norm=0.0,
            optim="sgd",
            learning_rate=0.1,
            logging_strategy="steps",
            logging_steps=1,
        )
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        results.append((weights_of(trainer.model), losses))
    (large, large_losses), (small, small_losses) = results
    assert small_losses == pytest.approx(large_losses, rel=1e-4)
    for name, tensor in large.items():
        torch.testing.assert_close(tensor, small[name], atol=1e-6, rtol=1e-5)


def test_nan_stops_the_training_and_names_the_step(tmp_path: Path) -> None:
    class Break(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs) -> None:
            if state.global_step == 3:
                model.classifier.out_proj.weight.data.fill_(float("nan"))

    trainer = make_trainer(tmp_path, make_model(), make_dataset())
    trainer.add_callback(Break())
    with pytest.raises(NonFiniteLossError, match=r"nan at step 4"):
        trainer.train()
    assert trainer.state.global_step == 3


def test_gradients_are_clipped_by_value(tmp_path: Path) -> None:
    largest: dict[str, list[float]] = {"before": [], "after": []}

    class Before(TrainerCallback):
        when = "before"

        def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs) -> None:
            entry = max(parameter.grad.abs().max().item() for parameter in model.parameters())
            largest[self.when].append(entry)

    class After(Before):
        when = "after"

    trainer = make_trainer(tmp_path, make_model(), make_dataset(), max_grad_norm=0.0)
    for callback in (Before(), GradientValueClipping(1e-3), After()):
        trainer.add_callback(callback)
    trainer.train()
    before, after = max(largest["before"]), max(largest["after"])
    assert before > 2e-3
    assert after == pytest.approx(1e-3)


def test_clipping_value_must_be_positive() -> None:
    with pytest.raises(ValueError, match="max_grad_value"):
        GradientValueClipping(0)


_TWO_PROCESSES = """
import os, sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from training.training_helpers import NO_DROPOUT, make_dataset, make_model, make_trainer, weights_of

trainer = make_trainer(
    Path({folder!r}), make_model(**NO_DROPOUT), make_dataset(), per_device_train_batch_size=2,
    ddp_backend="gloo", max_grad_norm=1.0,
)
trainer.train()
if trainer.is_world_process_zero():
    torch.save(weights_of(trainer.accelerator.unwrap_model(trainer.model)), {folder!r} + "/weights.pt")
# A process that ends while the other one still speaks to it is aborted.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
# Under load, threads of torch outlive what they belong to while Python ends, and abort the process.
os._exit(0)
"""


def test_two_processes_equal_one(tmp_path: Path) -> None:
    one = make_trainer(
        tmp_path / "one", make_model(**NO_DROPOUT), make_dataset(), per_device_train_batch_size=4, max_grad_norm=1.0
    )
    one.train()

    tests = str(Path(__file__).parents[1])
    script = tmp_path / "two.py"
    script.write_text(_TWO_PROCESSES.format(tests=tests, folder=str(tmp_path)))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]

    two = torch.load(tmp_path / "weights.pt", weights_only=True)
    start = weights_of(make_model(**NO_DROPOUT))
    moved = 0.0
    for name, tensor in weights_of(one.model).items():
        torch.testing.assert_close(tensor, two[name], atol=2e-5, rtol=1e-4, msg=lambda text, name=name: name + text)
        moved = max(moved, (tensor - start[name]).abs().max().item())
    assert moved > 1e-2
