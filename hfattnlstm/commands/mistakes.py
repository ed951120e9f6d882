"""What is said of an error: one sentence, with the mend where there is one."""

from __future__ import annotations

import errno


_LONGEST = 600
# Those that the package raises, with sentences, and those of the libraries below that are about inputs.
_FORESEEN = (ImportError, OSError, ValueError, TypeError, RuntimeError)
# The system's numbers for a full disk, or a full share of it.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# In the words of safetensors and pyarrow, which do not always give a number, and of torch, which gives no reason.
_FULL_WORDS = (
    *("No space left on device", "Disk quota exceeded", "os error 28"),
    *("PytorchStreamWriter failed writing", "unexpected pos"),
)


def describe(error: BaseException) -> str:
    """An error in one sentence.

    Example:

    ```python
    >>> describe(OSError(28, "No space left on device", "labels.csv"))
    'The disk is full at labels.csv: make room there, and run the command again.'
    ```
    """
    if _is_full(error):
        # Of a copy, the second name is that of the new file.
        name = getattr(error, "filename2", None) or getattr(error, "filename", None)
        place = f" at {name}" if name is not None else ""
        return f"The disk is full{place}: make room there, and run the command again."
    if isinstance(error, MemoryError):
        return "There is not enough memory: take smaller batches, or fewer texts at once."
    if isinstance(error, UnicodeEncodeError):
        return (
            f"Standard output takes {error.encoding} only, which has no {error.object[error.start]!a}: set "
            "PYTHONIOENCODING=utf-8, or give --output."
        )
    text = " ".join(str(error).split())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}… (--traceback shows all)"
    if is_foreseen(error) and text:
        return text
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"An error that was not foreseen, {reason}. Please report it, with what --traceback shows."


def is_foreseen(error: BaseException) -> bool:
    """Whether an error is a mistake of whoever runs the command or of what it is given, not one of ours."""
    return isinstance(error, (*_FORESEEN, MemoryError)) or _is_full(error)


def _is_full(error: BaseException | None) -> bool:
    """Whether the disk is full; what is raised may only have been caused by it."""
    while error is not None:
        if getattr(error, "errno", None) in DISK_FULL or any(words in str(error) for words in _FULL_WORDS):
            return True
        error = error.__cause__
    return False
