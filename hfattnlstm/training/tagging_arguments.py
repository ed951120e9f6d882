"""The flags of a tagger: where its words come from, and which model tags them."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_words import VECTORS
from .arguments import Passes, RunArguments, flag
from .context_arguments import ContextArguments
from .word_input_arguments import WordInputArguments


# What stands for no vectors at all.
NO_VECTORS = "none"
# Fields of the configuration that follow from flags and words together.
_FROM_THE_WORDS = frozenset({"vocab_size", "subword_ngrams", "embedding_ngrams", "use_crf", "tagging_scheme"})


@dataclass
class TaggedDataArguments:
    """Where the words with their tags come from."""

    dataset: str | None = flag(None, "Hub name, folder, or file, in place of train_file.")
    dataset_config: str | None = flag(None, "Configuration of the data set, where it has several.")
    train_file: str | None = flag(
        None, "File with the training sentences: .conll, .conllu, .bio or .txt with a word a line, jsonl or parquet."
    )
    validation_file: str | None = flag(None, "File with the validation sentences; some are held out without.")
    test_file: str | None = flag(None, "File for the test metrics.")
    tokens_column: str | None = flag(None, "Column with the lists of words; found by its name without.")
    label_column: str | None = flag(
        None, "Column with the tags, or with the spans of a text; found by its name without. Of a .conll its number."
    )
    tag_names: list[str] | None = flag(None, "Names of the tags in order, where the data have numbers only.")
    tagging_scheme: Literal["bio", "iob1", "iobes", "io"] | None = flag(
        None, "How the tags of the data mark spans; seen from them without."
    )
    validation_size: float = flag(0.1, "Share of the training sentences held out without one.")
    split_seed: int = flag(42, "Seed of that split alone; --seed is that of the run.")
    max_train_samples: int | None = flag(None, "Train on so many sentences only, to try things out.")


@dataclass
class TaggerArguments(ContextArguments, WordInputArguments):
    """Which tokenizer and tagger are trained."""

    model_name_or_path: str | None = flag(
        None, "Tagger to go on from, or a pretrained model to begin with, such as attnlstm-base-reviews."
    )
    tokenizer_name: str | None = flag(None, "Tokenizer to use, perhaps of pieces of words; one is trained without.")
    tokenizer_kind: Literal["open", "word", "wordpiece", "bpe", "unigram", "char"] = flag(
        "open", "Kind of tokenizer trained; open has frequent words, and spells the others."
    )
    vocab_size: int = flag(50_000, "Tokens that it has at most.")
    lowercase: bool = flag(False, "Whether upper and lower case are the same.")
    max_length: int | None = flag(None, "Tokens read at once; 512. Longer sentences are read in parts that overlap.")
    token_inputs: list[str] = flag(
        ["word", "char_cnn", "case"],
        "What is read of a word: word, its embedding, and any of char_cnn and char_lstm, its characters, and case, "
        "how it is written; and the vectors of --word_vectors.",
    )
    word_vectors: list[str] | None = flag(
        None,
        "GloVe or word2vec files, or models, whose vectors are read of words, also of those that are no tokens; "
        "without, those of attnlstm-base-reviews for English words; none leaves them out.",
    )
    char_hidden_size: int = flag(150, "Filters over the characters, or width of the states of both directions.")
    char_kernel_size: int = flag(5, "Characters that a filter sees.")
    embedding_size: int = flag(100, "Width of the embedding of a word.")
    hidden_size: int = flag(256, "Width of the states, both directions together.")
    num_hidden_layers: int = flag(1, "LSTM layers.")
    bidirectional: bool = flag(True, "Whether the layers also read from the end.")
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = flag("concat", "How two directions become one.")
    residual: bool = flag(False, "Whether a layer's input is added to its output.")
    hidden_dropout_prob: float = flag(0.3, "Dropout between layers, and on what context layers add.")
    embedding_dropout: float = flag(0.3, "Dropout on what is read of a word.")
    locked_dropout: bool = flag(True, "Whether it drops the same units at every word.")
    word_dropout: float = flag(0.0, "Share of the words left out in training.")
    use_crf: bool | None = flag(
        None, "Whether the best sequence of tags is found, not each tag by itself; without, for tags of spans."
    )
    crf_scheme: Literal["bio", "iobes"] = flag("bio", "How the model marks spans.")
    sentence_context: bool = flag(False, "Whether each word is tagged by the pooled states of its sentence, too.")
    classifier_pooling: list[str] = flag(["attention"], "How they are pooled: of attention, mean, max, last, sum.")
    pooler_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = flag(
        "additive", "Score of the attention."
    )
    pooler_size: int | None = flag(None, "Inner width of the score; hidden_size without.")
    pooler_num_heads: int = flag(1, "Attention heads.")
    pooler_temperature: float = flag(1.0, "Divides the scores.")
    pooler_normalizer: Literal["softmax", "sparsemax", "entmax15"] = flag("softmax", "Scores to weights.")
    classifier_hidden_size: int | None = flag(None, "Width of a hidden layer before the tags.")
    classifier_dropout: float = flag(0.3, "Dropout before the tags.")
    initializer_range: float = flag(0.1, "Standard deviation of the initial embedding.")

    @property
    def reads_vectors(self) -> bool:
        """Whether somebody has named vectors."""
        return self.word_vectors not in (None, [NO_VECTORS])

    def __post_init__(self) -> None:
        if self.reads_vectors and VECTORS not in self.token_inputs:
            self.token_inputs = [*self.token_inputs, VECTORS]


@dataclass
class TaggingArguments(RunArguments):
    """The flags of the run, with the defaults of a tagger."""

    num_train_epochs: float | None = flag(
        None, "Passes over the training sentences; without, as many as give 4,000 updates, but 8 to 40.", "epochs"
    )
    learning_rate: float = flag(2e-3, "Highest learning rate.", "lr")
    per_device_train_batch_size: int = flag(32, "Sentences in a training batch of one process.", "batch_size")
    per_device_eval_batch_size: int = flag(64, "Sentences in an evaluation batch of one process.")
    max_grad_norm: float = flag(1.0, "Norm that the gradients have at most.")

    unit: ClassVar[str] = "sentences"
    passes: ClassVar[tuple[Passes, ...]] = (Passes(4_000, 8, 40),) * 3


def tagger_fields(arguments: TaggerArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMConfig`], by name, but for what the words decide, and their inputs."""
    names = {item.name for item in fields(AttnLSTMConfig)} & {item.name for item in fields(TaggerArguments)}
    of_words = {item.name for item in fields(WordInputArguments)}
    return {name: getattr(arguments, name) for name in names - _FROM_THE_WORDS - of_words}
