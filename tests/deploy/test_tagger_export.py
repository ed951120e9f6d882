"""Taggers, and classifiers that read characters, as ONNX files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast, pipeline

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMForTokenClassification
from hfattnlstm.commands.main import main
from hfattnlstm.data.word_tokenizer import spelling_tables, train_word_tokenizer
from hfattnlstm.deploy import OnnxExport, export_onnx, onnx_pipeline
from hfattnlstm.deploy.export_kinds import CLASSIFIER, TAGGER, kind_to_export
from hfattnlstm.deploy.graph import tagger_output_names
from hfattnlstm.deploy.onnx_check import TOLERANCE, largest_difference
from hfattnlstm.deploy.onnx_model import OnnxAttnLSTMForSequenceClassification, is_exported_tagger
from hfattnlstm.deploy.onnx_tagger import OnnxAttnLSTMForTokenClassification
from hfattnlstm.deploy.session import open_session
from hfattnlstm.modeling.spelling import WORD


# Of the exporter of torch, about itself.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:The tensor attributes"
)
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
WORDS = ["Anna", "Berg", "met", "Boris", "in", "Lima", ".", "and", "left"]
TEXTS = [
    "Anna Berg met Boris in Lima.",
    "",
    "Zoran left and Anna Nova met Ilse in Rome. Boris left.",
    "Lima",
    "met " * 30,
]
INPUTS: dict[str, Any] = {"token_inputs": ["word", "char_cnn", "char_lstm", "case"], "char_hidden_size": 6}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "crf, context": {
        "use_crf": True,
        "sentence_context": True,
        **INPUTS,
        "input_merge": "gated",
        "context_layers": ["transformer"],
        "num_attention_heads": 2,
    },
    "crf": {"use_crf": True, **INPUTS},
    "context": {"sentence_context": True, "pooler_num_heads": 2, "num_hidden_layers": 2, "classifier_hidden_size": 5},
    "crf, max": {"use_crf": True, "sentence_context": True, "classifier_pooling": ["max", "mean"]},
    "single tags": {"tagging_scheme": None, **INPUTS, "input_merge": "attention"},
}
# An export takes seconds: one of them has nearly all that the others have one by one.
FIRST = "crf, context"
EACH = [name if name == FIRST else pytest.param(name, marks=pytest.mark.long) for name in KINDS]


def tokenizer() -> PreTrainedTokenizerFast:
    return train_word_tokenizer([WORDS] * 2, model_max_length=16)


def randomised(model: Any) -> Any:
    """All parameters random, the CRF's too, so that none can be overlooked."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0
    return model.eval()


def made(model_class: type, **options: Any) -> Any:
    torch.manual_seed(0)
    own = tokenizer()
    tables = spelling_tables(own, 8)
    fields = {"embedding_size": 8, "hidden_size": 12, "num_characters": len(tables.kinds), "max_word_length": 8}
    config = AttnLSTMConfig(vocab_size=len(own), pad_token_id=own.pad_token_id, **fields | options)
    model = model_class(config)
    model.attnlstm.set_spelling(*(torch.from_numpy(table) for table in tables[:-1]))
    return randomised(model)


def tagger(**options: Any) -> AttnLSTMForTokenClassification:
    fields = {"id2label": dict(enumerate(TAGS)), "tagging_scheme": "bio"}
    return made(AttnLSTMForTokenClassification, **fields | options)


