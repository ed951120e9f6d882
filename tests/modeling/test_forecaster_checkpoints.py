"""Initial weights of the models of time series, and the ways of weights into and out of files."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from forecaster_helpers import COVARIATES, NO_DROPOUT, series_batch, series_config, series_model, training_batch
from forecaster_options import AUTO, TRANSFORMER
from modeling_helpers import assert_near
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTimeSeriesPrediction

from hfattnlstm import (
    AttnLSTMForecasterModel,
    AttnLSTMForTimeSeriesClassification,
    AttnLSTMForTimeSeriesPrediction,
)
from loopback_hub import run_python


AUTO_CLASSES = [
    (AutoModel, AttnLSTMForecasterModel),
    (AutoModelForTimeSeriesPrediction, AttnLSTMForTimeSeriesPrediction),
    (AutoModelForSequenceClassification, AttnLSTMForTimeSeriesClassification),
]
CLASSES = [model_class for _, model_class in AUTO_CLASSES]
# Together these have every module that has parameters.
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "convolution": {**COVARIATES, "front": "convolution", "linear_forecast": True, "classifier_hidden_size": 5},
    "transformer": {**TRANSFORMER, "bidirectional": True, "direction_merge": "weighted", "loss": "quantile"},
    "self-attention": {"context_layers": ["attention"], "pooler_score": "general", "pooler_num_heads": 2},
    "mixed": {"mix_channels": True, "loss": "nll", "pooling": ["max", "attention"], "pooler_score": "dot"},
    "autoregressive": {**AUTO, **COVARIATES, "pooler_num_heads": 2, "pooler_score": "diagonal_dot"},
    "autoregressive, linear": {**AUTO, "pooler_score": "linear", "num_hidden_layers": 2, "residual": True},
}
every_option = pytest.mark.parametrize("name", OPTIONS)
every_class = pytest.mark.parametrize("model_class", CLASSES)


def fits(model_class: type, name: str) -> bool:
    return model_class is not AttnLSTMForTimeSeriesClassification or "decoding" not in OPTIONS[name]


PAIRS = [(model_class, name) for model_class in CLASSES for name in OPTIONS if fits(model_class, name)]
every_pair = pytest.mark.parametrize(("model_class", "name"), PAIRS)


def outputs_of(model: nn.Module) -> Tensor:
    """What the model makes of the same series each time, in one tensor."""
    forecasts = isinstance(model, AttnLSTMForTimeSeriesPrediction)
    with torch.no_grad():
        found = model(**series_batch(model, "inside", exact=False, future=forecasts))[0]
    return torch.stack(found) if isinstance(found, tuple) else found


def learning_batch(model: nn.Module) -> dict[str, Tensor]:
    if isinstance(model, AttnLSTMForTimeSeriesPrediction):
        return training_batch(model)
    return {**series_batch(model, exact=False, future=False), "labels": torch.tensor([0, 1, 1])}


class TestInitialWeights:
    """What a new model starts from."""

    @every_pair
    def test_every_parameter_is_set(self, model_class, name):
        model = model_class(series_config(**OPTIONS[name]))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(torch.nan)
                parameter._is_hf_initialized = False
        for module in model.modules():
            module._is_hf_initialized = False
        model.initialize_weights()
        assert not [key for key, tensor in model.state_dict().items() if not tensor.isfinite().all()]

    @pytest.mark.parametrize(("model_class", "name"), [pair for pair in PAIRS if pair[0] is not CLASSES[0]])
    def test_every_parameter_gets_a_gradient(self, model_class, name):
        torch.manual_seed(0)
        model = model_class(series_config(**NO_DROPOUT, **OPTIONS[name])).train()
        model(**learning_batch(model)).loss.backward()
        # The same number added to all scores changes no weight of a softmax.
        without = [key for key, each in model.named_parameters() if each.grad is None or not each.grad.any()]
        assert not [key for key in without if not key.endswith("attention.key.bias")]

    def test_lstms_have_open_forget_gates(self):
        model = AttnLSTMForTimeSeriesPrediction(series_config(**AUTO))
        for lstm in (model.decoder.lstm, model.attnlstm_forecaster.encoder.layers[0].forward_lstm):
            entry, forget, candidate, exit_ = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().chunk(4)
            assert forget.eq(1).all() and not torch.cat([entry, candidate, exit_]).any()

    def test_embeddings_of_categories_have_the_deviation_that_the_configuration_says(self):
        config = series_config(cardinality=[5000], static_embedding_size=8, initializer_range=0.3)
        weight = AttnLSTMForecasterModel(config).static.embeddings[0].weight
        assert abs(weight.std().item() - 0.3) < 0.01

    def test_a_linear_forecast_starts_from_nothing(self):
        torch.manual_seed(0)
        plain = AttnLSTMForTimeSeriesPrediction(series_config()).eval()
        torch.manual_seed(0)
        model = AttnLSTMForTimeSeriesPrediction(series_config(linear_forecast=True)).eval()
        assert outputs_of(model).equal(outputs_of(plain))

    @every_pair
    def test_every_tensor_is_a_parameter(self, model_class, name):
        model = series_model(model_class, **OPTIONS[name])
        model(**learning_batch(model), output_attentions=True, output_hidden_states=True)
        saved = {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}
        for module in model.modules():
            held = [value for key, value in vars(module).items() if key not in ("_parameters", "_buffers", "_modules")]
            held += [entry for value in held if isinstance(value, (list, tuple)) for entry in value]
            assert not [value for value in held if isinstance(value, Tensor) and id(value) not in saved]
            assert not module._non_persistent_buffers_set


class TestFiles:
    """Saving and loading gives the same model back."""

    @every_option
    @pytest.mark.parametrize(("auto_class", "model_class"), AUTO_CLASSES)
    def test_save_and_load(self, auto_class, model_class, name, tmp_path):
        if not fits(model_class, name):
            pytest.skip("a classifier has no decoder")
        model = series_model(model_class, **OPTIONS[name])
        model.save_pretrained(tmp_path)
        for loader in (model_class, auto_class):
            loaded, report = loader.from_pretrained(tmp_path, output_loading_info=True)
            assert type(loaded) is model_class
            assert not any(report.values())
            assert not loaded.training
            for key, tensor in model.state_dict().items():
                assert loaded.state_dict()[key].equal(tensor), key
            # Weights that lie elsewhere in memory may be multiplied in another order.
            assert_near(outputs_of(loaded), outputs_of(model), 1e-5)
        for key, tensor in series_model(model_class, **OPTIONS[name]).state_dict().items():
            assert model.state_dict()[key].equal(tensor), key

    @pytest.mark.parametrize("kind", ["deep copy", "pickle"])
    @every_pair
    def test_copies_are_equal_and_independent(self, model_class, name, kind):
        model = series_model(model_class, **OPTIONS[name])
        shown = {**series_batch(model, exact=False, future=model_class is CLASSES[1]), "output_attentions": True}
        expected = model(**shown, output_hidden_states=True)  # leaves hooks behind, which are not copied
        duplicate = pickle.loads(pickle.dumps(model)) if kind == "pickle" else copy.deepcopy(model)
        before = outputs_of(model)
        assert outputs_of(duplicate).equal(before)
        for _ in range(2):
            outputs = duplicate(**shown, output_hidden_states=True)
            assert len(outputs.hidden_states) == len(expected.hidden_states)
            assert len(outputs.attentions) == len(expected.attentions)
            assert all(one.equal(other) for one, other in zip(outputs.attentions, expected.attentions))
        with torch.no_grad():
            for parameter in duplicate.parameters():
                parameter.add_(1)
        assert outputs_of(model).equal(before)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
    @pytest.mark.parametrize(("auto_class", "model_class"), AUTO_CLASSES)
    def test_precision(self, auto_class, model_class, dtype, tmp_path):
        model = series_model(model_class, **OPTIONS["transformer"])
        expected = outputs_of(model)
        model.to(dtype).save_pretrained(tmp_path)
        for wanted, got in (("auto", dtype), (dtype, dtype), (torch.float32, torch.float32)):
            loaded = auto_class.from_pretrained(tmp_path, dtype=wanted)
            assert {parameter.dtype for parameter in loaded.parameters()} == {got}
            assert_near(outputs_of(loaded).float(), expected, 0.15)
        assert json.loads((tmp_path / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")

    @every_option
    def test_a_head_loads_the_backbone_of_a_base_checkpoint(self, name, tmp_path):
        base = series_model(AttnLSTMForecasterModel, **OPTIONS[name])
        base.save_pretrained(tmp_path)
        for auto_class, model_class in AUTO_CLASSES[1:]:
            if not fits(model_class, name):
                continue
            model, report = auto_class.from_pretrained(tmp_path, output_loading_info=True)
            assert type(model) is model_class
            assert report["missing_keys"] == {
                key for key in model.state_dict() if not key.startswith("attnlstm_forecaster.")
            }
            assert not report["unexpected_keys"]
            assert_near(outputs_of(model.base_model), outputs_of(base), 1e-5)
            assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
            with pytest.raises(ValueError, match="train the model first, or load a complete checkpoint"):
                model.check_trained()

    @every_pair
    def test_a_base_model_loads_the_checkpoint_of_a_head(self, model_class, name, tmp_path):
        model = series_model(model_class, **OPTIONS[name])
        model.save_pretrained(tmp_path)
        base, report = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
        assert type(base) is AttnLSTMForecasterModel
        assert not report["missing_keys"]
        assert_near(outputs_of(base), outputs_of(model.base_model), 1e-5)
        base.check_trained()

    def test_a_forecaster_lends_its_backbone_to_a_classifier(self, tmp_path):
        model = series_model()
        model.save_pretrained(tmp_path)
        classifier = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=5)
        assert type(classifier) is AttnLSTMForTimeSeriesClassification
        assert_near(outputs_of(classifier.base_model), outputs_of(model.base_model), 1e-5)
        assert outputs_of(classifier).shape == (3, 5)

    def test_weights_of_another_shape(self, tmp_path):
        series_model().save_pretrained(tmp_path)
        with pytest.raises(
            RuntimeError, match=r"other shapes than the configuration \(decoder\.head.*: \(5,\), not \(3,\)\)"
        ):
            AutoModelForTimeSeriesPrediction.from_pretrained(tmp_path, prediction_length=3)


@pytest.fixture
def poisoned_memory() -> Iterator[None]:
    """New memory is full of NaN, as it may be in the wild."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(before)


