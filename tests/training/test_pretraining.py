"""Pretraining, from files to a saved model, and what is trained from it."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForPreTraining, AutoTokenizer, EvalPrediction, TrainerControl, TrainerState

from hfattnlstm import AttnLSTMForPreTraining
from hfattnlstm.commands.main import main
from hfattnlstm.training import TaskRun, parse_task, run_task
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.callbacks import TokenRate
from hfattnlstm.training.pretraining import perplexities
from training.test_classification import write_texts


SIZES = "--embedding_size 16 --hidden_size 24"
QUICK = "--block_size 8 --batch_size 8 --use_cpu --disable_tqdm true --bf16 false"
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]


def write_counting(path: Path, count: int = 200, seed: int = 0) -> Path:
    """Lines that count up from some number, so that the next word and the one before are known."""
    chooser = random.Random(seed)
    lines = []
    for _ in range(count):
        start = chooser.randrange(len(NUMBERS))
        lines.append(" ".join(NUMBERS[(start + step) % len(NUMBERS)] for step in range(chooser.randint(4, 12))))
    path.write_text("\n".join(lines) + "\n")
    return path


def pretrain(folder: Path, *flags: str, base: Path | None = None) -> TaskRun:
    """A small run, or one that goes on from a base, which is small."""
    start = SIZES.split() if base is None else ["--model_name_or_path", str(base)]
    quiet = ["--report_to", "none", *QUICK.split()]
    argv = ["--task", "pretraining", "--output_dir", str(folder), *start, *quiet, *flags]
    return run_task(parse_task(argv))


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, TaskRun]:
    """The folder, the texts, and the run."""
    folder = tmp_path_factory.mktemp("base")
    texts = write_counting(folder / "texts.txt")
    flags = ("--epochs", "8", "--lr", "0.02", "--save_total_limit", "30", "--save_steps", "0.2")
    return folder / "base", texts, pretrain(folder / "base", "--train_file", str(texts), *flags)


def test_it_learns_and_tells_perplexities_and_tokens_a_second(pretrained: tuple[Path, Path, TaskRun]) -> None:
    folder, _, run = pretrained
    metrics = json.loads((folder / "all_results.json").read_text())
    assert metrics["eval_forward_perplexity"] < 3.5 and metrics["eval_backward_perplexity"] < 3.5
    assert metrics["eval_perplexity"] == pytest.approx(math.exp(metrics["eval_loss"]), rel=0.02)
    assert run.metrics["train_tokens_per_second"] > 0
    # A model that knows how often each word comes has about as many as there are words.
    assert metrics["eval_perplexity"] < len(NUMBERS) / 2


def test_the_perplexity_is_that_of_the_saved_model(pretrained: tuple[Path, Path, TaskRun]) -> None:
    """Token by token, over the windows that were held out."""
    folder, _, run = pretrained
    model = AutoModelForPreTraining.from_pretrained(folder).eval()
    assert isinstance(model, AttnLSTMForPreTraining)
    losses: list[list[float]] = [[], []]
    with torch.no_grad():
        for row in run.trainer.eval_dataset:
            ids = torch.tensor([row["input_ids"]])
            scores = model(ids).logits.log_softmax(-1)[0]
            for place in range(ids.shape[1] - 1):
                losses[0].append(-scores[place, 0, ids[0, place + 1]].item())
                losses[1].append(-scores[place + 1, 1, ids[0, place]].item())
    assert run.metrics["eval_forward_perplexity"] == pytest.approx(math.exp(np.mean(losses[0])), rel=1e-4)
    assert run.metrics["eval_backward_perplexity"] == pytest.approx(math.exp(np.mean(losses[1])), rel=1e-4)


def test_padding_is_no_part_of_a_perplexity() -> None:
    prediction = EvalPrediction(np.array([[2.0, 4.0], [1.0, 2.0]]), np.array([[4, 5, 6], [7, 8, -100]]))
    found = perplexities(prediction)
    assert found["forward_perplexity"] == pytest.approx(math.exp(1))
    assert found["backward_perplexity"] == pytest.approx(math.exp(2))
    assert found["perplexity"] == pytest.approx(math.exp(1.5))
    assert perplexities(EvalPrediction(np.array([[9e9, 1.0]]), np.array([[4, 5]])))["perplexity"] == math.inf


def test_a_resumed_run_is_bit_equal(pretrained: tuple[Path, Path, TaskRun], tmp_path: Path) -> None:
    folder, texts, run = pretrained
    checkpoints = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    assert len(checkpoints) >= 4
    shutil.copytree(checkpoints[1], tmp_path / "base" / checkpoints[1].name)
    flags = ("--epochs", "8", "--lr", "0.02", "--save_steps", "0.2", "--resume_from_checkpoint", "true")
    again = pretrain(tmp_path / "base", "--train_file", str(texts), *flags)
    for name, tensor in run.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name
    assert again.metrics["eval_perplexity"] == run.metrics["eval_perplexity"]


def test_blocks_of_another_size_are_told_when_a_run_is_resumed(
    pretrained: tuple[Path, Path, TaskRun], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, texts, _ = pretrained
    last = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    shutil.copytree(last, tmp_path / "base" / last.name)
    flags = ("--epochs", "8", "--resume_from_checkpoint", "true", "--block_size", "16")
    pretrain(tmp_path / "base", "--train_file", str(texts), *flags)
    assert "the training goes on, but not as it would have" in caplog.text


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--classifier_dropout 0.5", "--classifier_dropout contradicts the checkpoint .* which has 0.1"),
        ("--bidirectional false", "--bidirectional contradicts the checkpoint"),
        ("--num_sampled_tokens 4", "--num_sampled_tokens contradicts the checkpoint"),
        ("--vocab_size 6", "--vocab_size contradicts the checkpoint"),
        ("--lowercase false", "--lowercase contradicts the checkpoint"),
    ],
)
def test_a_resumed_run_takes_no_other_model(
    pretrained: tuple[Path, Path, TaskRun], tmp_path: Path, flags: str, sentence: str
) -> None:
    folder, texts, _ = pretrained
    last = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    shutil.copytree(last, tmp_path / "base" / last.name)
    with pytest.raises(ValueError, match=sentence):
        pretrain(tmp_path / "base", "--train_file", str(texts), "--resume_from_checkpoint", "true", *flags.split())


def test_going_on_from_a_classifier(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its embedding may have more rows than its tokenizer has tokens; what is for labels is left behind."""
    reviews, texts = write_texts(tmp_path / "reviews.csv"), write_counting(tmp_path / "texts.txt")
    argv = ["--train_file", str(reviews), "--output_dir", str(tmp_path / "model"), "--use_cpu"]
    argv += ["--max_steps", "1", "--disable_tqdm", "true", "--label_smoothing_factor", "0.1"]
    trained = run_task(parse_task(argv))
    trained.model.resize_token_embeddings(trained.model.config.vocab_size + 8)
    trained.model.save_pretrained(tmp_path / "model")
    argv = ["--task", "pretraining", "--output_dir", str(tmp_path / "base"), "--train_file", str(texts)]
    argv += [
        "--model_name_or_path",
        str(tmp_path / "model"),
        "--max_steps",
        "1",
        "--use_cpu",
        "--disable_tqdm",
        "true",
    ]
    model = run_task(parse_task(argv)).model
    assert "is no language model: what predicts tokens is begun anew" in caplog.text
    assert (model.config.label_smoothing, model.config.classifier_ngrams) == (0.0, 0)
    assert model.lm_head.sampler.counts.sum() > 0


