"""Every flag of a tagger has an effect, or is refused where it can have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hfattnlstm import train_tokenizer
from hfattnlstm.training import parse_task, run_task
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.tagging import TaggingTask
from hfattnlstm.training.tagging_arguments import TaggedDataArguments, TaggerArguments, TaggingArguments, tagger_fields
from hfattnlstm.training.tagging_flags import MEANINGLESS, _effects
from hfattnlstm.training.word_inputs import input_effects
from training.tagging_helpers import FIRST, SMALL, parts_of_speech, sentences, write_columns, write_vectors


class Made:
    """What a task makes of its flags, before any training."""

    def __init__(self, *flags: str):
        # What reads no characters has no use for their sizes.
        reads_none = "--token_inputs" in flags and not {"char_cnn", "char_lstm"} & set(flags)
        small = SMALL[: SMALL.index("--char_hidden_size")] if reads_none else SMALL
        files = () if {"--train_file", "--dataset"} & set(flags) else ("--train_file", "train.conll")
        self.task: TaggingTask = parse_task(["--task", "tagging", "--output_dir", "missing", *small, *files, *flags])
        self.task.check()
        self.examples: DatasetDict = self.task.load()
        self.tokenizer: PreTrainedTokenizerBase = self.task.make_processor(self.examples)
        self.model: PreTrainedModel = self.task.make_model(self.examples, self.tokenizer)

    @property
    def tags(self) -> list[str]:
        return list(self.model.config.id2label.values())

    def words(self, split: str = "train") -> list[list[str]]:
        return self.examples[split]["tokens"][:]

    def kind_of_tokenizer(self) -> str:
        return type(self.tokenizer.backend_tokenizer.model).__name__

    def is_wide(self) -> bool:
        return float(self.model.get_input_embeddings().weight.detach().std()) > 0.3

    def is_frozen(self) -> bool:
        further = self.model.attnlstm.embeddings.further
        return not any(each.table.weight.requires_grad for each in further.vectors)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, count in (("train", 24), ("validation", 4), ("test", 3)):
        write_columns(folder / f"{name}.conll", sentences(count))
    write_columns(folder / "names.conll", [(["Anna", "Berg"], ["X", "Y"])] * 12)
    rows = zip(sentences(12), parts_of_speech(12))
    text = "".join(
        "".join(f"{word}\t{span}\t{kind}\n" for word, span, kind in zip(words, spans, kinds)) + "\n"
        for (words, spans), (_, kinds) in rows
    )
    (folder / "both.conll").write_text(text)
    (folder / "rows.jsonl").write_text('{"mine": ["a", "b"], "tokens": ["c", "d"], "tags": [1, 0]}\n' * 12)
    write_vectors(folder / "vectors.txt", FIRST)
    texts = [" ".join(words) for words, _ in sentences(24)]
    train_tokenizer(texts, kind="wordpiece", lowercase=False).save_pretrained(folder / "pieces")
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


TWO_LAYERS = "--num_hidden_layers 2"
CONTEXT = "--sentence_context true"
VECTORS = "--word_vectors vectors.txt"

# Fields of the configuration: a value, what it becomes, and what must stand beside it.
FIELDS: dict[str, tuple[str, Any, str]] = {
    "token_inputs": ("word case", ["word", "case"], ""),
    "input_merge": ("gated", "gated", ""),
    "word_input_dropout": ("0.25", 0.25, ""),
    "max_word_length": ("7", 7, ""),
    "char_embedding_size": ("6", 6, ""),
    "char_hidden_size": ("12", 12, ""),
    "char_kernel_size": ("7", 7, "--token_inputs word char_cnn"),
    "char_dropout": ("0.5", 0.5, ""),
    "case_embedding_size": ("3", 3, ""),
    "embedding_size": ("20", 20, ""),
    "hidden_size": ("30", 30, ""),
    "num_hidden_layers": ("2", 2, ""),
    "bidirectional": ("false", False, ""),
    "direction_merge": ("sum", "sum", ""),
    "residual": ("true", True, TWO_LAYERS),
    "hidden_dropout_prob": ("0.1", 0.1, TWO_LAYERS),
    "context_layers": ("attention lsh_transformer", ["attention", "lsh_transformer"], ""),
    "context_merge": ("concat", "concat", "--context_layers attention"),
    "context_causal": ("true", True, "--context_layers attention --bidirectional false"),
    "num_attention_heads": ("2", 2, "--context_layers attention"),
    "intermediate_size": ("9", 9, "--context_layers transformer"),
    "num_hashes": ("3", 3, "--context_layers lsh_attention"),
    "num_buckets": ("6", 6, "--context_layers lsh_attention"),
    "lsh_attn_chunk_length": ("16", 16, "--context_layers lsh_attention"),
    "embedding_dropout": ("0.1", 0.1, ""),
    "locked_dropout": ("false", False, ""),
    "word_dropout": ("0.1", 0.1, ""),
    "use_crf": ("false", False, ""),
    "sentence_context": ("true", True, ""),
    "classifier_pooling": ("max mean", ["max", "mean"], CONTEXT),
    "pooler_score": ("dot", "dot", CONTEXT),
    "pooler_size": ("5", 5, CONTEXT),
    "pooler_num_heads": ("2", 2, CONTEXT),
    "pooler_temperature": ("2", 2.0, CONTEXT),
    "pooler_normalizer": ("sparsemax", "sparsemax", CONTEXT),
    "classifier_hidden_size": ("9", 9, ""),
    "classifier_dropout": ("0.1", 0.1, ""),
}
# Other flags: a value, what must stand beside it, and where it is seen, as which it is seen with it and without it.
ROWS = "--train_file rows.jsonl"
OTHERS: dict[str, tuple[str, str, Callable[[Made], Any], Any, Any]] = {
    "word_vectors": ("vectors.txt", "", lambda made: made.model.config.vector_sizes, [4], None),
    "max_word_vectors": ("2", VECTORS, lambda made: made.model.config.vector_rows, [2], [4]),
    "freeze_word_vectors": ("true", VECTORS, Made.is_frozen, True, False),
    "tokenizer_name": ("pieces", "", Made.kind_of_tokenizer, "WordPiece", "BPE"),
    "tokenizer_kind": ("unigram", "", Made.kind_of_tokenizer, "Unigram", "BPE"),
    "vocab_size": ("70", "", lambda made: len(made.tokenizer), 70, 77),
    "lowercase": ("true", "--token_inputs word", lambda made: made.tokenizer.tokenize("Anna"), ["anna"], ["Anna"]),
    "max_length": ("77", "", lambda made: made.tokenizer.model_max_length, 77, 512),
    "crf_scheme": ("iobes", "", lambda made: made.model.config.tagging_scheme, "iobes", "bio"),
    "initializer_range": ("0.5", "", Made.is_wide, True, False),
    "train_file": ("test.conll", "", lambda made: len(made.words()), 2, 22),
    "validation_file": ("validation.conll", "", lambda made: len(made.words("validation")), 4, 2),
    "test_file": ("test.conll", "", lambda made: made.task.training.do_predict, True, False),
    "dataset": (".", "", lambda made: sorted(made.examples), ["test", "train", "validation"], ["train", "validation"]),
    "tokens_column": ("mine", f"{ROWS} --tag_names X Y", lambda made: made.words()[0], ["a", "b"], ["c", "d"]),
    "label_column": ("2", "--train_file both.conll", lambda made: made.tags[1], "B-LOC", "rest"),
    "tagging_scheme": ("io", "--train_file names.conll", lambda made: len(made.tags), 5, 2),
    "validation_size": ("0.25", "", lambda made: len(made.words("validation")), 6, 2),
    "split_seed": ("7", "", lambda made: made.words() == Made().words(), False, True),
    "max_train_samples": ("5", "", lambda made: len(made.words()), 5, 22),
}
# These have tests of their own.
ELSEWHERE = {"model_name_or_path", "dataset_config", "tag_names"}


@pytest.mark.parametrize("flag", FIELDS)
def test_flags_of_the_configuration(flag: str, here: Path) -> None:
    value, expected, beside = FIELDS[flag]
    changed, plain = (Made(*words.split()).model.config for words in (f"{beside} --{flag} {value}", beside))
    assert getattr(changed, flag) == expected != getattr(plain, flag)


@pytest.mark.parametrize("flag", OTHERS)
def test_flags_of_data_tokenizer_and_weights(flag: str, here: Path) -> None:
    value, beside, shown, expected, plain = OTHERS[flag]
    assert shown(Made(*f"{beside} --{flag} {value}".split())) == expected
    assert shown(Made(*beside.split())) == plain


def test_no_flag_is_forgotten() -> None:
    known = {item.name for kind in (TaggerArguments, TaggedDataArguments) for item in fields(kind)}
    assert known == {*FIELDS, *OTHERS, *ELSEWHERE}


def test_numbers_of_tags_need_names(here: Path) -> None:
    assert Made("--train_file", "rows.jsonl", "--tag_names", "X", "Y").tags == ["X", "Y"]
    with pytest.raises(ValueError, match="a number without a name: name the tags from 0 on with --tag_names"):
        run_task(parse_task(["--task", "tagging", "--train_file", "rows.jsonl", "--output_dir", "missing"]))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("", r"Give either --dataset or --train_file\."),
        ("--dataset x --train_file y.conll", r"Give either --dataset or --train_file\."),
        ("--test_file y.conll", "--validation_file and --test_file need --train_file beside them: add it"),
        ("--train_file nowhere.conll", r"There is no file nowhere\.conll"),
        (
            "--train_file t.conll --do_train false",
            "--do_train false needs --model_name_or_path: the random weights of a",
        ),
        ("--train_file t.conll --dataset_config en", "--dataset_config has no effect without --dataset"),
        (
            "--dataset . --dataset_config en",
            "--dataset_config en is for a source on the Hub or a folder: leave it out",
        ),
        (
            "--train_file t.conll --validation_file v.conll --validation_size 0.2",
            "--validation_size has no effect beside --validation_file",
        ),
        (
            "--train_file t.conll --validation_file v.conll --split_seed 3",
            "--split_seed has no effect beside --validation_file",
        ),
        (
            "--train_file t.conll --validation_file v.conll --do_eval false",
            "--validation_file has no effect beside --do_eval false",
        ),
        (
            "--train_file t.conll --test_file v.conll --do_predict false",
            "--test_file has no effect beside --do_predict false",
        ),
        (
            "--train_file train.conll --do_predict",
            "--do_predict needs a test split with tags: name one with --test_file",
        ),
        (
            "--train_file train.conll --max_train_samples 99",
            "--max_train_samples 99 is more than the 22 training sentences: make it smaller, or leave it out",
        ),
        ("--train_file both.conll --crf_scheme iobes", "--crf_scheme has no effect with tags of single words"),
        ("--train_file both.conll --label_column 9", r"--label_column 9 is no column of the file both\.conll"),
        ("--train_file train.conll --tokens_column x", "--tokens_column is for rows with lists of words"),
        ("--train_file both.conll --tagging_scheme bio", r"which is none of --tagging_scheme bio: mend it"),
        ("--train_file train.conll --max_length 7", "max_length=7 leaves no room for words: give 8 or more"),
    ],
)
def test_data_that_cannot_be_used(flags: str, sentence: str, here: Path, tmp_path: Path) -> None:
    argv = ["--task", "tagging", "--output_dir", str(tmp_path / "out"), "--disable_tqdm", "true", *flags.split()]
    with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
        run_task(parse_task(argv))
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


_MEASURES = "--do_train false --model_name_or_path m"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        *((f"--{name} 1", f"--{name} has no effect in this task: leave it out") for name in MEANINGLESS),
        *(
            (f"{_MEASURES} --{flag} {value}", f"--{flag} has no effect beside --do_train false, which only measures")
            for flag, value in (
                *(("max_train_samples", "5"), ("hidden_dropout_prob", "0.1"), ("embedding_dropout", "0.1")),
                *(("locked_dropout", "false"), ("word_dropout", "0.1"), ("classifier_dropout", "0.1")),
                *(("char_dropout", "0.1"), ("word_input_dropout", "0.1"), ("freeze_word_vectors", "true")),
                ("adversarial_epsilon", "1"),
            )
        ),
        ("--classifier_pooling max", "--classifier_pooling has no effect without --sentence_context true"),
        *(
            (f"{beside} --{flag} {value}", f"--{flag} has no effect without --sentence_context true, and attention in")
            for flag, value in (
                *(("pooler_score", "dot"), ("pooler_size", "4"), ("pooler_num_heads", "2")),
                *(("pooler_temperature", "2"), ("pooler_normalizer", "sparsemax")),
            )
            for beside in ("", f"{CONTEXT} --classifier_pooling max")
        ),
        (
            f"{CONTEXT} --pooler_score dot --pooler_size 4",
            "--pooler_size has no effect with a --pooler_score that has no",
        ),
        ("--bidirectional false --direction_merge sum", "--direction_merge has no effect beside --no_bidirectional"),
        ("--hidden_dropout_prob 0.1", "--hidden_dropout_prob has no effect with one layer, for it is between layers"),
        ("--num_attention_heads 2", "--num_attention_heads has no effect without --context_layers: add that"),
        ("--context_merge concat", "--context_merge has no effect without attention or transformer or"),
        (
            "--context_layers lsh_attention --intermediate_size 9",
            "--intermediate_size has no effect without transformer or lsh_transformer in --context_layers: add that",
        ),
        (
            "--context_layers transformer --num_hashes 3",
            "--num_hashes has no effect without lsh_attention or lsh_transformer in --context_layers: add that",
        ),
        (
            "--context_layers bogus",
            "--context_layers must be some of attention, transformer, lsh_attention, .*'bogus'",
        ),
        ("--context_layers attention --num_attention_heads 3", "--hidden_size=256 must be a multiple of --num_att"),
        (
            "--context_layers attention --context_causal true",
            "--context_causal is for states that know nothing of what comes: leave it out, or set --bidirectional",
        ),
        (
            "--use_crf true --label_smoothing_factor 0.1",
            "--label_smoothing_factor has no effect beside --use_crf true",
        ),
        ("--locked_dropout true --embedding_dropout 0", "--locked_dropout has no effect without --embedding_dropout"),
        *(
            (f"--token_inputs word --{flag} {value}", f"--{flag.rpartition('--')[2]} has no effect {why}")
            for flag, value, why in (
                ("char_embedding_size", "4", "without char_cnn or char_lstm in --token_inputs"),
                ("char_hidden_size", "4", "without char_cnn or char_lstm in --token_inputs"),
                ("char_dropout", "0.1", "without char_cnn or char_lstm in --token_inputs"),
                ("case_embedding_size", "4", "without case in --token_inputs"),
                ("input_merge", "sum", "with one of --token_inputs: add another"),
                ("word_input_dropout", "0.1", "with one of --token_inputs: add another"),
                ("max_word_length", "9", "with one of --token_inputs: add another"),
                ("word_vectors none --freeze_word_vectors", "true", "without vectors in --token_inputs"),
                ("word_vectors none --max_word_vectors", "9", "without vectors in --token_inputs"),
            )
        ),
        ("--token_inputs word char_lstm --char_kernel_size 3", "--char_kernel_size has no effect without char_cnn in"),
        ("--token_inputs case", "--token_inputs takes word and any of char_cnn, char_lstm, case, vectors, each once"),
        ("--token_inputs word word", "each once, got word word"),
        ("--token_inputs word letters", "each once, got word letters"),
        ("--lowercase true", "case in --token_inputs sees nothing of a text in lower case: add --lowercase false"),
        ("--token_inputs word vectors", "vectors in --token_inputs need --word_vectors: name their files"),
        ("--hidden_size 7", "--hidden_size .* must be even"),
        ("--token_inputs word char_lstm --char_hidden_size 7", "--char_hidden_size is the width of both directions"),
        ("--token_inputs word char_cnn --char_kernel_size 4", "--char_kernel_size must be an odd number"),
        ("--tokenizer_name pieces --vocab_size 90", "--vocab_size has no effect beside --tokenizer_name, which loads"),
        ("--residual true", "--residual needs a layer that is as wide as what it reads"),
        *(
            (f"--{flag} {value}", f"--{flag} must be {words}")
            for flag, value, words in (
                *(
                    ("char_dropout", "1", "at least 0 and below 1"),
                    ("word_input_dropout", "-1", "at least 0 and below 1"),
                ),
                *(("max_word_length", "0", "at least 1"), ("case_embedding_size", "0", "at least 1")),
                *(("max_word_vectors", "0", "at least 1"), ("vocab_size", "3", "at least 6")),
            )
        ),
    ],
)
def test_flags_without_effect_are_refused_before_anything_is_loaded(flags: str, sentence: str) -> None:
    argv = ["--task", "tagging", "--train_file", "missing.conll", "--output_dir", "missing", *flags.split()]
    with pytest.raises(ValueError, match=sentence) as caught:
        run_task(parse_task(argv))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--token_inputs word --lowercase true",
        "--embedding_size 20 --char_hidden_size 10 --hidden_size 40 --residual true",
        "--token_inputs word vectors --word_vectors v.txt --embedding_size 6 --hidden_size 10 --residual true",
        "--use_crf false --label_smoothing_factor 0.1",
        "--label_smoothing_factor 0.1",
        f"{CONTEXT} --pooler_score diagonal_dot --pooler_size 8 --classifier_pooling attention max",
        "--adversarial_epsilon 1 --ema_decay 0.9",
        "--num_hidden_layers 2 --hidden_dropout_prob 0.1",
        "--word_vectors a.txt b.txt --freeze_word_vectors true --max_word_vectors 5",
    ],
)
def test_flags_with_an_effect_pass(flags: str) -> None:
    """As far as the file that does not exist."""
    task = parse_task(
        ["--task", "tagging", "--train_file", "missing.conll", "--output_dir", "missing", *flags.split()]
    )
    with pytest.raises(FileNotFoundError, match=r"There is no file missing\.conll"):
        run_task(task)


def test_the_tables_name_flags_that_exist() -> None:
    data, model, training = TaggedDataArguments(), TaggerArguments(), TaggingArguments("out")
    known = {item.name for kind in (data, model, training) for item in fields(kind)}
    effects = (*_effects(data, model, training), *input_effects(model.token_inputs))
    assert {flag for effect in effects for flag in effect.flags} <= known
    assert set(tagger_fields(model)) <= known and "token_inputs" not in tagger_fields(model)


def test_label_smoothing_reaches_the_model(here: Path) -> None:
    flags = "--use_crf false --label_smoothing_factor 0.25"
    assert Made(*flags.split()).model.config.label_smoothing == 0.25
    assert Made("--use_crf", "false").model.config.label_smoothing == 0


def test_the_defaults_are_those_of_a_tagger() -> None:
    training = parse_task(["--task", "tagging", "--train_file", "x.conll"]).training
    assert training.passes != RunArguments("out").passes and training.unit == "sentences"
    assert training.max_grad_norm == 1 and training.per_device_eval_batch_size == 64
    assert TaggingArguments("out", max_grad_norm=2.0).chosen == {"max_grad_norm"}


def test_spelling_is_known_whatever_is_read(here: Path) -> None:
    """Also of a tagger that reads embeddings alone: which tokens begin a word, the model itself must know."""
    made = Made("--token_inputs", "word")
    assert made.model.attnlstm.embeddings.spelling is not None and made.model.config.num_characters > 0
    unknown = made.tokenizer("Zoran", return_tensors="pt")["input_ids"]
    mask = torch.ones_like(unknown, dtype=torch.bool)
    assert unknown.shape[1] == 5
    assert made.model.attnlstm.embeddings.words(unknown, mask).tagged.tolist() == [[True, *[False] * 4]]


@pytest.mark.parametrize("flag", ["--freeze_word_vectors true", "--max_word_vectors 9"])
def test_flags_of_vectors_that_nobody_has_named_and_the_words_do_not_call_for(flag: str, tmp_path: Path) -> None:
    file = write_columns(tmp_path / "train.conll", sentences(40))
    argv = ["--task", "tagging", "--train_file", str(file), "--output_dir", str(tmp_path / "model"), *flag.split()]
    with pytest.raises(ValueError, match=rf"^{flag.split()[0]} has no effect without vectors in --token_inputs"):
        run_task(parse_task(argv))
    assert not (tmp_path / "model").exists()
