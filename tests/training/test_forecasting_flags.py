"""Every flag of a forecaster has an effect, or is refused where it has none."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import set_seed

from hfattnlstm.data.series_windows import collate_windows
from hfattnlstm.training import parse_task, run_task
from hfattnlstm.training.flag_effects import check_run
from hfattnlstm.training.forecasting import ForecastingTask
from hfattnlstm.training.forecasting_arguments import ForecasterArguments, ForecastingArguments, SeriesArguments
from hfattnlstm.training.forecasting_flags import choose_segment
from hfattnlstm.training.forecasts import forecast_batch
from hfattnlstm.training.run import make_trainer
from training.forecasting_helpers import QUIET, SIZES, long_table, train, words


def make_table() -> pd.DataFrame:
    """Two series with all that flags can name; `shop` and `when` may stand for the names and the times."""
    table = long_table()
    step = table.groupby("unique_id").cumcount()
    table["when"] = table["ds"] + pd.Timedelta(days=3)
    table["shop"] = table["unique_id"].map({"a": "north", "b": "south"})
    return table.assign(z=table["y"] ** 2, price=(step % 5).astype(float), size=step.where(step < 0, 2.0))


TABLE = make_table()
_COLUMNS = "--target_columns y"
# Of each flag, what is given beside it, if need be, and itself.
CHANGES = {
    "id_column": ("", "--id_column shop"),
    "time_column": ("", "--time_column when"),
    "target_columns": ("", "--target_columns z"),
    "known_columns": ("", "--known_columns price"),
    "static_columns": ("", "--static_columns shop"),
    "frequency": ("", "--frequency 30min"),
    "season_length": ("", "--season_length 4"),
    "calendar": ("", "--calendar hour"),
    "borders": ("", "--borders 70 90 110"),
    "validation_size": ("", "--validation_size 0.3"),
    "validation_windows": ("", "--validation_windows 3"),
    "horizon": ("", "--horizon 5"),
    "lookback": ("", "--lookback 24"),
    "scaler": ("", "--scaler none"),
    "lower_bound": ("", "--lower_bound 0"),
    "upper_bound": ("", "--upper_bound 99"),
    "mix_channels": ("--target_columns y z", "--mix_channels true"),
    "instance_center": ("", "--instance_center last"),
    "instance_scale": ("", "--instance_scale mean_abs"),
    "front": ("", "--front convolution"),
    "segment_length": ("", "--segment_length 3"),
    "conv_kernel_size": ("--front convolution", "--conv_kernel_size 5"),
    "conv_pool_size": ("--front convolution", "--conv_pool_size 3"),
    "embedding_size": ("", "--embedding_size 12"),
    "hidden_size": ("", "--hidden_size 12"),
    "num_hidden_layers": ("", "--num_hidden_layers 2"),
    "bidirectional": ("", "--bidirectional true"),
    "direction_merge": ("--bidirectional true", "--direction_merge sum"),
    "residual": ("", "--residual true"),
    "hidden_dropout_prob": ("--num_hidden_layers 2", "--hidden_dropout_prob 0.4"),
    "context_layers": ("", "--context_layers attention"),
    "num_attention_heads": ("--context_layers attention", "--num_attention_heads 2"),
    "intermediate_size": ("--context_layers transformer", "--intermediate_size 12"),
    "context_merge": ("--context_layers attention", "--context_merge concat"),
    "context_causal": ("--context_layers attention", "--context_causal true"),
    "num_hashes": ("--context_layers lsh_attention --lsh_attn_chunk_length 1", "--num_hashes 3"),
    "num_buckets": ("--context_layers lsh_attention --lsh_attn_chunk_length 1", "--num_buckets 2"),
    "lsh_attn_chunk_length": ("--context_layers lsh_attention", "--lsh_attn_chunk_length 2"),
    "pooling": ("", "--pooling mean max"),
    "pooler_score": ("", "--pooler_score general"),
    "pooler_size": ("", "--pooler_size 5"),
    "pooler_num_heads": ("", "--pooler_num_heads 2"),
    "pooler_temperature": ("", "--pooler_temperature 3"),
    "pooler_normalizer": ("", "--pooler_normalizer sparsemax"),
    "pooler_l2_coef": ("", "--pooler_l2_coef 1"),
    "pooler_entropy_coef": ("", "--pooler_entropy_coef 1"),
    "pooler_diversity_coef": ("", "--pooler_diversity_coef 1"),
    "decoding": ("--pooling attention", "--decoding autoregressive"),
    "linear_forecast": ("", "--linear_forecast trained"),
    "loss": ("", "--loss mae"),
    "quantiles": ("", "--quantiles 0.2 0.5 0.7"),
    "distribution_output": ("--loss nll", "--distribution_output normal"),
    "classifier_hidden_size": ("", "--classifier_hidden_size 6"),
    "classifier_dropout": ("", "--classifier_dropout 0.1"),
}
# Where the series come from, and what is learnt further.
SOURCES = {"dataset", "train_file", "model_name_or_path"}


def flags_of(*texts: str) -> list[str]:
    """The sizes of a small model, but for what the texts say; of a flag that is given twice the last one."""
    given = dict(SIZES)
    if "--front convolution" in " ".join(texts):
        # It has no segments.
        del given["segment_length"]
    for text in texts:
        for name in (word.removeprefix("--") for word in text.split() if word.startswith("--")):
            given.pop(name, None)
    return [*words(**given), *(word for text in texts for word in text.split())]


def trace(*texts: str) -> dict[str, Any]:
    """What a run does before its first step: its windows, its processor, and what a model with some weights says."""
    quiet = {name: value for name, value in QUIET.items() if f"--{name}" not in " ".join(texts)}
    task = parse_task(["--task", "forecasting", *words(**quiet), *flags_of(*texts)])
    task.source = TABLE
    task.check()
    check_run(task.training, task.given)
    set_seed(0)
    trainer, encoded = make_trainer(task, task.load())
    model = trainer.model
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.4, 0.4)
    batch = collate_windows([encoded["train"][index] for index in range(0, 60, 7)])
    set_seed(1)
    with torch.no_grad():
        loss = model.train()(**batch).loss.item()
    said = forecast_batch(model.eval(), batch)
    return {
        "windows": {name: len(part) for name, part in encoded.items()},
        "processor": json.dumps(trainer.processing_class.to_dict(), default=str, sort_keys=True),
        "shape": tuple(said.values.shape),
        "loss": loss,
        "forecast": float(said.values.double().square().sum()),
        "quantiles": None if said.quantiles is None else float(said.quantiles.double().square().sum()),
    }


@pytest.fixture(scope="module")
def traces() -> dict[str, dict[str, Any]]:
    """By what is given beside a flag."""
    return {beside: trace(beside) for beside in dict.fromkeys(beside for beside, _ in CHANGES.values())}


def refused(folder: Path, text: str, sized: bool = True) -> str:
    """The sentence with which a run refuses flags."""
    quiet = {name: value for name, value in QUIET.items() if f"--{name}" not in text}
    sizes = [*flags_of(text), "--max_steps", "1"] if sized else text.split()
    with pytest.raises(ValueError) as caught:
        task = parse_task(["--task", "forecasting", *words(output_dir=folder / "model", **quiet), *sizes])
        task.source = TABLE
        run_task(task)
    assert "\n" not in str(caught.value) and not (folder / "model").exists()
    return str(caught.value)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained one, which was told a column."""
    folder = tmp_path_factory.mktemp("loaded")
    train(folder, TABLE, "--known_columns", "price", "--target_columns", "y")
    return folder


