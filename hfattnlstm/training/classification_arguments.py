"""The flags of a classification: where its texts come from, and which model learns from them."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, fields
from typing import Any, Literal

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from .arguments import flag
from .context_arguments import ContextArguments
from .ngram_choice import LONGEST, MOST
from .word_input_arguments import WordInputArguments, input_fields


# What only a tokenizer that is trained can be told.
NEW_TOKENIZER_FLAGS = ("tokenizer_kind", "vocab_size", "lowercase")
# Of n-grams with embeddings, which a model has from the beginning.
EMBEDDING_NGRAM_FLAGS = ("embedding_ngrams", "embedding_ngram_length", "ngram_dropout")
# Numbers at most, of which a model has as many as the texts give.
AT_MOST_FLAGS = ("embedding_ngrams", "subword_ngrams")
# What is fitted when the training has ended.
FINISHING_FLAGS = ("classifier_ngrams", "classifier_ngram_length", "calibrate")
# Fields of the configuration that follow from flags and texts together.
FROM_THE_TEXTS = frozenset({"class_weights", "vocab_size", "subword_ngrams", *EMBEDDING_NGRAM_FLAGS, *FINISHING_FLAGS})


@dataclass
class DataArguments:
    """Where the texts come from."""

    dataset: str | None = flag(None, "Hub name, folder, or csv, tsv, jsonl or parquet file.")
    dataset_config: str | None = flag(None, "Configuration of the data set, where it has several.")
    train_file: str | None = flag(None, "File with the training texts, in place of dataset.")
    validation_file: str | None = flag(None, "File with the validation texts; held out without.")
    test_file: str | None = flag(None, "File with the test texts.")
    unlabelled_file: str | None = flag(
        None,
        "File with texts without labels, for --vat_epsilon or --teacher; .txt has one a line. A new tokenizer knows "
        "their words, too, which is a part of the gain.",
    )
    teacher: str | None = flag(
        None, "Classifier whose answers the model learns, to --unlabelled_file too; any of transformers'."
    )
    teacher_weight: float = flag(0.5, "Share of its answers in the labels of texts that have some.")
    teacher_file: str | None = flag(
        None, ".npy file in which its answers are kept; _teacher_answers.npy in output_dir without."
    )
    text_column: list[str] | None = flag(
        None, "Column with the texts, or several that are read together; found by its name without."
    )
    label_column: str | None = flag(None, "Column with the labels; found by its name without.")
    rationale_column: str | None = flag(
        None,
        "Column with the words that people have marked as reasons, to which the attention is drawn: a list of "
        "[start, end] in characters, or a 0 or 1 for each word.",
    )
    problem_type: str | None = flag(
        None, "single_label_classification, multi_label_classification or regression; seen from the labels without."
    )
    validation_size: float = flag(0.1, "Share of the training texts held out without one.")
    split_seed: int = flag(42, "Seed of that split alone; --seed is that of the run.")
    max_train_samples: int | None = flag(None, "Train on so many texts only, to try things out.")


@dataclass
class ModelArguments(ContextArguments, WordInputArguments):
    """Which tokenizer and model are trained."""

    model_name_or_path: str | None = flag(
        None, "Model to go on from, such as attnlstm-base-reviews, which comes with the package; a new one without."
    )
    tokenizer_name: str | None = flag(None, "Tokenizer to use; one is trained without.")
    tokenizer_kind: Literal["auto", "word", "open", "wordpiece", "bpe", "unigram", "char"] = flag(
        "auto",
        "Kind of tokenizer trained; auto is word or wordpiece, by held-out texts, or bpe for scripts without spaces; "
        "open, where characters are read, spells the words that it does not know.",
    )
    vocab_size: int = flag(30_000, "Tokens that it has at most.")
    lowercase: bool = flag(True, "Whether it lower-cases.")
    max_length: int | None = flag(None, "Tokens read of a text; 400, or what the tokenizer says.")
    truncation: Literal["head", "tail", "head_tail"] = flag("head_tail", "Which part of a longer text is read.")
    embedding_size: int = flag(128, "Width of the embedding.")
    hidden_size: int = flag(256, "Width of the states, both directions together.")
    num_hidden_layers: int = flag(1, "LSTM layers.")
    bidirectional: bool = flag(True, "Whether the layers also read from the end.")
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = flag("concat", "How two directions become one.")
    residual: bool = flag(False, "Whether a layer's input is added to its output.")
    hidden_dropout_prob: float = flag(0.3, "Dropout between layers, and on what context layers add.")
    embedding_dropout: float = flag(0.3, "Dropout on the embeddings.")
    locked_dropout: bool = flag(True, "Whether it drops the same units at every token.")
    word_dropout: float = flag(0.1, "Share of the tokens left out in training.")
    classifier_pooling: list[str] = flag(["attention", "max"], "Of attention, mean, max, last, sum.")
    pooler_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = flag(
        "additive", "Score of the attention."
    )
    pooler_size: int | None = flag(None, "Inner width of the score; hidden_size without.")
    pooler_num_heads: int = flag(1, "Attention heads.")
    pooler_temperature: float = flag(1.0, "Divides the scores.")
    pooler_normalizer: Literal["softmax", "sparsemax", "entmax15"] = flag("softmax", "Scores to weights.")
    pooler_l2_coef: float = flag(0.0, "Penalty on the squared weights.")
    pooler_entropy_coef: float = flag(0.0, "Penalty on the entropy of the weights.")
    pooler_diversity_coef: float = flag(0.0, "Penalty on heads that look at the same words.")
    classifier_hidden_size: int | None = flag(None, "Width of a hidden layer before the logits.")
    classifier_dropout: float = flag(0.3, "Dropout before the logits.")
    classifier_ngrams: int = flag(MOST, "N-grams at most that have weights beside the LSTM; 0 for none.")
    classifier_ngram_length: int = flag(LONGEST, "Tokens in the longest of them.")
    embedding_ngrams: int = flag(0, "N-grams at most that have embeddings, of those seen five times or more.")
    embedding_ngram_length: int = flag(LONGEST, "Tokens in the longest of them.")
    ngram_dropout: float = flag(0.3, "Dropout on their embeddings.")
    subword_ngrams: int | None = flag(
        None,
        "Character n-grams at most through which tokens that are spelt alike learn from each other; without, 50,000, "
        "but none where texts have more than 3 million tokens.",
    )
    calibrate: bool = flag(True, "Whether probabilities are calibrated on the held-out texts.")
    class_weights: list[str] | None = flag(None, "balanced, or a number for each label in their order.")
    threshold: float = flag(
        0.5, "Of several labels a text, those with a higher probability apply; without, one fitted for each label."
    )
    initializer_range: float = flag(0.1, "Standard deviation of the initial embedding.")


def config_overrides(arguments: ModelArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMConfig`], without those that the texts decide, by name."""
    names = {item.name for item in fields(AttnLSTMConfig)} & {item.name for item in fields(ModelArguments)}
    of_words = {item.name for item in fields(WordInputArguments)}
    values = {name: getattr(arguments, name) for name in names - FROM_THE_TEXTS - of_words}
    values |= input_fields(arguments)
    # A model that is trained further may get others, whatever the flags say of what it reads.
    values |= {name: getattr(arguments, name) for name in ("char_dropout", "word_input_dropout")}
    poolings = values["classifier_pooling"]
    values["classifier_pooling"] = poolings[0] if len(poolings) == 1 else poolings
    return values
