"""What an import costs, what is registered after it in any order, and which modules may import which."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hfattnlstm
from hfattnlstm._heads import (
    ATTENTION_IMAGE_TEXT_CLASSIFICATION,
    ATTENTION_TEXT_CLASSIFICATION,
    ATTENTION_TOKEN_CLASSIFICATION,
    HEADS,
    Head,
)
from loopback_hub import run_python
from shipped_files import CLASSIFIER, SHIPPED


PACKAGE = Path(hfattnlstm.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MODELING = [path for path in FILES if path.parent.name == "modeling"]
# Folders of the package that the files of a folder may import from, beside their own.
MAY_IMPORT = {
    "modeling": set(),
    "data": {"modeling"},
    "training": {"modeling", "data"},
    "deploy": {"modeling", "data"},
    "explain": {"modeling", "data"},
    "commands": {"modeling", "data", "training", "deploy", "explain"},
}
# Files beside the folders, which cost nothing to import and import nothing but each other.
LEAVES = {"_errors", "_extras", "_files", "_heads", "_parsing", "_places", "_released", "_version", "_wording"}
MODELING_NEEDS = {"huggingface_hub", "safetensors", "numpy", "tokenizers", "torch", "transformers", "PIL"}
MAX_LINES = 500

HEAVY = ["torch", "transformers", "numpy", "tokenizers", "datasets", "huggingface_hub", "safetensors", "sklearn"]
LIGHT_IMPORT = f"""
import sys
import hfattnlstm
hfattnlstm.__version__, dir(hfattnlstm), hfattnlstm.__all__
print([name for name in {HEAVY} if name in sys.modules])
"""

LISTEN = """
import logging
class Listener(logging.Handler):
    heard = []
    def emit(self, record):
        self.heard.append(record.getMessage())
logging.getLogger("transformers").addHandler(Listener())
"""
ORDERS = {
    "the package first": "import hfattnlstm",
    "transformers and its Auto classes first": (
        "import transformers\nfrom transformers import AutoModel, pipeline\nimport hfattnlstm"
    ),
    "transformers.modeling_layers": "import hfattnlstm\nimport transformers.modeling_layers",
    "a model of transformers": "import hfattnlstm\nfrom transformers.models.bert import modeling_bert",
    "the models' module": "import hfattnlstm.modeling.modeling_attnlstm",
}
MORE_ORDERS = ("transformers and its Auto classes first", "the models' module")
CHECK = f"""
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification
from transformers import AutoModelForImageTextToText, AutoModelForSeq2SeqLM, AutoModelForVisualQuestionAnswering
from transformers.pipelines import PIPELINE_REGISTRY
import hfattnlstm

