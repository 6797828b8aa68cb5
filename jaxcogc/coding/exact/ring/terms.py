"""What the walk around the ring needs of a code, and which codes it serves."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array, ArrayLike
from jaxcogc.coding.exact.prime_field import inverse, multiply, negate, random_elements
from jaxcogc.runtime.random_words import threefry

_FEWEST_CLIENTS = 24
GROUP = 8  # trajectories that walk together
BLOCK = 4  # clients that a step passes; the ring is filled up to whole blocks, before client 0

Number = TypeVar("Number", int, Array)


class RingTerms(NamedTuple):
    """A code as the walk wants it.

    Attributes:
      coefficients: uint32 [clients, 1 + offsets]; [m, o] is -b_{m, m+o} / b_mm.
      choices: uint32 [padded + trajectories, trajectories], fixed generic elements, for clients in
        whole blocks: the first ones stand for nobody, and those after them come once more at the
        end.
      reach: int32; the largest offset that the code uses.
      cut: int32; so many clients, in whole blocks, are passed last: their rows are constraints.
      usable: bool; every row holds its own client, and there are trajectories enough.
      turn: int32; the client that walks take for the first one of the ring, in programs that know
        the reach, as `turns` says; None: client 0.

    Reach, cut and usable are Python's own where they are known when the program is compiled.
    """

    coefficients: Array
    choices: Array
    reach: Array | int
    cut: Array | int
    usable: Array | bool
    turn: Array | None = None


def walks_around(num_attempts: int, num_clients: int) -> bool:
    """Whether a program for these sizes has the walk at all: it compiles for some seconds, and a
    second row of the same client would be a constraint for every client."""
    return num_attempts == 1 and num_clients >= _FEWEST_CLIENTS


def most_trajectories(num_clients: int) -> int:
    """Trajectories that there is room for: three eighths of the clients, in whole groups. Codes
    that reach further are left to general elimination, which is about as fast there."""
    return GROUP * -(-3 * num_clients // (8 * GROUP))


def walk_serves(num_clients: int, reach: int) -> bool:
    """Whether there are trajectories enough for codes whose rows reach so far."""
    return _cut(reach - num_clients % -BLOCK) < most_trajectories(num_clients)


def offset_lengths(most: int) -> list[int]:
    """Numbers of offsets that there are branches for, in equal steps but for the last.

    >>> offset_lengths(24), offset_lengths(40)
    ([8, 16, 24], [16, 32, 40])
    """
    step = 8 * -(-most // 32)
    return [min(length, most) for length in range(step, most + step, step)]


def ring_terms(
    coefficients: Array, modulus: int, choice: ArrayLike = 0, reach: int | None = None
) -> RingTerms:
    """Prepare the code of one attempt for `ring_null_vector`.

    Args:
      coefficients: uint32 [clients, clients], the code over GF(modulus).
      modulus: a prime below 2^31.
      choice: of the trajectories, uint32.
      reach: what the largest offset is at most, where it is known when the program is compiled that
        `walk_serves` it, and that every row holds its own client; None looks.
    """
    clients = len(coefficients)
    most, nobody = most_trajectories(clients), -clients % BLOCK
    receiver, offset = np.arange(clients)[:, None], np.arange(clients)
    by_offset = coefficients[receiver, (receiver + offset) % clients]
    own = by_offset[:, :1]
    ratios = multiply(by_offset[:, : most + 1], inverse(own, modulus), modulus)
    ratios = negate(ratios, modulus)
    counter = jnp.arange((clients + nobody) * most, dtype=jnp.uint32)
    words, _ = threefry((jnp.uint32(0), jnp.uint32(1)), (counter, jnp.asarray(choice, jnp.uint32)))
    choices = random_elements(words, modulus).reshape(-1, most)
    choices = jnp.concatenate([choices, choices[nobody : nobody + most]])
    if reach is not None:
        cut = _cut(reach + nobody)
        needed = GROUP * (cut // GROUP + 1)
        return RingTerms(ratios, choices[:, :needed], reach, cut, True)
    used = jnp.any(by_offset != 0, axis=0)
    found = jnp.max(jnp.where(used, offset, 0)).astype(jnp.int32)
    cut_there = _cut(found + nobody)
    return RingTerms(ratios, choices, found, cut_there, jnp.all(own != 0) & (cut_there < most))


def _cut(number: Number) -> Number:
    """That many clients, in whole blocks."""
    return -(-number // BLOCK) * BLOCK
