"""Progress on standard error, driven from the host between batches."""

from __future__ import annotations

import time
from threading import Timer
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from jaxcogc.number_text import seconds_text

_PLAIN_STEP = 0.1
_PLAIN_PAUSE_SECONDS = 1.0
_LONG_SECONDS = 10.0


class Display:
    """A bar on a terminal, plain lines elsewhere, nothing when quiet; use it as a context.

    Args:
      console: where to.
      columns: of the bar.
      quiet: say nothing at all.
    """

    def __init__(self, console: Console, *columns: ProgressColumn, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self._bar: Progress | None = None
        if not quiet and console.is_terminal and not console.is_dumb_terminal:
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=None, rate="")
        self._reason: Timer | None = None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._prepared()
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """One line, unless quiet; callable from any thread."""
        if not self._quiet:
            self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def show(self, line: str | None, **state: Any) -> None:
        """Bring the bar to a state (its `update`); where there is none, say the line."""
        if self._bar is not None:
            self._bar.update(self._task, **state)
        elif line is not None:
            self.say(line)

    def _preparing(self) -> None:
        """Something is compiled from now on: say why, where it takes long."""
        self._prepared()
        self._reason = Timer(_LONG_SECONDS, self._why_so_long)
        self._reason.daemon = True
        self._reason.start()

    def _prepared(self) -> None:
        """It is compiled, or given up."""
        if self._reason is not None:
            self._reason.cancel()

    def _why_so_long(self) -> None:
        self.say("still preparing: a large program may take a minute to compile, is fast then")


class StageDisplay(Display):
    """The stages of a piece of work, each a bar of its own, or a line.

    Args:
      console: where to.
      compiling: the stage in which something is compiled.
      quiet: say nothing at all.
    """

    def __init__(self, console: Console, compiling: str, *, quiet: bool) -> None:
        columns = TextColumn("{task.description}"), BarColumn(bar_width=None), TaskProgressColumn()
        left = TextColumn("[dim]{task.fields[rate]}")
        super().__init__(console, *columns, left, quiet=quiet)
        self._said: set[str] = set()
        self._compiling = compiling
        self._stage, self._share, self._since = "", 0.0, 0.0
        self._last_line = (0.0, 0.0)

    def advance(self, stage: str, share: float) -> None:
        """A stage has come so far; 0 where nobody knows. Tells the time that it has left."""
        now = time.perf_counter()
        if stage != self._stage or share < self._share:
            self._since, self._last_line = now, (0.0, now)
        self._stage, self._share = stage, share
        line = None if stage in self._said else stage
        self._said.add(stage)
        left = seconds_text((now - self._since) * (1 - share) / share) + " left" if share else ""
        last_share, last_time = self._last_line
        due = share - last_share >= _PLAIN_STEP and now - last_time >= _PLAIN_PAUSE_SECONDS
        if due and line is None and share < 1:
            line, self._last_line = f"{stage} ({share:.0%}), {left}", (share, now)
        self.show(line, description=stage, total=1.0 if share else None, completed=share, rate=left)
        if stage == self._compiling:
            self._preparing()
        else:
            self._prepared()


class CountDisplay(Display):
    """Something that is compiled first and counted then, a batch at a time.

    The plain form prints at most every tenth of the work and at most once a second: a log shows
    that the run is alive, and is not flooded.
    """

    def __init__(self, console: Console, total: int, *, quiet: bool, unit: str = "trials") -> None:
        super().__init__(
            console,
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("[dim]{task.fields[rate]}"),
            TimeRemainingColumn(),
            quiet=quiet,
        )
        self._total, self._unit = total, unit
        self._done, self._started = 0, 0.0
        self._last_line = (0, 0.0)

    def compiling(self) -> None:
        """Say that compilation has begun, and why, where it takes long."""
        self.show("compiling", description="compiling")
        self._preparing()

    def counting(self, compile_seconds: float, device: str) -> None:
        """Say that compilation is over and that trials are being counted from now on."""
        self._prepared()
        self.say(f"compiled in {compile_seconds:.1f} s for {device}")
        self._started = time.perf_counter()
        self._last_line = (0, self._started)
        self.show(None, description=self._unit, total=self._total, completed=0)

    def advance(self, number: int, note: str = "") -> None:
        """Add trials that have been counted, or rounds that have been trained.

        Args:
          number: how many.
          note: how things stand, behind the speed.
        """
        self._done += number
        now = time.perf_counter()
        rate = f"{self._done / max(now - self._started, 1e-9):,.0f} {self._unit}/s"
        last_done, last_time = self._last_line
        due = self._done - last_done >= _PLAIN_STEP * self._total
        line = None
        if due and now - last_time >= _PLAIN_PAUSE_SECONDS and self._done < self._total:
            self._last_line = (self._done, now)
            share = self._done / self._total
            left = (now - self._started) / self._done * (self._total - self._done)
            line = f"{self._done:,} of {self._total:,} {self._unit} ({share:.0%}), {rate}"
            line += f", {seconds_text(left)} left" + (f"; {note}" if note else "")
        self.show(line, completed=self._done, rate=f"{rate}  {note}" if note else rate)
