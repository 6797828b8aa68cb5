"""What a collection tells: after every call of the engine, and at its end."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxcogc.study.specification.point import Point
from jaxcogc.study.specification.stop_rules import Standing, StopRule, standing


@dataclasses.dataclass
class PointState:
    """A point under collection.

    Attributes:
      point: what it is.
      events: int [blocks], events of the watched outcome in its contiguous prefix.
      standing: what the rules say of it.
      in_flight: the end of the blocks that are being counted; 0 when there are none.
    """

    point: Point
    events: np.ndarray
    standing: Standing
    in_flight: int = 0

    def take_in(self, rule: StopRule, events: npt.ArrayLike) -> None:
        """Append the events of further blocks, int [blocks], and look at the rules again."""
        known = len(self.events)
        self.events = np.append(self.events, np.asarray(events, np.int64))
        self.standing = standing(rule, self.events, seen=known)


class Progress(NamedTuple):
    """What a listener is told after every call of the engine.

    Attributes:
      state: the point just counted.
      trials: counted in this run.
      done, total: points whose rule is met, and all.
      blocks_left: blocks that `max_trials` allows and that are not there, of all points not done.
    """

    state: PointState
    trials: int
    done: int
    total: int
    blocks_left: int


class Listener:
    """What a collection tells while it runs; this one keeps silent."""

    def compiling(self, point: Point) -> None:
        """The program of a shape is needed for the first time."""

    def compiled(self, seconds: float) -> None:
        """It is there."""

    def counted(self, progress: Progress) -> None:
        """Blocks have been counted."""

    def waiting(self) -> None:
        """Other processes count all that is left; told again and again."""

    def ended(self, summary: Summary) -> None:
        """All is counted, or the time is over, or a stop was requested."""


class Summary(NamedTuple):
    """How a collection ended.

    Attributes:
      done, total: points whose rule is met, and all.
      trials: counted in this run.
      compile_seconds, seconds: of this run.
      out_of_time: the budget ended it.
    """

    done: int
    total: int
    trials: int
    compile_seconds: float
    seconds: float
    out_of_time: bool
