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


def new_console(width: int = 120, *, stderr: bool = True) -> Console:
    """A console that prints texts as they are: brackets and colons in names mean nothing.

    Args:
      width: columns of a log, which has no width of its own.
      stderr: standard error, where tables and progress go; else standard output.

    >>> new_console(80, stderr=False).print("data[train] :id:")
    data[train] :id:
    """
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = width
    return console


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


@contextmanager
def all_or_nothing(console: Console, work: str) -> Iterator[None]:
    """A block with nothing to report before its end: a signal ends the process with a line."""
    last_words = f"interrupted before {work} was done; nothing written"
    interrupts = told_interrupts(console, lambda text: None, work)
    with interrupts as interruption, interruption.ending_at_once(last_words):
        yield
