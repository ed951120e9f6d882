"""Initial weights, and the ways of weights into and out of files."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from image_text_helpers import MODELS as IMAGE_MODELS
from modeling_helpers import NO_DROPOUT, assert_near, ids_of, mask_of, tiny_config, tiny_model
from safetensors.torch import load_file, save_file
from tagger_helpers import BIO, INPUTS, TAGGERS, tiny_tagger
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
    modeling_utils,
)

import hfattnlstm
from hfattnlstm import (
    AttnLSTMForImageTextClassification,
    AttnLSTMForSequenceClassification,
    AttnLSTMForTokenClassification,
    AttnLSTMModel,
    AttnLSTMPreTrainedModel,
)
from hfattnlstm._heads import HEADS
from hfattnlstm.modeling.recurrence import DirectionMerge


BOTH = [AttnLSTMModel, AttnLSTMForSequenceClassification]
AUTO = [(AutoModel, AttnLSTMModel), (AutoModelForSequenceClassification, AttnLSTMForSequenceClassification)]
# Together these have every module that has parameters.
OPTIONS = {
    "default": {},
    "linear": {"pooler_score": "linear", "num_hidden_layers": 3},
    "dot": {"pooler_score": "dot", "bidirectional": False},
    "general": {"pooler_score": "general", "pooler_num_heads": 2, "direction_merge": "sum"},
    "diagonal_dot": {"pooler_score": "diagonal_dot", "pooler_num_heads": 3, "direction_merge": "mean"},
    "weighted": {"direction_merge": "weighted", "num_hidden_layers": 2, "residual": True, "pad_token_id": None},
    "hidden layer": {"classifier_hidden_size": 5, "classifier_pooling": ["max", "attention", "sum"]},
    "sparsemax": {"pooler_normalizer": "sparsemax"},
    "entmax15": {"pooler_normalizer": "entmax15", "pooler_size": 4},
    "no attention": {"classifier_pooling": ["last", "mean"]},
    "context layers": {
        "context_layers": ["transformer", "lsh_attention"],
        "context_merge": "concat",
        "lsh_attn_chunk_length": 2,
        "num_buckets": 8,
    },
    "penalties": {"pooler_l2_coef": 0.1, "pooler_entropy_coef": -0.1, "pooler_diversity_coef": 0.1},
}
every_option = pytest.mark.parametrize("name", OPTIONS)


def initialized(model_class: type = AttnLSTMForSequenceClassification, **options) -> nn.Module:
    torch.manual_seed(0)
    return model_class(tiny_config(**options)).eval()


class TestInitialWeights:
    """What a new model starts from."""

    @pytest.mark.parametrize(
        ("model_class", "options"),
        [
            *((AttnLSTMForSequenceClassification, options) for options in [*OPTIONS.values(), *INPUTS.values()]),
            *((AttnLSTMForTokenClassification, options) for options in TAGGERS.values()),
            *((AttnLSTMForImageTextClassification, options) for options in IMAGE_MODELS.values()),
        ],
    )
    def test_every_parameter_is_set(self, model_class, options):
        model = initialized(model_class, **options)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(torch.nan)
                parameter._is_hf_initialized = False
        for module in model.modules():
            module._is_hf_initialized = False
        model.initialize_weights()
        assert not [key for key, tensor in model.state_dict().items() if not tensor.isfinite().all()]
        padded = [part for part in model.modules() if getattr(part, "padding_idx", None) is not None]
        assert not any(embedding.weight[embedding.padding_idx].any() for embedding in padded)

    @pytest.mark.parametrize("options", [{}, {"hidden_size": 64}, {"bidirectional": False, "num_hidden_layers": 2}])
    def test_lstm_has_open_forget_gates_and_orthogonal_recurrence(self, options):
        model = initialized(**options)
        lstms = [module for module in model.modules() if isinstance(module, nn.LSTM)]
        assert len(lstms) == 2
        for lstm in lstms:
            entry, forget, candidate, exit_ = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().chunk(4)
            assert forget.eq(1).all()
            assert not torch.cat([entry, candidate, exit_]).any()
            identity = torch.eye(lstm.hidden_size)
            for gate in lstm.weight_hh_l0.detach().chunk(4):
                assert_near(gate @ gate.T, identity, 1e-5)
            bound = (6 / (lstm.input_size + lstm.hidden_size)) ** 0.5
            for gate in lstm.weight_ih_l0.detach().chunk(4):
                assert 0.8 * bound < gate.abs().max() <= bound

    def test_linear_layers_are_as_wide_as_xavier_says_and_have_no_bias(self):
        model = initialized(classifier_hidden_size=50, hidden_size=100)
        for layer in (module for module in model.modules() if isinstance(module, nn.Linear)):
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert 0.8 * bound < layer.weight.abs().max() <= bound
            assert layer.bias is None or not layer.bias.any()

    def test_layers_over_characters_start_as_others_do(self):
        model = initialized(AttnLSTMForTokenClassification, **TAGGERS["spelt, crf"])
        further = model.attnlstm.embeddings.further
        lstms = [module for module in further.modules() if isinstance(module, nn.LSTM)]
        assert len(lstms) == 2
        for lstm in lstms:
            assert lstm.bias_ih_l0.chunk(4)[1].eq(1).all()
            gate = lstm.weight_hh_l0.detach().chunk(4)[0]
            assert_near(gate @ gate.T, torch.eye(lstm.hidden_size), 1e-5)
        convolution = further.encoders["char_cnn"].convolution
        assert 0 < convolution.weight.std() < 0.5 and not convolution.bias.any()
        for embedding in (module for module in further.modules() if isinstance(module, nn.Embedding)):
            assert 0.03 < embedding.weight[1:].std() < 0.3
        assert not any(weight.any() for weight in model.crf.parameters())

    def test_learned_merge_starts_as_the_mean(self):
        weighted, mean = (initialized(AttnLSTMModel, direction_merge=merge) for merge in ("weighted", "mean"))
        mean.load_state_dict(weighted.state_dict(), strict=False)
        ids = torch.tensor([[3, 4, 5]])
        assert_near(weighted(ids).last_hidden_state, mean(ids).last_hidden_state)

    def test_the_seed_decides(self):
        first, second = initialized().state_dict(), initialized().state_dict()
        assert all(first[key].equal(second[key]) for key in first)

    @every_option
    def test_every_parameter_gets_a_gradient(self, name):
        model = initialized(**NO_DROPOUT, **OPTIONS[name]).train()
        mask = mask_of("right")
        model(ids_of(mask), mask, labels=torch.tensor([0, 1, 1, 1])).loss.backward()
        without = [key for key, parameter in model.named_parameters() if not parameter.grad.any()]
        assert not without

    @every_option
    def test_every_tensor_is_a_parameter_or_a_persistent_buffer(self, name):
        model = tiny_model(**OPTIONS[name])
        mask = mask_of("holes")
        model(ids_of(mask), mask, output_attentions=True, output_hidden_states=True)
        saved = {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}
        for module in model.modules():
            held = [value for key, value in vars(module).items() if key not in ("_parameters", "_buffers", "_modules")]
            held += [entry for value in held if isinstance(value, (list, tuple)) for entry in value]
            assert not [value for value in held if isinstance(value, torch.Tensor) and id(value) not in saved]
            assert not module._non_persistent_buffers_set


def outputs_of(model: nn.Module) -> torch.Tensor:
    mask = mask_of("holes")
    ids = ids_of(mask).fmod(29).add(1)
    with torch.no_grad():
        torch.manual_seed(1)
        return model(torch.where(mask, torch.arange(36).view(4, 9) % 29 + 1, ids), mask)[0]


class TestFiles:
    """Saving and loading gives the same model back."""

    @every_option
    @pytest.mark.parametrize(("auto_class", "model_class"), AUTO)
    def test_save_and_load(self, auto_class, model_class, name, tmp_path):
        model = tiny_model(model_class, **OPTIONS[name])
        model.save_pretrained(tmp_path)
        for loader in (model_class, auto_class):
            loaded, report = loader.from_pretrained(tmp_path, output_loading_info=True)
            assert type(loaded) is model_class
            assert not any(report.values())
            assert not loaded.training
            assert outputs_of(loaded).equal(outputs_of(model))

    def test_shards(self, tmp_path):
        model = tiny_model(num_hidden_layers=2)
        model.save_pretrained(tmp_path, max_shard_size="3KB")
        assert len(list(tmp_path.glob("*.safetensors"))) > 2
        loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
        assert outputs_of(loaded).equal(outputs_of(model))

    @pytest.mark.parametrize("kind", ["deep copy", "pickle"])
    @pytest.mark.parametrize("model_class", BOTH)
    def test_copies_are_equal_and_independent(self, model_class, kind):
        model = tiny_model(model_class, direction_merge="weighted", num_hidden_layers=2)
        if kind == "pickle":
            duplicate = pickle.loads(pickle.dumps(model))
        else:
            model(torch.tensor([[1, 2]]), output_attentions=True)  # leaves hooks behind, which are copied too
            duplicate = copy.deepcopy(model)
        before = outputs_of(model)
        assert outputs_of(duplicate).equal(before)
        with torch.no_grad():
            for parameter in duplicate.parameters():
                parameter.add_(1)
        assert outputs_of(model).equal(before)
        assert len(duplicate(torch.tensor([[1, 2]]), output_attentions=True).attentions) == 1

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
    @pytest.mark.parametrize(("auto_class", "model_class"), AUTO)
    def test_precision(self, auto_class, model_class, dtype, tmp_path):
        model = tiny_model(model_class)
        expected = outputs_of(model)
        model.to(dtype).save_pretrained(tmp_path)
        for wanted, got in (("auto", dtype), (dtype, dtype), (torch.float32, torch.float32)):
            loaded = auto_class.from_pretrained(tmp_path, dtype=wanted)
            assert {parameter.dtype for parameter in loaded.parameters()} == {got}
            assert outputs_of(loaded).dtype == got
            assert_near(outputs_of(loaded).float(), expected, 0.1)
        assert json.loads((tmp_path / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")

    @pytest.mark.parametrize("device_map", ["cpu", "auto", {"": "cpu"}])
    def test_device_map(self, device_map, tmp_path):
        pytest.importorskip("accelerate")
        model = tiny_model()
        model.save_pretrained(tmp_path)
        loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path, device_map=device_map)
        assert_near(outputs_of(loaded.cpu()), outputs_of(model))

    def test_a_head_loads_the_backbone_of_a_base_checkpoint(self, tmp_path):
        base = tiny_model(AttnLSTMModel)
        base.save_pretrained(tmp_path)
        model, report = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
        assert report["missing_keys"] == {"classifier.out_proj.weight", "classifier.out_proj.bias"}
        assert not report["unexpected_keys"]
        assert outputs_of(model.base_model).equal(outputs_of(base))
        assert model.classifier.out_proj.weight.isfinite().all()
        assert model.classifier.out_proj.weight.any()

    def test_a_base_model_loads_the_checkpoint_of_a_head(self, tmp_path):
        model = tiny_model()
        model.save_pretrained(tmp_path)
        base, report = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
        assert type(base) is AttnLSTMModel
        assert not report["missing_keys"]
        assert outputs_of(base).equal(outputs_of(model.base_model))

    def test_a_resized_vocabulary_is_saved(self, tmp_path):
        model = tiny_model()
        model.resize_token_embeddings(33, mean_resizing=False)
        model.save_pretrained(tmp_path)
        loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
        assert loaded.get_input_embeddings().weight.equal(model.get_input_embeddings().weight)

    def test_saving_does_not_change_the_model(self, tmp_path):
        model = tiny_model()
        before = outputs_of(model)
        model.save_pretrained(tmp_path)
        assert outputs_of(model).equal(before)


@pytest.fixture
def poisoned_memory() -> Iterator[None]:
    """New memory is full of NaN, as it may be in the wild."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(before)


