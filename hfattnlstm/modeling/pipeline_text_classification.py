"""Text-classification pipelines: one with calibrated scores, and one that also gives the attention on each word."""

from __future__ import annotations

import copy
import functools
import numbers
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.pipelines.text_classification import ClassificationFunction, TextClassificationPipeline
from transformers.utils import logging

from .attention_entries import LEVELS, attention_entries
from .batch_workers import BatchWorkers, plan_batches
from .compute_dtype import dtype_name, has_fast_bfloat16, same_answers
from .configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from .configuration_checks import check_threshold
from .shown_results import ShownResults, shown_result
from .text_cuts import TRUNCATIONS
from .text_inputs import EncodedText, TextEncoder, longest_input, pad_ids
from .text_rows import text_or_row


logger = logging.get_logger(__name__)

FUNCTIONS = [function.value for function in ClassificationFunction]
# What makes scores of the logits.
FUNCTION_OF = {
    REGRESSION: ClassificationFunction.NONE,
    SINGLE_LABEL: ClassificationFunction.SOFTMAX,
    MULTI_LABEL: ClassificationFunction.SIGMOID,
}
# The parameters that say how many labels are given, with what the stock pipeline notes beside `top_k`.
LABELS_GIVEN = ("threshold", "top_k", "_legacy")
# Texts read ahead and sorted by length: enough that a batch has little padding, few enough to stream. The first window
# of a stream is smaller, and each has twice as many as the one before: the first results come soon.
WINDOW_TEXTS = 1024
FIRST_WINDOW_TEXTS = 32
WINDOW_CHARACTERS = 4_000_000
# With dtype "auto", how many of the first texts are compared.
TEXTS_TO_COMPARE = 32
# What one result is for: a text, or a row of texts that are read together.
Text = str | tuple[str, ...]
# A progress bar appears after this many seconds.
PROGRESS_DELAY = 2.0


class _Parameters(NamedTuple):
    """Those of a call: for texts, for the model, and for results."""

    preprocess: dict[str, Any]
    forward: dict[str, Any]
    postprocess: dict[str, Any]


@dataclass(frozen=True)
class _Window:
    """Texts that are on their way: as they were read, and for each batch its positions and a wait for its results."""

    texts: list[Text]
    batches: list[list[int]]
    waits: list[Callable[[], list[Any]]]

    def results(self) -> list[Any]:
        found: list[Any] = [None] * len(self.texts)
        for batch, wait in zip(self.batches, self.waits):
            for index, result in zip(batch, wait()):
                found[index] = result
        return found


class CalibratedTextClassificationPipeline(TextClassificationPipeline):
    """The stock pipeline for models of this package, with their calibrated probabilities for scores.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model", pipeline_class=CalibratedTextClassificationPipeline)
    >>> classifier("Not bad at all")[0]["label"]
    'positive'
    ```
    """

    def postprocess(
        self,
        model_outputs: dict[str, torch.Tensor],
        function_to_apply: ClassificationFunction | None = None,
        **parameters: Any,
    ) -> Any:
        """As the base class's. The function of the problem type, named or not, gets logits divided by the config's
        `calibration_temperature`; another one gets them as they are.
        """
        own = FUNCTION_OF[self.model.config.resolve_problem_type()]
        function, logits = function_to_apply or own, model_outputs["logits"]
        if function == own:
            logits = logits.float() / self.model.config.calibration_temperature
        return super().postprocess({"logits": logits}, function, **parameters)


