"""The closed form between two points of a grid, where a curve would join them by a line."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxcogc.study.results.point_results import PointResult
from jaxcogc.study.specification.codes import CodeChoice, why_no_code
from jaxcogc.study.specification.link_time import AXES
from jaxcogc.study.specification.point import HOMOGENEOUS, NetworkText, Point

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.links.network import Network
    from jaxcogc.outage.protocol import Protocol

_POINTS = 60
"""Of a curve, about."""
_PROBABILITIES = ("uplink_erasure", "peer_erasure")


def law_between(results: Sequence[PointResult], axis: str) -> list[tuple[float, float]]:
    """The exact outage of standard decoding along an axis, at the points and between them.

    Args:
      results: of one curve, which differ on no other axis, in ascending order.
      axis: of numbers, or of words.

    Returns:
      Pairs (x, closed form) in ascending order: at the points that have one and, where the axis is
      an erasure probability of all links alike, a number of stragglers, or how links hang together
      in time, in between too.
    """
    known = [result for result in results if result.closed_form is not None]
    found = [
        (float(x), float(result.closed_form))
        for result in known
        if isinstance(x := result.label(axis), int | float) and result.closed_form is not None
    ]
    if len(found) < len(known) or len(known) < len(results):
        return found  # words on the axis, or a law that is missing at some point
    from jaxcogc.study.collection.simulation_engine import setting_of

    for point, x in _between([result.point for result in known], axis):
        law = law_at(*setting_of(point))
        if law is not None:
            found.append((x, law))
    return sorted(found)


def places_between(low: float, high: float, gaps: int) -> list[float]:
    """Inside of one of the gaps of a curve, at equal distances: what a law needs to look smooth.

    >>> places_between(0.5, 1.0, gaps=30)
    [0.75]
    """
    inside: list[float] = np.linspace(low, high, max(2, _POINTS // gaps) + 1)[1:-1].tolist()
    return inside


def law_at(network: Network, code: GradientCode, protocol: Protocol) -> float | None:
    """The exact outage of standard decoding at a place that nobody counted, where there is one."""
    from jaxcogc.outage.laws.closed_form import closed_form

    try:
        law = closed_form(network, code, **protocol).gc_outage
    except ValueError:  # bursts too short for such erasures, though not for those of the points
        return None
    return None if law is None else float(law)


def _between(points: Sequence[Point], axis: str) -> Iterator[tuple[Point, float]]:
    """Points that nobody counted, each with its place."""
    gaps = list(itertools.pairwise(points))
    for one, other in gaps:
        low, high = (float(str(point.labels[axis])) for point in (one, other))
        if axis == "stragglers":
            for stragglers in range(int(low) + 1, int(high)):
                if _has_code(one, stragglers):
                    yield dataclasses.replace(one, stragglers=stragglers), float(stragglers)
            continue
        for x in places_between(low, high, len(gaps)):
            if axis in _PROBABILITIES and _is_alike(one):
                yield dataclasses.replace(one, links=_links(one, axis, x)), x
            elif axis in AXES:  # of the higher one: where memory is 0, no other field is kept
                yield dataclasses.replace(other, time=other.time.changed(axis, x)), x


def _has_code(point: Point, stragglers: int) -> bool:
    code = CodeChoice("", point.code_name, point.family, point.own_code)
    return why_no_code(code, point.num_clients, stragglers, point.redraw_code) is None


def _is_alike(point: Point) -> bool:
    """Whether two numbers say all about the links."""
    return point.source.path == HOMOGENEOUS and all(
        isinstance(point.labels.get(name), int | float) for name in _PROBABILITIES
    )


def _links(point: Point, axis: str, value: float) -> NetworkText:
    """The links of a point with another probability."""
    from jaxcogc.links.network import Network

    network = point.network()
    erasure = {name: float(str(point.labels[name])) for name in _PROBABILITIES} | {axis: value}
    return NetworkText.of(
        Network.homogeneous(network.num_clients, reciprocal=network.reciprocal, **erasure)
    )
