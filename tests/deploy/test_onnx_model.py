"""The exported file in place of the model: in calls and in pipelines."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from transformers import PreTrainedModel, TextClassificationPipeline, pipeline
from transformers.pipelines import base

import hfattnlstm
from deploy_helpers import LABELS, TEXTS, padded_batches, random_model, torch_outputs, word_tokenizer
from hfattnlstm import OnnxAttnLSTMForSequenceClassification
from hfattnlstm.deploy import OnnxExport, export_onnx, find_onnx_file, is_onnx, onnx_pipeline, open_session


ATTENTION, STOCK = "attention-text-classification", "text-classification"
LONG = " ".join(["good", "bad", "not"] * 20)


@pytest.fixture
def exported(float32: OnnxExport) -> OnnxAttnLSTMForSequenceClassification:
    return OnnxAttnLSTMForSequenceClassification.from_pretrained(float32.path)


@pytest.fixture
def copied(float32: OnnxExport, tmp_path: Path) -> Path:
    """A folder of an export that a test may damage."""
    return Path(shutil.copytree(float32.path.parent, tmp_path / "copied"))


def assert_same_results(first: Any, second: Any) -> None:
    """Equal, but for numbers, which may differ by 1e-5."""
    if isinstance(first, float):
        assert first == pytest.approx(second, abs=1e-5)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same_results(first[key], second[key])
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second):
            assert_same_results(one, other)
    else:
        assert first == second


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (ATTENTION, {}),
        (ATTENTION, {"level": "token", "per_head": True, "top_k": None, "batch_size": 3, "truncation": "tail"}),
        (STOCK, {"truncation": True, "padding": True}),
        (STOCK, {"truncation": True, "padding": True, "top_k": None, "batch_size": 4}),
        (STOCK, {"truncation": True, "padding": True, "function_to_apply": "none"}),
    ],
)
def test_pipelines_give_the_results_of_the_model(
    task: str,
    options: dict[str, Any],
    model: PreTrainedModel,
    exported: OnnxAttnLSTMForSequenceClassification,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(message: str, *_: Any) -> None:
        raise AssertionError(message)

    # Where a pipeline does not know a model's class, it prints an error.
    monkeypatch.setattr(base.logger, "error", refuse)
    texts = [*TEXTS[:6], LONG]
    expected, found = (
        pipeline(task, model=one, tokenizer=word_tokenizer())(texts, **options) for one in (model, exported)
    )
    assert_same_results(found, expected)
    single, other = (pipeline(task, model=one, tokenizer=word_tokenizer())("good") for one in (exported, model))
    assert_same_results(single, other)


@pytest.mark.parametrize("parameters", [{}, {"threshold": 0.2}, {"threshold": [0.9, 0.1, 0.5]}, {"top_k": 2}])
def test_all_labels_above_the_threshold(parameters: dict[str, Any], tmp_path: Path) -> None:
    decided = {"threshold": [0.4, 0.5, 0.3], "calibration_temperature": 3.0}
    model = random_model(id2label=LABELS, problem_type="multi_label_classification", **decided)
    export_onnx(model, tmp_path, tokenizer=word_tokenizer())
    exported, original = onnx_pipeline(tmp_path), pipeline(ATTENTION, model=model, tokenizer=word_tokenizer())
    found = exported(TEXTS[:6], **parameters)
    assert all(isinstance(result, list) for result in found)
    assert_same_results(found, original(TEXTS[:6], **parameters))
    assert_same_results(exported("good", **parameters), original("good", **parameters))
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        exported("good", threshold=2)


@pytest.mark.parametrize("pooling", ["attention", "max"])
def test_its_pipelines_are_calibrated_as_the_file_is(pooling: str, tmp_path: Path) -> None:
    model = random_model(id2label=LABELS, classifier_pooling=pooling, calibration_temperature=3.0)
    file = export_onnx(model, tmp_path, tokenizer=word_tokenizer()).path
    ids = word_tokenizer()("not a good film")["input_ids"]
    inputs = {"input_ids": [ids], "attention_mask": [[1] * len(ids)]}
    (probabilities,) = open_session(file).run(["probabilities"], inputs)[0].tolist()
    tasks = [None, STOCK, ATTENTION] if pooling == "attention" else [None, STOCK]
    for task in tasks:
        scores = onnx_pipeline(file, task=task)("not a good film", top_k=None)
        found = {entry["label"]: entry["score"] for entry in scores}
        assert found == pytest.approx(dict(zip(LABELS.values(), probabilities)), abs=1e-6)
    own = {"pipeline_class": TextClassificationPipeline}
    assert max(probabilities) < onnx_pipeline(file, task=STOCK, **own)("not a good film")[0]["score"] - 0.02


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_one_call_makes_a_pipeline_of_a_folder_or_a_file(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind).path
    classifiers = [onnx_pipeline(path.parent), onnx_pipeline(str(path), num_threads=1)]
    assert [classifier.task for classifier in classifiers] == [ATTENTION] * 2
    (first,), (second,) = (classifier("not a good film") for classifier in classifiers)
    assert_same_results(first, second)
    assert [entry["text"] for entry in first["attention"]] == ["not", "a", "good", "film"]
    assert onnx_pipeline(path, task=STOCK)("good")[0].keys() == {"label", "score"}


def test_calls_give_the_outputs_of_the_model(
    model: PreTrainedModel, exported: OnnxAttnLSTMForSequenceClassification
) -> None:
    for batch in padded_batches():
        for mask in (batch["attention_mask"], batch["attention_mask"].bool(), batch["attention_mask"].float(), None):
            inputs = {"input_ids": batch["input_ids"], "attention_mask": mask}
            outputs = exported(**inputs, output_attentions=True, use_cache=False)
            logits, weights, _ = torch_outputs(model, inputs)
            torch.testing.assert_close(outputs.logits, logits, rtol=0, atol=1e-5)
            torch.testing.assert_close(outputs.attentions[-1].squeeze(2), weights, rtol=0, atol=1e-5)
    assert exported(batch["input_ids"]).attentions is None
    nothing = torch.zeros(2, 0)
    torch.testing.assert_close(exported(nothing).logits, torch_outputs(model, {"input_ids": nothing})[0])


def test_one_model_serves_several_threads(exported: OnnxAttnLSTMForSequenceClassification) -> None:
    batches = list(padded_batches()) * 3
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: exported(**batch).logits, batches))
    for batch, logits in zip(batches, together):
        torch.testing.assert_close(logits, exported(**batch).logits, rtol=0, atol=0)


def test_the_number_of_threads_is_torch_s_unless_it_is_given(
    float32: OnnxExport, exported: OnnxAttnLSTMForSequenceClassification, monkeypatch: pytest.MonkeyPatch
) -> None:
    def threads(model: OnnxAttnLSTMForSequenceClassification) -> int:
        return model._session().get_session_options().intra_op_num_threads

    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert threads(exported) == 3
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert threads(exported) == 2
    assert threads(OnnxAttnLSTMForSequenceClassification.from_pretrained(float32.path, num_threads=4)) == 4
    with pytest.raises(ValueError, match="num_threads must be at least 1"):
        open_session(float32.path, 0)


def test_waiting_threads_leave_the_cores_to_others(float32: OnnxExport) -> None:
    options = open_session(float32.path).get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_what_pipelines_do_with_a_model(exported: OnnxAttnLSTMForSequenceClassification, tmp_path: Path) -> None:
    assert exported.to("cuda") is exported and exported.to(torch.float32) is exported
    assert copy.deepcopy(exported) is exported and exported.eval() is exported
    with pytest.raises(ValueError, match="no other dtype"):
        exported.to(dtype=torch.bfloat16)
    pipeline(ATTENTION, model=exported, tokenizer=word_tokenizer()).save_pretrained(str(tmp_path / "saved"))
    assert_same_results(onnx_pipeline(tmp_path / "saved")(TEXTS), onnx_pipeline(exported.path, num_threads=1)(TEXTS))


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "Give input_ids"),
        ({"input_ids": torch.ones(3)}, "must have 2 dimensions"),
        ({"input_ids": torch.ones(2, 3), "attention_mask": torch.ones(2, 4)}, "they must be equal"),
        ({"input_ids": torch.tensor([[1, 30]])}, "input_ids holds 30, but the embedding has 30 rows"),
        ({"input_ids": torch.tensor([[1, -1]])}, "input_ids holds -1"),
        ({"input_ids": torch.tensor([[1.5, 2.0]])}, "input_ids must be whole numbers, got torch.float32"),
        ({"input_ids": torch.ones(2, 3), "labels": torch.ones(2)}, "takes no labels"),
        ({"inputs_embeds": torch.ones(2, 3, 8)}, "takes no inputs_embeds"),
    ],
)
def test_wrong_inputs(
    inputs: dict[str, torch.Tensor], sentence: str, exported: OnnxAttnLSTMForSequenceClassification
) -> None:
    with pytest.raises(ValueError, match=sentence):
        exported(**inputs)


def test_damaged_and_missing_files(copied: Path, tmp_path: Path) -> None:
    load = OnnxAttnLSTMForSequenceClassification.from_pretrained
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"has no \.onnx file"):
        load(tmp_path)
    path = copied / "model.onnx"
    content = path.read_bytes()
    for damaged in (b"", b"no model", content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"cannot load .*model\.onnx, which is damaged") as caught:
            load(copied)
        assert "\n" not in str(caught.value)
    path.write_bytes(content)
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"classifier_pooling": "max", "pooler_num_heads": 1}))
    with pytest.raises(ValueError, match="belongs to another model"):
        load(copied)
    (copied / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no config\.json beside"):
        load(copied)


def test_a_foreign_file_is_refused(copied: Path) -> None:
    value = onnx.helper.make_tensor_value_info("value", onnx.TensorProto.FLOAT, [1])
    result = onnx.helper.make_tensor_value_info("result", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Tanh", ["value"], ["result"])
    foreign = onnx.helper.make_model(
        onnx.helper.make_graph([node], "foreign", [value], [result]),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.save(foreign, copied / "model.onnx")
    with pytest.raises(ValueError, match=r"is from elsewhere: give a file that hfattnlstm\.deploy\.export_onnx"):
        onnx_pipeline(copied)


def test_a_pipeline_needs_a_tokenizer(copied: Path) -> None:
    (copied / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="give tokenizer="):
        onnx_pipeline(copied)
    assert onnx_pipeline(copied, tokenizer=word_tokenizer())("good")


def test_which_file_of_a_folder(float32: OnnxExport, checkpoint: Path, tmp_path: Path) -> None:
    assert is_onnx(float32.path.parent) and is_onnx(str(float32.path))
    assert not is_onnx(checkpoint) and not is_onnx("some/name")
    assert is_onnx("some/NAME.ONNX")
    (tmp_path / "other.onnx").write_text("")
    assert find_onnx_file(tmp_path).name == "other.onnx"
    (tmp_path / "another.onnx").write_text("")
    with pytest.raises(ValueError, match="name one"):
        find_onnx_file(tmp_path)
    (tmp_path / "model.onnx").write_text("")
    assert find_onnx_file(tmp_path).name == "model.onnx"


def test_without_onnx_runtime(float32: OnnxExport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "hfattnlstm\[onnx\]"'):
        onnx_pipeline(float32.path)


def test_public_names() -> None:
    assert hfattnlstm.export_onnx is hfattnlstm.deploy.export_onnx
    assert {"export_onnx", "OnnxAttnLSTMForSequenceClassification"} <= set(dir(hfattnlstm))


def test_a_tokenizer_of_a_later_export_is_refused(float32: OnnxExport, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(float32.path.parent, tmp_path / "onnx"))
    tokens = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokens["model"]["vocab"] = {word: (index + 1) % 11 for word, index in tokens["model"]["vocab"].items()}
    for token in tokens["added_tokens"]:
        token["id"] = tokens["model"]["vocab"][token["content"]]
    (folder / "tokenizer.json").write_text(json.dumps(tokens), encoding="utf-8")
    with pytest.raises(ValueError, match="is not the one that the file was exported with"):
        onnx_pipeline(folder)


def test_a_pipeline_can_be_pickled(float32: OnnxExport) -> None:
    classifier = onnx_pipeline(float32.path)
    copied = pickle.loads(pickle.dumps(classifier))
    assert copied("a good film") == classifier("a good film")
