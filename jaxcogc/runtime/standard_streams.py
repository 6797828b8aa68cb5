"""Standard streams of a program: results must arrive, or it is said; talk is expendable.

A log that is full, closed or gone (a pipe whose reader left, a terminal that hung up) must not end
a run of hours: standard error swallows such failures. Standard output carries results: there they
raise `OutputLost`, which a program tells in one line.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Any, TextIO

_PLAIN = "jaxcogc-plain"
_LETTERS = {"–": "-", "·": "|", "±": "+-", "→": ">", "≤": "<=", "×": "x", "²": "^2", "“": "'"}
_LETTERS |= {"”": "'", "’": "'", "…": "..."}


class OutputLost(Exception):
    """Standard output could not take what was written."""


class Talk:
    """A stream that never fails: what cannot be written is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO = stream

    def write(self, text: str) -> int:
        """Write, or drop."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a closed file is a ValueError
            return len(text)

    def flush(self) -> None:
        """Flush, or drop."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Results:
    """A stream whose failures are `OutputLost`."""

    def __init__(self, stream: TextIO, *, closed: bool = False) -> None:
        self._stream, self._closed = stream, closed

    def write(self, text: str) -> int:
        """Write (OutputLost when that is refused)."""
        if self._closed:
            raise OutputLost("it is closed")
        try:
            return self._stream.write(text)
        except (OSError, ValueError) as error:
            raise OutputLost(_reason(error)) from error

    def flush(self) -> None:
        """Flush (OutputLost when that is refused)."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise OutputLost(_reason(error)) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def own_standard_streams() -> None:
    """Make the standard streams of this process what this module says; for programs only.

    A stream that was closed before the start is opened on the null device, so that no file of ours
    gets its number and with it what libraries write there.
    """
    closed = [not _is_open(number) for number in (0, 1, 2)]
    for number in range(3):
        if closed[number]:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    codecs.register_error(_PLAIN, _in_plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAIN)
    sys.stdout = Results(sys.stdout or _nowhere(), closed=closed[1])
    sys.stderr = Talk(sys.stderr or _nowhere())


def forget_standard_output() -> None:
    """Point standard output at the null device, for the interpreter's last flush."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _nowhere() -> TextIO:
    return open(os.devnull, "w")  # as long as the process


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """What a terminal with few letters shows for one that it has not."""
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    shown = (_LETTERS.get(c, c.encode("ascii", "backslashreplace").decode()) for c in missing)
    return "".join(shown), error.end


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]
