"""Another vocabulary for a model: the tokens that it knows keep their embeddings."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase


_ROLES = ("pad_token_id", "unk_token_id", "cls_token_id", "sep_token_id", "mask_token_id")


class CarriedOver(NamedTuple):
    """How much of a new vocabulary was known.

    Attributes:
        known: Tokens whose embeddings were copied.
        total: Tokens of the new vocabulary.
    """

    known: int
    total: int


def same_tokens(first: PreTrainedTokenizerBase, second: PreTrainedTokenizerBase) -> bool:
    """Whether two tokenizers give every token the same id.

    Example:

    ```python
    >>> same_tokens(tokenizer, tokenizer)
    True
    ```
    """
    return first.get_vocab() == second.get_vocab()


@torch.no_grad()
def carry_over(model: PreTrainedModel, old: PreTrainedTokenizerBase, new: PreTrainedTokenizerBase) -> CarriedOver:
    """Give a model the vocabulary of another tokenizer.

    A token of both keeps its embedding, and so do padding, the unknown token and the separator, whatever they are
    called. The others start at random, where the embeddings of the known ones lie.

    Args:
        model: Changed in place, its configuration too.
        old: What it was trained with.
        new: What it is to be trained with from now on.

    Raises:
        ValueError: For a model with n-grams, which are those of its own tokens, or none of whose tokens is in the new
            vocabulary.

    Example:

    ```python
    >>> carry_over(model, tokenizer, train_tokenizer(["Not bad at all.", "Bad"], min_frequency=1))
    CarriedOver(known=..., total=...)
    ```
    """
    if model.config.embedding_ngrams or model.config.classifier_ngrams:
        raise ValueError(
            "The model has n-grams of its own tokens, which another vocabulary has not: keep its tokenizer, or begin "
            "with a model without them."
        )
    model.base_model.fold_subwords()
    before = model.get_input_embeddings().weight.detach()
    source = _sources(old, new)
    known = source >= 0
    if not known[[token for token in range(len(new)) if token not in new.all_special_ids]].any():
        raise ValueError(
            "The model and the new tokenizer have no word in common: keep the model's own tokenizer, or begin with a "
            "new model."
        )
    rows = before[source[known]]
    weight = rows.mean(0) + rows.std(0) * torch.randn(len(new), before.shape[1]).to(before)
    weight[known] = rows
    if new.pad_token_id is not None:
        weight[new.pad_token_id] = 0
    embedding = torch.nn.Embedding(len(new), before.shape[1], padding_idx=new.pad_token_id, _weight=weight)
    model.set_input_embeddings(embedding)
    model.config.vocab_size, model.config.pad_token_id = len(new), new.pad_token_id
    return CarriedOver(int(known.sum()), len(new))


def _sources(old: PreTrainedTokenizerBase, new: PreTrainedTokenizerBase) -> Tensor:
    """The id in the old vocabulary of each token of the new one, -1 for those that are new; (tokens,)."""
    source, vocabulary = torch.full((len(new),), -1), old.get_vocab()
    normalizer = old.backend_tokenizer.normalizer
    for token, index in new.get_vocab().items():
        spelt = token if token in vocabulary or normalizer is None else normalizer.normalize_str(token)
        source[index] = vocabulary.get(spelt, -1)
    for role in _ROLES:
        own, other = getattr(new, role), getattr(old, role)
        if own is not None:
            source[own] = -1 if other is None else other
    return source
