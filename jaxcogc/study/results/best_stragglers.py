"""Which number of stragglers is best, for every other setting of a study."""

from __future__ import annotations

from typing import NamedTuple

from jaxcogc.names import HARMFUL_OUTCOMES
from jaxcogc.study.results.point_results import PointResult
from jaxcogc.study.results.result_table import ResultTable
from jaxcogc.study.specification.point import Value


class BestStragglers(NamedTuple):
    """Of the points that differ in the stragglers alone, the best.

    Attributes:
      setting: what they have in common, by axis.
      result: the point whose watched probability is best (lowest, of a failure).
      apart: whether its interval is apart from all others'.
    """

    setting: dict[str, Value]
    result: PointResult
    apart: bool


def best_stragglers(table: ResultTable) -> list[BestStragglers]:
    """The best number of stragglers for each combination of the other axes."""
    axes = [name for name in table.varying_axes if name != "stragglers"]
    groups: dict[tuple[str, ...], list[PointResult]] = {}
    for result in table.counted.results:
        setting = {name: result.label(name) for name in axes}
        groups.setdefault(tuple(map(str, setting.values())), []).append(result)
    found = []
    for members in groups.values():
        outcome = members[0].watched
        wrong_way = 1 if outcome in HARMFUL_OUTCOMES else -1
        estimates = [result.estimates[outcome] for result in members]
        place = min(range(len(members)), key=lambda n: wrong_way * estimates[n].best)
        best = estimates[place]
        others = estimates[:place] + estimates[place + 1 :]
        apart = all(
            other.low > best.high if outcome in HARMFUL_OUTCOMES else other.high < best.low
            for other in others
        )
        setting = {name: members[place].label(name) for name in axes}
        found.append(BestStragglers(setting, members[place], apart))
    return found
