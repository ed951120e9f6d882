"""Going on from a model: by training it further, or by measuring it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, BertConfig, pipeline

from hfattnlstm import AttnLSTMModel
from hfattnlstm.training import Finisher, TaskRun, parse_task, run_task
from training.test_classification import NEUTRAL, labelled, run, write_rows, write_texts


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskRun]:
    folder = tmp_path_factory.mktemp("run")
    return folder / "model", run(folder / "model", write_texts(folder / "texts.csv"))


def going_on(folder: Path, start: Path, rows: list[tuple[str, object]], *flags: str) -> TaskRun:
    """A run on these rows, which are both splits."""
    texts = write_rows(folder / "rows.jsonl", rows)
    task = ["--train_file", str(texts), "--validation_file", str(texts), "--model_name_or_path", str(start)]
    quiet = ["--use_cpu", "--report_to", "none", "--disable_tqdm", "true"]
    return run_task(parse_task([*task, "--output_dir", str(folder / "again"), *quiet, *flags]))


def measured(folder: Path, start: Path, rows: list[tuple[str, object]], *flags: str) -> TaskRun:
    return going_on(folder, start, rows, "--do_train", "false", *flags)


def one_step(folder: Path, start: Path, rows: list[tuple[str, object]], *flags: str) -> TaskRun:
    """A training that moves no weight."""
    still = ("--max_steps", "1", "--learning_rate", "1e-30", "--eval_strategy", "no", "--save_strategy", "no")
    return going_on(folder, start, rows, *still, *flags)


class TestGoingOn:
    """A checkpoint rules what it has decided; what else is wanted is done, told, or refused."""

    @pytest.mark.parametrize("label_names", [("neg", "pos"), ("pos", "neg")])
    def test_its_labels_keep_their_order(self, label_names, trained, tmp_path, monkeypatch) -> None:
        """However the data number them: a ClassLabel may have them the other way round."""
        from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

        from hfattnlstm.data.loading import LoadedTexts

        start, _ = trained
        numbers = {name: number for number, name in enumerate(label_names)}
        rows = [(text, numbers[label]) for text, label in labelled("pos", "neg")]
        features = Features({"text": Value("string"), "label": ClassLabel(names=list(label_names))})
        split = Dataset.from_dict({"text": [t for t, _ in rows], "label": [n for _, n in rows]}, features=features)
        DatasetDict({"train": split, "validation": split}).save_to_disk(tmp_path / "data")
        monkeypatch.setattr(
            "hfattnlstm.training.classification_texts.load_splits",
            lambda *_, **__: LoadedTexts(DatasetDict.load_from_disk(tmp_path / "data"), ["text"], "label", []),
        )
        again = measured(tmp_path, start, labelled("pos", "neg"))
        assert again.metrics["eval_accuracy"] > 0.9
        assert again.model.config.id2label == {0: "neg", 1: "pos"}

    def test_data_may_have_some_of_its_labels(self, tmp_path) -> None:
        rows = [*labelled("b", "c"), *((f"we had {word}", "a") for word in NEUTRAL * 4)]
        start = run(tmp_path / "start", write_rows(tmp_path / "three.jsonl", rows))
        assert start.metrics["eval_accuracy"] > 0.9
        again = measured(tmp_path, tmp_path / "start", labelled("b", "c"))
        assert again.metrics["eval_accuracy"] > 0.9
        assert again.model.config.id2label == {0: "a", 1: "b", 2: "c"}

    def test_several_labels_keep_their_order(self, tmp_path) -> None:
        start = run(tmp_path / "start", write_texts(tmp_path / "texts.jsonl", "multi"), "--num_train_epochs", "16")
        rows = [(text, [label, "film"]) for text, label in labelled("good", "bad")]
        again = measured(tmp_path, tmp_path / "start", rows)
        assert again.model.config.id2label == start.model.config.id2label
        assert again.metrics["eval_f1_micro"] > 0.9

    def test_other_labels_begin_a_new_layer_and_that_is_told(self, trained, tmp_path, caplog) -> None:
        start, finished = trained
        with caplog.at_level("WARNING", "hfattnlstm"):
            further = one_step(tmp_path, start, labelled("yes", "no"))
        assert "has the labels neg, pos, and the data no, yes: its last layer is begun anew" in caplog.text
        assert further.model.config.id2label == {0: "no", 1: "yes"}
        kept = finished.model.state_dict()
        for name, tensor in further.model.base_model.state_dict().items():
            assert tensor.equal(kept[f"attnlstm.{name}"])

    def test_labels_without_names_are_taken_in_order_and_that_is_told(self, trained, tmp_path, caplog) -> None:
        start, _ = trained
        nameless = AutoModelForSequenceClassification.from_pretrained(start)
        nameless.config.id2label, nameless.config.label2id = {0: "LABEL_0", 1: "LABEL_1"}, {"LABEL_0": 0, "LABEL_1": 1}
        nameless.save_pretrained(tmp_path / "nameless")
        AutoTokenizer.from_pretrained(start).save_pretrained(tmp_path / "nameless")
        with caplog.at_level("WARNING", "hfattnlstm"):
            again = measured(tmp_path, tmp_path / "nameless", labelled("pos", "neg"))
        assert "has no names for its labels: they are taken for neg, pos" in caplog.text
        assert again.metrics["eval_accuracy"] > 0.9

    def test_its_class_weights_are_kept_with_its_labels(self, tmp_path) -> None:
        texts = write_texts(tmp_path / "texts.csv", count=60)
        run(tmp_path / "start", texts, "--class_weights", "1.0", "2.5", "--num_train_epochs", "1")

        def weights(name: str, rows: list, *flags: str) -> list[float] | None:
            (tmp_path / name).mkdir()
            return one_step(tmp_path / name, tmp_path / "start", rows, *flags).model.config.class_weights

        assert weights("again", labelled("pos", "neg")) == [1.0, 2.5]
        assert weights("chosen", labelled("pos", "neg"), "--class_weights", "3", "1") == [3.0, 1.0]
        assert weights("other", labelled("yes", "no")) is None

    @pytest.mark.parametrize(("flags", "length"), [((), 400), (("--max_length", "3"), 3)])
    def test_training_and_inference_read_the_same_length(self, flags, length, trained, tmp_path) -> None:
        start, _ = trained
        again = one_step(tmp_path, start, labelled("pos", "neg"), *flags)
        saved = AutoTokenizer.from_pretrained(tmp_path / "again")
        assert saved.model_max_length == again.processor.model_max_length == length
        assert f"It reads at most {length} tokens" in (tmp_path / "again" / "README.md").read_text()
        assert max(len(row) for row in again.trainer.train_dataset["input_ids"]) == min(length, 3)
        result = pipeline("attention-text-classification", model=str(tmp_path / "again"))("a b c d e f")[0]
        assert len(result["attention"]) == min(length, 6)

    def test_a_tokenizer_that_says_no_length_is_told(self, trained, tmp_path, caplog) -> None:
        start, _ = trained
        tokenizer = AutoTokenizer.from_pretrained(start)
        tokenizer.model_max_length = int(1e30)
        tokenizer.save_pretrained(tmp_path / "endless")
        with caplog.at_level("WARNING", "hfattnlstm"):
            flags = ("--tokenizer_name", str(tmp_path / "endless"))
            again = measured(tmp_path, start, labelled("pos", "neg"), *flags)
        assert "says no length: 400 tokens of a text are read" in caplog.text
        assert again.processor.model_max_length == 400

    def test_what_can_change_is_changed(self, trained, tmp_path) -> None:
        start, _ = trained
        flags = ("--truncation", "tail", "--word_dropout", "0.4", "--pooler_entropy_coef", "0.01")
        flags += ("--label_smoothing_factor", "0.1", "--classifier_dropout", "0.2")
        further = one_step(tmp_path, start, labelled("pos", "neg"), *flags)
        config = further.model.config
        assert (config.truncation, config.word_dropout, config.pooler_entropy_coef) == ("tail", 0.4, 0.01)
        assert (config.label_smoothing, config.embedding_dropout) == (0.1, 0.1)
        assert further.model.base_model.embeddings.word_dropout == 0.4
        assert further.model.classifier.dropout.p == 0.2
        card = (tmp_path / "again" / "README.md").read_text()
        assert "- dropout of embeddings, words, head: 0.1, 0.4, 0.2" in card and "- label smoothing: 0.1" in card
        assert "- penalties on the attention (l2, entropy, diversity): 0.0, 0.01, 0.0" in card

    def test_its_ngrams_may_know_the_held_out_texts_and_choose_no_epoch(self, trained, tmp_path, monkeypatch) -> None:
        start, run_before = trained
        assert run_before.model.ngrams is not None
        beside = []
        learn = Finisher.learn

        def noted(self: Finisher) -> None:
            beside.append(self._trainer.model.ngrams)
            learn(self)

        monkeypatch.setattr(Finisher, "learn", noted)
        assert one_step(tmp_path, start, labelled("pos", "neg")).model.ngrams is not None
        assert beside == [None]

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (("--hidden_size", "32"), "--hidden_size cannot be changed beside --model_name_or_path"),
            (("--pooler_score", "dot"), "--pooler_score cannot be changed beside --model_name_or_path"),
            (("--word_vectors", "glove.txt"), "--word_vectors cannot be changed beside --model_name_or_path"),
            (("--embedding_ngrams", "300"), "--embedding_ngrams cannot be changed beside --model_name_or_path"),
            (("--subword_ngrams", "10"), "--subword_ngrams cannot be changed beside --model_name_or_path"),
            (("--initializer_range", "0.5"), "--initializer_range cannot be changed"),
            (("--vocab_size", "100"), "--vocab_size"),
            (("--tokenizer_kind", "char"), "--tokenizer_kind is for a tokenizer that is trained"),
        ],
    )
    def test_what_cannot_is_refused(self, flags, sentence, trained, tmp_path) -> None:
        start, _ = trained
        with pytest.raises(ValueError, match=sentence):
            measured(tmp_path, start, labelled("pos", "neg"), *flags)

    def test_a_model_of_another_kind_is_refused(self, tmp_path) -> None:
        BertConfig().save_pretrained(tmp_path / "bert")
        with pytest.raises(ValueError, match="is a model of the type 'bert': name one of the type 'attnlstm'"):
            measured(tmp_path, tmp_path / "bert", labelled("pos", "neg"))


UNSURE = ("--classifier_ngrams", "0", "--calibrate", "false", "--num_train_epochs", "2")


def test_the_threshold_goes_on_or_is_changed(tmp_path: Path) -> None:
    rows = [(text, [label, "film"]) for text, label in labelled("good", "bad")]
    run(tmp_path / "start", write_rows(tmp_path / "t.jsonl", rows), *UNSURE, "--threshold", "0.9")
    kept = measured(tmp_path, tmp_path / "start", rows)
    changed = measured(tmp_path, tmp_path / "start", rows, "--threshold", "0.01", "--overwrite")
    assert (kept.model.config.threshold, changed.model.config.threshold) == (0.9, 0.01)
    assert changed.metrics["eval_recall_micro"] == 1.0 > kept.metrics["eval_recall_micro"]
    again = run(tmp_path / "more", tmp_path / "t.jsonl", *UNSURE, "--model_name_or_path", str(tmp_path / "start"))
    assert again.model.config.threshold == 0.9


def _decide(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_thresholds_of_the_labels_and_the_temperature(tmp_path: Path) -> None:
    """Both are measured with; a training makes the temperature void, and new labels the thresholds."""
    rows = [(text, [label, "film"]) for text, label in labelled("good", "bad")]
    start = tmp_path / "start"
    run(start, write_rows(tmp_path / "t.jsonl", rows), "--num_train_epochs", "2")
    thresholds = [0.999, 0.001, 0.001]
    _decide(start, threshold=thresholds, calibration_temperature=4.0)
    kept = measured(tmp_path, start, rows)
    found = kept.evaluations["eval"]
    assert (found.threshold, found.temperature) == (thresholds, 4.0) and found.uncalibrated is not None
    assert kept.metrics["eval_recall_micro"] == found.scores["recall_micro"]
    first, *others = found.label_names
    assert found.per_class[first]["recall"] == 0 and {found.per_class[name]["recall"] for name in others} == {1.0}
    changed = measured(tmp_path, start, rows, "--threshold", "0.001", "--overwrite")
    assert changed.model.config.threshold == 0.001 and changed.metrics["eval_recall_micro"] == 1.0

    further = ("--model_name_or_path", str(start), "--num_train_epochs", "1")
    uncalibrated = (*further, "--calibrate", "false")
    again = run(tmp_path / "same", write_rows(tmp_path / "t.jsonl", rows), *uncalibrated)
    fitted, temperature = again.model.config.threshold, again.model.config.calibration_temperature
    assert temperature == 1.0 and len(fitted) == 3 and fitted != thresholds
    card = (tmp_path / "same" / "README.md").read_text()
    assert f"- thresholds of the labels: {', '.join(f'{value:.3g}' for value in fitted)}" in card
    assert "temperature" not in card
    other = write_rows(tmp_path / "o.jsonl", [(text, [label, "play"]) for text, label in labelled("yes", "no")])
    assert run(tmp_path / "other", other, *further, "--threshold", "0.5").model.config.threshold == 0.5
    one = run(tmp_path / "one", write_rows(tmp_path / "c.jsonl", labelled("pos", "neg")), *further)
    assert one.model.config.threshold == 0.5
    numbers = run(tmp_path / "numbers", write_rows(tmp_path / "n.jsonl", labelled(1.5, -0.5)), *further)
    assert numbers.model.config.calibration_temperature == 1.0


class TestMeasuring:
    """Without a training, the model rules, and nothing of it is written."""

    def test_only_the_metrics_are_written(self, trained, tmp_path) -> None:
        again = measured(tmp_path, trained[0], labelled("pos", "neg"))
        assert [path.name for path in (tmp_path / "again").iterdir()] == ["all_results.json"]
        written = json.loads((tmp_path / "again" / "all_results.json").read_text())
        assert written["eval_accuracy"] == again.metrics["eval_accuracy"] > 0.9

    @pytest.mark.parametrize("rows", [labelled("yes", "no"), labelled("pos", "bad"), labelled("Pos", "neg")])
    def test_labels_that_it_has_not_are_refused(self, rows, trained, tmp_path) -> None:
        """They began a new last layer, which was measured."""
        with pytest.raises(ValueError, match=r"neg.*pos"):
            measured(tmp_path, trained[0], rows)
        assert not (tmp_path / "again").exists()

    def test_a_single_one_of_its_labels_is_measured(self, trained, tmp_path) -> None:
        rows = [(text, label) for text, label in labelled("pos", "neg") if label == "pos"]
        again = measured(tmp_path, trained[0], rows)
        assert again.metrics["eval_accuracy"] > 0.9
        assert again.model.config.id2label == {0: "neg", 1: "pos"}
        assert again.details["eval"]["per_class"]["pos"]["support"] == len(rows)

    def test_the_problem_type_is_the_models(self, trained, tmp_path) -> None:
        with pytest.raises(ValueError, match="multi_label_classification"):
            measured(tmp_path, trained[0], labelled("pos", "neg"), "--problem_type", "multi_label_classification")
        numbers = run(tmp_path / "numbers", write_rows(tmp_path / "n.jsonl", labelled(1.5, -0.5)))
        assert numbers.model.config.problem_type == "regression"
        with pytest.raises(ValueError, match="string"):
            measured(tmp_path, tmp_path / "numbers", labelled("pos", "neg"))
        # Whole numbers are classes where nobody says otherwise.
        again = measured(tmp_path, tmp_path / "numbers", labelled(1, 0))
        assert again.model.config.problem_type == "regression" and "eval_mse" in again.metrics

    def test_texts_that_it_may_have_learnt_are_told(self, trained, tmp_path, caplog) -> None:
        start, _ = trained
        texts = write_texts(tmp_path / "texts.csv")
        flags = ["--train_file", str(texts), "--model_name_or_path", str(start), "--do_train", "false", "--use_cpu"]
        run_task(parse_task([*flags, "--output_dir", str(tmp_path / "measured"), "--disable_tqdm", "true"]))
        assert "a model that was trained on these has learnt them: measure others" in caplog.text

    def test_a_model_is_needed(self, tmp_path) -> None:
        texts = write_texts(tmp_path / "texts.csv", count=40)
        with pytest.raises(ValueError, match="--do_train false needs --model_name_or_path"):
            run_task(parse_task(["--train_file", str(texts), "--do_train", "false"]))

    def test_a_backbone_has_nothing_to_measure(self, trained, tmp_path) -> None:
        AttnLSTMModel.from_pretrained(trained[0]).save_pretrained(tmp_path / "backbone")
        AutoTokenizer.from_pretrained(trained[0]).save_pretrained(tmp_path / "backbone")
        with pytest.raises(ValueError, match="has no last layer for labels"):
            measured(tmp_path, tmp_path / "backbone", labelled("pos", "neg"))

    def test_a_missing_folder_is_not_looked_for_on_the_hub(self, trained, tmp_path) -> None:
        with pytest.raises(FileNotFoundError, match=r"There is no folder .*/modle: "):
            measured(tmp_path, trained[0].parent / "modle", labelled("pos", "neg"))

    def test_a_name_that_is_neither_here_nor_on_the_hub(self, tmp_path) -> None:
        with pytest.raises(OSError, match=r"^There is no folder modle, and the Hub, .*, cannot be reached"):
            measured(tmp_path, Path("modle"), labelled("pos", "neg"))


def test_what_has_no_meaning_for_another_problem_is_left_behind(tmp_path: Path) -> None:
    several = write_texts(tmp_path / "several.jsonl", "multi", count=64)
    run(tmp_path / "first", several, "--num_train_epochs", "1", "--threshold", "0.3")
    one = write_texts(tmp_path / "one.csv", count=64)
    finished = run_task(
        parse_task(
            [
                *("--train_file", str(one), "--model_name_or_path", str(tmp_path / "first"), "--use_cpu"),
                *("--output_dir", str(tmp_path / "second"), "--num_train_epochs", "1", "--disable_tqdm", "true"),
            ]
        )
    )
    assert AutoConfig.from_pretrained(tmp_path / "first").threshold == 0.3
    assert finished.model.config.threshold == 0.5


def test_a_measured_model_is_whole(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv", count=64)
    run(tmp_path / "model", texts, "--num_train_epochs", "1")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    del weights["classifier.out_proj.weight"]
    save_file(weights, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    flags = ("--train_file", str(texts), "--model_name_or_path", str(tmp_path / "model"), "--do_train", "false")
    with pytest.raises(ValueError, match=r"lacks 1 of the weights, such as classifier.out_proj.weight"):
        run_task(parse_task([*flags, "--output_dir", str(tmp_path / "measured"), "--use_cpu"]))