class NewKinds(AttnLSTMPreTrainedModel):
    """A head with the kinds of module that ours may get next: normalisation, convolution, and raw parameters."""

    def __init__(self, config):
        super().__init__(config)
        self.attnlstm = AttnLSTMModel(config)
        self.norm = nn.LayerNorm(12)
        self.convolution = nn.Conv1d(12, 3, 3)
        self.merge = DirectionMerge("weighted")
        self.post_init()


ALL = {head.name: getattr(hfattnlstm, head.name) for head in HEADS}
OF_TEXTS = {name: each for name, each in ALL.items() if each.config_class is hfattnlstm.AttnLSTMConfig}
CLASSES = OF_TEXTS | {"NewKinds": NewKinds}


# Of a backbone; that of a tagger has none of the options of its head.
OF_BACKBONES = OPTIONS | INPUTS


@pytest.mark.parametrize("name", OF_BACKBONES)
@pytest.mark.parametrize("class_name", CLASSES)
def test_what_a_backbone_checkpoint_lacks_is_initialised_whatever_was_in_memory(
    class_name, name, tmp_path, poisoned_memory
):
    base = AttnLSTMModel(tiny_config(**OF_BACKBONES[name]), add_pooling_layer=False)
    if class_name == "AttnLSTMForPreTraining" and (base.config.num_hidden_layers > 1 or base.config.context_layers):
        pytest.skip("a language model has one layer")
    base.save_pretrained(tmp_path)
    assert torch.empty(3).isnan().all()
    loaded, report = CLASSES[class_name].from_pretrained(tmp_path, output_loading_info=True)
    assert not [key for key, tensor in loaded.state_dict().items() if not tensor.isfinite().all()]
    state = loaded.state_dict()
    assert not [key for key, tensor in state.items() if tensor.is_floating_point() and tensor.abs().max() > 10]
    assert report["missing_keys"] or class_name == "AttnLSTMModel"
    for key, tensor in base.state_dict().items():
        assert loaded.base_model.state_dict()[key].equal(tensor)


