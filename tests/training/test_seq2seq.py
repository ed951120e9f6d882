"""The training of models that write: what is learnt and measured, how it goes on, and what is refused."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    pipeline,
)

from hfattnlstm import AttnLSTMForConditionalGeneration
from hfattnlstm.data.pair_rows import encode_pairs
from hfattnlstm.data.pairs import read_pairs
from hfattnlstm.modeling.pair_processor import PairProcessor
from hfattnlstm.training import TaskRun, parse_task
from hfattnlstm.training.seq2seq_trainer import AttnLSTMSeq2SeqTrainer
from training.pair_helpers import LEARNT, reversed_pairs, run, save_writer, write_pairs


PAIRS = reversed_pairs(700)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Files for training and test."""
    folder = tmp_path_factory.mktemp("data")
    return write_pairs(folder / "train.tsv", PAIRS[:640]), write_pairs(folder / "test.tsv", PAIRS[640:])


@pytest.fixture(scope="module")
def trained(data: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[TaskRun, Path]:
    folder = tmp_path_factory.mktemp("trained") / "model"
    files = ("--train_file", data[0], "--test_file", data[1])
    return run(folder, *files, *LEARNT, "--generation_num_beams", "3", "--plots"), folder


def test_reversing_is_learnt_and_measured_in_full(trained, data) -> None:
    found, folder = trained
    assert found.metrics["test_exact_match"] > 0.95 and found.metrics["test_bleu"] > 95
    assert found.metrics["test_bleu"] <= 100 and 0 < found.metrics["test_loss"] < 0.3
    assert found.metrics["test_bleu_low"] <= found.metrics["test_bleu"] <= found.metrics["test_bleu_high"]
    saved = json.loads((folder / "all_results.json").read_text())
    assert saved["test_bleu"] == found.metrics["test_bleu"] and saved["test_samples"] == 60
    evaluation = found.evaluations["test"]
    assert list(evaluation.references) == [target for _, target in PAIRS[640:]]
    right = sum(one == two for one, two in zip(evaluation.written, evaluation.references))
    assert found.metrics["test_exact_match"] == pytest.approx(right / 60)


def test_what_is_saved_writes_the_same(trained) -> None:
    found, folder = trained
    writer = pipeline("attention-text2text", model=str(folder))
    evaluation = found.evaluations["test"]
    results = writer(list(evaluation.sources))
    assert [result["generated_text"] for result in results] == list(evaluation.written)
    # The word that was looked at most is the one that was written, nearly always.
    hits = [
        max(zip(word["weights"], result["source"]), key=lambda pair: pair[0])[1]["text"] == word["text"]
        for result in results
        for word in result["alignment"]
    ]
    assert sum(hits) > 0.8 * len(hits)
    own = writer.model.generation_config
    assert (own.num_beams, own.suppress_tokens) == (3, [1]) and own.max_length >= 7


def test_the_card_says_what_it_is(trained) -> None:
    found, folder = trained
    card = (folder / "README.md").read_text()
    for line in (
        'pipeline("attention-text2text"',
        "sacreBLEU's signatures: bleu `nrefs:1|case:mixed|",
        "Read: `source`; written: `target`.",
        "type: exact_match",
    ):
        assert line in card
    assert "576 pairs for train, 64 pairs for validation, 60 pairs for test" in card
    assert "test_bleu" in found.report() and "test_chrf" in found.report()
    assert (folder / "learning_curve.png").exists()


def test_a_resumed_run_is_bit_equal(data, tmp_path) -> None:
    flags = ("--train_file", data[0], "--max_train_samples", "96", "--epochs", "2", "--save_total_limit", "9")
    flags += ("--scheduled_sampling", "0.5", "--word_dropout", "0.1", "--generation_num_beams", "1")
    whole = run(tmp_path / "whole", *flags)
    checkpoint = tmp_path / "half" / "checkpoint-2"
    shutil.copytree(tmp_path / "whole" / "checkpoint-2", checkpoint)
    resumed = run(tmp_path / "half", *flags, "--resume_from_checkpoint", checkpoint)
    assert whole.trainer.state.global_step == resumed.trainer.state.global_step == 4
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    with pytest.raises(ValueError, match="--hidden_size contradicts the checkpoint"):
        run(tmp_path / "half", *flags, "--resume_from_checkpoint", checkpoint, "--hidden_size", "34")
    with pytest.raises(ValueError, match="--tokenizer_kind contradicts the checkpoint"):
        run(tmp_path / "half", *flags, "--resume_from_checkpoint", checkpoint, "--tokenizer_kind", "char")


def test_a_model_goes_on_and_can_be_measured_alone(trained, data, tmp_path) -> None:
    _, folder = trained
    start = ("--model_name_or_path", folder)
    further = run_without_sizes(tmp_path / "further", "--train_file", data[0], *start, "--max_steps", "2")
    assert further.metrics["eval_exact_match"] > 0.8
    measured = run_without_sizes(
        tmp_path / "measured", "--train_file", data[0], "--test_file", data[1], *start, "--do_train", "false"
    )
    assert measured.metrics["test_bleu"] == pytest.approx(trained[0].metrics["test_bleu"])
    assert not (tmp_path / "measured" / "config.json").exists()


def test_longer_targets_may_be_written_by_a_model_that_goes_on(trained, data, tmp_path) -> None:
    _, folder = trained
    before = trained[0].model.generation_config.max_length
    longer = write_pairs(tmp_path / "long.tsv", [(f"ant {number}", f"bee ant {number} " * 20) for number in range(20)])
    start = ("--train_file", longer, "--model_name_or_path", folder, "--max_steps", "1")
    assert run_without_sizes(tmp_path / "long", *start).model.generation_config.max_length > 60 > before
    shorter = write_pairs(tmp_path / "short.tsv", [(f"ant {number}", f"bee {number}") for number in range(20)])
    start = ("--train_file", shorter, "--model_name_or_path", folder, "--max_steps", "1")
    assert run_without_sizes(tmp_path / "short", *start).model.generation_config.max_length == before


@pytest.mark.parametrize("fast", [True, False])
def test_it_computes_in_bfloat16_where_that_is_faster(fast, data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("hfattnlstm.training.seq2seq_arguments.has_fast_bfloat16_products", lambda device: fast)
    flags = ["--task", "seq2seq", "--train_file", data[0], "--output_dir", str(tmp_path), "--use_cpu"]
    task = parse_task(flags)
    assert (task.training.bf16, task.training.mixed_precision) == ((True, "bf16") if fast else (False, "no"))
    assert parse_task([*flags, "--bf16", "false"]).training.mixed_precision == "no"


def run_without_sizes(folder: Path, *flags) -> TaskRun:
    from hfattnlstm.training import run_task

    shared = ("--task", "seq2seq", "--output_dir", str(folder), "--use_cpu", "--bf16", "false")
    return run_task(parse_task([*shared, "--disable_tqdm", "true", *map(str, flags)]))


def test_two_vocabularies_and_two_files_of_lines(tmp_path) -> None:
    files = []
    for side, name in enumerate(("a.x", "a.y")):
        path = tmp_path / name
        path.write_text("\n".join(pair[side] for pair in PAIRS[:80]), encoding="utf-8")
        files.append(path)
    flags = ("--train_file", *files, "--separate_vocabularies", "--max_steps", "1", "--input_feeding", "false")
    found = run(tmp_path / "model", *flags, "--coverage", "--coverage_loss_coef", "1")
    config = found.model.config
    assert config.decoder_vocab_size == len(found.processor.target_tokenizer)
    assert config.coverage and not config.input_feeding and config.coverage_loss_coef == 1
    assert (tmp_path / "model" / "target_tokenizer" / "tokenizer.json").exists()
    loaded = pipeline("attention-text2text", model=str(tmp_path / "model"))
    assert not loaded.pair_processor.is_joint and isinstance(loaded("ant bee")["generated_text"], str)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "a.x and a.y" in card and "read, " in card


def test_flags_reach_the_model_and_the_run(data, tmp_path) -> None:
    options = {
        "num_decoder_layers": 2,
        "decoder_hidden_size": 20,
        "cross_attention_score": "general",
        "cross_attention_num_heads": 2,
        "cross_attention_normalizer": "entmax15",
        "tie_word_embeddings": False,
        "readout_dropout": 0.4,
        "hidden_dropout_prob": 0.25,
        "locked_dropout": True,
        "num_hidden_layers": 2,
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value).lower())]
    more = ("--label_smoothing_factor", "0.2", "--generation_max_length", "11", "--generation_num_beams", "2")
    found = run(tmp_path, "--train_file", data[0], "--max_train_samples", "40", "--max_steps", "1", *flags, *more)
    assert {name: getattr(found.model.config, name) for name in options} == options
    assert found.model.config.label_smoothing == 0.2
    assert (found.model.generation_config.max_length, found.model.generation_config.num_beams) == (12, 2)
    assert found.metrics["train_samples"] == 40
    assert found.trainer.label_smoother is None


