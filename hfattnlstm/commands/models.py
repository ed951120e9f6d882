"""Models as the commands load them: whole, or refused with one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    Pipeline,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    pipeline,
)

from .._heads import (
    ATTENTION_IMAGE_TEXT_CLASSIFICATION,
    ATTENTION_IMAGE_TO_TEXT,
    ATTENTION_TEXT_CLASSIFICATION,
    ATTENTION_TOKEN_CLASSIFICATION,
)
from .._places import loading_from
from ..deploy.onnx_base import find_onnx_file
from ..deploy.onnx_model import is_onnx, onnx_pipeline
from ..modeling.modeling_token_classification import AttnLSTMForTokenClassification
from ..modeling.pair_processor import PairProcessor
from ..modeling.pipeline_text2text import AttnLSTMText2TextPipeline
from ..modeling.pipeline_text_classification import (
    AttnLSTMTextClassificationPipeline,
    CalibratedTextClassificationPipeline,
)
from ..modeling.pipeline_token_classification import AttnLSTMTokenClassificationPipeline


_OF_PICTURES = "AttnLSTMForImageTextClassification"
_WRITER, _CAPTIONER = "AttnLSTMForConditionalGeneration", "AttnLSTMForImageCaptioning"


def load_config(name: str, trust_remote_code: bool = False) -> PretrainedConfig:
    """The configuration of a text classifier.

    Args:
        name: Folder or Hub name, or what was exported.
        trust_remote_code: Whether to run the code in the checkpoint.

    Raises:
        OSError: There is no such model.
        ValueError: It is damaged, or no classifier.

    Example:

    ```python
    >>> load_config("my-model").num_labels
    2
    ```
    """
    config = load_backbone_config(_onnx_folder(name) or name, trust_remote_code)
    kinds = _architectures(config)
    if describes_pictures(config):
        raise ValueError(
            f"{name} describes pictures, which this command does not: ask for one with hfattnlstm explain --image, or "
            f"for many with pipeline({ATTENTION_IMAGE_TO_TEXT!r}) in Python."
        )
    if reads_pictures(config):
        raise ValueError(
            f"{name} reads texts with a picture each, which this command does not: ask for one with hfattnlstm "
            f"explain --image, or for many with pipeline({ATTENTION_IMAGE_TEXT_CLASSIFICATION!r}) in Python."
        )
    own = is_tagger(config) or writes_texts(config)
    if kinds and not own and not any(kind.endswith("ForSequenceClassification") for kind in kinds):
        raise ValueError(f"{name} is the checkpoint of an {kinds[0]}, which labels no texts: name a text classifier.")
    return config


def _architectures(config: PretrainedConfig) -> Sequence[str]:
    return getattr(config, "architectures", None) or ()


def is_tagger(config: PretrainedConfig) -> bool:
    """Whether a model of this package tags words.

    Example:

    ```python
    >>> is_tagger(load_config("my-model"))
    False
    ```
    """
    return AttnLSTMForTokenClassification.__name__ in _architectures(config)


def reads_pictures(config: PretrainedConfig) -> bool:
    """Whether a model of this package reads texts with a picture each.

    Example:

    ```python
    >>> reads_pictures(load_config("my-model"))
    False
    ```
    """
    return _OF_PICTURES in _architectures(config)


def writes_texts(config: PretrainedConfig) -> bool:
    """Whether a model of this package writes a text from a text.

    Example:

    ```python
    >>> writes_texts(load_config("my-model"))
    False
    ```
    """
    return _WRITER in _architectures(config)


def load_writer(name: str, config: PretrainedConfig, trust_remote_code: bool = False) -> Pipeline:
    """The pipeline of a model that writes, with its tokenizers.

    Args:
        name: Folder or Hub name.
        config: Its configuration, see [`load_config`].
        trust_remote_code: Whether to run the code in the checkpoint.

    Raises:
        OSError: A file is missing.
        ValueError: One is damaged, or they do not fit together.

    Example:

    ```python
    >>> load_writer("translator", load_config("translator"))("Ein Hund bellt.")["generated_text"]
    'A dog barks.'
    ```
    """
    model = load_model(name, config, trust_remote_code, AutoModelForSeq2SeqLM)
    with _loading(name, "tokenizer") as place:
        processor = PairProcessor.from_pretrained(place, config)
    return AttnLSTMText2TextPipeline(
        model, processor.tokenizer, None if processor.is_joint else processor.target_tokenizer
    )


def describes_pictures(config: PretrainedConfig) -> bool:
    """Whether a model of this package writes a text from a picture.

    Example:

    ```python
    >>> describes_pictures(load_config("my-model"))
    False
    ```
    """
    return _CAPTIONER in _architectures(config)


def load_tagger(name: str, config: PretrainedConfig, trust_remote_code: bool = False) -> Pipeline:
    """The pipeline of a tagger with its tokenizer.

    Args:
        name: Folder or Hub name.
        config: Its configuration, see [`load_config`].
        trust_remote_code: Whether to run the code in the checkpoint.

    Raises:
        OSError: A file is missing.
        ValueError: One is damaged, or they do not fit together.

    Example:

    ```python
    >>> load_tagger("my-tagger", load_config("my-tagger"))("In Paris")["entities"][0]["word"]
    'Paris'
    ```
    """
    folder = _onnx_folder(name)
    if folder is not None:
        with loading_from(folder):
            return onnx_pipeline(name)
    model = load_model(name, config, trust_remote_code, AutoModelForTokenClassification)
    own = AttnLSTMTokenClassificationPipeline
    tokenizer = load_tokenizer(name, trust_remote_code)
    return pipeline(ATTENTION_TOKEN_CLASSIFICATION, model=model, tokenizer=tokenizer, pipeline_class=own)


def load_backbone_config(name: str, trust_remote_code: bool = False) -> PretrainedConfig:
    """The configuration of any model, with or without a head; see [`load_config`].

    Example:

    ```python
    >>> load_backbone_config("my-model").hidden_size
    256
    ```
    """
    with _loading(name) as place:
        return AutoConfig.from_pretrained(place, trust_remote_code=trust_remote_code)


def load_model(
    name: str,
    config: PretrainedConfig,
    trust_remote_code: bool = False,
    auto_class: Any = AutoModelForSequenceClassification,
) -> PreTrainedModel:
    """The model itself, all of whose weights come from the checkpoint.

    Args:
        name: Folder or Hub name.
        config: Its configuration, see [`load_config`].
        trust_remote_code: Whether to run the code in the checkpoint.
        auto_class: What loads it.

    Raises:
        OSError: There are no weights.
        ValueError: They are damaged, incomplete or of other shapes than the configuration says.

    Example:

    ```python
    >>> type(load_model("my-model", load_config("my-model"))).__name__
    'AttnLSTMForSequenceClassification'
    ```
    """
    with _loading(name) as place:
        # Without ignore_mismatched_sizes it would print a long report; what it reports is refused below.
        model, report = auto_class.from_pretrained(
            place,
            config=config,
            trust_remote_code=trust_remote_code,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    _check_report(name, report)
    return model


def _check_report(name: str, report: dict[str, Any]) -> None:
    """transformers begins anew, at random, what a checkpoint lacks."""
    if report["mismatched_keys"]:
        key, found, expected = sorted(report["mismatched_keys"])[0]
        raise ValueError(
            f"The weights of {name} do not fit its config.json: {key} has the shape {tuple(found)}, not "
            f"{tuple(expected)}. Put the config.json there that was saved with them."
        )
    missing = sorted(report["missing_keys"])
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"The weights of {name} are incomplete: {missing[0]}{others} is missing. Save or download the model again."
        )


def load_tokenizer(name: str, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer that was saved with a model.

    Args:
        name: Folder or Hub name.
        trust_remote_code: Whether to run the code in the checkpoint.

    Raises:
        OSError: There is none.
        ValueError: It is damaged.

    Example:

    ```python
    >>> load_tokenizer("my-model").tokenize("Not bad")
    ['not', 'bad']
    ```
    """
    with _loading(name, "tokenizer") as place:
        return AutoTokenizer.from_pretrained(place, trust_remote_code=trust_remote_code)


