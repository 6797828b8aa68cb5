"""What people read of a network or of one's own code tells apart what its identity tells apart.

A file is called by its name without ending, as long as that says which network is meant. Files of
one name in two folders get as much of their path as tells them apart (day1/links, day2/links); one
file measured again, or other positions, get the beginning of a hash of what they hold (links#3fa2).
Files of codes keep their ending (B.npy), as families are words.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import PurePath

from jaxcogc.study.specification.point import Point, Source

_FEWEST_DIGITS = 4
_NO_WORDS = ("na", "n/a", "#n/a", "#na", "<na>", "none", "null", "nil", "true", "false")


def tell_apart(points: Iterable[Point]) -> list[Point]:
    """The points, with labels of network and code that are alike only where the source is.

    >>> from jaxcogc import Network
    >>> from jaxcogc.study.specification.point import Source, NetworkText
    >>> def point(path, erasure):
    ...     network = Network.homogeneous(3, uplink_erasure=erasure, peer_erasure=0.0)
    ...     setting = NetworkText.of(network), "cyclic", 1, 1, False, 0
    ...     return Point(*setting, labels={}, source=Source.of_file(path, network))
    >>> found = tell_apart([point("day1/a.json", 0.1), point("day2/a.json", 0.2)])
    >>> [point.labels["network"] for point in found]
    ['day1/a', 'day2/a']
    """
    points = list(points)
    networks = _Labels((point.source for point in points), ending=False)
    own = (point.own_code.source for point in points if point.own_code is not None)
    codes = _Labels(own, ending=True)  # no family ends so
    found = []
    for point in points:
        labels = {**point.labels, "network": networks.of(point.source)}
        if point.own_code is not None:
            labels["code"] = codes.of(point.own_code.source)
        found.append(dataclasses.replace(point, labels=labels))
    return found


class _Labels:
    """What some sources are called, with or without the endings of their files."""

    def __init__(self, sources: Iterable[Source], *, ending: bool) -> None:
        self._ending = ending
        paths: dict[str, dict[str, str]] = {}  # by name: by hash, the path that is seen first
        for path, digest in sources:
            paths.setdefault(_name(path, 1, ending), {}).setdefault(digest, path)
        self._labels = {name: self._of_one_name(name, found) for name, found in paths.items()}

    def of(self, source: Source) -> str:
        """The label of one of them."""
        return self._labels[_name(source.path, 1, self._ending)][source.digest]

    def _of_one_name(self, name: str, paths: Mapping[str, str]) -> dict[str, str]:
        """By hash, what to call the sources of one name."""
        if len(paths) == 1:
            return dict.fromkeys(paths, name)
        others = list(paths.values())
        named = {digest: self._shortest(path, others) for digest, path in paths.items()}
        number = Counter(named.values())
        digits = _FEWEST_DIGITS
        while len({digest[:digits] for digest in paths}) < len(paths):
            digits += 1
        return {
            digest: label if number[label] == 1 else f"{label}#{digest[:digits]}"
            for digest, label in named.items()
        }

    def _shortest(self, path: str, others: Sequence[str]) -> str:
        """As many last parts of a path as no other path ends in."""
        different = {other for other in others if other != path}
        for length in range(1, len(PurePath(path).parts) + 1):
            label = _name(path, length, self._ending)
            if all(_name(other, length, self._ending) != label for other in different):
                return label
        return _name(path, 1, self._ending)


@cache
def _name(path: str, length: int, ending: bool) -> str:
    """The last parts of a path, in characters that need no quotes in CSV.

    Nor does any of them move a terminal's cursor. A name that a program which reads the CSV would
    take for a number or for a missing value keeps its ending.
    """
    whole = PurePath(path)
    short = whole.with_suffix("").parts[-length:]
    parts = whole.parts[-length:] if ending or _is_no_word("/".join(short)) else short
    return "".join(c if c.isprintable() and c not in ",;\"'" else "_" for c in "/".join(parts))


def _is_no_word(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() in _NO_WORDS
    return True
