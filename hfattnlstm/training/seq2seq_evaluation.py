"""What a model that writes is worth: its texts beside those that should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sacrebleu.metrics import CHRF
from transformers import EvalPrediction, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from ..data.encoding import MUCH_UNKNOWN
from ..data.pair_tokenizer import is_lowercased
from ..data.pairs import SOURCE, TARGET, read_pairs
from ..modeling.losses import IGNORED
from ..modeling.pair_processor import PairProcessor
from ..modeling.text_generation import unknown_share, write_texts
from .text_scores import TextScores, score_texts


logger = logging.get_logger(__name__)

# Texts that are written at once, with several beams each.
_BATCH = 64


@dataclass(frozen=True)
class TextEvaluation:
    """Texts that were written, and their scores.

    Attributes:
        scores: Of all of them.
        sources, references, written: What was read, what should be written, a text or several for each, and what was.
        unknown: Share of the tokens of the sources that are unknown; 0 for those that are no texts.
    """

    scores: TextScores
    sources: Sequence[str]
    references: Sequence[Any]
    written: Sequence[str]
    unknown: float = 0.0

    def examples(self, count: int) -> list[tuple[str, str, str]]:
        """Some of the pairs with what was written, from all over the split."""
        places = np.linspace(0, len(self.written) - 1, min(count, len(self.written))).round().astype(int)
        return [(self.sources[place], _first(self.references[place]), self.written[place]) for place in places]

    def furthest(self, count: int) -> list[tuple[str, str, str]]:
        """Pairs with what was written, those first of which least is right, in characters."""
        chrf = CHRF()
        rows = zip(self.sources, map(_first, self.references), self.written)
        rows = [row for row in rows if row[1] != row[2]]
        return sorted(rows, key=lambda row: chrf.sentence_score(row[2], [row[1]]).score)[:count]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        rows = zip(self.sources, self.references, self.written)
        return {
            **self.scores.metrics(),
            "signatures": self.scores.signatures,
            "texts": [dict(zip(("source", "target", "written"), row)) for row in rows],
        }


def _first(reference: str | Sequence[str]) -> str:
    return reference if isinstance(reference, str) else reference[0]


def evaluate_pairs(
    model: PreTrainedModel,
    processor: PairProcessor,
    sources: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str | None = None,
    lowercase: bool = False,
    bounds: bool = False,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> TextEvaluation:
    """Write a text from each source, and compare it with its reference.

    Args:
        model: In evaluation mode.
        processor: Its tokenizers.
        sources, references: The pairs.
        tokenize, lowercase, bounds: As in [`score_texts`].
        batch_size: Texts that are written at once.
        progress: Called with how many are done, and how many there are.
        **options: As [`write_texts`] takes them.

    Example:

    ```python
    >>> evaluate_pairs(model, processor, ["Ein Hund bellt."], ["A dog barks."], num_beams=5).scores.bleu
    100.0
    ```
    """
    found: list[Any] = [None] * len(sources)
    options = {**options, "num_return_sequences": 1}
    order = sorted(range(len(sources)), key=lambda place: -len(sources[place]))
    size = batch_size or _BATCH
    for start in range(0, len(order), size):
        places = order[start : start + size]
        for place, one in zip(places, write_texts(model, processor, [sources[place] for place in places], **options)):
            found[place] = one
        if progress is not None:
            progress(start + len(places), len(order))
    written = [one.text for one in found]
    scores = score_texts(written, references, tokenize=tokenize, lowercase=lowercase, bounds=bounds)
    return TextEvaluation(scores, sources, references, written, unknown_share(found, processor))


def evaluate_writer(
    writer: Any,
    source: Any,
    *,
    source_column: str | None = None,
    target_column: str | None = None,
    split: str | None = None,
    batch_size: int | None = None,
    num_beams: int | None = None,
    copy_unknown: bool = False,
    tokenize: str | None = None,
    lowercase: bool | None = None,
) -> TextEvaluation:
    """Measure a trained model on pairs of texts.

    Args:
        writer: `pipeline("attention-text2text")` of the model.
        source: A table, folder or Hub name with pairs, or two files with a text a line; see [`load_pairs`].
        source_column, target_column: As in [`load_pairs`].
        split: Of a folder or a Hub name; the test split without.
        batch_size: Texts that are written at once.
        num_beams: How many beams; the model's own number without.
        copy_unknown: Whether words that are not known are copied.
        tokenize, lowercase: As in [`score_texts`]; without, case does not matter to a model that writes small letters
            alone.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: It has no such split, or no pairs.

    Example:

    ```python
    >>> evaluate_writer(writer, "pairs.tsv").scores.exact_match
    1.0
    ```
    """
    pairs = read_pairs(source, source_column, target_column, split)
    options = {} if num_beams is None else {"num_beams": num_beams}
    if lowercase is None:
        lowercase = is_lowercased(writer.pair_processor.target_tokenizer)
    evaluation = evaluate_pairs(
        writer.model,
        writer.pair_processor,
        pairs[SOURCE][:],
        pairs[TARGET][:],
        tokenize=tokenize,
        lowercase=lowercase,
        bounds=True,
        batch_size=batch_size,
        copy_unknown=copy_unknown,
        **options,
    )
    if evaluation.unknown >= MUCH_UNKNOWN:
        logger.warning(
            "%s of the tokens that are read are unknown to the model: are these texts like those that it has learnt?",
            f"{evaluation.unknown:.0%}",
        )
    return evaluation


class PairScorer:
    """The `compute_metrics` of a Trainer that writes.

    Args:
        tokenizer: Decodes what was written.
        pad_token_id: What fills it up.
        references: What should be, in the order of the rows.
        tokenize, lowercase: As in [`score_texts`].

    Example:

    ```python
    >>> scorer = PairScorer(processor.tokenizer, 0, ["A dog barks."])
    >>> scorer(EvalPrediction(np.array(processor.targets(["A dog barks."])), None))["exact_match"]
    1.0
    ```
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        pad_token_id: int | None,
        references: Sequence[Any],
        tokenize: str | None = None,
        lowercase: bool = False,
    ):
        self.tokenizer, self.pad_token_id, self.references = tokenizer, pad_token_id or 0, references
        self.tokenize, self.lowercase = tokenize, lowercase

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        """Scores of token ids (rows, length)."""
        ids = np.asarray(prediction.predictions)
        ids = np.where(ids == IGNORED, self.pad_token_id, ids)
        written = self.tokenizer.batch_decode(ids.tolist(), skip_special_tokens=True)
        return score_texts(written, self.references, tokenize=self.tokenize, lowercase=self.lowercase).metrics()

    @staticmethod
    def directions() -> dict[str, bool]:
        """Of each metric, whether greater is better."""
        return {"bleu": True, "chrf": True, "exact_match": True, "loss": False}
