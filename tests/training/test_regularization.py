"""R-Drop and adversarial texts: their losses and gradients by hand, and in the Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from hfattnlstm.training import regularization
from hfattnlstm.training.regularization import divergence, perturbation, regularized_loss
from training.test_classification import run, write_texts
from training.training_helpers import NO_DROPOUT, make_dataset, make_model, make_trainer, weights_of


STILL = {**NO_DROPOUT, "word_dropout": 0.0}
LOSSES = {"class_weights": [1.0, 3.0], "label_smoothing": 0.1, "pooler_entropy_coef": 0.05, "pooler_l2_coef": 0.1}
BOTH = {"rdrop_alpha": 0.7, "adversarial_epsilon": 0.5}


def make_batch(kind: str = "single") -> dict[str, torch.Tensor]:
    """Four texts, with padding on the right and on the left, and a hole."""
    ids = torch.tensor([[5, 6, 7, 0, 0], [0, 0, 8, 5, 2], [3, 0, 4, 9, 6], [2, 3, 4, 5, 6]])
    labels = torch.tensor([1, 0, 1, 1])
    if kind == "multi":
        labels = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}


def gradients_of(model: torch.nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, gradient in first.items():
        torch.testing.assert_close(
            gradient, second[name], atol=1e-7, rtol=1e-4, msg=lambda text, name=name: name + text
        )


class TestDivergence:
    """The mean of the two Kullback-Leibler divergences."""

    def test_of_one_label(self) -> None:
        first, second = torch.randn(5, 3), torch.randn(5, 3)
        logs = first.log_softmax(-1), second.log_softmax(-1)
        there = F.kl_div(logs[1], logs[0], log_target=True, reduction="batchmean")
        back = F.kl_div(logs[0], logs[1], log_target=True, reduction="batchmean")
        assert divergence(first, second, "single_label_classification").item() == pytest.approx((there + back) / 2)

    def test_of_several_labels(self) -> None:
        first, second = torch.randn(5, 3), torch.randn(5, 3)
        yes = torch.distributions.Bernoulli(logits=first), torch.distributions.Bernoulli(logits=second)
        there, back = (torch.distributions.kl_divergence(*pair) for pair in (yes, yes[::-1]))
        expected = ((there + back) / 2).mean().item()
        assert divergence(first, second, "multi_label_classification").item() == pytest.approx(expected)

    def test_of_small_floats(self) -> None:
        first, second = torch.zeros(1, 2, dtype=torch.bfloat16), torch.ones(1, 2, dtype=torch.bfloat16)
        assert divergence(first, second, "multi_label_classification").dtype == torch.float32


@pytest.mark.parametrize("kind", ["single", "multi"])
class TestRDrop:
    """Two readings of each text in one batch of twice the size."""

    def test_without_dropout_it_is_the_loss_of_the_model(self, kind: str) -> None:
        model, batch = make_model(kind, **STILL, **LOSSES).train(), make_batch(kind)
        plain = model(**batch).loss
        twice = regularized_loss(model, batch, rdrop_alpha=5.0)
        assert twice.item() == pytest.approx(plain.item(), rel=1e-6)
        assert_equal(gradients_of(model, plain), gradients_of(model, twice))

    def test_with_fixed_masks(self, kind: str) -> None:
        """Of the pooled states, so that a hand can drop what the model drops."""
        model, batch = make_model(kind, **{**STILL, "classifier_dropout": 0.5}).train(), make_batch(kind)
        torch.manual_seed(3)
        loss = regularized_loss(model, batch, rdrop_alpha=0.7)
        pooled = model.attnlstm(batch["input_ids"], batch["attention_mask"]).pooler_output
        torch.manual_seed(3)
        kept = F.dropout(torch.ones(8, pooled.shape[1]), 0.5)
        logits = model.classifier.out_proj(torch.cat([pooled, pooled]) * kept)
        first, second = logits.chunk(2)
        labels = batch["labels"]
        score = F.cross_entropy if kind == "single" else F.binary_cross_entropy_with_logits
        expected = (score(first, labels) + score(second, labels)) / 2
        expected = expected + 0.7 * divergence(first, second, model.config.problem_type)
        assert (first - second).abs().max() > 0.01
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


class TestPerturbation:
    """Where the embeddings of a text move."""

    def test_its_norm_is_the_one_asked_for(self) -> None:
        torch.manual_seed(0)
        embedded, mask = (
            torch.randn(3, 6, 4) * torch.tensor([1.0, 2.0, 3.0, 4.0]) + 5,
            torch.ones(3, 6, dtype=torch.bool),
        )
        mask[0, 4:], mask[1, :2], mask[2, 3] = False, False, False
        gradient = torch.randn(3, 6, 4)
        moves = perturbation(gradient * torch.tensor([1.0, 1e-30, 1e6])[:, None, None], embedded, mask, 2.0)
        deviation = embedded[mask].var(0, correction=0).mean().sqrt()
        torch.testing.assert_close(moves.norm(dim=(1, 2)), (2.0 * deviation).expand(3))
        assert (moves[~mask] == 0).all()
        cosine = F.cosine_similarity(moves[mask], gradient[mask], dim=-1)
        torch.testing.assert_close(cosine, torch.ones(13))

    def test_texts_without_a_gradient_or_a_token_stay(self) -> None:
        embedded, mask = torch.randn(2, 3, 4), torch.tensor([[True] * 3, [False] * 3])
        gradient = torch.stack([torch.zeros(3, 4), torch.ones(3, 4)])
        assert (perturbation(gradient, embedded, mask, 1.0) == 0).all()
        assert (perturbation(gradient, embedded, torch.zeros_like(mask), 1.0) == 0).all()


def by_hand(model: torch.nn.Module, batch: dict[str, torch.Tensor], epsilon: float) -> torch.Tensor:
    """The mean of the losses of the texts and of their moved embeddings, with two passes each way."""
    rest = {name: value for name, value in batch.items() if name != "input_ids"}
    embedded = model.embed(batch["input_ids"], batch["attention_mask"])
    clean = model(inputs_embeds=embedded, **rest).loss
    (gradient,) = torch.autograd.grad(clean, embedded, retain_graph=True)
    moves = perturbation(gradient, embedded, batch["attention_mask"].bool(), epsilon)
    return (clean + model(inputs_embeds=embedded + moves, **rest).loss) / 2


@pytest.mark.parametrize("kind", ["single", "multi", "regression"])
class TestAdversarialTexts:
    """The mean of the losses of the texts and of those that are moved."""

    def batch(self, kind: str) -> dict[str, torch.Tensor]:
        batch = make_batch(kind)
        return {**batch, "labels": torch.tensor([0.1, 2.0, -1.0, 0.5])} if kind == "regression" else batch

    def test_loss_and_gradients(self, kind: str) -> None:
        losses = {} if kind == "regression" else LOSSES
        model = make_model(kind, **STILL, **losses, embedding_ngrams=20, classifier_hidden_size=5).train()
        batch = self.batch(kind)
        expected, found = by_hand(model, batch, 0.5), regularized_loss(model, batch, adversarial_epsilon=0.5)
        assert found.item() == pytest.approx(expected.item(), rel=1e-6)
        plain = model(**batch).loss
        assert abs(found.item() - plain.item()) > 1e-4
        assert_equal(gradients_of(model, expected), gradients_of(model, found))
        # A scale of the loss, as accumulation has it, is one of the gradients.
        halved = gradients_of(model, regularized_loss(model, batch, adversarial_epsilon=0.5) / 2)
        assert_equal(
            {name: 2 * value for name, value in halved.items()}, gradients_of(model, by_hand(model, batch, 0.5))
        )

    def test_the_loss_rises_by_the_norm_of_the_gradient(self, kind: str) -> None:
        model, batch = make_model(kind, **STILL).double().train(), self.batch(kind)
        rest = {name: value for name, value in batch.items() if name != "input_ids"}
        embedded = model.embed(batch["input_ids"], batch["attention_mask"]).detach().requires_grad_()
        clean = model(inputs_embeds=embedded, **rest).loss
        (gradient,) = torch.autograd.grad(clean, embedded)
        mask = batch["attention_mask"].bool()
        deviation = embedded[mask].var(0, correction=0).mean().sqrt()
        moved = 2 * regularized_loss(model, batch, adversarial_epsilon=1e-4) - clean
        expected = 1e-4 * deviation * gradient.norm(dim=(1, 2)).sum()
        assert (moved - clean).item() == pytest.approx(expected.item(), rel=1e-2)
        assert expected > 0


def test_fitted_ngrams_count_on_moved_texts_too() -> None:
    model, batch = make_model(**STILL).train(), make_batch()
    model.set_ngrams(torch.tensor([6, 7]), longest=1)
    model.ngrams.weight[1:] = torch.randn(2, model.num_labels)
    part = model.ngrams(batch["input_ids"], batch["attention_mask"].bool())
    expected = by_hand(model, {**batch, "ngram_logits": part}, 0.5)
    assert regularized_loss(model, batch, adversarial_epsilon=0.5).item() == pytest.approx(expected.item(), rel=1e-6)


def test_both_at_once() -> None:
    """The moved texts are read twice, too."""
    model, batch = make_model(**STILL).train(), make_batch()
    doubled = {name: torch.cat([value, value]) for name, value in batch.items()}
    expected, found = by_hand(model, doubled, 0.5), regularized_loss(model, batch, **BOTH)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    assert_equal(gradients_of(model, expected), gradients_of(model, found))


def test_a_batch_without_a_token() -> None:
    model, empty = (
        make_model().train(),
        {"input_ids": torch.zeros(2, 0, dtype=torch.long), "labels": torch.tensor([0, 1])},
    )
    regularized_loss(model, empty, **BOTH).backward()
    assert model.classifier.out_proj.bias.grad.isfinite().all()


class TestInTheTrainer:
    """`rdrop_alpha` and `adversarial_epsilon` of the arguments."""

    def train(
        self, folder: Path, model: torch.nn.Module, dataset: Any = None, **options: Any
    ) -> dict[str, torch.Tensor]:
        ours = {name: options.pop(name) for name in (*BOTH, "embedding_updates") if name in options}
        trainer = make_trainer(folder, model, make_dataset(32) if dataset is None else dataset, **options)
        for name, value in ours.items():
            setattr(trainer.args, name, value)
        trainer.train()
        return weights_of(trainer.model)

    @pytest.mark.parametrize("losses", [{"rdrop_alpha": 0.7}, {"adversarial_epsilon": 1.0}])
    def test_each_has_an_effect_on_what_is_learnt_and_none_on_what_is_measured(self, tmp_path, losses) -> None:
        plain = self.train(tmp_path, make_model())
        found = self.train(tmp_path, make_model(), **losses)
        assert max((plain[name] - found[name]).abs().max() for name in plain) > 1e-3
        trainer = make_trainer(tmp_path, make_model(), make_dataset())
        before = trainer.evaluate()["eval_loss"]
        for name, value in losses.items():
            setattr(trainer.args, name, value)
        assert trainer.evaluate()["eval_loss"] == before

    def test_accumulation_equals_the_larger_batch(self, tmp_path: Path, monkeypatch) -> None:
        # That of a batch depends on its texts.
        monkeypatch.setattr(regularization, "_deviation", lambda embedded, real: torch.tensor(0.1))
        options = {"optim": "sgd", "learning_rate": 0.1, "max_grad_norm": 0.0, "train_sampling_strategy": "sequential"}
        found = [
            self.train(
                tmp_path,
                make_model(**STILL),
                per_device_train_batch_size=size,
                gradient_accumulation_steps=8 // size,
                **options,
                **BOTH,
            )
            for size in (8, 2)
        ]
        for name, weight in found[0].items():
            torch.testing.assert_close(weight, found[1][name], atol=1e-6, rtol=1e-5)

    def test_rows_are_updated_as_by_the_dense_optimiser(self, tmp_path: Path) -> None:
        found = [
            self.train(tmp_path, make_model(**STILL), embedding_updates=updates, adam_epsilon=1e-12, **BOTH)
            for updates in ("dense", "lazy")
        ]
        for name, weight in found[0].items():
            torch.testing.assert_close(weight, found[1][name], atol=2e-5, rtol=1e-4)

    @pytest.mark.parametrize(
        ("kind", "options", "sentence"),
        [
            ("regression", {"rdrop_alpha": 1.0}, "rdrop_alpha= draws two predictions of labels .* regression"),
            ("single", {"adversarial_epsilon": 1.0, "fp16": True}, "too small for fp16: train in bf16"),
            ("single", {"rdrop_alpha": 1.0, "compute_loss_func": len}, "which compute_loss_func replaces"),
            ("other", {"rdrop_alpha": 1.0}, "rdrop_alpha= is for the models of this package"),
        ],
    )
    def test_what_cannot_be_is_refused(self, tmp_path: Path, kind: str, options: dict, sentence: str) -> None:
        model = torch.nn.Linear(1, 1) if kind == "other" else make_model(kind)
        trainer = make_trainer(tmp_path, make_model(), make_dataset())
        for name, value in options.items():
            if name != "compute_loss_func":
                setattr(trainer.args, name, value)
        with pytest.raises(ValueError, match=sentence):
            type(trainer)(model, trainer.args, compute_loss_func=options.get("compute_loss_func"))


def test_flags_of_a_run(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv")
    done = run(tmp_path / "model", texts, "--rdrop_alpha", "0.5", "--adversarial_epsilon", "1", "--ema_decay", "0.5")
    assert done.metrics["eval_accuracy"] > 0.9
    card = (tmp_path / "model" / "README.md").read_text()
    assert "- R-Drop, weight: 0.5\n- adversarial texts, epsilon: 1.0" in card
    numbers = write_texts(tmp_path / "numbers.csv", "regression")
    with pytest.raises(ValueError, match="--rdrop_alpha draws two predictions of labels to each other, and a regress"):
        run(tmp_path / "other", numbers, "--rdrop_alpha", "0.5")


def test_short_texts_move_less() -> None:
    generator = torch.Generator().manual_seed(0)
    embedded = torch.randn(2, 100, 4, generator=generator)
    mask = torch.arange(100) < torch.tensor([[100], [4]])
    moves = perturbation(torch.randn(2, 100, 4, generator=generator), embedded, mask, epsilon=5.0)
    norms = torch.linalg.vector_norm(moves, dim=(1, 2))
    torch.testing.assert_close(norms / norms[0], torch.tensor([1.0, 1.5 * 4**0.5 / 5]))
