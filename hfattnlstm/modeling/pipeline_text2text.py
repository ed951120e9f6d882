"""A pipeline that writes a text from each text, and says where the model looked for each word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from os import PathLike
from typing import Any

import numpy as np
from transformers import Pipeline, PreTrainedTokenizerBase
from transformers.utils import logging

from .pair_processor import PairProcessor
from .text_generation import Written, unknown_share, write_texts, written_spans
from .text_inputs import check_texts
from .token_writing import LEVELS, entry_of, token_groups


logger = logging.get_logger(__name__)

# Texts that are read ahead and sorted by length, and those of a batch.
_TEXTS_AT_ONCE, _BATCH = 1_024, 64
# A share of unknown tokens that is told.
_MUCH_UNKNOWN = 0.25
# What a call may say of the tokens that are written, as `generate` takes it.
_GENERATION = (
    *("num_beams", "do_sample", "temperature", "top_k", "top_p", "max_new_tokens", "min_new_tokens", "length_penalty"),
    *("repetition_penalty", "no_repeat_ngram_size", "early_stopping", "num_return_sequences", "use_cache"),
    *("logits_processor", "stopping_criteria", "generation_config", "renormalize_logits", "suppress_tokens"),
)


class AttnLSTMText2TextPipeline(Pipeline):
    """Writes a text from each text, and shows the alignment of the two.

    Load it with `pipeline("attention-text2text", model=folder)` after `import hfattnlstm`, or from a checkpoint alone
    with `trust_remote_code=True`.

    A call takes a text, or a list or iterable of them, and returns for each a dictionary with

        generated_text: What was written.
        score: The mean logarithm of the probabilities of its tokens.
        source: `{"text", "start", "end"}` of each word that was read.
        alignment: `{"text", "start", "end", "weights"}` of each word that was written, with places in it, and how the
            attention was shared out among the words of `source`; it sums to 1 but for what goes to the end of the
            text. Not with `alignment=False`.

    With `num_return_sequences`, a list of such dictionaries stands in the place of each, as `generate` orders them.

    The parameters can be given when the pipeline is made or when it is called:

        alignment: Whether `source` and `alignment` are given; True by default.
        level: What they are given for, `"word"` or `"token"`.
        copy_unknown: Whether words that are not known are copied from where the model looks.
        batch_size: Texts that are computed together, 64 by default.

    and those of `generate`, such as `num_beams`, `max_new_tokens`, `do_sample` or `logits_processor`. What they do not
    say, the model's generation_config does.

    Example:

    ```python
    >>> translator = pipeline("attention-text2text", model="translator")
    >>> result = translator("Ein Hund bellt.")
    >>> result["generated_text"], result["alignment"][1]["text"], result["source"][1]["text"]
    ('A dog barks.', 'dog', 'Hund')
    ```

    Raises:
        TypeError: For an entry that is no text; it names the position.
        ValueError: For a model of another kind or with weights that its checkpoint lacked, a tokenizer with more
            tokens than the model's embedding, or a parameter that is unknown or impossible.
    """

    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = True

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, target_tokenizer: Any | None = None, **kwargs: Any
    ):
        if not hasattr(model, "decoder_embeddings"):
            raise ValueError(f"The model is a {type(model).__name__}, which writes no texts: name one that does.")
        model.check_trained()
        self.pair_processor = _processor_of(model, tokenizer, target_tokenizer)
        super().__init__(model=model, tokenizer=tokenizer, **kwargs)
        self.model.eval()

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict, dict, dict]:
        for name in kwargs:
            if name not in (*_GENERATION, "alignment", "level", "copy_unknown"):
                raise ValueError(
                    f"The pipeline has no parameter {name!r}: it takes alignment, level, copy_unknown, batch_size, "
                    f"and {', '.join(_GENERATION[:8])} and others of generate."
                )
        for name in ("alignment", "copy_unknown"):
            if not isinstance(kwargs.get(name, True), bool):
                raise ValueError(f"{name} must be True or False, got {kwargs[name]!r}.")
        if kwargs.get("level", "word") not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {kwargs['level']!r}.")
        return {}, kwargs, {}

    def __call__(self, inputs: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Write from a text or many; see the class."""
        kwargs.pop("num_workers", None)
        parameters = {**self._forward_params, **self._sanitize_parameters(**kwargs)[1]}
        size = self._batch_size if batch_size is None else batch_size
        if size is not None and (type(size) is not int or size < 1):
            raise ValueError(f"batch_size must be a whole number of at least 1, or None, got {size!r}.")
        if isinstance(inputs, str):
            return next(self._stream([inputs], 1, parameters))
        if isinstance(inputs, (bytes, bytearray, Mapping)) or not isinstance(inputs, Iterable):
            raise TypeError(f"The pipeline takes a text or texts, got {type(inputs).__name__}.")
        found = self._stream(inputs, size or _BATCH, parameters)
        return list(found) if isinstance(inputs, Sequence) else found

    def _stream(self, inputs: Iterable[Any], size: int, parameters: dict[str, Any]) -> Iterator[Any]:
        remaining, first = iter(inputs), 0
        while texts := check_texts(islice(remaining, _TEXTS_AT_ONCE), first):
            found: list[Any] = [None] * len(texts)
            # Those of like length together.
            order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
            for start in range(0, len(order), size):
                places = order[start : start + size]
                for place, result in zip(places, self._results([texts[place] for place in places], parameters)):
                    found[place] = result
            yield from found
            first += len(texts)

    def _results(self, texts: list[str], parameters: dict[str, Any]) -> list[Any]:
        written = self.forward({"texts": texts}, **parameters)["written"]
        each = len(written) // len(texts)
        _tell_unread(written, self.pair_processor)
        shown = [
            self.postprocess({"text": texts[row // each], "written": one}, **parameters)
            for row, one in enumerate(written)
        ]
        if each == 1 and parameters.get("num_return_sequences") is None:
            return shown
        return [shown[row * each : (row + 1) * each] for row in range(len(texts))]

    def save_pretrained(self, save_directory: str | PathLike, **kwargs: Any) -> None:
        """As the base class's, with the tokenizer of what is written, where it is another one."""
        super().save_pretrained(save_directory, **kwargs)
        self.pair_processor.save_pretrained(save_directory)

    def preprocess(self, inputs: str) -> dict[str, Any]:
        """A text as a batch of one."""
        return {"texts": [inputs]}

    def _forward(self, model_inputs: dict[str, Any], **parameters: Any) -> dict[str, Any]:
        options = {name: value for name, value in parameters.items() if name not in ("alignment", "level")}
        return {"written": write_texts(self.model, self.pair_processor, model_inputs["texts"], **options)}

    def postprocess(
        self, model_outputs: dict[str, Any], alignment: bool = True, level: str = "word", **_: Any
    ) -> dict[str, Any]:
        """The result of one text."""
        written: Written = model_outputs["written"]
        result: dict[str, Any] = {"generated_text": written.text, "score": written.score}
        if alignment:
            source, target = self._aligned(model_outputs["text"], written, level)
            result |= {"source": source, "alignment": target}
        return result

    def _aligned(self, text: str, written: Written, level: str) -> tuple[list[dict], list[dict]]:
        """The words or tokens of both texts, those that were written with their weights."""
        spans = [span or (0, 0) for span in written.source.spans]
        read = token_groups(text, spans, level)
        own = written_spans(written, self.pair_processor)
        said = token_groups(written.text, own, level)
        weights = np.stack([written.weights[:, tokens].sum(1) for tokens in read], 1) if read else None
        target = []
        for tokens in said:
            shares = [] if weights is None else weights[tokens].mean(0).tolist()
            target.append({**entry_of(written.text, [own[token] for token in tokens]), "weights": shares})
        return [entry_of(text, [spans[token] for token in tokens]) for tokens in read], target


def _processor_of(model: Any, tokenizer: PreTrainedTokenizerBase, target_tokenizer: Any | None) -> PairProcessor:
    config = model.config
    if config.decoder_vocab_size is not None and target_tokenizer is None:
        if not model.name_or_path:
            raise ValueError("The model writes other tokens than it reads: give target_tokenizer, too.")
        own = PairProcessor.from_pretrained(
            model.name_or_path, config, revision=getattr(config, "_commit_hash", None) or "main"
        )
        target_tokenizer = own.target_tokenizer
    processor = PairProcessor(tokenizer, target_tokenizer)
    for size, own in ((config.vocab_size, tokenizer), (config.target_vocab_size, processor.target_tokenizer)):
        if len(own) > size:
            raise ValueError(
                f"The tokenizer has {len(own)} tokens, but the model's embedding has {size} rows: load the tokenizer "
                "that belongs to the model."
            )
    return processor


def _tell_unread(written: Sequence[Written], processor: PairProcessor) -> None:
    """Say once what was not read of some texts."""
    unknown = unknown_share(written, processor)
    if unknown >= _MUCH_UNKNOWN:
        logger.warning_once(
            f"Of some texts {unknown:.0%} of the tokens are unknown to the model, which cannot read these: are the "
            "texts like those that it has learnt?"
        )
    cut = [one.source.left_out for one in written if one.source.left_out]
    if cut:
        logger.warning_once(
            f"Of some texts the end is not read, because they are too long; of the first {cut[0]:,} characters. Give "
            "them sentence by sentence."
        )
