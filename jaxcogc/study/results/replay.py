"""One trial of a study again: who heard whom, which rows arrived, what was recovered."""

from __future__ import annotations

import operator
from typing import NamedTuple

import numpy as np

from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.outage.outcomes import classify
from jaxcogc.outage.simulation.program import rebuild_trial
from jaxcogc.outage.simulation.program_inputs import run_shape
from jaxcogc.study.collection.simulation_engine import code_for_run, run_of, setting_of
from jaxcogc.study.specification.point import Point


class Replay(NamedTuple):
    """A trial, rebuilt from the same random words that the compiled program draws.

    Attributes:
      trial: its number, from 0.
      uplink_delivered: bool [attempts, clients].
      peer_delivered: bool [attempts, clients, clients], first index receives; true diagonal.
      support: bool [attempts, clients, clients], whose updates the row of a client needs.
      recovery: what the server recovers.
    """

    trial: int
    uplink_delivered: np.ndarray
    peer_delivered: np.ndarray
    support: np.ndarray
    recovery: Recovery

    @property
    def complete(self) -> np.ndarray:
        """Rows that miss no update, arrived or not: bool [attempts, clients]."""
        complete: np.ndarray = np.all(self.peer_delivered | ~self.support, axis=-1)
        return complete

    @property
    def held(self) -> np.ndarray:
        """Whose updates a row holds: bool [attempts, clients, clients]."""
        held: np.ndarray = self.peer_delivered & self.support
        return held

    def outcomes(self) -> dict[str, bool]:
        """Which of the events that a study can watch happened."""
        happened = classify(self.recovery).events(operator.invert)
        return {name: bool(seen) for name, seen in happened.items()}

    @property
    def clients(self) -> np.ndarray:
        """The clients recovered one by one: bool [clients]."""
        return np.asarray(self.recovery.client_recovered)


def replay(point: Point, trial: int) -> Replay:
    """Rebuild a trial and decide it again.

    Args:
      point: the point.
      trial: the trial's number, from 0, in the fixed order of the point's blocks.
    """
    network, code, protocol = setting_of(point)
    code = code_for_run(point, code)
    shape = run_shape(network, code, **protocol)
    found = rebuild_trial(shape, run_of(point), trial)
    support = np.asarray(code.field_matrix) != 0
    return Replay(
        trial,
        np.asarray(found.links.uplink_delivered),
        np.asarray(found.links.peer_delivered),
        np.broadcast_to(support, (point.attempts, *support.shape[-2:])),
        found.recovery,
    )
