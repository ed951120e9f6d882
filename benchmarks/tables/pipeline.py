"""Batch inference from text to result, tokenisation included."""

from __future__ import annotations

from ..models import Configuration, configurations
from ..options import Options
from ..pipelines import text_candidates
from ..speed import add_measurements, speed_table
from ..table import Table
from ..targets import DISTILBERT
from ..timing import measure


NOTES = [
    "From a list of strings to labels with scores; our pipeline also gives the attention on every word.",
    "All torch models read the texts with the same word tokenizer, so the same number of tokens; the transformers get "
    "no [CLS] and [SEP].",
    '"hfattnlstm pipeline" is the LSTM alone, and reads 512 tokens, as the transformers do. A recipe reads 400, '
    "unless it says otherwise, and has its n-grams beside the LSTM.",
    "Weights are random, for which the time is the same; spaCy, fastText and TF-IDF were fitted on some of the texts, "
    "because theirs depends on it. spaCy, fastText and scikit-learn use the threads that they choose themselves.",
]


def run(options: Options) -> Table:
    """Measure reviews and sentences."""
    table = speed_table("pipeline", "From text to result", DISTILBERT, list(NOTES))
    kinds = ("reviews",) if options.main else ("reviews", "sentences")
    vocab_size = configurations(options)[0].vocab_size
    for kind in kinds:
        configuration = Configuration(kind, vocab_size=vocab_size)
        workload = options.workload(kind)
        said: list[str] = []
        measured = measure(text_candidates(configuration, workload, said.append), workload, options, DISTILBERT)
        add_measurements(table, configuration.name, measured, DISTILBERT, targets=kind if kind == "reviews" else None)
        table.remark([f"{kind.capitalize()}: {sentence}" for sentence in said])
    return table
