"""A pipeline that writes what is in a picture, and says where the model looked for each word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from torch import Tensor
from transformers import Pipeline, PreTrainedTokenizerBase

from .image_inputs import checked_features, padded_features
from .image_opening import image_processor_of, open_image
from .image_regions import region_grid
from .token_writing import LEVELS, WrittenTokens, entry_of, token_groups, token_spans, write_tokens


IMAGE_FEATURES = "image_features"
_BATCH = 32
# What a call may say of the tokens that are written, as `generate` takes it.
_GENERATION = (
    *("num_beams", "do_sample", "temperature", "top_k", "top_p", "max_new_tokens", "min_new_tokens", "length_penalty"),
    *("repetition_penalty", "no_repeat_ngram_size", "early_stopping", "use_cache", "logits_processor"),
    *("stopping_criteria", "generation_config", "suppress_tokens"),
)


class AttnLSTMImageToTextPipeline(Pipeline):
    """Writes what is in a picture, and shows which regions the model looked at for each word.

    Load it with `pipeline("attention-image-to-text", model=folder)` after `import hfattnlstm`, or from a checkpoint
    alone with `trust_remote_code=True`.

    A call takes a picture of Pillow, or the name or address of one, or a list or iterable of such. For a model of
    features it takes (regions, width) numbers as an array, or `{"image_features": …}`. It returns a dictionary for
    each, with `generated_text`, `score`, the mean logarithm of the probabilities of its tokens, and `attention`: a
    list of `{"text", "start", "end", "regions"}`, the words with the share of the attention that each region had,
    rows of columns where the model reads pixels, else a list.

    The parameters can be given when the pipeline is made or when it is called: `level`, `"word"` or `"token"`,
    `batch_size`, 32 by default, and those of `generate`, such as `num_beams` or `max_new_tokens`.

    Example:

    ```python
    >>> writer = pipeline("attention-image-to-text", model="captioner")
    >>> result = writer("scene.png")
    >>> isinstance(result["generated_text"], str), sorted(result)
    (True, ['attention', 'generated_text', 'score'])
    ```

    Raises:
        ValueError: For a model of another kind, or with weights that its checkpoint lacked, an unknown parameter, or
            a picture that cannot be read; it names the position.
    """

    _load_processor = False
    # The pipeline does it by itself, so that pictures are resized as in training.
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = True

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, image_processor: Any | None = None, **kwargs: Any
    ):
        if not hasattr(model, "decoder_embeddings") or not hasattr(model.encoder, "region_encoder"):
            raise ValueError(f"The model is a {type(model).__name__}, which writes no captions: name one that does.")
        config = model.config
        if config.image_conv_sizes and image_processor is None:
            image_processor = image_processor_of(model)
        if len(tokenizer) > config.vocab_size:
            raise ValueError(
                f"The tokenizer has {len(tokenizer)} tokens, but the model's embedding has {config.vocab_size} rows: "
                "load the tokenizer that belongs to the model."
            )
        model.check_trained()
        super().__init__(model=model, tokenizer=tokenizer, image_processor=image_processor, **kwargs)
        self.model.eval()

    def _sanitize_parameters(self, level: str = "word", **kwargs: Any) -> tuple[dict, dict, dict]:
        for name in kwargs:
            if name not in _GENERATION:
                raise ValueError(
                    f"The pipeline has no parameter {name!r}: it takes level, batch_size, and "
                    f"{', '.join(_GENERATION[:8])} and others of generate."
                )
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}.")
        return {}, kwargs, {} if level == "word" else {"level": level}

    def __call__(self, inputs: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Describe a picture or many; see the class."""
        kwargs.pop("num_workers", None)
        forward, post = self._sanitize_parameters(**kwargs)[1:]
        forward, post = {**self._forward_params, **forward}, {**self._postprocess_params, **post}
        size = batch_size or self._batch_size or _BATCH
        if isinstance(inputs, (str, Mapping)) or not isinstance(inputs, Iterable) or _is_table(inputs):
            return next(self._stream([inputs], 1, forward, post))
        results = self._stream(inputs, size, forward, post)
        return list(results) if isinstance(inputs, Sequence) else results

    def _stream(
        self, inputs: Iterable[Any], size: int, forward: dict[str, Any], post: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        source, position = iter(inputs), 0
        while given := list(islice(source, size)):
            read = [self.preprocess(each, position + number) for number, each in enumerate(given)]
            for written in self.forward(self._batch(read), **forward)["written"]:
                yield self.postprocess(written, **post)
            position += len(given)

    def preprocess(self, given: Any, position: int = 0) -> Any:
        """A picture as RGB, or its features (regions, width)."""
        if self._reads_pixels:
            try:
                return open_image(given)
            except ValueError as error:
                raise ValueError(f"The picture of number {position} {error}") from error
        return checked_features(
            given[IMAGE_FEATURES] if isinstance(given, Mapping) and IMAGE_FEATURES in given else given,
            self.model.config.region_size,
            position,
        )

    def _batch(self, read: list[Any]) -> dict[str, Any]:
        if not self._reads_pixels:
            return {"inputs": padded_features(read)}
        return {"inputs": {"pixel_values": self.image_processor(read, return_tensors="pt")["pixel_values"]}}

    def _forward(self, model_inputs: dict[str, Any], **options: Any) -> dict[str, Any]:
        inputs: Mapping[str, Tensor] = model_inputs["inputs"]
        mask, grid = inputs.get("image_mask"), None
        if self._reads_pixels:
            grid = region_grid(*inputs["pixel_values"].shape[-2:], len(self.model.config.image_conv_sizes))
        rows = write_tokens(self.model, inputs, **options, num_return_sequences=1)
        kept = [slice(None)] * len(rows) if mask is None else list(mask.cpu().numpy())
        return {"written": [(replace(row, weights=row.weights[:, own]), grid) for row, own in zip(rows, kept)]}

    def postprocess(
        self, model_outputs: tuple[WrittenTokens, tuple[int, int] | None], level: str = "word"
    ) -> dict[str, Any]:
        """The result of one picture."""
        written, grid = model_outputs
        (text,) = self._decode([written.token_ids])
        spans = token_spans(written.token_ids, self._decode)
        words = []
        for tokens in token_groups(text, spans, level):
            regions = written.weights[tokens].mean(0)
            shown = regions.tolist() if grid is None else regions.reshape(grid).tolist()
            words.append({**entry_of(text, [spans[token] for token in tokens]), "regions": shown})
        return {"generated_text": text, "score": written.score, "attention": words}

    def _decode(self, rows: list[Sequence[int]]) -> list[str]:
        return self.tokenizer.batch_decode(rows, skip_special_tokens=True)

    @property
    def _reads_pixels(self) -> bool:
        return bool(self.model.config.image_conv_sizes)


def _is_table(given: Any) -> bool:
    """Whether it is one array of features."""
    return getattr(given, "ndim", None) == 2
