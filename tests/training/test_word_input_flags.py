"""The flags that say what is read of a word, which classifiers and taggers share."""

from __future__ import annotations

import random
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, pipeline

from hfattnlstm import AttnLSTMConfig, AttnLSTMForPreTraining
from hfattnlstm.data.word_tokenizer import is_open, train_word_tokenizer
from hfattnlstm.training import TaskRun, parse_task, run_task
from hfattnlstm.training.classification import ClassificationTask
from hfattnlstm.training.classification_arguments import ModelArguments, config_overrides
from hfattnlstm.training.tagging_arguments import TaggerArguments
from hfattnlstm.training.word_input_arguments import WordInputArguments, input_fields, reads_characters
from hfattnlstm.training.word_inputs import check_inputs, fields_of_unread, input_effects, read_word_tables
from training.tagging_helpers import write_vectors


GOOD, BAD = ["great", "lovely", "superb"], ["awful", "dull", "poor"]
NEUTRAL = ["the", "film", "food", "was", "a", "we", "had", "it"]
SMALL = (
    *("--embedding_size", "16", "--hidden_size", "16", "--lr", "0.02", "--use_cpu", "--disable_tqdm", "true"),
    *("--report_to", "none", "--classifier_ngrams", "0", "--subword_ngrams", "0"),
)
STEPS = ("--max_steps", "2", "--save_strategy", "no", "--eval_strategy", "no")
CHARS = ("--char_hidden_size", "8", "--char_embedding_size", "6")
BARE = ("--use_cpu", "--disable_tqdm", "true", "--report_to", "none")


def write_texts(path: Path, count: int = 120) -> Path:
    """Texts that a word decides."""
    chooser = random.Random(0)
    lines = ["text,label"]
    for index in range(count):
        words = [chooser.choice(NEUTRAL) for _ in range(chooser.randint(2, 7))]
        words.insert(chooser.randint(0, len(words)), chooser.choice((GOOD, BAD)[index % 2]))
        lines.append(f"{' '.join(words)},{('pos', 'neg')[index % 2]}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_texts(folder / "texts.csv")
    write_vectors(folder / "some.txt", [*GOOD, *BAD, "GREAT"], 4)
    write_vectors(folder / "more.txt", ["film", "food", "greatly"], 3, seed=1)
    return folder


def run(folder: Path, train_file: Path, *flags: str, small: tuple[str, ...] = SMALL) -> TaskRun:
    argv = ["--train_file", str(train_file), "--output_dir", str(folder), *small, *flags]
    return run_task(parse_task(argv))


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskRun]:
    """A classifier that reads all that there is."""
    place = tmp_path_factory.mktemp("trained") / "model"
    inputs = ("--token_inputs", "word", "char_cnn", "char_lstm", "case", "vectors", "--lowercase", "false", *CHARS)
    vectors = ("--word_vectors", str(folder / "some.txt"), str(folder / "more.txt"), "--freeze_word_vectors", "true")
    return place, run(place, folder / "texts.csv", *inputs, *vectors, "--epochs", "6", "--tokenizer_kind", "open")


def tables(model: Any) -> list[torch.Tensor]:
    return [vectors.table.weight.detach().clone() for vectors in model.attnlstm.embeddings.further.vectors]