def test_the_base_class_is_asked_first(monkeypatch):
    seen = []
    monkeypatch.setattr(PreTrainedModel, "_init_weights", lambda self, module: seen.append(type(module)))
    initialized()
    assert {nn.LSTM, nn.Embedding, nn.Linear} <= set(seen)


WITH_EVERY_PART = {"direction_merge": "weighted", "classifier_hidden_size": 5, **OPTIONS["context layers"]}
PARAMETERS = list(tiny_model(**WITH_EVERY_PART).state_dict())


@pytest.mark.parametrize("missing", PARAMETERS)
def test_only_the_parameter_that_a_checkpoint_lacks_is_initialised(missing, tmp_path):
    model = tiny_model(**WITH_EVERY_PART)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(7)
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[missing]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded, report = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert report["missing_keys"] == {missing}
    for name, tensor in loaded.state_dict().items():
        if name != missing:
            assert tensor.eq(7).all(), name
    fresh = loaded.state_dict()[missing]
    if missing.endswith("bias_ih_l0"):
        assert fresh.tolist() == [0.0] * 12 + [1.0] * 12 + [0.0] * 24
    elif "bias" in missing:
        assert not fresh.any()
    elif missing.endswith("norm.weight"):
        assert fresh.eq(1).all()
    elif missing.endswith("merge.weight"):
        assert fresh.tolist() == [0.5, 0.5]
    else:
        assert 0 < fresh.std() < 2
        assert fresh.abs().max() < 4


