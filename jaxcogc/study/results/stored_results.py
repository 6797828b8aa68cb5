"""What a store says about each point: counts, reason for stopping, estimates."""

from __future__ import annotations

from typing import NamedTuple

from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.outcomes import counted
from jaxcogc.study.results.estimates import PointEstimates, paired_difference, point_estimates
from jaxcogc.study.specification.points import Point
from jaxcogc.study.specification.stop_rules import MAX_EVENTS, Standing, StopRule, standing
from jaxcogc.study.store.store import Store, StoredPoint, StoreError
from jaxcogc.study.store.store_file import decoded


class PointView(NamedTuple):
    """A point and its results.

    Attributes:
      stored: the point as the store knows it.
      rule, level: of its study.
      standing: blocks that count, and the reason for stopping.
      counts: their sum; None where nothing was counted.
      estimates: None where nothing was counted: a point not run has no number.
      event_trial: the number (from 1) of the trial of the last event that was waited for; None
        where none was, or where it did not come.
    """

    stored: StoredPoint
    rule: StopRule
    level: float
    standing: Standing
    counts: OutcomeCounts | None
    estimates: PointEstimates | None
    event_trial: int | None


def view_points(store: Store) -> list[PointView]:
    """All points of a store, in the order of their grid."""
    return [view_point(store, stored) for stored in store.points()]


def view_point(store: Store, stored: StoredPoint) -> PointView:
    """One point: the stop rule applied to its blocks, and the estimates that follow."""
    with decoded(store.path):
        fields = dict(stored.rule)
        level = float(fields.pop("level"))
        rule = StopRule(**fields)
    columns = store.prefix(stored.id)
    where = standing(rule, level, counted(columns).by_name()[rule.outcome])
    if where.num_blocks == 0:
        return PointView(stored, rule, level, where, None, None, None)
    counts = store.total(stored.id, where.num_blocks)
    trial = None
    if rule.max_events is not None and where.reason == MAX_EVENTS:
        trial = store.event_trial(stored.id, rule.outcome, rule.max_events)
    estimates = point_estimates(rule, level, where, counts._asdict(), trial)
    return PointView(stored, rule, level, where, counts, estimates, trial)


def find_point(store: Store, prefix: str) -> StoredPoint:
    """The point whose identity begins so (StoreError for none or several)."""
    found = [point for point in store.points() if point.id.startswith(prefix)]
    if len(found) != 1 or not prefix:
        number = "no point" if not found else f"{len(found)} points"
        raise StoreError(f"{prefix!r} is the beginning of {number} of {store.path}")
    return found[0]


def difference(store: Store, one: PointView, other: PointView, outcome: str) -> Estimate | None:
    """How much likelier an outcome is at one point than at another, from their common blocks."""
    length = min(one.standing.num_blocks, other.standing.num_blocks)
    mine, theirs = (
        counted(store.prefix(view.stored.id)).by_name()[outcome][:length] for view in (one, other)
    )
    return paired_difference(mine, theirs, one.level)


def point_of(store: Store, stored: StoredPoint) -> Point:
    """The point itself, as the engine takes it."""
    setting = stored.setting
    return Point(
        store.network_text(setting["network"]),
        setting["code"],
        setting["stragglers"],
        setting["attempts"],
        setting["redraw_code"],
        setting["seed"],
        stored.labels,
    )
