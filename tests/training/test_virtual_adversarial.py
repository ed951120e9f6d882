"""Virtual adversarial training: its loss by hand, and in the Trainer with texts without labels."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch.nn import functional as F

from hfattnlstm import AttnLSTMTrainer
from hfattnlstm.data.unlabelled import UnlabelledBatches
from hfattnlstm.training import virtual_adversarial
from hfattnlstm.training.regularization import divergence, kl_divergence, perturbation
from hfattnlstm.training.virtual_adversarial import TRIAL_NORM, virtual_adversarial_loss
from training.test_classification import run, write_texts
from training.test_regularization import STILL, assert_equal, gradients_of, make_batch
from training.training_helpers import make_dataset, make_model, make_trainer, weights_of


KINDS = ("single", "multi")
DROPPING = {"embedding_dropout": 0.4, "word_dropout": 0.3, "classifier_dropout": 0.5, "hidden_dropout_prob": 0.4}


def unlabelled(count: int = 40, seed: int = 7) -> Dataset:
    return make_dataset(count, seed=seed).remove_columns("labels")


def embed(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return model.embed(batch["input_ids"], batch["attention_mask"])


def logits_of(model: torch.nn.Module, batch: dict[str, torch.Tensor], embedded: torch.Tensor) -> torch.Tensor:
    return model(inputs_embeds=embedded, attention_mask=batch["attention_mask"]).logits


class TestKlDivergence:
    """From one prediction to another."""

    def test_of_one_label(self) -> None:
        first, second = torch.randn(5, 3), torch.randn(5, 3)
        classes = torch.distributions.Categorical(logits=first), torch.distributions.Categorical(logits=second)
        expected = torch.distributions.kl_divergence(*classes).mean().item()
        assert kl_divergence(first, second, "single_label_classification").item() == pytest.approx(expected)

    def test_of_several_labels(self) -> None:
        first, second = torch.randn(5, 3), torch.randn(5, 3)
        yes = torch.distributions.Bernoulli(logits=first), torch.distributions.Bernoulli(logits=second)
        expected = torch.distributions.kl_divergence(*yes).mean().item()
        assert kl_divergence(first, second, "multi_label_classification").item() == pytest.approx(expected)

    @pytest.mark.parametrize("problem_type", ["single_label_classification", "multi_label_classification"])
    def test_both_directions_are_the_divergence_of_r_drop(self, problem_type: str) -> None:
        first, second = torch.randn(5, 3), torch.randn(5, 3)
        both = kl_divergence(first, second, problem_type) + kl_divergence(second, first, problem_type)
        torch.testing.assert_close(both / 2, divergence(first, second, problem_type))


@pytest.mark.parametrize("kind", KINDS)
class TestLoss:
    """One power iteration, and the divergence at its end."""

    def by_hand(self, model: torch.nn.Module, batch: dict, epsilon: float) -> torch.Tensor:
        """Of a model that drops nothing, after the seed 3."""
        torch.manual_seed(3)
        embedded, mask = embed(model, batch), batch["attention_mask"].bool()
        trial = perturbation(torch.randn_like(embedded), embedded, mask, TRIAL_NORM).requires_grad_()
        clean = logits_of(model, batch, embedded).detach()
        score = F.softmax(clean, -1) if model.config.problem_type.startswith("single") else clean.sigmoid()

        def cross_entropy(logits: torch.Tensor) -> torch.Tensor:
            if model.config.problem_type.startswith("single"):
                return F.cross_entropy(logits, score)
            return F.binary_cross_entropy_with_logits(logits, score)

        moved = cross_entropy(logits_of(model, batch, embedded.detach() + trial))
        moves = perturbation(torch.autograd.grad(moved, trial)[0], embedded, mask, epsilon)
        return cross_entropy(logits_of(model, batch, embedded + moves)) - cross_entropy(clean)

    def test_loss_and_gradients(self, kind: str) -> None:
        """By the cross entropy with the clean prediction, less its entropy: no gradient flows through either."""
        model = make_model(kind, **STILL, embedding_ngrams=20, classifier_hidden_size=5).double().train()
        batch = make_batch(kind)
        expected = self.by_hand(model, batch, 2.0)
        torch.manual_seed(3)
        found = virtual_adversarial_loss(model, [batch], 2.0)
        assert found.item() == pytest.approx(expected.item(), rel=1e-6) and found > 1e-6
        assert_equal(gradients_of(model, expected), gradients_of(model, found))

    def test_several_batches_have_the_mean_of_their_texts(self, kind: str) -> None:
        model, batch = make_model(kind, **STILL).double().train(), make_batch(kind)
        part = {name: value[:1] for name, value in batch.items() if name != "labels"}
        torch.manual_seed(3)
        first, second = (virtual_adversarial_loss(model, [each], 2.0) for each in (batch, part))
        torch.manual_seed(3)
        both = virtual_adversarial_loss(model, [batch, part], 2.0)
        torch.testing.assert_close(both, (4 * first + second) / 5)

    def test_the_direction_changes_the_prediction_more_than_others(self, kind: str) -> None:
        model, batch = make_model(kind, **STILL, initializer_range=1.0).train(), make_batch(kind)
        embedded, mask = embed(model, batch).detach(), batch["attention_mask"].bool()
        clean = logits_of(model, batch, embedded)
        found = virtual_adversarial_loss(model, [batch], 1.0)
        for _ in range(20):
            moves = perturbation(torch.randn_like(embedded), embedded, mask, 1.0)
            moved = logits_of(model, batch, embedded + moves)
            assert kl_divergence(clean, moved, model.config.problem_type) < 0.7 * found

    def test_labels_do_not_matter(self, kind: str) -> None:
        model, batch = make_model(kind).train(), make_batch(kind)
        losses = []
        for labels in (batch["labels"], 1 - batch["labels"]):
            torch.manual_seed(3)
            losses.append(virtual_adversarial_loss(model, [{**batch, "labels": labels}], 1.0))
        assert losses[0] == losses[1]

    @pytest.mark.parametrize("locked", [True, False])
    def test_all_passes_drop_the_same_units(self, kind: str, locked: bool, monkeypatch) -> None:
        """So nothing is left of the divergence when nothing moves; and other calls drop others."""
        options = {**DROPPING, "locked_dropout": locked, "num_hidden_layers": 2, "embedding_ngrams": 20}
        model = make_model(kind, **options).double().train()
        batch, passes = make_batch(kind), []
        model.register_forward_hook(lambda module, args, output: passes.append(output.logits.detach()))
        monkeypatch.setattr(virtual_adversarial, "TRIAL_NORM", 1e-6)
        found = virtual_adversarial_loss(model, [batch], 1e-6)
        assert found.abs() < 1e-9
        torch.testing.assert_close(passes[1], passes[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(passes[2], passes[0], atol=1e-5, rtol=0)
        virtual_adversarial_loss(model, [batch], 1e-6)
        assert (passes[3] - passes[0]).abs().max() > 1e-3

    def test_what_follows_draws_numbers_of_its_own(self, kind: str) -> None:
        """Those that the passes have drawn are not drawn again."""
        model, batch = make_model(kind, **DROPPING).train(), make_batch(kind)
        torch.manual_seed(3)
        virtual_adversarial_loss(model, [batch], 1.0)
        after = torch.get_rng_state()
        torch.manual_seed(3)
        embedded = embed(model, batch)
        torch.randn_like(embedded)
        logits_of(model, batch, embedded)
        assert torch.equal(torch.get_rng_state(), after)

    def test_the_clean_prediction_has_no_gradient(self, kind: str, monkeypatch) -> None:
        model, batch, graphs = make_model(kind).train(), make_batch(kind), []
        kl = kl_divergence
        monkeypatch.setattr(
            virtual_adversarial,
            "kl_divergence",
            lambda first, second, kind: (
                graphs.append((first.requires_grad, second.requires_grad)) or kl(first, second, kind)
            ),
        )
        virtual_adversarial_loss(model, [batch], 1.0)
        assert graphs == [(False, True)] * 2

    def test_a_model_with_n_grams_beside_the_lstm(self, kind: str) -> None:
        model, batch = make_model(kind).train(), make_batch(kind)
        torch.manual_seed(3)
        without = virtual_adversarial_loss(model, [batch], 1.0)
        model.set_ngrams(torch.tensor([6, 7]), longest=1)
        losses = []
        for size in (0, 2):
            # What is sure of itself hardly changes.
            model.ngrams.bias[0] = size
            torch.manual_seed(3)
            losses.append(virtual_adversarial_loss(model, [batch], 1.0))
        assert losses[0] == without
        assert losses[1] != without


def test_texts_without_a_token() -> None:
    model, batch = make_model(**STILL).train(), make_batch()
    empty = {"input_ids": torch.zeros(4, 0, dtype=torch.long)}
    blank = {"input_ids": torch.zeros(4, 2, dtype=torch.long), "attention_mask": torch.zeros(4, 2)}
    torch.manual_seed(3)
    whole = virtual_adversarial_loss(model, [batch], 1.0)
    for nothing in (empty, blank):
        torch.manual_seed(3)
        found = virtual_adversarial_loss(model, [batch, nothing], 1.0)
        assert found.item() == pytest.approx(whole.item() / 2, rel=1e-4)
        found.backward()
        assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)


def train(
    folder: Path, model: torch.nn.Module, texts: Dataset | None = None, **options: Any
) -> dict[str, torch.Tensor]:
    ours = {name: options.pop(name) for name in ("vat_epsilon", "embedding_updates") if name in options}
    resume = options.pop("resume", None)
    trainer = make_trainer(folder, model, make_dataset(), **options)
    for name, value in ours.items():
        setattr(trainer.args, name, value)
    trainer.unlabelled_dataset = texts
    trainer.train(resume_from_checkpoint=resume)
    return weights_of(trainer.model)


def farthest(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    return max((first[name] - second[name]).abs().max().item() for name in first)


class TestInTheTrainer:
    """`vat_epsilon` of the arguments, and `unlabelled_dataset`."""

    def test_each_has_an_effect_on_what_is_learnt(self, tmp_path: Path) -> None:
        plain = train(tmp_path, make_model(**STILL))
        labelled = train(tmp_path, make_model(**STILL), vat_epsilon=2.0)
        both = train(tmp_path, make_model(**STILL), unlabelled(), vat_epsilon=2.0)
        others = train(tmp_path, make_model(**STILL), unlabelled(seed=8), vat_epsilon=2.0)
        assert min(farthest(plain, labelled), farthest(labelled, both), farthest(both, others)) > 1e-3

    def test_none_on_what_is_measured(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, make_model(), make_dataset())
        before = trainer.evaluate()["eval_loss"]
        trainer.args.vat_epsilon, trainer.unlabelled_dataset = 2.0, unlabelled()
        assert trainer.evaluate()["eval_loss"] == before

    def test_the_loss_is_that_of_the_model_and_that_of_both_batches(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, make_model(**STILL).train(), make_dataset())
        trainer.args.vat_epsilon, trainer.unlabelled_dataset = 2.0, unlabelled()
        batch, (other,) = make_batch(), trainer._take_unlabelled()
        assert other["input_ids"].shape[0] == 4 and "labels" not in other
        trainer._unlabelled = None
        torch.manual_seed(3)
        found = trainer.compute_loss(trainer.model, batch)
        torch.manual_seed(3)
        expected = trainer.model(**batch).loss + virtual_adversarial_loss(trainer.model, [batch, other], 2.0)
        torch.testing.assert_close(found, expected)

    @pytest.mark.parametrize(("accumulation", "stop_at"), [(1, 5), (1, 12), (1, 17), (3, 5)])
    def test_resuming_is_bit_equal(self, tmp_path: Path, accumulation: int, stop_at: int) -> None:
        settings = {
            "save_strategy": "steps",
            "save_steps": stop_at,
            "gradient_accumulation_steps": accumulation,
            "vat_epsilon": 2.0,
        }
        whole = train(tmp_path / "whole", make_model(), unlabelled(), **settings)
        checkpoint = str(tmp_path / "whole" / f"checkpoint-{stop_at}")
        resumed = train(tmp_path / "resumed", make_model(seed=99), unlabelled(), resume=checkpoint, **settings)
        for name, tensor in whole.items():
            assert torch.equal(tensor, resumed[name]), name

    def seen(self, trainer: AttnLSTMTrainer) -> list[list[list[int]]]:
        """The batches without labels of a training, without padding."""
        batches, take = [], UnlabelledBatches.take

        def noting(self: UnlabelledBatches, update: int) -> Any:
            batch = take(self, update)
            batches.append([[token for token in row if token] for row in batch["input_ids"].tolist()])
            return batch

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(UnlabelledBatches, "take", noting)
            trainer.train()
        return batches

    @pytest.mark.parametrize("steps", [1, 3])
    def test_a_second_training_reads_the_same_texts(self, tmp_path: Path, steps: int) -> None:
        trainer = make_trainer(tmp_path, make_model(**STILL), make_dataset(), max_steps=steps)
        trainer.args.vat_epsilon, trainer.unlabelled_dataset = 2.0, unlabelled()
        first = self.seen(trainer)
        assert len(first) == steps and self.seen(trainer) == first

    @pytest.mark.parametrize("accumulation", [1, 2])
    def test_all_texts_are_read(self, tmp_path: Path, accumulation: int) -> None:
        options = {"gradient_accumulation_steps": accumulation, "max_steps": 10 // accumulation}
        trainer = make_trainer(tmp_path, make_model(**STILL), make_dataset(), **options)
        trainer.args.vat_epsilon, trainer.unlabelled_dataset = 2.0, unlabelled(40)
        read = [row for batch in self.seen(trainer) for row in batch]
        assert sorted(read) == sorted(unlabelled(40)["input_ids"])

    def test_rows_are_updated_as_by_the_dense_optimiser(self, tmp_path: Path) -> None:
        found = []
        for updates in ("dense", "lazy"):
            model = make_model(**STILL, embedding_ngrams=20)
            # After more steps, the small differences on which the directions rest show how floats are rounded.
            options = {"vat_epsilon": 2.0, "embedding_updates": updates, "adam_epsilon": 1e-12, "max_steps": 8}
            found.append(train(tmp_path, model, unlabelled(), **options))
        for name, weight in found[0].items():
            torch.testing.assert_close(weight, found[1][name], atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize(
        ("kind", "options", "sentence"),
        [
            ("regression", {"vat_epsilon": 1.0}, "vat_epsilon= holds the probabilities of labels.* regression"),
            ("single", {"vat_epsilon": 1.0, "fp16": True}, "vat_epsilon= needs gradients .* too small for fp16"),
            ("single", {"vat_epsilon": 1.0, "compute_loss_func": len}, "which compute_loss_func replaces"),
            ("single", {"unlabelled_dataset": unlabelled()}, "unlabelled_dataset is read with vat_epsilon alone: set"),
            ("single", {"vat_epsilon": 1.0, "unlabelled_dataset": []}, "unlabelled_dataset has no rows: leave it out"),
        ],
    )
    def test_what_cannot_be_is_refused(self, tmp_path: Path, kind: str, options: dict, sentence: str) -> None:
        trainer = make_trainer(tmp_path, make_model(), make_dataset())
        for name in ("vat_epsilon", "fp16"):
            if name in options:
                setattr(trainer.args, name, options.pop(name))
        with pytest.raises(ValueError, match=sentence):
            type(trainer)(make_model(kind), trainer.args, **options)


_TWO_PROCESSES = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from training.test_virtual_adversarial import train, unlabelled
from training.training_helpers import make_model
from training.test_classification import run, write_texts
from training.test_regularization import STILL
from hfattnlstm.data.unlabelled import UnlabelledBatches

seen = []
take = UnlabelledBatches.take
def noting(self, update):
    batch = take(self, update)
    seen.append((update, batch["input_ids"].tolist()))
    return batch
UnlabelledBatches.take = noting
weights = train(
    Path({folder!r}), make_model(**STILL), unlabelled(), vat_epsilon=2.0, per_device_train_batch_size=2,
    ddp_backend="gloo",
)
torch.save((weights, seen), {folder!r} + f"/rank-{{torch.distributed.get_rank()}}.pt")
"""


