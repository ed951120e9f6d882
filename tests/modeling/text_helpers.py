"""Tokenizers of every kind, and what they make of a whole text."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

from tokenizers import Encoding, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
PAD, UNK, CLS, SEP = range(4)
TRAINED_ON = "not so good as it was when all the people of this street were young and nobody understood anything"
WORDS = TRAINED_ON.split()
KINDS = ("word", "wordpiece", "bpe", "unigram")
TRUNCATIONS = ("head", "tail", "head_tail")


def word_level() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _train(tokenizer, trainers.WordLevelTrainer(special_tokens=SPECIAL, show_progress=False))


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _train(tokenizer, trainers.WordPieceTrainer(vocab_size=60, special_tokens=SPECIAL, show_progress=False))


def byte_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    return _train(tokenizer, trainer)


def unigram() -> Tokenizer:
    vocabulary = [(token, 0.0) for token in SPECIAL] + [("▁", -3.0), ("▁s", -4.0), ("oo", -4.0), ("th", -4.5)]
    vocabulary += [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    return tokenizer


def _train(tokenizer: Tokenizer, trainer: trainers.Trainer) -> Tokenizer:
    tokenizer.train_from_iterator([TRAINED_ON] * 3, trainer)
    return tokenizer


BACKENDS: dict[str, Callable[[], Tokenizer]] = {
    "word": word_level,
    "wordpiece": word_piece,
    "bpe": byte_bpe,
    "unigram": unigram,
}


def fast(backend: Tokenizer, special: bool = False, model_max_length: int | None = 512) -> PreTrainedTokenizerFast:
    if special:
        template = [("[CLS]", CLS), ("[SEP]", SEP)]
        backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=template)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=model_max_length
    )


def whole(tokenizer: PreTrainedTokenizerFast, text: str) -> Encoding:
    """The text without special tokens and without a cut."""
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.no_truncation()
    return backend.encode(text, add_special_tokens=False)


def cut(values: list, room: int, truncation: str) -> list:
    """What the three truncations mean."""
    if len(values) <= room:
        return values
    head = {"head": room, "tail": 0, "head_tail": room // 4}[truncation]
    return values[:head] + values[len(values) - (room - head) :]


def sentence(words: int) -> str:
    return " ".join(random.Random(0).choices(WORDS, k=words))