def test_there_is_a_change_for_every_flag() -> None:
    known = {item.name for kind in (SeriesArguments, ForecasterArguments) for item in fields(kind)}
    assert {*CHANGES, *SOURCES} == known


@pytest.mark.parametrize("name", CHANGES)
def test_every_flag_changes_what_is_learnt(name: str, traces: dict[str, dict[str, Any]]) -> None:
    beside, change = CHANGES[name]
    before, after = traces[beside], trace(beside, change)
    assert before != after
    if name in {item.name for item in fields(ForecasterArguments)} - {"scaler", "lower_bound", "upper_bound"}:
        # Of the model itself, not of its windows alone.
        numbers = ("shape", "loss", "forecast", "quantiles")
        assert [before[number] for number in numbers] != [after[number] for number in numbers]


def test_a_trace_is_the_same_again(traces: dict[str, dict[str, Any]]) -> None:
    assert trace("") == traces[""]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--validation_size 0.2 --borders 70 90", "--validation_size has no effect beside --borders"),
        ("--conv_kernel_size 5", 'conv_kernel_size is for front="convolution"'),
        ("--conv_pool_size 3", 'conv_pool_size is for front="convolution"'),
        ("--direction_merge sum", "direction_merge is for two directions"),
        ("--residual true --embedding_size 4", "residual needs a layer that is as wide as what it reads"),
        ("--intermediate_size 16", "intermediate_size "),
        ("--pooling last --pooler_score dot", 'pooler_score needs "attention" in pooling'),
        ("--pooling last --pooler_num_heads 2", 'pooler_num_heads needs "attention" in pooling'),
        ("--pooling last --pooler_temperature 2", 'pooler_temperature needs "attention" in pooling'),
        ("--pooling last --pooler_normalizer entmax15", 'pooler_normalizer needs "attention" in pooling'),
        ("--pooling last --pooler_l2_coef 1", 'pooler_l2_coef needs "attention" in pooling'),
        ("--pooler_size 4 --pooler_score dot", "pooler_size is for the scores additive and diagonal_dot"),
        ("--loss mae --quantiles 0.5", 'quantiles are for loss="quantile"'),
        ("--distribution_output normal", 'distribution_output is for loss="nll"'),
        ("--decoding autoregressive --pooling last", 'pooling is for decoding="direct"'),
    ],
)
def test_flags_without_effect_are_refused(tmp_path: Path, flags: str, sentence: str) -> None:
    assert sentence in refused(tmp_path, flags)


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ("--num_attention_heads 2", "num_attention_heads"),
        (
            "--lower_bound 0 --loss nll --distribution_output negative_binomial --instance_center none --scaler none",
            "lower_bound",
        ),
        ("--context_layers attention --intermediate_size 16", "intermediate_size"),
        ("--hidden_dropout_prob 0.3", "hidden_dropout_prob"),
        ("--decoding autoregressive --pooling attention --classifier_hidden_size 8", "classifier_hidden_size"),
        ("--front convolution --segment_length 3 --lookback 18", "segment_length"),
        (
            "--loss nll --distribution_output negative_binomial --instance_center none --scaler none "
            "--linear_forecast fitted",
            "linear_forecast",
        ),
    ],
)
def test_flags_that_the_model_does_not_read_are_refused(tmp_path: Path, flags: str, name: str) -> None:
    """It has no such layer."""
    assert name in refused(tmp_path, flags)


