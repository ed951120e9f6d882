"""The models of the package, in the one table from which names, registration and pipelines follow.

Importing it costs nothing: classes are named here, and imported by whoever needs them.
"""

from __future__ import annotations

from typing import NamedTuple


class Pipeline(NamedTuple):
    """A pipeline: the task that it is asked for by, the class, in a module of `hfattnlstm.modeling`, and what it
    reads, as transformers calls it."""

    task: str
    module: str
    name: str
    type: str = "text"


class Head(NamedTuple):
    """A model: its class and its configuration's, each in a module of `hfattnlstm.modeling`.

    Attributes:
        auto_class: The Auto class of transformers that loads the model.
        module, name: Where the model's class is, and what it is called.
        config_module, config_name: The same of its configuration.
        pipeline: The pipeline of its own, if it has one.
    """

    auto_class: str
    module: str
    name: str
    config_module: str
    config_name: str
    pipeline: Pipeline | None = None


ATTENTION_TEXT_CLASSIFICATION = "attention-text-classification"
ATTENTION_TOKEN_CLASSIFICATION = "attention-token-classification"
ATTENTION_IMAGE_TEXT_CLASSIFICATION = "attention-image-text-classification"
ATTENTION_TEXT2TEXT = "attention-text2text"
ATTENTION_IMAGE_TO_TEXT = "attention-image-to-text"
_TEXT_CONFIG = "configuration_attnlstm", "AttnLSTMConfig"
_SERIES_CONFIG = "configuration_forecaster", "AttnLSTMForecasterConfig"
_SEQ2SEQ_CONFIG = "configuration_seq2seq", "AttnLSTMSeq2SeqConfig"

HEADS = (
    Head("AutoModel", "modeling_attnlstm", "AttnLSTMModel", *_TEXT_CONFIG),
    Head("AutoModelForPreTraining", "modeling_pretraining", "AttnLSTMForPreTraining", *_TEXT_CONFIG),
    Head(
        "AutoModelForSequenceClassification",
        "modeling_sequence_classification",
        "AttnLSTMForSequenceClassification",
        *_TEXT_CONFIG,
        Pipeline(ATTENTION_TEXT_CLASSIFICATION, "pipeline_text_classification", "AttnLSTMTextClassificationPipeline"),
    ),
    Head(
        "AutoModelForTokenClassification",
        "modeling_token_classification",
        "AttnLSTMForTokenClassification",
        *_TEXT_CONFIG,
        Pipeline(
            ATTENTION_TOKEN_CLASSIFICATION, "pipeline_token_classification", "AttnLSTMTokenClassificationPipeline"
        ),
    ),
    Head(
        "AutoModelForVisualQuestionAnswering",
        "modeling_image_text_classification",
        "AttnLSTMForImageTextClassification",
        *_TEXT_CONFIG,
        Pipeline(
            ATTENTION_IMAGE_TEXT_CLASSIFICATION,
            "pipeline_image_text_classification",
            "AttnLSTMImageTextClassificationPipeline",
            "multimodal",
        ),
    ),
    Head("AutoModel", "modeling_forecaster", "AttnLSTMForecasterModel", *_SERIES_CONFIG),
    Head(
        "AutoModelForTimeSeriesPrediction",
        "modeling_time_series_prediction",
        "AttnLSTMForTimeSeriesPrediction",
        *_SERIES_CONFIG,
    ),
    Head(
        "AutoModelForSequenceClassification",
        "modeling_time_series_classification",
        "AttnLSTMForTimeSeriesClassification",
        *_SERIES_CONFIG,
    ),
    Head(
        "AutoModelForSeq2SeqLM",
        "modeling_conditional_generation",
        "AttnLSTMForConditionalGeneration",
        *_SEQ2SEQ_CONFIG,
        Pipeline(ATTENTION_TEXT2TEXT, "pipeline_text2text", "AttnLSTMText2TextPipeline"),
    ),
    Head(
        "AutoModelForImageTextToText",
        "modeling_image_captioning",
        "AttnLSTMForImageCaptioning",
        *_SEQ2SEQ_CONFIG,
        Pipeline(ATTENTION_IMAGE_TO_TEXT, "pipeline_image_to_text", "AttnLSTMImageToTextPipeline", "multimodal"),
    ),
)


def homes() -> dict[str, str]:
    """The module of each class in the table, below `hfattnlstm`.

    Example:

    ```python
    >>> homes()["AttnLSTMModel"]
    'modeling.modeling_attnlstm'
    ```
    """
    classes = {}
    for head in HEADS:
        classes[head.config_name] = head.config_module
        classes[head.name] = head.module
        if head.pipeline is not None:
            classes[head.pipeline.name] = head.pipeline.module
    return {name: f"modeling.{module}" for name, module in classes.items()}
