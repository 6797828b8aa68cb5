"""A point as rows of the store's tables: what it is, when it is done, its network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxcogc.study.specification.point import NetworkText, Point
from jaxcogc.study.specification.stop_rules import StopRule

COLUMNS = "id, setting, labels, rule, gc_outage"


class StoredPoint(NamedTuple):
    """A point that a store holds.

    Attributes:
      point: what it is.
      rule: when it is done, by its study.
      closed_form: exact outage probability of standard decoding; None where no law is known.
    """

    point: Point
    rule: StopRule
    closed_form: float | None


def point_row(place: int, point: Point, rule: StopRule) -> tuple[str, int, str, str, str]:
    """The row of the table of points; `place` is the point's in its grid."""
    setting, labels = json.dumps(point.setting), json.dumps(dict(point.labels))
    return point.id, place, setting, labels, json.dumps(rule._asdict())


def stored_point(networks: Mapping[str, NetworkText], row: tuple[Any, ...]) -> StoredPoint:
    """The point of a row of `COLUMNS`.

    Args:
      networks: by identity.
      row: as SQLite gave it.

    Raises:
      ValueError, TypeError, KeyError: the row is damaged.
    """
    id, setting, labels, rule, closed_form = row
    fields = json.loads(setting)
    point = Point(
        links=networks[fields["network"]],
        family=fields["code"],
        stragglers=fields["stragglers"],
        attempts=fields["attempts"],
        redraw_code=fields["redraw_code"],
        seed=fields["seed"],
        labels=json.loads(labels),
    )
    if point.id != id:
        raise ValueError(f"point {id} is another")
    return StoredPoint(point, StopRule(**json.loads(rule)), closed_form)
