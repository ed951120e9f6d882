"""Classification and regression of whole series, as a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, DatasetDict, Features, List, Value
from transformers import PreTrainedModel

from .._places import loading_from
from .._wording import flags_in_sentences
from ..data.labelled_series import load_labelled_series
from ..data.problem_types import label_names_of
from ..data.series_processor import SeriesProcessor
from ..data.series_summary import shown_front
from ..data.series_windows import padded_before
from ..data.splitting import split_train
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from ..modeling.modeling_time_series_classification import AttnLSTMForTimeSeriesClassification
from .flag_effects import Effect, beside, check_effects
from .forecasting_flags import MEANINGLESS, check_resumed
from .labelled_task import LabelledTask
from .markdown import code_span, shown_name
from .series_classification_arguments import LabelledSeriesArguments, SeriesClassificationArguments
from .series_model_arguments import SeriesModelArguments, config_fields, layer_effects
from .shared_flags import check_measured
from .starting_point import config_to_start_from
from .task import CardParts


# Steps of the recurrence that a series is read in, about, where nobody says how long a segment is.
_SEGMENTS = 60
_USAGE = """import torch
from hfattnlstm import AttnLSTMForTimeSeriesClassification, SeriesProcessor

model = AttnLSTMForTimeSeriesClassification.from_pretrained("{model_id}"{options}).eval()
processor = SeriesProcessor.from_pretrained("{model_id}")
logits = model(torch.from_numpy(processor.scaled(values))[None]).logits  # values: (length, channels)"""
_USAGE_WITHOUT_PACKAGE = """from transformers import AutoModelForSequenceClassification

# Values are scaled as preprocessor_config.json says: (batch, length, channels).
model = AutoModelForSequenceClassification.from_pretrained("{model_id}"{options})
logits = model(past_values=values).logits"""


