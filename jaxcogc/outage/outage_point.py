"""One simulated setting of a sweep."""

from __future__ import annotations

from typing import NamedTuple

from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.laws.closed_form import ClosedForm, SuccessiveRounds


class OutagePoint(NamedTuple):
    """One simulated (or enumerated) setting.

    Attributes:
      x: its place on a horizontal axis (a number of stragglers, an erasure probability).
      outcomes: the probabilities, each with its interval.
      closed_form: the exact laws that are known of it.
      rounds: how failures of successive rounds hang together; None where links do not remember.
    """

    x: float
    outcomes: Outcomes
    closed_form: ClosedForm
    rounds: SuccessiveRounds | None = None
