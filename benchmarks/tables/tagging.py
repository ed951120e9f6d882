"""Taggers: training and decoding beside flair and spaCy, and the CRF beside pytorch-crf."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from transformers import PrinterCallback, pipeline

from hfattnlstm import export_onnx
from hfattnlstm.data.tagged_texts import TaggedTexts
from hfattnlstm.deploy.onnx_model import onnx_pipeline
from hfattnlstm.modeling.crf import LinearChainCRF
from hfattnlstm.training.run import make_trainer
from hfattnlstm.training.tagging import TaggingTask
from hfattnlstm.training.tagging_arguments import TaggedDataArguments, TaggerArguments, TaggingArguments
from hfattnlstm.training.trainer import AttnLSTMTrainer

from ..options import Options
from ..peers import peer
from ..sentences import TAGS, TaggedWorkload
from ..speed import speed_row
from ..table import Chart, Column, Table
from ..targets import FLAIR_TAGGER, OUR_CRF, PYTORCH_CRF, SPACY_TAGGER, TAGGER, TAGGER_ONNX, TAGGER_POS
from ..timing import Call, Candidate, Prepare, measure


COLUMNS = (
    Column("candidate", "candidate"),
    Column("time", "time", "time"),
    Column("time_range", "middle half", "range"),
    Column("rate", "a second", "rate"),
    Column("ratio", "ratio", "ratio"),
    Column("ratio_range", "middle half", "ratio_range"),
    Column("texts", "a call", "count"),
)
NOTES = [
    "Sentences are made, of 14.5 words on average, which are given and not cut from a text; nine tags of four kinds "
    "of spans.",
    "Training is that of the library's own loop over sentences that are in memory; decoding goes from lists of words "
    "to spans. Ours is the default model of `hfattnlstm train --task tagging`, without vectors from elsewhere; its "
    "decoding gives the tag, the probability and the spans of each word. spaCy's is its entity recogniser with its "
    "default convolution over hashed words, flair's an LSTM of the same width with a CRF over words alone.",
    "Of the CRF alone a unit is a sentence: the likelihood of a batch with its gradients; the best path; and that "
    "with the probability of each tag from ours, beside the path alone from the other.",
    "Weights are those after a few steps or random: the time is the same for others.",
]
BATCH = 32
# What the CRF is asked for.
CRF_CALLS = ("likelihood", "best path", "path and probabilities")
# Sentences of the training table; more are read again.
FITTED = 512


def run(options: Options) -> Table:
    """Measure the training, the decoding of many and of one sentence, and the CRF by itself."""
    workload = TaggedWorkload(sentences=200 if options.quick else 4_000, seed=options.seed)
    table = Table("tagging", "Taggers", COLUMNS, notes=list(NOTES), chart=Chart("rate", "sentences a second"))
    with tempfile.TemporaryDirectory() as folder:
        if not options.main:
            _add(table, "training, sentences", _training(workload, folder), options, SPACY_TAGGER)
        _add(table, "decoding, sentences", _decoding(workload, folder), options, SPACY_TAGGER)
        if not options.main:
            _add(table, "one sentence", _decoding(workload, folder, one=True), options, SPACY_TAGGER)
            for what in CRF_CALLS:
                _add(table, f"CRF alone, {what}", _crf(what), options, PYTORCH_CRF)
    return table


def _add(table: Table, name: str, candidates: Sequence[Candidate], options: Options, baseline: str) -> None:
    options.report(name)
    workload = TaggedWorkload(sentences=200 if options.quick else 4_000, seed=options.seed)
    measured = measure(candidates, workload, options, baseline=baseline)
    table.rows += [speed_row(name, each, measured, baseline) for each in measured.by_name]
    table.leave_out(measured.left_out)
    table.remark([f"{name}: {remark}" for remark in measured.remarks])


def _training(workload: TaggedWorkload, folder: str) -> list[Candidate]:
    theirs = partial(peer, function="training", workload=workload)
    loads = {
        TAGGER: partial(_our_training, workload, folder),
        SPACY_TAGGER: theirs("spacy_tagger"),
        FLAIR_TAGGER: theirs("flair_tagger"),
    }
    return [Candidate(name, load, least=BATCH, most=64 * BATCH) for name, load in loads.items()]


def _decoding(workload: TaggedWorkload, folder: str, one: bool = False) -> list[Candidate]:
    theirs = partial(peer, function="decoding", workload=workload)
    loads = {
        TAGGER: partial(_our_decoding, workload, folder),
        TAGGER_POS: partial(_our_decoding, workload, folder, use_crf=False),
        TAGGER_ONNX: partial(_our_onnx, workload, folder),
        SPACY_TAGGER: theirs("spacy_tagger"),
        FLAIR_TAGGER: theirs("flair_tagger"),
    }
    least, most = (1, 1) if one else (BATCH, 256 * BATCH)
    return [Candidate(name, load, least=least, most=most) for name, load in loads.items()]


def _our_training(workload: TaggedWorkload, folder: str) -> Prepare:
    def prepare(sentences: list[Any]) -> Call:
        trainer = _our_trainer(workload, folder, len(sentences) // BATCH)

        def call() -> int:
            trainer.train()
            return len(sentences)

        return call

    return prepare


def _our_decoding(workload: TaggedWorkload, folder: str, **options: Any) -> Prepare:
    trainer = _our_trainer(workload, folder, steps=1, **options)
    tagger = pipeline(
        "attention-token-classification", model=trainer.model.eval(), tokenizer=trainer.processing_class, device="cpu"
    )
    return partial(_calls, tagger)


def _our_onnx(workload: TaggedWorkload, folder: str) -> Prepare:
    trainer = _our_trainer(workload, folder, steps=1)
    place = Path(folder) / "onnx"
    export_onnx(trainer.model, place, tokenizer=trainer.processing_class)
    return partial(_calls, onnx_pipeline(place))


def _calls(tagger: Any, sentences: list[tuple[list[str], list[str]]]) -> Call:
    given = [{"tokens": words} for words, _ in sentences]

    def call() -> int:
        return len(tagger(given))

    return call


def _our_trainer(workload: TaggedWorkload, folder: str, steps: int, **options: Any) -> AttnLSTMTrainer:
    """As `hfattnlstm train --task tagging` makes it, but that it neither evaluates nor saves."""
    training = TaggingArguments(
        output_dir=folder,
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        use_cpu=True,
        disable_tqdm=True,
        report_to="none",
    )
    task = TaggingTask(TaggedDataArguments(), TaggerArguments(word_vectors=["none"], **options), training)
    rows = workload.dataset(max(FITTED, steps * BATCH))
    task.loaded = TaggedTexts(DatasetDict(train=rows, validation=rows.select(range(1))), "bio")
    task.label_names = TAGS
    trainer, _ = make_trainer(task, task.loaded.splits)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _crf(what: str) -> list[Candidate]:
    loads: dict[str, Callable[[], Prepare]] = {
        OUR_CRF: partial(_our_crf, what),
        PYTORCH_CRF: peer("pytorch_crf", "crf", what=what),
    }
    return [Candidate(name, load, least=BATCH, most=64 * BATCH) for name, load in loads.items()]


def _our_crf(what: str) -> Prepare:
    crf = LinearChainCRF(len(TAGS))

    def prepare(sentences: list[tuple[list[str], list[str]]]) -> Call:
        batches = crf_batches(sentences)

        def call() -> int:
            for emissions, tags, mask in batches:
                if what == "likelihood":
                    crf.log_likelihood(emissions, tags, mask).sum().backward()
                elif what == "best path":
                    crf.best_path(emissions, mask)
                else:
                    crf.decode(emissions, mask)
            return len(sentences)

        return call

    return prepare


def crf_batches(
    sentences: Sequence[tuple[list[str], list[str]]],
) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Random emissions, tags and masks of batches of sentences, as long as these are."""
    generator = torch.Generator().manual_seed(0)
    batches = []
    for start in range(0, len(sentences), BATCH):
        lengths = torch.tensor([len(words) for words, _ in sentences[start : start + BATCH]])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        emissions = torch.randn(*mask.shape, len(TAGS), generator=generator, requires_grad=True)
        batches.append((emissions, torch.randint(len(TAGS), mask.shape, generator=generator), mask))
    return batches
