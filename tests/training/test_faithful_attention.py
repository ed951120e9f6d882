"""Penalties on the attention: their figures, their gradients, and what a training does with them."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import default_data_collator

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMTrainer
from hfattnlstm.explain import explain
from hfattnlstm.training import TaskRun, model_card
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.faithful_attention import (
    LOSS_TERMS,
    AttentionPenalties,
    conicity,
    distance_to_embeddings,
    misalignment,
    relevance_of,
    take_penalties,
)
from hfattnlstm.training.flag_effects import RUN_EFFECTS
from hfattnlstm.training.flag_values import BOUNDS
from hfattnlstm.training.pretraining import PretrainingTask
from hfattnlstm.training.regularization import regularized_loss
from training.test_classification import run, write_texts


MASK = torch.tensor([[True, True, True, False], [True, True, False, False]])


def model(**options: Any) -> AttnLSTMForSequenceClassification:
    torch.manual_seed(0)
    sizes = {"vocab_size": 20, "embedding_size": 4, "hidden_size": 8, "num_labels": 2}
    return AttnLSTMForSequenceClassification(AttnLSTMConfig(**{**sizes, **options})).double()


def batch() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[3, 4, 5, 0], [6, 7, 0, 0]])
    return {"input_ids": ids, "attention_mask": MASK.long(), "labels": torch.tensor([0, 1])}


def test_conicity_is_the_mean_cosine_with_the_mean_state_of_real_tokens() -> None:
    states = torch.randn(2, 4, 3)
    expected = []
    for row, mask in zip(states.numpy(), MASK.numpy()):
        own = row[mask]
        mean = own.mean(0)
        expected.append(np.mean([abs(h @ mean) / np.linalg.norm(h) / np.linalg.norm(mean) for h in own]))
    assert conicity(states, MASK).item() == pytest.approx(np.mean(expected), abs=1e-6)
    alike = torch.ones(2, 4, 3) * torch.rand(2, 4, 1)
    assert conicity(alike, MASK).item() == pytest.approx(1.0, abs=1e-5)


def test_the_distance_to_the_embeddings_is_of_real_tokens_and_for_each_direction() -> None:
    states, embedded = torch.randn(2, 4, 6), torch.randn(2, 4, 3)
    expected = []
    for row, own, mask in zip(states.numpy(), embedded.numpy(), MASK.numpy()):
        apart = np.concatenate([row[:, :3] - own, row[:, 3:] - own], 1)[mask]
        expected.append(np.mean(apart**2))
    assert distance_to_embeddings(states, embedded, MASK).item() == pytest.approx(np.mean(expected), abs=1e-6)


def test_misalignment_is_the_divergence_of_the_mean_head_from_the_shares_of_relevance() -> None:
    weights = torch.tensor(
        [[[[0.5, 0.25, 0.25, 0.0]], [[0.1, 0.8, 0.1, 0.0]]], [[[0.9, 0.1, 0, 0]], [[0.5, 0.5, 0, 0]]]]
    )
    relevance = torch.tensor([[1.0, 2.0, 0.0, 9.0], [0.0, 0.0, 1.0, 1.0]])
    first = 1 / 3 * math.log(1 / 3 / 0.3) + 2 / 3 * math.log(2 / 3 / 0.525)
    # The second has no relevance at all, and adds nothing.
    assert misalignment(weights, relevance, MASK).item() == pytest.approx(first / 2, abs=1e-6)
    shares = torch.tensor([[0.3, 0.525, 0.175, 0.0], [0.7, 0.3, 0.0, 0.0]])
    assert misalignment(weights, shares, MASK).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_each_penalty_adds_to_the_loss_what_it_says(epsilon: float) -> None:
    network, usual = model(embedding_dropout=0.0, classifier_dropout=0.0).train(), {"adversarial_epsilon": epsilon}
    plain = regularized_loss(network, batch(), **usual)
    with torch.no_grad():
        outputs = network(**batch(), output_hidden_states=True, output_attentions=True)
    for name in ("conicity", "tying"):
        penalties = AttentionPenalties(**{name: 2.0})
        added = regularized_loss(network, batch(), **usual, penalties=penalties) - plain
        if not epsilon:
            assert added.item() == pytest.approx(penalties.of(outputs, MASK).item(), abs=1e-6)
        assert added.item() > 1e-3
    added = regularized_loss(network, batch(), **usual, penalties=AttentionPenalties(alignment=2.0)) - plain
    embedded = network.embed(batch()["input_ids"]).detach().requires_grad_()
    rest = {name: value for name, value in batch().items() if name != "input_ids"}
    (gradient,) = torch.autograd.grad(network(inputs_embeds=embedded, **rest).loss, embedded)
    expected = 2.0 * misalignment(outputs.attentions[-1], relevance_of(gradient, embedded), MASK).item()
    if epsilon:
        # Of the moved texts alone, which are half of the loss.
        assert 0.2 * expected < added.item() < expected
    else:
        assert added.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("options", [{"alignment": 3.0}, {"conicity": 3.0}, {"tying": 3.0}])
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_a_training_lowers_what_is_penalised(options: dict[str, float], epsilon: float) -> None:
    penalties = AttentionPenalties(**options)

    def after(wanted: AttentionPenalties) -> float:
        network = model(embedding_dropout=0.0, classifier_dropout=0.0, hidden_size=8).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
        for _ in range(40):
            optimizer.zero_grad()
            regularized_loss(network, batch(), adversarial_epsilon=epsilon, penalties=wanted).backward()
            optimizer.step()
        embedded = network.embed(batch()["input_ids"]).detach().requires_grad_()
        rest = {name: value for name, value in batch().items() if name != "input_ids"}
        outputs = network(inputs_embeds=embedded, **rest, output_hidden_states=True, output_attentions=True)
        (gradient,) = torch.autograd.grad(outputs.loss, embedded)
        return penalties.of(outputs, MASK, relevance_of(gradient, embedded)).item()

    assert after(penalties) < 0.8 * after(AttentionPenalties())


def test_nothing_is_asked_of_the_model_that_no_penalty_needs() -> None:
    assert not AttentionPenalties() and AttentionPenalties().wanted_outputs == {}
    assert AttentionPenalties(tying=1.0).wanted_outputs == {"output_hidden_states": True}
    for name in ("alignment", "rationale"):
        assert AttentionPenalties(**{name: 1.0}).wanted_outputs == {"output_attentions": True}
    arguments = {"alignment_coef": 0.1, "adversarial_epsilon": 5.0}
    assert take_penalties(arguments) == AttentionPenalties(alignment=0.1) and arguments == {"adversarial_epsilon": 5.0}


def test_texts_without_tokens_are_no_matter() -> None:
    empty = {"input_ids": torch.zeros(2, 3, dtype=torch.long), "attention_mask": torch.zeros(2, 3)}
    loss = regularized_loss(
        model().train(), empty | {"labels": torch.tensor([0, 1])}, penalties=AttentionPenalties(1.0, 1.0, 1.0)
    )
    loss.backward()
    assert loss.isfinite()


@pytest.mark.parametrize(
    ("options", "flags", "sentence"),
    [
        ({"classifier_pooling": ["mean"]}, {"alignment_coef": 0.1}, "alignment_coef= is about the attention pool"),
        (
            {"hidden_size": 6},
            {"tying_coef": 0.1},
            "tying_coef= needs states of the width of the embeddings, 4, or twice",
        ),
    ],
)
def test_what_cannot_be_penalised_is_refused(
    options: dict[str, Any], flags: dict[str, float], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        AttnLSTMTrainer(model(**options), RunArguments(str(tmp_path), use_cpu=True, eval_strategy="no", **flags))


def test_a_run_takes_the_flags_and_its_card_has_them(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv")
    flags = ("--alignment_coef", "0.5", "--conicity_coef", "0.2", "--adversarial_epsilon", "0")
    done = run(tmp_path / "model", texts, *flags)
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    for line in ("alignment of attention with gradients, weight: 0.5", "conicity of the states, weight: 0.2"):
        assert line in card
    assert done.metrics["eval_samples"] > 0
    with pytest.raises(ValueError, match="--alignment_coef is about the attention pooling"):
        run(tmp_path / "other", texts, "--alignment_coef", "0.5", "--classifier_pooling", "mean")


def write_marked_texts(path: Path, count: int = 160) -> Path:
    """Two words decide each text, of which people mark one."""
    chooser = random.Random(0)
    rows = []
    for index in range(count):
        label = "pos" if index % 2 else "neg"
        words = [chooser.choice(("film", "the", "a", "plot", "of")) for _ in range(8)]
        decisive = ("good", "great") if index % 2 else ("bad", "awful")
        for word in decisive:
            words.insert(chooser.randint(0, len(words)), word)
        rows.append({"text": " ".join(words), "label": label, "marks": [int(word == decisive[0]) for word in words]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_run_draws_the_attention_to_what_people_have_marked(tmp_path: Path) -> None:
    texts = write_marked_texts(tmp_path / "texts.jsonl")
    # The best checkpoint would be an early one, because the labels are easy.
    longer = ("--num_train_epochs", "20", "--load_best_model_at_end", "false")
    marked = run(tmp_path / "marked", texts, "--rationale_column", "marks", *longer)
    plain = run(tmp_path / "plain", texts, *longer)

    def on_marked(done: TaskRun) -> float:
        texts = ["the good film of great plot", "a bad plot of awful film"]
        found = explain(texts, done.model, done.processor, method="attention", faithfulness=False)
        return float(np.mean([sum(w.weight for w in one.words if w.text in ("good", "bad")) for one in found]))

    assert on_marked(marked) > 0.7 > on_marked(plain) + 0.2
    card = (tmp_path / "marked" / "README.md").read_text("utf-8")
    assert "attention to the words that people have marked, weight: 1.0" in card
    assert "--rationale_column marks" in card and "marked" not in (tmp_path / "plain/README.md").read_text("utf-8")


def test_marks_count_beside_everything_else(tmp_path: Path) -> None:
    texts = write_marked_texts(tmp_path / "texts.jsonl")
    further = (
        "--adversarial_epsilon",
        "1",
        "--rdrop_alpha",
        "0.5",
        "--erasure_coef",
        "0.2",
        "--rationale_coef",
        "0.3",
    )
    done = run(tmp_path / "model", texts, "--rationale_column", "marks", *further)
    assert done.metrics["eval_accuracy"] > 0.9


def test_marks_are_no_input_of_the_model_and_need_a_column(tmp_path: Path) -> None:
    rows = [{**{name: value[0].tolist() for name, value in batch().items()}, "rationale": [0, 1, 0, 0]}] * 4
    data = Dataset.from_list(rows)
    arguments = RunArguments(str(tmp_path), use_cpu=True, eval_strategy="no", rationale_coef=1.0, max_steps=1)
    options = {"data_collator": default_data_collator}
    assert AttnLSTMTrainer(model().float(), arguments, train_dataset=data, **options).train().global_step == 1
    with pytest.raises(ValueError, match="rationale_coef= needs a column 'rationale' in the texts for training"):
        AttnLSTMTrainer(model(), arguments, train_dataset=data.remove_columns("rationale"))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--rationale_coef", "1"), "--rationale_coef has no effect without --rationale_column"),
        (("--rationale_column", "label"), "--rationale_column label has the texts or the labels"),
        (("--rationale_column", "marks", "--classifier_pooling", "mean"), "is about the attention pooling"),
        (("--rationale_column", "marks", "--do_train", "false", "--model_name_or_path", "x"), "beside --do_train"),
    ],
)
def test_marks_without_effect_are_refused(flags: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        run(tmp_path / "model", write_marked_texts(tmp_path / "texts.jsonl", 40), *flags)


def test_a_teacher_labels_texts_that_have_no_marks(tmp_path: Path) -> None:
    texts = write_marked_texts(tmp_path / "texts.jsonl")
    run(tmp_path / "teacher", texts)
    (tmp_path / "more.txt").write_text("a good film\nthe awful plot\n", encoding="utf-8")
    further = ("--teacher", str(tmp_path / "teacher"), "--unlabelled_file", str(tmp_path / "more.txt"))
    done = run(tmp_path / "model", texts, "--rationale_column", "marks", *further)
    assert done.metrics["eval_accuracy"] > 0.9


def test_a_coefficient_of_a_recipe_without_marks_has_no_effect(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("# Mine.\nrationale_coef: 2\n", encoding="utf-8")
    done = run(tmp_path / "model", write_texts(tmp_path / "texts.csv"), "--recipe", str(tmp_path / "own.yaml"))
    assert done.metrics["eval_accuracy"] > 0.8


def test_every_term_of_the_loss_has_bounds_a_name_in_the_card_and_none_in_a_pretraining() -> None:
    assert set(LOSS_TERMS) == model_card._REGULARIZATION.keys()
    for name in LOSS_TERMS:
        assert not BOUNDS[name].holds(-1.0) and name in PretrainingTask.meaningless
        assert any(name in effect.flags for effect in RUN_EFFECTS)


@pytest.mark.parametrize("flags", [("--classifier_pooling", "mean"), ("--fp16",)])
def test_what_a_recipe_cannot_have_says_how_to_leave_it_out(flags: tuple[str, ...], tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv")
    with pytest.raises(ValueError, match=r"\(--alignment_coef 0 beside a recipe\)"):
        run(tmp_path / "model", texts, "--recipe", "faithful", *flags)
