from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopback_hub import LoopbackHub, run_python


REMOTE_CONFIG = """
from transformers import PretrainedConfig

class TinyConfig(PretrainedConfig):
    model_type = "tiny-remote"
    width: int = 3
    pad_token_id: int | None = None
"""

REMOTE_MODEL = """
import torch
from transformers import PreTrainedModel

from .configuration_tiny import TinyConfig

class TinyModel(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(config.width, 1)
        self.post_init()
"""

PUSH = """
import json
import torch
from huggingface_hub import ModelCard, ModelCardData
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, Trainer, TrainingArguments
)
from remote.configuration_tiny import TinyConfig
from remote.modeling_tiny import TinyModel

torch.manual_seed(0)
config = BertConfig(vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
config.id2label = {0: "bad", 1: "good"}
model = BertForSequenceClassification(config).eval()
words = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "a": 2, "fine": 3, "day": 4}, unk_token="[UNK]"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16
)
model.push_to_hub("tester/tiny")
tokenizer.push_to_hub("tester/tiny")
config.push_to_hub("tester/config")
card = ModelCardData(license="mit", pipeline_tag="text-classification", library_name="transformers")
ModelCard(f"---\\n{card.to_yaml()}\\n---\\n# Tiny").push_to_hub("tester/tiny")

arguments = TrainingArguments("trained", hub_model_id="tester/trained", report_to="none", use_cpu=True)
Trainer(model, arguments, processing_class=tokenizer).push_to_hub()

TinyConfig.register_for_auto_class()
TinyModel.register_for_auto_class("AutoModel")
TinyModel(TinyConfig()).push_to_hub("tester/remote")
print(json.dumps(model(**tokenizer("a fine day", return_tensors="pt")).logits[0].tolist()))
"""

LOAD = """
import json
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

config = AutoConfig.from_pretrained("tester/tiny")
model = AutoModelForSequenceClassification.from_pretrained("tester/tiny")
tokenizer = AutoTokenizer.from_pretrained("tester/tiny")
remote = AutoModel.from_pretrained("tester/remote", trust_remote_code=True)
print(json.dumps({
    "logits": model(**tokenizer("a fine day", return_tensors="pt")).logits[0].tolist(),
    "labels": list(config.id2label.values()),
    "predicted": pipeline(model="tester/tiny")("a fine day")[0]["label"],
    "remote": [type(remote).__module__.split(".")[0], tuple(remote.layer.weight.shape)],
}))
"""

CHANGE = """
import json
from pathlib import Path
from huggingface_hub import HfApi, snapshot_download

api = HfApi()
api.create_repo("tester/folder")
old = api.upload_folder(repo_id="tester/folder", folder_path="folder").oid
Path("folder/notes.txt").write_text("second")
Path("folder/gone.txt").unlink()
new = api.upload_folder(repo_id="tester/folder", folder_path="folder", delete_patterns="*.txt").oid
same = api.upload_folder(repo_id="tester/folder", folder_path="folder").oid
api.create_branch("tester/folder", branch="draft", revision=old)
api.upload_file(repo_id="tester/folder", path_or_fileobj=b"draft", path_in_repo="notes.txt", revision="draft")

def read(revision):
    folder = Path(snapshot_download("tester/folder", revision=revision))
    return {p.relative_to(folder).as_posix(): p.read_bytes().hex() for p in folder.rglob("*") if p.is_file()}

print(json.dumps({
    "old": read(old), "main": read("main"), "draft": read("draft"), "commits": [old, new, same],
    "sha": api.model_info("tester/folder").sha,
    "top": sorted(entry.path for entry in api.list_repo_tree("tester/folder")),
    "all": sorted(entry.path for entry in api.list_repo_tree("tester/folder", recursive=True)),
}))
"""

REFUSALS = """
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

api = HfApi()
api.create_repo("tester/kept")
api.upload_file(repo_id="tester/kept", path_or_fileobj=b"kept", path_in_repo="a.txt")

def refusal(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__} {error.response.status_code}"

upload = {"path_or_fileobj": b"lost", "path_in_repo": "a.txt"}
print(*[
    refusal(hf_hub_download, "tester/missing", "config.json"),
    refusal(snapshot_download, "missing"),
    refusal(api.upload_file, repo_id="tester/missing", **upload),
    refusal(hf_hub_download, "tester/kept", "a.txt", revision="nowhere"),
    refusal(hf_hub_download, "tester/kept", "b.txt"),
    refusal(api.create_repo, "tester/kept"),
    refusal(api.upload_file, repo_id="tester/kept", token="hf_stranger", **upload),
    refusal(api.upload_file, repo_id="tester/kept", parent_commit="0" * 40, **upload),
    refusal(api.delete_file, "b.txt", "tester/kept"),
    refusal(HfApi(token="hf_stranger").whoami),
    api.whoami()["name"],
], sep="\\n")
"""