def test_going_on_from_a_model_keeps_its_tokenizer(pretrained: tuple[Path, Path, TaskRun], tmp_path: Path) -> None:
    folder, _, run = pretrained
    texts = write_counting(tmp_path / "more.txt", seed=5)
    flags = ("--train_file", str(texts), "--max_steps", "1", "--lr", "1e-6", "--classifier_dropout", "0.4")
    again = pretrain(tmp_path / "on", *flags, base=folder)
    assert again.processor.get_vocab() == run.processor.get_vocab()
    assert again.metrics["eval_perplexity"] < 4
    assert again.model.config.classifier_dropout == 0.4


@pytest.mark.long
def test_two_processes_train_one_model_without_looking_for_parameters_that_no_step_uses(tmp_path: Path) -> None:
    texts = write_counting(tmp_path / "texts.txt")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "-m", "hfattnlstm"]
    flags = ["--train_file", str(texts), "--output_dir", str(tmp_path / "base"), *SIZES.split(), *QUICK.split()]
    command += ["pretrain", *flags, "--ddp_backend", "gloo", "--epochs", "6", "--lr", "0.02"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "find_unused_parameters" not in done.stderr
    assert json.loads((tmp_path / "base" / "all_results.json").read_text())["eval_perplexity"] < 4


def test_the_card(pretrained: tuple[Path, Path, TaskRun], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _, _ = pretrained
    card = (folder / "README.md").read_text()
    assert "`texts.txt`: 180 texts (" in card and "20 texts (" in card
    assert "| validation | perplexity |" in card
    command = next(line for line in card.splitlines() if line.startswith("hfattnlstm pretrain --train_file texts.txt"))
    assert "--task" not in command and "--hidden_size 24" in command
    assert "metrics:\n- perplexity\npipeline_tag" in card
    monkeypatch.chdir(folder.parent)
    names: dict[str, object] = {}
    exec(re.search(r"```python\n(.*?)```", card, re.DOTALL)[1], names)
    assert names["model"].config.num_labels == 2 and "pipeline" not in names
    assert "bf16" not in command or "--bf16 False" in command


def test_a_classifier_begins_with_it(
    pretrained: tuple[Path, Path, TaskRun], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the pooling, dropout and layers of a new model, unless flags say otherwise."""
    folder, _, run = pretrained
    reviews = write_texts(tmp_path / "reviews.csv")
    argv = ["--train_file", str(reviews), "--model_name_or_path", str(folder), "--output_dir", str(tmp_path / "model")]
    argv += ["--max_steps", "1", "--learning_rate", "1e-30", "--use_cpu", "--disable_tqdm", "true"]
    model = run_task(parse_task(argv)).model
    assert model.config.poolings == ("attention", "max")
    assert (model.config.embedding_dropout, model.config.word_dropout) == (0.3, 0.1)
    for name, tensor in run.model.attnlstm.state_dict().items():
        torch.testing.assert_close(model.attnlstm.state_dict()[name], tensor, msg=name)
    flags = ["--classifier_pooling", "mean", "--num_hidden_layers", "2", "--embedding_ngrams", "50", "--overwrite"]
    flags += ["--embedding_ngram_length", "2", "--ngram_dropout", "0.1"]
    model = run_task(parse_task([*argv, *flags])).model
    assert model.config.poolings == ("mean",) and len(model.attnlstm.encoder.layers) == 2
    assert model.config.embedding_ngrams > 0
    first = model.attnlstm.encoder.layers[0].forward_lstm.weight_hh_l0
    torch.testing.assert_close(first, run.model.attnlstm.encoder.layers[0].forward_lstm.weight_hh_l0)
    with pytest.raises(ValueError, match="--hidden_size cannot be changed beside --model_name_or_path"):
        run_task(parse_task([*argv, "--hidden_size", "32", "--overwrite"]))
    with pytest.raises(ValueError, match="has no last layer for labels"):
        run_task(parse_task([*argv[:6], "--do_train", "false", "--overwrite"]))


@pytest.mark.parametrize(("many", "epsilon"), [(100, None), (10_000, 5.0)])
def test_a_pretrained_model_needs_no_adversarial_texts_where_texts_are_many(
    pretrained: tuple[Path, Path, TaskRun], tmp_path: Path, monkeypatch, many: int, epsilon: float | None
) -> None:
    """And as many passes as there are with them, not those of a new model without."""
    monkeypatch.setattr("hfattnlstm.training.classification.MANY_TEXTS", many)
    reviews = write_texts(tmp_path / "reviews.csv")
    argv = ["--train_file", str(reviews), "--output_dir", str(tmp_path / "model"), "--use_cpu"]
    argv += ["--model_name_or_path", str(pretrained[0]), "--disable_tqdm", "true"]
    training = run_task(parse_task(argv)).trainer.args
    assert training.num_train_epochs == 40
    assert training.adversarial_epsilon == epsilon


def test_a_classifier_with_words_of_its_own(
    pretrained: tuple[Path, Path, TaskRun], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, _, run = pretrained
    finished = begun_with(folder, tmp_path, "--max_steps", "1", "--learning_rate", "1e-30", "--tokenizer_kind", "word")
    assert "of the new vocabulary, 13 are known to" in caplog.text
    assert {"great", "awful"} <= set(finished.processor.get_vocab())
    own, other = finished.processor.get_vocab(), run.processor.get_vocab()
    rows_of = [each.get_input_embeddings().weight for each in (finished.model, run.model)]
    torch.testing.assert_close(rows_of[0][own["seven"]], rows_of[1][other["seven"]])
    again = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert len(again) == finished.model.config.vocab_size


def begun_with(base: Path, folder: Path, *flags: str) -> TaskRun:
    """A classifier of a few reviews that begins with a base."""
    rows = [(f"{number} great" if index % 2 else f"{number} awful", index % 2) for index, number in enumerate(NUMBERS)]
    reviews = folder / "reviews.csv"
    reviews.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows * 5))
    argv = ["--train_file", str(reviews), "--model_name_or_path", str(base), "--output_dir", str(folder / "model")]
    return run_task(parse_task([*argv, "--max_steps", "2", "--use_cpu", "--disable_tqdm", "true", *flags]))


def test_a_base_without_its_tokenizer(
    pretrained: tuple[Path, Path, TaskRun], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(pretrained[0] / name, bare / name)
    with pytest.raises(ValueError, match="bare has no tokenizer, so that nobody knows to which words its embeddings"):
        begun_with(bare, tmp_path, "--tokenizer_kind", "word")
    begun_with(bare, tmp_path, "--tokenizer_name", str(pretrained[0]))
    assert f"bare has no tokenizer: {pretrained[0]} is taken for its own" in caplog.text
    (bare / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer\.json is damaged"):
        begun_with(bare, tmp_path, "--tokenizer_name", str(pretrained[0]), "--overwrite", "true")


def test_a_base_in_half_precision_is_trained_in_single(pretrained: tuple[Path, Path, TaskRun], tmp_path: Path) -> None:
    half = shutil.copytree(pretrained[0], tmp_path / "half", ignore=shutil.ignore_patterns("checkpoint-*"))
    AutoModelForPreTraining.from_pretrained(half, dtype=torch.float16).save_pretrained(half)
    assert json.loads((half / "config.json").read_text())["dtype"] == "float16"
    begun = begun_with(half, tmp_path)
    continued = pretrain(
        tmp_path / "on",
        *("--train_file", str(pretrained[1]), "--max_steps", "2"),
        base=half,
    )
    for run in (begun, continued):
        assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}
        assert all(torch.isfinite(parameter).all() for parameter in run.model.parameters())


def test_texts_that_a_base_does_not_know_are_told(
    pretrained: tuple[Path, Path, TaskRun], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("die suppe war kalt\none two three\n" * 10)
    pretrain(tmp_path / "on", "--train_file", str(texts), "--max_steps", "1", base=pretrained[0])
    expected = r"Unknown to the tokenizer, so that nothing is learnt from them: \d\d% of the tokens for train"
    assert re.search(expected, caplog.text)


def test_tokens_a_second_leave_out_what_is_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 10.0, 11.0, 21.0, 23.0])
    monkeypatch.setattr("hfattnlstm.training.callbacks.time.perf_counter", lambda: next(times))
    arguments = (RunArguments("out", per_device_train_batch_size=4, use_cpu=True), TrainerState(), TrainerControl())
    rate, logs = TokenRate(100), {"loss": 1.0}
    rate.on_train_begin(*arguments)
    for step in (1, 2):
        rate.on_step_begin(*arguments)
        arguments[1].global_step = step
        rate.on_step_end(*arguments)
    rate.on_log(*arguments, logs=logs)
    # 800 tokens in 1 and 2 seconds, with 10 before each.
    assert logs["tokens_per_second"] == round(800 / 3)
    measured = {"eval_loss": 1.0}
    rate.on_log(*arguments, logs=measured)
    assert measured == {"eval_loss": 1.0}


class TestMistakes:
    """On the command line, in one sentence."""

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            ("", "Give either --dataset or --train_file."),
            ("--train_file none.txt", "There is no file none.txt: check its name."),
            ("--train_file none.txt --vat_epsilon 5", "--vat_epsilon has no effect in this task"),
            ("--train_file none.txt --do_predict true", "--do_predict has no effect in this task"),
            ("--train_file none.txt --splits test", "--splits has no effect without --dataset"),
            ("--train_file none.txt --neftune_noise_alpha 5", "--neftune_noise_alpha has no effect in this task"),
            (
                "--train_file none.txt --model_name_or_path x --do_train false --word_dropout 0.1",
                "--word_dropout has no effect beside --do_train false",
            ),
            ("--train_file none.txt --block_size 1", "--block_size must be at least 2"),
            ("--train_file none.txt --hidden_size 7", "hidden_size is the width of both directions"),
            ("--train_file none.txt --num_hidden_layers 2", "unknown flag 'num_hidden_layers'"),
            ("--train_file none.txt --do_train false", "--do_train false needs --model_name_or_path"),
            ("--train_file none.txt --model_name_or_path x --lowercase false", "--lowercase has no effect beside"),
            ("--train_file none.txt --model_name_or_path x --hidden_size 8", "--hidden_size has no effect beside"),
            ("--train_file none.txt --tokenizer_name x --vocab_size 80", "--vocab_size has no effect beside"),
        ],
    )
    def test_flags(
        self, flags: str, sentence: str, capsys: pytest.CaptureFixture, monkeypatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["pretrain", *flags.split()]) == 2
        assert sentence in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_a_model_of_another_kind(self, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
        from transformers import BertConfig

        BertConfig().save_pretrained(tmp_path / "bert")
        texts = write_counting(tmp_path / "texts.txt")
        assert main(["pretrain", "--train_file", str(texts), "--model_name_or_path", str(tmp_path / "bert")]) == 2
        assert str(tmp_path / "bert") in capsys.readouterr().err

    def test_help(self, capsys: pytest.CaptureFixture) -> None:
        with pytest.raises(SystemExit):
            main(["pretrain", "--help"])
        shown = capsys.readouterr().out
        assert "usage: hfattnlstm pretrain" in shown and "--block_size 256" in shown and "--output_dir" in shown
        assert "--vat_epsilon" not in shown and "--recipe accurate" not in shown
