"""Walks from the turn of the ring that leaves few constraints, all trajectories at once.

The ring may be cut anywhere, and where few of the first ``cut`` rows arrived few constraints
remain. One trajectory more than these is enough, whichever rows they are: all are generic, and so
is the combination of them that meets all constraints. It is taken of the trajectories themselves,
which makes a walk of its own needless. It costs clients x reach x trajectories products.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array
from jaxcogc.coding.exact.prime_field import sum_of_products
from jaxcogc.coding.exact.ring.constraints import ROWS, meet_constraints
from jaxcogc.coding.exact.ring.terms import BLOCK, RingTerms
from jaxcogc.coding.exact.ring.walk import put_gaps, walk
from jaxcogc.runtime.compute_once import Once, zeros_like_mesh
from jaxcogc.runtime.folds import fold

MOST_TURNS = 128


class Ring(NamedTuple):
    """What arrived of one attempt, and the code, as trials walk around the ring.

    Attributes:
      once: from `in_branches`.
      bits: uint32 [words, padded, trials], the rows; clients in whole blocks.
      code: turned as the rows are, coefficients of clients in whole blocks.
      modulus: the prime.
      constrains: bool [padded, trials]; whether a row arrived and is a constraint.
      number: int32 [trials], of constraints.
      random: uint32 [clients, trials], random field elements.
    """

    once: Once
    bits: Array
    code: RingTerms
    modulus: int
    constrains: Array
    number: Array
    random: Array


def sizes(cut: int) -> tuple[int, int]:
    """How many trajectories may walk: for few constraints, and for all of them.

    Each number is a program to compile. At 64 clients, 16 stragglers and erasure 0.4 some turn
    leaves 9 of 16 constraints at most in 98 of 100 trials, and 7 in 68.

    >>> sizes(16), sizes(8), sizes(4)
    ((10, 18), (6, 10), (4, 6))
    """
    return -(-cut * 5 // 16) * 2, cut + 2


def best_turns(arrived: Array, cut: int) -> Array:
    """From which client on trials walk around the ring at the least cost: int32 [trials].

    Args:
      arrived: uint32 [clients, trials], 1 where the row arrived.
      cut: clients, in whole blocks, whose rows are constraints.

    Returns:
      The first turn, of whole blocks, that leaves few constraints, as `sizes` says. Where none
      does: ``MOST_TURNS``.
    """
    clients = len(arrived)
    turns = np.arange(0, clients, BLOCK, dtype=np.int32)[:, None]
    constrain = (np.arange(clients) - turns) % clients < cut - -clients % BLOCK
    # A product of 0/1 matrices; float32 holds its integers exactly.
    constrain, arrived = constrain.astype(np.float32), arrived.astype(jnp.float32)
    number = jnp.dot(constrain, arrived, precision="highest")
    few, _ = sizes(cut)
    return fold(jnp.minimum, jnp.where(number < few, turns, MOST_TURNS))


def together(ring: Ring, size: int) -> tuple[Array, Array]:
    """A null vector, uint32 [clients, trials], and the rank of the constraints, int32 [trials].

    Args:
      ring: less than ``size`` constraints in every trial.
      size: trajectories, an even number.
    """
    once, bits, code, modulus, constrains, number, random = ring
    padded, trials = bits.shape[1:]
    assert isinstance(code.cut, int), "a program that is told the reach"
    line = walk(once, bits, code, code.choices[:, :size, None], modulus)
    num_rows = -(-code.cut // ROWS) * ROWS
    gaps = zeros_like_mesh(bits, (num_rows, size, trials), jnp.uint32)
    gaps = put_gaps(once, bits, code, line, gaps, 0, modulus)
    for places, moves in once(_moves, constrains[:num_rows]).items():
        gaps = once(partial(_moved, places), moves, gaps)
    place = np.arange(size)[:, None]
    free = jnp.where(place <= number, random[:size], np.uint32(0))
    pairs = (jnp.max(number) + 1) // 2
    combination, rank = meet_constraints(once, size, modulus, gaps, free, 2 * pairs)

    def combine(line: Array, combination: Array) -> Array:
        return sum_of_products(((line[:, i], combination[i]) for i in range(size)), modulus)

    return once(combine, line[padded - len(random) : padded], combination), rank


def _moves(present: Array) -> dict[int, Array]:
    """How rows that are there close up: which ones move by 1, then by 2, 4, .. places.

    Args:
      present: bool [rows, trials].

    Returns:
      By the number of places: bool [rows, trials].
    """
    missing = jnp.zeros_like(present[0], jnp.uint32)
    distances = []
    for row in present:
        distances.append(jnp.where(row, missing, np.uint32(0)))
        missing = missing + (~row).astype(jnp.uint32)
    distance, moves = jnp.stack(distances), {}
    for bit in range((len(present) - 1).bit_length()):
        moves[1 << bit] = (distance >> np.uint32(bit) & 1) != 0
        distance = _moved(1 << bit, moves[1 << bit], distance)
    return moves


def _moved(places: int, moves: Array, rows: Array) -> Array:
    """Rows, [rows, .., trials], with some so many places further to the front, over empty ones."""
    moves = jnp.expand_dims(moves, range(1, rows.ndim - 1))
    stay = jnp.where(moves, np.uint32(0), rows)
    come = jnp.where(moves[places:], rows[places:], stay[:-places])
    return jnp.concatenate([come, stay[-places:]])