class AttnLSTMTextClassificationPipeline(CalibratedTextClassificationPipeline):
    """Labels texts and shows the pooling attention on each word; one forward pass gives both.

    Load it with `pipeline("attention-text-classification", model=folder)` after `import hfattnlstm`, or from a
    checkpoint alone with `trust_remote_code=True`.

    The parameters can be given when the pipeline is made or when it is called:

        level: `"word"` (the default) or `"token"`. The weights of the pieces of a word are added.
        per_head: Whether each entry also has `head_weights`, one number a head; `weight` is their mean.
        truncation: `"head"`, `"tail"` or `"head_tail"`, the part of a long text that is read; the config's by default.
        max_length: Tokens that are read of a text; the tokenizer's `model_max_length` by default.
        dtype: `"float32"`, `"bfloat16"` or `"float16"` to compute in; `"auto"` for bfloat16 where the processor is
            faster in it and the first texts get the same answers; the model's own by default. In a call only. The
            choice is made, and the weights are converted, once: make a new pipeline after training on.
        batch_size: Most texts in a batch; without it, as many as fit into the processor's cache.
        progress_bar: Whether to show one: by default in a terminal, for a list that takes longer than two seconds.
        top_k: How many labels are given, best first; None for all of them.
        threshold: For multi-label models, the probability above which labels are given, one number or a list with
            one a label; the config's by default. In a call, it takes the place of a `top_k` from before, and the
            other way round.
        function_to_apply: `"sigmoid"`, `"softmax"` or `"none"` makes scores of the logits; what the problem type asks
            for by default, which is the only one that a threshold goes with, and the only one whose scores are
            calibrated, by the config's `calibration_temperature`. The others take the logits as they are.

    A call takes a text, a list or another sequence of texts, or an iterable of texts, such as a generator or a column
    of a data set. It returns for each text a dictionary with `label`, `score` and `attention`: a list of
    `{"text", "start", "end", "weight"}`, spans in the original string, special tokens left out, weights that sum to 1.
    A text that was cut also has `truncated: True` and `characters_left_out`. With `top_k`, the result of a text is a
    list of such dictionaries; so it is for a multi-label model, with all labels above the threshold, perhaps none. A
    single string gives a list of one result, but with `top_k` in the call the result itself.

    A model of pairs (`text_columns` in its config) takes `{"text": …, "text_pair": …}` in place of a text, as the
    stock pipeline does, or within a list or iterator also a list or tuple of the two. A model of more texts takes such
    rows, or dictionaries by the names of the columns. Each entry of the attention then has `text_index`, the
    place of its text in the row.

    Texts of like length are computed together, and batches side by side on as many cores as `torch.get_num_threads()`
    says. Iterators are read in windows and answered in order, at constant memory. Several threads may call one
    pipeline.

    Example:

    ```python
    >>> classifier = pipeline("attention-text-classification", model="my-model")
    >>> classifier("Not bad at all")
    [{'label': 'positive', 'score': 0.94, 'attention': [{'text': 'Not', 'start': 0, 'end': 3, 'weight': 0.41}, ...]}]
    ```

    Raises:
        TypeError: For an entry that is not a text; it names the position.
        ValueError: For a single text where the model reads a pair, and the other way round, with the position; for a
            model without attention pooling, or with weights that its checkpoint lacked, a tokenizer with more tokens
            than the model's embedding, a parameter that is unknown, impossible, or not for this model, or a text for
            which the model computes NaN or infinity; it names the position.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase | None = None, **kwargs: Any):
        # First of all: the parameters are checked against the model.
        _check_model(model, tokenizer)
        self._encoder = TextEncoder(tokenizer)
        super().__init__(model=model, tokenizer=tokenizer, **kwargs)
        self._batch_size = _whole("batch_size", self._batch_size)
        self._models: dict[str, PreTrainedModel] = {}
        self._takes_bfloat16: bool | None = None

    def _sanitize_parameters(
        self,
        level: str | None = None,
        per_head: bool | None = None,
        truncation: str | bool | None = None,
        max_length: int | None = None,
        dtype: str | torch.dtype | None = None,
        progress_bar: bool | None = None,
        threshold: float | Sequence[float] | None = None,
        **kwargs: Any,
    ) -> tuple[dict, dict, dict]:
        if "top_k" in kwargs:
            kwargs["top_k"] = _whole("top_k", kwargs["top_k"], "None for all labels")
        if kwargs.get("function_to_apply") is not None:
            kwargs["function_to_apply"] = _function(kwargs["function_to_apply"])
        unknown, _, postprocess = super()._sanitize_parameters(**kwargs)
        if unknown:
            raise ValueError(
                f"The pipeline has no parameter {next(iter(unknown))!r}: it takes level, per_head, truncation, "
                "max_length, dtype, progress_bar, threshold, top_k, function_to_apply and batch_size."
            )
        if level is not None:
            if level not in LEVELS:
                raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}.")
            postprocess["level"] = level
        if per_head is not None:
            postprocess["per_head"] = _yes_or_no("per_head", per_head)
        if threshold is not None:
            postprocess["threshold"] = self._checked_threshold(threshold, postprocess)
        preprocess: dict[str, Any] = {}
        if truncation is not None and truncation is not True:
            if truncation not in TRUNCATIONS:
                raise ValueError(f"truncation must be one of {', '.join(TRUNCATIONS)}, got {truncation!r}.")
            preprocess["truncation"] = truncation
        if max_length is not None:
            preprocess["max_length"] = self._encoder.cut_to(max_length, "head").max_length
        forward: dict[str, Any] = {}
        if progress_bar is not None:
            forward["progress_bar"] = _yes_or_no("progress_bar", progress_bar)
        if dtype is not None:
            forward["dtype"] = dtype_name(dtype)
        return preprocess, forward, postprocess

    def _checked_threshold(self, threshold: float | Sequence[float], postprocess: dict) -> float | Sequence[float]:
        check_threshold(threshold, self.model.config.num_labels)
        kind = self.model.config.resolve_problem_type()
        if kind != MULTI_LABEL:
            raise ValueError(
                f"threshold is for multi-label models, and this one's problem_type is {kind!r}: leave it out."
            )
        if "top_k" in postprocess:
            raise ValueError("threshold and top_k both say how many labels are given: leave one of them out.")
        return threshold

    def _parameters(self, **called: Any) -> _Parameters:
        """Those of the call, and those given before; how many labels are given is said once, by either."""
        given = _Parameters(*self._sanitize_parameters(**called))
        postprocess = dict(self._postprocess_params)
        if "threshold" in given.postprocess or "top_k" in given.postprocess:
            postprocess = {key: value for key, value in postprocess.items() if key not in LABELS_GIVEN}
        stored = _Parameters(self._preprocess_params, self._forward_params, postprocess)
        parameters = _Parameters(*({**before, **now} for before, now in zip(stored, given)))
        function = parameters.postprocess.get("function_to_apply", ClassificationFunction.SIGMOID)
        if self._gives_several(parameters.postprocess) and function != ClassificationFunction.SIGMOID:
            raise ValueError(
                "The threshold of a multi-label model is for the probabilities of a sigmoid: leave function_to_apply "
                "out, or give top_k=None for all labels."
            )
        return parameters

    def _gives_several(self, postprocess: dict[str, Any]) -> bool:
        """Whether the labels above the threshold are asked for."""
        return "top_k" not in postprocess and self.model.config.resolve_problem_type() == MULTI_LABEL

    def __call__(
        self, inputs: str | dict[str, str] | Iterable[Any], batch_size: int | None = None, **kwargs: Any
    ) -> Any:
        """Classify a text or many; see the class."""
        if kwargs.pop("num_workers", self._num_workers):
            logger.warning_once("num_workers has no effect here: batches run on torch.get_num_threads() cores.")
        parameters = self._parameters(**kwargs)
        size = self._batch_size if batch_size is None else _whole("batch_size", batch_size)
        if isinstance(inputs, (str, dict)):
            result = next(_with_numbers(self._stream([inputs], size, parameters)))
            # As in the stock pipeline: a single string without top_k in the call gives a list.
            return ShownResults([result]) if isinstance(inputs, str) and "top_k" not in kwargs else result
        # Some data sets have a length and items, but no iterator of their own.
        sized = hasattr(inputs, "__getitem__") and hasattr(inputs, "__len__")
        if isinstance(inputs, (bytes, bytearray)) or not (sized or isinstance(inputs, Iterable)):
            raise TypeError(f"The pipeline takes a text or texts, got {type(inputs).__name__}.")
        texts = inputs if isinstance(inputs, Iterable) else (inputs[index] for index in range(len(inputs)))
        first = WINDOW_TEXTS if sized else FIRST_WINDOW_TEXTS
        stream = _with_numbers(self._stream(texts, size, parameters, first))
        progress_bar = parameters.forward.get("progress_bar")
        if isinstance(inputs, Sequence):
            return ShownResults(_with_progress(stream, len(inputs), progress_bar))
        return _with_progress(stream, None, True) if progress_bar else stream

    def _stream(
        self, texts: Iterable[Any], batch_size: int | None, parameters: _Parameters, first: int = FIRST_WINDOW_TEXTS
    ) -> Iterator[Any]:
        """Results in the order of the texts, window by window; while one is computed, the next one is tokenised."""
        windows = _windows(texts, first, getattr(self.model.config, "text_columns", None))
        error: Exception | None = None
        waiting: deque[_Window] = deque()
        with BatchWorkers(self.device) as workers:
            while True:
                try:
                    window = next(windows, None)
                    if window is not None:
                        waiting.append(self._start(window, workers, batch_size, parameters))
                except Exception as caught:
                    # The results of the texts before come first.
                    error, window = caught, None
                if window is None and not waiting:
                    break
                if window is None or len(waiting) > 1:
                    yield from waiting.popleft().results()
        if error is not None:
            raise error

    def _start(
        self, texts: list[Text], workers: BatchWorkers, batch_size: int | None, parameters: _Parameters
    ) -> _Window:
        encoded = self.preprocess(texts, **parameters.preprocess)
        model = self._model_in(parameters.forward.get("dtype"), encoded)
        batches = plan_batches([len(text.input_ids) for text in encoded], batch_size, workers.count)

        def run(batch: list[int]) -> list[Any]:
            rows = [encoded[index] for index in batch]
            outputs = self.forward(self._collate(rows), model=model)
            return self._results([texts[index] for index in batch], rows, outputs, parameters.postprocess)

        return _Window(texts, batches, workers.start([functools.partial(run, batch) for batch in batches]))

    def preprocess(
        self, inputs: list[Text], truncation: str | None = None, max_length: int | None = None
    ) -> list[EncodedText]:
        """Texts to encoded texts."""
        length = longest_input(self.tokenizer) if max_length is None else max_length
        return self._encoder.cut_to(length, truncation or self.model.config.truncation)(inputs)

    def _collate(self, encoded: list[EncodedText]) -> dict[str, torch.Tensor]:
        ids, mask = pad_ids([text.input_ids for text in encoded], self.model.config.pad_token_id)
        # Without padding the model has less to do.
        inputs = (ids,) if mask.all() else (ids, mask)
        return dict(zip(self.model.config.model_input_names, map(torch.from_numpy, inputs)))

    def get_inference_context(self) -> Callable[[], Any]:
        return torch.inference_mode

    def _forward(self, model_inputs: dict[str, torch.Tensor], model: PreTrainedModel | None = None) -> Any:
        return (model or self.model)(**model_inputs, output_attentions=True)

    def _model_in(self, dtype: str | None, encoded: list[EncodedText]) -> PreTrainedModel:
        """The model in a dtype; with "auto", the choice is made once, on the first texts."""
        if dtype is None:
            return self.model
        if dtype == "auto":
            if self._takes_bfloat16 is None:
                self._takes_bfloat16 = self._may_take_bfloat16(encoded[:TEXTS_TO_COMPARE])
            if not self._takes_bfloat16:
                return self.model
            dtype = "bfloat16"
        if getattr(torch, dtype) == self.model.dtype:
            return self.model
        if dtype not in self._models:
            self._models[dtype] = copy.deepcopy(self.model).to(getattr(torch, dtype))
        return self._models[dtype]

    def _may_take_bfloat16(self, encoded: list[EncodedText]) -> bool:
        # A model that runs elsewhere, such as in ONNX Runtime, has the dtype that it has.
        if not isinstance(self.model, torch.nn.Module) or self.model.dtype != torch.float32:
            return False
        if not has_fast_bfloat16(self.device):
            return False
        inputs = self._collate(encoded)
        exact, rough = (
            self.forward(inputs, model=self._model_in(name, encoded))["logits"] for name in ("float32", "bfloat16")
        )
        config = self.model.config
        kind = config.resolve_problem_type()
        return same_answers(exact, rough, kind, config.threshold, config.calibration_temperature)

    def _results(self, texts: list[Text], encoded: list[EncodedText], outputs: Any, parameters: dict) -> list[Any]:
        """Results of a batch; None for a text for which the model computes NaN or infinity."""
        parameters = dict(parameters)
        level, per_head = parameters.pop("level", "word"), parameters.pop("per_head", False)
        weights = outputs["attentions"][-1][:, :, 0].float().numpy()
        results = []
        for row, (text, tokens) in enumerate(zip(texts, encoded)):
            own = weights[row, :, : len(tokens.input_ids)]
            if not (np.isfinite(own).all() and outputs["logits"][row].isfinite().all()):
                results.append(None)
                continue
            extra: dict[str, Any] = {"attention": attention_entries(text, tokens, own, level, per_head)}
            if tokens.left_out:
                extra |= {"truncated": True, "characters_left_out": tokens.left_out}
            result = self.postprocess({"logits": outputs["logits"][row : row + 1]}, **parameters)
            results.append(shown_result(result, extra, text))
        return results

    def postprocess(
        self,
        model_outputs: dict[str, torch.Tensor],
        function_to_apply: ClassificationFunction | None = None,
        threshold: float | Sequence[float] | None = None,
        **top_k: Any,
    ) -> Any:
        """As the base class's; for a multi-label model, all labels above the threshold."""
        if not self._gives_several(top_k):
            return super().postprocess(model_outputs, function_to_apply, **top_k)
        config = self.model.config
        bounds = thresholds_by_label(config.threshold if threshold is None else threshold, config)
        entries = super().postprocess(model_outputs, function_to_apply, top_k=None, _legacy=False)
        return [entry for entry in entries if entry["score"] > bounds[entry["label"]]]

    def save_pretrained(self, save_directory: str, **kwargs: Any) -> None:
        """Save the model, its code and the tokenizer.

        The model writes this pipeline into its config.json by itself; the base class would write it again, in a form
        that a second save loses.
        """
        self.model.save_pretrained(save_directory, **kwargs)
        self.tokenizer.save_pretrained(save_directory, **kwargs)


