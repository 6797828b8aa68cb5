"""What XLA's program for a GPU starts: read from the list of thunks that it dumps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_KERNELS = ("kCustomKernel", "kKernel", "kCopy", "kMemset32BitValue", "kMemzero", "kGemm")
_LINE = re.compile(r"^( *)(\d+): (k\w+)")


class Started(NamedTuple):
    """What runs, loops counted as often as they go round.

    Attributes:
      launches: what the host starts; a command buffer is one.
      host_waits: loops and branches outside of command buffers: for each of their rounds the host
        waits for the device.
      kernels: kernels and copies that the device runs.
    """

    launches: float
    host_waits: float
    kernels: float

    def plus(self, other: Started, times: float = 1) -> Started:
        """The sum, the other so many times."""
        return Started(*(a + times * b for a, b in zip(self, other, strict=True)))


_NOTHING = Started(0, 0, 0)


def started(text: str, trips: Sequence[float] = ()) -> Started:
    """Count what a program starts.

    Args:
      text: XLA's list; what a loop or branch holds is indented below it.
      trips: how often the loops go round, in the order of the list; others count once.

    >>> found = started('''000: kCommandBuffer
    ...     001: kWhile
    ... condition:
    ...         002: kCustomKernel
    ...       body:
    ...         003: kCustomKernel''', [10])
    >>> found
    Started(launches=1, host_waits=0, kernels=20)
    """
    lines = [(len(m[1]), m[3]) for m in map(_LINE.match, text.splitlines()) if m]
    left = list(trips)
    total, _ = _below(lines, 0, -1, left, buffered=False)
    return total


def _below(
    lines: list[tuple[int, str]], place: int, depth: int, trips: list[float], *, buffered: bool
) -> tuple[Started, int]:
    """What stands deeper than a depth, from a place on; and the place behind it."""
    total = _NOTHING
    while place < len(lines) and lines[place][0] > depth:
        indent, kind = lines[place]
        in_buffer = buffered or kind == "kCommandBuffer"
        times = trips.pop(0) if kind == "kWhile" and trips else 1
        inside, place = _below(lines, place + 1, indent, trips, buffered=in_buffer)
        waits = kind in ("kWhile", "kConditional") and not buffered
        starts = kind not in ("kWhile", "kConditional", "kSequential") and not buffered
        own = Started(int(starts), 0, int(kind in _KERNELS))
        total = total.plus(own).plus(inside, times).plus(Started(0, int(waits), 0), times)
    return total, place
