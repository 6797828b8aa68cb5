"""What is known of a code's outages, however it was found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.design.codes import CodeConfig
from jaxcogc.outage.counts import OutcomeCounts, Outcomes
from jaxcogc.outage.intervals import Estimate

__all__ = [
    "DECODERS",
    "Evaluation",
    "mean_revealed",
    "outages",
    "partial_sizes_of",
    "within",
]

DECODERS = {"gc": "gc_outage", "gc_plus": "gc_plus_full", "row_space": "row_space_exact"}
"""Each decoder, and the field of `Outcomes` that says how often it has the exact average."""


class Evaluation(NamedTuple):
    """How often a code recovers the exact average.

    Attributes:
        config: the code.
        outage: by decoder ("gc", "gc_plus", "row_space"), the probability of no exact average.
        num_revealed: mean number of clients whose update the server could read, |K|.
        trials: trials it rests on; None when all of it is exact.
        flagged: decoders whose estimate rests on too few effective trials.
        partial_pmf: by decoder, float64 [clients + 1]: probability of a partial average of so many
            clients; of those decoders whose partial averages have no bias, as far as is known:
            clients placed at random, over links that are all alike.
    """

    config: CodeConfig
    outage: dict[str, Estimate]
    num_revealed: float
    trials: int | None
    flagged: tuple[str, ...] = ()
    partial_pmf: dict[str, HostFloats] = {}  # noqa: RUF012  (never written to)


def outages(outcomes: Outcomes) -> dict[str, Estimate]:
    """By decoder, the probability of no exact average."""
    return {
        decoder: getattr(outcomes, field) if decoder == "gc" else _complement(outcomes, field)
        for decoder, field in DECODERS.items()
    }


def _complement(outcomes: Outcomes, field: str) -> Estimate:
    value = getattr(outcomes, field)
    low, best, high = 1.0 - value.high, 1.0 - value.best, 1.0 - value.low
    return Estimate(low, best, high, method=value.method, level=value.level)


def within(value: Estimate, low: float, high: float, flagged: bool) -> Estimate:
    """The estimate, between bounds that are known."""
    numbers = [min(max(number, low), high) for number in (value.low, value.best, value.high)]
    ends = (low, high) if flagged else (numbers[0], numbers[2])
    return Estimate(ends[0], numbers[1], ends[1], method=value.method, level=value.level)


def partial_sizes_of(counts: OutcomeCounts) -> HostFloats:
    """Probabilities of partial averages of n clients, gc_plus and row_space: [2, clients + 1]."""
    tables = np.array([counts.gc_plus_partial_recovered, counts.row_space_partial_recovered])
    # A trial with |K| = n is there n times, once for every client of K.
    return tables.sum(axis=1) / np.maximum(np.arange(tables.shape[2]), 1) / counts.trials


def mean_revealed(outcomes: Outcomes) -> float:
    """Mean number of clients whose own update the server could read."""
    pmf = outcomes.num_recovered_pmf
    return float(np.arange(pmf.size) @ pmf)
