"""Names of the candidates, and the ratios between them that are to be reached on two cores."""

from __future__ import annotations

from dataclasses import dataclass


GROUPED = "hfattnlstm, length-grouped"
GROUPED_BF16 = "hfattnlstm, length-grouped, bf16"
RANDOM = "hfattnlstm, random order"
PACKED = "packed nn.LSTM, random order"
PACKED_GROUPED = "packed nn.LSTM, length-grouped"
NAIVE = "naive nn.LSTM, all padded"
TRAINER = "AttnLSTMTrainer"
BARE_LOOP = "bare loop of the same steps"
PIPELINE = "hfattnlstm pipeline"
STOCK_PIPELINE = "hfattnlstm in the stock pipeline, one text at a time"
DISTILBERT = "DistilBERT-base"
MINILM = "MiniLM-L6"
ONNX_FP32 = "ONNX Runtime fp32, length-grouped"
ONNX_INT8 = "ONNX Runtime int8, length-grouped"
ONNX_FP32_PIPELINE = "hfattnlstm pipeline on ONNX Runtime, fp32"
ONNX_INT8_PIPELINE = "hfattnlstm pipeline on ONNX Runtime, int8"
FLAIR = "flair TextClassifier"
KERAS = "Keras BiLSTM with attention"
FASTTEXT = "fastText"
SPACY_BOW = "spaCy textcat, bag of words"
SPACY = "spaCy textcat, default"
TFIDF = "TF-IDF and logistic regression"
PLAIN_PREDICTION = "prediction without weights"
TRANSFORMERS_INTERPRET = "transformers-interpret, integrated gradients"
FORECASTER = "hfattnlstm Forecaster"
TAGGER, TAGGER_POS, TAGGER_ONNX = "hfattnlstm tagger", "hfattnlstm tagger, no CRF", "hfattnlstm tagger, ONNX"
SPACY_TAGGER, FLAIR_TAGGER = "spaCy tagger", "flair LSTM-CRF"
WRITER, MARIAN, MARIAN_SMALL = "hfattnlstm writer", "MarianMT, 6 layers", "MarianMT, 3 layers of 256"
OUR_CRF, PYTORCH_CRF = "hfattnlstm CRF", "pytorch-crf"
NEURALFORECAST_LSTM = "neuralforecast LSTM"
NEURALFORECAST_NLINEAR = "neuralforecast NLinear"
VOCABULARY_20K, VOCABULARY_200K = "vocabulary 20,000", "vocabulary 200,000"
LENGTH_100, LENGTH_2000 = "length 100", "length 2,000"


@dataclass(frozen=True)
class Target:
    """A ratio to be reached.

    Attributes:
        table: The table that measures it.
        what: The ratio in words.
        fast: The candidate, and
        slow: what it is compared with: the ratio is the time of `slow` over that of `fast`.
        bound: What the ratio must be.
        at_least: Whether it must be at least that, or at most.
    """

    table: str
    what: str
    fast: str
    slow: str
    bound: float
    at_least: bool = True

    def verdict(self, ratio: float) -> str:
        """`"met"`, or by how much the ratio misses the bound.

        Example:

        ```python
        >>> Target("limit", "a / b", "a", "b", bound=2.0).verdict(1.5)
        'missed by 25 %'
        ```
        """
        share = ratio / self.bound if self.at_least else self.bound / ratio
        return "met" if share >= 1 else f"missed by {100 * (1 - share):.0f} %"


def explained(method: str) -> str:
    """The name of a method of explanation in the tables."""
    return f"explain, {method}"


TARGETS = (
    Target("training-step", "training step, fp32, length-grouped / packed random", GROUPED, PACKED, 6.5),
    Target("training-step", "training step, bf16 autocast / packed random fp32", GROUPED_BF16, PACKED, 10),
    Target("trainer-run", "a whole Trainer run / the bare loop of the same steps", TRAINER, BARE_LOOP, 0.9),
    Target("inference", "model alone, fp32, length-grouped / packed random", GROUPED, PACKED, 2.4),
    Target("inference", "model alone, bf16 weights / packed random fp32", GROUPED_BF16, PACKED, 4),
    Target("inference", "ONNX Runtime int8 / fp32, length-grouped", ONNX_INT8, ONNX_FP32, 1.6),
    Target("pipeline", "text to result, our pipeline / DistilBERT stock pipeline", PIPELINE, DISTILBERT, 150),
    Target("pipeline", "text to result, our pipeline / our model in the stock one", PIPELINE, STOCK_PIPELINE, 3),
    Target("latency", "latency of one review, p50, DistilBERT / ours", PIPELINE, DISTILBERT, 30),
    Target("explain", "attention / a prediction without weights", explained("attention"), PLAIN_PREDICTION, 0.91),
    Target(
        "explain",
        "attention times gradient / a prediction without weights",
        explained("attention_x_gradient"),
        PLAIN_PREDICTION,
        0.25,
    ),
    Target("growth", "step time, vocabulary 200k / 20k", VOCABULARY_20K, VOCABULARY_200K, 1.3, at_least=False),
    Target("growth", "step time a token, length 2,000 / 100", LENGTH_100, LENGTH_2000, 1.3, at_least=False),
)


def targets_of(table: str) -> list[Target]:
    """The targets that a table measures."""
    return [target for target in TARGETS if target.table == table]
