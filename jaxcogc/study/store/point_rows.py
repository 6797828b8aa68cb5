"""A point as rows of the store's tables: what it is, when it is done, its network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxcogc.names import CUSTOM
from jaxcogc.study.specification.point import (
    HOMOGENEOUS,
    POSITIONS,
    CodeText,
    LinkTime,
    NetworkText,
    Point,
    Source,
)
from jaxcogc.study.specification.stop_rules import StopRule

COLUMNS = "id, setting, labels, rule, gc_outage"
_SOURCE = "network_source"
"""Beside the labels, in stores that tell what the networks are called after."""
_CODE_FILE = "code_file"
"""Likewise of a code of one's own."""
_NAMES = "client_names"
"""Likewise the names of the clients."""
_FORMAT, _FIRST_FORMAT = "words_format", 1
"""Beside the setting; stores that do not tell are of the first."""
_KINDS = (HOMOGENEOUS, POSITIONS)


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


class PointRow(NamedTuple):
    """A row of the table of points, in the order of its columns.

    Attributes:
      id: of the point.
      place: in its grid.
      setting, labels, rule: JSON.
    """

    id: str
    place: int
    setting: str
    labels: str
    rule: str


def point_row(place: int, point: Point, rule: StopRule) -> PointRow:
    """The row of a point; `place` is the point's in its grid."""
    labels: dict[str, Any] = {**point.labels, _SOURCE: point.source}
    if point.own_code is not None:
        labels[_CODE_FILE] = point.own_code.path
    if point.client_names is not None:
        labels[_NAMES] = point.client_names
    setting = json.dumps({**point.setting, _FORMAT: point.words_format})
    return PointRow(point.id, place, setting, json.dumps(labels), json.dumps(rule._asdict()))


def texts_of(point: Point) -> dict[str, str]:
    """What the point's setting names by identities: links, and the matrix of a code of one's own.

    Both kinds of text are kept in the table of networks.
    """
    texts = {point.links.id: point.links.text}
    return texts if point.own_code is None else {**texts, point.own_code.id: point.own_code.text}


def stored_point(networks: Mapping[str, NetworkText], row: tuple[Any, ...]) -> StoredPoint:
    """The point of a row of `COLUMNS`.

    Args:
      networks: the texts by identity.
      row: as SQLite gave it.

    Raises:
      ValueError, TypeError, KeyError: the row is damaged.
    """
    id, setting, labels, rule, closed_form = row
    fields, values = json.loads(setting), json.loads(labels)
    links, source = networks[fields["network"]], values.pop(_SOURCE, None)
    if source is None:
        word = str(values.get("network"))
        source = (word, "") if word in _KINDS else (f"{word}.json", links.digest)
    own, path, names = None, values.pop(_CODE_FILE, ""), values.pop(_NAMES, None)
    if fields["code"] == CUSTOM:
        own = CodeText(fields["matrix"], networks[fields["matrix"]].text, path)
    point = Point(
        links=links,
        family=fields["code"],
        stragglers=fields["stragglers"],
        attempts=fields["attempts"],
        redraw_code=fields["redraw_code"],
        seed=fields["seed"],
        labels=values,
        time=LinkTime(fields.get("time", "")),
        keep_heard=fields.get("keep_heard", False),
        words_format=words_format_of(fields),
        source=Source(*source),
        own_code=own,
        client_names=None if names is None else tuple(names),
    )
    if point.id != id:
        raise ValueError(f"point {id} is another")
    return StoredPoint(point, StopRule(**json.loads(rule)), closed_form)


def words_format_of(setting: Mapping[str, Any]) -> int:
    """Of the random words that a point's blocks are counted from, by its stored setting."""
    return int(setting.get(_FORMAT, _FIRST_FORMAT))
