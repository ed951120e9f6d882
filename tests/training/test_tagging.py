"""Whole runs of a tagger, from files to a saved model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from hfattnlstm import AttnLSTMForTokenClassification
from hfattnlstm.training import TaskRun, parse_task, run_task
from training.tagging_helpers import (
    FIRST,
    PLAIN,
    SMALL,
    parts_of_speech,
    run,
    sentences,
    tagged_words,
    write_columns,
    write_json_rows,
    write_vectors,
)


STEPS = ("--max_steps", "3", "--save_strategy", "no", "--eval_strategy", "no")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sentences for training and test, whose words have spans in one pair and kinds in the other."""
    folder = tmp_path_factory.mktemp("files")
    write_columns(folder / "train.conll", sentences(120))
    write_columns(folder / "test.conll", sentences(60, 1))
    write_columns(folder / "pos.conll", parts_of_speech(80))
    write_columns(folder / "pos-test.conll", parts_of_speech(40, 1))
    write_vectors(folder / "some.txt", [*FIRST, "Hamburg", "met"], 4)
    write_vectors(folder / "more.txt", ["visited", "Zoe", "Lima"], 3, seed=1)
    return folder


@pytest.fixture(scope="module")
def trained(files: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskRun]:
    folder = tmp_path_factory.mktemp("trained") / "model"
    flags = ("--test_file", str(files / "test.conll"), "--epochs", "5", "--plots", "--save_total_limit", "9")
    return folder, run(folder, files / "train.conll", *flags)


@pytest.fixture(scope="module")
def with_vectors(files: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskRun]:
    folder = tmp_path_factory.mktemp("vectors") / "model"
    vectors = ("--word_vectors", str(files / "some.txt"), str(files / "more.txt"))
    return folder, run(folder, files / "train.conll", *vectors, "--freeze_word_vectors", "true", *STEPS)


def tables(model: AttnLSTMForTokenClassification) -> list[torch.Tensor]:
    return [vectors.table.weight.detach().clone() for vectors in model.attnlstm.embeddings.further.vectors]


