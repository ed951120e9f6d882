"""What is in the output folder already is not overwritten without a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification

from hfattnlstm.training import AttnLSTMTrainer, parse_task, run_task
from training.test_classification import run, write_texts


SHORT = ("--num_train_epochs", "1")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts") / "texts.csv", count=64)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "model.safetensors",
        "README.md",
        "tokenizer.json",
        "all_results.json",
        "losses.py",
        "checkpoint-7",
    ],
)
def test_every_file_that_would_be_overwritten_is_found(name: str, tmp_path: Path, texts: Path) -> None:
    """Such as the README of a project, with --output_dir . in it."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=rf"has {name} already, which the run would overwrite: name another"):
        run(tmp_path, texts, *SHORT)
    assert contents(tmp_path) == {name: b"mine"}


def test_other_files_are_left_alone(tmp_path: Path, texts: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    (tmp_path / "model" / "setup.py").write_text("mine")
    run(tmp_path / "model", texts, *SHORT)
    assert (tmp_path / "model" / "notes.txt").read_text() == (tmp_path / "model" / "setup.py").read_text() == "mine"


def test_nothing_is_loaded_before(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"has config\.json already"):
        run(tmp_path, tmp_path / "missing.csv")


def test_the_default_folder_too(tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"outputs has config\.json already"):
        run_task(parse_task(["--train_file", str(texts)]))


def test_checkpoints_can_be_gone_on_from(tmp_path: Path, texts: Path) -> None:
    (tmp_path / "checkpoint-4").mkdir()
    with pytest.raises(ValueError, match="or go on with --resume_from_checkpoint true"):
        run(tmp_path, texts)


def test_a_file_is_no_folder(tmp_path: Path, texts: Path) -> None:
    with pytest.raises(ValueError, match=r"texts\.csv is a file: name a folder"):
        run(texts, texts)


class TestOverwrite:
    """`--overwrite` removes what was there when there is something in its place."""

    def test_old_checkpoints_and_the_old_model_are_replaced(self, tmp_path: Path, texts: Path) -> None:
        folder = tmp_path / "model"
        run(folder, texts, "--num_train_epochs", "6")
        assert {path.name for path in folder.glob("checkpoint-*")} >= {"checkpoint-12"}
        run(folder, texts, "--overwrite", "--num_train_epochs", "2", "--hidden_size", "8")
        assert {path.name for path in folder.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-4"}
        assert AutoModelForSequenceClassification.from_pretrained(folder).config.hidden_size == 8
        assert not list(folder.glob(".*"))
        # Whoever runs the command again is to be asked again.
        assert "--overwrite" not in (folder / "README.md").read_text()

    def test_a_run_that_fails_before_the_training_removes_nothing(self, tmp_path: Path, texts: Path) -> None:
        folder = tmp_path / "model"
        run(folder, texts, *SHORT)
        before = contents(folder)
        broken = tmp_path / "broken.csv"
        broken.write_text("text,label\na,b\n")
        for failing in (["--class_weights", "1", "2", "3"], ["--train_file", str(broken)]):
            with pytest.raises(ValueError):
                run(folder, texts, "--overwrite", *SHORT, *failing)
        assert contents(folder) == before

    def test_the_old_model_stays_until_the_new_one_is_written(self, tmp_path, texts, monkeypatch) -> None:
        folder = tmp_path / "model"
        run(folder, texts, *SHORT)
        before = contents(folder)

        def save(trainer: AttnLSTMTrainer, output_dir: str | None = None, **_: object) -> None:
            (Path(output_dir) / "config.json").write_text("half")
            raise OSError("No space left on device")

        monkeypatch.setattr(AttnLSTMTrainer, "save_model", save)
        with pytest.raises(OSError, match="No space left"):
            run(folder, texts, "--overwrite", "--save_strategy", "no", *SHORT)
        kept = contents(folder)
        assert kept == {name: content for name, content in before.items() if not name.startswith("checkpoint-")}

    def test_a_model_is_trained_further_in_its_place(self, tmp_path: Path, texts: Path) -> None:
        folder = tmp_path / "model"
        run(folder, texts, *SHORT)
        flags = ["--train_file", str(texts), "--output_dir", str(folder), "--model_name_or_path", str(folder)]
        quiet = ["--use_cpu", "--report_to", "none", "--disable_tqdm", "true", *SHORT]
        with pytest.raises(ValueError, match="already, which the run would overwrite"):
            run_task(parse_task([*flags, *quiet]))
        further = run_task(parse_task([*flags, *quiet, "--overwrite"]))
        assert AutoModelForSequenceClassification.from_pretrained(folder).config.hidden_size == 16
        assert further.metrics["train_samples"] == 58

    def test_what_the_run_reads_is_not_removed(self, tmp_path: Path, texts: Path) -> None:
        folder = tmp_path / "model"
        run(folder, texts, *SHORT)
        start = str(folder / "checkpoint-2")
        flags = ["--train_file", str(texts), "--output_dir", str(folder), "--model_name_or_path", start, "--overwrite"]
        with pytest.raises(ValueError, match=r"The run reads .*checkpoint-2, which --overwrite would remove"):
            run_task(parse_task(flags))
        with pytest.raises(ValueError, match=r"--overwrite would remove the checkpoint .*checkpoint-2, from which"):
            run(folder, texts, "--overwrite", "--resume_from_checkpoint", "true")

    def test_without_a_training_checkpoints_stay(self, tmp_path: Path, texts: Path) -> None:
        folder = tmp_path / "model"
        run(folder, texts, *SHORT)
        before = contents(folder)
        flags = ["--train_file", str(texts), "--output_dir", str(folder), "--model_name_or_path", str(folder)]
        flags += ["--do_train", "false", "--use_cpu", "--report_to", "none", "--disable_tqdm", "true"]
        with pytest.raises(ValueError, match=r"has all_results\.json already"):
            run_task(parse_task(flags))
        run_task(parse_task([*flags, "--overwrite"]))
        after = contents(folder)
        assert {name for name in before | after if before.get(name) != after.get(name)} == {"all_results.json"}
        assert "eval_accuracy" in json.loads(after["all_results.json"])