@every_pair
def test_what_a_backbone_checkpoint_lacks_is_initialised_whatever_was_in_memory(
    model_class, name, tmp_path, poisoned_memory
):
    base = AttnLSTMForecasterModel(series_config(**OPTIONS[name]), add_pooling_layer=False)
    base.save_pretrained(tmp_path)
    assert torch.empty(3).isnan().all()
    loaded = model_class.from_pretrained(tmp_path)
    for key, tensor in loaded.state_dict().items():
        assert tensor.isfinite().all() and tensor.abs().max() < 10, key
    for key, tensor in base.state_dict().items():
        assert loaded.base_model.state_dict()[key].equal(tensor)


RICH: dict[str, dict[str, Any]] = {
    "direct": {**OPTIONS["convolution"], **TRANSFORMER, "bidirectional": True, "direction_merge": "weighted"},
    "autoregressive": OPTIONS["autoregressive"],
}
PARAMETERS = [(kind, key) for kind, options in RICH.items() for key in series_model(**options).state_dict()]


@pytest.mark.parametrize(("kind", "missing"), PARAMETERS)
def test_only_the_parameter_that_a_checkpoint_lacks_is_initialised(kind, missing, tmp_path):
    model = series_model(**RICH[kind])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7)
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[missing]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded, report = AutoModelForTimeSeriesPrediction.from_pretrained(tmp_path, output_loading_info=True)
    assert report["missing_keys"] == {missing}
    for name, tensor in loaded.state_dict().items():
        if name != missing:
            assert tensor.eq(7).all(), name
    fresh = loaded.state_dict()[missing]
    if missing.endswith("bias_ih_l0"):
        size = len(fresh) // 4
        assert fresh.tolist() == [0.0] * size + [1.0] * size + [0.0] * 2 * size
    elif missing.endswith("merge.weight"):
        assert fresh.tolist() == [0.5, 0.5]
    elif "norm" in missing and missing.endswith("weight"):
        assert fresh.eq(1).all()
    elif "bias" in missing or missing.startswith("linear."):
        assert not fresh.any()
    else:
        assert 0 < fresh.std() < 2
        assert fresh.abs().max() < 3


