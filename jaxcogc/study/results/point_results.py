"""What a store says about each point: counts, reason for stopping, estimates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.outcomes import counted_events
from jaxcogc.study.results.estimates import paired_difference, point_estimates
from jaxcogc.study.specification.point import Point, Value
from jaxcogc.study.specification.stop_rules import MAX_EVENTS, Standing, StopRule, standing
from jaxcogc.study.store.point_rows import StoredPoint
from jaxcogc.study.store.store import Store

NOT_RUN = "not-run"
"""Instead of a reason for stopping, where nothing was counted."""


class PointResult(NamedTuple):
    """A point and its results.

    Attributes:
      point: what it is.
      rule: of its study.
      standing: blocks that count, and the reason for stopping.
      counts: their sum; None where nothing was counted.
      estimates: of every outcome and gain, by name; empty where nothing was counted: a point not
        run has no number.
      event_trial: the number (from 1) of the trial of the last event that was waited for; None
        where none was, or where it did not come.
      closed_form: exact outage probability of standard decoding; None where no law is known.
    """

    point: Point
    rule: StopRule
    standing: Standing
    counts: OutcomeCounts | None
    estimates: dict[str, Estimate]
    event_trial: int | None
    closed_form: float | None

    def label(self, axis: str) -> Value:
        """Where the point stands on an axis of the grid."""
        return self.point.labels.get(axis)

    @property
    def trials(self) -> int:
        """Trials that count."""
        return self.standing.num_blocks * BLOCK_TRIALS

    @property
    def reason(self) -> str:
        """Why the point stopped, or that it was not run."""
        return self.standing.reason if self.trials else NOT_RUN

    @property
    def blocks_fixed(self) -> bool:
        """Whether no interval that was looked at, and no clock, decided the number of blocks."""
        return self.standing.final and not self.rule.looks_at_intervals

    @property
    def watched(self) -> str:
        """The outcome that the rules look at."""
        return self.rule.outcome

    @property
    def mean_rank(self) -> float | None:
        """Of the rows that arrived, over the trials."""
        return None if self.counts is None else self.counts.rank_sum / self.trials

    @property
    def mean_recovered(self) -> float | None:
        """Clients recovered one by one, over the trials."""
        if self.counts is None:
            return None
        numbers = self.counts.num_recovered
        return float(np.arange(len(numbers)) @ numbers) / self.trials


def read_results(store: Store) -> list[PointResult]:
    """All points of a store, in the order of their grid."""
    return [read_result(store, stored) for stored in store.points()]


def read_result(store: Store, stored: StoredPoint) -> PointResult:
    """One point: the stop rule applied to its blocks, and the estimates that follow."""
    point, rule, law = stored
    where = standing(rule, counted_events(store.prefix(point.id))[rule.outcome])
    if where.num_blocks == 0:
        return PointResult(point, rule, where, None, {}, None, law)
    counts = store.total(point.id, where.num_blocks)
    trial = None
    if rule.max_events is not None and where.reason == MAX_EVENTS:
        trial = store.event_trial(point.id, rule.outcome, rule.max_events)
    estimates = point_estimates(rule, where, counts._asdict(), trial)
    return PointResult(point, rule, where, counts, estimates, trial, law)


def difference(store: Store, one: PointResult, other: PointResult, outcome: str) -> Estimate | None:
    """How much likelier an outcome is at one point than at another, from their common blocks."""
    length = min(one.standing.num_blocks, other.standing.num_blocks)
    mine, theirs = (
        counted_events(store.prefix(result.point.id))[outcome][:length] for result in (one, other)
    )
    fixed = all(result.blocks_fixed for result in (one, other))
    return paired_difference(mine, theirs, one.rule.level, looked=not fixed)
