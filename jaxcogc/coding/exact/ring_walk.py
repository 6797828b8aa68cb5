"""Null vectors of one attempt over GF(q), around the ring: much less work where rows are short.

Row m of one attempt, divided by its own coefficient b_mm, says

    x_m = - sum_{o = 1 .. reach} (b_{m, m+o} / b_mm) x_{m+o}    over the clients it holds,

with ``reach`` the largest offset of the code. Choose x for the first ``cut`` >= ``reach`` clients
and walk back from the last client: a row that arrived gives x_m, and where it did not, x_m is
chosen. What remains are the rows of the first ``cut`` clients, whose x was chosen already:
constraints. Walk several *trajectories*, all of whose choices are fixed generic elements: as many
as constraints, and one more where every constraint is there. A combination of them that meets all
constraints (`constraints`) is a random null vector.

Costs about clients x reach^2 products, where general elimination takes clients^3 / 6. A pivot or an
element of the vector that ought not to be zero is zero with probability of about 1 / q, so a trial
is misjudged with (cut + clients + 1) / q or less. The vector of a trial does not depend on what
else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVarTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array
from jaxcogc.coding.exact.prime_field import (
    subtract,
    sum_of_products,
)
from jaxcogc.coding.exact.ring_constraints import combined, indices, meet_constraints
from jaxcogc.coding.exact.ring_terms import BLOCK, GROUP, RingTerms, offset_lengths
from jaxcogc.runtime.compute_once import Once, in_branches, zeros_like_mesh
from jaxcogc.runtime.folds import fold

Operands = TypeVarTuple("Operands")

_part = partial(lax.dynamic_slice_in_dim, allow_negative_indices=False)
_put = partial(lax.dynamic_update_slice_in_dim, axis=0, allow_negative_indices=False)


def ring_null_vector(
    rows: Array, code: RingTerms, random: Array, modulus: int
) -> tuple[Array, Array]:
    """A random null vector of every trial's received matrix of one attempt.

    Args:
      rows: uint32 [words, 1, clients, trials], as in `null_vector.null_vector`.
      code: from `ring_terms`; must be usable.
      random: uint32 [clients, trials], random field elements.
      modulus: the prime.

    Returns:
      The null vector, uint32 [clients, trials], and the rank, int32 [trials].
    """
    padded, most = len(code.coefficients), code.choices.shape[1]
    nobody = padded - len(random)
    bits = jnp.pad(rows[:, 0], ((0, 0), (nobody, 0), (0, 0)))
    once = in_branches(random[0, 0] <= np.uint32(modulus))
    arrived = (bits[0] & 1) != 0
    constrains = arrived & (np.arange(padded)[:, None] < code.cut)
    num_constraints = once(_number, constrains)
    all_constrain = num_constraints == code.cut
    num_groups = (code.cut - 1 + jnp.any(all_constrain)) // GROUP + 1
    constraints = _all_constraints(once, bits, code, num_groups, modulus)
    place = np.arange(most)[:, None]
    spare = (place == code.cut) & all_constrain
    free = jnp.where((place < code.cut) | spare, random[:most], np.uint32(0))
    fewest = GROUP
    if isinstance(code.cut, int):
        fewest = GROUP * ((code.cut - 1) // GROUP + 1)
    ways = [
        partial(meet_constraints, once, size, modulus) for size in range(fewest, most + 1, GROUP)
    ]
    combination, rank = lax.switch(num_groups - fewest // GROUP, ways, constraints, free, code.cut)
    choices = combined(once, code.choices, combination, GROUP, num_groups, modulus)
    vector = _walk(once, bits, code, choices[:, None], modulus)[nobody:padded, 0]
    return vector, once(_number, arrived) - num_constraints + rank


def _number(flags: Array) -> Array:
    """Of clients whose flags are set, int32 [trials]."""
    return fold(jnp.add, flags.astype(jnp.int32))


def _all_constraints(
    once: Once, bits: Array, code: RingTerms, num_groups: Array, modulus: int
) -> Array:
    """What the constraints say of all trajectories, uint32 [most, most, trials], or zeros."""
    most = code.choices.shape[1]

    def add_group(group: Array, found: Array) -> Array:
        choices = _part(code.choices, group * GROUP, GROUP, axis=1)[..., None]
        line = _walk(once, bits, code, choices, modulus)
        return _put_gaps(once, bits, code, line, found, group * GROUP, modulus)

    nothing = zeros_like_mesh(bits, (most, most, bits.shape[-1]), jnp.uint32)
    constraints: Array = lax.fori_loop(0, num_groups, add_group, nothing)
    return constraints


def _walk(once: Once, bits: Array, code: RingTerms, choices: Array, modulus: int) -> Array:
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
        block, chosen = _block(bits, code, first), _part(choices, first, BLOCK)
        ways = partial(partial, _rows, once, modulus)
        return _put(line, _by_reach(code, ways, block, chosen, line, first), first)

    line = choices + zeros_like_mesh(bits, (trials,), jnp.uint32)
    walked: Array = lax.fori_loop(0, (clients - code.cut) // BLOCK, walk_block, line)
    return walked


def _put_gaps(
    once: Once, bits: Array, code: RingTerms, line: Array, found: Array, column: Array, modulus: int
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
    return _Block(_part(bits, first, BLOCK, axis=1), _part(code.coefficients, first, BLOCK))


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
    window = _part(line, first, BLOCK + length)
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
    return once(missed, _arrived(block), factors, _part(line, first, BLOCK + length))


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