# A process in which the package cannot be imported; it loads what was saved, and saves it once more.
WITHOUT = """
import sys
sys.modules["hfattnlstm"] = None
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoModelForTimeSeriesPrediction

batch = torch.load("batch.pt")
loaders = {
    "forecaster": AutoModelForTimeSeriesPrediction,
    "decoding": AutoModelForTimeSeriesPrediction,
    "classifier": AutoModelForSequenceClassification,
    "backbone": AutoModel,
}
for name, loader in loaders.items():
    try:
        loader.from_pretrained(name)
    except ValueError as error:
        assert "trust_remote_code=True" in str(error), error
    else:
        raise AssertionError("loaded without trust")
    for folder in (name, "second-" + name):
        assert AutoConfig.from_pretrained(folder, trust_remote_code=True).model_type == "attnlstm_forecaster"
        model = loader.from_pretrained(folder, trust_remote_code=True)
        assert type(model).__module__.startswith("transformers_modules.")
        inputs = {key: each for key, each in batch.items() if name != "backbone" or key != "future_time_features"}
        with torch.no_grad():
            found = model(**inputs)[0]
        torch.save(found, "result-" + folder + ".pt")
        backbone = AutoModel.from_pretrained(folder, trust_remote_code=True)
        assert type(backbone).__name__ == "AttnLSTMForecasterModel"
        if folder == name:
            model.save_pretrained("second-" + name)
"""


