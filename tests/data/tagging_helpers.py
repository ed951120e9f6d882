"""Small sentences with tags, and files of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hfattnlstm.data.tagged_texts import TaggedTexts
from hfattnlstm.data.tags import TaggedSentence


def sentence(*tags: str, place: str = "The file a.conll", lines: Iterable[int] = ()) -> TaggedSentence:
    return TaggedSentence([f"w{number}" for number in range(len(tags))], list(tags), place, tuple(lines))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_json_lines(path: Path, rows: Iterable[Any]) -> Path:
    return write(path, "".join(f"{json.dumps(row)}\n" for row in rows))


def named_tags(loaded: TaggedTexts, split: str = "train") -> list[list[str]]:
    names = loaded.splits[split].features["tags"].feature.names
    return [[names[tag] for tag in row] for row in loaded.splits[split]["tags"]]


def vectors_file(vectors: dict[str, list[float]]) -> bytes:
    return "".join(f"{word} {' '.join(map(str, vector))}\n" for word, vector in vectors.items()).encode()


def binary_vectors(vectors: dict[str, list[float]]) -> bytes:
    head = f"{len(vectors)} {len(next(iter(vectors.values())))}\n".encode()
    return head + b"".join(
        word.encode() + b" " + np.array(vector, "<f4").tobytes() + b"\n" for word, vector in vectors.items()
    )