config = AutoConfig.for_model("attnlstm", vocab_size=9, embedding_size=4, hidden_size=4)
assert type(config) is hfattnlstm.AttnLSTMConfig
assert type(AutoModel.from_config(config)) is hfattnlstm.AttnLSTMModel
classifier = AutoModelForSequenceClassification.from_config(config)
assert type(classifier) is hfattnlstm.AttnLSTMForSequenceClassification
task = PIPELINE_REGISTRY.check_task("{ATTENTION_TEXT_CLASSIFICATION}")[1]
assert task["impl"] is hfattnlstm.AttnLSTMTextClassificationPipeline
assert task["pt"] == (AutoModelForSequenceClassification,)
tagger = AutoModelForTokenClassification.from_config(config)
assert type(tagger) is hfattnlstm.AttnLSTMForTokenClassification
task = PIPELINE_REGISTRY.check_task("{ATTENTION_TOKEN_CLASSIFICATION}")[1]
assert task["impl"] is hfattnlstm.AttnLSTMTokenClassificationPipeline
assert task["pt"] == (AutoModelForTokenClassification,)
of_pictures = AutoModelForVisualQuestionAnswering.from_config(config)
assert type(of_pictures) is hfattnlstm.AttnLSTMForImageTextClassification
task = PIPELINE_REGISTRY.check_task("{ATTENTION_IMAGE_TEXT_CLASSIFICATION}")[1]
assert task["impl"] is hfattnlstm.AttnLSTMImageTextClassificationPipeline and task["type"] == "multimodal"
config = AutoConfig.for_model("attnlstm_seq2seq", vocab_size=9, embedding_size=4, hidden_size=4, image_feature_size=4)
captioner = AutoModelForImageTextToText.from_config(config)
assert type(captioner) is hfattnlstm.AttnLSTMForImageCaptioning
config = AutoConfig.for_model("attnlstm_seq2seq", vocab_size=9, embedding_size=4, hidden_size=4)
assert type(AutoModelForSeq2SeqLM.from_config(config)) is hfattnlstm.AttnLSTMForConditionalGeneration
task = PIPELINE_REGISTRY.check_task("attention-text2text")[1]
assert task["impl"] is hfattnlstm.AttnLSTMText2TextPipeline and task["pt"] == (AutoModelForSeq2SeqLM,)
print(Listener.heard)
"""


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute module and level of every import in a file, those in functions too."""
    package = ["hfattnlstm", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # What `from . import x` names is a module, too.
            names = [f".{alias.name}" for alias in node.names] if node.module is None else [""]
            yield from ((module + name, node.level) for name in names)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def folder_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def test_importing_the_package_imports_no_library(tmp_path: Path) -> None:
    assert run_python(LIGHT_IMPORT, {}, tmp_path).strip() == "[]"


# A process takes seconds; the others are run by `make test-long`.
@pytest.mark.parametrize(
    "order",
    [
        pytest.param(code, id=name, marks=pytest.mark.long if name in MORE_ORDERS else ())
        for name, code in ORDERS.items()
    ],
)
def test_everything_is_registered_once_in_any_order_of_imports(order: str, tmp_path: Path) -> None:
    assert run_python(f"{LISTEN}\n{order}\n{CHECK}", {"HF_HUB_OFFLINE": "1"}, tmp_path).strip() == "[]"


@pytest.mark.parametrize("name", hfattnlstm.__all__)
def test_every_public_name_resolves_and_is_listed(name: str) -> None:
    value = getattr(hfattnlstm, name)
    assert name in dir(hfattnlstm)
    assert isinstance(value, str) if name == "__version__" else value.__name__ == name


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'hfattnlstm' has no attribute 'AttnLSTM'"):
        _ = hfattnlstm.AttnLSTM
    with pytest.raises(ImportError, match="cannot import name 'AttnLSTM'"):
        exec("from hfattnlstm import AttnLSTM")
    assert not hasattr(hfattnlstm, "torch")


def test_type_checkers_see_the_same_names_in_the_same_places() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in guarded.body for alias in node.names}
    assert seen == hfattnlstm._HOME
    assert sorted([*seen, "__version__"]) == sorted(hfattnlstm.__all__)


def test_every_folder_is_known() -> None:
    assert {folder_of(path) for path in FILES if path.parent != PACKAGE} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", [path for path in FILES if path.parent != PACKAGE], ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    folder = folder_of(path)
    allowed = {folder, *MAY_IMPORT[folder], *(LEAVES if folder != "modeling" else ())}
    own = [module.split(".")[1:] for module, _ in imports_of(path) if module.split(".")[0] == "hfattnlstm"]
    assert [module for module in own if not module or module[0] not in allowed] == []


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_the_files_beside_the_folders_import_none_of_them(name: str) -> None:
    own = {module for module, _ in imports_of(PACKAGE / f"{name}.py") if module.split(".")[0] == "hfattnlstm"}
    assert own <= {f"hfattnlstm.{leaf}" for leaf in LEAVES}


