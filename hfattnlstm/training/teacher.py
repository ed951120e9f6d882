"""What another model says of texts, for a smaller one to learn from; kept in a file, and continued there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from .._files import written_beside
from .._places import loading_from
from ..data.encoding import MAX_LENGTH
from ..data.problem_types import label_names_of
from ..modeling.configuration_attnlstm import REGRESSION
from ..modeling.losses import probabilities
from ..modeling.text_inputs import NO_MAX_LENGTH, TextEncoder, pad_ids
from .trainer_options import is_attnlstm


logger = logging.get_logger(__name__)

_BATCH = 32
# Batches after which the answers are written, and texts whose lengths are compared.
_KEPT_AFTER, _POOL = 16, 1_024
Texts = Sequence[str] | Sequence[Sequence[str]]


class Teacher:
    """Any sequence classifier, loaded when it is first asked.

    Args:
        name: Folder or Hub name; of its code nothing is run but what is installed.
        label_names: Those of the student, in its order; empty in a regression.
        problem_type: That of the student.

    Raises:
        OSError: There is no such model or tokenizer.
        ValueError: It has other labels.

    Example:

    ```python
    >>> Teacher("my-model", ["negative", "positive"], "single_label_classification").answers(["Not bad at all"]).shape
    (1, 2)
    ```
    """

    def __init__(self, name: str, label_names: Sequence[str], problem_type: str):
        self.name, self._problem_type = name, problem_type
        with loading_from(name) as place:
            self._model = AutoModelForSequenceClassification.from_pretrained(place).eval()
        if hasattr(self._model, "check_trained"):
            self._model.check_trained()
        self._order = _order_of_labels(name, self._model, list(label_names), problem_type)
        with loading_from(name, "tokenizer") as place:
            self._tokenizer = AutoTokenizer.from_pretrained(place)
        self._encode = _encoder_of(self._model, self._tokenizer)
        self._model.to(torch.accelerator.current_accelerator() or torch.device("cpu"))

    def answers(self, texts: Texts, file: Path | None = None) -> np.ndarray:
        """Probabilities, or the numbers of a regression.

        Args:
            texts: Texts, or lists that are read together.
            file: Where the answers are kept as they come; those that are there already, of the same teacher and texts,
                are not computed again.

        Returns:
            (texts, labels), float32, labels in the student's order.
        """
        if file is None:
            kept = np.full((len(texts), max(len(self._order), 1)), np.nan, np.float32)
        else:
            kept = self._opened(file, texts)
        missing = np.flatnonzero(np.isnan(kept).any(1))
        if 0 < len(missing) < len(texts):
            logger.warning("%s answers of %s are in %s already.", len(texts) - len(missing), self.name, file)
        for number, (rows, found) in enumerate(self._answered(texts, missing), 1):
            kept[rows] = found
            if isinstance(kept, np.memmap) and number % _KEPT_AFTER == 0:
                kept.flush()
        if isinstance(kept, np.memmap):
            kept.flush()
        return np.array(kept)

    def _answered(self, texts: Texts, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows, and what is said of them; texts of like length together."""
        for first in range(0, len(rows), _POOL):
            pool = rows[first : first + _POOL]
            encoded = self._encode([texts[int(row)] for row in pool])
            order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
            for start in range(0, len(order), _BATCH):
                batch = order[start : start + _BATCH]
                own = {name: [values[place] for place in batch] for name, values in encoded.items()}
                yield pool[batch], self._read(own)

    @torch.inference_mode()
    def _read(self, batch: dict[str, list[list[int]]]) -> np.ndarray:
        inputs = {}
        for name, rows in batch.items():
            filling = self._tokenizer.pad_token_id if name == "input_ids" else 0
            values, mask = pad_ids(rows, filling)
            inputs[name] = torch.from_numpy(values)
        inputs["attention_mask"] = torch.from_numpy(mask).long()
        logits = self._model(**{name: value.to(self._model.device) for name, value in inputs.items()}).logits
        temperature = getattr(self._model.config, "calibration_temperature", 1.0)
        found = probabilities(logits.float(), self._problem_type, temperature).cpu().numpy()
        return found[:, self._order] if self._order else found

    def _opened(self, file: Path, texts: Texts) -> np.memmap:
        """The answers that there are, NaN where there are none; those of others are begun anew."""
        noted = {"teacher": self.name, "texts": len(texts), "digest": self._digest(texts)}
        about = file.with_suffix(".json")
        shape = len(texts), max(len(self._order), 1)
        if file.exists() and about.exists():
            if json.loads(about.read_text(encoding="utf-8")) == noted:
                return np.lib.format.open_memmap(file, mode="r+")
            logger.warning("%s holds the answers of another teacher, or to other texts: it is begun anew.", file)
        file.parent.mkdir(parents=True, exist_ok=True)
        about.unlink(missing_ok=True)
        kept = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
        kept[:] = np.nan
        kept.flush()
        with written_beside(about) as unfinished:
            unfinished.write_text(json.dumps(noted), encoding="utf-8")
        return kept

    def _digest(self, texts: Texts) -> str:
        """Of the texts and of what would answer otherwise."""
        digest = hashlib.sha256(json.dumps([self._problem_type, self._order]).encode())
        for parameter in self._model.parameters():
            digest.update(np.ascontiguousarray(parameter.detach().flatten()[:64].float().cpu().numpy()).tobytes())
        for text in texts:
            digest.update(f"{text!r}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def _encoder_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Callable[[Texts], dict[str, list[list[int]]]]:
    """What makes inputs of texts, as the teacher itself reads them."""
    bounds = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or NO_MAX_LENGTH)
    longest = min(bounds)
    longest = MAX_LENGTH if longest >= NO_MAX_LENGTH else longest
    if is_attnlstm(model):
        encoder = TextEncoder(tokenizer, longest, model.config.truncation)
        return lambda texts: {"input_ids": encoder.input_ids(texts)}

    def encode(texts: Texts) -> dict[str, list[list[int]]]:
        columns = list(zip(*texts)) if isinstance(texts[0], (list, tuple)) else [texts]
        encoded = tokenizer(*map(list, columns), truncation=True, max_length=longest)
        return {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}

    return encode


def _order_of_labels(name: str, model: PreTrainedModel, wanted: list[str], problem_type: str) -> list[int]:
    """Where the teacher has each label of the student; empty in a regression."""
    if problem_type == REGRESSION:
        if model.config.num_labels != 1:
            raise ValueError(f"The teacher {name} has {model.config.num_labels} labels, and the data are numbers.")
        return []
    own = label_names_of(model.config)
    if set(own) == set(wanted):
        return [own.index(label) for label in wanted]
    if len(own) == len(wanted) and all(label.startswith("LABEL_") for label in own):
        logger.warning("The teacher %s has no names for its labels: they are taken for %s.", name, ", ".join(wanted))
        return list(range(len(own)))
    raise ValueError(
        f"The teacher {name} has the labels {', '.join(own)}, and the data {', '.join(wanted)}: name a teacher of the "
        "same labels, or rename those of the data."
    )
