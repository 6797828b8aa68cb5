"""Who takes part in a collection: the engine that counts, the listener that is told, the points."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.study.specification.stop_rules import Standing

if TYPE_CHECKING:
    from jaxcogc.study.specification.points import Point


class Engine(Protocol):
    """What the collection needs; the tests have one with known counts and without JAX."""

    def is_ready(self, point: Point) -> bool:
        """Whether what the point needs is compiled."""

    def prepare(self, point: Point) -> float:
        """Compile what the point needs; the seconds it took."""

    def most_blocks(self, point: Point) -> int:
        """Blocks that one call counts at most."""

    def start(self, point: Point, first: int, num: int) -> Callable[[], list[OutcomeCounts]]:
        """Begin to count blocks first .. first + num - 1; call the result for their counts."""

    def event_position(self, point: Point, block: int, outcome: str, nth: int) -> int:
        """The trial (from 0, in its block) of the n-th event (from 1) of an outcome."""

    def closed_form(self, point: Point) -> float | None:
        """Exact outage probability of standard decoding; None where no law is known."""

    def device(self) -> str:
        """The devices in words, without commas."""


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
