"""A text classifier in scikit-learn's way, trained by the recipe that all classifications share."""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
import numbers
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from transformers import Pipeline, PreTrainedModel, PrinterCallback, pipeline, set_seed
from transformers.utils import logging

from .._heads import ATTENTION_TEXT_CLASSIFICATION
from .._wording import renamed_in_sentences
from ..data.embedding import run_texts
from ..data.loading import describe_labels
from ..data.progress import no_bars_in_a_notebook, no_progress_bars
from ..data.splitting import split_train
from ..data.tokenization import AUTO, KINDS
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import SINGLE_LABEL
from ..modeling.losses import probabilities
from ..modeling.pipeline_text_classification import AttnLSTMTextClassificationPipeline
from .arguments import RunArguments
from .classification import ClassificationTask
from .classification_arguments import DataArguments, ModelArguments, config_overrides
from .flag_values import BOUNDS
from .ngram_choice import MOST
from .run import make_trainer
from .sklearn_inputs import class_weights_of, classes_of, texts_of
from .trainer import AttnLSTMTrainer


# Parameters that are flags of the model, by the same names.
_OF_MODEL = (
    *("model_name_or_path", "hidden_size", "embedding_size", "num_hidden_layers"),
    *("embedding_dropout", "classifier_dropout"),
    *("tokenizer_kind", "vocab_size", "lowercase", "max_length", "classifier_ngrams"),
)
# The parameters that are numbers, and the flags that have their bounds.
_WHOLE = {
    **{name: name for name in ("hidden_size", "embedding_size", "num_hidden_layers", "vocab_size", "max_length")},
    "classifier_ngrams": "classifier_ngrams",
    "batch_size": "per_device_train_batch_size",
    "early_stopping_patience": "early_stopping_patience",
}
_REAL = {name: name for name in ("embedding_dropout", "classifier_dropout", "num_train_epochs", "learning_rate")}
_MAY_BE_NONE = ("max_length", "num_train_epochs", "early_stopping_patience")