def test_checkpoints_load_where_the_package_cannot_be_imported(tmp_path):
    rich = {**OPTIONS["convolution"], **TRANSFORMER}
    models = {
        "forecaster": series_model(**rich, loss="quantile"),
        "decoding": series_model(**OPTIONS["autoregressive"]),
        "classifier": series_model(AttnLSTMForTimeSeriesClassification, **rich),
        "backbone": series_model(AttnLSTMForecasterModel, **rich),
    }
    batch = series_batch(models["forecaster"], exact=False)
    torch.save(batch, tmp_path / "batch.pt")
    for name, model in models.items():
        model.save_pretrained(tmp_path / name)
        files = {path.stem for path in (tmp_path / name).glob("*.py")}
        assert "modeling_forecaster" in files and not files & {"configuration_attnlstm", "modeling_attnlstm"}
        assert ("modeling_time_series_prediction" in files) == (name in ("forecaster", "decoding"))
    run_python(WITHOUT, {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}, tmp_path)
    for name, model in models.items():
        given = {key: each for key, each in batch.items() if name != "backbone" or key != "future_time_features"}
        with torch.no_grad():
            expected = model(**given)[0]
        for folder in (name, f"second-{name}"):
            assert_near(torch.load(tmp_path / f"result-{folder}.pt"), expected)
        assert codes(tmp_path / f"second-{name}") == codes(tmp_path / name)


def codes(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.py")}
