"""A pipeline that labels texts with a picture each, and says where each word looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import Pipeline, PreTrainedTokenizerBase

from .attention_entries import attention_entries, shared_out, weighted_parts
from .configuration_base import MULTI_LABEL, REGRESSION
from .image_inputs import checked_features, padded_features
from .image_opening import image_processor_of, open_image
from .image_regions import region_grid
from .losses import probabilities
from .text_inputs import EncodedText, TextEncoder, pad_ids
from .text_rows import text_or_row


IMAGE, IMAGE_FEATURES = "image", "image_features"
_BATCH = 32


class _Row(NamedTuple):
    """What one result is for: a text, or several that are read together, and its picture."""

    text: str | tuple[str, ...]
    picture: Any


class AttnLSTMImageTextClassificationPipeline(Pipeline):
    """Labels texts with a picture each, and shows which regions each word looks at.

    Load it with `pipeline("attention-image-text-classification", model=folder)` after `import hfattnlstm`, or from a
    checkpoint alone with `trust_remote_code=True`.

    A call takes `{"image": …, "text": …}`, with a picture of Pillow, or the name or address of one, or a list or
    iterable of such. For a model of features it takes `{"image_features": …, "text": …}`, with (regions, width)
    numbers. A model of several texts (`text_columns` in its config) takes these in the place of `text`.

    It returns a dictionary for each, with `label`, `score` and `attention`: a list of
    `{"text", "start", "end", "weight", "regions"}`, the words with the attention of the pooling on them, which sums to
    1, and of each word the share of its attention that each region has, the mean of all heads: rows of columns where
    the model reads pixels, else a list. With `top_k`, `label` and `score` of that many labels, best first, stand under
    `labels`; so do those above the threshold, perhaps none, of a model of several labels a text.

    The parameters can be given when the pipeline is made or when it is called:

        top_k: How many labels are given; None for one.
        layer: Of which cross-modal layer the attention on regions is shown; the mean of all by default.
        batch_size: Texts that are computed together, 32 by default.

    Example:

    ```python
    >>> classifier = pipeline("attention-image-text-classification", model="scenes-model")
    >>> result = classifier({"image": "scene.png", "text": "there is a red ring"})
    >>> [word["text"] for word in result["attention"]], np.shape(result["attention"][0]["regions"])
    (['there', 'is', 'a', 'red', 'ring'], (4, 4))
    ```

    Raises:
        TypeError: For a text that is none.
        ValueError: For a model of another kind, or with weights that its checkpoint lacked, an unknown parameter, or
            something without a text or a picture, or with one that cannot be read; it names the position.
    """

    _load_processor = False
    # The pipeline does it by itself, so that pictures are resized as in training.
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = True

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, image_processor: Any | None = None, **kwargs: Any
    ):
        config = model.config
        if not hasattr(model, "picture_reader") or not hasattr(model, "classifier"):
            raise ValueError(f"The model is a {type(model).__name__}, which reads no pictures: name one that does.")
        if config.image_conv_sizes and image_processor is None:
            image_processor = image_processor_of(model)
        if len(tokenizer) > config.vocab_size:
            raise ValueError(
                f"The tokenizer has {len(tokenizer)} tokens, but the model's embedding has {config.vocab_size} rows: "
                "load the tokenizer that belongs to the model."
            )
        model.check_trained()
        self._encoder = TextEncoder(tokenizer, None, config.truncation)
        super().__init__(model=model, tokenizer=tokenizer, image_processor=image_processor, **kwargs)
        self.model.eval()

    def _sanitize_parameters(
        self, top_k: int | None = None, layer: int | None = None, **unknown: Any
    ) -> tuple[dict, dict, dict]:
        if unknown:
            raise ValueError(f"The pipeline has no parameter {min(unknown)!r}: it takes top_k, layer and batch_size.")
        layers = self.model.config.num_cross_modal_layers
        if layer is not None and not -layers <= layer < layers:
            raise ValueError(f"layer must be between {-layers} and {layers - 1}, got {layer!r}.")
        if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1):
            raise ValueError(f"top_k must be a whole number of at least 1, or None, got {top_k!r}.")
        given = {name: value for name, value in (("top_k", top_k), ("layer", layer)) if value is not None}
        return {}, {}, given

    def __call__(self, inputs: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Classify one text with its picture, or many; see the class."""
        parameters = {**self._postprocess_params, **self._sanitize_parameters(**kwargs)[2]}
        size = batch_size or self._batch_size or _BATCH
        if isinstance(inputs, Mapping):
            return next(self._stream([inputs], 1, parameters))
        if isinstance(inputs, str) or not isinstance(inputs, Iterable):
            raise ValueError(f"The pipeline takes {self._shown()}, or several of them, got {type(inputs).__name__}.")
        results = self._stream(inputs, size, parameters)
        return list(results) if isinstance(inputs, Sequence) else results

    def _stream(self, inputs: Iterable[Any], size: int, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        source, position = iter(inputs), 0
        while given := list(islice(source, size)):
            rows = [self.preprocess(each, position + number) for number, each in enumerate(given)]
            encoded = self._encoder([row.text for row in rows])
            outputs = self.forward(self._batch(rows, encoded, position))
            _check_finite(outputs["logits"], position)
            yield from self.postprocess({"rows": rows, "encoded": encoded, **outputs}, **parameters)
            position += len(given)

    def preprocess(self, given: Any, position: int = 0) -> _Row:
        """The text and the picture of one result."""
        key = IMAGE if self._reads_pixels else IMAGE_FEATURES
        if not isinstance(given, Mapping) or key not in given:
            shown = ", ".join(map(repr, given)) if isinstance(given, Mapping) else type(given).__name__
            raise ValueError(f"Number {position} is {shown or 'empty'}: give {self._shown()}.")
        rest = {name: value for name, value in given.items() if name != key}
        if not rest:
            raise ValueError(f"Number {position} has no text: give {self._shown()}.")
        return _Row(text_or_row(rest, self.model.config.text_columns, position), given[key])

    def _forward(self, model_inputs: dict[str, Tensor], **_: Any) -> dict[str, Any]:
        outputs = self.model(**model_inputs, output_attentions=True)
        grid = None
        if self._reads_pixels:
            size = model_inputs["pixel_values"].shape[-2:]
            grid = region_grid(*size, len(self.model.config.image_conv_sizes))
        return {
            "logits": outputs.logits,
            "pooling": outputs.attentions[-1],
            "regions": torch.stack(outputs.cross_attentions).mean(2),
            "image_mask": model_inputs.get("image_mask"),
            "grid": grid,
        }

    def postprocess(
        self, model_outputs: dict[str, Any], top_k: int | None = None, layer: int | None = None
    ) -> list[dict[str, Any]]:
        """The results of a batch."""
        config = self.model.config
        kind = config.resolve_problem_type()
        scores = probabilities(model_outputs["logits"].float(), kind, config.calibration_temperature).numpy()
        regions = model_outputs["regions"].float().numpy()
        regions = regions.mean(0) if layer is None else regions[layer]
        attends = "attention" in config.poolings
        mask, results = model_outputs["image_mask"], []
        for number, (row, encoded) in enumerate(zip(model_outputs["rows"], model_outputs["encoded"])):
            length = len(encoded.input_ids)
            pooled = model_outputs["pooling"][number, :, 0, :length].float().numpy() if attends else None
            kept = slice(None) if mask is None else mask[number].cpu().numpy()
            own = regions[number, :length][:, kept]
            words = _entries(row.text, encoded, pooled, own, model_outputs["grid"])
            results.append({**self._labels(scores[number], kind, top_k), "attention": words})
        return results

    def _labels(self, scores: np.ndarray, kind: str, top_k: int | None) -> dict[str, Any]:
        names = self.model.config.id2label
        best = [{"label": names[place], "score": float(scores[place])} for place in (-scores).argsort(kind="stable")]
        if top_k is not None:
            return {"labels": best[:top_k]}
        if kind != MULTI_LABEL:
            return best[0] if kind != REGRESSION else {"label": names[0], "score": float(scores[0])}
        bound = self.model.config.threshold
        bounds = bound if isinstance(bound, Sequence) else [bound] * len(names)
        above = {names[place] for place, score in enumerate(scores) if score > bounds[place]}
        return {"labels": [each for each in best if each["label"] in above]}

    @property
    def _reads_pixels(self) -> bool:
        return bool(self.model.config.image_conv_sizes)

    def _shown(self) -> str:
        """What one result is made of, as a sentence shows it."""
        columns = self.model.config.text_columns
        texts = '"text": …' if columns is None else ", ".join(f'"{name}": …' for name in columns)
        return f'{{"{IMAGE if self._reads_pixels else IMAGE_FEATURES}": …, {texts}}}'

    def _batch(self, rows: Sequence[_Row], encoded: Sequence[EncodedText], position: int) -> dict[str, Tensor]:
        ids, mask = pad_ids([each.input_ids for each in encoded], self.tokenizer.pad_token_id)
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if not self._reads_pixels:
            width = self.model.config.region_size
            return batch | padded_features(
                [checked_features(row.picture, width, position + n) for n, row in enumerate(rows)]
            )
        images = []
        for number, row in enumerate(rows, position):
            try:
                images.append(open_image(row.picture))
            except ValueError as error:
                raise ValueError(f"The picture of number {number} {error}") from error
        return batch | {"pixel_values": self.image_processor(images, return_tensors="pt")["pixel_values"]}


def _check_finite(logits: Tensor, position: int) -> None:
    broken = ~logits.isfinite().all(-1)
    if broken.any():
        raise ValueError(
            f"The model computes NaN or infinity for number {position + int(broken.nonzero()[0])}: load its weights "
            "again if they are damaged, or use float32 if float16 overflows."
        )


def _entries(
    text: Any,
    encoded: EncodedText,
    pooled: np.ndarray | None,
    regions: np.ndarray,
    grid: tuple[int, int] | None,
) -> list[dict[str, Any]]:
    """The words with their weights, and where each looks.

    Args:
        text, encoded: As for [`attention_entries`].
        pooled: (heads, tokens), of the pooling; None without.
        regions: (tokens, regions).
        grid: Rows and columns of the regions; None where they have none.
    """
    weights = np.ones((1, len(regions))) if pooled is None else pooled
    entries = attention_entries(text, encoded, weights, "word", per_head=False)
    parts = encoded.parts or (encoded.own_tokens,)
    own = np.concatenate([regions[part] for part in parts]).T
    # Each region takes the place of a head.
    shares = [share for part in weighted_parts(text, encoded, own, "word") for share in shared_out(part.weights.T)]
    for entry, share in zip(entries, shares):
        if pooled is None:
            del entry["weight"]
        entry["regions"] = share.tolist() if grid is None else share.reshape(grid).tolist()
    return entries
