"""Which number of stragglers is best, for every other setting of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxcogc.names import HARMFUL_OUTCOMES
from jaxcogc.study.results.point_results import PointResult
from jaxcogc.study.results.result_table import ResultTable
from jaxcogc.study.specification.point import Value


class BestStragglers(NamedTuple):
    """Of the points that differ in the stragglers alone, the best.

    Attributes:
      setting: what they have in common, by axis.
      outcome: whose probabilities are compared: what a rule of theirs watches.
      result: the point whose probability is best (lowest, of a failure).
      apart: whether its interval is apart from all others'; None where there is no other.
    """

    setting: dict[str, Value]
    outcome: str
    result: PointResult
    apart: bool | None


def best_stragglers(table: ResultTable) -> list[BestStragglers]:
    """The best number of stragglers for each combination of the other axes."""
    axes = [name for name in table.varying_axes if name != "stragglers"]
    groups: dict[tuple[Value, ...], list[PointResult]] = {}
    for result in table.counted.results:
        groups.setdefault(tuple(result.label(name) for name in axes), []).append(result)
    return [
        _best(dict(zip(axes, values, strict=True)), outcome, members)
        for values, members in groups.items()
        for outcome in dict.fromkeys(result.watched for result in members)
    ]


def _best(
    setting: dict[str, Value], outcome: str, members: Sequence[PointResult]
) -> BestStragglers:
    harmful = outcome in HARMFUL_OUTCOMES
    best = (min if harmful else max)(members, key=lambda result: result.estimates[outcome])
    ours = best.estimates[outcome]
    others = [result.estimates[outcome] for result in members if result is not best]
    apart = all(o.low > ours.high if harmful else o.high < ours.low for o in others)
    return BestStragglers(setting, outcome, best, apart if others else None)