class SeriesClassificationTask(LabelledTask):
    """Series with a label each; see [`AttnLSTMForTimeSeriesClassification`].

    Example:

    ```python
    >>> run = run_task(parse_task(["--task", "series-classification", "--train_file", "digits.jsonl"]))
    >>> run.metrics["eval_accuracy"]
    0.97
    ```
    """

    name = "series-classification"
    data_arguments = LabelledSeriesArguments
    model_arguments = SeriesModelArguments
    training_arguments = SeriesClassificationArguments
    meaningless = frozenset(MEANINGLESS)
    examples = ("--task series-classification --train_file digits.jsonl --output_dir digits-model",)

    data: LabelledSeriesArguments
    model: SeriesModelArguments
    _loaded_config: AttnLSTMForecasterConfig | None = None

    def check(self) -> None:
        """Refuse flags that do not fit together, or have no effect."""
        data = self.data
        if (data.dataset is None) == (data.train_file is None):
            raise ValueError("Give either --dataset or --train_file.")
        held_out = Effect(
            ("validation_size", "split_seed"), lambda _: data.validation_file is None, beside("--validation_file")
        )
        decided = Effect(
            tuple(sorted({*config_fields(self.model), "lookback", "segment_length", "scaler"})),
            lambda _: self._loaded_from() is None or self.checkpoint is not None,
            beside("--model_name_or_path, whose weights have decided it"),
        )
        meaningless = Effect(MEANINGLESS, lambda _: False, "in this task: leave it out")
        effects = (meaningless, held_out, decided, *layer_effects(self.model, self.model.front == "segments"))
        check_effects(effects, self.given, self.model)
        check_measured(self.training.do_train, starts=self._loaded_from() is not None)
        AttnLSTMForecasterConfig(**config_fields(self.model))

    def sources(self) -> list[str]:
        """Files, data set and model."""
        data = self.data
        named = (data.dataset, data.train_file, data.validation_file, data.test_file, self.model.model_name_or_path)
        return [name for name in named if name is not None]

    def load(self) -> DatasetDict:
        """The series, some of them held out."""
        data = self.data
        self._start()
        loaded = self._loaded_config
        files = {"train": data.train_file or data.dataset, "validation": data.validation_file, "test": data.test_file}
        with flags_in_sentences():
            splits, self.problem_type = load_labelled_series(
                {split: source for split, source in files.items() if source is not None},
                values_column=data.values_column,
                label_column=data.label_column,
                problem_type=data.problem_type if loaded is None else loaded.problem_type,
                label_names=None if loaded is None else label_names_of(loaded),
            )
            if "validation" not in splits:
                splits["train"], splits["validation"] = self._held_out(splits["train"])
        feature = splits["train"].features["label"]
        if self.problem_type == MULTI_LABEL:
            count = len(splits["train"][0]["label"])
            if loaded is not None and count != loaded.num_labels:
                raise ValueError(
                    f"The series have {count} labels each, and the model {loaded.num_labels}: give as many."
                )
            self.label_names = [f"LABEL_{index}" for index in range(count)]
        else:
            self.label_names = None if self.problem_type == REGRESSION else feature.names
        return splits

    def _start(self) -> None:
        """Read what the model has decided, where the run begins with one."""
        self._loaded_config, name = None, self._loaded_from()
        if name is None:
            return
        kinds = AttnLSTMForecasterConfig, AttnLSTMForTimeSeriesClassification
        self._loaded_config = config = config_to_start_from(name, *kinds)
        if self.data.problem_type not in (None, config.problem_type):
            raise ValueError(
                f"--problem_type {self.data.problem_type} contradicts {name}, which has {config.problem_type}: leave "
                "it out."
            )

    def _held_out(self, rows: Dataset) -> tuple[Dataset, Dataset]:
        """Training and validation series, with every label in both."""
        labels = rows["label"][:]
        if self.problem_type == MULTI_LABEL:
            # The split goes by the labels that apply.
            labels = [[index for index, share in enumerate(label) if share] for label in labels]
        feature = List(Value("int64")) if self.problem_type == MULTI_LABEL else rows.features["label"]
        features = Features({"row": Value("int64"), "label": feature})
        numbered = Dataset.from_dict({"row": range(len(rows)), "label": labels}, features=features)
        parts = split_train(numbered, self.data.validation_size, self.data.split_seed)
        return tuple(rows.select(part["row"][:]) for part in parts)

    def make_processor(self, examples: DatasetDict) -> SeriesProcessor:
        """The scales of the channels, over all training series."""
        name = self._loaded_from()
        if name is not None:
            with loading_from(name) as place:
                processor = SeriesProcessor.from_pretrained(place)
            if self.checkpoint is not None:
                check_resumed(name, self.model, self.data, self.given, self._loaded_config, processor)
            return processor
        values = np.concatenate([np.asarray(each, np.float32) for each in examples["train"]["values"]])
        return SeriesProcessor.of_values(values, scaler=self.model.scaler)

    def make_model(self, examples: DatasetDict, processor: SeriesProcessor) -> PreTrainedModel:
        """A new model, or the one to go on from."""
        name = self._loaded_from()
        if name is not None:
            with loading_from(name) as place:
                model = AttnLSTMForTimeSeriesClassification.from_pretrained(place, dtype=torch.float32)
            if not self.training.do_train:
                model.check_trained()
            return model
        lengths = [len(each) for each in examples["train"]["values"]]
        lookback = self.model.lookback or max(lengths)
        segment = self.model.segment_length or max(round(lookback / _SEGMENTS), 1)
        names = self.label_names or ["LABEL_0"]
        config = AttnLSTMForecasterConfig(
            num_input_channels=len(processor.channels),
            context_length=lookback,
            **({} if self.model.front == "convolution" else {"segment_length": segment}),
            problem_type=self.problem_type,
            id2label=dict(enumerate(names)),
            **config_fields(self.model),
        )
        return AttnLSTMForTimeSeriesClassification(config)

    def encode(self, examples: DatasetDict, processor: SeriesProcessor, model: PreTrainedModel) -> DatasetDict:
        """Scaled series of equal length, what is missing before them as NaN."""
        length = model.config.context_length
        dtype = "int64" if self.problem_type not in (REGRESSION, MULTI_LABEL) else "float32"

        def encoded(split: Dataset) -> Dataset:
            rows = [padded_before(processor.scaled(np.asarray(each, np.float32)), length) for each in split["values"]]
            labels = np.asarray(split["label"], dtype)
            return Dataset.from_dict({"past_values": rows, "labels": list(labels)}).with_format("numpy")

        return DatasetDict({name: encoded(split) for name, split in examples.items()})

    def make_collator(self, processor: SeriesProcessor, model: PreTrainedModel) -> Callable[[list], dict]:
        """Series behind each other."""
        return collate_series

    def card_parts(self, examples: DatasetDict, processor: SeriesProcessor, model: PreTrainedModel) -> CardParts:
        """Series, labels and sizes."""
        data, config = self.data, model.config
        local = data.dataset is None or Path(data.dataset).exists()
        source = Path(data.train_file or data.dataset).name if local else data.dataset
        sizes = ", ".join(f"{len(split):,} series for {name}" for name, split in examples.items())
        return CardParts(
            summary="A classifier of time series: an LSTM with attention",
            usage=_USAGE,
            usage_note="`AutoModelForSequenceClassification` loads it, too.",
            source=source,
            dataset=None if local else data.dataset,
            data=f"{code_span(source)}: {sizes}, of {config.num_input_channels} channels.",
            recipe={
                "started from": shown_name(self.model.model_name_or_path or "random weights"),
                "read": f"{config.context_length} steps {shown_front(config)}",
                "width, layers": f"{config.hidden_size}, {config.num_hidden_layers}",
            },
            limits=(
                f"It reads at most {config.context_length} steps of a series, the last ones.",
                "The attention shows where the model looked. It is no proof of why it decided.",
            ),
            pipeline_tag="time-series-classification",
            tags=("hfattnlstm", "lstm", "time-series"),
            general_limits=("It has learnt from the series above alone. On others it will do worse.",),
            has_language=False,
            usage_without_package=_USAGE_WITHOUT_PACKAGE,
        )


def collate_series(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch of rows with `past_values` and `labels`.

    Example:

    ```python
    >>> collate_series([{"past_values": np.zeros((4, 2), np.float32), "labels": np.int64(1)}])["labels"]
    tensor([1])
    ```
    """
    return {name: torch.from_numpy(np.stack([np.asarray(row[name]) for row in rows])) for name in rows[0]}
