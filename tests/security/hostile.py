"""Files as somebody who means harm would write them: what is whole, changed at places that a seed chooses."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from typing import Any


# What stands in the place of a value.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.0, -0.5, 1e308, float("nan"), float("inf")),
    *("", "a", "../../etc/passwd", "/dev/zero", "a" * 100_000, "\x00", "\ufffd", "(a+)+$"),
    *([], {}, [[]], [None], [1] * 10_000, {"a": 1}, [-1], ["a"]),
)
# Fields that others read than those who made the file.
FIELDS = ("__class__", "auto_map", "torch_dtype", "custom_pipelines", "quantization_config", "architectures")
# Lines of code that would be run if anything ran them; the file that they make is looked for.
CODE = "__import__('pathlib').Path('ran').touch()"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be changed in nested objects and arrays."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:5]):
            yield from places(inner, (*path, number))


def changed(value: Any, chooser: random.Random) -> Any:
    """The same with one to three places that hold something else, or are gone."""
    value = json.loads(json.dumps(value))
    for _ in range(chooser.randint(1, 3)):
        path = chooser.choice([*places(value)])
        inner = value
        for key in path[:-1]:
            inner = inner[key] if isinstance(inner, (dict, list)) else {}
        if not isinstance(inner, (dict, list)) or (isinstance(inner, list) and path[-1] >= len(inner)):
            continue
        if chooser.random() < 0.15:
            del inner[path[-1]]
        elif isinstance(inner, dict) and chooser.random() < 0.1:
            inner[chooser.choice((*FIELDS, CODE))] = chooser.choice(VALUES)
        else:
            inner[path[-1]] = chooser.choice((*VALUES, CODE))
    return value


def broken(content: bytes, chooser: random.Random) -> bytes:
    """Bytes that are cut, flipped, repeated, or others."""
    if not content:
        return b"\x00"
    kind, place = chooser.randrange(6), chooser.randrange(len(content))
    if kind == 0:
        return content[:place]
    if kind == 1:
        end = place + chooser.randint(1, 40)
        return content[:place] + content[place:end] * 1_000 + content[end:]
    if kind == 2:
        return content[:place] + bytes(chooser.randrange(256) for _ in range(20)) + content[place + 20 :]
    if kind == 3:
        return content[:place] + b"[" * 100_000 + content[place:]
    if kind == 4:
        return content[:place] + struct.pack("<Q", chooser.choice((2**63, 2**40, 2**31))) + content[place + 8 :]
    one = bytearray(content)
    for _ in range(chooser.randint(1, 30)):
        one[chooser.randrange(len(one))] ^= 1 << chooser.randrange(8)
    return bytes(one)


def harmful(name: str, content: bytes, chooser: random.Random) -> bytes:
    """A file that is changed as its kind can be."""
    if name.endswith(".json") and chooser.random() < 0.8:
        return json.dumps(changed(json.loads(content), chooser)).encode("utf-8", "surrogatepass")
    return broken(content, chooser)