class TestClassifier:
    """A classifier that reads more of its words."""

    def test_it_learns_and_reloads(self, trained: tuple[Path, TaskRun]) -> None:
        place, finished = trained
        assert finished.metrics["eval_accuracy"] > 0.9 and is_open(finished.processor)
        config = finished.model.config
        assert config.inputs == ("word", "char_cnn", "char_lstm", "case", "vectors")
        assert (config.char_hidden_size, config.char_embedding_size, config.vector_sizes) == (8, 6, [4, 3])
        # Those that are equal in lower case have one vector.
        assert config.vector_rows == [6, 3]
        model = AutoModelForSequenceClassification.from_pretrained(place).eval()
        batch = finished.processor(["the grate film", "dull"], padding=True, return_tensors="pt")
        with torch.no_grad():
            torch.testing.assert_close(model(**batch).logits, finished.model.eval()(**batch).logits)

    def test_words_that_it_does_not_know_are_spelt(self, trained: tuple[Path, TaskRun]) -> None:
        place, finished = trained
        assert finished.processor.tokenize("great gret") == ["great", "g", "##r", "##e", "##t"]
        found = pipeline("attention-text-classification", model=str(place))("a superb gret film")[0]
        assert [entry["text"] for entry in found["attention"]] == ["a", "superb", "gret", "film"]

    def test_frozen_vectors_are_those_of_the_files(self, trained: tuple[Path, TaskRun], folder: Path) -> None:
        _, finished = trained
        arguments = finished_arguments(folder)
        expected = read_word_tables(arguments, finished.processor).vectors
        for table, read in zip(tables(finished.model), expected, strict=True):
            torch.testing.assert_close(table[1:], read.vectors)

    def test_the_card_names_them(self, trained: tuple[Path, TaskRun]) -> None:
        card = (trained[0] / "README.md").read_text().replace("\\_", "_")
        assert (
            "char_cnn" in card and "some.txt" in card and "--token_inputs word char_cnn char_lstm case vectors" in card
        )

    @pytest.mark.parametrize("frozen", ["true", "false"])
    def test_going_on_keeps_frozen_vectors(
        self, frozen: str, trained: tuple[Path, TaskRun], folder: Path, tmp_path: Path
    ) -> None:
        flags = ("--model_name_or_path", str(trained[0]), "--freeze_word_vectors", frozen, "--char_dropout", "0.5")
        before = tables(AutoModelForSequenceClassification.from_pretrained(trained[0]))
        found = run(tmp_path / "out", folder / "texts.csv", *flags, "--word_input_dropout", "0.2", *STEPS, small=BARE)
        assert found.model.config.char_dropout == 0.5 and found.model.config.word_input_dropout == 0.2
        assert [torch.equal(*pair) for pair in zip(before, tables(found.model))] == [frozen == "true"] * 2

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            ("--token_inputs word case", "--token_inputs cannot be changed beside --model_name_or_path"),
            ("--max_word_length 5", "--max_word_length cannot be changed beside --model_name_or_path"),
            ("--char_hidden_size 4", "--char_hidden_size cannot be changed beside --model_name_or_path"),
        ],
    )
    def test_what_its_weights_have_decided(
        self, flags: str, sentence: str, trained: tuple[Path, TaskRun], folder: Path, tmp_path: Path
    ) -> None:
        start = ("--model_name_or_path", str(trained[0]))
        with pytest.raises(ValueError, match=sentence):
            run(tmp_path / "out", folder / "texts.csv", *start, *flags.split(), small=BARE)


def finished_arguments(folder: Path) -> ModelArguments:
    files = [str(folder / "some.txt"), str(folder / "more.txt")]
    return ModelArguments(token_inputs=["word", "case", "vectors"], word_vectors=files)


def test_flags_of_inputs_that_a_model_has_not_are_refused_beside_it(folder: Path, tmp_path: Path) -> None:
    run(tmp_path / "model", folder / "texts.csv", *STEPS)
    for flag, value, why in (
        ("freeze_word_vectors", "true", "without vectors in --token_inputs"),
        ("char_dropout", "0.1", "without char_cnn or char_lstm in --token_inputs"),
        ("word_input_dropout", "0.1", "with one of --token_inputs"),
    ):
        start = ("--model_name_or_path", str(tmp_path / "model"))
        with pytest.raises(ValueError, match=f"--{flag} has no effect {why}"):
            run(tmp_path / "out", folder / "texts.csv", *start, f"--{flag}", value, small=BARE)


def test_a_classifier_begins_with_a_pretrained_model(folder: Path, tmp_path: Path) -> None:
    """Which has decided nothing of dropouts, and reads embeddings alone."""
    tokenizer = train_word_tokenizer([[*GOOD, *BAD, *NEUTRAL]] * 2)
    base = AttnLSTMForPreTraining(AttnLSTMConfig(vocab_size=len(tokenizer), embedding_size=8, hidden_size=12))
    base.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    flags = ("--model_name_or_path", str(tmp_path / "base"), "--classifier_ngrams", "0")
    config = run(tmp_path / "out", folder / "texts.csv", *flags, *STEPS, small=BARE).model.config
    assert (config.hidden_size, config.inputs, config.char_dropout, config.word_input_dropout) == (12, ("word",), 0, 0)
    with pytest.raises(ValueError, match="--char_dropout has no effect without char_cnn or char_lstm"):
        run(tmp_path / "other", folder / "texts.csv", *flags, "--char_dropout", "0.1", *STEPS, small=BARE)


@pytest.mark.parametrize("merge", ["concat", "sum", "gated", "attention"])
@pytest.mark.parametrize("one", ["char_cnn", "char_lstm"])
def test_every_merge_is_trained(merge: str, one: str, folder: Path, tmp_path: Path) -> None:
    flags = ("--token_inputs", "word", one, "--input_merge", merge, "--word_input_dropout", "0.2", *CHARS)
    found = run(tmp_path / "out", folder / "texts.csv", *flags, "--max_word_length", "9", *STEPS)
    config = found.model.config
    assert (config.input_merge, config.word_input_dropout, config.max_word_length) == (merge, 0.2, 9)
    assert found.model.attnlstm.embeddings.spelling.characters.shape[1] == 9
    # With characters, a word tokenizer spells what it does not know.
    assert is_open(found.processor) and 0 <= found.metrics["eval_accuracy"] <= 1


