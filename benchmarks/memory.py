"""A process of its own for everything whose peak memory is measured: `python -m benchmarks.memory SPECIFICATION`.

The specification is JSON; so is what is printed.
"""

# ruff: noqa: T201
from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import pipeline
from transformers.utils import logging

from .attention_points import AttentionPoint
from .growth_points import Point
from .machine import peak_memory
from .models import Configuration, ours
from .options import Options
from .timing import NotAvailableError
from .workload import SPECIAL_TOKENS, Workload


STEPS = 3
# Different texts among the many that are streamed, so that making them takes no time.
DISTINCT_TEXTS = 1_024
WARM_UP_TEXTS = 64
_TIME_LIMIT = 3_600


def memory_of(point: Point, options: Options) -> dict[str, int | None]:
    """Bytes before the first step, and at most in training, in a process that does nothing else."""
    return _in_process({"point": asdict(point)}, options)


def memory_of_attention(point: AttentionPoint, options: Options) -> int | None:
    """Bytes by which the peak grows, in a process that does nothing else; None where the system does not tell."""
    found = _in_process({"attention": asdict(point)}, options)
    return None if found["memory"] is None else found["memory"] - found["before"]


def stream_documents(count: int, options: Options) -> dict[str, Any]:
    """Seconds and peak memory of our pipeline over a generator of so many reviews."""
    return _in_process({"documents": count, "words": options.words}, options)


def _in_process(specification: dict[str, Any], options: Options) -> dict[str, Any]:
    specification |= {"threads": options.threads, "seed": options.seed}
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(specification)]
    folder = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=_TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise NotAvailableError(f"its process had not ended after {_TIME_LIMIT} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise NotAvailableError(f"its process ended with {done.returncode}: {lines[-1][:150]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(specification: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for in this very process."""
    logging.set_verbosity_error()
    torch.set_num_threads(specification["threads"])
    torch.manual_seed(specification["seed"])
    if "documents" in specification:
        return _stream(specification["documents"], specification["words"], specification["seed"])
    if "attention" in specification:
        call = AttentionPoint(**specification["attention"]).call(specification["seed"])
        return _steps(call)
    return _train(Point(**specification["point"]), specification["seed"])


def _train(point: Point, seed: int) -> dict[str, Any]:
    candidate = point.candidates(seed)[0]
    prepare, sample = candidate.load(), candidate.workload.sample(point.batch)
    return _steps(prepare(sample))


def _steps(call: Callable[[], object]) -> dict[str, Any]:
    before = peak_memory()
    for _ in range(STEPS):
        call()
    return {"before": before, "memory": peak_memory()}


def _stream(count: int, words: int, seed: int) -> dict[str, Any]:
    workload = Workload("reviews", words, seed)
    model = ours(Configuration(vocab_size=words + len(SPECIAL_TOKENS)))
    make = partial(pipeline, "attention-text-classification", device="cpu")
    classifier = make(model=model, tokenizer=workload.tokenizer())
    texts = workload.sample(min(DISTINCT_TEXTS, count)).texts
    classifier(texts[:WARM_UP_TEXTS])
    before = peak_memory()
    start = time.perf_counter()
    done = sum(1 for _ in classifier(texts[index % len(texts)] for index in range(count)))
    return {"seconds": time.perf_counter() - start, "documents": done, "before": before, "memory": peak_memory()}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
