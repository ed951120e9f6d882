"""Save, push and load again, over generations, in processes that have the package and in processes that have not."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    pipeline,
)

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification
from loopback_hub import LoopbackHub, run_python
from shipped_files import BACKBONE, CLASSIFIER


TASK = "attention-text-classification"
LABELS = {0: "negative", 1: "neutral", 2: "positive"}
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "not", "so", "good", "under", "##stand", "##able", "bad", "##ly"]
CODE = {f"{name}.py" for name in CLASSIFIER}
REPOSITORY = CODE | {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}

# Put before everything else in the processes without the package.
NO_PACKAGE = """
import sys
sys.modules["hfattnlstm"] = None
"""

REFUSED = """
import os
sys.stdin = open(os.devnull)
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, pipeline

calls = [
    lambda: AutoConfig.from_pretrained("first"),
    lambda: AutoConfig.from_pretrained("first", trust_remote_code=False),
    lambda: AutoModel.from_pretrained("first", trust_remote_code=False),
    lambda: AutoModelForSequenceClassification.from_pretrained("first", trust_remote_code=False),
    lambda: pipeline("text-classification", model="first", trust_remote_code=False),
    lambda: pipeline("attention-text-classification", model="first", trust_remote_code=False),
]
refusals = []
for call in calls:
    try:
        refusals.append(f"loaded {call()}")
    except ValueError as error:
        refusals.append(str(error))
sys.stdin.close()
ran = [name for name in sys.modules if name.startswith("transformers_modules")]
"""

# Without the package: refused without trust, loaded with it, and saved and pushed once more from there.
SECOND = """
import shutil
first = measure("first", trust_remote_code=True)
AutoModelForSequenceClassification.from_pretrained("first", trust_remote_code=True).save_pretrained("second")
AutoTokenizer.from_pretrained("first", trust_remote_code=True).save_pretrained("second")
AutoModel.from_pretrained("first", trust_remote_code=True).save_pretrained("backbone")
pipeline(TASK, model="first", trust_remote_code=True).save_pretrained("second-pipeline")
shutil.rmtree("first")

model = AutoModelForSequenceClassification.from_pretrained("tester/first", trust_remote_code=True)
model.push_to_hub("tester/second")
AutoTokenizer.from_pretrained("tester/first", trust_remote_code=True).push_to_hub("tester/second")
backbone = AutoModel.from_pretrained("backbone", trust_remote_code=True)
ids = AutoTokenizer.from_pretrained("second", trust_remote_code=True)(TEXTS[0], return_tensors="pt")
write({
    "refusals": refusals, "ran": ran, "first": first,
    "second": measure("second", trust_remote_code=True),
    "second-pipeline": measure("second-pipeline", trust_remote_code=True),
    "hub first": measure("tester/first", trust_remote_code=True),
    "hub second": measure("tester/second", trust_remote_code=True),
    "backbone": backbone(**ids).pooler_output[0].tolist(),
})
"""

# Without the package and without any cache of the process before.
THIRD = """
pipe = pipeline(TASK, model="second-pipeline", trust_remote_code=True)
pipe.save_pretrained("third")
write({
    "second": measure("second", trust_remote_code=True),
    "third": measure("third", trust_remote_code=True),
    "hub second": measure("tester/second", trust_remote_code=True),
})
"""

PUSH = """
import hfattnlstm
model = AutoModelForSequenceClassification.from_pretrained("first")
tokenizer = AutoTokenizer.from_pretrained("first")
model.push_to_hub("tester/first")
tokenizer.push_to_hub("tester/first")
pipeline(TASK, model="first").push_to_hub("tester/pipeline")
write({"hub first": measure("tester/first"), "hub pipeline": measure("tester/pipeline")})
"""

LOAD_SECOND = """
import hfattnlstm
write({
    "hub second": measure("tester/second"),
    "hub second, trusted": measure("tester/second", trust_remote_code=True),
})
"""

TEXTS = ["Not so good", "understandable", "", "badly " * 30]


def measure(source: str, **options: Any) -> dict[str, Any]:
    """What a checkpoint gives by every way to load it, and which package each class came from.

    The processes run this code, too, so it uses nothing but what `PRELUDE` imports.
    """
    config = AutoConfig.from_pretrained(source, **options)
    tokenizer = AutoTokenizer.from_pretrained(source, **options)
    backbone = AutoModel.from_pretrained(source, **options)
    model = AutoModelForSequenceClassification.from_pretrained(source, **options)
    stock = pipeline("text-classification", model=source, **options)
    attention = pipeline(TASK, model=source, **options)
    inputs = tokenizer(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        logits, pooled = model(**inputs).logits[0], backbone(**inputs).pooler_output[0]
    classes = [type(part) for part in (config, backbone, model, attention.model, attention)]
    return {
        "ids": inputs["input_ids"].tolist(),
        "logits": logits.tolist(),
        "pooled": pooled.tolist(),
        "labels": list(config.id2label.values()),
        "settings": [config.truncation, tokenizer.model_max_length],
        "stock": [stock(text, truncation=True, top_k=None) for text in TEXTS],
        "attention": [attention(text, top_k=None, per_head=True) for text in TEXTS],
        "classes": [part.__name__ for part in classes],
        "modules": sorted({part.__module__.split(".")[0] for part in classes}),
    }


PRELUDE = f"""
import json
from pathlib import Path
from typing import Any
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

