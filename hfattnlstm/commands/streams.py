"""The standard streams, which may be closed, full, or read by nobody."""

from __future__ import annotations

import os
import sys


def keep_descriptors() -> None:
    """Put the null device in place of closed standard streams.

    Else the next file that is opened would get their number, and whatever a library prints would be written into it.
    `sys.stdin` and `sys.stdout` stay None, by which the commands see that they were closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        # print and argparse would say on standard output what belongs here.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def flush_output() -> None:
    """Write what has been printed, so that an error is not left to the end of the process, where it is no sentence."""
    if sys.stdout is not None:
        sys.stdout.flush()


def abandon_output() -> None:
    """After an error: let what cannot be written to standard output go, which Python would try again at its end."""
    try:
        flush_output()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
