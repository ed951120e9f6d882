"""What mkdocs writes into the pages while it builds the site: the help of each command, from its parser.

A line `<!-- help: train -->` becomes what `hfattnlstm train --help` prints, and `<!-- commands -->` a section for each
command.
"""

from __future__ import annotations

import contextlib
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
    """The names of the commands."""
    return tuple(importlib.import_module("hfattnlstm.commands.main")._COMMANDS)


def _all_commands() -> str:
    return "\n\n".join(f"## hfattnlstm {name}\n\n{_fenced(name)}" for name in commands())


def _fenced(*words: str) -> str:
    return f"```text\n{help_of(*words)}\n```"
