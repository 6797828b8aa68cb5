"""What people read of a network tells apart what its identity tells apart.

A file is called by its name without ending, as long as that says which network is meant. Files of
one name in two folders get as much of their path as tells them apart (day1/links, day2/links); one
file measured again, or other positions, get the beginning of a hash of what they hold (links#3fa2).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import PurePath

from jaxcogc.study.specification.point import Point

_FEWEST_DIGITS = 4
_NO_WORDS = ("na", "n/a", "#n/a", "#na", "<na>", "none", "null", "nil", "true", "false")


def tell_apart(points: Iterable[Point]) -> list[Point]:
    """The points, with labels on the axis `network` that are alike only where its source is.

    >>> from jaxcogc import Network
    >>> from jaxcogc.study.specification.point import NetworkSource, NetworkText
    >>> def point(path, erasure):
    ...     network = Network.homogeneous(3, uplink_erasure=erasure, peer_erasure=0.0)
    ...     setting = NetworkText.of(network), "cyclic", 1, 1, False, 0
    ...     return Point(*setting, labels={}, source=NetworkSource.of_file(path, network))
    >>> found = tell_apart([point("day1/a.json", 0.1), point("day2/a.json", 0.2)])
    >>> [point.labels["network"] for point in found]
    ['day1/a', 'day2/a']
    """
    points = list(points)
    paths: dict[str, dict[str, str]] = {}  # by name: by hash, the path that is seen first
    for point in points:
        source = point.source
        paths.setdefault(_name(source.path, 1), {}).setdefault(source.digest, source.path)
    labels = {name: _labels(name, members) for name, members in paths.items()}
    found = []
    for point in points:
        label = labels[_name(point.source.path, 1)][point.source.digest]
        found.append(dataclasses.replace(point, labels={**point.labels, "network": label}))
    return found


def _labels(name: str, paths: Mapping[str, str]) -> dict[str, str]:
    """By hash, what to call the networks of one name."""
    if len(paths) == 1:
        return dict.fromkeys(paths, name)
    named = {digest: _shortest(path, list(paths.values())) for digest, path in paths.items()}
    number = Counter(named.values())
    digits = _FEWEST_DIGITS
    while len({digest[:digits] for digest in paths}) < len(paths):
        digits += 1
    return {
        digest: label if number[label] == 1 else f"{label}#{digest[:digits]}"
        for digest, label in named.items()
    }


def _shortest(path: str, others: Sequence[str]) -> str:
    """As many last parts of a path as no other path ends in."""
    different = {other for other in others if other != path}
    for length in range(1, len(PurePath(path).parts) + 1):
        label = _name(path, length)
        if all(_name(other, length) != label for other in different):
            return label
    return _name(path, 1)


@cache
def _name(path: str, length: int) -> str:
    """The last parts of a path without its ending, in characters that need no quotes in CSV.

    Nor does any of them move a terminal's cursor. A name that a program which reads the CSV would
    take for a number or for a missing value keeps its ending.
    """
    whole = PurePath(path)
    short = whole.with_suffix("").parts[-length:]
    parts = whole.parts[-length:] if _is_no_word("/".join(short)) else short
    return "".join(c if c.isprintable() and c not in ",;\"'" else "_" for c in "/".join(parts))


def _is_no_word(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() in _NO_WORDS
    return True
