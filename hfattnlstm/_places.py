"""Where a model or a tokenizer is loaded from, a folder or the Hub, and what is said where that fails."""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import os
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from ._errors import causes_of
from ._released import released_folder, released_models


_MARKER = "config.json"
# What is read of a folder, in the order in which damage is looked for.
_READ = (
    *(_MARKER, "generation_config.json", "*.safetensors.index.json", "*.safetensors"),
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "preprocessor_config.json"),
)
# What the name of a repository looks like, with or without its owner.
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_LONGEST_REASON = 300
_TOKENIZER = "tokenizer.json"
# A number of nine digits or more behind a name; that quote is not one of those in a token.
_HUGE = re.compile(rb'(?<!\\)"\s*:\s*(\d{9,})')


@contextlib.contextmanager
def loading_from(name: str | os.PathLike[str], what: str = "model") -> Iterator[str]:
    """Load something from a folder or from the Hub; whatever goes wrong is one sentence, which names what to mend.

    A path is never looked for on the Hub: what begins with `/`, `.` or `~`, and what has more than one `/`. A model
    that comes with the package is found by its name, unless there is a folder of that name with a model.

    Args:
        name: The folder, or the name on the Hub.
        what: What is loaded, as the sentence names it: `"model"`, or `"tokenizer"`, which needs no config.json.

    Yields:
        What to load from, with `~` replaced.

    Raises:
        OSError: There is no such folder or repository, a file is missing, or the Hub cannot be reached.
        ValueError: A file is damaged, or does not fit the others.

    Example:

    ```python
    >>> with loading_from("my-modle") as place:
    ...     config = AutoConfig.from_pretrained(place)
    Traceback (most recent call last):
    OSError: There is no folder my-modle, and the Hub, where it might be, cannot be reached: did you mean my-model?
    ```
    """
    folder = _check_path(str(name), what)
    try:
        yield str(name) if folder is None else str(folder)
    except (KeyboardInterrupt, ImportError):
        raise
    except Exception as error:
        if folder is None:
            raise OSError(_explain_hub(str(name), what, error)) from error
        raise _explain_folder(folder, what, error) from error


def _check_token_ids(path: Path) -> None:
    """Refuse a tokenizer with numbers of tokens for which tokenizers would take a memory that no machine has, and end
    the process where it is not given any."""
    try:
        state = path.stat()
        number = _huge_token_id(path, state.st_mtime_ns, state.st_size)
    except OSError:
        return
    if number is not None:
        raise ValueError(f"The file {path} is damaged (a token has the number {number}): save or download it again.")


@functools.lru_cache(maxsize=64)
def _huge_token_id(path: Path, changed: int, size: int) -> str | None:
    """Read once of a file as long as it stays the same: model, configuration and tokenizer come from one folder."""
    found = _HUGE.search(path.read_bytes())
    return None if found is None else found[1].decode()[:20]


def _check_path(name: str, what: str) -> Path | None:
    """The folder that a name leads to; None for a name that can only be one of the Hub."""
    if not name.strip():
        raise ValueError(f"The name of the {what} is empty: give a folder, or a name on the Hub.")
    path = Path(name).expanduser()
    if released := released_folder(name):
        return released
    if path.is_dir():
        if what == "model" and not (path / _MARKER).is_file():
            raise FileNotFoundError(_empty_folder(path))
        _check_token_ids(path / _TOKENIZER)
        return path
    if path.exists():
        raise NotADirectoryError(f"{name} is a file: give the folder of the {what}.")
    if name.startswith(("/", ".", "~")) or not _HUB_NAME.fullmatch(name):
        raise FileNotFoundError(f"There is no folder {name}{_mend(name)}")
    if not _is_cached(name, what) and _is_hub_out_of_reach():
        raise OSError(_no_hub(name))
    return None