def saved(model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def padded_batches(vocab_size: int) -> Iterator[dict[str, torch.Tensor]]:
    """Padding on the right, on the left, in holes, and in place of a whole sentence."""
    generator = torch.Generator().manual_seed(1)
    for batch, length in ((1, 1), (5, 1), (4, 3), (6, 11)):
        positions, real = torch.arange(length), torch.randint(1, length + 1, (batch, 1), generator=generator)
        holes = torch.rand(batch, length, generator=generator) < 0.6
        empty = holes.clone()
        empty[0] = False
        for mask in (positions < real, positions >= length - real, holes, empty):
            ids = torch.randint(vocab_size, (batch, length), generator=generator)
            yield {"input_ids": ids, "attention_mask": mask.long()}


class Exports:
    """By name of the kind, the checkpoint and its file, made when somebody asks."""

    def __init__(self, folder: Path):
        self._folder, self._made = folder, {}

    def __getitem__(self, name: str) -> tuple[Path, OnnxExport]:
        if name not in self._made:
            checkpoint = saved(tagger(**KINDS[name]), self._folder / name / "model")
            self._made[name] = checkpoint, export_onnx(checkpoint, self._folder / name / "onnx")
        return self._made[name]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    return Exports(tmp_path_factory.mktemp("taggers"))


@pytest.mark.parametrize("name", EACH)
class TestEqual:
    """The file and the model that it was."""

    def test_logits_and_attention(self, name: str, exported: Exports) -> None:
        checkpoint, result = exported[name]
        assert result.largest_difference <= 1e-5
        model = AttnLSTMForTokenClassification.from_pretrained(checkpoint).eval()
        other = OnnxAttnLSTMForTokenClassification.from_pretrained(result.path)
        attends = model.config.sentence_context and "attention" in model.config.poolings
        words = 0
        for batch in padded_batches(model.config.vocab_size):
            with torch.no_grad():
                expected = model(**batch, output_attentions=attends)
                tagged = model.attnlstm.embeddings.words(batch["input_ids"], batch["attention_mask"].bool()).tagged
            found = other(**batch, output_attentions=attends)
            assert found.logits.shape == expected.logits.shape
            # What stands inside of a word has no tag of its own.
            torch.testing.assert_close(found.logits[tagged], expected.logits[tagged], atol=1e-5, rtol=1e-5)
            words += int(tagged.sum())
            assert (found.attentions is None) == (not attends)
            if attends:
                torch.testing.assert_close(found.attentions[0], expected.attentions[-1], atol=1e-5, rtol=1e-5)
            if model.crf is not None:
                one, two = other(**batch, n_best=3), model(**batch, n_best=3)
                assert one.sequences.equal(two.sequences)
                torch.testing.assert_close(one.sequences_scores, two.sequences_scores, atol=1e-4, rtol=1e-4)
        assert words > 20

    def test_pipelines(self, name: str, exported: Exports) -> None:
        checkpoint, result = exported[name]
        options = {"n_best": 2} if "crf" in name else {}
        ours = pipeline("attention-token-classification", model=str(checkpoint), device="cpu")(TEXTS, **options)
        theirs = onnx_pipeline(result.path.parent)(TEXTS, **options)
        assert sum(len(one["words"]) for one in theirs) > 40
        for one, two in zip(theirs, ours, strict=True):
            assert set(one) == set(two) and [w["tag"] for w in one["words"]] == [w["tag"] for w in two["words"]]
            assert [w["score"] for w in one["words"]] == pytest.approx([w["score"] for w in two["words"]], abs=1e-4)
            for first, second in zip(one["entities"], two["entities"], strict=True):
                assert first.pop("score") == pytest.approx(second.pop("score"), abs=1e-4) and first == second
            if options:
                tags = [[each["tags"] for each in found] for found in one["alternatives"]]
                assert tags == [[each["tags"] for each in found] for found in two["alternatives"]]

    def test_the_file_describes_itself(self, name: str, exported: Exports) -> None:
        _, result = exported[name]
        config = AttnLSTMConfig.from_pretrained(result.path.parent)
        proto = onnx.load(result.path)
        facts = {entry.key: entry.value for entry in proto.metadata_props}
        assert json.loads(facts["labels"]) == TAGS and facts.get("tagging_scheme") == config.tagging_scheme
        assert ("crf" in facts) == config.use_crf
        assert [output.name for output in proto.graph.output] == tagger_output_names(config)
        assert is_exported_tagger(result.path) and config.architectures == ["AttnLSTMForTokenClassification"]


@pytest.mark.long
def test_int8(exported: Exports, tmp_path: Path) -> None:
    checkpoint, exact = exported["crf"]
    result = export_onnx(checkpoint, tmp_path / "int8", int8=True)
    assert result.path.name == "model_int8.onnx" and result.agreement is None and result.warning is None
    assert result.num_bytes != exact.num_bytes
    found = onnx_pipeline(tmp_path / "int8")(TEXTS)
    ours = onnx_pipeline(exact.path)(TEXTS)
    equal = [
        one["tag"] == two["tag"]
        for pair in zip(found, ours, strict=True)
        for one, two in zip(*(e["words"] for e in pair))
    ]
    assert np.mean(equal) > 0.8


def test_check_texts_are_for_classifiers(
    exported: Exports, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, _ = exported["plain"]
    sentence = "check_texts count labels of texts, and the model tags words: leave them out."
    with pytest.raises(ValueError, match=sentence):
        export_onnx(checkpoint, tmp_path / "onnx", int8=True, check_texts=["a"])
    (tmp_path / "t.csv").write_text("text\na\n")
    capsys.readouterr()
    flags = ["--int8", "--check_texts", str(tmp_path / "t.csv"), "--output", str(tmp_path / "onnx")]
    assert main(["export", str(checkpoint), *flags]) == 2
    told = capsys.readouterr().err
    assert "check_texts count labels of texts" in told and told.count("\n") == 1 and not (tmp_path / "onnx").exists()


def test_commands_read_it(exported: Exports, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, result = exported["crf, context"]
    capsys.readouterr()
    shown = []
    for model in (checkpoint, result.path.parent, result.path):
        assert main(["predict", str(model), *TEXTS[:3]]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2] and shown[0].count("\n") == 3
    (tmp_path / "t.conll").write_text("Anna\tB-PER\nleft\tO\n")
    found = []
    for place, model in enumerate((checkpoint, result.path.parent)):
        output = tmp_path / f"{place}.json"
        assert main(["evaluate", str(model), str(tmp_path / "t.conll"), "--output", str(output)]) == 0
        found.append(json.loads(output.read_text())["scores"])
    assert found[0] == found[1]


@pytest.mark.long
def test_the_command_exports(exported: Exports, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, _ = exported["plain"]
    assert main(["export", str(checkpoint), "--output", str(tmp_path / "onnx")]) == 0
    assert "float32 differs from the model by at most" in capsys.readouterr().out
    assert is_exported_tagger(tmp_path / "onnx")


class TestRefused:
    """What does not belong together."""

    @pytest.mark.parametrize(("one", "other"), [("crf, context", "plain"), ("plain", "crf, context")])
    def test_the_configuration_of_another_model(self, one: str, other: str, exported: Exports, tmp_path: Path) -> None:
        shutil.copytree(exported[one][1].path.parent, tmp_path / "mixed")
        shutil.copy(exported[other][1].path.parent / "config.json", tmp_path / "mixed" / "config.json")
        with pytest.raises(ValueError, match="belongs to another model: export the model again"):
            OnnxAttnLSTMForTokenClassification.from_pretrained(tmp_path / "mixed")

    def test_a_crf_must_be_where_the_configuration_says(self, exported: Exports, tmp_path: Path) -> None:
        shutil.copytree(exported["plain"][1].path.parent, tmp_path / "mixed")
        config = AttnLSTMConfig.from_pretrained(tmp_path / "mixed")
        config.use_crf = True
        config.save_pretrained(tmp_path / "mixed")
        with pytest.raises(ValueError, match="belongs to another model: export the model again"):
            OnnxAttnLSTMForTokenClassification.from_pretrained(tmp_path / "mixed")

    def test_a_tagger_is_no_classifier(self, exported: Exports, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="belongs to another model"):
            OnnxAttnLSTMForSequenceClassification.from_pretrained(exported["plain"][1].path)
        (tmp_path / "model.onnx").touch()
        AttnLSTMConfig(architectures=["AttnLSTMForSequenceClassification"]).save_pretrained(tmp_path)
        assert not is_exported_tagger(tmp_path) and is_exported_tagger(exported["plain"][1].path.parent)

    def test_another_tokenizer(self, exported: Exports, tmp_path: Path) -> None:
        shutil.copytree(exported["plain"][1].path.parent, tmp_path / "mixed")
        train_word_tokenizer([["others"]] * 2).save_pretrained(tmp_path / "mixed")
        with pytest.raises(ValueError, match="is not the one that the file was exported with"):
            onnx_pipeline(tmp_path / "mixed")

    @pytest.mark.parametrize("name", ["labels", "inputs_embeds", "char_ids"])
    def test_what_it_does_not_take(self, name: str, exported: Exports) -> None:
        model = OnnxAttnLSTMForTokenClassification.from_pretrained(exported["plain"][1].path)
        with pytest.raises(ValueError, match=f"An exported model takes no {name}"):
            model(torch.ones(1, 2, dtype=torch.long), **{name: torch.zeros(1, 2)})

    def test_best_sequences_need_a_crf(self, exported: Exports) -> None:
        model = OnnxAttnLSTMForTokenClassification.from_pretrained(exported["plain"][1].path)
        with pytest.raises(ValueError, match="n_best is for models with a CRF, and this one tags each word by itself"):
            model(torch.ones(1, 2, dtype=torch.long), n_best=2)
        with pytest.raises(ValueError, match="n_best is for models with a CRF"):
            onnx_pipeline(exported["plain"][1].path)("Anna", n_best=2)

    def test_kinds(self) -> None:
        assert kind_to_export("attnlstm", ["AttnLSTMForTokenClassification"]) is TAGGER
        assert kind_to_export("attnlstm", None) is CLASSIFIER is kind_to_export("attnlstm", [])
        for kind, names in (("bert", None), ("attnlstm", ["AttnLSTMForPreTraining"])):
            with pytest.raises(TypeError, match="can be exported here"):
                kind_to_export(kind, names)

    def test_another_graph_is_noticed(self, exported: Exports) -> None:
        session = open_session(exported["crf, context"][1].path)
        model = tagger(**KINDS["crf, context"])
        assert largest_difference(session, model) <= TOLERANCE
        with torch.no_grad():
            next(model.classifier.parameters()).mul_(1.01)
        assert largest_difference(session, model) > TOLERANCE
        model = tagger(**KINDS["crf, context"])
        # Tokens that spell words on are no words then, and begin some.
        model.attnlstm.embeddings.spelling.roles.fill_(WORD)
        assert largest_difference(session, model) > TOLERANCE


def test_stock_pipelines_and_copies(exported: Exports, tmp_path: Path) -> None:
    checkpoint, result = exported["crf, context"]
    ours = pipeline("token-classification", model=str(checkpoint), device="cpu")(TEXTS[0])
    theirs = onnx_pipeline(result.path, task="token-classification")(TEXTS[0])
    assert [(each["word"], each["entity"]) for each in theirs] == [(each["word"], each["entity"]) for each in ours]
    model = OnnxAttnLSTMForTokenClassification.from_pretrained(result.path)
    model.save_pretrained(tmp_path / "copy")
    again = OnnxAttnLSTMForTokenClassification.from_pretrained(tmp_path / "copy")
    ids = torch.tensor([[5, 6, 7]])
    torch.testing.assert_close(again(ids).logits, model(ids).logits)
    assert not again.crf.transitions.requires_grad and again.check_trained() is None


class TestClassifier:
    """One that reads characters, with a tokenizer that spells what it does not know."""

    @pytest.fixture
    def checkpoint(self, tmp_path: Path) -> Path:
        options = {"id2label": {0: "neg", 1: "pos"}, "classifier_pooling": ["attention", "max"], **INPUTS}
        return saved(made(AttnLSTMForSequenceClassification, **options), tmp_path / "model")

    @pytest.mark.long
    def test_it_predicts_the_same(self, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["export", str(checkpoint), "--output", str(tmp_path / "onnx")]) == 0
        tokens = AutoTokenizer.from_pretrained(tmp_path / "onnx").tokenize("Anna Bera")
        assert tokens == ["Anna", "B", "##e", "##r", "##a"]
        capsys.readouterr()
        found = []
        for model in (checkpoint, tmp_path / "onnx"):
            assert main(["predict", str(model), *TEXTS, "--format", "json"]) == 0
            found.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
        for one, two in zip(*found, strict=True):
            assert one["label"] == two["label"] and one["score"] == pytest.approx(two["score"], abs=1e-5)
            weights = [[entry["weight"] for entry in each["attention"]] for each in (one, two)]
            assert weights[0] == pytest.approx(weights[1], abs=1e-5)
        assert len({round(each["score"], 4) for each in found[0]}) > 2

    @pytest.mark.long
    def test_int8_with_texts(self, checkpoint: Path, tmp_path: Path) -> None:
        result = export_onnx(checkpoint, tmp_path / "onnx", int8=True, check_texts=TEXTS)
        assert result.agreement.num_texts == len(TEXTS) and result.agreement.largest_difference < 0.5
