"""The examples in the docstrings, and the names and files that they take for granted."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import transformers
from datasets import Dataset

import hfattnlstm
from hfattnlstm import deploy, explain, training
from hfattnlstm.commands.predict import _parser
from hfattnlstm.data import scenes
from hfattnlstm.data.batching import SequenceCollator
from hfattnlstm.data.pair_rows import encode_pairs
from hfattnlstm.data.pairs import read_pairs
from hfattnlstm.data.picture_sets import save_picture_set
from hfattnlstm.data.series_windows import SeriesWindows
from hfattnlstm.data.tag_rows import encode_tags
from hfattnlstm.data.word_tokenizer import spelling_tables
from hfattnlstm.explain.scoring import TextScorer
from hfattnlstm.modeling.word_tokens import WordEncoder
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.seq2seq_arguments import Seq2SeqRunArguments


PACKAGE = Path(hfattnlstm.__file__).parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
THINGS = ("food", "service", "place", "soup", "bread", "coffee", "staff", "room", "tea", "view", "wine", "music")
WORDS = {
    "Great": "positive",
    "Slow": "negative",
    "Not bad at all, the": "positive",
    "Not great at all, the": "negative",
}
NUMBER = re.compile(r"\d[\d,]*(\.\d+)?(e[-+]\d+)?")
_OF_TRANSFORMERS = (
    "AutoConfig",
    "AutoModel",
    "EvalPrediction",
    "AutoTokenizer",
    "BertConfig",
    "Trainer",
    "TrainingArguments",
    "pipeline",
)


@dataclass(frozen=True)
class Docstring:
    """A docstring with examples: `name` is that of what it describes, `module` where that is defined."""

    module: str
    name: str
    text: str


class AnyNumber(doctest.OutputChecker):
    """Takes any number for any other: those of a training depend on the machine and on the versions."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(NUMBER.sub("#", want), NUMBER.sub("#", got), optionflags)


def docstrings(root: Path = PACKAGE) -> Iterator[Docstring]:
    """Every docstring of the package that has an example, in the order of the files."""
    for path in sorted(root.rglob("*.py")):
        module = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
        yield from _below(ast.parse(path.read_text("utf-8")), module, module)


def _below(node: ast.AST, module: str, name: str) -> Iterator[Docstring]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
        text = ast.get_docstring(node)
        if text and ">>>" in text:
            yield Docstring(module, name, text)
        for child in ast.iter_child_nodes(node):
            yield from _below(child, module, f"{name}.{getattr(child, 'name', '')}")


def run(docstring: Docstring, any_number: bool = False) -> str:
    """Run the examples of a docstring in the working directory.

    Returns:
        What doctest says of those that failed; nothing where all is well.
    """
    # A fence would be taken for expected output.
    text = re.sub(r"^ *```.*$", "", docstring.text, flags=re.MULTILINE)
    names = _namespace(docstring.module, text)
    test = doctest.DocTestParser().get_doctest(text, names, docstring.name, None, 0)
    assert test.examples, docstring.name
    said: list[str] = []
    runner = doctest.DocTestRunner(AnyNumber() if any_number else None, verbose=False, optionflags=OPTIONS)
    runner.run(test, out=said.append)
    return "".join(said)


def _namespace(module: str, text: str) -> dict[str, Any]:
    """The names of a module, those that a user has, and of the fixtures those that the examples speak of."""
    source = "".join(example.source for example in doctest.DocTestParser().get_examples(text))
    # The names of which the examples speak, but for those that they define.
    words = set(re.findall(r"\w+", source)) - set(re.findall(r"^ *(\w+) =", source, re.MULTILINE))
    names = {name: getattr(transformers, name) for name in _OF_TRANSFORMERS}
    names |= {"hfattnlstm": hfattnlstm, "torch": torch, "nn": torch.nn, "sys": sys}
    for public in (deploy, explain, training):
        names |= {name: getattr(public, name) for name in public.__all__}
    names |= {name: getattr(hfattnlstm, name) for name in hfattnlstm.__all__}
    own = {name: value for name, value in vars(importlib.import_module(module)).items() if not name.startswith("__")}
    fixtures = FIXTURES | OF_SERIES if re.search("forecast|time_series_prediction", module) else FIXTURES
    fixtures = (
        fixtures | OF_PAIRS
        if re.search("seq2seq|pair|text2text|text_generation|token_writing|predict_texts", module)
        else fixtures
    )
    fixtures = fixtures | OF_CAPTIONS if "caption_rows" in module else fixtures
    fixtures = fixtures | OF_CONTEXT if "context_maps(" in text else fixtures
    return {**names, **own, **{name: make() for name, make in fixtures.items() if name in words - set(own)}}


