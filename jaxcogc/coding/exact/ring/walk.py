"""Trajectories around the ring over GF(q): the steps of `ring.null_vector`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVarTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array
from jaxcogc.coding.exact.prime_field import subtract, sum_of_products
from jaxcogc.coding.exact.ring.constraints import indices
from jaxcogc.coding.exact.ring.terms import BLOCK, RingTerms, offset_lengths
from jaxcogc.runtime.compute_once import Once, zeros_like_mesh

Operands = TypeVarTuple("Operands")

part = partial(lax.dynamic_slice_in_dim, allow_negative_indices=False)
_put = partial(lax.dynamic_update_slice_in_dim, axis=0, allow_negative_indices=False)


def walk(once: Once, bits: Array, code: RingTerms, choices: Array, modulus: int) -> Array:
    """Walk some trajectories from the last client to the cut, a block at a time.

    Args:
      choices: uint32 [clients + most, trajectories, trials or 1].

    Returns:
      x around the ring, the first clients once more at the end: uint32 [clients + most,
      trajectories, trials].
    """
    clients, trials = len(code.coefficients), bits.shape[-1]

    def walk_block(number: Array, line: Array) -> Array:
        first = clients - BLOCK * (number + 1)
        # The choices are not read from the line: that would copy the whole of it.
        block, chosen = _block(bits, code, first), part(choices, first, BLOCK)
        ways = partial(partial, _rows, once, modulus)
        return _put(line, _by_reach(code, ways, block, chosen, line, first), first)

    line = choices + zeros_like_mesh(bits, (trials,), jnp.uint32)
    walked: Array = lax.fori_loop(0, (clients - code.cut) // BLOCK, walk_block, line)
    return walked


def put_gaps(
    once: Once,
    bits: Array,
    code: RingTerms,
    line: Array,
    found: Array,
    column: Array | int,
    modulus: int,
) -> Array:
    """Write into ``found`` by how much the clients before the cut miss their rows."""

    def add_block(number: Array, found: Array) -> Array:
        first = number * BLOCK
        ways = partial(partial, _gaps, once, modulus)
        gaps = _by_reach(code, ways, _block(bits, code, first), line, first)
        return lax.dynamic_update_slice(found, gaps, indices(first, column, 0))

    filled: Array = lax.fori_loop(0, code.cut // BLOCK, add_block, found)
    return filled


class _Block(NamedTuple):
    """A block of clients: their rows and coefficients."""

    bits: Array  # uint32 [words, block, trials]
    ratios: Array  # uint32 [block, 1 + offsets]


def _block(bits: Array, code: RingTerms, first: Array) -> _Block:
    return _Block(part(bits, first, BLOCK, axis=1), part(code.coefficients, first, BLOCK))


def _by_reach(
    code: RingTerms, up_to: Callable[[int], Callable[[*Operands], Array]], *operands: *Operands
) -> Array:
    """``up_to(length)(*operands)`` for a number of offsets that holds the code's reach."""
    if isinstance(code.reach, int):
        return up_to(max(code.reach, 1))(*operands)
    lengths = offset_lengths(code.choices.shape[1])
    branches = [up_to(length) for length in lengths]
    branch = (jnp.maximum(code.reach, 1) - 1) // lengths[0]
    found: Array = lax.switch(branch, branches, *operands)
    return found


def _rows(
    once: Once, modulus: int, length: int, block: _Block, chosen: Array, line: Array, first: Array
) -> Array:
    """x of a block of clients, the last first: uint32 [block, trajectories, trials]."""
    factors = once(partial(_factors, length), block)
    window = part(line, first, BLOCK + length)
    arrived = _arrived(block)
    later: list[Array] = []
    for i in reversed(range(BLOCK)):
        row = once(partial(_row, modulus, i), arrived, factors, window, chosen, later)
        later = [row, *later]
    return jnp.stack(later)


def _row(
    modulus: int,
    i: int,
    arrived: Array,
    factors: Array,
    window: Array,
    chosen: Array,
    later: list[Array],
) -> Array:
    """x of the client of row i of a block: from the row where it arrived, else its choice."""
    values = [*later, *window[BLOCK:]][: factors.shape[1]]
    total = sum_of_products(zip(factors[i], values, strict=True), modulus)
    return jnp.where(arrived[i], total, chosen[i])


def _gaps(once: Once, modulus: int, length: int, block: _Block, line: Array, first: Array) -> Array:
    """By how much each row of a block of constraints is missed, [rows, trajectories, trials]."""

    def missed(arrived: Array, factors: Array, window: Array) -> Array:
        terms = (
            (factors[:, offset - 1, None], window[offset : offset + BLOCK])
            for offset in range(1, length + 1)
        )
        gaps = subtract(window[:BLOCK], sum_of_products(terms, modulus), modulus)
        return jnp.where(arrived[:, None], gaps, np.uint32(0))

    factors = once(partial(_factors, length), block)
    return once(missed, _arrived(block), factors, part(line, first, BLOCK + length))


def _arrived(block: _Block) -> Array:
    return block.bits[0] & 1 != 0


def _factors(length: int, block: _Block) -> Array:
    """The coefficients of the clients that each row holds, else 0: uint32 [block, length, trials].

    Made once for all trajectories: testing bits takes as long as multiplying."""
    offsets = np.arange(1, 1 + length, dtype=np.uint32)
    words = [
        word[:, None] >> offsets[offsets // 32 == number, None] % 32
        for number, word in enumerate(block.bits)
        if number <= length // 32
    ]
    held = jnp.concatenate(words, axis=1) & 1 != 0
    return jnp.where(held, block.ratios[:, 1 : 1 + length, None], np.uint32(0))
