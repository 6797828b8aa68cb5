"""How far a collection is, in one line: for notebooks, and wherever nothing else is shown."""

from __future__ import annotations

import time

from jaxcogc.number_text import count_text, seconds_text
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.study.collection.progress import Listener, Progress, Summary
from jaxcogc.study.specification.point import Point

_BAR = 20
"""Letters of a bar."""
_PAUSE_SECONDS = 0.1
"""Between two lines at least: calls of the block counter may be over sooner."""


class ProgressLine(Listener):
    """A listener of `collect` that tells how far it is: one line, in a notebook or a terminal.

    ``jaxcogc.study.collect(study, store, listener=jaxcogc.study.ProgressLine())``
    """

    def __init__(self) -> None:
        self._since: float | None = None  # of counting, without compilation
        self._told = 0.0
        self._bar = "." * _BAR
        self._longest = 0  # text so far, which the next one must cover

    def compiling(self, point: Point) -> None:
        """See `Listener`."""
        self._told = 0.0
        attempts = count_text(point.attempts, "attempt")
        self._tell(f"compiling for {point.num_clients} clients, {attempts}, {point.code_name} code")

    def compiled(self, seconds: float) -> None:
        """See `Listener`."""
        self._since = time.monotonic() if self._since is None else self._since + seconds

    def counted(self, progress: Progress) -> None:
        """See `Listener`."""
        now = time.monotonic()
        if now - self._told < _PAUSE_SECONDS:
            return
        self._told = now
        text = f"{progress.trials:,} trials"
        if self._since is not None:
            left = progress.blocks_left * BLOCK_TRIALS * (now - self._since) / progress.trials
            text += f", at most {seconds_text(left)} left"
        self._draw(progress.done, progress.total, text)

    def waiting(self) -> None:
        """See `Listener`."""
        self._tell("waiting for what other processes count")

    def ended(self, summary: Summary) -> None:
        """See `Listener`."""
        text = f"{summary.trials:,} trials in {seconds_text(summary.seconds)}"
        self._since = None
        self._draw(summary.done, summary.total, text, end="\n")

    def _draw(self, done: int, total: int, text: str, end: str = "") -> None:
        full = _BAR * done // total
        self._bar = "#" * full + "." * (_BAR - full)
        self._tell(f"{done} of {total} points, {text}", end)

    def _tell(self, text: str, end: str = "") -> None:
        # A carriage return takes back the line before it: notebooks know that as terminals do.
        self._longest = max(self._longest, len(text))
        print(f"\r[{self._bar}] {text:<{self._longest}}", end=end, flush=True)