def _rows() -> list[tuple[str, str]]:
    return [
        (f"{word} {THINGS[(first + shift) % len(THINGS)]}", label)
        for first in range(len(THINGS))
        for shift, (word, label) in enumerate(WORDS.items())
    ]


def make_files(folder: Path) -> None:
    """The files that the examples name: `reviews.csv`, `my-model`, …"""
    rows = _rows()
    (folder / "reviews.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text, _ in rows))
    (folder / "recipe.yaml").write_text("train_file: reviews.csv\nhidden_size: 16\n")
    (folder / "glove.6B.300d.txt").write_text("".join(f"{word} {'0.5 ' * 7}0.5\n" for word in ("food", "not", "bad")))
    (folder / "stanfordnlp" / "imdb").mkdir(parents=True)
    shutil.copy(folder / "reviews.csv", folder / "stanfordnlp" / "imdb" / "train.csv")
    (folder / "imdb-model").mkdir()
    (folder / "out" / "checkpoint-120").mkdir(parents=True)
    for name in ("trainer_state.json", "optimizer.pt", "scheduler.pt"):
        (folder / "out" / "checkpoint-120" / name).write_text("{}")
    model, tokenizer = _learn(rows)
    for place in ("my-model", "out/checkpoint-120"):
        model.save_pretrained(folder / place)
        tokenizer.save_pretrained(folder / place)
    hfattnlstm.export_onnx(model, folder / "my-model-onnx", tokenizer=tokenizer)
    _make_tagger(folder)
    _make_series(folder)
    _make_scenes(folder)
    _make_translator(folder)
    _make_captioner(folder)


def _make_translator(folder: Path) -> None:
    """Pairs that the examples name, and a translator that knows them by heart."""
    pairs = [
        ("Ein Hund bellt.", "A dog barks."),
        ("Eine Katze miaut.", "A cat mews."),
        ("Ein Vogel singt.", "A bird sings."),
    ]
    (folder / "pairs.tsv").write_text("source\ttarget\n" + "".join(f"{one}\t{two}\n" for one, two in pairs * 10))
    tokenizer = hfattnlstm.train_pair_tokenizer(
        [text for pair in pairs for text in pair], kind="word", min_frequency=1
    )
    processor = hfattnlstm.PairProcessor(tokenizer)
    rows = encode_pairs(
        Dataset.from_dict({"source": [one for one, _ in pairs], "target": [two for _, two in pairs]}), processor
    )
    torch.manual_seed(0)
    dropouts = dict.fromkeys(("embedding_dropout", "hidden_dropout_prob", "readout_dropout", "label_smoothing"), 0)
    config = hfattnlstm.AttnLSTMSeq2SeqConfig(vocab_size=len(tokenizer), embedding_size=16, hidden_size=24, **dropouts)
    model = hfattnlstm.AttnLSTMForConditionalGeneration(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        model(**SequenceCollator(0)(list(rows))).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.generation_config.update(max_length=9, num_beams=2, suppress_tokens=[1])
    model.eval().save_pretrained(folder / "translator")
    processor.save_pretrained(folder / "translator")


def _make_tagger(folder: Path) -> None:
    """Sentences with tags that the examples name, and a tagger of them."""
    sentences = [(["In", place], ["O", "B-LOC"]) for place in ("Paris", "Rome", "Oslo")] * 8
    lines = "\n\n".join("\n".join(map("\t".join, zip(*sentence))) for sentence in sentences)
    for name in ("train.conll", "test.conll"):
        (folder / name).write_text(f"{lines}\n")
    torch.manual_seed(0)
    tokenizer = hfattnlstm.train_word_tokenizer([words for words, _ in sentences])
    spelling = spelling_tables(tokenizer, 24)
    names = ["O", "B-LOC", "I-LOC"]
    config = hfattnlstm.AttnLSTMConfig(
        vocab_size=len(tokenizer),
        embedding_size=8,
        hidden_size=16,
        id2label=dict(enumerate(names)),
        num_characters=len(spelling.kinds),
        tagging_scheme="bio",
        use_crf=True,
    )
    model = hfattnlstm.AttnLSTMForTokenClassification(config)
    model.attnlstm.set_spelling(*map(torch.from_numpy, spelling[:-1]))
    batch = SequenceCollator(0)(list(encode_tags(tagged_rows(sentences, names), WordEncoder(tokenizer))))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(30):
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(folder / "my-tagger")
    tokenizer.save_pretrained(folder / "my-tagger")
    hfattnlstm.export_onnx(model, folder / "my-tagger-onnx", tokenizer=tokenizer)


def tagged_rows(sentences: list[tuple[list[str], list[str]]], names: list[str]) -> Dataset:
    return Dataset.from_list(
        [{"tokens": words, "tags": [names.index(tag) for tag in tags]} for words, tags in sentences]
    )


def _make_series(folder: Path) -> None:
    """The series that the examples name, and a forecaster of them."""
    hours = np.arange(240)
    load, price = 5 + np.sin(hours * np.pi / 12), 2 + np.cos(hours * np.pi / 12)
    table = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=240, freq="h"), "load": load, "price": price})
    table.to_csv(folder / "power.csv", index=False)
    rows = [{"values": [[row % 3, 1.0], [0.5, row % 3]], "label": row % 3} for row in range(60)]
    (folder / "digits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    forecaster = hfattnlstm.Forecaster(horizon=24, output_dir=folder / "power-model", **SMALL)
    forecaster.fit(str(folder / "power.csv"))


def _make_scenes(folder: Path) -> None:
    """Pictures with statements that the examples name, a model that reads them, and a vision model; all random."""
    save_picture_set(
        {"train": scenes.examples(4, seed=1), "validation": scenes.examples(2, seed=2)}, folder / "scenes", 64
    )
    rows = hfattnlstm.load_image_texts(folder / "scenes")[0].splits["train"]
    rows[0]["image"].save(folder / "scene.png")
    tokenizer = hfattnlstm.train_tokenizer(rows["text"], kind="word")
    processor = hfattnlstm.ImageTextProcessor.fit(tokenizer, rows["image"][:4])
    torch.manual_seed(0)
    config = hfattnlstm.AttnLSTMConfig(
        vocab_size=len(tokenizer), embedding_size=8, hidden_size=16, image_conv_sizes=[4, 4, 8, 8]
    )
    model = hfattnlstm.AttnLSTMForImageTextClassification(config)
    vision, image_processor = vision_model()
    for name, parts in {"scenes-model": (model, processor), "my-vit": (vision, image_processor)}.items():
        for part in parts:
            part.save_pretrained(folder / name)


def _make_captioner(folder: Path) -> None:
    """A model with random weights that writes statements of the pictures."""
    images = hfattnlstm.load_image_texts(folder / "scenes")[0].splits["train"]["image"][:4]
    tokenizer = hfattnlstm.train_pair_tokenizer(["it is red", "it is blue"], kind="word", min_frequency=1)
    torch.manual_seed(0)
    config = hfattnlstm.AttnLSTMSeq2SeqConfig(
        vocab_size=len(tokenizer), embedding_size=8, hidden_size=12, image_conv_sizes=[4, 4, 8, 8]
    )
    model = hfattnlstm.AttnLSTMForImageCaptioning(config)
    model.generation_config.update(max_length=7, num_beams=2, suppress_tokens=[1])
    model.eval().save_pretrained(folder / "captioner")
    hfattnlstm.ImageTextProcessor.fit(tokenizer, images).save_pretrained(folder / "captioner")


def vision_model() -> tuple[Any, Any]:
    """A small ViT with random weights, and what makes its inputs."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.ViTConfig(**sizes, image_size=32, patch_size=8)
    side = {"height": 32, "width": 32}
    return transformers.ViTModel(config).eval(), transformers.ViTImageProcessorPil(size=side)


# Of the forecasters here.
SMALL = {"lookback": 48, "segment_length": 4, "hidden_size": 8, "embedding_size": 8, "max_steps": 2}


def _learn(rows: list[tuple[str, str]]) -> tuple[Any, Any]:
    """A classifier that a few steps of one batch have taught to tell the two labels apart."""
    tokenizer = hfattnlstm.train_tokenizer([text for text, _ in rows])
    model = small_model(vocab_size=len(tokenizer))
    batch = tokenizer([text for text, _ in rows], padding=True, return_tensors="pt")
    targets = torch.tensor([model.config.label2id[label] for _, label in rows])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(40):
        model(**batch, labels=targets).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval(), tokenizer


def small_model(**options: Any) -> hfattnlstm.AttnLSTMForSequenceClassification:
    torch.manual_seed(0)
    sizes = {"vocab_size": 60, "embedding_size": 8, "hidden_size": 16, "id2label": {0: "negative", 1: "positive"}}
    return hfattnlstm.AttnLSTMForSequenceClassification(hfattnlstm.AttnLSTMConfig(**{**sizes, **options}))


def _model_with_gradients() -> Any:
    model = small_model()
    model(**_batch()).loss.backward()
    return model.eval()


def _batch() -> dict[str, torch.Tensor]:
    return {"input_ids": torch.tensor([[5, 6, 7]]), "labels": torch.tensor([1])}


def _encoded() -> Dataset:
    rows = [{"input_ids": [1 + row % 7, 5, 9], "length": 3, "labels": row % 2} for row in range(320)]
    return Dataset.from_list(rows)


def _scorer() -> TextScorer:
    classifier = transformers.pipeline("text-classification", "my-model")
    return TextScorer(classifier.model, classifier.tokenizer)


def _writer() -> Any:
    return transformers.pipeline("attention-text2text", "translator")


def _panel() -> Any:
    return hfattnlstm.load_series("power.csv")


def _inputs() -> Any:
    panel = _panel()
    return hfattnlstm.SeriesProcessor.fit(panel, [len(each) for each in panel], season_length=24).inputs(
        panel.series[0]
    )


def _windows() -> Any:
    return SeriesWindows([_inputs()], [""], [96], [216], context_length=96, prediction_length=24)


def _frame() -> pd.DataFrame:
    months = pd.date_range("2010-01-01", periods=120, freq="MS")
    return pd.DataFrame({"ds": months, "y": 3 + np.sin(np.arange(120) * np.pi / 6)})


def _forecast_evaluation() -> Any:
    flags = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    words = [
        "--task",
        "forecasting",
        "--train_file",
        "power.csv",
        "--horizon",
        "24",
        "--plots",
        "--output_dir",
        "series",
    ]
    run = training.run_task(training.parse_task([*words, "--disable_tqdm", "true", *flags]))
    return run.evaluations["eval"]


@cache
def _task() -> training.Task:
    flags = ("--train_file", "reviews.csv", "--output_dir", "imdb-model", "--hidden_size", "16")
    return training.parse_task([*flags, "--num_train_epochs", "1", "--disable_tqdm", "true"])


@cache
def _run() -> training.TaskRun:
    return training.run_task(_task())


# What the examples take for granted, beside the names of their module and those that anyone can import.
FIXTURES: dict[str, Callable[[], Any]] = {
    "RunArguments": lambda: RunArguments,
    "args": lambda: transformers.TrainingArguments("out"),
    "classifier": lambda: hfattnlstm.AttnLSTMClassifier(random_state=0).fit(*zip(*_rows())),
    "batches": lambda: [_batch(), _batch()],
    "encoded": _encoded,
    "evaluation": lambda: _run().evaluations["eval"],
    "frame": _frame,
    "inputs": _inputs,
    "panel": _panel,
    "windows": _windows,
    "example": lambda: (torch.ones(2, 3, dtype=torch.long), torch.ones(2, 3, dtype=torch.long)),
    "examples": lambda: hfattnlstm.load_texts("reviews.csv"),
    "labels": lambda: [label for _, label in _rows()],
    "ids": lambda: torch.ones(2, 3, dtype=torch.long),
    "mask": lambda: torch.ones(2, 3, dtype=torch.long),
    "metrics": lambda: _run().metrics,
    "model": _model_with_gradients,
    "parser": _parser,
    "parsed": lambda: _parser().parse_args(["my-tagger", "In Paris"]),
    "task": _task,
    "splits": lambda: hfattnlstm.load_texts("reviews.csv"),
    "texts": lambda: [text for text, _ in _rows()],
    "scorer": _scorer,
    "tokenizer": lambda: transformers.AutoTokenizer.from_pretrained("my-model"),
    "trainer": lambda: _run().trainer,
    "vision_model": lambda: vision_model,
}
# The same names, where forecasts are spoken of.
OF_SERIES: dict[str, Callable[[], Any]] = {
    "evaluation": _forecast_evaluation,
    "model": lambda: hfattnlstm.Forecaster.from_pretrained("power-model").model,
}
# The same names, where texts are written from others.
OF_PAIRS: dict[str, Callable[[], Any]] = {
    "model": lambda: _writer().model,
    "processor": lambda: _writer().pair_processor,
    "writer": lambda: _writer(),
    "rows": lambda: encode_pairs(read_pairs("pairs.tsv"), _writer().pair_processor),
    "trainer": lambda: hfattnlstm.AttnLSTMSeq2SeqTrainer(
        _writer().model, Seq2SeqRunArguments("out", eval_strategy="no", save_strategy="no")
    ),
    "parsed": lambda: _parser().parse_args(["translator", "Ein Hund bellt."]),
}
OF_CAPTIONS: dict[str, Callable[[], Any]] = {
    "processor": lambda: hfattnlstm.ImageTextProcessor.from_pretrained(
        "captioner", transformers.AutoConfig.from_pretrained("captioner")
    ),
}
# The same names, where words attend to each other.
OF_CONTEXT: dict[str, Callable[[], Any]] = {"model": lambda: small_model(context_layers=["attention"]).eval()}
