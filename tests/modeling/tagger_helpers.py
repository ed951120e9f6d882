"""Tiny taggers, and what their words are, found by loops over single tokens."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from modeling_helpers import ids_of, mask_of, tiny_model
from torch import Tensor, nn

from hfattnlstm import AttnLSTMForTokenClassification
from hfattnlstm.modeling.crf import LinearChainCRF
from hfattnlstm.modeling.spelling import DIGIT, LOWER, OTHER, PIECE, SPECIAL, SPELLS, UPPER, WORD
from hfattnlstm.modeling.tag_schemes import allowed_tags
from hfattnlstm.modeling.word_inputs import WordVectors, word_numbers


IGNORED = -100
TAGS = {
    None: ["noun", "verb", "other"],
    "bio": ["O", "B-A", "I-A", "B-B", "I-B"],
    "iob1": ["O", "I-A", "B-A", "I-B", "B-B"],
    "iobes": ["O", "S-A", "B-A", "I-A", "E-A"],
}
BIO = {"id2label": dict(enumerate(TAGS["bio"])), "tagging_scheme": "bio"}

# What each of the 30 tokens of a tiny model is, and how it is spelt. Characters: 1 to 4 in lower case, 5 to 8 the same
# in upper case, 9 and 10 digits, 11 another.
NUM_CHARACTERS, LONGEST = 12, 5
KINDS = [0, *[LOWER] * 4, *[UPPER] * 4, *[DIGIT] * 2, OTHER]
LOWER_OF = [0, 1, 2, 3, 4, 1, 2, 3, 4, 9, 10, 11]
ROLES = [SPECIAL, WORD, SPECIAL, *[WORD] * 15, *[SPELLS] * 8, *[PIECE] * 4]
SPELT: list[list[int]] = [
    *([], [], []),
    *(
        [1],
        [5, 2, 3],
        [5, 6, 7],
        [1, 2, 3],
        [9, 9],
        [11],
        [4, 4, 1, 2, 3],
        [8, 4, 9],
        [2, 1],
        [6],
        [10, 11, 1],
        [3, 8],
    ),
    *([4], [1, 11], [7, 7]),
    *([1], [2], [3], [4], [5], [9], [11], [8]),
    *([1, 2], [3], [9, 10], [4, 4, 4]),
]
# Words in lower case that have vectors; the fourth has no token of its own.
LISTED = [[1, 2, 3], [2, 1], [9, 9], [1, 1, 4], [3, 4]]

SPELLING = {"num_characters": NUM_CHARACTERS, "max_word_length": LONGEST}
SIZES = {"char_embedding_size": 4, "char_hidden_size": 6}
VECTORS = {"vector_sizes": [3, 2], "vector_rows": [5, 3]}
EVERYTHING: dict[str, Any] = {
    **SPELLING,
    **SIZES,
    **VECTORS,
    "token_inputs": ["word", "char_cnn", "char_lstm", "case", "vectors"],
    "case_embedding_size": 3,
}
# Together these have every input and every way to merge them.
INPUTS: dict[str, dict[str, Any]] = {
    "word": {},
    "spelt words without more": {**SPELLING},
    "char_cnn": {**SPELLING, **SIZES, "token_inputs": ["word", "char_cnn"], "char_kernel_size": 5},
    "char_lstm": {**SPELLING, **SIZES, "token_inputs": ["word", "char_lstm"]},
    "case": {**SPELLING, "token_inputs": ["word", "case"]},
    "vectors": {**SPELLING, **VECTORS, "token_inputs": ["word", "vectors"]},
    **{f"everything, {merge}": {**EVERYTHING, "input_merge": merge} for merge in ("concat", "sum", "gated")},
    "everything, attention": {**EVERYTHING, "input_merge": "attention"},
}
# Together these have every head and every input.
TAGGERS: dict[str, dict[str, Any]] = {
    "plain": {"num_labels": 3},
    "crf": {**BIO, "use_crf": True, "num_hidden_layers": 2},
    "context": {**BIO, "sentence_context": True, "pooler_num_heads": 2, "classifier_hidden_size": 5},
    "self-attention": {
        **BIO,
        "use_crf": True,
        "context_layers": ["attention", "lsh_transformer"],
        "lsh_attn_chunk_length": 2,
    },
    "spelt, crf": {**BIO, **INPUTS["everything, concat"], "use_crf": True},
    "spelt, context": {**BIO, **INPUTS["everything, attention"], "sentence_context": True, "use_crf": True},
    "spelt": {**BIO, **INPUTS["everything, gated"]},
}


def tables(longest: int = LONGEST) -> dict[str, Tensor]:
    """What `set_spelling` takes."""
    characters = torch.zeros(len(SPELT), longest, dtype=torch.int32)
    for row, spelt in zip(characters, SPELT):
        row[: min(len(spelt), longest)] = torch.tensor(spelt[:longest])
    return {
        "characters": characters,
        "roles": torch.tensor(ROLES, dtype=torch.int8),
        "kinds": torch.tensor(KINDS, dtype=torch.int8),
        "lower": torch.tensor(LOWER_OF, dtype=torch.int32),
    }


def numbers_of(words: Sequence[list[int]]) -> Tensor:
    padded = torch.zeros(len(words), 8, dtype=torch.long)
    for row, word in zip(padded, words):
        row[: len(word)] = torch.tensor(word)
    return word_numbers(padded).sort().values


def with_rows_of_padding(model: nn.Module) -> nn.Module:
    """Rows that stand for nothing are zeros, as they are in every model that was not filled with random numbers."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0
    return model