@pytest.mark.parametrize("kind", ["word", "wordpiece", "open", "bpe"])
def test_the_kind_of_tokenizer_that_is_asked_for_is_trained(kind: str, folder: Path, tmp_path: Path) -> None:
    flags = ("--token_inputs", "word", "char_cnn", *CHARS, "--tokenizer_kind", kind, "--vocab_size", "60")
    found = run(tmp_path / "out", folder / "texts.csv", *flags, *STEPS)
    assert is_open(found.processor) == (kind == "open")
    name = {"word": "WordLevel", "wordpiece": "WordPiece"}.get(kind, "BPE")
    assert type(found.processor.backend_tokenizer.model).__name__ == name


def test_one_file_of_vectors_begins_the_embedding(folder: Path, tmp_path: Path) -> None:
    flags = ("--word_vectors", str(folder / "some.txt"), "--embedding_size", "4", "--lr", "1e-9", *STEPS)
    found = run(tmp_path / "out", folder / "texts.csv", *flags)
    assert found.model.config.inputs == ("word",) and found.model.config.vector_sizes is None
    vectors = dict(line.split(" ", 1) for line in (folder / "some.txt").read_text().splitlines())
    number = found.processor.convert_tokens_to_ids("dull")
    weight = found.model.get_input_embeddings().weight.detach()[number]
    expected = torch.tensor([float(value) for value in vectors["dull"].split()])
    assert float(torch.cosine_similarity(weight, expected, 0)) == pytest.approx(1, abs=1e-4)


