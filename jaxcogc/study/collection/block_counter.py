"""What a collection needs of whatever counts its blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.study.specification.point import Point


@runtime_checkable
class BlockCounter(Protocol):
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