def prepared(model: nn.Module) -> nn.Module:
    """A model with, if it can have them, spelling and lists of vectors."""
    with_rows_of_padding(model)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, WordVectors):
                module.index.numbers.copy_(numbers_of(LISTED[: len(module.index.numbers)]))
    if model.config.num_characters:
        model.base_model.set_spelling(**tables(model.config.max_word_length))
    return model


def tiny_tagger(model_class: type = AttnLSTMForTokenClassification, **options: Any) -> nn.Module:
    return prepared(tiny_model(model_class, **options))


def tagged_batch(kind: str, tags: int = 3) -> dict[str, Tensor]:
    """Ids, mask and labels, of which some are left out, all those under the mask too."""
    mask = mask_of(kind)
    labels = torch.randint(0, tags, mask.shape)
    labels[(torch.rand(mask.shape) < 0.2) | ~mask] = IGNORED
    return {"input_ids": ids_of(mask), "attention_mask": mask, "labels": labels}


def spelt_words(ids: Sequence[int], mask: Sequence[bool], longest: int = LONGEST) -> dict[int, list[int]]:
    """The characters of each token of a row that is read, by its place."""
    read: dict[int, list[int]] = {}
    here = None
    for place, (token, real) in enumerate(zip(ids, mask)):
        if not real:
            continue
        if here is None or ROLES[token] != SPELLS:
            here = place
            read[here] = []
        read[here] += SPELT[token]
    return {place: characters[:longest] for place, characters in read.items()}


def places_of_words(ids: Sequence[int], mask: Sequence[bool]) -> list[int]:
    """Where the words of a row begin."""
    real = [place for place, kept in enumerate(mask) if kept]
    return [
        place for place in real if ROLES[ids[place]] == WORD or (place == real[0] and ROLES[ids[place]] != SPECIAL)
    ]


def random_crf(scheme: str | None, scale: float = 1.0) -> LinearChainCRF:
    crf = LinearChainCRF(len(TAGS[scheme]), allowed_tags(TAGS[scheme], scheme)).double()
    with torch.no_grad():
        for weight in crf.parameters():
            weight.normal_(0, scale)
    return crf


def all_sequences(crf: LinearChainCRF, emissions: Tensor) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every sequence of tags of one chain (members, tags) that is allowed, with its score."""
    own, follow = emissions.tolist(), crf.transitions.tolist()
    start, end = crf.start.tolist(), crf.end.tolist()
    for tags in itertools.product(range(len(start)), repeat=len(own)):
        if not tags:
            yield tags, 0.0
            continue
        pairs = list(itertools.pairwise(tags))
        if not (crf.may_begin[tags[0]] and crf.may_end[tags[-1]] and all(crf.may_follow[pair] for pair in pairs)):
            continue
        score = sum(own[place][tag] for place, tag in enumerate(tags)) + sum(follow[one][two] for one, two in pairs)
        yield tags, score + start[tags[0]] + end[tags[-1]]


def log_probabilities(crf: LinearChainCRF, emissions: Tensor) -> dict[tuple[int, ...], float]:
    """Of every allowed sequence of one chain, the most probable first."""
    scores = dict(sorted(all_sequences(crf, emissions), key=lambda each: -each[1]))
    highest = max(scores.values())
    total = highest + math.log(sum(math.exp(score - highest) for score in scores.values()))
    return {tags: score - total for tags, score in scores.items()}


def log_marginals(crf: LinearChainCRF, emissions: Tensor) -> np.ndarray:
    """(members, tags), by adding up all sequences."""
    found = np.zeros(tuple(emissions.shape))
    for tags, log in log_probabilities(crf, emissions).items():
        for place, tag in enumerate(tags):
            found[place, tag] += math.exp(log)
    with np.errstate(divide="ignore"):
        return np.log(found)


def spelling_tables_of(model: nn.Module) -> dict[str, list]:
    return {name: table.tolist() for name, table in model.base_model.embeddings.spelling.named_buffers()}