class TestSpans:
    """A tagger of spans."""

    def test_it_learns_them(self, trained: tuple[Path, TaskRun]) -> None:
        _, finished = trained
        metrics = finished.metrics
        assert metrics["test_f1"] > 0.95 and metrics["test_samples"] == 60 and metrics["eval_samples"] == 12
        assert metrics["train_samples"] == 108
        for name in ("precision", "recall", "f1", "accuracy"):
            assert 0 <= metrics[f"test_{name}"] <= 1 and 0 <= metrics[f"eval_{name}"] <= 1
        for name in ("f1", "accuracy"):
            assert metrics[f"test_{name}_low"] <= metrics[f"test_{name}"] <= metrics[f"test_{name}_high"]
        assert finished.trainer.args.metric_for_best_model == "f1"

    def test_what_is_left_behind(self, trained: tuple[Path, TaskRun]) -> None:
        folder, finished = trained
        written = json.loads((folder / "all_results.json").read_text())
        assert written["test_f1"] == finished.metrics["test_f1"]
        assert written["test_accuracy"] == finished.metrics["test_accuracy"]
        assert (folder / "modeling_token_classification.py").is_file()
        assert (folder / "pipeline_token_classification.py").is_file()
        for name in ("confusion_matrix.png", "learning_curve.png"):
            assert (folder / name).read_bytes().startswith(b"\x89PNG")

    def test_it_is_loaded_by_the_auto_classes(self, trained: tuple[Path, TaskRun]) -> None:
        folder, finished = trained
        model = AutoModelForTokenClassification.from_pretrained(folder).eval()
        assert type(model) is AttnLSTMForTokenClassification
        config = model.config
        assert config.id2label == {0: "O", 1: "B-LOC", 2: "I-LOC", 3: "B-PER", 4: "I-PER"}
        assert config.tagging_scheme == "bio" and config.use_crf and model.crf is not None
        batch = AutoTokenizer.from_pretrained(folder)(["Anna met Boris .", "Anna"], padding=True, return_tensors="pt")
        with torch.no_grad():
            expected = finished.model.eval()(**batch).logits
            torch.testing.assert_close(model(**batch).logits, expected, atol=1e-5, rtol=0)

    def test_pipelines(self, trained: tuple[Path, TaskRun]) -> None:
        folder, _ = trained
        text = "yesterday Anna Berg visited New York."
        found = pipeline("attention-token-classification", model=str(folder))(text)["entities"]
        assert [(each["entity_group"], each["word"]) for each in found] == [("PER", "Anna Berg"), ("LOC", "New York")]
        stock = pipeline("token-classification", model=str(folder), aggregation_strategy="simple")(text)
        assert [(each["entity_group"], text[each["start"] : each["end"]]) for each in stock] == [
            ("PER", "Anna Berg"),
            ("LOC", "New York"),
        ]

    def test_the_card_says_what_was_measured(self, trained: tuple[Path, TaskRun]) -> None:
        folder, finished = trained
        card = (folder / "README.md").read_text()
        for line in (
            "A tagger of words: an LSTM with a CRF of ",
            'tagger = pipeline("attention-token-classification", model=',
            "108 sentences for train, 12 sentences for validation, 60 sentences for test.",
            "Spans: `LOC`, `PER`.",
            "### Kinds of spans\n\nOn the test split.",
            "### Confusions",
            f"| test | f1 | {finished.metrics['test_f1']:.4f} |",
            "- read of a word: word, char\\_cnn, case\n",
            "- decoding: the best sequence of tags (CRF)",
            "hfattnlstm train --task tagging --train_file train.conll",
            "It reads at most 512 tokens at once",
            "pipeline_tag: token-classification",
        ):
            assert line.replace("\\_", "_") in card.replace("\\_", "_"), line
        assert str(folder.parent) not in card

    def test_what_was_measured_beyond_single_figures(self, trained: tuple[Path, TaskRun]) -> None:
        _, finished = trained
        found = finished.evaluations["test"]
        assert found.sentences == 60 and found.words == tagged_words(sentences(60, 1))
        assert found.scores["f1"] == finished.metrics["test_f1"] and set(found.per_kind) == {"LOC", "PER"}
        assert finished.details["test"] == {"per_kind": found.per_kind} and "test split by kind" in finished.report()

    def test_the_metrics_are_those_of_the_pipeline(self, trained: tuple[Path, TaskRun]) -> None:
        """Sentence by sentence, without padding."""
        folder, finished = trained
        tagger = pipeline("attention-token-classification", model=str(folder))
        rows = sentences(60, 1)
        right = sum(
            word["tag"] == tag
            for words, tags in rows
            for word, tag in zip(tagger({"tokens": words})["words"], tags, strict=True)
        )
        assert finished.metrics["test_accuracy"] == pytest.approx(right / tagged_words(rows))


def test_single_tags(files: Path, tmp_path: Path) -> None:
    flags = ("--test_file", str(files / "pos-test.conll"), "--epochs", "6", "--plots")
    finished = run(tmp_path / "model", files / "pos.conll", *flags, small=PLAIN)
    assert finished.metrics["test_accuracy"] > 0.9 and "test_f1" not in finished.metrics
    assert json.loads((tmp_path / "model" / "all_results.json").read_text())["test_accuracy"] > 0.9
    config = finished.model.config
    assert config.tagging_scheme is None and not config.use_crf and finished.model.crf is None
    assert list(config.id2label.values()) == ["name", "rest", "verb"]
    assert set(finished.details["test"]) == {"per_tag"} and finished.trainer.args.metric_for_best_model == "accuracy"
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Tags: `name`, `rest`, `verb`." in card and "### Tags" in card and "with a CRF" not in card
    assert "each tag by itself" in card and (tmp_path / "model" / "confusion_matrix.png").is_file()
    found = pipeline("attention-token-classification", model=str(tmp_path / "model"))("Anna met Boris")
    assert found["entities"] == [] and [word["tag"] for word in found["words"]] == ["name", "verb", "name"]


