"""What a step of training does to a tagger: gradients, accumulation, activations, half precision, adapters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from datasets import Dataset
from modeling_helpers import NO_DROPOUT, assert_near, mask_of, tiny_config
from tagger_helpers import BIO, IGNORED, INPUTS, TAGGERS, places_of_words, prepared, tagged_batch, tiny_tagger
from text_helpers import fast, word_level
from torch import Tensor, nn
from transformers import DataCollatorForTokenClassification, Trainer, TrainingArguments
from transformers.trainer_utils import set_seed

from hfattnlstm import AttnLSTMForTokenClassification, AttnLSTMTrainer


every_tagger = pytest.mark.parametrize("name", TAGGERS)
every_input = pytest.mark.parametrize("name", INPUTS)
SPELT = ["spelt, crf", "spelt, context", "spelt"]


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


def new_tagger(**options: Any) -> nn.Module:
    """As a training begins, and without dropout."""
    torch.manual_seed(0)
    return prepared(AttnLSTMForTokenClassification(tiny_config(**{**NO_DROPOUT, **options}))).train()


def batch_of_all(kind: str = "right") -> dict[str, Tensor]:
    """As `tagged_batch`, with tokens of every role, words alone tagged, as a CRF allows, and many not with O."""
    batch, mask = tagged_batch(kind, tags=2), mask_of(kind)
    batch["input_ids"] = ids = torch.randint(0, 30, mask.shape)
    begun = torch.zeros_like(mask)
    for row, (own, kept) in enumerate(zip(ids.tolist(), mask.tolist())):
        begun[row, places_of_words(own, kept)] = True
    batch["labels"][~begun] = IGNORED
    return batch


class TestGradients:
    """Every parameter learns, and only from what counts."""

    @pytest.mark.parametrize("head", [{"num_labels": 2}, {**BIO, "use_crf": True}, {**BIO, "sentence_context": True}])
    @every_input
    def test_every_parameter_gets_one(self, name, head):
        model = new_tagger(**INPUTS[name], **head)
        model(**batch_of_all()).loss.backward()
        assert not [key for key, parameter in model.named_parameters() if not parameter.grad.any()]

    @pytest.mark.parametrize("name", SPELT)
    def test_every_tensor_is_a_parameter_or_a_persistent_buffer(self, name):
        model = tiny_tagger(**TAGGERS[name])
        model(**batch_of_all(), output_hidden_states=True)
        saved = {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}
        for module in model.modules():
            held = [value for key, value in vars(module).items() if key not in ("_parameters", "_buffers", "_modules")]
            held += [entry for value in held if isinstance(value, (list, tuple)) for entry in value]
            assert not [value for value in held if isinstance(value, torch.Tensor) and id(value) not in saved]
            assert not module._non_persistent_buffers_set

    @pytest.mark.parametrize("name", SPELT)
    def test_rows_of_padding_stay_zero(self, name):
        model = new_tagger(**TAGGERS[name])
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        for _ in range(3):
            model(**batch_of_all("holes")).loss.backward()
            optimizer.step()
        padded = [each for each in model.modules() if isinstance(each, nn.Embedding) and each.padding_idx is not None]
        assert len(padded) == 6
        assert not any(embedding.weight[embedding.padding_idx].any() for embedding in padded)

    def test_the_seed_decides(self):
        first, second = (new_tagger(**TAGGERS["spelt, crf"]).state_dict() for _ in range(2))
        assert all(first[key].equal(second[key]) for key in first)


@pytest.mark.parametrize("head", [{**BIO}, {**BIO, "use_crf": True}, {**BIO, "sentence_context": True}], ids=str)
@pytest.mark.parametrize(
    "name",
    [
        "everything, concat",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("word", "everything, attention")),
    ],
)
def test_a_batch_can_be_overfitted(name, head):
    model, batch = new_tagger(**INPUTS[name], **head), batch_of_all()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    start = model(**batch).loss.item()
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    assert model(**batch).loss.item() < 0.1 < start
    logits, counted = model.eval()(**batch).logits, batch["labels"] != IGNORED
    if model.crf is None:
        assert logits.argmax(-1)[counted].equal(batch["labels"][counted])


class TestAccumulation:
    """Several small batches are one large one."""

    @pytest.mark.parametrize("kind", ["right", "holes", "empty"])
    @every_tagger
    def test_losses_and_gradients(self, name, kind):
        model, batch = new_tagger(**TAGGERS[name]), batch_of_all(kind)
        count = (batch["labels"] != IGNORED).sum()
        large = model(**batch).loss
        large.backward()
        expected, total = gradients(model), 0.0
        model.zero_grad()
        for rows in ([0], [1, 2], [3]):
            part = {key: tensor[rows] for key, tensor in batch.items()}
            loss = model(**part, num_items_in_batch=count).loss
            loss.backward()
            total = total + loss
        assert_near(total, large, 1e-5)
        for key, gradient in gradients(model).items():
            assert_near(gradient, expected[key], 2e-5)

    @pytest.mark.parametrize("trainer_class", [Trainer, AttnLSTMTrainer])
    @pytest.mark.parametrize("name", ["plain", "crf"])
    def test_by_the_trainer(self, name, trainer_class, tmp_path):
        tokenizer = fast(word_level())
        generator = torch.Generator().manual_seed(0)
        lengths = torch.randint(1, 9, (8,), generator=generator).tolist()
        rows = [
            {
                "input_ids": torch.randint(2, 20, (length,), generator=generator).tolist(),
                "attention_mask": [1] * length,
                "labels": torch.randint(0, 2, (length,), generator=generator).tolist(),
            }
            for length in lengths
        ]
        # Batches with unequal numbers of tags, as they are in life.
        rows[0]["labels"][1:] = [IGNORED] * (lengths[0] - 1)
        weights = []
        for size, steps in ((4, 1), (2, 2), (1, 4)):
            model = new_tagger(**TAGGERS[name])
            arguments = TrainingArguments(
                str(tmp_path),
                per_device_train_batch_size=size,
                gradient_accumulation_steps=steps,
                max_steps=3,
                learning_rate=0.05,
                optim="sgd",
                max_grad_norm=0.0,
                lr_scheduler_type="constant",
                train_sampling_strategy="sequential",
                report_to=[],
                use_cpu=True,
                save_strategy="no",
                disable_tqdm=True,
            )
            set_seed(0)
            collator = DataCollatorForTokenClassification(tokenizer)
            trainer = trainer_class(model, arguments, train_dataset=Dataset.from_list(rows), data_collator=collator)
            trainer.train()
            weights.append({key: tensor.clone() for key, tensor in model.state_dict().items()})
        start = new_tagger(**TAGGERS[name]).state_dict()
        for key, tensor in weights[0].items():
            for other in weights[1:]:
                assert_near(other[key], tensor, 1e-5)
        assert not weights[0]["classifier.out_proj.weight"].equal(start["classifier.out_proj.weight"])


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("asked", [{}, {"output_hidden_states": True}])
@pytest.mark.parametrize("name", ["crf", "spelt, crf", "spelt, context"])
def test_checkpointed_activations_give_the_plain_gradients(name, asked, reentrant):
    options = {"num_hidden_layers": 2, "char_dropout": 0.2, "word_input_dropout": 0.3, "locked_dropout": True}
    options = {key: value for key, value in options.items() if "spelt" in name or "_layers" in key or "locked" in key}
    model = tiny_tagger(**{**TAGGERS[name], **options}).train()
    batch, reads = batch_of_all("holes"), []
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
    for key, gradient in results.items():
        assert_near(gradient, expected[key], 1e-5)
    if asked:
        assert len(outputs.hidden_states) == 3


@pytest.mark.parametrize("mode", ["bfloat16", "float16", "autocast bfloat16", "autocast float16"])
@every_tagger
def test_half_precision(name, mode):
    dtype = getattr(torch, mode.split()[-1])
    model, batch = tiny_tagger(**TAGGERS[name], **NO_DROPOUT).train(), batch_of_all("empty")
    with torch.no_grad():
        expected = model(**batch)
    model = model if mode.startswith("autocast") else model.to(dtype)
    with torch.autocast("cpu", dtype=dtype, enabled=mode.startswith("autocast")):
        outputs = model(**batch)
        assert model.eval()(**batch).logits.isfinite().all()
    assert outputs.logits.dtype == dtype and outputs.loss.dtype == torch.float32
    assert_near(outputs.logits.float(), expected.logits, 0.2)
    assert_near(outputs.loss, expected.loss, 0.2)
    outputs.loss.backward()
    assert len(gradients(model)) == len(list(model.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients(model).values())


# peft 0.21 asks transformers 5.23 by the name of before.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("name", ["crf", "spelt, context"])
def test_adapters_on_all_linear_layers(name):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="TOKEN_CLS", target_modules="all-linear", r=2, init_lora_weights=False)
    adapted = peft.get_peft_model(tiny_tagger(**TAGGERS[name], **NO_DROPOUT), config)
    batch = batch_of_all()
    adapted.train()(**batch).loss.backward()
    trained = gradients(adapted)
    assert trained and all("lora_" in key or "classifier" in key for key in trained)
    assert any("classifier" in key for key in trained)
    expected = adapted.eval()(**batch).logits
    merged = adapted.merge_and_unload()
    assert type(merged) is AttnLSTMForTokenClassification
    assert_near(merged(**batch).logits, expected, 1e-5)
