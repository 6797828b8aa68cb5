"""A study collected by several processes: the first decides and stores, the others count along.

Every process must start the same programs in the same order, so the first one tells what comes
next before each step. Only counts come back, over the network of the compiled program itself.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Callable

import numpy as np
from jax.experimental import multihost_utils

from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.runtime.processes import any_process
from jaxcogc.study.collection.simulation_engine import SimulationEngine
from jaxcogc.study.specification.point import Point
from jaxcogc.study.specification.study_file import Study


class _Step(enum.IntEnum):
    """What all processes do next."""

    END, PREPARE, COUNT, EVENTS, ASK = range(5)


class LeadingEngine(SimulationEngine):
    """The engine of the first process: the others follow each of its steps."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        self._place = {point.id: place for place, point in enumerate(study.points)}

    def prepare(self, point: Point) -> float:
        """Compile in every process."""
        _tell(_Step.PREPARE, self._place[point.id])
        return super().prepare(point)

    def start(self, point: Point, first: int, num: int) -> Callable[[], list[OutcomeCounts]]:
        """Count with the devices of all processes."""
        _tell(_Step.COUNT, self._place[point.id], first, num)
        return super().start(point, first, num)

    def events(self, point: Point, block: int, outcome: str) -> np.ndarray:
        """Likewise."""
        _tell(_Step.EVENTS, self._place[point.id], block)
        return super().events(point, block, outcome)

    def any_process(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        _tell(_Step.ASK)
        return any_process(flag)

    def end(self) -> None:
        """Let the others go."""
        _tell(_Step.END)


def follow(study: Study, stop_requested: Callable[[], bool]) -> None:
    """Count along until the first process ends."""
    engine = SimulationEngine()
    while True:
        step, place, first, num = _hear()
        if step == _Step.END:
            return
        point = study.points[place]
        if step == _Step.PREPARE:
            engine.prepare(point)
        elif step == _Step.COUNT:
            engine.start(point, first, num)()
        elif step == _Step.EVENTS:
            engine.events(point, first, study.rule.outcome)
        else:
            any_process(stop_requested())


def check_same_study(study: Study) -> None:
    """All processes must have read the same study (ValueError in each where they have not)."""
    mine = zlib.crc32(" ".join(point.id for point in study.points).encode())
    first = int(multihost_utils.broadcast_one_to_all(np.uint32(mine)))
    if any_process(first != mine):
        raise ValueError("the processes read different studies: allowed is one file for all")


def _tell(step: _Step, place: int = 0, first: int = 0, num: int = 0) -> None:
    multihost_utils.broadcast_one_to_all(np.array([step, place, first, num], np.int32))


def _hear() -> tuple[int, int, int, int]:
    step, place, first, num = map(int, multihost_utils.broadcast_one_to_all(np.zeros(4, np.int32)))
    return step, place, first, num
