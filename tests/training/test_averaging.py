"""The average of the weights: its numbers, where it stands in for the weights, and going on from a checkpoint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer, TrainerCallback, TrainingArguments

from hfattnlstm import AttnLSTMTrainer
from hfattnlstm.training import TaskRun, WeightAveraging
from hfattnlstm.training.averaging import AVERAGES, decay_over
from training.test_classification import run, write_texts
from training.training_helpers import NO_DROPOUT, make_dataset, make_model, make_trainer, weights_of


Weights = dict[str, torch.Tensor]


class Noted(TrainerCallback):
    """The weights after every update, before anything else looks at them, and at every evaluation."""

    def __init__(self) -> None:
        self.updates: list[Weights] = []
        self.measured: list[tuple[int, Weights]] = []

    def on_optimizer_step(self, args, state, control, model=None, **kwargs) -> None:
        self.updates.append(weights_of(model))

    def on_evaluate(self, args, state, control, model=None, **kwargs) -> None:
        self.measured.append((state.global_step, weights_of(model)))


def averaging(folder: Path, every: int | None = 1, seed: int = 0, **options: Any) -> tuple[AttnLSTMTrainer, Noted]:
    updates = options.pop("embedding_updates", "auto")
    trainer = make_trainer(folder, make_model(seed=seed), make_dataset(), **options)
    trainer.args.embedding_updates = updates
    noted = Noted()
    trainer.add_callback(noted)
    trainer.add_callback(WeightAveraging(0.9, every))
    return trainer, noted


def by_hand(start: Weights, updates: list[Weights], decay: float = 0.9) -> Weights:
    average = {name: weight.double() for name, weight in start.items()}
    for step, weights in enumerate(updates, 1):
        left = min(decay, (1 + step) / (10 + step))
        average = {name: left * average[name] + (1 - left) * weights[name].double() for name in average}
    return average


def difference(first: Weights, second: Weights) -> float:
    return max((first[name].double() - second[name].double()).abs().max().item() for name in first)


def test_what_steps_leave() -> None:
    assert decay_over(1, 3, 0.9) == pytest.approx(2 / 11 * 3 / 12 * 4 / 13)
    for first, last, decay in ((1, 200, 0.9), (78, 84, 0.9), (500, 509, 0.998), (5, 4, 0.5), (1, 9, 0.05)):
        product = 1.0
        for step in range(first, last + 1):
            product *= min(decay, (1 + step) / (10 + step))
        assert decay_over(first, last, decay) == pytest.approx(product)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_it_is_the_average_of_the_weights_after_every_update(tmp_path: Path, accumulated: int) -> None:
    trainer, noted = averaging(
        tmp_path, eval_strategy="epoch", per_device_train_batch_size=2, gradient_accumulation_steps=accumulated
    )
    start = weights_of(trainer.model)
    trainer.train()
    assert len(noted.measured) == 2
    for step, weights in noted.measured:
        assert difference(weights, by_hand(start, noted.updates[:step])) < 1e-6
        assert difference(weights, noted.updates[step - 1]) > 1e-3
    assert difference(trainer.model.state_dict(), noted.measured[-1][1]) == 0


def test_every_few_steps_leaves_of_the_average_what_all_of_them_leave(tmp_path: Path) -> None:
    """And the last steps are in what is measured, also where they are fewer than that."""
    trainer, noted = averaging(tmp_path, every=5)
    start = weights_of(trainer.model)
    trainer.train()
    average, before = {name: weight.double() for name, weight in start.items()}, 0
    for step in (5, 10, 15, 20, 24):
        left = decay_over(before + 1, step, 0.9)
        average = {name: left * average[name] + (1 - left) * noted.updates[step - 1][name] for name in average}
        before = step
    assert difference(trainer.model.state_dict(), average) < 1e-6


def test_the_training_goes_on_from_the_weights_themselves(tmp_path: Path) -> None:
    settings = {"save_strategy": "steps", "save_steps": 5, "eval_strategy": "steps", "eval_steps": 7}
    trainer, noted = averaging(tmp_path / "averaged", **settings)
    trainer.train()
    plain = make_trainer(tmp_path / "plain", make_model(), make_dataset(), **settings)
    others = Noted()
    plain.add_callback(others)
    plain.train()
    for first, second in zip(noted.updates, others.updates, strict=True):
        assert difference(first, second) == 0


@pytest.mark.parametrize("updates", ["dense", "lazy"])
@pytest.mark.parametrize(("stop_at", "every"), [(5, 3), (12, 1), (17, 5)])
def test_resuming_is_bit_equal(tmp_path: Path, stop_at: int, every: int, updates: str) -> None:
    settings = {"save_strategy": "steps", "save_steps": stop_at, "embedding_updates": updates}
    whole, _ = averaging(tmp_path / "whole", every, **settings)
    whole.train()
    resumed, noted = averaging(tmp_path / "resumed", every, seed=99, **settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / f"checkpoint-{stop_at}"))
    assert resumed.state.global_step == whole.state.global_step == 24
    assert difference(resumed.model.state_dict(), whole.model.state_dict()) == 0
    assert difference(resumed.model.state_dict(), noted.updates[-1]) > 1e-3


def test_of_a_table_that_is_updated_lazily(tmp_path: Path) -> None:
    """Up to rounding that of the dense optimiser, and every row counts, also those that no text has read for long."""
    weights = {}
    for updates in ("dense", "lazy"):
        trainer, _ = averaging(
            tmp_path, every=4, embedding_updates=updates, adam_epsilon=1e-12, weight_decay=0.1, num_train_epochs=4
        )
        trainer.train()
        weights[updates] = weights_of(trainer.model)
    assert difference(weights["lazy"], weights["dense"]) < 1e-5
    start = make_model().get_input_embeddings().weight
    unused = weights["lazy"]["attnlstm.embeddings.word_embeddings.weight"][10:]
    assert 1e-5 < (unused - start[10:]).abs().max() < 1e-2


@pytest.mark.parametrize("strategy", ["steps", "epoch", "best"])
def test_the_best_checkpoint_is_an_average(tmp_path: Path, strategy: str) -> None:
    every = "epoch" if strategy == "best" else strategy
    trainer, noted = averaging(
        tmp_path,
        save_strategy=strategy,
        eval_strategy=every,
        save_steps=5,
        eval_steps=5,
        load_best_model_at_end=True,
        # Worst at the end, so that the best is not the last.
        metric_for_best_model="loss",
        greater_is_better=False,
        learning_rate=0.2,
    )
    trainer.train()
    (best,) = (weights for step, weights in noted.measured if step == trainer.state.best_global_step)
    assert difference(trainer.model.state_dict(), best) == 0
    saved = load_file(Path(trainer.state.best_model_checkpoint) / "model.safetensors")
    assert difference(saved, best) == 0
    assert difference(best, noted.updates[trainer.state.best_global_step - 1]) > 1e-3


def test_without_checkpoints_the_model_is_the_last_average(tmp_path: Path) -> None:
    trainer, noted = averaging(tmp_path)
    start = weights_of(trainer.model)
    trainer.train()
    assert difference(trainer.model.state_dict(), by_hand(start, noted.updates)) < 1e-6
    assert AVERAGES not in trainer.optimizer.state
    # A second training begins anew, from there.
    before, trained = weights_of(trainer.model), len(noted.updates)
    trainer.train()
    assert difference(trainer.model.state_dict(), by_hand(before, noted.updates[trained:])) < 1e-6


def test_with_the_trainer_of_transformers_and_another_optimiser(tmp_path: Path) -> None:
    """Plain SGD has no state of its own, and frozen weights are none of ours."""
    settings = {"optim": "sgd", "learning_rate": 0.1, "save_strategy": "steps", "save_steps": 5, "use_cpu": True}
    settings |= {"per_device_train_batch_size": 4, "report_to": "none", "disable_tqdm": True, "num_train_epochs": 2}

    def make(folder: str, seed: int) -> Trainer:
        model = make_model(seed=seed)
        model.classifier.requires_grad_(False)
        model.classifier.load_state_dict(make_model().classifier.state_dict())
        args = TrainingArguments(str(tmp_path / folder), dataloader_pin_memory=False, **settings)
        collator = make_trainer(tmp_path, model, make_dataset()).data_collator
        dataset = make_dataset().remove_columns("length")
        callbacks = [WeightAveraging(0.9, 2)]
        return Trainer(model, args, train_dataset=dataset, data_collator=collator, callbacks=callbacks)

    whole, resumed = make("whole", 0), make("resumed", 99)
    start = weights_of(whole.model)
    whole.train()
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-5"))
    assert difference(resumed.model.state_dict(), whole.model.state_dict()) == 0
    assert difference(start, whole.model.state_dict()) > 1e-4


def test_small_floats_are_averaged_in_wide_ones(tmp_path: Path) -> None:
    callback, model = WeightAveraging(0.999, 1), torch.nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    optimizer, args = torch.optim.SGD(model.parameters()), TrainingArguments(str(tmp_path), use_cpu=True)
    trainer = make_trainer(tmp_path, make_model(), make_dataset())
    called = {"model": model, "optimizer": optimizer}
    model.weight.data.fill_(1.0)
    callback.on_train_begin(args, trainer.state, trainer.control, **called)
    model.weight.data.fill_(2.0)
    trainer.state.global_step = 100_000
    for _ in range(100):
        trainer.state.global_step += 1
        callback._step = trainer.state.global_step - 1
        callback.on_step_end(args, trainer.state, trainer.control, **called)
    callback.on_train_end(args, trainer.state, trainer.control, **called)
    assert model.weight.item() == pytest.approx(2 - 0.999**100, abs=0.005)


@pytest.mark.parametrize(("before", "after"), [(None, 0.9), (0.9, 0.8), (0.9, None)])
def test_another_decay_than_that_of_the_checkpoint(tmp_path: Path, before: float | None, after: float | None) -> None:
    def make(decay: float | None) -> AttnLSTMTrainer:
        trainer = make_trainer(tmp_path, make_model(), make_dataset(), save_strategy="steps", save_steps=5)
        if decay is not None:
            trainer.add_callback(WeightAveraging(decay))
        return trainer

    make(before).train()
    has = "no average" if before is None else "an average of the weights by 0.9"
    sentence = f"contradicts the checkpoint, which has {has}" if after else "has averaged weights, .* ema_decay=0.9"
    with pytest.raises(ValueError, match=sentence):
        make(after).train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))


@pytest.mark.parametrize(("decay", "every"), [(0.0, None), (1.0, None), (float("nan"), None), (0.9, 0)])
def test_impossible_numbers(decay: float, every: int | None) -> None:
    with pytest.raises(ValueError, match="must be a"):
        WeightAveraging(decay, every)


def test_weights_in_pieces_are_refused(tmp_path: Path) -> None:
    trainer, _ = averaging(tmp_path)
    trainer.args.deepspeed = "zero.json"
    callback = trainer.callback_handler.callbacks[-1]
    with pytest.raises(ValueError, match="ema_decay needs all weights in one place"):
        callback.on_train_begin(trainer.args, trainer.state, trainer.control, model=None, optimizer=None)


_FLAGS = ("--ema_decay", "0.8", "--save_total_limit", "9", "--num_train_epochs", "4", "--calibrate", "false")
_FLAGS += ("--classifier_ngrams", "0", "--subword_ngrams", "0")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskRun]:
    """A folder with texts and the model of a run with averages."""
    folder = tmp_path_factory.mktemp("averaged")
    return folder, run(folder / "model", write_texts(folder / "texts.csv"), *_FLAGS)


def test_what_a_run_measures_saves_and_tells(finished: tuple[Path, TaskRun]) -> None:
    folder, done = finished
    saved = load_file(folder / "model" / "model.safetensors")
    checkpoint = Path(done.trainer.state.best_model_checkpoint)
    best = load_file(checkpoint / "model.safetensors")
    assert difference(best, done.model.state_dict()) == difference(best, saved) == 0
    assert done.trainer.state.best_metric == done.metrics["eval_accuracy"]
    kept = torch.load(checkpoint / "optimizer.pt", weights_only=True)["state"][AVERAGES]
    assert difference(kept["average"], best) == 0
    assert difference(kept["raw"], best) > 1e-3
    card = (folder / "model" / "README.md").read_text()
    assert "- averaged weights, decay: 0.8" in card and "--ema_decay 0.8" in card


def test_a_run_goes_on(finished: tuple[Path, TaskRun], tmp_path: Path) -> None:
    folder, done = finished
    flags = (*_FLAGS, "--resume_from_checkpoint", str(folder / "model" / "checkpoint-10"))
    resumed = run(tmp_path / "model", folder / "texts.csv", *flags)
    assert difference(resumed.model.state_dict(), done.model.state_dict()) == 0
    with pytest.raises(ValueError, match=r"has averaged weights, .*: add --ema_decay 0\.8"):
        run(tmp_path / "other", folder / "texts.csv", *flags, "--ema_decay", "0")


_TWO_PROCESSES = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from hfattnlstm.training import WeightAveraging
from training.training_helpers import NO_DROPOUT, make_dataset, make_model, make_trainer, weights_of

def make(name, **options):
    trainer = make_trainer(
        Path({folder!r}) / name, make_model(**NO_DROPOUT), make_dataset(), per_device_train_batch_size=2,
        ddp_backend="gloo", save_strategy="steps", save_steps=7, **options,
    )
    trainer.args.adversarial_epsilon, trainer.args.rdrop_alpha = {losses}
    trainer.add_callback(WeightAveraging(0.9, 2))
    return trainer

trainer = make("whole")
trainer.train()
resumed = make("resumed")
resumed.train(resume_from_checkpoint={folder!r} + "/whole/checkpoint-7")
if trainer.is_world_process_zero():
    found = [weights_of(each.accelerator.unwrap_model(each.model)) for each in (trainer, resumed)]
    torch.save(found, {folder!r} + "/weights.pt")
"""


@pytest.mark.long
def test_two_processes_equal_one(tmp_path: Path) -> None:
    """With R-Drop and adversarial texts, too, whose second reading is that of all processes together."""
    losses = (0.1, 1.0)
    one = make_trainer(tmp_path / "one", make_model(**NO_DROPOUT), make_dataset(), per_device_train_batch_size=4)
    one.args.adversarial_epsilon, one.args.rdrop_alpha = losses
    one.add_callback(WeightAveraging(0.9, 2))
    one.train()
    script = tmp_path / "two.py"
    tests = str(Path(__file__).parents[1])
    script.write_text(_TWO_PROCESSES.format(tests=tests, folder=str(tmp_path), losses=losses))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    two, resumed = torch.load(tmp_path / "weights.pt", weights_only=True)
    # Each process has the deviation of the embeddings of its own texts.
    assert difference(two, weights_of(one.model)) < 2e-3
    assert difference(two, make_model(**NO_DROPOUT).state_dict()) > 2e-2
    assert difference(two, resumed) == 0
