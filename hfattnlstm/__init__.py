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

from . import _registration


__version__ = "0.1.0"

if TYPE_CHECKING:
    from .data.loading import describe_labels, load_texts
    from .data.tokenization import train_tokenizer
    from .deploy.onnx_export import export_onnx
    from .deploy.onnx_model import OnnxAttnLSTMForSequenceClassification
    from .modeling.configuration_attnlstm import AttnLSTMConfig
    from .modeling.modeling_attnlstm import (
        AttnLSTMForSequenceClassification,
        AttnLSTMModel,
        AttnLSTMPreTrainedModel,
    )
    from .modeling.pipeline_attnlstm import AttnLSTMTextClassificationPipeline
    from .modeling.word_vectors import WordVectorCoverage
    from .training.lazy_adamw import LazyAdamW
    from .training.trainer import AttnLSTMTrainer

# Public names and where they live. Each is imported when it is first used, so that `import hfattnlstm` costs
# milliseconds and no torch.
_HOME = {
    "AttnLSTMConfig": "modeling.configuration_attnlstm",
    "AttnLSTMForSequenceClassification": "modeling.modeling_attnlstm",
    "AttnLSTMModel": "modeling.modeling_attnlstm",
    "AttnLSTMPreTrainedModel": "modeling.modeling_attnlstm",
    "AttnLSTMTextClassificationPipeline": "modeling.pipeline_attnlstm",
    "AttnLSTMTrainer": "training.trainer",
    "LazyAdamW": "training.lazy_adamw",
    "OnnxAttnLSTMForSequenceClassification": "deploy.onnx_model",
    "WordVectorCoverage": "modeling.word_vectors",
    "describe_labels": "data.loading",
    "export_onnx": "deploy.onnx_export",
    "load_texts": "data.loading",
    "train_tokenizer": "data.tokenization",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)


_registration.install()
