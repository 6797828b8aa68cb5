"""An engine with known counts, for the scheduler's tests: no JAX, no links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.study.specification.study_file import Study, parse_study

Script = Callable[[Any, int], int]
"""(point, block) -> trials of the block in which nothing at all is recovered."""


def scripted_counts(failures: int, clients: int = 4) -> OutcomeCounts:
    """A block in which so many trials recover nothing and all others recover everything."""
    good = BLOCK_TRIALS - failures
    zero = OutcomeCounts.zero(clients)
    return zero._replace(
        trials=BLOCK_TRIALS,
        gc=good,
        gc_plus_full=good,
        row_space_exact=good,
        all_individuals=good,
        rank_sum=clients * good,
        num_recovered=np.array([failures] + [0] * (clients - 1) + [good]),
        client_recovered=np.full(clients, good),
    )


class FakeEngine:
    """Counts by a script; the n-th event of a block falls at trial 10 n."""

    def __init__(self, script: Script, *, most: int = 8, seconds: float = 0.0) -> None:
        self.script, self.most, self.seconds = script, most, seconds
        self.calls: list[tuple[str, int, int]] = []
        self.now = 0.0

    def is_ready(self, point: Any) -> bool:
        return True

    def prepare(self, point: Any) -> float:
        raise AssertionError("is ready")

    def most_blocks(self, point: Any) -> int:
        return self.most

    def start(self, point: Any, first: int, num: int) -> Callable[[], list[OutcomeCounts]]:
        assert 1 <= num <= self.most
        self.calls.append((point.id, first, num))

        def wait() -> list[OutcomeCounts]:
            self.now += self.seconds * num
            clients = point.num_clients
            return [scripted_counts(self.script(point, first + n), clients) for n in range(num)]

        return wait

    def event_position(self, point: Any, block: int, outcome: str, nth: int) -> int:
        return 10 * nth

    def closed_form(self, point: Any) -> float | None:
        return 0.25 if point.stragglers else None

    def device(self) -> str:
        return "script"

    def clock(self) -> float:
        return self.now


def small_study(stop: str, *, uplinks: int = 3, folder: Path = Path()) -> Study:
    """A grid of `uplinks` x 2 points of 4 clients with the given `[stop]` section."""
    values = ", ".join(f"{0.05 * (n + 1):.2f}" for n in range(uplinks))
    text = f"""
        [network]
        clients = 4
        uplink_erasure = [{values}]
        peer_erasure = 0.1
        [code]
        stragglers = [0, 1]
        [stop]
        {stop}
    """
    return parse_study(text, folder=folder)