def task_of(*flags: str) -> ClassificationTask:
    return parse_task(["--train_file", "missing.csv", "--output_dir", "missing", *flags])


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            "--char_hidden_size 4",
            "--char_hidden_size has no effect without char_cnn or char_lstm in --token_inputs: add",
        ),
        ("--char_embedding_size 4", "--char_embedding_size has no effect without char_cnn or char_lstm"),
        ("--char_dropout 0.1", "--char_dropout has no effect without char_cnn or char_lstm"),
        ("--token_inputs word char_lstm --char_kernel_size 5", "--char_kernel_size has no effect without char_cnn in"),
        (
            "--token_inputs word char_cnn --case_embedding_size 5",
            "--case_embedding_size has no effect without case in",
        ),
        ("--input_merge sum", "--input_merge has no effect with one of --token_inputs: add another, or leave it out"),
        ("--word_input_dropout 0.1", "--word_input_dropout has no effect with one of --token_inputs"),
        ("--max_word_length 5", "--max_word_length has no effect with one of --token_inputs"),
        ("--word_vectors v.txt --freeze_word_vectors true", "--freeze_word_vectors has no effect without vectors in"),
        ("--word_vectors v.txt --max_word_vectors 5", "--max_word_vectors has no effect without vectors in"),
        (
            "--token_inputs char_cnn",
            "--token_inputs takes word and any of char_cnn, char_lstm, case, vectors, each once",
        ),
        (
            "--token_inputs word case",
            "case in --token_inputs sees nothing of a text in lower case: add --lowercase false",
        ),
        ("--token_inputs word vectors", "vectors in --token_inputs need --word_vectors"),
        (
            "--word_vectors a.txt b.txt",
            "--word_vectors names 2 files, and one alone can start the embedding: add vectors",
        ),
        ("--token_inputs word char_cnn --char_kernel_size 4", "--char_kernel_size must be an odd number"),
        ("--token_inputs word char_lstm --char_hidden_size 5", "--char_hidden_size is the width of both directions"),
        *(
            (f"--do_train false --model_name_or_path m --{flag} {value}", f"--{flag} has no effect beside --do_train")
            for flag, value in (
                ("char_dropout", "0.1"),
                ("word_input_dropout", "0.1"),
                ("freeze_word_vectors", "true"),
            )
        ),
    ],
)
def test_flags_of_a_classifier_without_effect(flags: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        run_task(task_of(*flags.split()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "flags",
    [
        "--token_inputs word char_cnn --tokenizer_kind open --char_kernel_size 5 --char_dropout 0.1 --input_merge sum",
        "--token_inputs word case --lowercase false --case_embedding_size 5 --max_word_length 5",
        "--token_inputs word char_lstm --word_input_dropout 0.1",
        "--token_inputs word vectors --word_vectors a.txt b.txt --freeze_word_vectors true --max_word_vectors 10",
    ],
)
def test_flags_of_a_classifier_with_an_effect(flags: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.csv"):
        run_task(task_of(*flags.split()))


class TestFields:
    """What the flags are in a configuration."""

    def test_of_one_input_nothing_else_counts(self) -> None:
        assert input_fields(WordInputArguments(char_hidden_size=9)) == {"token_inputs": "word"}
        assert not reads_characters(WordInputArguments()) and reads_characters(TaggerArguments())

    def test_fields_that_are_idle_stay_at_their_default(self) -> None:
        found = input_fields(WordInputArguments(token_inputs=["word", "case"], char_hidden_size=9, input_merge="sum"))
        assert "char_hidden_size" not in found and "char_kernel_size" not in found
        assert found["case_embedding_size"] == 10 and found["input_merge"] == "sum"
        assert "char_kernel_size" not in input_fields(TaggerArguments(token_inputs=["word", "char_lstm"]))

    @pytest.mark.parametrize("kind", [ModelArguments, TaggerArguments])
    def test_they_are_fields(self, kind: type) -> None:
        everything = ["word", "char_cnn", "char_lstm", "case", "vectors"]
        arguments = kind(token_inputs=everything, word_vectors=["a", "b"])
        values = input_fields(arguments) | fields_of_unread(arguments)
        assert set(values) <= {item.name for item in fields(AttnLSTMConfig)}
        assert AttnLSTMConfig(**values).inputs == tuple(everything)
        shared = {item.name for item in fields(WordInputArguments)} - {
            *("word_vectors", "freeze_word_vectors", "max_word_vectors")
        }
        assert shared <= set(values)

    def test_those_of_a_classifier(self) -> None:
        assert config_overrides(ModelArguments())["token_inputs"] == "word"
        assert "word_vectors" not in config_overrides(ModelArguments())

    def test_vectors_of_a_tagger_are_read(self) -> None:
        assert TaggerArguments(word_vectors=["a"]).token_inputs == ["word", "char_cnn", "case", "vectors"]
        assert TaggerArguments(token_inputs=["word", "vectors"], word_vectors=["a"]).token_inputs == [
            "word",
            "vectors",
        ]
        assert TaggerArguments().token_inputs == ["word", "char_cnn", "case"]


def test_when_each_has_an_effect() -> None:
    flags = {item.name for item in fields(WordInputArguments)} - {"token_inputs", "word_vectors"}
    assert {flag for effect in input_effects(["word"]) for flag in effect.flags} == flags
    held = {flag for effect in input_effects(["word", "char_cnn"]) for flag in effect.flags if effect.holds(None)}
    assert held == flags - {"case_embedding_size", "freeze_word_vectors", "max_word_vectors"}
    assert not any(effect.holds(None) for effect in input_effects(["word"]))
    assert all(effect.holds(None) for effect in input_effects(["word", "char_cnn", "case", "vectors"]))


def test_inputs_that_fit_pass() -> None:
    check_inputs(WordInputArguments(token_inputs=["word", "case"]))
    check_inputs(WordInputArguments(token_inputs=["word", "vectors"], word_vectors=["a", "b"]), lowercase=True)
    check_inputs(WordInputArguments(word_vectors=["a"]))
    with pytest.raises(ValueError, match="case in --token_inputs"):
        check_inputs(WordInputArguments(token_inputs=["word", "case"]), lowercase=True)


class TestTables:
    """What a new model knows of words."""

    def test_they_are_read_where_something_asks(self, folder: Path) -> None:
        tokenizer = train_word_tokenizer([[*GOOD, *BAD, *NEUTRAL]] * 2)
        nothing = read_word_tables(WordInputArguments(), tokenizer)
        assert nothing.spelling is None and nothing.vectors == [] and nothing.fields == {"token_inputs": "word"}
        spelt = read_word_tables(WordInputArguments(), tokenizer, by_words=True)
        assert spelt.fields["num_characters"] == len(spelt.spelling.alphabet) + 1 and spelt.vectors == []
        found = read_word_tables(finished_arguments(folder), tokenizer)
        assert found.fields["vector_sizes"] == [4, 3] and found.fields["vector_rows"] == [6, 3]

    def test_files_that_cannot_be_read(self, folder: Path, tmp_path: Path) -> None:
        tokenizer = train_word_tokenizer([GOOD] * 2)
        with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
            read_word_tables(TaggerArguments(word_vectors=[str(tmp_path / "nowhere.txt")]), tokenizer)
        write_vectors(tmp_path / "other.txt", ["ζ", "η"])
        with pytest.raises(ValueError, match="has no word that consists of the characters of the texts"):
            read_word_tables(TaggerArguments(word_vectors=[str(tmp_path / "other.txt")]), tokenizer)