MEANINGLESS = {
    "language": "en",
    "embedding_updates": "dense",
    **dict.fromkeys(("label_smoothing_factor", "neftune_noise_alpha", "layer_lr_decay"), "0.5"),
    "unfreeze_steps": "2",
    "label_names": "labels",
    **dict.fromkeys(("rdrop_alpha", "conicity_coef", "tying_coef", "alignment_coef", "erasure_coef"), "0.5"),
    **dict.fromkeys(("adversarial_epsilon", "vat_epsilon", "rationale_coef"), "0.5"),
}


def test_what_has_no_meaning_here_is_known() -> None:
    assert {*MEANINGLESS} - {"label_names"} == ForecastingTask.meaningless


@pytest.mark.parametrize("name", MEANINGLESS)
def test_what_is_for_texts_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, f"--{name} {MEANINGLESS[name]}") == f"--{name} has no effect in this task: leave it out."


class TestValues:
    """What a flag cannot be is told with its name, and what it can be."""

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            ("--horizon 0", "--horizon "),
            ("--horizon -1", "--horizon "),
            ("--lookback 0", "--lookback "),
            ("--lookback -3", "--lookback "),
            ("--segment_length 0", "--segment_length "),
            ("--segment_length -2", "--segment_length must be at least 1, got -2."),
            ("--season_length 0", "--season_length "),
            ("--season_length -4", "--season_length "),
            ("--validation_windows 0", "--validation_windows "),
            ("--validation_windows -1", "--validation_windows "),
            ("--validation_size 1.5", "--validation_size must be above 0 and below 1, got 1.5."),
            ("--hidden_size 0", "--hidden_size must be at least 1, got 0."),
            ("--classifier_dropout 1", "--classifier_dropout must be at least 0 and below 1, got 1.0."),
            ("--quantiles 0.9 0.1", "quantiles must rise, lie between 0 and 1, and have 0.5 among them"),
            ("--quantiles 0.1 0.9", "quantiles must rise, lie between 0 and 1, and have 0.5 among them"),
            ("--quantiles 0 0.5", "quantiles must rise, lie between 0 and 1, and have 0.5 among them"),
            ("--pooling attnetion", "pooling must be one of attention, mean, max, last, sum, or a list"),
            ("--context_layers attnetion", "context_layers "),
            ("--context_layers attention --num_attention_heads 3", "must be a multiple of num_attention_heads=3"),
            ("--conv_kernel_size 2 --front convolution", "conv_kernel_size must be odd, got 2."),
            ("--hidden_size 7 --bidirectional true", "must be even, got 7"),
            ("--calendar hour day", "--calendar day is none of hour, weekday, monthday, month."),
            ("--frequency often", "--frequency often is no frequency: it is written as pandas does"),
            ("--frequency D", "lie between the steps of the frequency 'D'"),
            ("--known_columns prize", "--known_columns prize names no column of the table: did you mean 'price'?"),
            ("--target_columns nothing", "--target_columns nothing names no column of the table: it has 'unique_id'"),
            ("--static_columns price", "The column 'price' of the table changes within the series 'a'"),
            ("--known_columns y --target_columns y", "The column 'y' is named for two purposes"),
            ("--borders 10", "--borders takes two or three: where training, validation and test end."),
            ("--borders 50 40 90", "--borders 50 40 90 must rise, and lie within the series."),
            ("--borders a b", "--borders takes numbers of rows, shares such as 0.7, or times such as 2024-12-31, not"),
            ("--borders 0.5 90", "not '0.5'."),
            ("--borders 2030-01-01 2031-01-01", "--borders 2030-01-01 2031-01-01 "),
        ],
    )
    def test_they_are_told(self, tmp_path: Path, flags: str, sentence: str) -> None:
        assert sentence in refused(tmp_path, flags)

    def test_a_part_that_is_too_short_is_named(self, tmp_path: Path) -> None:
        """It is not the series that are too short."""
        told = refused(tmp_path, "--borders 80 82 120")
        assert "validation" in told and "--borders" in told
        assert "test part" in refused(tmp_path, "--borders 80 90 92")

    def test_a_horizon_that_is_longer_than_the_series(self, tmp_path: Path) -> None:
        told = refused(tmp_path, "--horizon 500")
        assert told.startswith("No series of the table is long enough: the longest has 120 steps, of which 500 are he")

    def test_the_horizon_must_be_said(self, tmp_path: Path) -> None:
        told = refused(tmp_path, "--lookback 12", sized=False)
        assert told == "--horizon says how many steps are forecast: add it, such as --horizon 24."

    def test_a_measurement_needs_a_model(self, tmp_path: Path) -> None:
        told = refused(tmp_path, "--do_train false --horizon 4", sized=False)
        assert told.startswith("--do_train false needs --model_name_or_path: the random weights of a new model")

    def test_a_test_needs_a_third_border(self, tmp_path: Path) -> None:
        told = refused(tmp_path, "--do_predict true")
        assert told.startswith("--do_predict") and "--borders" in told and "label" not in told

    def test_counts_are_not_scaled(self, tmp_path: Path) -> None:
        """What was centred is below 0 half of the time, which is no count."""
        flags = "--loss nll --distribution_output negative_binomial"
        told = refused(tmp_path, flags)
        assert told.endswith("of which nothing is taken off: add --instance_center none and --scaler none.")
        assert refused(tmp_path, f"{flags} --instance_center none").endswith("taken off: add --scaler none.")

    def test_one_source(self, tmp_path: Path) -> None:
        told = "Give either --dataset or --train_file."
        assert refused(tmp_path, "--train_file series.csv") == refused(tmp_path, "--dataset me/series") == told

    def test_calendars_need_times(self, tmp_path: Path) -> None:
        task = parse_task(["--task", "forecasting", *words(output_dir=tmp_path, **SIZES), "--calendar", "hour"])
        task.source = pd.DataFrame({"step": np.arange(100), "y": np.arange(100.0)})
        task.data.time_column = "step"
        with pytest.raises(ValueError, match="--calendar hour needs times, which the table has not: leave it out"):
            run_task(task)