MERGED = {merge: {**BIO, **INPUTS[f"everything, {merge}"], "use_crf": True} for merge in ("gated", "attention")}
OF_TAGGERS = [(merge, key) for merge in MERGED for key in tiny_tagger(**MERGED[merge]).state_dict()]


@pytest.mark.parametrize(("merge", "missing"), OF_TAGGERS)
def test_only_what_the_checkpoint_of_a_tagger_lacks_is_initialised(merge, missing, tmp_path):
    model = tiny_tagger(**MERGED[merge])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7)
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[missing]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded, report = AutoModelForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert report["missing_keys"] == {missing}
    saved, state = model.state_dict(), loaded.state_dict()
    assert not [key for key in state if key != missing and not state[key].equal(saved[key])]
    fresh = state[missing]
    if "may_" in missing:
        assert fresh.equal(saved[missing])
    elif missing.endswith("index.numbers"):
        assert fresh.eq(2**63 - 1).all()
    elif missing.startswith("crf.") or "spelling." in missing or missing.endswith((".bias", "bias_hh_l0")):
        assert not fresh.any()
    elif missing.endswith("bias_ih_l0"):
        assert fresh.chunk(4)[1].eq(1).all() and fresh.sum() == len(fresh) / 4
    else:
        assert 0 < fresh.std() < 2 and fresh.abs().max() < 3


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    tiny_model().save_pretrained(tmp_path)
    return tmp_path