def load_classifier(name: str, config: PretrainedConfig, trust_remote_code: bool = False) -> Pipeline:
    """The pipeline of a model with its tokenizer: ours, which calibrates the scores and, where the model has attention
    pooling, explains; for other models the stock one.

    Args:
        name: Folder or Hub name, or what was exported.
        config: Its configuration, see [`load_config`].
        trust_remote_code: Whether to run the code in the checkpoint.

    Raises:
        OSError: A file is missing.
        ValueError: One is damaged, or they do not fit together.

    Example:

    ```python
    >>> load_classifier("my-model", load_config("my-model"))("Not bad")[0]["label"]
    'positive'
    ```
    """
    folder = _onnx_folder(name)
    if folder is not None:
        with loading_from(folder):
            return onnx_pipeline(name)
    model = load_model(name, config, trust_remote_code)
    tokenizer = load_tokenizer(name, trust_remote_code)
    if has_attention(config):
        own = AttnLSTMTextClassificationPipeline
        return pipeline(ATTENTION_TEXT_CLASSIFICATION, model=model, tokenizer=tokenizer, pipeline_class=own)
    options = {"pipeline_class": CalibratedTextClassificationPipeline} if hasattr(config, "poolings") else {}
    return pipeline("text-classification", model=model, tokenizer=tokenizer, **options)


def has_attention(config: PretrainedConfig) -> bool:
    """Whether a model has attention pooling, and so a weight for each word."""
    return "attention" in getattr(config, "poolings", ())


def _onnx_folder(model: str) -> str | None:
    """The folder with the config.json of an exported model; None for another model."""
    return str(find_onnx_file(model).parent) if is_onnx(model) else None


@contextlib.contextmanager
def _loading(name: str, what: str = "model") -> Iterator[str]:
    with loading_from(name, what) as place:
        try:
            yield place
        except ValueError as error:
            if "trust_remote_code" not in str(error):
                raise
            reason = "it brings code of its own; read the code, and give --trust_remote_code to have it run."
            raise ValueError(reason) from error
