"""A teacher's answers: in the student's order, kept in a file, and learnt from."""

from __future__ import annotations

import gzip
import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from hfattnlstm.commands import train_display
from hfattnlstm.commands.main import main
from hfattnlstm.modeling.losses import classification_loss
from hfattnlstm.training import TaskRun, parse_task
from hfattnlstm.training.classification import ClassificationTask
from hfattnlstm.training.distillation import with_soft_labels
from hfattnlstm.training.ngram_part import labelled_rows
from hfattnlstm.training.teacher import Teacher, check_answers_file
from training.test_classification import run, write_texts


SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
TEXTS = ["a great film", "the food was awful and poor", "lovely", "we had a film", "dull"]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskRun]:
    folder = tmp_path_factory.mktemp("teacher")
    return folder / "model", run(folder / "model", write_texts(folder / "texts.csv"))


def bert(folder: Path, **fields: object) -> Path:
    from hfattnlstm import train_tokenizer

    tokenizer = train_tokenizer(TEXTS * 2, kind="word", min_frequency=1)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=5, **sizes, **fields)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


class TestAnswers:
    """What a teacher says of texts."""

    def test_they_are_those_of_its_pipeline(self, teacher: tuple[Path, TaskRun]) -> None:
        from transformers import pipeline

        classifier = pipeline("attention-text-classification", model=str(teacher[0]))
        expected = [{entry["label"]: entry["score"] for entry in found} for found in classifier(TEXTS, top_k=None)]
        answers = Teacher(str(teacher[0]), ["pos", "neg"], SINGLE).answers(TEXTS)
        for found, row in zip(answers, expected):
            assert found == pytest.approx([row["pos"], row["neg"]], abs=1e-4)

    def test_of_a_bert_texts_are_cut_to_what_it_reads(self, tmp_path: Path) -> None:
        folder = bert(tmp_path, id2label={0: "neg", 1: "pos"}, label2id={"neg": 0, "pos": 1})
        answers = Teacher(str(folder), ["neg", "pos"], SINGLE).answers(TEXTS)
        model = BertForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        for text, found in zip(TEXTS, answers):
            inputs = tokenizer(text, truncation=True, max_length=5, return_tensors="pt")
            assert found == pytest.approx(model(**inputs).logits.softmax(-1)[0].tolist(), abs=1e-5)

    def test_labels_without_names(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        assert Teacher(str(bert(tmp_path)), ["bad", "good"], SINGLE).answers(TEXTS[:1]).shape == (1, 2)
        assert "has no names for its labels: they are taken for bad, good" in caplog.text

    def test_other_labels_are_refused(self, teacher: tuple[Path, TaskRun]) -> None:
        with pytest.raises(ValueError, match="has the labels neg, pos, and the data bad, good: name a teacher"):
            Teacher(str(teacher[0]), ["bad", "good"], SINGLE)
        with pytest.raises(
            ValueError, match="has also the label 'pos', which none of the data has: add a text with it"
        ):
            Teacher(str(teacher[0]), ["neg"], SINGLE)
        with pytest.raises(ValueError, match="for a single label classification, and the data are for a regression"):
            Teacher(str(teacher[0]), [], REGRESSION)

    def test_another_kind_of_problem_is_refused(self, teacher: tuple[Path, TaskRun]) -> None:
        with pytest.raises(ValueError, match="for a single label classification, and the data are for a multi"):
            Teacher(str(teacher[0]), ["neg", "pos"], MULTI)

    def test_a_model_without_a_trained_head_is_refused(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In one sentence, without the report of transformers before it."""
        folder = bert(tmp_path)
        BertForSequenceClassification.from_pretrained(folder).base_model.save_pretrained(folder)
        monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
        with pytest.raises(ValueError, match=r"lacks some of its weights, such as classifier\.bias: fine-tune it"):
            Teacher(str(folder), ["a", "b"], SINGLE)
        assert not caplog.records

    def test_without_padding_token(self, tmp_path: Path) -> None:
        """As GPT-2: a text has the same answer in a batch and alone."""
        backend = AutoTokenizer.from_pretrained(bert(tmp_path)).backend_tokenizer
        PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="[SEP]").save_pretrained(tmp_path / "gpt")
        config = GPT2Config(vocab_size=backend.get_vocab_size(), n_embd=8, n_layer=1, n_head=2, n_positions=32)
        GPT2ForSequenceClassification(config).save_pretrained(tmp_path / "gpt")
        one = Teacher(str(tmp_path / "gpt"), ["a", "b"], SINGLE)
        together = one.answers(TEXTS)
        for text, found in zip(TEXTS, together):
            np.testing.assert_allclose(one.answers([text])[0], found, atol=1e-5)

    def test_places_that_are_numbered_from_the_padding(self, tmp_path: Path) -> None:
        tokenizer = AutoTokenizer.from_pretrained(bert(tmp_path))
        tokenizer.model_max_length = 10**9
        tokenizer.save_pretrained(tmp_path / "roberta")
        sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
        config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=12, pad_token_id=1, **sizes)
        RobertaForSequenceClassification(config).save_pretrained(tmp_path / "roberta")
        answers = Teacher(str(tmp_path / "roberta"), ["a", "b"], SINGLE).answers(["film " * 30])
        assert np.isfinite(answers).all()

    def test_three_texts_together(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="reads texts and pairs, and these are 3 together"):
            Teacher(str(bert(tmp_path)), ["a", "b"], SINGLE).answers([["a", "film", "great"]])

    def test_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="There is no folder"):
            Teacher(str(tmp_path / "none"), ["a", "b"], SINGLE)


class TestFile:
    """Answers that were given are not asked for again."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        counts: list[int] = []
        read = Teacher._read

        def counted(self, batch):
            counts.append(len(batch["input_ids"]))
            return read(self, batch)

        monkeypatch.setattr(Teacher, "_read", counted)
        return counts

    def make(self, teacher: tuple[Path, TaskRun]) -> Teacher:
        return Teacher(str(teacher[0]), ["neg", "pos"], SINGLE)

    def test_they_are_kept(self, teacher, asked, tmp_path: Path) -> None:
        first = self.make(teacher).answers(TEXTS, tmp_path / "kept" / "answers.npy")
        assert sum(asked) == 5
        again = self.make(teacher).answers(TEXTS, tmp_path / "kept" / "answers.npy")
        assert sum(asked) == 5
        np.testing.assert_array_equal(first, again)

    def test_what_is_missing_is_computed(self, teacher, asked, tmp_path: Path, caplog) -> None:
        """As after an interruption."""
        file = tmp_path / "answers.npy"
        first = self.make(teacher).answers(TEXTS, file)
        kept = np.lib.format.open_memmap(file, mode="r+")
        kept[3:] = np.nan
        kept.flush()
        again = self.make(teacher).answers(TEXTS, file)
        assert sum(asked) == 5 + 2
        np.testing.assert_allclose(first, again, atol=1e-6)
        assert "3 answers of" in caplog.text

    def test_it_is_the_same_teacher_in_another_precision(self, teacher) -> None:
        """As on an accelerator, which loads half-precision weights as they are."""
        one = self.make(teacher)
        one._model.half()
        before = one._digest(TEXTS)
        one._model.float()
        one._model.config.dtype = "float16"
        assert one._digest(TEXTS) == before
        assert one._digest(TEXTS[:2]) != before

    def test_it_is_told_how_many_there_are(self, teacher, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        self.make(teacher).answers(TEXTS * 10, progress=lambda *numbers: told.append(numbers))
        assert told == [(32, 50), (50, 50)]

    @pytest.mark.parametrize("change", ["texts", "teacher", "order", "temperature"])
    def test_others_are_replaced_on_request_only(self, teacher, asked, tmp_path: Path, change: str) -> None:
        file = tmp_path / "answers.npy"
        self.make(teacher).answers(TEXTS, file)
        other = self.make(teacher)
        if change == "teacher":
            with torch.no_grad():
                other._model.classifier.out_proj.weight[1, -1] += 1
        if change == "temperature":
            other._model.config.calibration_temperature = 5.0
        if change == "order":
            other = Teacher(str(teacher[0]), ["pos", "neg"], SINGLE)
        expected = other.answers(texts := [*TEXTS[:4], "other"] if change == "texts" else TEXTS)
        kept = file.read_bytes()
        with pytest.raises(ValueError, match="holds the answers of another teacher, or to other texts: name another"):
            other.answers(texts, file)
        assert file.read_bytes() == kept
        np.testing.assert_allclose(other.answers(texts, file, overwrite=True), expected, atol=1e-6)

    @pytest.mark.parametrize("name", ["notes.txt", "reviews.json", "vectors.npy"])
    def test_files_of_others_are_left_alone(self, teacher, asked, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("mine")
        (tmp_path / "vectors.json").write_text("mine, too")
        with pytest.raises(ValueError, match=r"must end in \.npy|holds no answers of a teacher"):
            check_answers_file(tmp_path / name)
        if name.endswith(".npy"):
            with pytest.raises(ValueError, match="holds no answers of a teacher"):
                self.make(teacher).answers(TEXTS, tmp_path / name)
        assert (tmp_path / name).read_text() == "mine" and (tmp_path / "vectors.json").read_text() == "mine, too"
        assert not asked

    def test_damage_is_told(self, teacher, asked, tmp_path: Path) -> None:
        file = tmp_path / "answers.npy"
        self.make(teacher).answers(TEXTS, file)
        file.write_bytes(file.read_bytes()[:20])
        with pytest.raises(ValueError, match=r"The answers in .*answers.npy are damaged, remove the file"):
            self.make(teacher).answers(TEXTS, file)


class TestSoftLabels:
    """Rows whose labels are shares."""

    ROWS = Dataset.from_dict({"input_ids": [[5], [6]], "length": [1, 1], "labels": [1, 0]})
    MORE = Dataset.from_dict({"input_ids": [[7]], "length": [1]})
    ANSWERS = np.array([[0.4, 0.6], [0.8, 0.2], [0.5, 0.5]])

    def test_they_are_mixed(self) -> None:
        rows = with_soft_labels(self.ROWS, self.MORE, self.ANSWERS, SINGLE, 0.5)
        assert np.array(rows["labels"][:]).round(6).tolist() == [[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]]
        assert rows["input_ids"][:] == [[5], [6], [7]]

    def test_of_several_labels_and_numbers(self) -> None:
        rows = self.ROWS.remove_columns("labels").add_column("labels", [[1.0, 1.0], [0.0, 1.0]])
        found = with_soft_labels(rows, None, self.ANSWERS[:2], MULTI, 0.5)
        assert np.array(found["labels"][:]).round(6).tolist() == [[0.7, 0.8], [0.4, 0.6]]
        rows = self.ROWS.remove_columns("labels").add_column("labels", [1.0, 3.0])
        assert with_soft_labels(rows, None, np.array([[2.0], [5.0]]), REGRESSION, 0.5)["labels"][:] == [1.5, 4.0]

    def test_the_n_grams_learn_the_largest(self) -> None:
        rows = with_soft_labels(self.ROWS, self.MORE, self.ANSWERS, SINGLE, 1.0)
        assert labelled_rows(rows, 2, SINGLE).applies.tolist() == [[False, True], [True, False], [True, False]]

    def test_the_loss_is_the_cross_entropy_of_the_shares(self) -> None:
        logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
        shares = torch.tensor(self.ANSWERS, dtype=torch.float32)
        expected = -(shares * logits.log_softmax(-1)).sum(1).mean()
        torch.testing.assert_close(classification_loss(logits, shares, SINGLE), expected)
        hard = torch.eye(2)[torch.tensor([1, 0, 1])]
        for smoothing in (0.0, 0.2):
            for weights in (None, [1.0, 3.0]):
                torch.testing.assert_close(
                    classification_loss(logits, hard, SINGLE, weights, smoothing),
                    classification_loss(logits, hard.argmax(1), SINGLE, weights, smoothing),
                )
        with pytest.raises(ValueError, match="the shares of the classes of a text sum to 1"):
            classification_loss(logits, shares * 2, SINGLE)


def test_a_teacher_that_does_not_fit_is_refused_before_anything_takes_long(
    teacher: tuple[Path, TaskRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("A tokenizer was made.")

    monkeypatch.setattr(ClassificationTask, "make_processor", refuse)
    texts = tmp_path / "texts.csv"
    texts.write_text("text,label\n" + "the food,good\nthe film,bad\n" * 4)
    with pytest.raises(ValueError, match="has the labels neg, pos, and the data bad, good"):
        run(tmp_path / "model", texts, "--teacher", str(teacher[0]))


def test_the_command_tells_how_far_the_teacher_is(
    teacher: tuple[Path, TaskRun], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_display, "_LINE_EVERY", 0)
    texts = write_texts(tmp_path / "texts.csv", count=100)
    flags = ("--output_dir", str(tmp_path / "model"), "--max_steps", "1", "--use_cpu", "--validation_size", "0.5")
    assert main(["distill", "--teacher", str(teacher[0]), "--train_file", str(texts), *flags]) == 0
    assert re.search(r"^Asking the teacher: 32 of 50  0:0\d left$", capsys.readouterr().out, re.MULTILINE)


def test_a_student_learns_what_the_teacher_says(teacher: tuple[Path, TaskRun], tmp_path: Path) -> None:
    """From texts that nobody has labelled: the few labelled ones have none of the words that count."""
    folder, _ = teacher
    labelled = tmp_path / "few.csv"
    labelled.write_text("text,label\n" + "the food,pos\nthe film,neg\n" * 4)
    lines = write_texts(tmp_path / "many.csv", count=200).read_text().splitlines()[1:]
    many = tmp_path / "many.txt.gz"
    many.write_bytes(gzip.compress("\n".join(line.split(",")[0] for line in lines).encode()))
    check = write_texts(tmp_path / "check.csv")
    flags = ("--teacher", str(folder), "--unlabelled_file", str(many))
    student = run(tmp_path / "model", labelled, "--validation_file", str(check), *flags)
    assert student.metrics["eval_accuracy"] > 0.9
    assert (tmp_path / "model" / "_teacher_answers.npy").exists()
    noted = json.loads((tmp_path / "model" / "_teacher_answers.npy.about.json").read_text())
    assert noted["texts"] == 208 and str(folder) not in str(noted)
    assert "teacher: `model`" in (tmp_path / "model" / "README.md").read_text()
    alone = run(tmp_path / "alone", labelled, "--validation_file", str(check))
    assert alone.metrics["eval_accuracy"] < 0.8


@pytest.mark.parametrize("flags", [(), ("--vat_epsilon", "2"), ("--rdrop_alpha", "0.5"), ("--ema_decay", "0.9")])
def test_with_what_else_a_training_may_have(teacher: tuple[Path, TaskRun], tmp_path: Path, flags: tuple) -> None:
    texts = write_texts(tmp_path / "texts.csv", count=60)
    (tmp_path / "more.txt").write_text("\n".join(TEXTS))
    more = ("--unlabelled_file", str(tmp_path / "more.txt"), "--num_train_epochs", "1", *flags)
    assert run(tmp_path / "model", texts, "--teacher", str(teacher[0]), *more).metrics["train_loss"] > 0


class TestCommand:
    """`hfattnlstm distill`."""

    def test_without_a_teacher(self, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
        texts = write_texts(tmp_path / "texts.csv")
        assert main(["distill", "--train_file", str(texts), "--output_dir", str(tmp_path / "out")]) == 2
        assert "hfattnlstm distill needs --teacher" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            ("--teacher_weight 0.2", "--teacher_weight has no effect without --teacher"),
            ("--unlabelled_file x.txt", "--unlabelled_file has no effect without --vat_epsilon or --teacher"),
            ("--teacher x --teacher_weight 0", "--teacher_weight must be above 0"),
            ("--teacher none", "There is no folder none"),
            ("--teacher none --teacher_file answers.txt", "--teacher_file answers.txt must end in .npy"),
        ],
    )
    def test_mistakes(self, tmp_path: Path, capsys: pytest.CaptureFixture, flags: str, sentence: str) -> None:
        texts = write_texts(tmp_path / "texts.csv")
        argv = ["--train_file", str(texts), "--output_dir", str(tmp_path / "out"), "--use_cpu", *flags.split()]
        assert main(["train", *argv]) == 2
        assert sentence in capsys.readouterr().err

    def test_parsing(self) -> None:
        task = parse_task(["--train_file", "a.csv", "--teacher", "large", "--teacher_weight", "0.9"])
        assert "--teacher large --teacher_weight 0.9" in task.command()

    def test_help(self, capsys: pytest.CaptureFixture) -> None:
        with pytest.raises(SystemExit):
            main(["distill", "--help"])
        assert "hfattnlstm distill --teacher large-model --train_file reviews.csv" in capsys.readouterr().out

    def test_another_task(self, capsys: pytest.CaptureFixture) -> None:
        assert main(["distill", "--task", "pretraining", "--train_file", "a.txt"]) == 2
        assert "hfattnlstm distill needs --teacher" in capsys.readouterr().err


def test_numbers_are_learnt_from_texts_without_them_too(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.jsonl", "regression")
    run(tmp_path / "teacher", texts)
    (tmp_path / "more.txt").write_text("\n".join(TEXTS))
    flags = ("--teacher", str(tmp_path / "teacher"), "--unlabelled_file", str(tmp_path / "more.txt"))
    assert run(tmp_path / "model", texts, *flags, "--num_train_epochs", "2").metrics["train_samples"] == 144