class TestLoaded:
    """A model has decided what its weights need."""

    @pytest.mark.parametrize(
        "name",
        [
            *(item.name for item in fields(ForecasterArguments) if item.name != "model_name_or_path"),
            *("calendar", "known_columns", "static_columns", "season_length"),
        ],
    )
    def test_flags_that_it_has_decided_are_refused(self, tmp_path: Path, name: str) -> None:
        argv = ["--task", "forecasting", *words(output_dir=tmp_path / "model", model_name_or_path="missing")]
        task = parse_task([*argv, *CHANGES[name][1].split()])
        task.source = TABLE
        sentence = f"--{name} has no effect beside --model_name_or_path, whose weights have decided it: leave one of"
        with pytest.raises(ValueError, match=sentence):
            run_task(task)

    @pytest.mark.parametrize("name", ["hidden_size", "horizon", "lookback", "loss", "calendar", "scaler", "pooling"])
    def test_a_resumed_training_contradicts_none_of_them(self, model: Path, tmp_path: Path, name: str) -> None:
        last = max(model.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        shutil.copytree(last, tmp_path / last.name)
        flags = (*CHANGES[name][1].split(), "--resume_from_checkpoint", "true", "--known_columns", "price")
        with pytest.raises(ValueError, match=f"--{name} "):
            train(tmp_path, TABLE, *flags, "--target_columns", "y")

    def test_one_of_the_columns_may_be_named_again(self, model: Path, tmp_path: Path) -> None:
        """The others are still those of the model."""
        table = TABLE.rename(columns={"unique_id": "house"})
        argv = words(output_dir=tmp_path, model_name_or_path=model, id_column="house", max_steps=1, use_cpu=True)
        task = parse_task(["--task", "forecasting", *argv])
        task.source = table
        assert run_task(task).model.config.num_time_features == 1

    def test_series_of_whole_numbers_are_no_series_of_times(self, model: Path, tmp_path: Path) -> None:
        table = TABLE.assign(ds=TABLE.groupby("unique_id").cumcount())
        task = parse_task(
            ["--task", "forecasting", *words(output_dir=tmp_path, model_name_or_path=model, max_steps=1, use_cpu=True)]
        )
        task.source = table
        with pytest.raises(ValueError, match="trained on series with times"):
            run_task(task)

    def test_a_text_classifier_is_no_forecaster(self, checkpoint_of_texts: Path, tmp_path: Path) -> None:
        task = parse_task(
            ["--task", "forecasting", *words(output_dir=tmp_path, model_name_or_path=checkpoint_of_texts)]
        )
        task.source = TABLE
        sentence = "is a model of the type 'attnlstm': name one of the type 'attnlstm_forecaster'"
        with pytest.raises(ValueError, match=sentence):
            run_task(task)


@pytest.fixture
def checkpoint_of_texts(tmp_path: Path) -> Path:
    from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification

    folder = tmp_path / "texts"
    AttnLSTMForSequenceClassification(AttnLSTMConfig(vocab_size=9, hidden_size=8)).save_pretrained(folder)
    return folder


class TestChoices:
    """What is chosen where nobody says."""

    @pytest.mark.parametrize("season", [1, 2, 7, 12, 24, 52, 96])
    @pytest.mark.parametrize("lookback", [1, 5, 30, 96, 168, 720])
    def test_segments_divide_a_season_or_are_several(self, lookback: int, season: int) -> None:
        segment = choose_segment(lookback, season)
        assert 1 <= segment <= lookback
        assert season % segment == 0 or segment % season == 0
        if lookback >= 30:
            assert lookback / segment <= 60

    def test_a_short_series_is_read_about_half(self) -> None:
        task = parse_task(["--task", "forecasting", "--horizon", "4"])
        task.source = long_table(length=200)
        task.load()
        config = task.config
        assert config.context_length % config.segment_length == 0 and 90 < config.context_length <= 110

    def test_a_long_one_no_further_than_720_steps(self) -> None:
        task = parse_task(["--task", "forecasting", "--horizon", "4"])
        task.source = long_table(length=2000)
        task.load()
        assert (task.config.context_length, task.config.segment_length) == (720, 24)

    @pytest.mark.parametrize(("channels", "size"), [(1, 256), (7, 36), (21, 12), (862, 8)])
    def test_batches_have_about_as_many_channels(self, channels: int, size: int) -> None:
        training = ForecastingArguments("unused")
        training.choose_batch(channels)
        assert training.per_device_train_batch_size == size
        given = ForecastingArguments("unused", per_device_train_batch_size=17)
        given.choose_batch(channels)
        assert given.per_device_train_batch_size == 17

    @pytest.mark.parametrize(("windows", "updates"), [(100, 600), (51_200, 600), (100_000, 1173), (900_000, 2000)])
    def test_epochs_give_from_600_to_2000_updates(self, windows: int, updates: int) -> None:
        training = ForecastingArguments("unused")
        training.choose_steps(windows)
        assert training.num_train_epochs * math.ceil(windows / 256) == pytest.approx(updates)
        given = ForecastingArguments("unused", num_train_epochs=2)
        given.choose_steps(windows)
        assert given.num_train_epochs == 2

    def test_flags_come_from_a_file_too(self, tmp_path: Path) -> None:
        file = tmp_path / "flags.yaml"
        file.write_text("task: forecasting\nhorizon: 4\nquantiles: [0.2, 0.5]\nlookback: 12\nmax_steps: 1\n")
        task = parse_task([str(file), "--lookback", "24"])
        assert (task.name, task.model.horizon, task.model.lookback) == ("forecasting", 4, 24)
        assert task.model.quantiles == [0.2, 0.5]