def test_scheduled_sampling_rises_and_ends_with_the_training(data, tmp_path, monkeypatch) -> None:
    seen = []
    forward = AttnLSTMForConditionalGeneration.forward

    @functools.wraps(forward)
    def watched(self, *args, **kwargs):
        if self.training:
            seen.append(self.sampling_probability)
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(AttnLSTMForConditionalGeneration, "forward", watched)
    flags = ("--train_file", data[0], "--max_train_samples", "128", "--scheduled_sampling", "0.4", "--max_steps", "4")
    found = run(tmp_path, *flags, "--eval_strategy", "no", "--save_strategy", "no", "--do_eval", "false")
    assert seen == pytest.approx([0.0, 0.1, 0.2, 0.3]) and found.model.sampling_probability == 0.0


def test_short_targets_are_chosen_by_exact_matches(tmp_path) -> None:
    path = write_pairs(tmp_path / "numbers.tsv", [(f"n {number}", str(number)) for number in range(30)])
    found = run(tmp_path / "model", "--train_file", path, "--max_steps", "1")
    assert found.trainer.args.metric_for_best_model == "exact_match"
    loss = run(tmp_path / "loss", "--train_file", path, "--max_steps", "1", "--predict_with_generate", "false")
    assert loss.trainer.args.metric_for_best_model == "loss"


