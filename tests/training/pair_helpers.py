"""Pairs of which the second is the first from its end, and writers of them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch

from hfattnlstm import AttnLSTMForConditionalGeneration, AttnLSTMSeq2SeqConfig, PairProcessor, train_pair_tokenizer
from hfattnlstm.training import TaskRun, parse_task, run_task


WORDS = ["ant", "bee", "cat", "dog", "elk", "fox"]
SMALL = (
    *("--embedding_size", "16", "--hidden_size", "32", "--tokenizer_kind", "word", "--disable_tqdm", "true"),
    *("--use_cpu", "--report_to", "none", "--bf16", "false"),
)
# As much as reversing takes.
LEARNT = (
    *("--lr", "0.01", "--epochs", "20", "--batch_size", "32", "--ema_decay", "0", "--label_smoothing_factor", "0"),
    *("--embedding_dropout", "0", "--readout_dropout", "0", "--hidden_dropout_prob", "0"),
)


def reversed_pairs(count: int, seed: int = 0, longest: int = 4) -> list[tuple[str, str]]:
    """Different texts of some words, and the same words from the end."""
    chooser, found = random.Random(seed), {}
    while len(found) < count:
        words = [chooser.choice(WORDS) for _ in range(chooser.randint(2, longest))]
        found[" ".join(words)] = " ".join(reversed(words))
    return list(found.items())


def write_pairs(path: Path, pairs: list[tuple[str, str]]) -> str:
    path.write_text("".join(f"{one}\t{two}\n" for one, two in [("source", "target"), *pairs]), encoding="utf-8")
    return str(path)


def run(folder: Path, *flags: Any) -> TaskRun:
    return run_task(parse_task(["--task", "seq2seq", "--output_dir", str(folder), *SMALL, *map(str, flags)]))


def save_writer(folder: Path, texts: list[str] = WORDS, joint: bool = True, **options: Any) -> str:
    """An untrained writer with its tokenizers."""
    tokenizer = train_pair_tokenizer(texts, kind="word", min_frequency=1)
    target = None if joint else train_pair_tokenizer([*texts, "gnu"], kind="word", min_frequency=1)
    processor = PairProcessor(tokenizer, target)
    torch.manual_seed(0)
    sizes = {"vocab_size": len(tokenizer), "decoder_vocab_size": None if joint else len(target)}
    config = AttnLSTMSeq2SeqConfig(**sizes, embedding_size=8, hidden_size=12, **options)
    model = AttnLSTMForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    model.generation_config.update(max_length=9, num_beams=2, suppress_tokens=[1])
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)
