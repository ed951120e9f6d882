"""A token-classification pipeline that tags words, finds spans in the original text, and says how sure it is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase
from transformers.pipelines.token_classification import TokenClassificationPipeline
from transformers.utils import logging

from .batch_workers import BatchWorkers, plan_batches
from .crf import NO_CRF
from .tag_schemes import OUTSIDE, spans_of
from .text_inputs import TextEncoder, check_texts, pad_ids
from .word_tokens import Window, WordEncoder, sentences_of, windows_of


logger = logging.get_logger(__name__)

# Texts that are read ahead and sorted by length.
TEXTS_AT_ONCE = 1024
# What a text may be called in a dictionary, and what its words.
_TEXT_KEYS, _WORD_KEYS = ("text",), ("tokens", "words")


@dataclass
class _Given:
    """A text or words as they were given: ids and, in a text, the place of each word, and sentences of words."""

    words: list[str]
    ids: list[list[int]]
    spans: list[tuple[int, int]] | None
    sentences: list[tuple[int, int]]
    text: str | None


class _Part(NamedTuple):
    """A window of a sentence of one of the texts."""

    owner: int
    sentence: tuple[int, int]
    window: Window


class AttnLSTMTokenClassificationPipeline(TokenClassificationPipeline):
    """Tags the words of texts, and finds the spans that the tags mark.

    Load it with `pipeline("attention-token-classification", model=folder)` after `import hfattnlstm`, or from a
    checkpoint alone with `trust_remote_code=True`.

    The parameters can be given when the pipeline is made or when it is called:

        split_sentences: Whether a text is tagged sentence by sentence, as most taggers were trained; True by default.
            A sentence ends with its line, or with a mark such as a full stop before white space.
        n_best: How many of the most probable sequences of tags are given for each sentence, of a model with a CRF.
        batch_size: Most sentences in a batch; without it, as many as fit into the processor's cache.

    A call takes a text, a list of texts, or an iterable of them; with words that are already cut,
    `{"tokens": [...]}` in place of a text, or lists of words with `is_split_into_words=True`. It returns for each text
    a dictionary with

        entities: `{"entity_group", "score", "word", "start", "end"}` of each span, in order, with places in the
            original text, and `first` and `last`, the numbers of its words. Of tags that mark no spans, none.
        words: `{"word", "tag", "score", "start", "end"}` of each word: the tag of the best sequence, and its
            probability. Words that were given have no places.
        attention: `{"text", "start", "end", "weight"}` of each word, for each sentence a sum of 1, where the model
            reads the attention over its sentence (`sentence_context`).
        alternatives: With `n_best`, for each sentence a list of `{"tags", "score"}`, the best first.

    The score of a span is the least of its words. Sentences that are longer than the tokenizer's `model_max_length`
    are read in parts that overlap.

    Example:

    ```python
    >>> tagger = pipeline("attention-token-classification", model="my-tagger")
    >>> tagger("In Paris")["entities"]
    [{'entity_group': 'LOC', 'score': 0.93, 'word': 'Paris', 'start': 3, 'end': 8, 'first': 1, 'last': 1}]
    ```

    Raises:
        TypeError: For an entry that is no text, or no list of words; it names the position.
        ValueError: For a model that is no tagger of this package or has weights that its checkpoint lacked, a
            tokenizer with more tokens than the model's embedding, or a parameter that is unknown or impossible.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase | None = None, **kwargs: Any):
        _check_model(model, tokenizer)
        self._texts = TextEncoder(tokenizer, max_length=_UNBOUNDED)
        self._words = WordEncoder(tokenizer)
        super().__init__(model=model, tokenizer=tokenizer, **kwargs)

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict, dict, dict]:
        known = {name: kwargs.pop(name) for name in _PARAMETERS if name in kwargs}
        if kwargs:
            raise ValueError(
                f"The pipeline has no parameter {next(iter(kwargs))!r}: it takes {', '.join(_PARAMETERS)} and "
                "batch_size."
            )
        for name in ("split_sentences", "is_split_into_words"):
            if not isinstance(known.get(name, True), bool):
                raise ValueError(f"{name} must be True or False, got {known[name]!r}.")
        count = known.get("n_best")
        if count is not None:
            if type(count) is not int or count < 1:
                raise ValueError(f"n_best must be a whole number of at least 1, got {count!r}.")
            if not self.model.config.use_crf:
                raise ValueError(NO_CRF)
        return known, {}, {}

    def __call__(self, inputs: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Tag a text or many; see the class."""
        kwargs.pop("num_workers", None)
        parameters = self._preprocess_params | self._sanitize_parameters(**kwargs)[0]
        size = self._batch_size if batch_size is None else batch_size
        if size is not None and (type(size) is not int or size < 1):
            raise ValueError(f"batch_size must be a whole number of at least 1, or None, got {size!r}.")
        given = parameters.pop("is_split_into_words", False)
        single = isinstance(inputs, (str, Mapping)) or (given and _is_one_sentence(inputs))
        if isinstance(inputs, (bytes, bytearray)) or not (single or isinstance(inputs, Iterable)):
            raise TypeError(f"The pipeline takes a text or texts, got {type(inputs).__name__}.")
        found = self._stream([inputs] if single else inputs, size, given, **parameters)
        if single:
            return next(found)
        return list(found) if isinstance(inputs, Sequence) else found

    def _stream(
        self,
        inputs: Iterable[Any],
        batch_size: int | None,
        given: bool,
        split_sentences: bool = True,
        n_best: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        remaining, first = iter(inputs), 0
        with BatchWorkers(self.device) as workers:
            while chunk := list(islice(remaining, TEXTS_AT_ONCE)):
                texts = self._read(chunk, first, given, split_sentences)
                parts = [
                    _Part(owner, sentence, window)
                    for owner, text in enumerate(texts)
                    for sentence in text.sentences
                    for window in windows_of(text.ids[slice(*sentence)], self._words.max_length)
                ]
                batches = plan_batches([len(part.window.input_ids) for part in parts], batch_size, workers.count)
                runs = [functools.partial(self._run, [parts[place] for place in batch], n_best) for batch in batches]
                found: list[Any] = [None] * len(parts)
                for batch, wait in zip(batches, workers.start(runs)):
                    for place, result in zip(batch, wait()):
                        found[place] = result
                yield from self._results(texts, parts, found, n_best)
                first += len(chunk)

    def _read(self, chunk: list[Any], first: int, given: bool, split: bool) -> list[_Given]:
        """What was given, with the ids of each word; texts are cut into words together."""
        read = [_text_or_words(entry, position, given) for position, entry in enumerate(chunk, first)]
        texts = [entry for entry in read if isinstance(entry, str)]
        encoded = iter(self._texts(texts) if texts else ())
        return [
            self._of_text(entry, next(encoded), split) if isinstance(entry, str) else self._of_words(entry)
            for entry in read
        ]

    def _of_words(self, words: list[str]) -> _Given:
        return _Given(words, self._words(words), None, [(0, len(words))] if words else [], None)

    def _of_text(self, text: str, encoded: Any, split: bool) -> _Given:
        ids: list[list[int]] = []
        spans: list[tuple[int, int]] = []
        before = None
        for token, span, word in zip(encoded.input_ids, encoded.spans, encoded.word_ids):
            if span is None:
                continue
            if word == before:
                ids[-1].append(token)
                spans[-1] = (spans[-1][0], max(span[1], spans[-1][1]))
            else:
                ids.append([token])
                spans.append(span)
            before = word
        ids = [own[: self._words.max_length] for own in ids]
        sentences = sentences_of(text, spans) if split else [(0, len(spans))] if spans else []
        return _Given([text[start:end] for start, end in spans], ids, spans, sentences, text)

    def _run(self, parts: list[_Part], n_best: int | None) -> list[tuple[np.ndarray, ...]]:
        """Tags, probabilities and attention of the words of each window, and the best sequences."""
        ids, mask = pad_ids([part.window.input_ids for part in parts], self.model.config.pad_token_id)
        inputs = {"input_ids": torch.from_numpy(ids)}
        if not mask.all():
            inputs["attention_mask"] = torch.from_numpy(mask)
        context = self._attends
        options = {"output_attentions": context} | ({} if n_best is None else {"n_best": n_best})
        outputs = self.forward(inputs, **options)
        # A tag that is impossible in a CRF has no finite logarithm of its probability; NaN is what is broken.
        scores, tags = outputs["logits"].float().softmax(-1).max(-1)
        if scores.isnan().any():
            raise ValueError("The model computes NaN: load its weights again if they are damaged.")
        attention = outputs["attentions"][-1][:, :, 0].float().mean(1).numpy() if context else None
        found = []
        for row, part in enumerate(parts):
            starts = part.window.starts
            weights = None if attention is None else attention[row][starts]
            sequences = None
            if n_best is not None:
                tags_of_best, logs = outputs["sequences"][row], outputs["sequences_scores"][row]
                sequences = tags_of_best[:, starts].numpy(), logs.exp().numpy()
            found.append((tags[row].numpy()[starts], scores[row].numpy()[starts], weights, sequences))
        return found

    @property
    def _attends(self) -> bool:
        """Whether the model reads its sentence by attention, and so has a weight for each word."""
        config = self.model.config
        return config.sentence_context and "attention" in config.poolings

    def get_inference_context(self) -> Callable[[], Any]:
        return torch.inference_mode

    def _forward(self, model_inputs: dict[str, torch.Tensor], **kwargs: Any) -> Any:
        return self.model(**model_inputs, **kwargs)

    def _results(
        self, texts: list[_Given], parts: list[_Part], found: list[Any], n_best: int | None
    ) -> Iterator[dict[str, Any]]:
        names = self.model.config.id2label
        by_owner: list[list[tuple[_Part, Any]]] = [[] for _ in texts]
        for part, result in zip(parts, found):
            by_owner[part.owner].append((part, result))
        for text, own in zip(texts, by_owner):
            yield self._result(text, own, names, n_best)

    def _result(
        self, text: _Given, own: list[tuple[_Part, Any]], names: Mapping[int, str], n_best: int | None
    ) -> dict[str, Any]:
        words: list[dict[str, Any]] = []
        attention: list[dict[str, Any]] = []
        alternatives: list[list[dict[str, Any]]] = []
        for (sentence, _), (part, (tags, scores, weights, sequences)) in ((each[0].sentence, each) for each in own):
            first, last = part.window.kept
            inside = slice(first - part.window.first, last - part.window.first)
            places = range(sentence + first, sentence + last)
            for place, tag, score in zip(places, tags[inside].tolist(), scores[inside].tolist()):
                span = {} if text.spans is None else dict(zip(("start", "end"), text.spans[place]))
                words.append({"word": text.words[place], "tag": names[tag], "score": score, **span})
            if weights is not None:
                entries = zip(words[-len(places) :] if len(places) else (), weights[inside].tolist())
                attention += [{"text": word.pop("word"), **word, "weight": weight} for word, weight in _bare(entries)]
            if sequences is not None:
                rows = zip(sequences[0], sequences[1].tolist())
                alternatives.append(
                    [{"tags": [names[tag] for tag in row[inside]], "score": score} for row, score in rows if score > 0]
                )
        result: dict[str, Any] = {"entities": self._entities(text, words), "words": words}
        if self._attends:
            result["attention"] = attention
        return result | ({} if n_best is None else {"alternatives": alternatives})

    def _entities(self, text: _Given, words: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.model.config.tagging_scheme is None:
            return []
        found = []
        for sentence in text.sentences:
            tags = [word["tag"] for word in words[slice(*sentence)]]
            for start, end, kind in spans_of(tags) if any(tag != OUTSIDE for tag in tags) else ():
                first, last = sentence[0] + start, sentence[0] + end - 1
                score = min(word["score"] for word in words[first : last + 1])
                found.append(_entity(text, kind, score, first, last))
        return found

    def save_pretrained(self, save_directory: str, **kwargs: Any) -> None:
        """Save the model, its code and the tokenizer; the model writes this pipeline into its config.json."""
        self.model.save_pretrained(save_directory, **kwargs)
        self.tokenizer.save_pretrained(save_directory, **kwargs)


_PARAMETERS = ("split_sentences", "n_best", "is_split_into_words")
# Parts are made of the words, not of the text.
_UNBOUNDED = 100_000_000


def _entity(text: _Given, kind: str, score: float, first: int, last: int) -> dict[str, Any]:
    entity: dict[str, Any] = {"entity_group": kind, "score": score}
    if text.spans is None:
        entity["word"] = " ".join(text.words[first : last + 1])
    else:
        start, end = text.spans[first][0], text.spans[last][1]
        entity |= {"word": text.text[start:end], "start": start, "end": end}
    return entity | {"first": first, "last": last}


def _bare(entries: Iterable[tuple[dict[str, Any], float]]) -> Iterator[tuple[dict[str, Any], float]]:
    """Words without what the tags say of them."""
    for word, weight in entries:
        yield {name: value for name, value in word.items() if name not in ("tag", "score")}, weight


def _is_one_sentence(inputs: Any) -> bool:
    """Whether words were given, and not lists of words."""
    return isinstance(inputs, (list, tuple)) and all(isinstance(word, str) for word in inputs)


def _text_or_words(entry: Any, position: int, given: bool) -> str | list[str]:
    """A text, or a list of words, from what was given at a position."""
    if isinstance(entry, Mapping):
        keys = [key for key in (*_TEXT_KEYS, *_WORD_KEYS) if key in entry]
        if len(entry) != 1 or not keys:
            shown = ", ".join(map(repr, entry)) or "no keys"
            raise ValueError(
                f'Text number {position} is a dictionary with {shown}: give {{"text": …}}, or {{"tokens": […]}}.'
            )
        given, entry = keys[0] in _WORD_KEYS, entry[keys[0]]
    if given:
        if isinstance(entry, str) or not isinstance(entry, Sequence):
            raise TypeError(f"Text number {position} is of type {type(entry).__name__}, not a list of words.")
        wrong = next((word for word in entry if not isinstance(word, str)), None)
        if wrong is not None:
            raise TypeError(f"Text number {position} has {wrong!r} among its words: words are texts.")
        return check_texts(entry, position)
    return check_texts([entry], position)[0]


def _check_model(model: Any, tokenizer: PreTrainedTokenizerBase | None) -> None:
    if not hasattr(model, "crf"):
        raise ValueError(
            f'The model is a {type(model).__name__}, no tagger of this package: use pipeline("token-classification").'
        )
    if tokenizer is not None and len(tokenizer) > model.config.vocab_size:
        raise ValueError(
            f"The tokenizer has {len(tokenizer)} tokens, but the model's embedding has {model.config.vocab_size} "
            "rows: load the tokenizer that belongs to the model."
        )
    model.check_trained()
