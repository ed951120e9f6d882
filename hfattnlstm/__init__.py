"""Small, fast, explainable text models: an LSTM with attention for the Hugging Face ecosystem.

Example:
```python
>>> import hfattnlstm
>>> from transformers import AutoModelForSequenceClassification
>>> model = AutoModelForSequenceClassification.from_config(hfattnlstm.AttnLSTMConfig())
>>> type(model).__name__
'AttnLSTMForSequenceClassification'
```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import _extras, _heads, _registration
from ._version import __version__


if TYPE_CHECKING:
    # Type checkers cannot follow a table; a test holds the two equal.
    from ._released import released_model
    from .data.captions import load_captions
    from .data.embedding import embed_texts
    from .data.image_text_processor import ImageTextProcessor
    from .data.loading import describe_labels, load_texts
    from .data.pair_tokenizer import train_pair_tokenizer
    from .data.pairs import load_pairs
    from .data.pictures import load_image_texts
    from .data.series_files import load_series
    from .data.series_processor import SeriesProcessor
    from .data.summary import DataSummary, summarize_texts
    from .data.tagged_texts import load_tagged_texts
    from .data.tokenization import train_tokenizer
    from .data.word_tokenizer import train_word_tokenizer
    from .data.word_vectors import WordVectorCoverage, load_word_vectors
    from .deploy.onnx_export import export_onnx
    from .deploy.onnx_model import OnnxAttnLSTMForSequenceClassification
    from .deploy.onnx_tagger import OnnxAttnLSTMForTokenClassification
    from .modeling.configuration_attnlstm import AttnLSTMConfig
    from .modeling.configuration_forecaster import AttnLSTMForecasterConfig
    from .modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
    from .modeling.modeling_attnlstm import AttnLSTMModel, AttnLSTMPreTrainedModel
    from .modeling.modeling_conditional_generation import AttnLSTMForConditionalGeneration
    from .modeling.modeling_forecaster import AttnLSTMForecasterModel, AttnLSTMForecasterPreTrainedModel
    from .modeling.modeling_image_captioning import AttnLSTMForImageCaptioning
    from .modeling.modeling_image_text_classification import AttnLSTMForImageTextClassification
    from .modeling.modeling_pretraining import AttnLSTMForPreTraining
    from .modeling.modeling_seq2seq import AttnLSTMSeq2SeqPreTrainedModel
    from .modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
    from .modeling.modeling_time_series_classification import AttnLSTMForTimeSeriesClassification
    from .modeling.modeling_time_series_prediction import AttnLSTMForTimeSeriesPrediction
    from .modeling.modeling_token_classification import AttnLSTMForTokenClassification
    from .modeling.pair_processor import PairProcessor
    from .modeling.pipeline_image_text_classification import AttnLSTMImageTextClassificationPipeline
    from .modeling.pipeline_image_to_text import AttnLSTMImageToTextPipeline
    from .modeling.pipeline_text2text import AttnLSTMText2TextPipeline
    from .modeling.pipeline_text_classification import AttnLSTMTextClassificationPipeline
    from .modeling.pipeline_token_classification import AttnLSTMTokenClassificationPipeline
    from .modeling.shown_results import ShownResults
    from .training.evaluation import Evaluation, evaluate_logits
    from .training.forecast_scores import score_forecasts
    from .training.forecaster import Forecaster
    from .training.lazy_adamw import LazyAdamW
    from .training.seq2seq_trainer import AttnLSTMSeq2SeqTrainer
    from .training.sklearn_classifier import AttnLSTMClassifier
    from .training.tagged_evaluation import evaluate_tagger
    from .training.tagging_evaluation import TagEvaluation
    from .training.text_evaluation import evaluate_texts
    from .training.text_scores import score_texts
    from .training.trainer import AttnLSTMTrainer

# Public names and where they live. Each is imported when it is first used, so that `import hfattnlstm` costs
# milliseconds and no torch.
_HOME = {
    **_heads.homes(),
    "AttnLSTMClassifier": "training.sklearn_classifier",
    "AttnLSTMForecasterPreTrainedModel": "modeling.modeling_forecaster",
    "AttnLSTMPreTrainedModel": "modeling.modeling_attnlstm",
    "AttnLSTMSeq2SeqPreTrainedModel": "modeling.modeling_seq2seq",
    "AttnLSTMSeq2SeqTrainer": "training.seq2seq_trainer",
    "AttnLSTMTrainer": "training.trainer",
    "DataSummary": "data.summary",
    "Evaluation": "training.evaluation",
    "Forecaster": "training.forecaster",
    "ImageTextProcessor": "data.image_text_processor",
    "LazyAdamW": "training.lazy_adamw",
    "OnnxAttnLSTMForSequenceClassification": "deploy.onnx_model",
    "OnnxAttnLSTMForTokenClassification": "deploy.onnx_tagger",
    "PairProcessor": "modeling.pair_processor",
    "SeriesProcessor": "data.series_processor",
    "ShownResults": "modeling.shown_results",
    "WordVectorCoverage": "data.word_vectors",
    "describe_labels": "data.loading",
    "embed_texts": "data.embedding",
    "TagEvaluation": "training.tagging_evaluation",
    "evaluate_logits": "training.evaluation",
    "evaluate_tagger": "training.tagged_evaluation",
    "evaluate_texts": "training.text_evaluation",
    "export_onnx": "deploy.onnx_export",
    "load_captions": "data.captions",
    "load_image_texts": "data.pictures",
    "load_pairs": "data.pairs",
    "load_series": "data.series_files",
    "load_tagged_texts": "data.tagged_texts",
    "load_texts": "data.loading",
    "load_word_vectors": "data.word_vectors",
    "released_model": "_released",
    "score_forecasts": "training.forecast_scores",
    "score_texts": "training.text_scores",
    "summarize_texts": "data.summary",
    "train_pair_tokenizer": "data.pair_tokenizer",
    "train_tokenizer": "data.tokenization",
    "train_word_tokenizer": "data.word_tokenizer",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _extras.needs_extra(f"hfattnlstm.{name}"):
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)


_registration.install()
