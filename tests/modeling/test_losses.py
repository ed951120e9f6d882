"""The head and its losses against NumPy."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from modeling_helpers import NO_DROPOUT, array, assert_near, sigmoid, tiny_config, tiny_model
from transformers.trainer_pt_utils import LabelSmoother
from transformers.utils import logging

from hfattnlstm.modeling import losses
from hfattnlstm.modeling.pooled_head import PooledHead


LOGITS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([0, 2, 1, 1, 0])
SEVERAL = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1]])
NUMBERS = torch.tensor([[0.5, -1.0, 2.0]] * 5)
WEIGHTS = [0.5, 2, 1.25]
SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
TYPICAL = {SINGLE: CLASSES, MULTI: SEVERAL.float(), REGRESSION: NUMBERS}


def classification_loss(logits, labels, config):
    """With what a model takes from its configuration."""
    problem_type = config.resolve_problem_type(labels.is_floating_point())
    return losses.classification_loss(logits, labels, problem_type, config.class_weights, config.label_smoothing)


def log_probabilities(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy(weights):
    loss = classification_loss(LOGITS, CLASSES, tiny_config(num_labels=3, class_weights=weights, problem_type=SINGLE))
    share = np.ones(5) if weights is None else np.array(weights)[array(CLASSES)]
    negatives = -log_probabilities(array(LOGITS))[np.arange(5), array(CLASSES)]
    assert abs(loss.item() - (share * negatives).sum() / share.sum()) < 1e-6


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_binary_cross_entropy_weighs_the_positive_examples(weights):
    loss = classification_loss(LOGITS, SEVERAL, tiny_config(num_labels=3, class_weights=weights, problem_type=MULTI))
    probability, target = sigmoid(array(LOGITS)), array(SEVERAL)
    positive = np.ones(3) if weights is None else np.array(weights)
    each = -positive * target * np.log(probability) - (1 - target) * np.log(1 - probability)
    assert abs(loss.item() - each.mean()) < 1e-6


def test_squared_error():
    loss = classification_loss(LOGITS, NUMBERS, tiny_config(num_labels=3, problem_type=REGRESSION))
    assert abs(loss.item() - np.square(array(LOGITS - NUMBERS)).mean()) < 1e-6


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64])
def test_regression_on_one_number_takes_labels_with_and_without_a_second_dimension(shape, kind):
    labels = torch.tensor([1, -2, 3, 0, 5], dtype=kind)
    loss = classification_loss(LOGITS[:, :1], labels.reshape(shape), tiny_config(num_labels=1))
    assert abs(loss.item() - np.square(array(LOGITS[:, 0]) - array(labels)).mean()) < 1e-6


def test_single_labels_may_have_a_second_dimension_of_one():
    config = tiny_config(num_labels=3)
    assert classification_loss(LOGITS, CLASSES[:, None], config).equal(classification_loss(LOGITS, CLASSES, config))


def test_integer_labels_serve_for_several_labels_where_the_config_says_so():
    config = tiny_config(num_labels=3, problem_type=MULTI)
    assert classification_loss(LOGITS, SEVERAL, config).equal(classification_loss(LOGITS, SEVERAL.float(), config))


@pytest.mark.parametrize("kind", [torch.int32, torch.int16, torch.uint8])
def test_class_ids_of_any_integer_type(kind):
    config = tiny_config(num_labels=3)
    assert_near(classification_loss(LOGITS, CLASSES.to(kind), config), classification_loss(LOGITS, CLASSES, config))


def test_ignored_rows_are_left_out():
    config = tiny_config(num_labels=3)
    labels = torch.tensor([0, 2, -100, 1, -100])
    kept = [0, 1, 3]
    assert_near(classification_loss(LOGITS, labels, config), classification_loss(LOGITS[kept], CLASSES[kept], config))


@pytest.mark.parametrize(
    ("num_labels", "labels", "expected"),
    [(1, torch.zeros(5), REGRESSION), (3, CLASSES, SINGLE), (3, SEVERAL.float(), MULTI), (2, CLASSES, SINGLE)],
)
def test_the_problem_type_is_read_off_the_labels(num_labels, labels, expected):
    assert tiny_config(num_labels=num_labels).resolve_problem_type(labels.is_floating_point()) == expected


@pytest.mark.parametrize("configured", [MULTI, REGRESSION])
def test_the_configured_problem_type_is_obeyed(configured):
    config = tiny_config(num_labels=3, problem_type=configured)
    assert config.resolve_problem_type() == configured
    other = tiny_config(num_labels=3, problem_type=REGRESSION if configured == MULTI else MULTI)
    labels = SEVERAL.float()
    assert not classification_loss(LOGITS, labels, config).equal(classification_loss(LOGITS, labels, other))


def test_a_guess_of_the_problem_type_is_told_once(caplog):
    logging.get_logger("transformers").warning_once.cache_clear()
    with caplog.at_level("WARNING", "hfattnlstm"):
        for _ in range(2):
            tiny_model(num_labels=3)(torch.ones(5, 2, dtype=torch.long), labels=SEVERAL.float())
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and "set config.problem_type='multi_label_classification'" in told[0]
    caplog.clear()
    tiny_model(num_labels=3)(torch.ones(5, 2, dtype=torch.long), labels=CLASSES)
    tiny_model(num_labels=3, problem_type=MULTI)(torch.ones(5, 2, dtype=torch.long), labels=SEVERAL.float())
    assert not caplog.records


class TestLabelSmoothing:
    """`label_smoothing`, in the loss of the model, beside all else that is in it."""

    @pytest.mark.parametrize("smoothing", [0.1, 0.7])
    def test_cross_entropy(self, smoothing):
        loss = classification_loss(LOGITS, CLASSES, tiny_config(num_labels=3, label_smoothing=smoothing))
        target = (1 - smoothing) * np.eye(3)[array(CLASSES)] + smoothing / 3
        assert abs(loss.item() + (target * log_probabilities(array(LOGITS))).sum(-1).mean()) < 1e-6

    def test_equals_the_smoother_of_transformers(self):
        labels = torch.tensor([0, 2, -100, 1, -100])
        expected = LabelSmoother(epsilon=0.2)({"logits": LOGITS}, labels)
        assert_near(classification_loss(LOGITS, labels, tiny_config(num_labels=3, label_smoothing=0.2)), expected)

    def test_with_class_weights_equals_torch(self):
        config = tiny_config(num_labels=3, label_smoothing=0.2, class_weights=WEIGHTS)
        weight = torch.tensor(WEIGHTS)
        expected = torch.nn.functional.cross_entropy(LOGITS, CLASSES, weight, label_smoothing=0.2)
        assert_near(classification_loss(LOGITS, CLASSES, config), expected)

    @pytest.mark.parametrize("weights", [None, WEIGHTS])
    def test_several_labels(self, weights):
        config = tiny_config(num_labels=3, label_smoothing=0.2, class_weights=weights, problem_type=MULTI)
        probability, target = sigmoid(array(LOGITS)), array(SEVERAL) * 0.8 + 0.1
        positive = np.ones(3) if weights is None else np.array(weights)
        each = -positive * target * np.log(probability) - (1 - target) * np.log(1 - probability)
        assert abs(classification_loss(LOGITS, SEVERAL, config).item() - each.mean()) < 1e-6

    @pytest.mark.parametrize("training", [True, False])
    @pytest.mark.parametrize("problem_type", [SINGLE, MULTI])
    def test_reaches_the_loss_of_the_model_beside_weights_and_penalties(self, problem_type, training):
        options = {"num_labels": 3, "problem_type": problem_type, "class_weights": WEIGHTS, **NO_DROPOUT}
        model = tiny_model(**options, label_smoothing=0.2, pooler_l2_coef=0.5).train(training)
        labels, ids = TYPICAL[problem_type], torch.randint(1, 30, (5, 4))
        outputs = model(ids, labels=labels, output_attentions=True)
        penalty = 0.5 * outputs.attentions[-1].square().sum((1, 2, 3)).mean()
        assert_near(outputs.loss, classification_loss(outputs.logits, labels, model.config) + penalty)
        assert (outputs.loss - tiny_model(**options, pooler_l2_coef=0.5)(ids, labels=labels).loss).abs() > 1e-3


@pytest.mark.parametrize(
    ("problem_type", "wrong", "sentence"),
    [
        (SINGLE, 3, r"labels holds 3, but the model has 3 labels, numbered from 0 to 2: .* set num_labels"),
        (SINGLE, -1, r"labels holds -1, but the model has 3 labels, .*\(-100 leaves a text out\)"),
        (SINGLE, 1.5, "labels holds 1.5, but the model has 3 labels"),
        (SINGLE, float("nan"), "labels holds nan, but the model has 3 labels"),
        (MULTI, 2, "labels holds 2.0, but each label of a text is 1 or 0"),
        (MULTI, -100, "labels holds -100.0, but each label of a text is 1 or 0"),
        (MULTI, float("nan"), "labels holds nan, but each label of a text is 1 or 0"),
        (REGRESSION, float("nan"), "labels holds nan, but a regression needs numbers"),
        (REGRESSION, float("inf"), "labels holds inf, but a regression needs numbers"),
    ],
)
def test_labels_that_mean_nothing_are_named(problem_type, wrong, sentence):
    labels = TYPICAL[problem_type].clone()
    labels = labels.float() if isinstance(wrong, float) else labels
    labels[-1] = wrong
    model = tiny_model(num_labels=3, problem_type=problem_type)
    with pytest.raises(ValueError, match=sentence) as caught:
        model(torch.randint(1, 30, (5, 4)), labels=labels)
    assert "\n" not in str(caught.value)


def test_whole_floats_serve_as_class_ids():
    config = tiny_config(num_labels=3, problem_type=SINGLE)
    assert classification_loss(LOGITS, CLASSES.double(), config).equal(classification_loss(LOGITS, CLASSES, config))


def test_labels_elsewhere_are_not_looked_at():
    """A look would wait for an accelerator; on the meta device it would fail."""
    config = tiny_config(num_labels=3)
    labels = torch.empty(5, dtype=torch.long, device="meta")
    assert classification_loss(LOGITS.to("meta"), labels, config).is_meta


@pytest.mark.parametrize("problem_type", TYPICAL)
def test_the_checks_keep_a_graph_whole(problem_type):
    config = tiny_config(
        num_labels=3, problem_type=problem_type, label_smoothing=0 if problem_type == REGRESSION else 0.1
    )
    compiled = torch.compile(classification_loss, fullgraph=True, backend="eager")
    labels = TYPICAL[problem_type]
    assert_near(compiled(LOGITS, labels, config), classification_loss(LOGITS, labels, config))


@pytest.mark.parametrize(
    ("problem_type", "labels", "sentence"),
    [
        (SINGLE, CLASSES[:4], r"labels of shape \(4,\) do not fit .*single_label.*needs \(5,\)"),
        (SINGLE, SEVERAL, r"labels of shape \(5, 3\) do not fit .*single_label.*needs \(5,\)"),
        (MULTI, CLASSES, r"labels of shape \(5,\) do not fit .*multi_label.*needs \(5, 3\)"),
        (MULTI, SEVERAL[:, :2], r"labels of shape \(5, 2\) do not fit .*multi_label.*needs \(5, 3\)"),
        (REGRESSION, NUMBERS[:4], r"labels of shape \(4, 3\) do not fit .*regression.*needs \(5, 3\)"),
        (REGRESSION, torch.zeros(5), r"labels of shape \(5,\) do not fit .*regression.*needs \(5, 3\)"),
    ],
)
def test_labels_of_a_wrong_shape_are_named_as_they_were_given(problem_type, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        classification_loss(LOGITS, labels, tiny_config(num_labels=3, problem_type=problem_type))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("problem_type", TYPICAL)
def test_half_precision_logits_are_widened(problem_type, kind):
    config = tiny_config(num_labels=3, problem_type=problem_type)
    loss = classification_loss(LOGITS.to(kind), TYPICAL[problem_type], config)
    assert loss.dtype == torch.float32
    assert_near(loss, classification_loss(LOGITS.to(kind).float(), TYPICAL[problem_type], config))


def test_float64_stays_float64():
    assert classification_loss(LOGITS.double(), CLASSES, tiny_config(num_labels=3)).dtype == torch.float64


@pytest.mark.parametrize("problem_type", TYPICAL)
def test_the_model_computes_the_loss_of_its_logits(problem_type):
    model = tiny_model(num_labels=3, problem_type=problem_type)
    outputs = model(torch.randint(1, 30, (5, 4)), labels=TYPICAL[problem_type])
    assert outputs.loss.equal(classification_loss(outputs.logits, TYPICAL[problem_type], model.config))


def test_class_weights_reach_the_loss_of_the_model():
    ids = torch.randint(1, 30, (5, 4))
    plain = tiny_model(num_labels=3)(ids, labels=CLASSES).loss
    weighted = tiny_model(num_labels=3, class_weights=WEIGHTS)(ids, labels=CLASSES).loss
    assert (plain - weighted).abs() > 1e-3


@pytest.mark.parametrize("labels", [CLASSES, SEVERAL.float(), torch.zeros(5)])
def test_a_forward_pass_does_not_change_the_config(labels):
    model = tiny_model(num_labels=1 if labels.shape == (5,) and labels.is_floating_point() else 3)
    before = copy.deepcopy(model.config.to_dict())
    model(torch.randint(1, 30, (5, 4)), labels=labels, output_attentions=True, output_hidden_states=True)
    assert model.config.to_dict() == before
    assert model.config.problem_type is None


class TestHead:
    """What stands between the pooled states and the logits."""

    def test_one_layer(self):
        model = tiny_model(num_labels=3, classifier_pooling=["mean", "max"]).double()
        pooled = torch.randn(4, 24, dtype=torch.float64)
        expected = array(pooled) @ array(model.classifier.out_proj.weight).T + array(model.classifier.out_proj.bias)
        assert_near(model.classifier(pooled), expected)
        assert model.classifier.dense is None

    def test_hidden_layer(self):
        head = tiny_model(num_labels=3, classifier_hidden_size=5).double().classifier
        assert head.dense.weight.shape == (5, 12)
        pooled = torch.randn(4, 12, dtype=torch.float64)
        hidden = np.tanh(array(pooled) @ array(head.dense.weight).T + array(head.dense.bias))
        assert_near(head(pooled), hidden @ array(head.out_proj.weight).T + array(head.out_proj.bias))

    def test_reads_the_pooled_states(self):
        model = tiny_model(classifier_hidden_size=5)
        ids = torch.randint(1, 30, (3, 4))
        assert model(ids).logits.equal(model.classifier(model.attnlstm(ids).pooler_output))

    @pytest.mark.parametrize("hidden", [None, 500])
    def test_dropout_before_each_layer_in_training_only(self, hidden):
        head = PooledHead(400, 2, hidden_size=hidden, dropout=0.3)
        seen = []
        for layer in (head.dense, head.out_proj):
            if layer is not None:
                layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        pooled = torch.randn(50, 400)
        head.eval()(pooled)
        assert all(inputs.ne(0).all() for inputs in seen)
        assert seen[0].equal(pooled)
        seen.clear()
        head.train()(pooled)
        assert len(seen) == (1 if hidden is None else 2)
        for inputs in seen:
            assert abs(inputs.eq(0).float().mean().item() - 0.3) < 0.02
        kept = seen[0].ne(0)
        assert_near(seen[0][kept], pooled[kept] / 0.7)

    @pytest.mark.parametrize("num_labels", [1, 2, 7])
    def test_one_logit_a_label(self, num_labels):
        assert tiny_model(num_labels=num_labels)(torch.tensor([[1, 2]])).logits.shape == (1, num_labels)