class TestResuming:
    """A training that goes on."""

    def test_it_ends_as_without_an_interruption(
        self, trained: tuple[Path, TaskRun], files: Path, tmp_path: Path
    ) -> None:
        folder, whole = trained
        checkpoint = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))[1]
        flags = ("--test_file", str(files / "test.conll"), "--epochs", "5", "--save_total_limit", "9")
        resumed = run(tmp_path / "model", files / "train.conll", *flags, "--resume_from_checkpoint", str(checkpoint))
        for name, tensor in whole.model.state_dict().items():
            assert torch.equal(tensor, resumed.model.state_dict()[name]), name
        assert resumed.metrics["test_loss"] == whole.metrics["test_loss"]

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (
                "--hidden_size 32",
                "--hidden_size cannot be changed beside .*checkpoint-7, whose weights have decided it",
            ),
            ("--token_inputs word case", "--token_inputs cannot be changed beside"),
            ("--input_merge sum", "--input_merge cannot be changed beside"),
            ("--use_crf false", "--use_crf cannot be changed beside"),
            ("--crf_scheme iobes", "--crf_scheme cannot be changed beside"),
            ("--classifier_dropout 0.1", "--classifier_dropout cannot be changed beside"),
            ("--max_word_length 5", "--max_word_length cannot be changed beside"),
            ("--lowercase true", "--lowercase contradicts the tokenizer of the checkpoint .*, which has both cases"),
            ("--max_length 9", "--max_length contradicts the tokenizer of the checkpoint .*, which has 512 tokens"),
            ("--vocab_size 9", "--vocab_size contradicts the tokenizer of the checkpoint"),
            ("--freeze_word_vectors true", "--freeze_word_vectors has no effect without vectors in --token_inputs"),
        ],
    )
    def test_flags_that_contradict_the_checkpoint(
        self, flags: str, sentence: str, trained: tuple[Path, TaskRun], files: Path, tmp_path: Path
    ) -> None:
        # Of the small flags some are of inputs that others would leave out.
        small = SMALL[: SMALL.index("--char_hidden_size")]
        checkpoint = ("--resume_from_checkpoint", str(trained[0] / "checkpoint-7"))
        with pytest.raises(ValueError, match=sentence) as caught:
            run(tmp_path / "model", files / "train.conll", *checkpoint, *flags.split(), small=small)
        assert "\n" not in str(caught.value) and not (tmp_path / "model").exists()


class TestGoingOn:
    """From a tagger, which has decided what its tags are."""

    def test_tags_have_the_numbers_that_the_model_knows(self, trained: tuple[Path, TaskRun], tmp_path: Path) -> None:
        folder, before = trained
        rows = [(["Anna", "Berg", "left"], ["B-PER", "I-PER", "O"])] * 8
        start = ("--model_name_or_path", str(folder), "--max_steps", "1", "--validation_size", "0.25")
        small = ("--use_cpu", "--disable_tqdm", "true", "--report_to", "none")
        finished = run(tmp_path / "model", write_columns(tmp_path / "x.conll", rows), *start, small=small)
        assert finished.model.config.id2label == before.model.config.id2label
        # That of the data would be 0, 1, 2.
        assert finished.trainer.train_dataset[0]["labels"] == [3, 4, 0]
        assert len(finished.processor) == len(before.processor) and finished.metrics["eval_accuracy"] > 0.9
        assert set(finished.details["eval"]["per_kind"]) == {"PER"}

    @pytest.mark.parametrize(
        ("tag", "flags", "sentence"),
        [
            ("B-ORG", [], "has not the tag 'B-ORG' of the data: train a new model, or give data with its tags"),
            ("B-PER", ["--hidden_size", "24"], "--hidden_size cannot be changed beside"),
            ("B-PER", ["--token_inputs", "word"], "--token_inputs cannot be changed beside"),
            ("B-PER", ["--freeze_word_vectors", "true"], "has no effect without vectors in --token_inputs"),
        ],
    )
    def test_what_contradicts_it(
        self, tag: str, flags: list[str], sentence: str, trained: tuple[Path, TaskRun], tmp_path: Path
    ) -> None:
        data = write_columns(tmp_path / "x.conll", [(["Anna", "left"], [tag, "O"])] * 8)
        with pytest.raises(ValueError, match=sentence) as caught:
            run(tmp_path / "out", data, "--model_name_or_path", str(trained[0]), "--max_steps", "1", *flags, small=())
        assert "\n" not in str(caught.value)

    def test_it_is_measured_without_a_training(
        self, trained: tuple[Path, TaskRun], files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder, before = trained
        flags = ("--do_train", "false", "--model_name_or_path", str(folder), "--test_file", str(files / "test.conll"))
        small = ("--use_cpu", "--disable_tqdm", "true", "--report_to", "none")
        found = run(tmp_path / "out", files / "train.conll", *flags, small=small)
        for name in ("test_f1", "test_accuracy", "eval_f1", "test_accuracy_low"):
            assert found.metrics[name] == before.metrics[name]
        assert found.metrics["test_loss"] == pytest.approx(before.metrics["test_loss"], abs=1e-5)
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"all_results.json"}

    def test_vectors_stay_frozen_where_that_is_said(self, with_vectors: tuple[Path, TaskRun], tmp_path: Path) -> None:
        folder, before = with_vectors
        data = write_columns(tmp_path / "x.conll", sentences(20))
        small = ("--use_cpu", "--disable_tqdm", "true", "--report_to", "none", "--lr", "0.1", *STEPS)
        for frozen in ("true", "false"):
            flags = ("--model_name_or_path", str(folder), "--freeze_word_vectors", frozen)
            found = run(tmp_path / frozen, data, *flags, small=small)
            same = [torch.equal(old, new) for old, new in zip(tables(before.model), tables(found.model))]
            assert same == [frozen == "true"] * 2