class AttnLSTMClassifier(ClassifierMixin, BaseEstimator):
    """A text classifier with scikit-learn's methods: an LSTM with attention, and a tokenizer trained on the texts.

    It is trained as `hfattnlstm train` trains, in a temporary folder, and leaves the caller's random generators as
    they were. The parameters have the names and defaults of the command's flags, but for a few of scikit-learn's.

    Args:
        model_name_or_path: A language model to begin with, such as `"attnlstm-base-reviews"`, which comes with the
            package and is for English opinions; a new model when it is None. It has decided the two sizes below. Its
            tokenizer is taken, unless one of the parameters of tokenizers asks for another.
        hidden_size: Width of the states, both directions together.
        embedding_size: Width of the embedding.
        num_hidden_layers: LSTM layers.
        classifier_pooling: One or several of attention, mean, max, last and sum.
        embedding_dropout, classifier_dropout: Dropout on the embeddings, and before the logits.
        tokenizer_kind: `"auto"`, `"word"`, `"wordpiece"`, `"bpe"`, `"unigram"` or `"char"`.
        vocab_size: Tokens that the tokenizer has at most.
        lowercase: Whether it lower-cases.
        max_length: Tokens that are read of a text; 400, or what a tokenizer says that is taken, when it is None.
        classifier_ngrams: Runs of two or three tokens that the linear classifier beside the LSTM knows at most; with
            0, there is none, and none without held-out texts, on which the two are weighed.
        num_train_epochs: Passes over the texts; when it is None, as many as give 1,000 updates, but 2 to 40.
        learning_rate: The highest one.
        batch_size: Texts in a training batch.
        class_weight: `"balanced"`, or a dictionary with the weights of classes.
        validation_size: Share or number of the texts that are held out, to keep the best epoch; None to learn from
            all of them and keep the last.
        early_stopping_patience: Stop after this many epochs without a better accuracy on those.
        random_state: Seed of the weights, the batches and the held-out texts; equal ones give equal models. The
            command's is 42.
        verbose: Whether to show bars and the scores of each epoch.

    Attributes:
        model_: The trained [`AttnLSTMForSequenceClassification`].
        tokenizer_: Its tokenizer.
        classes_: The labels, sorted, (classes,).
        n_iter_: Passes over the texts that were made.
        n_features_in_: 1, the column of texts.
        feature_names_in_: Its name, (1,), after a fit on a table.

    Raises:
        ValueError: From `fit`, for parameters, texts or labels that cannot be used.
        NotFittedError: From the other methods, before `fit`.

    Example:

    ```python
    >>> classifier = AttnLSTMClassifier(random_state=0).fit(texts, labels)
    >>> classifier.predict(["Not bad at all"])
    array(['positive'], dtype='<U8')
    >>> classifier.save_pretrained("my-model")
    ```
    """

    def __init__(
        self,
        *,
        model_name_or_path: str | None = None,
        hidden_size: int = 256,
        embedding_size: int = 128,
        num_hidden_layers: int = 1,
        classifier_pooling: str | Sequence[str] = ("attention", "max"),
        embedding_dropout: float = 0.3,
        classifier_dropout: float = 0.3,
        tokenizer_kind: str = "auto",
        vocab_size: int = 30_000,
        lowercase: bool = True,
        max_length: int | None = None,
        classifier_ngrams: int = MOST,
        num_train_epochs: float | None = None,
        learning_rate: float = 2e-3,
        batch_size: int = 32,
        class_weight: str | dict | None = None,
        validation_size: float | int | None = 0.1,
        early_stopping_patience: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.model_name_or_path = model_name_or_path
        self.hidden_size = hidden_size
        self.embedding_size = embedding_size
        self.num_hidden_layers = num_hidden_layers
        self.classifier_pooling = classifier_pooling
        self.embedding_dropout = embedding_dropout
        self.classifier_dropout = classifier_dropout
        self.tokenizer_kind = tokenizer_kind
        self.vocab_size = vocab_size
        self.lowercase = lowercase
        self.max_length = max_length
        self.classifier_ngrams = classifier_ngrams
        self.num_train_epochs = num_train_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.validation_size = validation_size
        self.early_stopping_patience = early_stopping_patience
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> AttnLSTMClassifier:  # noqa: N803
        """Learn from texts and their labels, anew.

        Args:
            X: Texts: a list, an array, a column, a generator, or a table with one column.
            y: One label a text: strings, whole numbers or booleans.
        """
        values = _checked(self.get_params(deep=False))
        texts, names = texts_of(X)
        classes, codes = classes_of(y, len(texts))
        weights = class_weights_of(self.class_weight, classes)
        seed = _seed(self.random_state)
        features = Features({"text": Value("string"), "label": ClassLabel(names=list(map(str, classes.tolist())))})
        examples = Dataset.from_dict({"text": texts, "label": codes}, features=features)
        with tempfile.TemporaryDirectory(prefix="hfattnlstm-") as folder, _generators_kept():
            task = _TextsInMemory(examples, values, weights, seed, folder)
            trainer = _train(task, self.verbose)
        self.model_, self.tokenizer_ = trainer.model.eval(), trainer.processing_class
        self.classes_, self.n_features_in_ = classes, 1
        self.n_iter_ = math.ceil(trainer.state.epoch)
        vars(self).pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The most probable label of each text, (texts,)."""
        chosen = self._logits(X).argmax(axis=1)
        return self.classes_[chosen]

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """The calibrated probability of each class, float64 (texts, classes), in the order of `classes_`."""
        logits = torch.from_numpy(self._logits(X)).double()
        return probabilities(logits, SINGLE_LABEL, self.model_.config.calibration_temperature).numpy()

    def to_pipeline(self) -> Pipeline:
        """The pipeline that shows the attention on each word with the label; it shares the model.

        Example:

        ```python
        >>> classifier.to_pipeline()("Not bad at all")[0]["attention"][0]
        {'text': 'Not', 'start': 0, 'end': 3, 'weight': 0.41}
        ```
        """
        check_is_fitted(self, "model_")
        own = AttnLSTMTextClassificationPipeline
        task = ATTENTION_TEXT_CLASSIFICATION
        return pipeline(task, model=self.model_, tokenizer=self.tokenizer_, pipeline_class=own)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Save model and tokenizer as a folder that `pipeline`, the Auto classes and `hfattnlstm predict` load.

        The labels are saved by their names; to keep this object with its parameters, pickle it.
        """
        check_is_fitted(self, "model_")
        with _bars(self.verbose):
            self.model_.save_pretrained(folder)
            self.tokenizer_.save_pretrained(folder)

    def _logits(self, samples: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        texts, names = texts_of(samples)
        known = getattr(self, "feature_names_in_", None)
        if names is not None and known is not None and names[0] != known[0]:
            raise ValueError(
                f"The column is called {names[0]!r}, and in fit it was {known[0]!r}: choose or rename it."
            )
        return run_texts(texts, self.model_, self.tokenizer_, _logits_of, len(self.classes_))

    def __getstate__(self) -> dict[str, Any]:
        """As the base class's; the model is kept for any machine, with an accelerator or without."""
        state = dict(super().__getstate__())
        if "model_" in state and state["model_"].device.type != "cpu":
            state["model_"] = copy.deepcopy(state["model_"]).cpu()
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags


class _TextsInMemory(ClassificationTask):
    """The classification of texts that are no file; `values` are the parameters, checked."""

    def __init__(self, examples: Dataset, values: dict[str, Any], weights: list[str] | None, seed: int, folder: str):
        self._examples, self._held_out = examples, values["validation_size"]
        model = ModelArguments(
            **{name: values[name] for name in _OF_MODEL},
            classifier_pooling=values["classifier_pooling"],
            class_weights=weights,
        )
        measures = self._held_out is not None
        training = RunArguments(
            output_dir=folder,
            num_train_epochs=values["num_train_epochs"],
            learning_rate=values["learning_rate"],
            per_device_train_batch_size=values["batch_size"],
            early_stopping_patience=values["early_stopping_patience"],
            do_eval=measures,
            save_strategy="epoch" if measures else "no",
            # Nobody goes on from these checkpoints.
            save_only_model=True,
            disable_tqdm=not values["verbose"],
            seed=seed,
        )
        super().__init__(DataArguments(split_seed=seed), model, training)
        # It refuses sizes that do not go together.
        AttnLSTMConfig(**config_overrides(model))

    def load(self) -> DatasetDict:
        """The texts, of which some are held out."""
        self.problem_type, self.label_names = describe_labels(self._examples.features)
        self.start = self._starting_point()
        if self.start is not None and not self.start.is_pretrained:
            raise ValueError(
                f"model_name_or_path {self.start.name!r} is no language model, such as hfattnlstm pretrain makes: go "
                "on from a classifier with hfattnlstm train."
            )
        if self._held_out is None:
            return DatasetDict(train=self._examples)
        self.held_out = True
        train, validation = split_train(self._examples, self._held_out, self.data.split_seed)
        return DatasetDict(train=train, validation=validation)


def _train(task: _TextsInMemory, verbose: bool) -> AttnLSTMTrainer:
    with _bars(verbose), renamed_in_sentences({"kind": "tokenizer_kind"}):
        set_seed(task.training.seed)
        trainer, encoded = make_trainer(task, task.load())
        if not verbose:
            # It prints what the bars would show.
            trainer.remove_callback(PrinterCallback)
        trainer.train()
        task.finish(trainer, encoded)
        task.learn_held_out()
    return trainer


@contextlib.contextmanager
def _bars(shown: bool) -> Iterator[None]:
    """With the bars of the libraries below, or without these and a remark on checkpoints of the same second."""
    if shown:
        with no_bars_in_a_notebook():
            yield
        return
    logger = logging.get_logger("transformers.trainer_utils")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with no_progress_bars():
            yield
    finally:
        logger.setLevel(level)


def _logits_of(model: PreTrainedModel, input_ids: Tensor, mask: Tensor) -> Tensor:
    return model(input_ids, mask).logits


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    """Give the random generators of Python, numpy and torch back as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _seed(random_state: Any) -> int:
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        if not BOUNDS["seed"].holds(random_state):
            raise ValueError(f"random_state must be {BOUNDS['seed'].words}, got {random_state}.")
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def _checked(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters as the flags take them; ValueError for one that cannot be used."""
    values = dict(parameters)
    for flags, whole in ((_WHOLE, True), (_REAL, False)):
        for name, flag in flags.items():
            if values[name] is not None or name not in _MAY_BE_NONE:
                values[name] = _number(name, values[name], flag, whole)
    for name in ("lowercase", "verbose"):
        if not isinstance(values[name], (bool, np.bool_)):
            raise ValueError(f"{name} must be True or False, got {values[name]!r}.")
    if values["model_name_or_path"] is not None:
        _check_sizes(values)
    if values["tokenizer_kind"] not in (AUTO, *KINDS):
        raise ValueError(
            f"tokenizer_kind must be one of {', '.join((AUTO, *KINDS))}, got {values['tokenizer_kind']!r}."
        )
    values["classifier_pooling"] = _poolings(values["classifier_pooling"])
    values["validation_size"] = _held_out(values["validation_size"])
    if values["validation_size"] is None and values["early_stopping_patience"] is not None:
        raise ValueError("early_stopping_patience needs held-out texts: give validation_size, or leave it out.")
    return values


def _check_sizes(values: dict[str, Any]) -> None:
    """Refuse what the weights of a model to begin with have decided."""
    name = values["model_name_or_path"]
    if not isinstance(name, (str, os.PathLike)):
        raise ValueError(f"model_name_or_path must be a folder or a name, got {name!r}.")
    values["model_name_or_path"] = os.fspath(name)
    defaults = inspect.signature(AttnLSTMClassifier).parameters
    for size in ("hidden_size", "embedding_size"):
        if values[size] != defaults[size].default:
            raise ValueError(f"{size} is decided by the weights of {name}: leave it or model_name_or_path out.")


def _number(name: str, value: Any, flag: str, whole: bool) -> int | float:
    kind, bound = numbers.Integral if whole else numbers.Real, BOUNDS[flag]
    if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value) or not bound.holds(value):
        words = "a whole number" if whole else "a number"
        raise ValueError(f"{name} must be {words}, {bound.words}, got {value!r}.")
    return int(value) if whole else float(value)


def _poolings(value: Any) -> list[str]:
    """As a list; which names there are is known to the configuration."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"classifier_pooling must be one name or several, such as 'attention', got {value!r}.")
    return list(names)


def _held_out(value: Any) -> float | int | None:
    if value is None:
        return None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if is_number and isinstance(value, numbers.Integral) and value >= 1:
        return int(value)
    if is_number and 0 < value < 1:
        return float(value)
    raise ValueError(
        f"validation_size must lie between 0 and 1, or be a whole number of texts, or None, got {value!r}."
    )
