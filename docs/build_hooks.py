"""What mkdocs writes into the pages while it builds the site, so that it is told in one place only.

A line `<!-- help: train -->` becomes what `hfattnlstm train --help` prints, `<!-- commands -->` a section for each
command, and `<!-- fields: AttnLSTMConfig -->` a table of the fields of a configuration with their defaults.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import os
import re
from typing import Any
from unittest import mock


_WIDTH = "80"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marks of a page; mkdocs calls this for each."""
    markdown = re.sub(r"^<!-- commands -->$", lambda _: _all_commands(), markdown, flags=re.MULTILINE)
    markdown = re.sub(r"^<!-- fields: (\w+) -->$", lambda mark: _fields(mark[1]), markdown, flags=re.MULTILINE)
    return re.sub(r"^<!-- help: (.*?) ?-->$", lambda mark: _fenced(*mark[1].split()), markdown, flags=re.MULTILINE)


def help_of(*words: str) -> str:
    """What `hfattnlstm WORDS --help` prints, on a terminal of 80 columns without colours.

    Example:

    ```python
    >>> help_of("export").split()[:3]
    ['usage:', 'hfattnlstm', 'export']
    ```
    """
    main = importlib.import_module("hfattnlstm.commands.main").main
    words = words if any(word.startswith("--help") for word in words) else (*words, "--help")
    terminal = mock.patch.dict(os.environ, {"COLUMNS": _WIDTH, "NO_COLOR": "1"})
    with terminal, contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        main(words)
    return printed.getvalue().strip()


def commands() -> tuple[str, ...]:
    """The names of the commands, those that have commands of their own followed by these."""
    found = []
    for name in importlib.import_module("hfattnlstm.commands.main")._COMMANDS:
        own = importlib.import_module("hfattnlstm.commands.forecast").COMMANDS if name == "forecast" else ()
        found += [name, *(f"{name} {each}" for each in own)]
    return tuple(found)


def _all_commands() -> str:
    return "\n\n".join(f"## hfattnlstm {name}\n\n{_fenced(*name.split())}" for name in commands())


def _fields(name: str) -> str:
    kind = getattr(importlib.import_module("hfattnlstm"), name)
    annotations: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        # Not the fields that every configuration of transformers has.
        annotations |= base.__annotations__ if base.__module__.startswith("hfattnlstm.") else {}
    rows = [
        f"| `{item.name}` | {_code(annotations[item.name])} | {_code(repr(item.default))} |"
        for item in dataclasses.fields(kind)
        if item.name in annotations
    ]
    return "\n".join(["| field | type | default |", "| --- | --- | --- |", *rows])


def _code(text: Any) -> str:
    shown = text.__name__ if isinstance(text, type) else str(text).replace("typing.", "")
    # A bar would end the cell.
    return "`" + shown.replace("|", "\\|") + "`"


def _fenced(*words: str) -> str:
    return f"```text\n{help_of(*words)}\n```"
