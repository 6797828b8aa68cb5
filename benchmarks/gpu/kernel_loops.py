"""How often the loops inside of kernels that draw and decide go round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.cases import Shape

_MOST_UNROLLED = 8
"""Rounds of a loop that the compiler may write out."""
_MOST_ENTRIES = 136
"""Of a matrix that the kernel for rings has in registers."""


class Loop(NamedTuple):
    """A loop as it was written.

    Attributes:
      rounds: how often it goes round.
      stores: instructions in it that write to the device's memory; None: not looked at.
    """

    rounds: float
    stores: int | None = None


def fused_loops(shape: Shape) -> list[Loop]:
    """Of `fused_trials`.

    Of each pair of offsets a loop over the clients, if the code uses the pair; and the same once
    more with second words, where first ones tie: practically never.
    """
    pairs = -(-shape.clients // 2)
    used = shape.stragglers // 2 + 1
    first = [Loop(shape.clients if n < used else 0) for n in range(pairs)]
    return [*first, *[Loop(0)] * pairs]


def ring_loops(shape: Shape) -> list[Loop]:
    """Of `ring_trials`.

    Of every row a loop over pairs of offsets, and once more with second words: practically never.
    Then columns and sums of pairs; columns that enter a matrix and that are taken out of it, for
    the window and for each group of the border; the border; and the way back.
    """
    clients, reach = shape.clients, max(1, shape.stragglers)
    pivots = clients - reach
    window = min(reach, pivots)
    width = -(-reach // -(-window * reach // _MOST_ENTRIES))
    groups = [min(width, reach - start) for start in range(0, reach, width)]
    rows = [Loop(clients, 1), Loop(reach // 2 + 1, 0), Loop(0, 0)]
    sums = [Loop(clients, 1), Loop(clients, reach + 1)]
    matrices = [
        loop for stores in (window + 1, *groups) for loop in (Loop(window, 0), Loop(pivots, stores))
    ]
    border = [Loop(pivots, 0), Loop(reach, reach + 1)]
    return [*rows, *sums, *matrices, *border, Loop(reach, 0), Loop(pivots, 0)]


KERNELS: Mapping[str, Callable[[Shape], list[Loop]]] = {
    "fused_trials": fused_loops,
    "ring_trials": ring_loops,
}
"""Kernels that draw and decide whole trials, by name."""


def rounds_of(loops: Sequence[Loop], stores: Sequence[int]) -> list[float] | None:
    """Rounds of the loops that a compiler left, in order.

    Args:
      loops: as written; those of few rounds may have been written out.
      stores: of each loop that is left, the instructions that write to the device's memory.

    Returns:
      None where they do not fit together.

    >>> rounds_of([Loop(16, 1), Loop(5, 0), Loop(11, 6), Loop(5, 6)], [1, 6])
    [16, 11]
    """
    if not loops:
        return None if stores else []
    first, later = loops[0], loops[1:]
    if stores and first.stores in (None, stores[0]):
        found = rounds_of(later, stores[1:])
        if found is not None:
            return [first.rounds, *found]
    return rounds_of(later, stores) if first.rounds <= _MOST_UNROLLED else None
