"""Timing: compilation apart, several programs in turn, so that a drift of the machine hits all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

_PAUSE_SECONDS = 0.2
"""Threads of BLAS and OpenMP wait actively for a while after their work: the next program, which
needs the cores, waits for them."""

_WINDOW_SECONDS = 0.3


class Program(NamedTuple):
    """Something to time.

    Attributes:
      name: in the words of the table.
      run: does all of the work and returns when the result is there.
      work: units (trials, say) that one run does.
      compile_seconds: what compiling took before ``run`` was there; what it compiles when it is
        called first comes on top.
    """

    name: str
    run: Callable[[], Any]
    work: int
    compile_seconds: float = 0.0


class Timing(NamedTuple):
    """What was measured.

    Attributes:
      name: of the program.
      rate: units per second, from the median.
      best_rate: from the shortest run; on a machine with other users the fairer number.
      first_seconds: the very first run, compilation included.
      seconds: of a run, for every later turn.
      work: units in one run.
    """

    name: str
    rate: float
    best_rate: float
    first_seconds: float
    seconds: tuple[float, ...]
    work: int

    @property
    def compile_seconds(self) -> float:
        """What the first run took longer than the median of the others."""
        return max(0.0, self.first_seconds - float(np.median(self.seconds)))

    def as_json(self) -> dict[str, Any]:
        """For the result file."""
        return {
            "rate": self.rate,
            "best_rate": self.best_rate,
            "compile_seconds": self.compile_seconds,
            "seconds": list(self.seconds),
            "work": self.work,
        }


def first_runs(programs: Sequence[Program]) -> dict[str, tuple[float, Any]]:
    """Run every program once: seconds, those of compilation included, and answer."""
    found = {}
    for program in programs:
        seconds, answer = _timed(program)
        found[program.name] = program.compile_seconds + seconds, answer
    return found


def in_turn(
    programs: Sequence[Program], repeats: int, first_seconds: dict[str, float]
) -> dict[str, Timing]:
    """Time all programs ``repeats`` times, one after another in every round.

    Args:
      programs: already run once (``first_runs``).
      repeats: at least 1; results that are shown to people take 5 or more.
      first_seconds: of the first runs.

    Returns:
      Timing by name.
    """
    seconds: dict[str, list[float]] = {program.name: [] for program in programs}
    for _ in range(repeats):
        for program in programs:
            time.sleep(_PAUSE_SECONDS)
            warm, _ = _timed(program)
            seconds[program.name].append(_mean_seconds(program, warm))
    return {p.name: timing(p, first_seconds[p.name], seconds[p.name]) for p in programs}


def timing(program: Program, first_seconds: float, seconds: Sequence[float]) -> Timing:
    """Rates from seconds.

    >>> timing(Program("x", lambda: None, 100), 3.0, [1.0, 2.0, 4.0]).rate
    50.0
    """
    return Timing(
        program.name,
        program.work / float(np.median(seconds)),
        program.work / min(seconds),
        first_seconds,
        tuple(seconds),
        program.work,
    )


def _mean_seconds(program: Program, about: float) -> float:
    """Of as many runs as fill the window, at least one: short ones alone would time the waking up
    of threads and caches."""
    runs = max(1, round(_WINDOW_SECONDS / about))
    started = time.perf_counter()
    for _ in range(runs):
        program.run()
    return (time.perf_counter() - started) / runs


def _timed(program: Program) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = program.run()
    return time.perf_counter() - started, answer
