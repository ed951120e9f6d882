"""Small random models, a tokenizer for them, and batches with every kind of padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification
from hfattnlstm.modeling.ngrams import NgramEmbedding, NgramIndex, NgramLogits, ngram_numbers


WORDS = ["[PAD]", "[UNK]", "a", "all", "at", "bad", "film", "good", "is", "not", "the"]
# Some that are not ASCII.
LABELS = {0: "schlecht", 1: "gut", 2: "größer"}
TEXTS = ["a good film", "bad bad film", "", "not a good film", "good", "the film is not bad at all"] * 5
# Sizes that no export uses for its example.
SHAPES = [(1, 1), (1, 8), (5, 1), (4, 3), (6, 11)]


def random_model(**options: Any) -> PreTrainedModel:
    """A model whose parameters are all random, biases too, so that none can be overlooked."""
    torch.manual_seed(0)
    config = AttnLSTMConfig(**{"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, **options})
    model = AttnLSTMForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
        for module in model.modules():
            if isinstance(module, NgramIndex):
                fill(module, config.vocab_size)
            elif isinstance(module, NgramLogits):
                module.weight[1:].normal_()
                module.bias.normal_()
            elif isinstance(module, NgramEmbedding):
                module.table.weight[0] = 0
    return model.eval()


def fill(index: NgramIndex, vocab_size: int) -> None:
    """Give rows to n-grams that random texts have."""
    ids = torch.randint(vocab_size, (100, 20))
    numbers = ngram_numbers(ids, torch.ones_like(ids, dtype=torch.bool), index.longest)
    found = numbers[numbers > 0].unique()
    index.numbers.copy_(found[torch.randperm(len(found))[: len(index.numbers)]].sort().values)


def word_tokenizer() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16)


def padded_batches() -> Iterator[dict[str, torch.Tensor]]:
    """Padding on the right, on the left, in holes, and in place of a whole text."""
    generator = torch.Generator().manual_seed(1)
    for batch, length in SHAPES:
        positions, real = torch.arange(length), torch.randint(1, length + 1, (batch, 1), generator=generator)
        holes = torch.rand(batch, length, generator=generator) < 0.6
        empty = holes.clone()
        empty[0] = False
        for mask in (positions < real, positions >= length - real, holes, empty):
            ids = torch.randint(30, (batch, length), generator=generator)
            yield {"input_ids": ids, "attention_mask": mask.long()}


def torch_outputs(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Logits, with attention pooling its weights, and but for a regression the probabilities."""
    explains = "attention" in model.config.poolings
    with torch.no_grad():
        outputs = model(**batch, output_attentions=explains)
    scaled = outputs.logits / model.config.calibration_temperature
    probabilities = {
        "regression": [],
        "single_label_classification": [torch.softmax(scaled, -1)],
        "multi_label_classification": [torch.sigmoid(scaled)],
    }[model.config.resolve_problem_type()]
    weights = [outputs.attentions[-1].squeeze(2)] if explains else []
    return [outputs.logits, *weights, *probabilities]
