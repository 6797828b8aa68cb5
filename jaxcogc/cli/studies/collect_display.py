"""Progress of a collection on standard error, driven from the host between blocks."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from jaxcogc.cli.shared.progress import Display
from jaxcogc.number_text import count_text, interval_text, probability_text, seconds_text
from jaxcogc.outage.anytime import anytime
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.runtime.signals import Interruption
from jaxcogc.study.collection.progress import Listener, Progress
from jaxcogc.study.specification.point import Point, axes_of, values_on
from jaxcogc.study.specification.study_file import Study

_PAUSE_SECONDS = 2.0
_WAITING = "waiting for what other processes count"
_INTERRUPTED = "interrupted while compiling; what was counted is in the store"


class CollectDisplay(Display, Listener):
    """A bar over the points on a terminal, a plain line now and then elsewhere, or nothing."""

    def __init__(self, console: Console, study: Study, *, quiet: bool) -> None:
        self.interruption: Interruption | None = None  # who may end a compilation at once
        columns = BarColumn(bar_width=16), MofNCompleteColumn(), TextColumn("{task.description}")
        super().__init__(console, *columns, quiet=quiet)
        self._study = study
        self.show(None, total=len(study.points))
        self._axes = [
            name for name in axes_of(study.points) if len(values_on(name, study.points)) > 1
        ]
        self._seconds = 0.0  # of counting, without compilation
        self._since: float | None = None
        self._last_line = 0.0
        self._waits = False

    def compiling(self, point: Point) -> None:
        """See `Listener`."""
        self._pause()
        attempts = count_text(point.attempts, "attempt")
        size = f"{point.num_clients} clients, {attempts}, {point.code_name} code"
        if self.interruption is not None:
            self.interruption.end_at_once(_INTERRUPTED)
        self.show(f"compiling for {size}", description=f"compiling for {size}")
        self._preparing()

    def compiled(self, seconds: float) -> None:
        """See `Listener`."""
        self._prepared()
        if self.interruption is not None:
            self.interruption.end_at_once("")
        if seconds >= 0.1:  # else another point's program serves this one too
            self.say(f"compiled in {seconds:.1f} s")
        self._since = time.perf_counter()

    def counted(self, progress: Progress) -> None:
        """See `Listener`."""
        now = time.perf_counter()
        if self._since is None:
            self._since = now
        rate = progress.trials / max(self._seconds + now - self._since, 1e-9)
        text = self._text(progress, rate)
        line = None
        if now - self._last_line >= _PAUSE_SECONDS and progress.done < progress.total:
            self._last_line = now
            line = f"{progress.done} of {progress.total} points done, {text}"
        self.show(line, completed=progress.done, description=text)

    def waiting(self) -> None:
        """See `Listener`."""
        line = None if self._waits else _WAITING
        self._waits = True
        self.show(line, description=_WAITING)

    def _pause(self) -> None:
        """Compilation is told apart: it counts nothing."""
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since
            self._since = None

    def _text(self, progress: Progress, rate: float) -> str:
        state, outcome = progress.state, self._study.rule.outcome
        trials = BLOCK_TRIALS * len(state.events)
        parts = [f"{rate:,.0f} trials/s", self._left(progress, rate)]
        where = ", ".join(f"{name} {state.point.labels.get(name)}" for name in self._axes)
        if trials:
            estimate = anytime(int(state.events.sum()), trials, self._study.rule.level)
            interval = f"[{interval_text(estimate.low, estimate.high)}]"
            found = f"{outcome} {probability_text(estimate)} {interval} after {trials:,} trials"
            parts.append(f"{where}: {found}" if where else found)
        return " · ".join(parts)

    def _left(self, progress: Progress, rate: float) -> str:
        seconds = progress.blocks_left * BLOCK_TRIALS / max(rate, 1e-9)
        return f"at most {seconds_text(seconds)} left"
