"""Training on texts with and without what the attention takes most of."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMTrainer
from hfattnlstm.training import erasure
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.erasure import erasure_loss, of_most_attention
from training.test_classification import run, write_texts


MASK = torch.tensor([[True, True, True, True], [True, True, False, False]])


def model() -> AttnLSTMForSequenceClassification:
    torch.manual_seed(0)
    sizes = {"vocab_size": 20, "embedding_size": 4, "hidden_size": 8, "num_labels": 3}
    dropouts = {"embedding_dropout": 0.0, "classifier_dropout": 0.0, "word_dropout": 0.0}
    config = AttnLSTMConfig(**sizes, **dropouts, classifier_pooling="attention")
    return AttnLSTMForSequenceClassification(config).double()


def batch() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[3, 4, 5, 8], [6, 7, 0, 0]])
    return {"input_ids": ids, "attention_mask": MASK.long(), "labels": torch.tensor([0, 2])}


def test_a_share_of_the_tokens_is_taken_by_their_weights_and_never_padding() -> None:
    weights = torch.tensor([[0.1, 0.4, 0.3, 0.2], [0.6, 0.4, 0.9, 0.9]])
    assert of_most_attention(weights, MASK, 0.5).tolist() == [[False, True, True, False], [True, False, False, False]]
    # At least one, and of five tokens a fifth is one.
    assert of_most_attention(weights, MASK, 0.01).sum(1).tolist() == [1, 1]
    assert of_most_attention(torch.rand(1, 5), torch.ones(1, 5, dtype=torch.bool), 0.2).sum() == 1
    assert of_most_attention(weights, torch.zeros_like(MASK), 0.5).sum() == 0


def test_the_loss_is_that_of_what_is_left_and_of_what_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "SHARES", (0.5,))
    network = model().train()
    weights = network(**batch(), output_attentions=True).attentions[-1].mean(1)[:, 0]
    without, alone = [], []
    # Text by text, really cut.
    for ids, label, own, mask in zip(batch()["input_ids"], batch()["labels"], weights, MASK):
        ids, order = ids[mask], own[mask].argsort(descending=True)
        most = set(order[: math.ceil(len(ids) / 2)].tolist())
        left = ids[[place for place in range(len(ids)) if place not in most]]
        log_probabilities = network(input_ids=left[None]).logits.log_softmax(-1)[0]
        without.append(sum(1 / 3 * (math.log(1 / 3) - value) for value in log_probabilities.tolist()))
        taken = ids[sorted(most)]
        alone.append(network(input_ids=taken[None], labels=label[None]).loss.item())
    expected = sum(without) / 2 + sum(alone) / 2
    assert erasure_loss(network, batch()).item() == pytest.approx(expected, abs=1e-6)


def test_of_several_labels_each_should_be_as_probable_as_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "SHARES", (0.5,))
    network, labels = model().train(), torch.tensor([[1.0, 0.0, 1.0]]).double()
    one = {"input_ids": torch.tensor([[6, 7]]), "labels": labels}
    weights = network(input_ids=one["input_ids"], output_attentions=True).attentions[-1].mean(1)[0, 0]
    left, taken = one["input_ids"][:, [weights.argmin()]], one["input_ids"][:, [weights.argmax()]]
    probabilities = network(input_ids=left).logits.sigmoid()[0].tolist()
    apart = [-0.5 * math.log(2 * p) - 0.5 * math.log(2 * (1 - p)) for p in probabilities]
    expected = sum(apart) / 3 + network(input_ids=taken, labels=labels).loss.item()
    assert erasure_loss(network, one).item() == pytest.approx(expected, abs=1e-6)


def test_a_training_lowers_it_beside_the_loss() -> None:
    def after(weight: float) -> tuple[float, float]:
        network = model().train()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
        for _ in range(60):
            optimizer.zero_grad()
            (network(**batch()).loss + weight * erasure_loss(network, batch())).backward()
            optimizer.step()
        torch.manual_seed(0)
        erased = sum(erasure_loss(network, batch()).item() for _ in range(20)) / 20
        return network(**batch()).loss.item(), erased

    (loss, erased), (_, usual) = after(1.0), after(0.0)
    assert loss < 0.3 and erased < 0.8 * usual


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classifier_pooling": "mean"}, "erasure_coef= is about the attention pooling, which the model lacks"),
        ({"problem_type": "regression", "num_labels": 1}, "erasure_coef= teaches .* predicts numbers: leave it out"),
    ],
)
def test_what_has_no_such_loss_is_refused(options: dict, sentence: str, tmp_path: Path) -> None:
    network = AttnLSTMForSequenceClassification(AttnLSTMConfig(vocab_size=20, hidden_size=8, **options))
    with pytest.raises(ValueError, match=sentence):
        AttnLSTMTrainer(network, RunArguments(str(tmp_path), use_cpu=True, eval_strategy="no", erasure_coef=1.0))


def test_a_run_takes_the_flag_and_its_card_has_it(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv")
    done = run(tmp_path / "model", texts, "--erasure_coef", "0.5")
    assert "erasure of the tokens of most attention, weight: 0.5" in (tmp_path / "model/README.md").read_text("utf-8")
    assert done.metrics["eval_accuracy"] > 0.8
