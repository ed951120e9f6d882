"""Going on from a checkpoint: it brings its tokenizer, its labels and its architecture."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from hfattnlstm.training import TaskRun
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.resuming import find_checkpoint
from training.test_classification import labelled, run, write_rows


ROWS = [(f"{text} {index}", label) for index, (text, label) in enumerate(labelled("pos", "neg", 60))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskRun]:
    """A folder with a model and its checkpoints 2 to 8, of 56 texts, and the run that made it."""
    folder = tmp_path_factory.mktemp("whole")
    texts = write_rows(folder / "texts.jsonl", ROWS)
    flags = ("--num_train_epochs", "4", "--save_total_limit", "9", "--word_dropout", "0.2")
    return folder, run(folder / "model", texts, *flags)


def resume(whole: Path, folder: Path, rows: list, *flags: str) -> TaskRun:
    """From the end of the second epoch, in a copy."""
    shutil.copytree(whole / "model" / "checkpoint-4", folder / "model" / "checkpoint-4")
    texts = write_rows(folder / "texts.jsonl", rows)
    flags = ("--num_train_epochs", "4", "--resume_from_checkpoint", "true", *flags)
    return run(folder / "model", texts, *flags)


def test_the_same_data_give_the_same_model(whole, tmp_path, caplog) -> None:
    folder, finished = whole
    with caplog.at_level("WARNING", "hfattnlstm"):
        resumed = resume(
            folder, tmp_path, ROWS, "--word_dropout", "0.2", "--lowercase", "true", "--vocab_size", "9999"
        )
    assert "has read" not in caplog.text
    assert resumed.trainer.state.global_step == finished.trainer.state.global_step == 8
    for name, tensor in finished.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_other_data_do_not_change_the_tokenizer(whole, tmp_path, caplog) -> None:
    """It was trained anew, so that every weight of the embedding belonged to another word."""
    folder, finished = whole
    others = [(f"zebra aardvark {text}", label) for text, label in ROWS]
    with caplog.at_level("WARNING", "hfattnlstm"):
        resumed = resume(folder, tmp_path, others)
    assert resumed.processor.get_vocab() == finished.processor.get_vocab()
    assert "than those now: the training goes on, but not as it would have" in caplog.text
    assert resumed.model.config.word_dropout == 0.2


def test_labels_of_a_teacher_are_told(whole, tmp_path, caplog) -> None:
    with caplog.at_level("WARNING", "hfattnlstm"):
        resume(whole[0], tmp_path, ROWS, "--word_dropout", "0.2", "--teacher", str(whole[0] / "model"))
    assert "examples that are others, or have other labels, than those now" in caplog.text


def test_more_texts_are_told(whole, tmp_path, caplog) -> None:
    with caplog.at_level("WARNING", "hfattnlstm"):
        resume(whole[0], tmp_path, ROWS * 2)
    count = len(whole[1].trainer.train_dataset)
    assert f"has read {count:,} examples, and there are" in caplog.text


def test_labels_keep_their_numbers(whole, tmp_path) -> None:
    """A label fewer would have moved the others."""
    only = [(text, label) for text, label in ROWS if label == "pos"]
    assert resume(whole[0], tmp_path, only).model.config.id2label == {0: "neg", 1: "pos"}


def test_unknown_labels_are_refused(whole, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"neg.*pos"):
        resume(whole[0], tmp_path, labelled("pos", "other"))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ("--hidden_size", "32"),
            r"--hidden_size contradicts the checkpoint .*, which has 16: leave it out, or begin",
        ),
        (("--classifier_pooling", "mean"), "--classifier_pooling contradicts the checkpoint"),
        (("--word_dropout", "0.5"), "--word_dropout contradicts the checkpoint .* has 0.2"),
        (("--max_length", "7"), "--max_length contradicts the tokenizer of the checkpoint .*, which has 400 tokens"),
        (("--vocab_size", "8"), "--vocab_size contradicts the tokenizer"),
        (("--no_lowercase",), "--lowercase contradicts the tokenizer .*, which has lower case"),
        (("--tokenizer_kind", "bpe"), "--tokenizer_kind contradicts the tokenizer .*, which has WordLevel"),
        (("--class_weights", "balanced"), "--class_weights contradicts the checkpoint"),
        (("--label_smoothing_factor", "0.1"), "--label_smoothing_factor contradicts the checkpoint"),
        (("--problem_type", "multi_label_classification"), "contradicts .*, a model for single_label_classification"),
    ],
)
def test_flags_that_contradict_the_checkpoint(whole, tmp_path, flags: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        resume(whole[0], tmp_path, ROWS, *flags)


def test_a_checkpoint_that_does_not_say_what_it_has_read(whole, tmp_path, caplog) -> None:
    """Such as those of older versions; transformers expects every callback to have noted something."""
    shutil.copytree(whole[0] / "model" / "checkpoint-4", tmp_path / "model" / "checkpoint-4")
    # As another Trainer leaves it.
    (tmp_path / "model" / "checkpoint-4" / "manifest.json").unlink()
    path = tmp_path / "model" / "checkpoint-4" / "trainer_state.json"
    state = json.loads(path.read_text())
    assert state["stateful_callbacks"].pop("TrainingExamples")["args"]["count"] > 0
    path.write_text(json.dumps(state))
    texts = write_rows(tmp_path / "texts.jsonl", ROWS)
    run(tmp_path / "model", texts, "--num_train_epochs", "3", "--resume_from_checkpoint", "true")
    noted = json.loads((tmp_path / "model" / "checkpoint-6" / "trainer_state.json").read_text())
    assert "TrainingExamples" in noted["stateful_callbacks"]


class TestFinding:
    """Which checkpoint is meant, before anything is loaded."""

    def find(self, folder: Path, wanted: str | None) -> Path | None:
        return find_checkpoint(RunArguments(str(folder), resume_from_checkpoint=wanted))

    def test_the_last_one(self, whole) -> None:
        model = whole[0] / "model"
        assert self.find(model, "true") == self.find(model, str(model / "checkpoint-8")) == model / "checkpoint-8"
        assert self.find(model, None) is self.find(model, "false") is None

    def test_none(self, tmp_path: Path) -> None:
        for folder in (tmp_path, tmp_path / "missing"):
            sentence = "--resume_from_checkpoint true finds no whole checkpoint in .*: leave it out"
            with pytest.raises(ValueError, match=sentence):
                self.find(folder, "true")
        with pytest.raises(ValueError, match="There is no checkpoint nowhere: name a folder such as"):
            self.find(tmp_path, "nowhere")

    @pytest.mark.parametrize("name", ["config.json", "trainer_state.json"])
    def test_incomplete(self, whole, tmp_path: Path, name: str) -> None:
        shutil.copytree(whole[0] / "model" / "checkpoint-4", tmp_path / "checkpoint-4")
        (tmp_path / "checkpoint-4" / name).unlink()
        with pytest.raises(ValueError, match="finds no whole checkpoint"):
            self.find(tmp_path, "true")
        # As another Trainer leaves it.
        (tmp_path / "checkpoint-4" / "manifest.json").unlink()
        with pytest.raises(ValueError, match=f"has no {name}, so no training can be continued"):
            self.find(tmp_path, "true")

    def test_without_the_state_of_the_optimiser(self, whole, tmp_path: Path) -> None:
        """It went on with a new optimiser and the learning rate of the beginning, without a word."""
        texts = write_rows(tmp_path / "texts.jsonl", ROWS)
        run(tmp_path / "model", texts, "--save_only_model", "--num_train_epochs", "2")
        mend = "begin a new training from its weights with --model_name_or_path .*checkpoint-4 in place of --resume"
        with pytest.raises(ValueError, match=mend):
            run(tmp_path / "model", texts, "--num_train_epochs", "4", "--resume_from_checkpoint", "true")
        with pytest.raises(ValueError, match="has no state of the optimiser"):
            self.find(tmp_path, str(whole[0] / "model"))
