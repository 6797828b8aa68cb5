"""Progress on standard error, driven from the host between batches."""

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_PLAIN_STEP = 0.1
_PLAIN_PAUSE_SECONDS = 1.0


class Display:
    """A bar on a terminal, a few plain lines elsewhere, nothing when quiet.

    The plain form prints at most every tenth of the work and at most once a second: a log shows
    that the run is alive, and is not flooded.
    """

    def __init__(self, console: Console, total: int, *, quiet: bool, unit: str = "trials") -> None:
        self._console = console
        self._total = total
        self._unit = unit
        self._quiet = quiet
        self._done = 0
        self._started = 0.0
        self._last_line = (0, 0.0)
        self._cleanup = ExitStack()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("[dim]{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, rate="")
            self._cleanup.enter_context(self._bar)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    def say(self, text: str) -> None:
        """One line, unless quiet; callable from any thread."""
        if not self._quiet:
            self._console.print(text, highlight=False, soft_wrap=True)

    def compiling(self) -> None:
        """Say that compilation has begun."""
        if self._bar is not None:
            self._bar.update(self._task, description="compiling")
        else:
            self.say("compiling")

    def counting(self, compile_seconds: float, device: str) -> None:
        """Say that compilation is over and that trials are being counted from now on."""
        self.say(f"compiled in {compile_seconds:.1f} s for {device}")
        self._started = time.perf_counter()
        self._last_line = (0, self._started)
        if self._bar is not None:
            self._bar.update(self._task, description=self._unit, total=self._total, completed=0)

    def advance(self, number: int) -> None:
        """Add trials that have been counted, or rounds that have been trained."""
        self._done += number
        now = time.perf_counter()
        rate = f"{self._done / max(now - self._started, 1e-9):,.0f} {self._unit}/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, rate=rate)
            return
        last_done, last_time = self._last_line
        due = self._done - last_done >= _PLAIN_STEP * self._total
        if due and now - last_time >= _PLAIN_PAUSE_SECONDS and self._done < self._total:
            self._last_line = (self._done, now)
            share = self._done / self._total
            self.say(f"{self._done:,} of {self._total:,} {self._unit} ({share:.0%}), {rate}")
