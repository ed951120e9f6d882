"""Small files of words with tags, made by a seeded script, and runs that are trained on them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from hfattnlstm.data.tags import tags_of_spans
from hfattnlstm.training import TaskRun, parse_task, run_task


Sentence = tuple[list[str], list[str]]

FIRST, LAST = ["Anna", "Boris", "Carla", "David"], ["Berg", "Costa", "Duval"]
PLACES = [["Hamburg"], ["Lima"], ["New", "York"], ["Porto"]]
VERBS, PLACE_VERBS = ["met", "saw", "called"], ["visited", "left"]
KINDS = {"verb": VERBS + PLACE_VERBS, "name": [*FIRST, *LAST, *(word for place in PLACES for word in place)]}
# The states are wide enough, and no longer a training is needed.
SMALL = (
    *("--embedding_size", "16", "--hidden_size", "24", "--lr", "0.02", "--batch_size", "16", "--use_cpu"),
    *("--disable_tqdm", "true", "--report_to", "none", "--char_hidden_size", "8", "--char_embedding_size", "8"),
)
# What reads no characters.
PLAIN = (*SMALL[:-4], "--token_inputs", "word")


def sentences(count: int, seed: int = 0, scheme: str = "bio") -> list[Sentence]:
    """People (PER) of one word or two that meet each other or visit places (LOC)."""
    chooser = random.Random(seed)
    made = []
    for _ in range(count):
        words: list[str] = []
        spans: list[tuple[int, int, str]] = []

        def add(kind: str, own: Sequence[str], words: list[str] = words, spans: list = spans) -> None:
            spans.append((len(words), len(words) + len(own), kind))
            words.extend(own)

        if chooser.random() < 0.4:
            words += chooser.choice([["yesterday"], ["that", "day"]])
        add("PER", [chooser.choice(FIRST), *([chooser.choice(LAST)] if chooser.random() < 0.5 else [])])
        if chooser.random() < 0.5:
            words.append(chooser.choice(VERBS))
            add("PER", [chooser.choice(FIRST)])
        else:
            words.append(chooser.choice(PLACE_VERBS))
            add("LOC", chooser.choice(PLACES))
        words.append(".")
        made.append((words, tags_of_spans(spans, len(words), scheme)))
    return made


def parts_of_speech(count: int, seed: int = 0) -> list[Sentence]:
    """The same with the kind of each word."""
    kind_of = {word: kind for kind, words in KINDS.items() for word in words}
    return [(words, [kind_of.get(word, "rest") for word in words]) for words, _ in sentences(count, seed)]


def write_columns(path: Path, rows: Iterable[Sentence]) -> Path:
    text = "".join("".join(f"{word}\t{tag}\n" for word, tag in zip(*row)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def write_json_rows(path: Path, rows: Iterable[Sentence]) -> Path:
    lines = (json.dumps({"tokens": words, "ner_tags": tags}) + "\n" for words, tags in rows)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def write_vectors(path: Path, words: Iterable[str], size: int = 4, seed: int = 0) -> Path:
    chooser = random.Random(seed)
    lines = (f"{word} {' '.join(f'{chooser.gauss(0, 1):.4f}' for _ in range(size))}\n" for word in words)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def run(folder: Path, train_file: Path, *flags: str, small: Sequence[str] = SMALL) -> TaskRun:
    words = ["--task", "tagging", "--train_file", str(train_file), "--output_dir", str(folder), *small, *flags]
    return run_task(parse_task(words))


def tagged_words(rows: Iterable[Sentence]) -> int:
    return sum(len(words) for words, _ in rows)