class TestWordVectors:
    """Vectors that are read beside the embedding."""

    def test_frozen_ones_are_those_of_the_files(self, with_vectors: tuple[Path, TaskRun]) -> None:
        folder, finished = with_vectors
        config = finished.model.config
        assert config.inputs == ("word", "char_cnn", "case", "vectors")
        # "Zoe" has a letter that no token has.
        assert config.vector_sizes == [4, 3] and config.vector_rows == [6, 2]
        assert not any(p.requires_grad for n, p in finished.model.named_parameters() if ".vectors." in n)
        for table in tables(finished.model):
            assert float(table[1:].std()) == pytest.approx(0.1, abs=1e-4) and not table[0].any()
        assert "(some.txt, more.txt)" in (folder / "README.md").read_text()
        loaded = AttnLSTMForTokenClassification.from_pretrained(folder)
        assert all(torch.equal(one, two) for one, two in zip(tables(loaded), tables(finished.model)))

    def test_others_learn(self, with_vectors: tuple[Path, TaskRun], files: Path, tmp_path: Path) -> None:
        vectors = ("--word_vectors", str(files / "some.txt"), str(files / "more.txt"))
        finished = run(tmp_path / "model", files / "train.conll", *vectors, *STEPS)
        assert not any(torch.equal(*pair) for pair in zip(tables(finished.model), tables(with_vectors[1].model)))


@pytest.mark.parametrize(
    ("scheme", "flags"),
    [
        ("iob1", []),
        ("iobes", []),
        ("bio", ["--crf_scheme", "iobes"]),
        ("bio", ["--use_crf", "false"]),
        ("bio", ["--sentence_context", "true", "--adversarial_epsilon", "1"]),
    ],
)
def test_schemes_and_ways_to_decode_learn_the_same(scheme: str, flags: list[str], files: Path, tmp_path: Path) -> None:
    data = write_columns(tmp_path / "train.conll", sentences(100, scheme=scheme))
    test = ("--test_file", str(files / "test.conll"), "--tagging_scheme", scheme)
    if scheme != "bio":
        test = ("--test_file", str(write_columns(tmp_path / "test.conll", sentences(60, 1, scheme))), *test[2:])
    finished = run(tmp_path / "model", data, *test, "--epochs", "12", *flags, small=PLAIN)
    assert finished.metrics["test_f1"] > 0.9
    config = finished.model.config
    assert config.tagging_scheme == ("iobes" if "iobes" in flags else "bio")
    assert any(tag.startswith("S-") for tag in config.id2label.values()) == ("iobes" in flags)
    assert (finished.model.crf is None) == ("--use_crf" in flags) != config.use_crf
    assert config.sentence_context == ("--sentence_context" in flags)


def test_adversarial_words_change_what_is_learnt(files: Path, tmp_path: Path) -> None:
    weights = [
        run(tmp_path / epsilon, files / "train.conll", "--adversarial_epsilon", epsilon, *STEPS, small=PLAIN)
        .model.classifier.state_dict()
        .values()
        for epsilon in ("0", "1")
    ]
    assert not all(torch.equal(*pair) for pair in zip(*weights, strict=True))


def test_words_in_json_lines(tmp_path: Path) -> None:
    data = write_json_rows(tmp_path / "train.jsonl", [*sentences(30), ([], [])])
    finished = run(tmp_path / "model", data, *STEPS, small=PLAIN)
    assert list(finished.model.config.id2label.values())[1] == "B-LOC" and 0 <= finished.metrics["eval_f1"] <= 1