def test_a_checkpoint_without_weights(checkpoint):
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        AttnLSTMForSequenceClassification.from_pretrained(checkpoint)


def test_weights_are_never_unpickled(checkpoint):
    (checkpoint / "model.safetensors").unlink()
    torch.save(tiny_model().state_dict(), checkpoint / "pytorch_model.bin")
    with pytest.raises(OSError, match=r"model\.safetensors"):
        AttnLSTMForSequenceClassification.from_pretrained(checkpoint)


@pytest.mark.parametrize("size", [4, 1_000])
def test_a_truncated_file_of_weights(checkpoint, size):
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(OSError, match=r"The safetensors file of .* is damaged .* again"):
        AttnLSTMForSequenceClassification.from_pretrained(checkpoint)


def test_weights_of_another_shape(checkpoint, monkeypatch):
    config = AttnLSTMForSequenceClassification.config_class.from_pretrained(checkpoint)
    config.hidden_size *= 2
    config.save_pretrained(checkpoint)
    sentence = r"other shapes than the configuration \(attnlstm.*: \(.*\), not \(.*\)\): use the config\.json"
    tables = []
    monkeypatch.setattr(modeling_utils.logger, "warning", tables.append)
    with pytest.raises(RuntimeError, match=sentence) as caught:
        AutoModelForSequenceClassification.from_pretrained(checkpoint)
    assert "\n" not in str(caught.value) and tables == []
    AutoModelForSequenceClassification.from_pretrained(checkpoint, ignore_mismatched_sizes=True)


@pytest.mark.parametrize("copied", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy])
def test_a_model_that_has_shown_its_attention_is_pickled_and_copied(copied):
    model = tiny_model(num_hidden_layers=2, num_labels=3).eval()
    ids = torch.tensor([[1, 2, 3]])
    expected = model(ids, output_attentions=True, output_hidden_states=True)
    model.classifier.register_forward_hook(_note)
    twin = copied(model)
    for _ in range(2):
        outputs = twin(ids, output_attentions=True, output_hidden_states=True)
        assert len(outputs.attentions) == len(expected.attentions) == 1
        assert len(outputs.hidden_states) == len(expected.hidden_states) == 3
        assert_near(outputs.attentions[0], expected.attentions[0])
    assert len(twin.classifier._forward_hooks) == 1
    assert len(model(ids, output_attentions=True).attentions) == 1


def _note(module, args, output) -> None:
    """A user's own hook, which is kept."""
