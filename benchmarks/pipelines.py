"""Torch models from text to result, through the package's pipeline and through the stock one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Pipeline,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    pipeline,
)

from hfattnlstm import released_model

from . import recipes
from .machine import usable_cores
from .models import Configuration, distilbert, minilm, ours
from .peers import peer
from .targets import (
    DISTILBERT,
    FASTTEXT,
    MINILM,
    ONNX_FP32_PIPELINE,
    ONNX_INT8_PIPELINE,
    PIPELINE,
    SPACY,
    SPACY_BOW,
    STOCK_PIPELINE,
    TFIDF,
)
from .timing import Call, Candidate, Prepare, timed
from .workload import Sample, Workload


BATCH_SIZES = (1, 8, 32)
# Texts that the batch sizes are tried on.
TRIED_TEXTS = 32
# The classifier that comes with the package.
RELEASED = "attnlstm-imdb"
MakeModel = Callable[[], PreTrainedModel]
Say = Callable[[str], None]


def text_candidates(
    configuration: Configuration, workload: Workload, say: Say, single: bool = False
) -> list[Candidate]:
    """Everything that goes from text to result.

    Args:
        configuration: Of our model.
        workload: Where the texts, the tokenizer and the texts to fit on come from.
        say: Called with the batch size that was best for a transformer.
        single: Whether texts come one by one, so that there is no batch size to choose.
    """
    model, vocab_size = partial(ours, configuration), workload.vocab_size
    sizes = (1,) if single else BATCH_SIZES
    transformers = [(DISTILBERT, distilbert), (MINILM, minilm)]
    candidates = [Candidate(PIPELINE, partial(_our_pipeline, model, workload))]
    candidates += [
        Candidate(f"{PIPELINE}, {recipes.title(name)}", partial(_recipe_pipeline, name, workload))
        for name in recipes.names()
    ]
    candidates.append(Candidate(f"{PIPELINE}, {RELEASED}", partial(_released_pipeline, workload)))
    if not single:
        candidates.append(
            Candidate(STOCK_PIPELINE, partial(_stock_pipeline, STOCK_PIPELINE, model, workload, (1,), say))
        )
    for name, make in transformers:
        load = partial(_stock_pipeline, name, partial(make, vocab_size), workload, sizes, say)
        candidates.append(Candidate(name, load, least=TRIED_TEXTS))
    onnx = {"make_model": model, "workload": workload}
    return [
        *candidates,
        Candidate(ONNX_FP32_PIPELINE, peer("onnx_runtime", "texts_to_results", int8=False, **onnx)),
        Candidate(ONNX_INT8_PIPELINE, peer("onnx_runtime", "texts_to_results", int8=True, **onnx)),
        Candidate(SPACY, peer("spacy_textcat", "prediction", workload=workload, bag_of_words=False)),
        Candidate(SPACY_BOW, peer("spacy_textcat", "prediction", workload=workload, bag_of_words=True)),
        Candidate(TFIDF, peer("tfidf", "prediction", workload=workload)),
        Candidate(FASTTEXT, peer("fasttext_bag", "prediction", workload=workload, threads=usable_cores())),
    ]


def _our_pipeline(make_model: MakeModel, workload: Workload) -> Prepare:
    return _explaining(make_model(), workload.tokenizer())


def _recipe_pipeline(name: str | None, workload: Workload) -> Prepare:
    return _explaining(*recipes.make(name, workload))


def _released_pipeline(workload: Workload) -> Prepare:
    """The model itself, and the longest texts that it reads; the words are those of the workload."""
    folder = released_model(RELEASED)
    tokenizer = workload.tokenizer()
    tokenizer.model_max_length = AutoTokenizer.from_pretrained(folder).model_max_length
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    # The workload has special tokens of its own.
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return _explaining(model, tokenizer)


def _explaining(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Prepare:
    """The pipeline of the package, which gives the attention with the labels."""
    return call_of(pipeline("attention-text-classification", model=model, tokenizer=tokenizer, device="cpu"))


def _stock_pipeline(name: str, make_model: MakeModel, workload: Workload, sizes: tuple[int, ...], say: Say) -> Prepare:
    """The stock pipeline with the fastest of the batch sizes."""
    classifier = pipeline("text-classification", model=make_model(), tokenizer=workload.tokenizer(), device="cpu")
    best = sizes[0]
    if len(sizes) > 1:
        sample = workload.sample(TRIED_TEXTS)
        calls = {size: call_of(classifier, truncation=True, batch_size=size)(sample) for size in sizes}
        for call in calls.values():
            call()
        best = min(sizes, key=lambda size: min(timed(calls[size])[0] for _ in range(2)))
        say(f"{name} runs with batch size {best}, the fastest of {', '.join(map(str, sizes))}.")
    return call_of(classifier, truncation=True, batch_size=best)


def call_of(classifier: Pipeline, **arguments: Any) -> Prepare:
    """Calls of a pipeline, with these arguments."""

    def prepare(sample: Sample) -> Call:
        texts = sample.texts if len(sample) > 1 else sample.texts[0]

        def call() -> int:
            return len(classifier(texts, **arguments))

        return call

    return prepare
