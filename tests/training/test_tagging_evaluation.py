"""What a tagger is worth: confusions and mistakes by hand, and what is shown of them and of the data."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset

from hfattnlstm.data.tagged_texts import load_tagged_texts
from hfattnlstm.training.intervals import FEW_TEXTS
from hfattnlstm.training.tagged_evaluation import evaluate_tagger
from hfattnlstm.training.tagging_card import describe_tags
from hfattnlstm.training.tagging_evaluation import NOTHING, TagEvaluation, evaluate_tags
from hfattnlstm.training.tagging_plots import plot_tag_confusions
from hfattnlstm.training.tagging_summary import TagSummary, summarize_tags
from training.tagging_helpers import write_columns, write_json_rows


def measured(right: list[str], said: list[str], scheme: str | None = "bio", **options: Any) -> TagEvaluation:
    """Of sentences as texts; each tag is as sure as its place says."""
    references, predictions = [each.split() for each in right], [each.split() for each in said]
    words = [[f"w{place}" for place in range(len(tags))] for tags in references]
    scores = [[0.5 + place / 100 for place in range(len(tags))] for tags in references]
    return evaluate_tags(words, references, predictions, scores, scheme, **options)


def confusions(found: TagEvaluation) -> dict[tuple[str, str], int]:
    return {
        (right, said): count
        for right, row in zip(found.kinds, found.confusions.tolist())
        for said, count in zip(found.kinds, row)
        if count
    }


@pytest.mark.parametrize(
    ("right", "said", "expected", "borders"),
    [
        ("B-PER I-PER O", "B-PER I-PER O", {("PER", "PER"): 1}, {"PER": 0}),
        ("B-PER I-PER O", "B-PER O O", {("PER", "PER"): 1}, {"PER": 1}),
        ("B-PER I-PER O", "B-LOC O O", {("PER", "LOC"): 1}, {"PER": 0}),
        ("B-PER O O", "O O B-PER", {("PER", NOTHING): 1, (NOTHING, "PER"): 1}, {"PER": 0}),
        # Two in place of one: the first is what it is taken for, and the other is too much.
        ("B-PER I-PER", "B-LOC B-PER", {("PER", "LOC"): 1, (NOTHING, "PER"): 1}, {"PER": 0}),
        # One in place of two: the first takes it, and the other is not found.
        ("B-PER B-LOC", "B-ORG I-ORG", {("PER", "ORG"): 1, ("LOC", NOTHING): 1}, {"PER": 0, "LOC": 0}),
        ("O O", "O O", {}, {}),
    ],
)
def test_what_spans_are_taken_for(right: str, said: str, expected: dict, borders: dict) -> None:
    found = measured([right], [said])
    assert confusions(found) == expected and found.borders == borders
    assert found.kinds[-1] == NOTHING and list(found.kinds[:-1]) == sorted(found.kinds[:-1])


def test_a_span_that_is_found_is_taken_for_no_other() -> None:
    found = measured(["B-PER B-LOC I-LOC", "B-LOC O O"], ["O B-LOC I-LOC", "B-LOC O O"])
    assert confusions(found) == {("PER", NOTHING): 1, ("LOC", "LOC"): 2} and sum(found.borders.values()) == 0


def test_single_tags_are_confused_word_by_word() -> None:
    found = measured(["N V N", "X"], ["N N N", "V"], None)
    assert confusions(found) == {("N", "N"): 2, ("V", "N"): 1, ("X", "V"): 1}
    assert found.kinds == ["N", "V", "X"] and found.borders == {} and found.tagging_scheme is None


def test_counts_and_scores() -> None:
    found = measured(["B-PER O", "O O O"], ["B-PER O", "O O B-PER"])
    assert (found.sentences, found.words) == (2, 5)
    assert found.scores == pytest.approx({"precision": 0.5, "recall": 1, "f1": 2 / 3, "accuracy": 0.8})
    assert found.per_kind["PER"]["support"] == 1 and set(found.intervals) == {"accuracy", "f1"}


def test_many_sentences_have_no_intervals() -> None:
    assert measured(["N"] * FEW_TEXTS, ["N"] * FEW_TEXTS, None).intervals == {}
    assert set(measured(["N"] * (FEW_TEXTS - 1), ["N"] * (FEW_TEXTS - 1), None).intervals) == {"accuracy"}


def test_the_worst_mistakes_are_those_of_which_the_tagger_was_most_sure() -> None:
    right = ["N N N", "N N N", "N N N", "N N N", "N"]
    said = ["V N N", "V N V", "N N N", "N V N", "V"]
    found = measured(right, said, None)
    # The surest wrong tag of each: 0.5, 0.52, none, 0.51 and 0.5; of equal ones the first stands first.
    assert [(mistake.row, mistake.score) for mistake in found.mistakes] == [(2, 0.52), (4, 0.51), (1, 0.5), (5, 0.5)]
    assert found.mistakes[0].predicted == ["V", "N", "V"] and found.mistakes[0].words == ["w0", "w1", "w2"]
    assert [mistake.row for mistake in measured(right, said, None, mistakes=1).mistakes] == [2]
    assert measured(right, said, None, mistakes=0).mistakes == []


def test_it_can_be_written_as_json() -> None:
    found = measured(["B-PER I-PER O"], ["B-PER O O"])
    written = json.loads(json.dumps(found.to_dict()))
    assert written["scores"] == found.scores and written["kinds"] == ["PER", NOTHING]
    assert written["confusions"] == [[1, 0], [0, 0]] and written["borders"] == {"PER": 1}
    assert written["intervals"]["f1"] == list(found.intervals["f1"])
    assert written["mistakes"] == [
        {"row": 1, "words": ["w0", "w1", "w2"], "tags": ["B-PER", "I-PER", "O"], "predicted": ["B-PER", "O", "O"]}
        | {"score": 0.51}
    ]


class TestDescribe:
    """The sections of a card."""

    def test_of_spans(self) -> None:
        shown = describe_tags(measured(["B-PER I-PER O B-LOC"], ["B-PER O O B-LOC"]), "test")
        assert shown.startswith("### Kinds of spans\n\nOn the test split. A span counts where its kind, beginning")
        assert "| LOC | 1.0000 | 1.0000 | 1.0000 | 1 |" in shown and "| PER | 0.0000 | 0.0000 | 0.0000 | 1 |" in shown
        assert "### Confusions\n\nThe right kind by row, the predicted one by column; of spans that share" in shown
        assert "| PER | 0 | 1 | 0 |" in shown

    def test_of_tags(self) -> None:
        shown = describe_tags(measured(["N V"], ["N N"], None), "validation")
        assert shown.startswith("### Tags\n\nOn the validation split.\n") and "spans" not in shown
        assert "| V | 1 | 0 |" in shown

    def test_names_are_no_markup(self) -> None:
        shown = describe_tags(measured(["B-<img>|x O"], ["B-<img>|x O"]), "test")
        assert "<img>" not in shown and "|x |" not in shown.replace("\\|", "")

    def test_of_many_kinds_there_is_no_square(self) -> None:
        many = " ".join(f"T{number:02}" for number in range(13))
        assert "### Confusions" not in describe_tags(measured([many], [many], None), "test")
        few = many.rsplit(" ", 1)[0]
        assert "### Confusions" in describe_tags(measured([few], [few], None), "test")


@pytest.mark.parametrize(
    ("scheme", "right", "share"),
    [("bio", "B-PER O B-LOC", "share of the spans of the kind"), (None, "N V N", "share of the words with the tag")],
)
def test_the_picture_has_the_confusions(scheme: str | None, right: str, share: str) -> None:
    found = measured([right], [right.replace("LOC", "PER")], scheme)
    axes, bar = plot_tag_confusions(found).axes
    assert axes.get_xlabel() == "predicted" and axes.get_ylabel() == "right" and bar.get_ylabel() == share
    assert [label.get_text() for label in axes.get_xticklabels()] == list(found.kinds)
    written = [text.get_text() for text in axes.texts]
    assert written == [str(count) for count in found.confusions.flatten()]


def summary(rows: dict[str, list[tuple[str, str]]], scheme: str | None, tokens: Any = None) -> TagSummary:
    parts = {
        split: Dataset.from_dict({"tokens": [words.split() for words, _ in own], "tags": [t.split() for _, t in own]})
        for split, own in rows.items()
    }
    return summarize_tags(load_tagged_texts(parts).splits, scheme, tokens)


def test_the_summary_counts_sentences_words_and_spans() -> None:
    rows = {
        "train": [("In New York", "O B-LOC I-LOC"), ("Anna met Boris", "B-PER O B-PER")],
        "validation": [("In Lima", "O B-LOC"), ("Anna left", "B-PER O")],
        "test": [("Anna", "B-PER")],
    }
    found = summary(rows, "bio", {"In", "Anna", "met"})
    assert found.lines() == [
        "train: 2 sentences  6 words  50.0 % spelt",
        "validation: 2 sentences  4 words  50.0 % of them not in training  50.0 % spelt",
        "test: 1 sentences  1 words  0.0 % of them not in training  0.0 % spelt",
        "spans in training: PER 2  LOC 1",
    ]
    assert found.kinds["validation"] == {"LOC": 1, "PER": 1}


def test_the_summary_of_single_tags_and_of_many_kinds() -> None:
    many = [f"T{number:02}" for number in range(23)]
    rows = {"train": [(" ".join(many), " ".join(many))], "validation": [("a", "T00")]}
    *_, last = summary(rows, None).lines()
    assert last.startswith("tags in training: T00 1  T01 1") and last.endswith("T19 1 and 3 more kinds")
    lines = summary({"train": [("a", "O")], "validation": [("a", "O")]}, "bio").lines()
    assert lines[0] == "train: 1 sentences  1 words" and lines[-1] == "spans in training: none"


class Tagger:
    """As the pipeline, with the same tag for every word."""

    def __init__(self, *names: str, scheme: str | None = "bio", tag: str = "O"):
        config = SimpleNamespace(
            id2label=dict(enumerate(names)), num_labels=len(names), tagging_scheme=scheme, name_or_path="tagger"
        )
        self.model, self.tag, self.batch_sizes = SimpleNamespace(config=config), tag, []
        splitter = SimpleNamespace(pre_tokenize_str=lambda text: [(word, (0, len(text))) for word in [text]])
        self.tokenizer = SimpleNamespace(backend_tokenizer=SimpleNamespace(pre_tokenizer=splitter))

    def __call__(self, given: Any, batch_size: int | None = None) -> Any:
        self.batch_sizes.append(batch_size)
        for each in given:
            yield {
                "entities": [],
                "words": [{"word": word, "tag": self.tag, "score": 0.75} for word in each["tokens"]],
            }


BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


class TestEvaluateTagger:
    """A tagger on words whose tags are known."""

    def test_words_are_measured_as_they_are_given(self, tmp_path: Path) -> None:
        path = write_columns(tmp_path / "test.conll", [(["don't go", "y"], ["B-PER", "O"])])
        found = evaluate_tagger(Tagger(*BIO), path)
        assert found.words == 2 and found.scores["accuracy"] == 0.5 and found.mistakes[0].words == ["don't go", "y"]
        assert found.mistakes[0].score == 0.75

    @pytest.mark.parametrize(
        ("tags", "scheme"),
        [("I-PER I-PER O", None), ("B-PER E-PER O", None), ("B-PER L-PER O", None), ("PER PER O", "io")],
    )
    def test_other_schemes_are_brought_to_that_of_the_model(
        self, tags: str, scheme: str | None, tmp_path: Path
    ) -> None:
        path = write_columns(tmp_path / "test.conll", [(["a", "b", "c"], tags.split())])
        for model_scheme, right in (("bio", ["B-PER", "I-PER", "O"]), ("iobes", ["B-PER", "E-PER", "O"])):
            names = BIO if model_scheme == "bio" else ("O", "B-PER", "I-PER", "E-PER", "S-PER")
            found = evaluate_tagger(Tagger(*names, scheme=model_scheme), path, tagging_scheme=scheme)
            assert found.mistakes[0].tags == right and found.per_kind["PER"]["support"] == 1

    def test_the_test_split_comes_first(self, tmp_path: Path) -> None:
        for name, count in (("train", 3), ("valid", 2), ("test", 1)):
            write_columns(tmp_path / f"{name}.conll", [(["a"], ["O"])] * count)
        tagger = Tagger(*BIO)
        assert evaluate_tagger(tagger, tmp_path).sentences == 1
        assert evaluate_tagger(tagger, tmp_path, split="validation", batch_size=7).sentences == 2
        assert tagger.batch_sizes == [None, 7]
        with pytest.raises(ValueError, match=r"split='dev' is none of 'test', 'train', 'validation': choose one"):
            evaluate_tagger(tagger, tmp_path, split="dev")
        (tmp_path / "test.conll").unlink()
        assert evaluate_tagger(tagger, tmp_path).sentences == 2

    def test_columns_are_named(self, tmp_path: Path) -> None:
        path = tmp_path / "test.jsonl"
        path.write_text(json.dumps({"mine": ["a"], "other": ["b", "c"], "x": ["O"], "y": ["O", "B-PER"]}) + "\n")
        found = evaluate_tagger(Tagger(*BIO), path, tokens_column="other", label_column="y")
        assert found.mistakes[0].words == ["b", "c"]

    def test_sentences_without_words_are_left_out(self, tmp_path: Path) -> None:
        path = write_json_rows(tmp_path / "test.jsonl", [(["a"], ["O"]), ([], [])])
        assert evaluate_tagger(Tagger(*BIO), path).sentences == 1

    @pytest.mark.parametrize(
        ("tags", "options", "sentence"),
        [
            ("B-ORG", {}, r"test\.conll in line 1 \('w'\) has the tag 'B-ORG', and the model has 'O', 'B-PER'"),
            ("NOUN", {}, r"test\.conll has tags of single words, and the model gives spans: name the column of its"),
            ("O", {"mistakes": -1}, r"mistakes= must be at least 0, got -1\."),
            ("O", {"batch_size": 0}, r"batch_size= must be at least 1, got 0\."),
        ],
    )
    def test_what_does_not_suit_the_model(self, tags: str, options: dict, sentence: str, tmp_path: Path) -> None:
        path = write_columns(tmp_path / "test.conll", [(["w"], tags.split())])
        with pytest.raises(ValueError, match=sentence) as caught:
            evaluate_tagger(Tagger(*BIO), path, **options)
        assert "\n" not in str(caught.value)

    def test_spans_for_a_model_of_single_tags(self, tmp_path: Path) -> None:
        path = write_columns(tmp_path / "test.conll", [(["w", "v"], ["B-PER", "O"])])
        with pytest.raises(ValueError, match="has spans, and the model gives tags of single words"):
            evaluate_tagger(Tagger("N", "V", scheme=None), path)

    def test_there_is_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"There is no file .*nowhere\.conll"):
            evaluate_tagger(Tagger(*BIO), tmp_path / "nowhere.conll")
