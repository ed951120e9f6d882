"""An exported classifier, run by ONNX Runtime and taken by the pipelines of transformers for a model."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Pipeline, pipeline
from transformers.modeling_outputs import SequenceClassifierOutput

from .._heads import ATTENTION_TEXT_CLASSIFICATION, ATTENTION_TOKEN_CLASSIFICATION
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.pipeline_text_classification import CalibratedTextClassificationPipeline
from .export_kinds import CLASSIFIER, TAGGER
from .onnx_base import OnnxModel, find_onnx_file
from .onnx_tagger import OnnxAttnLSTMForTokenClassification


class OnnxAttnLSTMForSequenceClassification(OnnxModel):
    """A classifier that [`export_onnx`] has written, for use in place of the model that it was.

    It is called as the model is, and can be given to `pipeline("attention-text-classification", model=…, tokenizer=…)`
    and `pipeline("text-classification", …)`, with `device="cpu"` on a machine with an accelerator, which it does not
    use. It cannot be trained, and one instance serves several threads. Like the model it returns logits, of which the
    pipelines make scores; the `probabilities` of the file are for those who run it by themselves.

    Args:
        path: The .onnx file.
        config: The configuration that belongs to it.
        num_threads: Threads of one call; as many as torch uses when it is called if it is None.

    Attributes:
        config: The configuration.
        path: The .onnx file.

    Raises:
        ImportError: Without ONNX Runtime.
        ValueError: When the file is damaged, or the configuration is that of another model.

    Example:

    ```python
    >>> model = OnnxAttnLSTMForSequenceClassification.from_pretrained("my-model-onnx")
    >>> model(torch.tensor([[5, 6, 7]])).logits.shape
    torch.Size([1, 2])
    ```
    """

    kind = CLASSIFIER

    def __call__(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        output_attentions: bool | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Classify a batch.

        Args:
            input_ids: (batch, length) token ids.
            attention_mask: (batch, length) of 0 and 1, of any dtype; 1 marks the real tokens. All are real without it.
            output_attentions: Whether to return the attention weights; the config's `output_attentions` by default.

        Returns:
            `logits` (batch, num_labels), and on request `attentions`, a tuple of one tensor
            (batch, heads, 1, length), as from the model itself.

        Raises:
            ValueError: For inputs of a wrong shape, ids beyond the vocabulary, labels, or `inputs_embeds`.
        """
        ids, mask = self._inputs(input_ids, attention_mask, kwargs)
        (logits,), attentions = self._run_with_attention(ids, mask, output_attentions, "logits")
        return SequenceClassifierOutput(logits=logits, attentions=attentions)

    # The pipeline looks at the signature of `forward`.
    forward = __call__


# Pipelines look the name of the model's class up among those that are registered for the task, and print an error
# without it. No configuration stands for this class, so it is entered under itself.
AutoModelForSequenceClassification.register(
    OnnxAttnLSTMForSequenceClassification, OnnxAttnLSTMForSequenceClassification, exist_ok=True
)


def is_onnx(path: str | PathLike[str]) -> bool:
    """Whether a path is an .onnx file, or a folder with one and without the weights of torch.

    Example:

    ```python
    >>> is_onnx("my-model-onnx"), is_onnx("my-model")
    (True, False)
    ```
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return any(path.glob("*.onnx")) and not any(path.glob("*.safetensors"))
    return path.suffix.lower() == ".onnx"


def is_exported_tagger(path: str | PathLike[str]) -> bool:
    """Whether an exported model tags words.

    Example:

    ```python
    >>> is_exported_tagger("my-model-onnx")
    False
    ```
    """
    try:
        config = AttnLSTMConfig.get_config_dict(find_onnx_file(path).parent)[0]
    except OSError:
        # What is missing is told where the model is loaded.
        return False
    return TAGGER.model_class.__name__ in (config.get("architectures") or ())


def onnx_pipeline(
    path: str | PathLike[str], *, task: str | None = None, num_threads: int | None = None, **kwargs: Any
) -> Pipeline:
    """Make a pipeline of the files that [`export_onnx`] has written.

    Args:
        path: The .onnx file, or its folder, with the config.json and the tokenizer.
        task: `"attention-text-classification"` or `"text-classification"`; by default the first, if the model has
            attention pooling. Of a tagger `"attention-token-classification"` or `"token-classification"`, by default
            the first.
        num_threads: Threads of one call; as many as torch uses when it is called if it is None.
        kwargs: Passed on to `transformers.pipeline`. With either task the scores are calibrated, by the config's
            `calibration_temperature`; `pipeline_class=TextClassificationPipeline` leaves that out.

    Raises:
        FileNotFoundError: When a file is missing.
        ImportError: Without ONNX Runtime.
        ValueError: When a file is damaged.

    Example:

    ```python
    >>> classifier = onnx_pipeline("my-model-onnx")
    >>> classifier("Not bad at all")
    [{'label': 'positive', 'score': 0.94, 'attention': [{'text': 'Not', 'start': 0, 'end': 3, 'weight': 0.41}, ...]}]
    ```
    """
    is_tagger = is_exported_tagger(path)
    model_class = OnnxAttnLSTMForTokenClassification if is_tagger else OnnxAttnLSTMForSequenceClassification
    model = model_class.from_pretrained(path, num_threads=num_threads)
    folder = model.path.parent
    if kwargs.get("tokenizer") is None:
        if not (folder / "tokenizer.json").is_file():
            raise FileNotFoundError(f"There is no tokenizer.json beside {model.path}: give tokenizer=.")
        kwargs["tokenizer"] = AutoTokenizer.from_pretrained(folder)
        model.check_tokenizer(kwargs["tokenizer"])
    if task is None and is_tagger:
        task = ATTENTION_TOKEN_CLASSIFICATION
    if task is None:
        task = ATTENTION_TEXT_CLASSIFICATION if "attention" in model.config.poolings else "text-classification"
    if task == "text-classification":
        kwargs = {"pipeline_class": CalibratedTextClassificationPipeline, **kwargs}
    return pipeline(task, model=model, **{"device": "cpu", **kwargs})
