"""What a step of training does: accumulation, checkpointed activations, half precision, adapters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from modeling_helpers import NO_DROPOUT, assert_near, ids_of, mask_of, tiny_config, tiny_model
from torch import Tensor, nn

from hfattnlstm import AttnLSTMForSequenceClassification


SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
PENALTIES = {"pooler_l2_coef": 0.1, "pooler_entropy_coef": -0.1, "pooler_diversity_coef": 0.2}
EVERYTHING = {
    "num_hidden_layers": 3,
    "residual": True,
    "direction_merge": "weighted",
    "pooler_num_heads": 2,
    "classifier_pooling": ["attention", "max", "last"],
    "classifier_hidden_size": 5,
    "context_layers": ["transformer", "lsh_transformer"],
    "context_merge": "concat",
    "lsh_attn_chunk_length": 2,
}


def labels_for(problem_type: str, rows: int) -> Tensor:
    if problem_type == SINGLE:
        return torch.randint(0, 3, (rows,))
    return torch.randint(0, 2, (rows, 3)).float() if problem_type == MULTI else torch.randn(rows, 3)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


def batch_for(problem_type: str = SINGLE, kind: str = "holes") -> dict[str, Tensor]:
    mask = mask_of(kind)
    return {"input_ids": ids_of(mask), "attention_mask": mask, "labels": labels_for(problem_type, len(mask))}


@pytest.mark.parametrize("penalties", [{}, PENALTIES])
@pytest.mark.parametrize("kind", ["right", "holes", "empty"])
@pytest.mark.parametrize("problem_type", [SINGLE, MULTI, REGRESSION])
def test_accumulated_small_batches_equal_the_large_one(problem_type, kind, penalties):
    options = {**NO_DROPOUT, **EVERYTHING, **penalties, "num_labels": 3, "problem_type": problem_type}
    model = tiny_model(**options).train()
    batch = batch_for(problem_type, kind)
    large = model(**batch, num_items_in_batch=torch.tensor(4)).loss
    large.backward()
    expected = gradients(model)
    model.zero_grad()
    parts = []
    for rows in ([0, 1], [2, 3]):
        part = {name: tensor[rows] for name, tensor in batch.items()}
        parts.append(model(**part, num_items_in_batch=torch.tensor(4)).loss)
        (parts[-1] / 2).backward()
    assert_near(sum(parts) / 2, large)
    for name, gradient in gradients(model).items():
        assert_near(gradient, expected[name], 1e-5)


def test_the_trainer_is_told_to_divide_by_the_number_of_steps_itself():
    assert AttnLSTMForSequenceClassification.accepts_loss_kwargs is False


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("asked", [{}, {"output_hidden_states": True, "output_attentions": True}])
@pytest.mark.parametrize("penalties", [{}, PENALTIES])
def test_checkpointed_activations_give_the_plain_gradients(reentrant, asked, penalties):
    model = tiny_model(**EVERYTHING, **penalties, num_labels=3, word_dropout=0.2, locked_dropout=True).train()
    batch = batch_for()
    reads = []
    model.attnlstm.encoder.layers[1].forward_lstm.register_forward_hook(lambda *_: reads.append(1))

    def step() -> tuple[Any, dict[str, Tensor]]:
        torch.manual_seed(1)
        reads.clear()
        model.zero_grad()
        outputs = model(**batch, **asked)
        outputs.loss.backward()
        return outputs, gradients(model)

    plain, expected = step()
    assert len(reads) == 1
    model.activation_checkpointing_enable({"use_reentrant": reentrant})
    outputs, results = step()
    assert len(reads) == 2
    assert_near(outputs.loss, plain.loss)
    assert expected.keys() == results.keys()
    for name, gradient in results.items():
        assert_near(gradient, expected[name])
    if asked:
        assert len(outputs.hidden_states) == 4
        for one, other in zip(outputs.hidden_states, plain.hidden_states):
            assert_near(one, other)
    model.activation_checkpointing_disable()
    step()
    assert len(reads) == 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"problem_type": MULTI},
        {"problem_type": REGRESSION},
        {"pooler_score": "linear", "pooler_normalizer": "sparsemax"},
        {"pooler_score": "general", "pooler_normalizer": "entmax15", "pooler_num_heads": 2},
        {"pooler_score": "diagonal_dot", "num_hidden_layers": 2, "residual": True, "direction_merge": "weighted"},
        {"classifier_pooling": ["last", "max"], "bidirectional": False},
    ],
    ids=str,
)
def test_a_batch_can_be_overfitted(options):
    torch.manual_seed(0)
    model = AttnLSTMForSequenceClassification(tiny_config(num_labels=3, **NO_DROPOUT, **options)).train()
    batch = batch_for(options.get("problem_type", SINGLE))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    start = model(**batch).loss.item()
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    assert model(**batch).loss.item() < 0.05 < start


@pytest.mark.parametrize("normalizer", ["softmax", "sparsemax", "entmax15"])
@pytest.mark.parametrize("score", ["additive", "linear", "dot", "general", "diagonal_dot"])
@pytest.mark.parametrize("mode", ["bfloat16", "float16", "autocast bfloat16", "autocast float16"])
def test_half_precision(mode, score, normalizer):
    dtype = getattr(torch, mode.split()[-1])
    options = {**EVERYTHING, **PENALTIES, **NO_DROPOUT, "pooler_score": score, "pooler_normalizer": normalizer}
    model = tiny_model(**options, num_labels=3).train()
    batch = batch_for(kind="empty")
    with torch.no_grad():
        expected = model(**batch, output_attentions=True)
    model = model if mode.startswith("autocast") else model.to(dtype)
    with torch.autocast("cpu", dtype=dtype, enabled=mode.startswith("autocast")):
        outputs = model(**batch, output_attentions=True)
    assert outputs.logits.dtype == dtype
    assert outputs.loss.dtype == torch.float32
    assert_near(outputs.logits.float(), expected.logits, 0.15)
    assert_near(outputs.loss, expected.loss, 0.15)
    weights = outputs.attentions[-1].float()
    assert_near(weights.sum(-1), expected.attentions[-1].sum(-1), 0.02)
    assert not weights[1].any()
    outputs.loss.backward()
    assert all(gradient.isfinite().all() for gradient in gradients(model).values())
    assert len(gradients(model)) == len(list(model.parameters()))


@pytest.mark.parametrize("normalizer", ["softmax", "sparsemax", "entmax15"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_thousand_words_get_weights_that_sum_to_one_in_half_precision(dtype, normalizer):
    model = tiny_model(pooler_temperature=1000, pooler_normalizer=normalizer).to(dtype)
    weights = model(torch.randint(1, 30, (2, 1000)), output_attentions=True).attentions[-1]
    assert weights.gt(0).sum(-1).gt(100).all()
    assert_near(weights.float().sum(-1), torch.ones(2, 1, 1), 0.005)


# peft 0.21 asks transformers 5.23 by the name of before.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
class TestLora:
    """Adapters by `peft` on all linear layers."""

    @pytest.fixture(params=["SEQ_CLS", None])
    def adapted(self, request: pytest.FixtureRequest) -> Any:
        peft = pytest.importorskip("peft")
        model = tiny_model(**EVERYTHING, **NO_DROPOUT, num_labels=3)
        config = peft.LoraConfig(task_type=request.param, target_modules="all-linear", r=2, init_lora_weights=False)
        return peft.get_peft_model(model, config)

    def test_only_the_adapters_and_the_head_are_trained(self, adapted):
        adapted.train()(**batch_for()).loss.backward()
        trained = gradients(adapted)
        assert any("attention" in name and "lora_" in name for name in trained)
        assert any("classifier" in name for name in trained)
        assert all("lora_" in name or "classifier" in name for name in trained)
        assert all(gradient.any() for gradient in trained.values())

    def test_merged_adapters_give_the_same_logits(self, adapted):
        batch = batch_for()
        adapted.eval()
        expected = adapted(**batch).logits
        merged = adapted.merge_and_unload()
        assert type(merged) is AttnLSTMForSequenceClassification
        assert_near(merged(**batch).logits, expected)

    def test_adapters_are_saved_and_loaded(self, adapted, tmp_path):
        peft = pytest.importorskip("peft")
        batch = batch_for()
        expected = adapted.eval()(**batch).logits
        adapted.save_pretrained(tmp_path)
        plain = tiny_model(**EVERYTHING, **NO_DROPOUT, num_labels=3)
        assert not torch.allclose(plain(**batch).logits, expected)
        loaded = peft.PeftModel.from_pretrained(plain, tmp_path).eval()
        assert_near(loaded(**batch).logits, expected)
