"""One simulated setting of a sweep."""

from __future__ import annotations

from typing import NamedTuple

from jaxcogc.outage.counts import Outcomes


class OutagePoint(NamedTuple):
    """One simulated (or enumerated) setting.

    Attributes:
        x: its place on a horizontal axis (a number of stragglers, an erasure probability).
        outcomes: the probabilities, each with its interval.
        closed_form: the exact outage probability of standard decoding; None where no law is known.
    """

    x: float
    outcomes: Outcomes
    closed_form: float | None