def _is_cached(name: str, what: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    files = (_MARKER,) if what == "model" else ("tokenizer_config.json", "tokenizer.json")
    return any(isinstance(try_to_load_from_cache(name, file), str) for file in files)


def _is_hub_out_of_reach() -> bool:
    """Whether the Hub has no address here: its client would try again and again for half a minute, and say so."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or urllib.request.getproxies():
        return False
    try:
        socket.getaddrinfo(urllib.parse.urlparse(constants.ENDPOINT).hostname, None)
    except (OSError, UnicodeError):
        return True
    return False


def _empty_folder(path: Path) -> str:
    inside = sorted(entry.parent for entry in path.glob(f"*/{_MARKER}"))
    mend = f"did you mean {_listed(inside)}?" if inside else "give the folder that a model was saved in."
    return f"The folder {path} holds no model, for it has no {_MARKER}: {mend}"


def _listed(paths: list[Path]) -> str:
    shown = [str(path) for path in paths[:3]]
    return " or ".join(shown) + (" or another" if len(paths) > 3 else "")


def _guess(path: Path) -> str:
    """A folder with a model that is called nearly so, as the end of a sentence; nothing without one."""
    missing = path = path.expanduser()
    while not missing.parent.exists():
        missing = missing.parent
    rest = path.relative_to(missing)
    try:
        siblings = [entry.name for entry in missing.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    for sibling in difflib.get_close_matches(missing.name, siblings, n=3):
        found = missing.parent / sibling / rest
        if any(any(found.glob(pattern)) for pattern in (_MARKER, "tokenizer*", f"*/{_MARKER}")):
            return f": did you mean {found}?"
    return ""


def _explain_hub(name: str, what: str, error: Exception) -> str:
    causes = [type(cause).__name__ for cause in causes_of(error)]
    if "GatedRepoError" in causes:
        return f"The {what} {name} is on the Hub, but gated: ask for access on its page, and run hf auth login."
    if {"RepositoryNotFoundError", "HFValidationError"} & set(causes):
        return f"There is no folder {name}, and no {what} of that name on the Hub{_mend(name)}"
    offline = {"OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectError", "ConnectionError", "ConnectTimeout"}
    if offline & set(causes):
        return _no_hub(name)
    return f"The {what} {name} of the Hub cannot be loaded: {_reason(error)}"


def _no_hub(name: str) -> str:
    return f"There is no folder {name}, and the Hub, where it might be, cannot be reached{_mend(name)}"


def _mend(name: str) -> str:
    if alike := difflib.get_close_matches(name, released_models(), n=1):
        return f": did you mean {alike[0]}, which comes with the package?"
    return _guess(Path(name)) or ": check its name."


def _explain_folder(folder: Path, what: str, error: Exception) -> Exception:
    for path in [path for pattern in _READ for path in sorted(folder.glob(pattern))]:
        if reason := _damage(path):
            return ValueError(f"The file {path} is damaged ({reason}): save or download it again.")
    if what == "model" and not any(folder.glob("*.safetensors")) and "no file named" in str(error):
        return FileNotFoundError(f"The folder {folder} has no weights, such as model.safetensors: save them again.")
    if what == "tokenizer" and not any(folder.glob("tokenizer*")):
        return FileNotFoundError(
            f"The folder {folder} has no tokenizer, such as tokenizer.json: copy that of the model there."
        )
    return ValueError(f"The {what} in {folder} cannot be loaded: {_reason(error)}")


def _damage(path: Path) -> str:
    """What is wrong with a file; nothing where it can be read."""
    if path.suffix == ".safetensors":
        return _weights_damage(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return f"it cannot be read, {error.strerror}"
    except UnicodeDecodeError:
        return "no UTF-8 text"
    except json.JSONDecodeError as error:
        return f"no JSON in line {error.lineno}"
    if not isinstance(value, dict):
        return "no JSON object"
    return _tokenizer_damage(path) if path.name == _TOKENIZER else ""


def _weights_damage(path: Path) -> str:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            return ""
    except (SafetensorError, OSError) as error:
        return _reason(error)


def _tokenizer_damage(path: Path) -> str:
    from tokenizers import Tokenizer

    try:
        Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises no other
        return _reason(error)
    return ""


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