def thresholds_by_label(threshold: float | Sequence[float], config: PreTrainedConfig) -> dict[str, float]:
    """The probability above which each label applies, by the label's name; ValueError for what is none.

    Example:

    ```python
    >>> thresholds_by_label([0.3, 0.6], AutoConfig.from_pretrained("my-model"))
    {'negative': 0.3, 'positive': 0.6}
    ```
    """
    check_threshold(threshold, config.num_labels)
    several = isinstance(threshold, Sequence)
    return {name: threshold[index] if several else threshold for index, name in config.id2label.items()}


def _check_model(model: Any, tokenizer: PreTrainedTokenizerBase | None) -> None:
    config = model.config
    if not hasattr(config, "poolings"):
        raise ValueError(
            f'The model is a {type(model).__name__}, without attention pooling: use pipeline("text-classification").'
        )
    if "attention" not in config.poolings:
        raise ValueError(
            f"The model pools by {', '.join(config.poolings)} and has no attention weights: use "
            'pipeline("text-classification").'
        )
    if tokenizer is not None and len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"The tokenizer has {len(tokenizer)} tokens, but the model's embedding has {config.vocab_size} rows: "
            "load the tokenizer that belongs to the model."
        )
    if hasattr(model, "check_trained"):
        model.check_trained()


