"""What an exported file holds and computes, and that nothing else is ever put in place."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import AutoTokenizer, PreTrainedModel

from deploy_helpers import LABELS, padded_batches, random_model, torch_outputs, word_tokenizer
from hfattnlstm import AttnLSTMConfig
from hfattnlstm.deploy import OnnxExport, export_onnx, onnx_check, onnx_export
from hfattnlstm.deploy.graph import probabilities_of
from hfattnlstm.deploy.onnx_check import agreement, largest_difference, vocabulary_hash
from hfattnlstm.modeling import lstm_backends


INPUTS = ("input_ids", "attention_mask")
# Together these have every option that changes the graph.
OPTIONS: dict[str, dict[str, Any]] = {
    "two layers": {"num_hidden_layers": 2, "pad_token_id": None},
    "linear, sparsemax": {
        "pooler_score": "linear",
        "pooler_normalizer": "sparsemax",
        "classifier_pooling": ["max", "attention"],
        "direction_merge": "weighted",
        "pooler_num_heads": 2,
    },
    "general, entmax15": {
        "pooler_score": "general",
        "pooler_normalizer": "entmax15",
        "pooler_temperature": 0.5,
        "classifier_pooling": ["attention", "mean", "max", "last", "sum"],
        "residual": True,
        "num_hidden_layers": 3,
        "pooler_num_heads": 3,
        "classifier_hidden_size": 5,
    },
    "dot, regression": {
        "pooler_score": "dot",
        "direction_merge": "sum",
        "residual": True,
        "num_hidden_layers": 2,
        "num_labels": 1,
        "problem_type": "regression",
    },
    "diagonal dot, many labels": {
        "pooler_score": "diagonal_dot",
        "pooler_normalizer": "sparsemax",
        "pooler_size": 6,
        "pooler_num_heads": 2,
        "direction_merge": "mean",
        "num_labels": 4,
        "problem_type": "multi_label_classification",
        "calibration_temperature": 2.5,
        "threshold": [0.2, 0.4, 0.6, 0.8],
    },
    "n-grams": {
        "classifier_ngrams": 300,
        "classifier_ngram_length": 2,
        "embedding_ngrams": 400,
        "embedding_ngram_length": 3,
        "ngram_dropout": 0.2,
    },
    "self-attention": {
        "context_layers": ["attention", "transformer"],
        "context_merge": "concat",
        "num_attention_heads": 2,
        "classifier_pooling": ["last", "attention"],
    },
    "one direction, no attention": {
        "bidirectional": False,
        "residual": True,
        "num_hidden_layers": 2,
        "classifier_pooling": ["sum", "last"],
        "calibration_temperature": 0.4,
    },
}


def operators(path: Path) -> Counter[tuple[str, str]]:
    return Counter((node.domain, node.op_type) for node in onnx.load(path).graph.node)


def run(path: Path, batch: dict[str, torch.Tensor]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {name: tensor.numpy() for name, tensor in batch.items()})


def shapes(entries: list[Any]) -> dict[str, list[Any]]:
    return {entry.name: entry.shape for entry in entries}


# An export takes seconds; the others are run by `make test-long`.
IN_SHORT = ("general, entmax15", "n-grams", "self-attention", "two layers")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in IN_SHORT else pytest.mark.long) for name in OPTIONS]
)
def test_every_option_computes_the_same_at_sizes_the_export_did_not_see(name: str, tmp_path: Path) -> None:
    model = random_model(**OPTIONS[name])
    result = export_onnx(model, tmp_path / "folder")
    assert result.largest_difference <= 1e-5 and not result.int8 and result.agreement is None
    assert {item.name for item in result.path.parent.iterdir()} == {"model.onnx", "config.json"}
    assert result.num_bytes == result.path.stat().st_size

    onnx.checker.check_model(result.path, full_check=True)
    found = operators(result.path)
    assert {domain for domain, _ in found} == {""}
    assert found["", "LSTM"] == model.config.num_hidden_layers
    assert not {"Loop", "Scan", "If"} & {kind for _, kind in found}

    session = onnxruntime.InferenceSession(result.path, providers=["CPUExecutionProvider"])
    assert shapes(session.get_inputs()) == {name: ["batch", "length"] for name in INPUTS}
    expected_shapes = {"logits": ["batch", model.config.num_labels]}
    if "attention" in model.config.poolings:
        expected_shapes["attentions"] = ["batch", model.config.pooler_num_heads, "length"]
    if model.config.resolve_problem_type() != "regression":
        expected_shapes["probabilities"] = expected_shapes["logits"]
    assert list(shapes(session.get_outputs()).items()) == list(expected_shapes.items())
    for batch in padded_batches():
        outputs = session.run(None, {key: tensor.numpy() for key, tensor in batch.items()})
        for output, expected in zip(outputs, torch_outputs(model, batch), strict=True):
            np.testing.assert_allclose(output, expected.numpy(), rtol=1e-5, atol=1e-5, strict=True)


def test_a_checkpoint_of_a_training_is_exported_as_it_computes(tmp_path: Path) -> None:
    model = random_model()
    tokens = torch.arange(model.config.vocab_size)
    model.attnlstm.set_subwords(torch.arange(len(tokens) + 1), tokens % 5)
    before = model.get_input_embeddings().weight.clone()
    result = export_onnx(model, tmp_path)
    assert result.largest_difference <= 1e-5
    assert torch.equal(model.get_input_embeddings().weight, before)
    assert model.config.subword_ngrams == 5


ALONE = """
import sys
import numpy, onnxruntime
outputs = onnxruntime.InferenceSession(sys.argv[1]).run(None, dict(numpy.load(sys.argv[2])))
numpy.savez(sys.argv[3], *outputs)
assert not {"torch", "transformers", "hfattnlstm"} & set(sys.modules)
"""


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_runs_alone_in_onnx_runtime(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind).path
    alone = shutil.copy(path, tmp_path / "alone.onnx")
    batch = list(padded_batches())[-1]
    np.savez(tmp_path / "inputs.npz", **{name: tensor.numpy() for name, tensor in batch.items()})
    command = [sys.executable, "-I", "-c", ALONE, alone, tmp_path / "inputs.npz", tmp_path / "outputs.npz"]
    subprocess.run(command, check=True, cwd=tmp_path)
    outputs = np.load(tmp_path / "outputs.npz")
    for output, expected in zip(outputs.values(), run(path, batch), strict=True):
        np.testing.assert_array_equal(output, expected)


def test_the_folder_holds_all_that_belongs_to_the_model(
    float32: OnnxExport, checkpoint: Path, model: PreTrainedModel
) -> None:
    folder = float32.path.parent
    names = {"model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json"}
    assert {item.name for item in folder.iterdir()} == names
    config = json.loads((folder / "config.json").read_text())
    assert "auto_map" not in config and "custom_pipelines" not in config
    assert AttnLSTMConfig.from_pretrained(folder).id2label == model.config.id2label
    tokenizers = [AutoTokenizer.from_pretrained(place) for place in (folder, checkpoint)]
    assert tokenizers[0]("a good film") == tokenizers[1]("a good film")


def test_the_file_describes_itself(float32: OnnxExport, int8: OnnxExport) -> None:
    for result, precision in ((float32, "float32"), (int8, "int8")):
        proto = onnx.load(result.path)
        facts = {entry.key: entry.value for entry in proto.metadata_props}
        assert json.loads(facts.pop("labels")) == list(LABELS.values())
        assert facts.pop("producer").startswith(f"{proto.producer_name} {proto.producer_version}")
        assert proto.producer_name == "hfattnlstm"
        assert facts.pop("vocabulary") == vocabulary_hash(word_tokenizer())
        files = json.loads(facts.pop("files"))
        assert set(files) == {"config.json", "tokenizer.json", "tokenizer_config.json"}
        assert facts == {"precision": precision, "max_length": "16", "pad_token_id": "0", "truncation": "head"}


def test_int8_is_a_smaller_file_of_int8_operators_with_near_answers(float32: OnnxExport, int8: OnnxExport) -> None:
    assert int8.int8 and int8.path.name == "model_int8.onnx"
    assert int8.num_bytes < float32.num_bytes
    found = operators(int8.path)
    assert found["com.microsoft", "DynamicQuantizeLSTM"] == 1 and not found["", "LSTM"]
    weights = {tensor.name: tensor for tensor in onnx.load(int8.path).graph.initializer}
    assert weights["model.attnlstm.embeddings.word_embeddings.weight_quantized"].data_type == onnx.TensorProto.UINT8
    # The projection of the score; not its narrow vector, and not the classifier.
    assert found["", "MatMulInteger"] == 1
    assert int8.agreement.num_texts == 30 and 0 < int8.agreement.largest_difference < 0.1
    for batch in padded_batches():
        (logits, weights, _), (exact, _, _) = run(int8.path, batch), run(float32.path, batch)
        np.testing.assert_allclose(logits, exact, rtol=0, atol=0.5)
        assert (weights[~np.broadcast_to(batch["attention_mask"].numpy()[:, None] > 0, weights.shape)] == 0).all()


def test_int8_leaves_the_weights_of_ngrams_as_they_are(tmp_path: Path) -> None:
    path = export_onnx(random_model(**OPTIONS["n-grams"]), tmp_path, tokenizer=word_tokenizer(), int8=True).path
    weights = {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}
    assert weights["model.ngrams.weight"].data_type == onnx.TensorProto.FLOAT


def test_int8_weights_have_seven_bits(int8: OnnxExport) -> None:
    """With eight, a product of two sums overflows on processors without VNNI."""
    quantized = [
        onnx.numpy_helper.to_array(tensor).astype(int)
        for tensor in onnx.load(int8.path).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and not tensor.name.endswith("zero_point")
    ]
    # Two of the LSTM, and the projection of the score; the embedding enters no product.
    assert len(quantized) == 3
    for weights in quantized:
        # All of the range is used, and no more.
        assert 60 <= np.abs(weights).max() <= 64


def test_the_model_stays_as_it_was_and_is_exported_in_float32(tmp_path: Path) -> None:
    model = random_model().bfloat16().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = export_onnx(model, tmp_path / "mine.onnx", tokenizer=word_tokenizer(), opset=18)
    assert result.path == tmp_path / "mine.onnx" and (tmp_path / "tokenizer.json").is_file()
    assert [(entry.domain, entry.version) for entry in onnx.load(result.path).opset_import] == [("", 18)]
    assert model.training and model.dtype == torch.bfloat16 and all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    batch = next(padded_batches())
    expected = torch_outputs(model.float().eval(), batch)[0].numpy()
    np.testing.assert_allclose(run(result.path, batch)[0], expected, rtol=0, atol=1e-5)


def test_a_wrong_export_is_noticed_and_leaves_everything_as_it_was(
    float32: OnnxExport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lstm_backends, "_gates_of_onnx", lambda weight: weight.detach())
    present = Path(shutil.copytree(float32.path.parent, tmp_path / "present"))
    before = {item.name: item.read_bytes() for item in present.iterdir()}
    with pytest.raises(RuntimeError, match="off by"):
        export_onnx(random_model(), present)
    assert {item.name: item.read_bytes() for item in present.iterdir()} == before

    monkeypatch.setattr(onnx_export, "_export", lambda *_: onnx.ModelProto())
    with pytest.raises(RuntimeError, match="update both"):
        export_onnx(random_model(), tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_int8_that_gives_no_numbers_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([0.0, float("nan")])
    monkeypatch.setattr(onnx_export, "largest_difference", lambda *_: next(found))
    with pytest.raises(RuntimeError, match="does not give numbers"):
        export_onnx(random_model(classifier_pooling="mean"), tmp_path, int8=True)
    assert list(tmp_path.iterdir()) == []


class FakeSession:
    """Answers with what a function makes of the inputs."""

    def __init__(self, answer: Any):
        self.answer = answer

    def run(self, names: list[str] | None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return self.answer(inputs)


@pytest.mark.parametrize(
    "mistake", ["none", "logits", "weights", "probabilities", "nan", "shape", "padding", "length one"]
)
def test_the_check_notices(mistake: str) -> None:
    model = random_model(calibration_temperature=1.5)

    def answer(inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        ids, mask = (torch.from_numpy(inputs[name]) for name in INPUTS)
        if mistake == "padding" and (mask.diff() > 0).any():
            mask = torch.ones_like(mask)
        logits, weights, probabilities = (
            tensor.numpy() for tensor in torch_outputs(model, {"input_ids": ids, "attention_mask": mask})
        )
        if mistake == "logits" or (mistake == "length one" and ids.shape[1] == 1):
            logits = logits + 1e-3
        if mistake == "weights":
            weights = weights * 0.999
        if mistake == "nan":
            logits = np.where(mask.any(1, keepdims=True), logits, np.nan)
        if mistake == "probabilities":
            # As without the temperature.
            probabilities = torch.from_numpy(logits).softmax(-1).numpy()
        return [logits[:, None] if mistake == "shape" else logits, weights, probabilities]

    found = largest_difference(FakeSession(answer), model)
    assert (found <= onnx_check.TOLERANCE) == (mistake == "none")


def compare(answers: tuple[list, list], **options: Any) -> onnx_check.Agreement:
    """Two sessions that give a text the answer at the position of its only token."""
    config = AttnLSTMConfig(vocab_size=30, **options)
    tables = [probabilities_of(torch.tensor(table, dtype=torch.float32), config).numpy() for table in answers]
    sessions = [FakeSession(lambda inputs, table=table: [table[inputs["input_ids"][:, 0] - 2]]) for table in tables]
    return agreement(*sessions, ["a", "all", "at", "bad"], word_tokenizer(), config)


def test_the_share_of_equal_labels() -> None:
    one = [[1, 0], [0, 1], [2, 0], [0, 3]]
    other = [[1, 0], [1, 0], [0, 0.5], [0, 3]]
    found = compare((one, other))
    assert found.equal_labels == 0.5 and found.num_texts == 4
    assert found.largest_difference == pytest.approx(0.8808 - 0.3775, abs=1e-4)
    found = compare(([[1, -1]] * 4, [[1, -1], [1, 1], [-1, 1], [2, -2]]), problem_type="multi_label_classification")
    assert found.equal_labels == 0.5 and found.largest_difference == pytest.approx(0.4621, abs=1e-4)
    found = compare(([[1, -1]] * 4, [[2, -1]] * 4), problem_type="multi_label_classification", threshold=0.8)
    assert found.equal_labels == 0
    # Calibrated, one is at .73 and the other at .66.
    options = {"problem_type": "multi_label_classification", "calibration_temperature": 2}
    shares = [
        compare(([[2, 1.3]] * 4, [[2, 1.3]] * 3 + [[1.3, 2]]), threshold=bounds, **options).equal_labels
        for bounds in ([0.7, 0.7], [0.6, 0.6], [0.7, 0.6])
    ]
    assert shares == [0.75, 1, 0.75]
    found = compare(([[1]] * 4, [[1], [1], [9], [1]]), num_labels=1)
    assert found.equal_labels is None and found.largest_difference == 8


def test_too_few_equal_labels_give_a_warning() -> None:
    def result(share: float | None) -> OnnxExport:
        return OnnxExport(Path("model.onnx"), 1, True, 0.0, onnx_check.Agreement(100, share, 0.1))

    assert "98.00%" in result(0.98).warning
    assert result(0.99).warning is None and result(None).warning is None


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"opset": 9}, ValueError, "opset must be between 18"),
        ({"check_texts": ["good"]}, ValueError, "check_texts are for int8"),
        ({"check_texts": [], "int8": True}, ValueError, "check_texts is empty"),
        ({"check_texts": "good", "int8": True}, TypeError, "not one text"),
        ({"check_texts": ["good"], "int8": True, "tokenizer": None}, ValueError, "give tokenizer="),
        ({"model": torch.nn.Linear(1, 1)}, TypeError, "is a Linear"),
        ({"model": random_model(vocab_size=5)}, ValueError, "tokenizer has 11 tokens"),
        (
            {"model": random_model(context_layers=["attention", "lsh_transformer"])},
            ValueError,
            "has lsh_transformer in context_layers, .*, and no graph does: train one with transformer to export it",
        ),
        ({"model": "no/such/folder"}, OSError, "no/such/folder is no folder of a model"),
    ],
)
def test_mistakes_are_told_before_the_work(
    options: dict[str, Any], kind: type, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.onnx, "export")
    arguments = {"model": random_model(), "path": tmp_path / "new", "tokenizer": word_tokenizer(), **options}
    with pytest.raises(kind, match=sentence) as caught:
        export_onnx(**arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds the checkpoint"):
        export_onnx(checkpoint, checkpoint)
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        export_onnx(checkpoint, tmp_path / "folder.onnx")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        export_onnx(checkpoint, tmp_path / "file" / "folder")


def test_a_model_beyond_the_size_of_a_file_is_refused(tmp_path: Path) -> None:
    with torch.device("meta"):
        model = type(random_model())(AttnLSTMConfig(vocab_size=5_000_000))
    with pytest.raises(ValueError, match=r"2\.\d GiB"):
        export_onnx(model, tmp_path)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_told_with_the_command_that_installs_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'{package}.*pip install "hfattnlstm\[onnx\]"'):
        export_onnx(random_model(), tmp_path)


def test_a_version_that_onnx_runtime_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "_export", lambda *_: onnx.ModelProto())
    with pytest.raises(ValueError, match="does not run opset 21: choose a lower one"):
        export_onnx(random_model(), tmp_path, opset=21)