@pytest.fixture(scope="module")
def short(trained: tuple[Path, TaskRun], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tagger with a tokenizer that reads eight tokens at once."""
    folder = tmp_path_factory.mktemp("short") / "model"
    shutil.copytree(trained[0], folder, ignore=shutil.ignore_patterns("checkpoint-*"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 8
    tokenizer.save_pretrained(folder)
    return str(folder)


class TestLongSentences:
    """They are read in parts, and measured whole."""

    def measured(self, model: str, data: Path, folder: Path) -> TaskRun:
        flags = ("--do_train", "false", "--model_name_or_path", model, "--do_eval", "false", "--test_file", str(data))
        small = ("--use_cpu", "--disable_tqdm", "true", "--report_to", "none")
        return run(folder, data, *flags, small=small)

    def test_every_word_counts_once(self, short: str, trained: tuple[Path, TaskRun], tmp_path: Path) -> None:
        rows = sentences(30, 2)
        joined = [
            ([*one[0], *two[0], *three[0]], [*one[1], *two[1], *three[1]])
            for one, two, three in zip(rows[::3], rows[1::3], rows[2::3])
        ]
        data = write_columns(tmp_path / "long.conll", joined)
        finished = self.measured(short, data, tmp_path / "out")
        found = finished.evaluations["test"]
        assert finished.metrics["test_samples"] > 10 == found.sentences and found.words == tagged_words(rows)
        tagger = pipeline("attention-token-classification", model=short)
        said = [[word["tag"] for word in tagger({"tokens": words})["words"]] for words, _ in joined]
        right = sum(tag == own for (_, tags), row in zip(joined, said) for tag, own in zip(tags, row, strict=True))
        assert found.scores["accuracy"] == pytest.approx(right / found.words)
        assert [mistake.predicted for mistake in found.mistakes] == [said[m.row - 1] for m in found.mistakes]

    def test_where_one_part_is_enough_nothing_changes(
        self, short: str, trained: tuple[Path, TaskRun], tmp_path: Path
    ) -> None:
        data = write_columns(tmp_path / "x.conll", [row for row in sentences(40, 3) if len(row[0]) <= 8])
        one, two = (
            self.measured(model, data, tmp_path / f"{place}") for place, model in enumerate((short, str(trained[0])))
        )
        assert one.evaluations["test"].scores == two.evaluations["test"].scores
        assert one.metrics["test_loss"] == pytest.approx(two.metrics["test_loss"])

    def test_a_training_reads_them_so(self, tmp_path: Path) -> None:
        rows = [(words * 3, tags * 3) for words, tags in sentences(20)]
        data = write_columns(tmp_path / "x.conll", rows)
        finished = run(tmp_path / "model", data, "--max_length", "8", *STEPS, small=PLAIN)
        assert finished.processor.model_max_length == 8
        train = finished.trainer.train_dataset
        assert max(train["length"]) <= 8 and len(train) > 2 * len(set(train["sentence"]))
        labels = sum(label != -100 for row in train["labels"] for label in row)
        assert labels + finished.evaluations["eval"].words == tagged_words(rows)


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "word"])
def test_pieces_of_words_are_read_and_words_are_tagged(kind: str, tmp_path: Path) -> None:
    for name, count in (("train", 120), ("test", 30)):
        write_columns(tmp_path / f"{name}.conll", sentences(count))
    flags = ["--test_file", str(tmp_path / "test.conll"), "--tokenizer_kind", kind, "--epochs", "15"]
    argv = ["--task", "tagging", "--train_file", str(tmp_path / "train.conll"), *flags, *SMALL]
    run = run_task(parse_task([*argv, "--output_dir", str(tmp_path / "out"), "--disable_tqdm", "true"]))
    assert run.metrics["test_f1"] > 0.8
    roles = run.model.attnlstm.embeddings.spelling.roles
    assert (2 in roles.tolist()) is False and (1 in roles.tolist()) is (kind != "word")


@pytest.mark.parametrize(("tag", "shown"), [("O", "O"), ("NOUN", "NOUN")])
def test_words_that_all_have_one_tag(tag: str, shown: str, tmp_path: Path) -> None:
    file = write_columns(tmp_path / "train.conll", [(["Anna", "left"], [tag, tag])] * 20)
    with pytest.raises(ValueError, match=rf"^All words for training have the tag '{shown}', so that there is nothing"):
        run(tmp_path / "model", file, *STEPS)
    assert not (tmp_path / "model").exists()