SPACE = """
from pathlib import Path
from huggingface_hub import HfApi, hf_hub_download

api = HfApi()
url = api.create_repo("demo", repo_type="space", space_sdk="gradio")
api.upload_file(repo_id=url.repo_id, repo_type="space", path_or_fileobj=b"demo", path_in_repo="app.py")
print(url.repo_id, Path(hf_hub_download(url.repo_id, "app.py", repo_type="space")).read_text())
"""


@dataclass
class Pushed:
    hub: LoopbackHub
    logits: list[float]


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub
    assert [call for call in hub.calls if call.status >= 500] == []


@pytest.fixture(scope="module")
def pushed(hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Pushed:
    folder = tmp_path_factory.mktemp("push")
    (folder / "remote").mkdir()
    (folder / "remote" / "__init__.py").touch()
    (folder / "remote" / "configuration_tiny.py").write_text(REMOTE_CONFIG)
    (folder / "remote" / "modeling_tiny.py").write_text(REMOTE_MODEL)
    return Pushed(hub, json.loads(run_python(PUSH, hub.environment(folder / "home"), folder).splitlines()[-1]))


def test_push_to_hub_stores_every_file_and_keeps_those_of_an_earlier_push(pushed: Pushed) -> None:
    files = pushed.hub.files("tester/tiny")
    assert {"config.json", "model.safetensors", "README.md", "tokenizer.json", "tokenizer_config.json"} <= set(files)
    assert json.loads(files["config.json"])["hidden_size"] == 8
    assert files["README.md"].endswith(b"# Tiny") and b"license: mit" in files["README.md"]
    assert set(pushed.hub.files("tester/config")) == {"README.md", "config.json"}
    assert {"model.safetensors", "training_args.bin", "README.md"} <= set(pushed.hub.files("tester/trained"))


def test_another_process_loads_what_was_pushed(pushed: Pushed, tmp_path: Path) -> None:
    loaded = json.loads(run_python(LOAD, pushed.hub.environment(tmp_path / "home"), tmp_path).splitlines()[-1])
    assert loaded["logits"] == pytest.approx(pushed.logits, abs=1e-6)
    assert loaded["labels"] == ["bad", "good"]
    assert loaded["predicted"] == ("good" if pushed.logits[1] > pushed.logits[0] else "bad")
    assert loaded["remote"] == ["transformers_modules", [1, 3]]


def test_a_second_commit_changes_one_file_and_keeps_the_others(hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    first = {"notes.txt": b"first", "gone.txt": b"gone", "deep/weights.bin": bytes(1000)}
    for path, content in first.items():
        (tmp_path / "folder" / path).write_bytes(content)
    seen = json.loads(run_python(CHANGE, hub.environment(tmp_path / "home"), tmp_path))

    second = {"notes.txt": b"second", "deep/weights.bin": bytes(1000)}
    contents = {"old": first, "main": second, "draft": {**first, "notes.txt": b"draft"}}
    for revision, files in contents.items():
        assert seen[revision] == {path: content.hex() for path, content in files.items()}
    old, new, same = seen["commits"]
    assert old != new == same == seen["sha"]
    assert seen["top"] == ["deep", "notes.txt"]
    assert seen["all"] == ["deep", "deep/weights.bin", "notes.txt"]
    assert hub.files("tester/folder") == second
    assert hub.files("tester/folder", revision=old) == first
    weights = f"/lfs/{hashlib.sha256(second['deep/weights.bin']).hexdigest()}"
    assert [call.method for call in hub.calls if call.path == weights] == ["PUT"]


def test_the_client_sees_the_errors_of_the_hub(hub: LoopbackHub, tmp_path: Path) -> None:
    seen = run_python(REFUSALS, hub.environment(tmp_path / "home"), tmp_path).splitlines()
    assert seen == [
        "RepositoryNotFoundError 404",
        "RepositoryNotFoundError 404",
        "RepositoryNotFoundError 404",
        "RevisionNotFoundError 404",
        "RemoteEntryNotFoundError 404",
        "HfHubHTTPError 409",
        "HfHubHTTPError 401",
        "HfHubHTTPError 412",
        "RemoteEntryNotFoundError 404",
        "HfHubHTTPError 401",
        "tester",
    ]
    assert hub.files("tester/kept") == {"a.txt": b"kept"}


def test_a_space_is_not_a_model_of_the_same_name(hub: LoopbackHub, tmp_path: Path) -> None:
    assert run_python(SPACE, hub.environment(tmp_path / "home"), tmp_path).split() == ["tester/demo", "demo"]
    assert hub.files("tester/demo", repo_type="space") == {"app.py": b"demo"}
    with pytest.raises(KeyError, match="model tester/demo"):
        hub.files("tester/demo")


def test_run_python_raises_with_the_stderr_of_the_process(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="UserWarning: careful"):
        run_python("import warnings; warnings.warn('careful')", {}, tmp_path)
