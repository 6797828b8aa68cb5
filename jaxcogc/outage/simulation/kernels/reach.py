"""How far around the ring the rows of a code reach, and which programs serve codes of a reach."""

from __future__ import annotations

import numpy as np

from jaxcogc._types import AnyArray
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.ring.terms import walk_serves, walks_around
from jaxcogc.outage.simulation.program_inputs import Shape

_MOST_REACHES = 2
"""That have programs of their own in a process: all others share one, for any reach."""

_reaches: dict[Shape, set[int]] = {}


def code_reach(coefficients: AnyArray) -> int:
    """How far around the ring the rows of a code reach: its largest offset, but at least 1.

    Args:
      coefficients: [.., clients, clients], concrete.

    >>> code_reach(np.eye(4) + np.eye(4, k=2) + np.eye(4, k=-2))
    2
    """
    matrices = np.asarray(coefficients)
    held: AnyArray = np.any(matrices.reshape(-1, *matrices.shape[-2:]), axis=0)
    receiver, sender = np.nonzero(held)
    return int(((sender - receiver) % len(held)).max(initial=1))


def holds_itself(coefficients: AnyArray) -> bool:
    """Whether every row holds the client that sends it."""
    return bool(np.all(np.diagonal(np.asarray(coefficients), axis1=-2, axis2=-1)))


def serves(shape: Shape, code: GradientCode) -> bool:
    """Whether the program of a shape runs a code of its family and size itself."""
    if not shape.reach:
        return True
    holds = shape.rule.kernel == "fused" or holds_itself(code.field_matrix)
    return holds and code_reach(code.field_matrix) <= shape.reach


def walks(shape: Shape, reach: int) -> bool:
    """Whether a walk around the ring alone decides, where every row holds its own client."""
    return walks_around(shape.attempts, shape.clients) and walk_serves(shape.clients, reach)


def num_terms(shape: Shape, reach: int) -> int:
    """Of a Gram matrix whose rows reach so far: each stands in the code of the program."""
    clients, attempts = shape.clients, shape.attempts
    diagonals = range(min(reach, clients // 2) + 1)
    meet = sum((o + d) % clients <= reach for d in diagonals for o in range(reach + 1))
    return meet * attempts


def has_room(shape: Shape, reach: int) -> bool:
    """Whether a reach may have a program of its own in this process, or has it."""
    reaches = _reaches.get(shape, set())
    return reach in reaches or len(reaches) < _MOST_REACHES


def keep_room(shape: Shape, reach: int) -> None:
    """A reach has a program of its own in this process from now on."""
    _reaches.setdefault(shape, set()).add(reach)
