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
else is in the batch, unless a program that knows the reach walks from a turn that suits the batch,
with fewer trajectories where these are enough for all of it (`turns`).
"""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array
from jaxcogc.coding.exact.ring.constraints import combined, meet_constraints
from jaxcogc.coding.exact.ring.terms import BLOCK, GROUP, RingTerms
from jaxcogc.coding.exact.ring.turns import Ring, sizes, together
from jaxcogc.coding.exact.ring.walk import part, put_gaps, walk
from jaxcogc.runtime.compute_once import Once, in_branches, zeros_like_mesh
from jaxcogc.runtime.folds import fold


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
    nobody = -len(random) % BLOCK
    once = in_branches(random[0, 0] <= np.uint32(modulus))
    turn, bits = code.turn, rows[:, 0]
    if turn is not None:
        bits = jnp.roll(bits, -turn, axis=1)
        code = code._replace(coefficients=jnp.roll(code.coefficients, -turn, axis=0))
    bits = jnp.pad(bits, ((0, 0), (nobody, 0), (0, 0)))
    code = code._replace(coefficients=jnp.pad(code.coefficients, ((nobody, 0), (0, 0))))
    arrived = (bits[0] & 1) != 0
    constrains = arrived & (np.arange(len(arrived))[:, None] < code.cut)
    number = once(_number, constrains)
    ring = Ring(once, bits, code, modulus, constrains, number, random)
    if turn is None:
        vector, rank = _in_groups(ring)
    else:
        assert isinstance(code.cut, int), "turned where the reach is known"
        few, all_of_them = sizes(code.cut)
        ways = [partial(together, ring, size) for size in (few, all_of_them)]
        vector, rank = lax.cond(jnp.max(number) < few, *ways)
        vector = jnp.roll(vector, turn, axis=0)
    return vector, once(_number, arrived) - number + rank


def _in_groups(ring: Ring) -> tuple[Array, Array]:
    """A null vector, uint32 [clients, trials], and the rank of the constraints, int32 [trials].

    A trajectory for each client before the cut, whether its row is a constraint or not.
    """
    once, bits, code, modulus, _, number, random = ring
    padded, most = bits.shape[1], code.choices.shape[1]
    all_constrain = number == code.cut
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
    line = walk(once, bits, code, choices[:, None], modulus)
    return line[padded - len(random) : padded, 0], rank


def _number(flags: Array) -> Array:
    """Of clients whose flags are set, int32 [trials]."""
    return fold(jnp.add, flags.astype(jnp.int32))


def _all_constraints(
    once: Once, bits: Array, code: RingTerms, num_groups: Array, modulus: int
) -> Array:
    """What the constraints say of all trajectories, uint32 [most, most, trials], or zeros."""
    most = code.choices.shape[1]

    def add_group(group: Array, found: Array) -> Array:
        choices = part(code.choices, group * GROUP, GROUP, axis=1)[..., None]
        line = walk(once, bits, code, choices, modulus)
        return put_gaps(once, bits, code, line, found, group * GROUP, modulus)

    nothing = zeros_like_mesh(bits, (most, most, bits.shape[-1]), jnp.uint32)
    constraints: Array = lax.fori_loop(0, num_groups, add_group, nothing)
    return constraints
