"""What a classifier says of parts of texts, ours or another."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from explain_helpers import PIECES, TEXTS, scorer, small_bert, word_pieces
from transformers import PreTrainedModel, RobertaConfig, RobertaForSequenceClassification

from hfattnlstm.explain.scoring import TextScorer


def logits_alone(model: PreTrainedModel, ids: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.tensor(ids)[None]).logits[0].numpy()


@pytest.mark.parametrize("own", [True, False], ids=["ours", "bert"])
def test_parts_of_texts_get_the_logits_that_they_get_alone(own: bool) -> None:
    found = scorer(special=True) if own else TextScorer(small_bert(), word_pieces(special=True, types=True))
    whole = [found.tokens_of(text) for text in found.encode(TEXTS)]
    parts = [*whole, whole[0].only(np.array([0, 3, 4])), whole[2].only(np.array([5]))]
    expected = np.stack([logits_alone(found.model, tokens.ids) for tokens in parts])
    np.testing.assert_allclose(found.logits(parts), expected, atol=1e-10)


def test_a_part_of_a_text_is_the_text_with_holes_in_its_mask() -> None:
    found = scorer(classifier_ngrams=60, classifier_ngram_length=3, embedding_ngrams=40)
    tokens = found.tokens_of(found.encode(TEXTS)[2])
    mask = torch.ones(len(tokens.ids), dtype=torch.bool)
    mask[[0, 3, 4, 8]] = False
    with torch.no_grad():
        holes = found.model(torch.tensor(tokens.ids)[None], mask[None]).logits[0].numpy()
    np.testing.assert_allclose(found.logits([tokens.only(mask.numpy().nonzero()[0])])[0], holes, atol=1e-10)


def test_of_nothing_at_all_our_model_says_something() -> None:
    found = scorer()
    nothing = found.tokens_of(found.encode(["good"])[0]).only(np.array([], dtype=np.int64))
    assert np.isfinite(found.logits([nothing])).all()
    assert found.logits([]).shape == (0, 2)


def test_pairs_have_the_token_types_of_their_tokenizer() -> None:
    tokenizer = word_pieces(special=True, types=True)
    found = TextScorer(small_bert(), tokenizer)
    tokens = found.tokens_of(found.encode([("the film is badly", "not good")])[0])
    expected = tokenizer("the film is badly", "not good")
    assert (tokens.ids.tolist(), tokens.types.tolist()) == (expected.input_ids, expected.token_type_ids)
    with torch.no_grad():
        alone = found.model(**tokenizer("the film is badly", "not good", return_tensors="pt")).logits.numpy()
    np.testing.assert_allclose(found.logits([tokens]), alone, atol=1e-10)


def test_a_model_in_training_stays_so_and_drops_nothing_meanwhile() -> None:
    found = scorer(embedding_dropout=0.9)
    tokens = [found.tokens_of(text) for text in found.encode(TEXTS)]
    expected = found.logits(tokens)
    found.model.train()
    found.model.classifier.eval()
    np.testing.assert_array_equal(found.logits(tokens), expected)
    assert found.model.training and found.model.attnlstm.training and not found.model.classifier.training


def test_positions_of_the_model_bound_what_is_read() -> None:
    found = TextScorer(small_bert(max_position_embeddings=7), word_pieces(special=True, types=True))
    assert len(found.encode([TEXTS[2]])[0].input_ids) == 7


def test_positions_of_roberta_begin_behind_that_of_the_padding() -> None:
    config = RobertaConfig(
        vocab_size=len(PIECES),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=9,
        pad_token_id=1,
    )
    found = TextScorer(RobertaForSequenceClassification(config), word_pieces(special=True))
    (text,) = found.encode([TEXTS[2]])
    assert len(text.input_ids) == 7 and np.isfinite(found.logits([found.tokens_of(text)])).all()


def test_what_is_read_of_a_long_text_is_as_the_configuration_says_or_as_asked() -> None:
    model = scorer(truncation="tail").model
    tail, head = TextScorer(model, word_pieces()), TextScorer(model, word_pieces(), max_length=2, truncation="head")
    ids = word_pieces()(TEXTS[0]).input_ids
    assert tail.encode([TEXTS[0]])[0].input_ids == ids and head.encode([TEXTS[0]])[0].input_ids == ids[:2]
    assert TextScorer(model, word_pieces(), max_length=2).encode([TEXTS[0]])[0].input_ids == ids[-2:]


KINDS = {"single_label_classification": 3, "multi_label_classification": 3, "regression": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_margins_rank_as_probabilities_do(kind: str) -> None:
    found = scorer(problem_type=kind, num_labels=KINDS[kind])
    logits = torch.randn(50, KINDS[kind], dtype=torch.float64)
    targets = torch.randint(KINDS[kind], (50,))
    scores = found.probabilities(logits.numpy())[np.arange(50), targets]
    margins = found.margin(logits, targets).numpy()
    if kind == "regression":
        np.testing.assert_array_equal(margins, scores)
    else:
        np.testing.assert_allclose(1 / (1 + np.exp(-margins)), scores, atol=1e-12)


def test_decisions() -> None:
    logits = np.array([[2.0, 0.1, -3.0], [-1.0, 1.0, 0.9]])
    assert scorer(num_labels=3).decisions(logits).tolist() == [0, 1]
    options = {"num_labels": 3, "problem_type": "multi_label_classification"}
    assert scorer(**options).decisions(logits).tolist() == [[True, True, False], [False, True, True]]
    several = scorer(**options, threshold=[0.95, 0.5, 0.01])
    assert several.decisions(logits).tolist() == [[False, True, True], [False, True, True]]
    calibrated = scorer(**options, threshold=0.6, calibration_temperature=0.1)
    assert calibrated.decisions(np.array([[0.1, 0.03, 1.0]])).tolist() == [[True, False, True]]


def test_the_label_to_explain_is_the_one_wanted_or_the_likeliest() -> None:
    assert scorer().choose(torch.tensor([[1.0, 2.0], [3.0, 2.0], [1.0, 2.0]]), [None, None, 0]).tolist() == [1, 0, 0]


def test_batches_of_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    found, sizes = scorer(), []
    tokens = [found.tokens_of(text) for text in found.encode(TEXTS)]

    def note(inputs: dict[str, torch.Tensor], places: list[int]) -> list[int]:
        sizes.append(len(inputs["input_ids"]))
        return places

    assert found.over_batches(tokens, note, batch_size=3) == [0, 1, 2, 3]
    assert sorted(sizes) == [1, 3]


def test_a_slow_tokenizer_and_random_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not a fast tokenizer"):
        TextScorer(small_bert(), SimpleNamespace(is_fast=False, model_max_length=9))
    with pytest.raises(TypeError, match=r"model must be one of transformers, .* not of type SimpleNamespace"):
        TextScorer(SimpleNamespace(), word_pieces())
    model = scorer().model
    model.attnlstm.save_pretrained(tmp_path)
    headless = type(model).from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="which have started at random"):
        TextScorer(headless, word_pieces())


def test_pieces_are_what_the_tests_think() -> None:
    assert word_pieces()("badly !").input_ids == [PIECES.index(piece) for piece in ("bad", "##ly", "!")]
