"""Export of a classifier or a tagger to one ONNX file, checked before it is in place."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from .._extras import import_optional
from .._version import __version__
from ..data.problem_types import label_names_of
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import MULTI_LABEL
from ..modeling.text_inputs import NO_MAX_LENGTH
from .export_files import FILES, check_replaced, write_files
from .export_kinds import TAGGER, ExportKind, kind_to_export
from .graph import onnx_layers
from .onnx_check import TOLERANCE, Agreement, agreement, largest_difference, vocabulary_hash
from .onnx_writing import (
    FILE_NAMES,
    MOST_BYTES,
    check_layers,
    check_opset,
    describe,
    export_graph,
    in_float32,
    save,
    staging_folder,
    target_file,
)
from .quantization import quantize
from .session import open_session


# Below this share of equal labels an int8 file is not what its model was.
ENOUGH_EQUAL_LABELS = 0.99


@dataclass(frozen=True)
class OnnxExport:
    """What [`export_onnx`] has written and found out.

    Attributes:
        path: The .onnx file.
        num_bytes: Its size.
        int8: Whether the weights are int8.
        largest_difference: Largest difference between the float32 graph and the model, see [`export_onnx`].
        agreement: How far int8 agrees with float32 on the given texts; None for float32 and without texts.
    """

    path: Path
    num_bytes: int
    int8: bool
    largest_difference: float
    agreement: Agreement | None

    @property
    def warning(self) -> str | None:
        """A sentence, when too many labels of the int8 file are others than those of the model."""
        share = None if self.agreement is None else self.agreement.equal_labels
        if share is None or share >= ENOUGH_EQUAL_LABELS:
            return None
        return (
            f"Only {share:.2%} of the labels of int8 are those of float32, less than {ENOUGH_EQUAL_LABELS:.0%}: use "
            "the float32 file, or check with more texts of the kind that the model was trained on."
        )


def export_onnx(
    model: PreTrainedModel | str | PathLike[str],
    path: str | PathLike[str],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    int8: bool = False,
    check_texts: Sequence[str] | None = None,
    opset: int | None = None,
) -> OnnxExport:
    """Write a classifier or a tagger as one ONNX file that ONNX Runtime runs without this package.

    The graph takes `input_ids` and `attention_mask`, int64 (batch, length) with both sizes free and at least 1, and
    gives `logits` (batch, labels), with attention pooling `attentions` (batch, heads, length), which are 0 on padding,
    and, but for a regression, `probabilities` (batch, labels), those of the logits divided by the configuration's
    `calibration_temperature`. Of a tagger it gives `logits` (batch, length, labels), `tagged` (batch, length), 1 for
    each token that begins a word, and `attentions` where the model reads its sentence; a CRF is not in the graph, but
    its weights are in the metadata, and the pipeline applies them.

    Beside the file stand the config.json and the tokenizer; the file itself names the labels, the longest input and
    the like in its metadata. float32 is compared with the model on random batches with all kinds of padding, and files
    are put in place only when no logit, no weight and no probability is off by more than 1e-5 (logits beyond 1: in
    relation to the largest of the batch).

    Args:
        model: An [`AttnLSTMForSequenceClassification`] or [`AttnLSTMForTokenClassification`], or its folder or name on
            the Hub. It is not changed.
        path: Folder, or file that ends in .onnx. In a folder the file is called model.onnx, or model_int8.onnx.
        tokenizer: Written beside the file; by default the one in the model's folder, if any.
        int8: Whether to write int8 weights: a smaller and faster file, with nearly the same answers.
        check_texts: Real texts on which the labels of int8 are compared with those of float32.
        opset: Version of ONNX's operators, 18 or later; what torch prefers by default.

    Raises:
        ImportError: Without the extra `onnx`.
        OSError: When the model cannot be read or the files cannot be written.
        RuntimeError: When torch cannot export the model, or the exported graph computes something else.
        TypeError: For another kind of model.
        ValueError: When the arguments contradict each other, the model does not fit into one file, has layers that
            hash, or weights that its checkpoint lacked, or a file is in the way that is not as an earlier export has
            written it.

    Example:

    ```python
    >>> export = export_onnx("my-model", "my-model-onnx", int8=True, check_texts=texts)
    >>> export.path.name, export.agreement.equal_labels
    ('model_int8.onnx', 0.998)
    ```
    """
    for module in ("onnx", "onnxruntime", "onnxscript"):
        import_optional(module)
    target = target_file(Path(path).expanduser(), int8)
    check_opset(opset)
    _check_texts(check_texts, int8)
    if isinstance(model, (str, PathLike)):
        model, tokenizer = _load(str(model), tokenizer)
    twin = _float32_twin(model)
    if check_texts is not None and isinstance(twin, TAGGER.model_class):
        raise ValueError("check_texts count labels of texts, and the model tags words: leave them out.")
    _check_tokenizer(tokenizer, twin.config, needed=check_texts is not None)
    with staging_folder(target.parent) as folder:
        beside = folder / "beside"
        beside.mkdir()
        files = write_files(beside, twin.config, tokenizer)
        check_replaced(target, files)
        facts = _facts(twin.config, tokenizer, files) | _kind_of(twin).facts(twin)
        proto = _export(twin, opset)
        describe(proto, facts | {"precision": "float32"})
        plain = folder / FILE_NAMES[False]
        save(proto, plain)
        difference = _checked_difference(plain, twin, opset)
        finished, found = plain, None
        if int8:
            finished = folder / FILE_NAMES[True]
            _write_int8(proto, finished, facts, twin)
            if check_texts is not None:
                sessions = open_session(plain), open_session(finished)
                found = agreement(*sessions, check_texts, tokenizer, twin.config)
        # The file itself last.
        for item in beside.iterdir():
            os.replace(item, target.parent / item.name)
        os.replace(finished, target)
    return OnnxExport(target, target.stat().st_size, int8, difference, found)


def _load(
    name: str, tokenizer: PreTrainedTokenizerBase | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase | None]:
    try:
        config = AttnLSTMConfig.get_config_dict(name)[0]
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise OSError(f"{name} is no folder of a model, nor one that can be had from the Hub: {reason}") from error
    model = kind_to_export(config.get("model_type"), config.get("architectures")).model_class.from_pretrained(name)
    # A checkpoint need not have a tokenizer.
    if tokenizer is None and get_tokenizer_config(name):
        tokenizer = AutoTokenizer.from_pretrained(name)
    return model, tokenizer


def _float32_twin(model: PreTrainedModel) -> PreTrainedModel:
    """The model on the CPU, in float32 and in evaluation mode; it shares what it can with the original."""
    # By name, because code that came with a checkpoint has classes of its own.
    kind = kind_to_export(getattr(getattr(model, "config", None), "model_type", None), [type(model).__name__])
    if hasattr(model, "check_trained"):
        model.check_trained()
    check_layers(model.config)
    values = model.config.to_dict()
    for key in ("auto_map", "custom_pipelines"):
        values.pop(key, None)
    config = AttnLSTMConfig.from_dict(values)
    config.dtype = torch.float32
    config.architectures = [kind.model_class.__name__]
    weights = model.state_dict()
    size = sum(tensor.numel() * (4 if tensor.is_floating_point() else 8) for tensor in weights.values())
    if size > MOST_BYTES:
        raise ValueError(f"The model has {size / 2**30:.1f} GiB of weights in float32: one ONNX file holds 2 GiB.")
    with torch.device("meta"):
        twin = kind.model_class(config)
    twin.load_state_dict({name: in_float32(tensor) for name, tensor in weights.items()}, assign=True)
    twin.base_model.fold_subwords()
    return twin.requires_grad_(False).eval()


def _check_texts(texts: Sequence[str] | None, int8: bool) -> None:
    if isinstance(texts, str):
        raise TypeError("check_texts must be a list of texts, not one text.")
    if texts is not None and not int8:
        raise ValueError("check_texts are for int8: float32 is always checked against the model.")
    if texts is not None and not len(texts):
        raise ValueError("check_texts is empty: give some texts, or leave it out.")


def _check_tokenizer(tokenizer: PreTrainedTokenizerBase | None, config: AttnLSTMConfig, needed: bool) -> None:
    if tokenizer is None:
        if needed:
            raise ValueError("check_texts need a tokenizer, and the model comes without: give tokenizer=.")
    elif len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"The tokenizer has {len(tokenizer)} tokens, but the model's embedding has {config.vocab_size} rows: give "
            "the tokenizer that belongs to the model."
        )


def _export(twin: PreTrainedModel, opset: int | None) -> Any:
    kind = _kind_of(twin)
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    # Sizes other than 1, which the exporter would take for fixed.
    example = torch.zeros(2, 3, dtype=torch.long)
    with onnx_layers(twin):
        return export_graph(
            kind.graph(twin),
            (example, torch.ones_like(example)),
            opset,
            dynamic_shapes=(free, free),
            input_names=list(twin.config.model_input_names),
            output_names=kind.output_names(twin.config),
        )


def _kind_of(twin: PreTrainedModel) -> ExportKind:
    return kind_to_export(twin.config.model_type, [type(twin).__name__])


def _facts(config: AttnLSTMConfig, tokenizer: PreTrainedTokenizerBase | None, files: dict[str, str]) -> dict[str, Any]:
    """What the file says to its user, and to later exports; None is left out."""
    longest = tokenizer.model_max_length if tokenizer is not None else None
    return {
        "producer": f"hfattnlstm {__version__}",
        "labels": json.dumps(label_names_of(config), ensure_ascii=False),
        "problem_type": config.problem_type,
        "threshold": json.dumps(config.threshold) if config.problem_type == MULTI_LABEL else None,
        "calibration_temperature": config.calibration_temperature if config.calibration_temperature != 1 else None,
        "pad_token_id": config.pad_token_id,
        "truncation": config.truncation,
        "max_length": longest if longest is not None and longest <= NO_MAX_LENGTH else None,
        "vocabulary": vocabulary_hash(tokenizer) if tokenizer is not None else None,
        FILES: json.dumps(files),
    }


def _checked_difference(path: Path, twin: PreTrainedModel, opset: int | None) -> float:
    try:
        session = open_session(path)
    except ValueError as error:
        if opset is None:
            raise RuntimeError("ONNX Runtime does not take what torch.onnx has written: update both.") from error
        raise ValueError(f"The installed ONNX Runtime does not run opset {opset}: choose a lower one.") from error
    difference = largest_difference(session, twin)
    # Not greater: NaN is none of both.
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"The exported graph is off by {difference:.2g}, more than {TOLERANCE:.0e}: nothing was written. Please "
            "report this with the model's config.json."
        )
    return difference


def _write_int8(proto: Any, path: Path, facts: dict[str, Any], twin: PreTrainedModel) -> None:
    quantize(proto, path)
    quantized = import_optional("onnx").load(str(path))
    describe(quantized, facts | {"precision": "int8"})
    save(quantized, path)
    # How far it may be off depends on the weights; that it runs with all kinds of padding does not.
    if not math.isfinite(largest_difference(open_session(path), twin)):
        raise RuntimeError("The int8 graph does not give numbers: nothing was written. Export in float32.")