def module_of(path: Path) -> str:
    return ".".join(["hfattnlstm", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")


def test_no_imports_run_in_a_circle() -> None:
    modules = {module_of(path): path for path in FILES}
    graph = {name: {module for module, _ in imports_of(path)} & set(modules) for name, path in modules.items()}
    # Named for type checkers, and never run there: the package's list of names, and a head's pipeline.
    del graph["hfattnlstm"]
    list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", MODELING, ids=name_of)
def test_what_ships_in_a_checkpoint_imports_siblings_and_few_libraries(path: Path) -> None:
    siblings = {f"hfattnlstm.modeling.{other.stem}" for other in MODELING}
    for module, level in imports_of(path):
        if level == 0:
            assert module.split(".")[0] in MODELING_NEEDS | set(sys.stdlib_module_names)
        else:
            assert level == 1 and module in siblings


def relative_names(path: Path) -> set[str]:
    """As transformers finds them when it copies the code of a model: by lines, in docstrings too."""
    found = re.findall(r"^\s*(?:from\s+\.(\S+)\s+import|import\s+\.(\S+))", path.read_text(encoding="utf-8"), re.M)
    return {first or second for first, second in found}


def closure_of(name: str) -> set[str]:
    """The files that a checkpoint gets with a model's file."""
    by_name = {path.stem: path for path in MODELING}
    reached, waiting = set(), {name}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= relative_names(by_name[name]) - reached
    return reached


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_a_checkpoint_gets_the_files_of_its_own_head(head: Head) -> None:
    assert closure_of(head.module) == SHIPPED[head.name]


def test_every_file_of_the_models_belongs_to_a_head() -> None:
    assert set.union(*SHIPPED.values()) == {path.stem for path in MODELING} - {"__init__"}


def test_the_code_of_a_classifier_stays_short_enough_to_be_read() -> None:
    lines = [len((PACKAGE / "modeling" / f"{name}.py").read_text("utf-8").splitlines()) for name in CLASSIFIER]
    assert sum(lines) < 6_650


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_a_checkpoint_names_the_pipeline_that_is_registered(head: Head) -> None:
    named = getattr(hfattnlstm, head.name).custom_pipelines
    if head.pipeline is None:
        assert named is None
    else:
        impl = f"{head.pipeline.module}.{head.pipeline.name}"
        assert named == {head.pipeline.task: {"impl": impl, "pt": [head.auto_class], "type": head.pipeline.type}}


# What is imported, and breaks off: at the first import of each module, with what a user or a full disk would raise.
BROKEN = """
import builtins, importlib.abc, sys
import hfattnlstm

class Breaks(importlib.abc.MetaPathFinder):
    def __init__(self, name, error):
        self.name, self.error = name, error

    def find_spec(self, fullname, path=None, target=None):
        if fullname == self.name:
            sys.meta_path.remove(self)
            raise self.error
        return None

def break_once(name, error, statement):
    sys.meta_path.insert(0, Breaks(name, error))
    try:
        exec(statement)
    except type(error):
        return
    raise AssertionError("the import was not interrupted")
"""
INTERRUPTED = {
    "our configuration": "break_once('hfattnlstm.modeling.configuration_attnlstm', KeyboardInterrupt(), "
    "'from transformers import AutoConfig; AutoConfig.from_pretrained')",
    "our models": "break_once('hfattnlstm.modeling.recurrence', MemoryError(), "
    "'from transformers import AutoModel; AutoModel.from_config')",
    "our head": "break_once('hfattnlstm.modeling.modeling_sequence_classification', KeyboardInterrupt(), "
    "'from transformers import AutoModelForSequenceClassification')",
    "our pipeline": "break_once('hfattnlstm.modeling.pipeline_text_classification', OSError(), "
    "'from transformers.pipelines import PIPELINE_REGISTRY')",
    "in the midst of transformers": "break_once('transformers.models.auto.auto_factory', KeyboardInterrupt(), "
    "'from transformers.models.auto import modeling_auto')",
    "what both need": "break_once('transformers.modeling_layers', KeyboardInterrupt(), "
    "'from transformers import AutoModelForSequenceClassification')",
}


# A process takes seconds; the others are run by `make test-long`.
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(code, id=name, marks=() if name == "our head" else pytest.mark.long)
        for name, code in INTERRUPTED.items()
    ],
)
def test_an_interrupted_import_is_made_up_for_by_the_next(statement: str, tmp_path: Path) -> None:
    found = run_python(f"{LISTEN}\n{BROKEN}\n{statement}\n{CHECK}", {"HF_HUB_OFFLINE": "1"}, tmp_path)
    assert found.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_docstring_can_be_written_down(path: Path) -> None:
    """Python 3.13 encodes them when it compiles a file, and stumbles over half of a surrogate pair."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, documented):
            (ast.get_docstring(node) or "").encode("utf-8")
