"""Reductions along a leading axis, as XLA's CPU backend vectorises them."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import jax.numpy as jnp

from jaxcogc._types import Array

_MOST_ROWS = 128
"""That one expression combines."""


def fold(operation: Callable[[Array, Array], Array], rows: Array) -> Array:
    """Combine all rows of an array by an associative and commutative operation of two.

    XLA's reduction along a leading axis goes from number to number on a CPU, and so does all that
    is fused with it; a chain of operations on whole rows is vector code.

    Args:
      operation: of arrays of the shape of a row.
      rows: [rows, ..], one row at least.

    Returns:
      [..].

    >>> fold(jnp.bitwise_or, jnp.array([[1, 2], [4, 2], [1, 8]])).tolist()
    [5, 10]
    """
    number = len(rows)
    if number <= _MOST_ROWS:
        return reduce(operation, (rows[row] for row in range(number)))
    together = number // _MOST_ROWS
    whole = rows[: _MOST_ROWS * together].reshape(_MOST_ROWS, together, *rows.shape[1:])
    rest = rows[_MOST_ROWS * together :]
    return fold(operation, jnp.concatenate([fold(operation, whole), rest]))