def _whole(name: str, value: int | None, otherwise: str = "None") -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, or {otherwise}, got {value!r}.")
    return int(value)


def _yes_or_no(name: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}.")
    return value


def _function(name: str | ClassificationFunction) -> ClassificationFunction:
    try:
        return ClassificationFunction(name.lower() if isinstance(name, str) else name)
    except ValueError:
        raise ValueError(f"function_to_apply must be one of {', '.join(FUNCTIONS)}, got {name!r}.") from None


def _with_numbers(results: Iterator[Any]) -> Iterator[Any]:
    """The same results, up to the first text that has none."""
    for position, result in enumerate(results):
        if result is None:
            raise ValueError(
                f"The model computes NaN or infinity for text number {position}: load its weights again if they are "
                'damaged, or use dtype="float32" if float16 overflows.'
            )
        yield result


def _windows(texts: Iterable[Any], most: int, columns: Sequence[str] | None) -> Iterator[list[Text]]:
    """Lists of texts, of bounded number (at first `most`) and size; those before a mistake come before its error."""
    first = 0
    window: list[Text] = []
    size = 0
    try:
        for given in texts:
            text = text_or_row(given, columns, first + len(window))
            window.append(text)
            size += len(text) if columns is None else sum(map(len, text))
            if len(window) >= min(most, WINDOW_TEXTS) or size > WINDOW_CHARACTERS:
                yield window
                first, window, size, most = first + len(window), [], 0, 2 * most
    except Exception:
        if window:
            yield window
        raise
    if window:
        yield window


def _with_progress(results: Iterator[Any], total: int | None, wanted: bool | None) -> Iterator[Any]:
    """The same results, with a bar on standard error; `None` is for a bar in a terminal, if it takes long."""
    hidden = None if wanted is None else not wanted
    delay = PROGRESS_DELAY if wanted is None else 0.0
    with logging.tqdm(total=total, disable=hidden, delay=delay, unit="text") as bar:
        for result in results:
            yield result
            bar.update(1)