class TestStockTrainer:
    """`Seq2SeqTrainer` of transformers, with its own collator."""

    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_it_trains_and_predicts_with_generate(self, data, tmp_path, smoothing) -> None:
        folder = save_writer(tmp_path / "start")
        model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        rows = encode_pairs(read_pairs(data[1]), PairProcessor(tokenizer)).remove_columns("length")
        args = Seq2SeqTrainingArguments(
            tmp_path / "out",
            max_steps=3,
            per_device_train_batch_size=8,
            predict_with_generate=True,
            use_cpu=True,
            generation_num_beams=2,
            generation_max_length=7,
            report_to="none",
            disable_tqdm=True,
            logging_steps=1,
            label_smoothing_factor=smoothing,
            gradient_accumulation_steps=2,
        )
        collator = DataCollatorForSeq2Seq(tokenizer, model=model)
        trainer = Seq2SeqTrainer(
            model, args, train_dataset=rows, eval_dataset=rows, data_collator=collator, processing_class=tokenizer
        )
        assert trainer.train().training_loss > 0
        output = trainer.predict(rows)
        assert output.predictions.shape[0] == 60 and output.metrics["test_loss"] > 0

    def test_accumulated_batches_are_one_large_one(self, data, tmp_path) -> None:
        folder = save_writer(tmp_path / "start", embedding_dropout=0, hidden_dropout_prob=0, readout_dropout=0)
        weights = []
        for size, steps in ((16, 1), (4, 4)):
            model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
            rows = encode_pairs(read_pairs(data[1]), PairProcessor(tokenizer)).select(range(32))
            args = Seq2SeqTrainingArguments(
                tmp_path / "out",
                max_steps=2,
                per_device_train_batch_size=size,
                gradient_accumulation_steps=steps,
                use_cpu=True,
                report_to="none",
                disable_tqdm=True,
                learning_rate=0.01,
            )
            trainer = AttnLSTMSeq2SeqTrainer(
                model,
                args,
                train_dataset=rows,
                processing_class=tokenizer,
                data_collator=DataCollatorForSeq2Seq(tokenizer, model=model),
            )
            trainer.train()
            weights.append(model.state_dict())
        for name, tensor in weights[0].items():
            torch.testing.assert_close(tensor, weights[1][name], rtol=0, atol=2e-5)


