"""Classification of texts with a picture each, as a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from transformers import EvalPrediction, PreTrainedModel
from transformers.trainer_utils import PredictionOutput

from .._places import loading_from
from .._wording import flags_in_sentences
from ..data.image_text_processor import ImageTextProcessor
from ..data.image_text_rows import ImageTextCollator, encode_image_texts, pictures_of
from ..data.loading import LoadedTexts, describe_labels
from ..data.marks import GROUP, KIND
from ..data.picture_files import undecoded
from ..data.pictures import IMAGE, IMAGE_FEATURES, load_image_texts
from ..data.problem_types import label_names_of
from ..data.tokenization import train_tokenizer
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import REGRESSION
from ..modeling.modeling_image_text_classification import AttnLSTMForImageTextClassification
from .image_text_arguments import ImageTextArguments, ImageTextModelArguments, ImageTextRunArguments, config_fields
from .image_text_baselines import train_baselines
from .image_text_card import image_text_card
from .image_text_flags import MEANINGLESS, OF_PICTURES, check_image_text, check_resumed
from .labelled_task import LabelledTask
from .shared_flags import columns_read, tell_learnt
from .starting_point import config_to_start_from
from .task import CardParts
from .trainer import AttnLSTMTrainer


# Pictures by which the pixels are scaled.
_MEASURED_PICTURES = 2_000


class ImageTextTask(LabelledTask):
    """Texts with a picture and a label each; see [`AttnLSTMForImageTextClassification`].

    Example:

    ```python
    >>> flags = ["--task", "image-text-classification", "--dataset", "scenes", "--max_steps", "2"]
    >>> run = run_task(parse_task([*flags, "--hidden_size", "16", "--image_conv_sizes", "4", "8"]))
    >>> run.metrics["eval_accuracy"], run.metrics["text_alone_eval_accuracy"]
    (0.5, 0.5)
    ```
    """

    name = "image-text-classification"
    data_arguments = ImageTextArguments
    model_arguments = ImageTextModelArguments
    training_arguments = ImageTextRunArguments
    meaningless = frozenset(MEANINGLESS)
    examples = (
        "--task image-text-classification --dataset scenes --kind_column kind --output_dir scenes-model",
        "--task image-text-classification --train_file photos.csv --output_dir photos-model",
    )

    data: ImageTextArguments
    model: ImageTextModelArguments
    training: ImageTextRunArguments
    loaded: LoadedTexts
    # Whether pictures come as features of their regions.
    reads_features: bool = False
    # Of what is measured beside the validation split, the names.
    _further: Sequence[str] = ()
    _loaded_config: AttnLSTMConfig | None = None
    _examples: DatasetDict
    # What the two baselines have reached.
    baselines: dict[str, float] = {}

    def check(self) -> None:
        """Refuse flags that do not fit together; a test file that is named is measured."""
        if self.data.test_file is not None and "do_predict" not in self.given:
            self.training.do_predict = True
        check_image_text(self.data, self.model, self.training, self.given, self.model.model_name_or_path)

    def sources(self) -> list[str]:
        """Files, data set and model."""
        data = self.data
        named = (data.dataset, data.train_file, data.validation_file, data.test_file, self.model.model_name_or_path)
        return [name for name in named if name is not None]

    def load(self) -> DatasetDict:
        """The texts with their pictures, some of them held out."""
        data, start = self.data, self._start()
        own_columns = None if start is None else start.text_columns
        files = {"train": data.train_file, "validation": data.validation_file, "test": data.test_file}
        with flags_in_sentences():
            self.loaded, further = load_image_texts(
                data.dataset or {name: path for name, path in files.items() if path is not None},
                text_column=columns_read(data.text_column, self._loaded_from(), own_columns) or data.text_column,
                label_column=data.label_column,
                image_column=data.image_column,
                group_column=data.group_column,
                kind_column=data.kind_column,
                problem_type=data.problem_type if start is None else start.resolve_problem_type(),
                config_name=data.dataset_config,
                label_names=None if start is None else _names_of(start),
                label_names_are_fixed=True,
                validation_size=data.validation_size,
                seed=data.split_seed,
                further_splits=data.further_splits or (),
            )
        splits = self.loaded.splits
        tell_learnt(self.loaded.held_out, self.training.do_train, "rows")
        self.problem_type, self.label_names = describe_labels(splits["train"].features)
        self._further = tuple(further)
        self._check_kind_of_pictures(splits["train"])
        self._examples = DatasetDict({**splits, **further})
        return self._examples

    def _start(self) -> AttnLSTMConfig | None:
        """The configuration of the model that the run begins with."""
        name = self._loaded_from()
        if name is not None:
            self._loaded_config = config_to_start_from(name, AttnLSTMConfig, AttnLSTMForImageTextClassification)
            own = self._loaded_config.resolve_problem_type()
            if self.data.problem_type not in (None, own):
                raise ValueError(
                    f"--problem_type {self.data.problem_type} contradicts {name}, which has {own}: leave it out."
                )
        return self._loaded_config

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

    def make_processor(self, examples: DatasetDict) -> ImageTextProcessor:
        """A tokenizer of the words, and an image processor that scales the pixels of the training pictures."""
        if self._loaded_config is not None:
            processor = ImageTextProcessor.from_pretrained(self._loaded_from(), self._loaded_config)
            if self.checkpoint is not None:
                check_resumed(self._loaded_from(), self.model, self.given, self._loaded_config, processor)
            return processor
        flags, train = self.model, examples["train"]
        tokenizer = train_tokenizer(
            train["text"],
            kind="word",
            vocab_size=flags.vocab_size,
            lowercase=flags.lowercase,
            model_max_length=flags.max_length,
        )
        if self.reads_features:
            return ImageTextProcessor(tokenizer, None, flags.truncation)
        step = -(-len(train) // _MEASURED_PICTURES)
        measured = undecoded(train.select(range(0, len(train), step)).select_columns([IMAGE, "text"]), IMAGE)
        images = (picture for row in measured for picture in pictures_of({name: [row[name]] for name in row}))
        return ImageTextProcessor.fit(tokenizer, images, side=flags.image_side, truncation=flags.truncation)

    def make_model(self, examples: DatasetDict, processor: ImageTextProcessor) -> PreTrainedModel:
        """A new model, or the one to go on from."""
        name = self._loaded_from()
        if name is not None:
            with loading_from(name) as place:
                model = AttnLSTMForImageTextClassification.from_pretrained(place, dtype=torch.float32)
            if not self.training.do_train:
                model.check_trained()
            return model
        columns = self.loaded.text_columns
        if self.reads_features:
            image = {"image_feature_size": len(examples["train"][0][IMAGE_FEATURES][0])}
        else:
            image = {"image_conv_sizes": list(self.model.image_conv_sizes)}
        labels = {"id2label": dict(enumerate(self.label_names))} if self.label_names else {"num_labels": 1}
        config = AttnLSTMConfig(
            vocab_size=len(processor.tokenizer),
            pad_token_id=processor.pad_token_id,
            problem_type=self.problem_type,
            text_columns=columns if len(columns) > 1 else None,
            **image,
            **labels,
            **config_fields(self.model),
        )
        return AttnLSTMForImageTextClassification(config)

    def encode(self, examples: DatasetDict, processor: ImageTextProcessor, model: PreTrainedModel) -> DatasetDict:
        """Token ids, and resized pixels or features."""
        self._check_widths(examples, model.config.region_size)
        return DatasetDict({name: encode_image_texts(split, processor) for name, split in examples.items()})

    def _check_widths(self, examples: DatasetDict, width: int) -> None:
        for name, split in examples.items() if self.reads_features else ():
            found = len(split[0][IMAGE_FEATURES][0])
            if found != width:
                raise ValueError(
                    f"The regions of the split {name!r} have {found} features, and the model reads {width}: make them "
                    "with the same vision model."
                )

    def values(self, examples: Dataset) -> Iterator[Any]:
        """Texts and labels, which pictures there are, and what stands together."""
        kept = [name for name in ("text", "label", GROUP) if name in examples.column_names]
        yield from super().values(examples.select_columns(kept))
        if IMAGE in examples.column_names:
            yield from (each["bytes"] or each["path"] for each in undecoded(examples, IMAGE)[IMAGE])

    def make_collator(self, processor: ImageTextProcessor, model: PreTrainedModel) -> Callable[[list], dict]:
        """Padding of texts and regions."""
        return ImageTextCollator(processor, model.config.region_size)

    def compare(self, trainer: AttnLSTMTrainer, encoded: DatasetDict, splits: Mapping[str, str]) -> dict[str, float]:
        """What the texts alone say, and the pictures alone."""
        if not self.training.baselines or not splits:
            return {}
        rows = {prefix: encoded[name] for prefix, name in splits.items()}
        metric = self.best_metric()[0].removeprefix("eval_")
        begin = partial(self.make_model, self._examples, trainer.processing_class)
        self.baselines = train_baselines(trainer, begin, encoded, rows, metric)
        return dict(self.baselines)

    def further_splits(self) -> Sequence[str]:
        """Those of `--further_splits`."""
        return self._further

    def further_metrics(self, output: PredictionOutput, rows: Dataset, prefix: str) -> dict[str, float]:
        """The chief score for each value of `--kind_column`."""
        if KIND not in rows.column_names:
            return {}
        name, score, kinds = self.best_metric()[0].removeprefix("eval_"), self.make_scorer(), np.array(rows[KIND][:])
        found = {}
        for kind in np.unique(kinds):
            here = kinds == kind
            scores = score(EvalPrediction(output.predictions[here], output.label_ids[here]))
            found[f"{prefix}_{name}/{kind}"] = scores[name]
        return found

    def card_parts(self, examples: DatasetDict, processor: ImageTextProcessor, model: PreTrainedModel) -> CardParts:
        """Texts, pictures, labels and baselines."""
        return image_text_card(self, examples, processor, model.config)


def _names_of(config: AttnLSTMConfig) -> list[str] | None:
    return None if config.resolve_problem_type() == REGRESSION else label_names_of(config)
