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
from .._wording import option
from ..data.encoding import MAX_LENGTH
from ..data.problem_types import label_names_of
from ..data.progress import only_errors
from ..modeling.configuration_base import REGRESSION
from ..modeling.losses import probabilities
from ..modeling.text_inputs import NO_MAX_LENGTH, TextEncoder, pad_ids
from .trainer_options import is_attnlstm


logger = logging.get_logger(__name__)

_BATCH = 32
# Batches after which the answers are written, and texts whose lengths are compared.
_KEPT_AFTER, _POOL = 16, 1_024
# Models that number the places of their tokens from that of the padding on.
_COUNT_FROM_PADDING = ("camembert", "longformer", "mpnet", "data2vec-text", "ibert", "xmod")
# Fields of a configuration that say nothing of what is answered.
_OF_THE_MACHINE = ("dtype", "transformers_version", "_name_or_path")
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
        self._model = _load_model(name, problem_type)
        self._order = _order_of_labels(name, self._model, list(label_names), problem_type)
        with loading_from(name, "tokenizer") as place:
            self._tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
        if self._tokenizer.pad_token_id is None:
            # What fills up is masked, whichever it is; some models look for its last place.
            self._tokenizer.pad_token = self._tokenizer.eos_token
            self._model.config.pad_token_id = self._tokenizer.pad_token_id
        self._encode = _encoder_of(self._model, self._tokenizer)
        self._model.to(torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu"))

    def answers(
        self,
        texts: Texts,
        file: Path | None = None,
        overwrite: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Probabilities, or the numbers of a regression.

        Args:
            texts: Texts, or lists that are read together.
            file: A .npy file where the answers are kept as they come; those that are there already, of the same
                teacher and texts, are not computed again.
            overwrite: Whether those of another teacher, or to other texts, are replaced.
            progress: Called with how many texts have an answer, and how many there are.

        Returns:
            (texts, labels), float32, labels in the student's order.

        Raises:
            ValueError: The file is damaged, is no file of answers, or holds others.
        """
        if file is None:
            kept = np.full((len(texts), max(len(self._order), 1)), np.nan, np.float32)
        else:
            kept = self._opened(file, texts, overwrite)
        missing = np.flatnonzero(np.isnan(kept).any(1))
        done = len(texts) - len(missing)
        if missing.size and done:
            logger.warning("%s answers of %s are in %s already.", f"{done:,}", self.name, file)
        for number, (rows, found) in enumerate(self._answered(texts, missing), 1):
            kept[rows] = found
            done += len(rows)
            if progress is not None:
                progress(done, len(texts))
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

    def _opened(self, file: Path, texts: Texts, overwrite: bool) -> np.ndarray:
        """The answers that there are, NaN where there are none."""
        noted = {"texts": len(texts), "digest": self._digest(texts)}
        about = _about(file)
        if file.exists():
            check_answers_file(file)
            if _read_note(about) == noted:
                return _opened_map(file)
            if not overwrite:
                raise ValueError(
                    f"{file} holds the answers of another teacher, or to other texts: name another file with "
                    f"{option('teacher_file')}, or replace it with {option('overwrite')}."
                )
        file.parent.mkdir(parents=True, exist_ok=True)
        shape = len(texts), max(len(self._order), 1)
        with written_beside(file) as unfinished, unfinished.open("wb") as stream:
            np.save(stream, np.full(shape, np.nan, np.float32))
        with written_beside(about) as unfinished:
            unfinished.write_text(json.dumps(noted), encoding="utf-8")
        return _opened_map(file)

    def _digest(self, texts: Texts) -> str:
        """Of the texts and of all that would answer otherwise."""
        model, tokenizer = self._model, self._tokenizer
        config = {name: value for name, value in model.config.to_dict().items() if name not in _OF_THE_MACHINE}
        settings = [self._problem_type, self._order, config, tokenizer.model_max_length]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
        digest.update(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode("utf-8", "surrogatepass"))
        for name, tensor in sorted(model.state_dict().items()):
            digest.update(name.encode())
            # In one precision, for the same weights are loaded in another one on an accelerator.
            kept = tensor.detach().cpu().float() if tensor.is_floating_point() else tensor.detach().cpu()
            digest.update(kept.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        for text in texts:
            digest.update(f"{text!r}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def check_answers_file(file: Path) -> None:
    """Refuse a file that is not one of answers, before it is written over.

    Raises:
        ValueError: Its name does not end in .npy, or there is a file of this name that [`Teacher`] has not written.
    """
    if file.suffix != ".npy":
        raise ValueError(f"{option('teacher_file', str(file))} must end in .npy: its numbers have that format.")
    if file.exists() and not _about(file).is_file():
        raise ValueError(
            f"{file} is there already, and holds no answers of a teacher: name another file with "
            f"{option('teacher_file')}."
        )


def _about(file: Path) -> Path:
    """Where it is noted whose answers a file holds, and to what."""
    return file.with_name(f"{file.name}.about.json")


def _read_note(about: Path) -> object:
    try:
        return json.loads(about.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # As if it were of other answers.
        return None


def _opened_map(file: Path) -> np.ndarray:
    try:
        return np.lib.format.open_memmap(file, mode="r+")
    except (ValueError, OSError) as error:
        raise ValueError(f"The answers in {file} are damaged, remove the file: {error}.") from None


def _encoder_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Callable[[Texts], dict[str, list[list[int]]]]:
    """What makes inputs of texts, as the teacher itself reads them."""
    longest = _longest_text(model, tokenizer)
    if is_attnlstm(model):
        encoder = TextEncoder(tokenizer, longest, model.config.truncation)
        return lambda texts: {"input_ids": encoder.input_ids(texts)}

    def encode(texts: Texts) -> dict[str, list[list[int]]]:
        columns = list(zip(*texts)) if isinstance(texts[0], (list, tuple)) else [texts]
        if len(columns) > 2:
            raise ValueError(
                f"The teacher {model.name_or_path} reads texts and pairs, and these are {len(columns)} together."
            )
        encoded = tokenizer(*map(list, columns), truncation=True, max_length=longest)
        return {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}

    return encode


def _load_model(name: str, problem_type: str) -> PreTrainedModel:
    """The teacher, all of whose weights were trained, and for the same kind of problem."""
    # Processors are slow in half precision.
    dtype = "auto" if torch.accelerator.is_available() else torch.float32
    # transformers' report of what is missing would stand before the sentence about it.
    with loading_from(name) as place, only_errors():
        model, report = AutoModelForSequenceClassification.from_pretrained(
            place, dtype=dtype, trust_remote_code=False, output_loading_info=True
        )
    if report["missing_keys"]:
        raise ValueError(
            f"The teacher {name} lacks some of its weights, such as {min(report['missing_keys'])}: fine-tune it as a "
            "classifier first."
        )
    own = getattr(model.config, "problem_type", None)
    if own not in (None, problem_type):
        kinds = [kind.replace("_", " ") for kind in (own, problem_type)]
        raise ValueError(f"The teacher {name} was trained for a {kinds[0]}, and the data are for a {kinds[1]}.")
    return model.eval()


def _longest_text(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that the teacher can read."""
    positions = getattr(model.config, "max_position_embeddings", None) or NO_MAX_LENGTH
    if "roberta" in model.config.model_type or model.config.model_type in _COUNT_FROM_PADDING:
        positions -= (model.config.pad_token_id or 0) + 1
    longest = min(tokenizer.model_max_length, positions)
    return MAX_LENGTH if longest >= NO_MAX_LENGTH else longest


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
    if more := sorted(set(own) - set(wanted)) if set(wanted) < set(own) else []:
        raise ValueError(
            f"The teacher {name} has also the label {more[0]!r}, which none of the data has: add a text with it, or "
            "name a teacher of the same labels."
        )
    raise ValueError(
        f"The teacher {name} has the labels {', '.join(own)}, and the data {', '.join(wanted)}: name a teacher of the "
        "same labels, or rename those of the data."
    )