TASK, TEXTS = {TASK!r}, {TEXTS!r}

def write(results):
    Path("results.json").write_text(json.dumps(results))

{inspect.getsource(measure)}
"""


def run(code: str, hub: LoopbackHub, folder: Path, home: str) -> dict[str, Any]:
    """Run code in `folder` with caches of its own under `home`, and return what it wrote."""
    environment = hub.environment(folder / home)
    run_python(code, {**environment, "HF_MODULES_CACHE": str(folder / home / "code")}, folder)
    return json.loads((folder / "results.json").read_text())


def make_model() -> AttnLSTMForSequenceClassification:
    torch.manual_seed(0)
    config = AttnLSTMConfig(
        vocab_size=12, embedding_size=8, hidden_size=12, pooler_num_heads=2, id2label=LABELS, truncation="head_tail"
    )
    model = AttnLSTMForSequenceClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
        model.get_input_embeddings().weight[0] = 0
    return model


def make_tokenizer() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    template = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=template)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16)


def assert_equal_results(actual: Any, expected: Any, path: str = "") -> None:
    """Equal, numbers to 1e-6; where the classes came from is not compared."""
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), path
        for key in expected.keys() - {"modules"}:
            assert_equal_results(actual[key], expected[key], f"{path}/{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), path
        for position, (one, other) in enumerate(zip(actual, expected)):
            assert_equal_results(one, other, f"{path}/{position}")
    else:
        wanted = pytest.approx(expected, abs=1e-6) if isinstance(expected, float) else expected
        assert actual == wanted, path


@dataclass
class Generations:
    """The results of every way to load, by process; `expected` are those of the model that was never saved."""

    folder: Path
    hub: LoopbackHub
    expected: dict[str, Any]
    pushed: dict[str, Any]
    second: dict[str, Any]
    third: dict[str, Any]
    last: dict[str, Any]


def expected_results() -> dict[str, Any]:
    model, tokenizer = make_model(), make_tokenizer()
    stock = pipeline("text-classification", model=model, tokenizer=tokenizer)
    attention = pipeline(TASK, model=model, tokenizer=tokenizer)
    inputs = tokenizer(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        outputs, pooled = model(**inputs), model.attnlstm(**inputs).pooler_output
    names = ["AttnLSTMConfig", "AttnLSTMModel", *["AttnLSTMForSequenceClassification"] * 2]
    return {
        "ids": [[2, 4, 5, 6, 3]],
        "logits": outputs.logits[0].tolist(),
        "pooled": pooled[0].tolist(),
        "labels": list(LABELS.values()),
        "settings": ["head_tail", 16],
        "stock": [stock(text, truncation=True, top_k=None) for text in TEXTS],
        "attention": [attention(text, top_k=None, per_head=True) for text in TEXTS],
        "classes": [*names, "AttnLSTMTextClassificationPipeline"],
    }


@pytest.fixture(scope="module")
def generations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generations]:
    folder = tmp_path_factory.mktemp("generations")
    make_model().save_pretrained(folder / "first")
    make_tokenizer().save_pretrained(folder / "first")
    with LoopbackHub() as hub:
        pushed = run(PRELUDE + PUSH, hub, folder, "a")
        # Refused before the prelude, so that nothing was loaded yet.
        second = run(NO_PACKAGE + REFUSED + PRELUDE + SECOND, hub, folder, "b")
        third = run(NO_PACKAGE + PRELUDE + THIRD, hub, folder, "c")
        last = run(PRELUDE + LOAD_SECOND, hub, folder, "d")
        yield Generations(folder, hub, expected_results(), pushed, second, third, last)
        assert [call for call in hub.calls if call.status >= 500] == []


def test_a_folder_loads_with_the_package_and_without_trust(tmp_path: Path) -> None:
    make_model().save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    found, expected = measure(str(tmp_path)), expected_results()
    assert found.pop("modules") == ["hfattnlstm"]
    assert_equal_results(found, expected)
    assert {path.name for path in tmp_path.iterdir()} == REPOSITORY
    # With trust, too, it is the code of the package that runs.
    assert measure(str(tmp_path), trust_remote_code=True)["modules"] == ["hfattnlstm"]


def test_a_saved_pipeline_loads_again_for_a_second_generation(tmp_path: Path) -> None:
    first = pipeline(TASK, model=make_model(), tokenizer=make_tokenizer())
    first.save_pretrained(tmp_path / "first")
    pipeline(TASK, model=str(tmp_path / "first")).save_pretrained(tmp_path / "second")
    second = pipeline(TASK, model=str(tmp_path / "second"))
    assert_equal_results(second(TEXTS, per_head=True), first(TEXTS, per_head=True))
    assert {path.name for path in (tmp_path / "second").iterdir()} == REPOSITORY


def test_saving_leaves_the_config_as_it_was_for_the_next_pipeline(tmp_path: Path) -> None:
    model = make_model()
    model.save_pretrained(tmp_path)
    assert "custom_pipelines" in json.loads((tmp_path / "config.json").read_text())
    assert not hasattr(model.config, "custom_pipelines")
    assert pipeline(TASK, model=model, tokenizer=make_tokenizer())("good")[0]["label"] in LABELS.values()


def test_without_package_and_trust_there_is_an_error_and_no_code_runs(generations: Generations) -> None:
    refusals = generations.second["refusals"]
    assert len(refusals) == 6
    assert all("contains custom code" in refusal and "trust_remote_code=True" in refusal for refusal in refusals)
    assert generations.second["ran"] == []


@pytest.mark.parametrize("source", ["hub first", "hub pipeline"])
def test_what_was_pushed_loads_by_name_with_the_package(generations: Generations, source: str) -> None:
    found = generations.pushed[source]
    assert found.pop("modules") == ["hfattnlstm"]
    assert_equal_results(found, generations.expected)


@pytest.mark.parametrize("source", ["first", "second", "second-pipeline", "hub first", "hub second"])
def test_everything_loads_without_the_package(generations: Generations, source: str) -> None:
    found = generations.second[source]
    assert found.pop("modules") == ["transformers_modules"]
    assert_equal_results(found, generations.expected)


def test_a_backbone_saved_without_the_package_loads_there(generations: Generations) -> None:
    assert_equal_results(generations.second["backbone"], generations.expected["pooled"])


@pytest.mark.parametrize("saved", ["with the package", "without the package"])
def test_a_backbone_carries_the_code_of_no_head(saved: str, generations: Generations, tmp_path: Path) -> None:
    folder = generations.folder / "backbone"
    if saved == "with the package":
        folder = tmp_path
        make_model().base_model.save_pretrained(folder)
    assert {path.stem for path in folder.glob("*.py")} == BACKBONE
    config = json.loads((folder / "config.json").read_text())
    assert set(config["auto_map"]) == {"AutoConfig", "AutoModel"}
    assert "custom_pipelines" not in config


@pytest.mark.parametrize("source", ["second", "third", "hub second"])
def test_another_process_without_the_package_needs_no_earlier_folder(generations: Generations, source: str) -> None:
    assert not (generations.folder / "first").exists()
    found = generations.third[source]
    assert found.pop("modules") == ["transformers_modules"]
    assert_equal_results(found, generations.expected)


@pytest.mark.parametrize("source", ["hub second", "hub second, trusted"])
def test_what_was_pushed_without_the_package_loads_with_it(generations: Generations, source: str) -> None:
    found = generations.last[source]
    assert found.pop("modules") == ["hfattnlstm"]
    assert_equal_results(found, generations.expected)


@pytest.mark.parametrize("generation", ["second", "second-pipeline", "third"])
def test_later_folders_load_with_the_package(generations: Generations, generation: str) -> None:
    found = measure(str(generations.folder / generation))
    assert found.pop("modules") == ["hfattnlstm"]
    assert_equal_results(found, generations.expected)


@pytest.mark.parametrize("generation", ["second", "second-pipeline", "third"])
def test_every_generation_has_the_same_files(generations: Generations, generation: str) -> None:
    assert {path.name for path in (generations.folder / generation).iterdir()} == REPOSITORY


def test_the_code_and_the_config_stay_the_same_over_the_generations(generations: Generations) -> None:
    first = generations.hub.files("tester/first")
    assert set(first) == REPOSITORY | {"README.md"}
    for repository in ("tester/second", "tester/pipeline"):
        files = generations.hub.files(repository)
        assert set(first) == set(files)
        assert all(files[name] == first[name] for name in CODE)
        assert json.loads(files["config.json"]) == json.loads(first["config.json"])
    third = json.loads((generations.folder / "third" / "config.json").read_text())
    assert third == json.loads(first["config.json"])