class TestMistakes:
    """One sentence that names the flag."""

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (("--cross_attention_size", "8", "--cross_attention_score", "general"), "--cross_attention_size has no"),
            (("--coverage_loss_coef", "1"), "--coverage_loss_coef has no effect without --coverage true"),
            (("--direction_merge", "sum", "--no_bidirectional"), "--direction_merge has no effect beside"),
            (("--do_train", "false"), "--do_train false needs --model_name_or_path"),
            (("--adversarial_epsilon", "2"), "--adversarial_epsilon has no effect in this task"),
            (("--scheduled_sampling", "2"), "--scheduled_sampling is a share"),
            (("--generation_num_beams", "0"), "--generation_num_beams must be 1 or more"),
            (("--max_length", "1"), "--max_length must be 2 or more"),
            (("--hidden_size", "33"), "--hidden_size is the width of both directions"),
            (("--cross_attention_score", "dot", "--decoder_hidden_size", "7"), '--cross_attention_score="dot"'),
            (("--source_column", "source"), "--target_column is missing"),
            (("--source_column", "x", "--target_column", "target"), "with --source_column"),
            (("--max_train_samples", "9999"), "--max_train_samples 9999 is more than"),
            (("--num_attention_heads", "2"), "--num_attention_heads has no effect without --context_layers"),
            (("--vocab_size", "4"), "--vocab_size must be at least 6"),
            (("--metric_for_best_model", "accuracy"), "accuracy"),
            (("--do_predict",), "--do_predict needs a test split with targets"),
            (("--dataset_config", "x"), "--dataset_config has no effect without --dataset"),
        ],
    )
    def test_flags(self, data, tmp_path, flags, sentence) -> None:
        with pytest.raises(ValueError, match=sentence):
            run(tmp_path / "model", "--train_file", data[0], "--max_steps", "1", *flags)
        assert not (tmp_path / "model" / "model.safetensors").exists()

    def test_beside_a_model(self, trained, data, tmp_path) -> None:
        start = ("--train_file", data[0], "--model_name_or_path", trained[1], "--max_steps", "1")
        for flag, value in (("--hidden_size", "8"), ("--vocab_size", "99"), ("--lowercase", "true")):
            with pytest.raises(ValueError, match=f"{flag} has no effect beside --model_name_or_path"):
                run_without_sizes(tmp_path / "model", *start, flag, value)

    def test_a_model_of_another_kind(self, data, tmp_path, checkpoint_of_a_classifier) -> None:
        with pytest.raises(ValueError, match="attnlstm"):
            run_without_sizes(
                tmp_path / "model", "--train_file", data[0], "--model_name_or_path", checkpoint_of_a_classifier
            )

    def test_long_texts_are_told(self, data, tmp_path, caplog) -> None:
        run(tmp_path / "model", "--train_file", data[0], "--max_steps", "1", "--max_length", "4")
        assert "pairs for train have a text of 4 tokens or more, which is cut to that: --max_length" in caplog.text


@pytest.fixture(scope="module")
def checkpoint_of_a_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from deploy_helpers import random_model, word_tokenizer

    folder = tmp_path_factory.mktemp("classifier")
    random_model(num_labels=2).save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder
