"""The terminal: a console for tables and progress, and what an interruption says there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from jaxcogc.runtime.signals import Interruption, graceful_interrupts

INTERRUPTED_ELSEWHERE = 130
"""The exit code where another process of the run was interrupted."""
_SHOW_CURSOR = "\x1b[?25h"


def error_console(width: int = 120) -> Console:
    """The console for tables and progress; a log, which has no width of its own, gets `width`."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, width=width)


@contextmanager
def told_interrupts(
    console: Console, say: Callable[[str], None], work: str
) -> Iterator[Interruption]:
    """`graceful_interrupts`, with a word to the user about the `work` that is finished first.

    A progress bar hides the cursor: a second signal, which ends at once, brings it back.
    """

    def on_first() -> None:
        say(f"interrupted: finishing the {work} (a second Ctrl-C ends at once)")

    def on_second() -> None:
        if console.is_terminal:
            sys.stderr.write(_SHOW_CURSOR + "\n")
            sys.stderr.flush()

    with graceful_interrupts(on_first, on_second) as interruption:
        yield interruption