@pytest.mark.long
def test_two_processes_read_a_part_each(tmp_path: Path) -> None:
    tests, script = str(Path(__file__).parents[1]), tmp_path / "two.py"
    script.write_text(_TWO_PROCESSES.format(tests=tests, folder=str(tmp_path)))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    (first, seen), (second, others) = (torch.load(tmp_path / f"rank-{rank}.pt") for rank in (0, 1))
    # Both have the gradients of both.
    assert farthest(first, second) == 0.0
    texts = [[0 if token < 2 else token for token in row] for _, batch in seen[:10] + others[:10] for row in batch]
    read = sorted([token for token in row if token] for row in texts)
    assert read == sorted(unlabelled()["input_ids"])


class TestRun:
    """`--vat_epsilon` and `--unlabelled_file`."""

    @pytest.fixture
    def words(self, tmp_path: Path) -> Path:
        """Texts in which one word stands in none of those with labels."""
        path = tmp_path / "unlabelled.txt"
        path.write_text("".join(f"the zebra {word}\n\n" for word in ("great", "superb", "awful", "poor") * 6))
        return path

    def test_texts_without_labels(self, tmp_path: Path, words: Path, caplog) -> None:
        texts = write_texts(tmp_path / "texts.csv")
        flags = ("--vat_epsilon", "2", "--unlabelled_file", str(words), "--tokenizer_kind", "word")
        with caplog.at_level("WARNING", "hfattnlstm"):
            done = run(tmp_path / "model", texts, *flags, "--num_train_epochs", "4")
        assert f"Of the 48 texts of {words}, 24 are empty and left out." in caplog.text
        assert "zebra" in done.processor.get_vocab()
        assert len(done.trainer.unlabelled_dataset) == 24
        assert done.metrics["eval_accuracy"] > 0.9
        card = (tmp_path / "model" / "README.md").read_text()
        assert "16 texts for validation, and 24 texts without labels, `unlabelled.txt`." in card
        assert "- virtual adversarial training, epsilon: 2.0" in card
        assert "--unlabelled_file unlabelled.txt" in card

    def test_pairs(self, tmp_path: Path) -> None:
        rows = "".join(f"a {one},{two},{one == two}\n" for one in ("cat", "dog") for two in ("cat", "dog")) * 12
        (tmp_path / "pairs.csv").write_text("premise,hypothesis,label\n" + rows)
        (tmp_path / "more.txt").write_text("a zebra\tzebra\n" * 3)
        flags = ("--text_column", "premise", "hypothesis", "--vat_epsilon", "2", "--num_train_epochs", "1")
        more = str(tmp_path / "more.txt")
        done = run(tmp_path / "model", tmp_path / "pairs.csv", *flags, "--unlabelled_file", more)
        row = done.processor.convert_ids_to_tokens(done.trainer.unlabelled_dataset[0]["input_ids"])
        assert row == ["a", "zebra", "[SEP]", "zebra"]

    def test_resuming_is_bit_equal(self, tmp_path: Path, words: Path) -> None:
        texts = write_texts(tmp_path / "texts.csv")
        flags = ("--vat_epsilon", "2", "--unlabelled_file", str(words), "--num_train_epochs", "2")
        whole = run(tmp_path / "model", texts, *flags)
        for last in (tmp_path / "model").glob("checkpoint-10"):
            shutil.rmtree(last)
        resumed = run(tmp_path / "model", texts, *flags, "--resume_from_checkpoint", "true")
        assert resumed.trainer.state.global_step == whole.trainer.state.global_step == 10
        for name, weight in whole.model.state_dict().items():
            assert torch.equal(weight, resumed.model.state_dict()[name]), name

    def test_what_is_refused(self, tmp_path: Path, words: Path) -> None:
        numbers = write_texts(tmp_path / "numbers.csv", "regression")
        flags = ("--vat_epsilon", "2", "--unlabelled_file", str(words))
        with pytest.raises(ValueError, match=r"--vat_epsilon has no meaning in a regression: leave it out"):
            run(tmp_path / "model", numbers, *flags)
        texts = write_texts(tmp_path / "texts.csv")
        with pytest.raises(FileNotFoundError, match=r"There is no file .*missing\.txt: check its name"):
            run(tmp_path / "model", texts, "--vat_epsilon", "2", "--unlabelled_file", str(tmp_path / "missing.txt"))

    def test_the_file_is_not_removed(self, tmp_path: Path, words: Path) -> None:
        checkpoint = tmp_path / "model" / "checkpoint-2"
        checkpoint.mkdir(parents=True)
        moved = str(words.rename(checkpoint / words.name))
        flags = ("--vat_epsilon", "2", "--unlabelled_file", moved, "--overwrite")
        with pytest.raises(ValueError, match=r"The run reads .*unlabelled\.txt, which --overwrite would remove"):
            run(tmp_path / "model", tmp_path / "missing.csv", *flags)
