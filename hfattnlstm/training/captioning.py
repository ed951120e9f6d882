"""Captions of pictures, as a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from datasets import Dataset, DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .._wording import flags_in_sentences
from ..data.caption_rows import CaptionCollator, encode_captions
from ..data.captions import CAPTIONS, LoadedCaptions, load_captions
from ..data.image_text_processor import ImageTextProcessor
from ..data.image_text_rows import pictures_of
from ..data.picture_files import undecoded
from ..data.pictures import IMAGE, IMAGE_FEATURES
from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from ..modeling.modeling_image_captioning import AttnLSTMForImageCaptioning
from ..modeling.token_writing import write_tokens
from .captioning_arguments import CaptionArguments, CaptionModelArguments, CaptionRunArguments
from .captioning_card import captioning_card
from .captioning_flags import OF_PICTURES, check_captioning, check_resumed_captions
from .seq2seq import Seq2SeqTask
from .seq2seq_evaluation import TextEvaluation
from .shared_flags import tell_learnt, training_sample
from .starting_point import config_to_start_from
from .task import CardParts
from .text_scores import score_texts
from .writer_arguments import config_fields


# Pictures by which the pixels are scaled, and those of which captions are written at once.
_MEASURED_PICTURES = 2_000
_AT_ONCE = 64


class CaptioningTask(Seq2SeqTask):
    """Captions that are written from pictures; see [`AttnLSTMForImageCaptioning`].

    Example:

    ```python
    >>> flags = ["--task", "image-captioning", "--dataset", "scenes", "--max_steps", "2", "--hidden_size", "16"]
    >>> run = run_task(parse_task([*flags, "--image_conv_sizes", "4", "8"]))
    >>> run.metrics["eval_exact_match"]
    0.0
    ```
    """

    name = "image-captioning"
    model_class = AttnLSTMForImageCaptioning
    data_arguments = CaptionArguments
    model_arguments = CaptionModelArguments
    training_arguments = CaptionRunArguments
    test_split = "a test split with captions: name one with --test_file"
    examples = (
        "--task image-captioning --dataset scenes --further_splits compositional --output_dir captioner",
        "--task image-captioning --train_file photos.csv --caption_column caption --output_dir photos-captioner",
    )

    data: CaptionArguments
    model: CaptionModelArguments
    training: CaptionRunArguments
    loaded: LoadedCaptions
    processor: ImageTextProcessor
    # Whether pictures come as features of their regions.
    reads_features: bool = False
    _encoded: DatasetDict

    def check(self) -> None:
        """Refuse flags that do not fit together; a test file that is named is measured."""
        if self.data.test_file is not None and "do_predict" not in self.given:
            self.training.do_predict = True
        check_captioning(self.data, self.model, self.training, self.given)

    def sources(self) -> list[str]:
        """Files, data set and model."""
        data = self.data
        named = (data.dataset, data.train_file, data.validation_file, data.test_file, self.model.model_name_or_path)
        return [name for name in named if name is not None]

    def load(self) -> DatasetDict:
        """The pictures with their captions, some of them held out."""
        data, name = self.data, self._loaded_from()
        if name is not None:
            self._loaded_config = config_to_start_from(name, AttnLSTMSeq2SeqConfig, self.model_class)
        files = {"train": data.train_file, "validation": data.validation_file, "test": data.test_file}
        with flags_in_sentences():
            self.loaded = load_captions(
                data.dataset or {part: path for part, path in files.items() if path is not None},
                caption_column=data.caption_column,
                image_column=data.image_column,
                config_name=data.dataset_config,
                validation_size=data.validation_size,
                seed=data.split_seed,
                further_splits=data.further_splits or (),
            )
        splits = self.loaded.splits
        tell_learnt(self.loaded.held_out, self.training.do_train, "pictures")
        splits["train"] = training_sample(splits["train"], data, "pictures")
        self._check_kind_of_pictures(splits["train"])
        return DatasetDict({**splits, **self.loaded.further})

    def _check_kind_of_pictures(self, train: Dataset) -> None:
        self.reads_features = IMAGE_FEATURES in train.column_names
        for flag in OF_PICTURES if self.reads_features else ():
            if flag in self.given:
                raise ValueError(f"--{flag} is for pictures, and the data have features of regions: leave it out.")
        start = self._loaded_config
        if start is not None and self.reads_features == bool(start.image_conv_sizes):
            wanted, other = ("pictures", "features") if start.image_conv_sizes else ("features", "pictures")
            raise ValueError(
                f"{self._loaded_from()} reads {wanted}, and the data have {other}: name a column of {wanted} with "
                "--image_column, or make features with hfattnlstm features."
            )

    def further_splits(self) -> Sequence[str]:
        """Those of `--further_splits`."""
        return tuple(self.loaded.further)

    def values(self, examples: Dataset) -> Iterator[Any]:
        """Every caption, and which pictures there are."""
        yield from ("\n".join(texts) for texts in examples[CAPTIONS])
        if IMAGE in examples.column_names:
            yield from (each["bytes"] or each["path"] for each in undecoded(examples, IMAGE)[IMAGE])

    def make_processor(self, examples: DatasetDict) -> ImageTextProcessor:
        """A tokenizer of the captions, and an image processor that scales the pixels of the training pictures."""
        name = self._loaded_from()
        if name is not None:
            self.processor = ImageTextProcessor.from_pretrained(name, self._loaded_config)
            if self.checkpoint is not None:
                check_resumed_captions(name, self.model, self.given, self._loaded_config, self.processor)
            return self.processor
        train = examples["train"]
        with flags_in_sentences():
            tokenizer = self._train_tokenizer(text for texts in train[CAPTIONS] for text in texts)
        if self.reads_features:
            self.processor = ImageTextProcessor(tokenizer)
        else:
            step = max(len(train) // _MEASURED_PICTURES, 1)
            measured = undecoded(train.select(range(0, len(train), step)).select_columns([IMAGE, CAPTIONS]), IMAGE)
            images = (
                picture
                for row in measured
                for picture in pictures_of({IMAGE: [row[IMAGE]], "text": [row[CAPTIONS][0]]})
            )
            self.processor = ImageTextProcessor.fit(tokenizer, images, side=self.model.image_side)
        return self.processor

    def _new_config(self, examples: DatasetDict, processor: ImageTextProcessor) -> AttnLSTMSeq2SeqConfig:
        tokenizer = processor.tokenizer
        if self.reads_features:
            image = {"image_feature_size": len(examples["train"][0][IMAGE_FEATURES][0])}
        else:
            image = {"image_conv_sizes": list(self.model.image_conv_sizes)}
        return AttnLSTMSeq2SeqConfig(
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            label_smoothing=self.training.label_smoothing_factor,
            **image,
            **config_fields(self.model),
        )

    def _written_by(self, processor: ImageTextProcessor) -> PreTrainedTokenizerBase:
        return processor.tokenizer

    def encode(self, examples: DatasetDict, processor: ImageTextProcessor, model: PreTrainedModel) -> DatasetDict:
        """Token ids of the captions, and resized pixels or features."""
        self._encoded = DatasetDict(
            {name: encode_captions(split, processor, every=name == "train") for name, split in examples.items()}
        )
        self._set_generation(model, self._encoded["train"])
        written = [text for texts in examples["train"][CAPTIONS] for text in texts]
        self._tell_lost(self._encoded, {"labels": ("captions", processor.tokenizer)}, written)
        return self._encoded

    def make_collator(self, processor: ImageTextProcessor, model: PreTrainedModel) -> Callable[[list], dict]:
        """Padding of captions and regions."""
        return CaptionCollator(processor)

    def _references(self, split: str) -> Sequence[Any]:
        part = self.loaded.splits[split] if split in self.loaded.splits else self.loaded.further[split]
        return part[CAPTIONS][:]

    def _write(self, model: PreTrainedModel, processor: ImageTextProcessor, split: str, prefix: str) -> TextEvaluation:
        rows, references = self._encoded[split].remove_columns(["labels", "length"]), self._references(split)
        collate, written = CaptionCollator(processor), []
        for start in range(0, len(rows), _AT_ONCE):
            batch = collate([rows[place] for place in range(start, min(start + _AT_ONCE, len(rows)))])
            tokens = [row.token_ids for row in write_tokens(model, batch, num_return_sequences=1)]
            written += processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
            self.show_progress(f"Writing {prefix}", len(written), len(rows))
        tokenize, lowercase = self._bleu_options()
        scores = score_texts(written, references, tokenize=tokenize, lowercase=lowercase, bounds=True)
        names = [f"picture {number}" for number in range(1, len(rows) + 1)]
        return TextEvaluation(scores, names, references, written)

    def card_parts(self, examples: DatasetDict, processor: ImageTextProcessor, model: PreTrainedModel) -> CardParts:
        """Pictures, captions and sizes."""
        return captioning_card(self, examples, processor, model.config)
