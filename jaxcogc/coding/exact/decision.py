"""What the trials of a tile recover, decided by a null vector of each; the batch axis is last."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Int32

from jaxcogc._types import Array, ArrayLike
from jaxcogc.coding.exact.bit_rows import pack_offsets
from jaxcogc.coding.exact.float_decision import scaled_rows, spanned_by_rows
from jaxcogc.coding.exact.gram import GramTerms, gram_terms
from jaxcogc.coding.exact.null_vector import null_vector
from jaxcogc.coding.exact.panel_loops import Coupling, coupling, looped_null_vector
from jaxcogc.coding.exact.prime_field import add
from jaxcogc.coding.exact.ring.null_vector import ring_null_vector
from jaxcogc.coding.exact.ring.terms import RingTerms, ring_terms, walk_serves, walks_around
from jaxcogc.coding.gradient_code import IN_FLOATS, GradientCode
from jaxcogc.coding.host_field import MERSENNE_31
from jaxcogc.runtime.compute_once import in_branches
from jaxcogc.runtime.folds import fold

_PADDING = 16  # stacks, a line of the cache
_COUNTED_FAMILIES = ("cyclic", "uncoded")


class Recovery(NamedTuple):
    """What one trial recovers. Under a batch every field has the batch's axes too.

    Attributes:
      gc: bool; 1 in row(complete rows): the standard decoder has the exact average.
      sum_recovered: bool; 1 in row(R): the row-space decoder has the exact average.
      client_recovered: bool [clients]; e_k in row(R), the set K.
      rank: int32; rank of the received matrix of all attempts.
      num_complete_rows: int32; complete rows that arrived. With one code for all attempts a
        client's row counts once, however often it arrives.
    """

    gc: Bool[Array, "..."]
    sum_recovered: Bool[Array, "..."]
    client_recovered: Bool[Array, "... clients"]
    rank: Int32[Array, "..."]
    num_complete_rows: Int32[Array, "..."]


class PreparedCode(NamedTuple):
    """A code as the kernel wants it; arrays only, so that one program serves many codes.

    Attributes:
      gram: terms of the weighted Gram matrices.
      meet: for their elimination by loops.
      support: uint32 [words, attempts, clients]; bit per offset, set on the support of a row.
      num_stragglers: int32 scalar.
      ring: for the walk around the ring; None where it never pays.
      reals: uint32 [attempts, clients, clients, 2], float64 bits of the rows at length 1; None
        where the code is decided over a field.
    """

    gram: GramTerms
    meet: Coupling
    support: Array
    num_stragglers: Array
    ring: RingTerms | None
    reals: Array | None = None


class DecisionRule(NamedTuple):
    """The static half of a code: what the compiled program is specialised to.

    Attributes:
      modulus: the prime.
      counted: `gc` follows from the number of complete rows (one cyclic code for all attempts).
      redrawn: every attempt has a code of its own.
      kernel: "xla"; "loops", which compiles in seconds at any size, as `panel_loops` says; "walk",
        around the ring where the code allows it, else by loops; or "fused", one kernel for a GPU
        that draws too, by which whole blocks of trials are counted and single ones are not. All
        find the same. "float64" for codes that no field has.
    """

    modulus: int
    counted: bool
    redrawn: bool
    kernel: str = "xla"


def decision_rule(code: GradientCode, kernel: str = "xla") -> DecisionRule:
    """How `gc` is decided for a code: by counting complete rows, or by a second null vector."""
    if code.modulus == IN_FLOATS:
        return DecisionRule(MERSENNE_31, False, code.redrawn, "float64")
    counted = code.family in _COUNTED_FAMILIES and not code.redrawn
    return DecisionRule(
        code.modulus, counted, code.redrawn, "xla" if kernel == "float64" else kernel
    )


def prepare_code(
    coefficients: Array,
    num_stragglers: ArrayLike,
    modulus: int,
    choice: ArrayLike = 0,
    *,
    reals: Array | None = None,
    reach: int | None = None,
) -> PreparedCode:
    """Terms and support of a code; once, outside any loop over trials.

    Args:
      coefficients: uint32 [attempts, clients, clients], the code over GF(modulus).
      num_stragglers: int32 scalar.
      modulus: the prime.
      choice: of the generic weights and trajectories, a number.
      reals: uint32 [attempts, clients, clients, 2], the bits of float64 coefficients, where these
        decide; of ``coefficients`` only the zeros count then.
      reach: how far around the ring rows reach at most, and that each holds its own client, where
        that is known when the program is compiled: less to compile, and faster.
    """
    choice = jnp.asarray(choice, jnp.uint32)
    attempts, clients, _ = coefficients.shape
    ring = None
    if walks_around(attempts, clients) and (reach is None or walk_serves(clients, reach)):
        ring = ring_terms(coefficients[0], modulus, choice, reach)
    return PreparedCode(
        gram_terms(coefficients, modulus, choice, reach),
        coupling(coefficients),
        pack_offsets((coefficients != 0).reshape(1, -1), attempts, clients)[..., 0],
        jnp.asarray(num_stragglers, jnp.int32),
        ring,
        None if reals is None else scaled_rows(reals),
    )


class Stacks(NamedTuple):
    """The received rows that a tile's trials are decided by; the batch axis is last.

    Attributes:
      rows: uint32 [words, attempts, clients, stacks] packed rows: those of the trials and, where
        counting does not decide `gc`, their complete rows alone as so many more stacks.
      num_complete: int32 [trials]; as of `Recovery`.
    """

    rows: Array
    num_complete: Array


class Zeros(NamedTuple):
    """Where the null vectors of some stacks are zero.

    Attributes:
      clients: bool [clients, stacks].
      total: bool [stacks]; the sum over the clients.
      rank: int32 [stacks], of the received rows.
    """

    clients: Array
    total: Array
    rank: Array


def recover_rows(rule: DecisionRule, code: PreparedCode, random: Array, rows: Array) -> Recovery:
    """Decide a whole tile of trials at once; the batch axis is last everywhere.

    Args:
      rule: the static half of the code.
      code: the prepared code.
      random: uint32 [clients, trials] field elements.
      rows: uint32 [words, attempts, clients, trials] packed rows, zero where erased.

    Returns:
      Recovery with a trailing trials axis.
    """
    words, attempts, clients = code.support.shape
    chex.assert_shape(random, (clients, rows.shape[-1]))
    chex.assert_shape(rows, (words, attempts, clients, None))
    stacks = stacks_to_decide(rule, code, rows)
    if code.reals is not None:
        ones, units, rank = spanned_by_rows(code.reals, stacks.rows)
        zeros = Zeros(units, ones, rank)
    else:
        zeros = zeros_of(*null_vector_of(rule, code, stacks, random), rule.modulus)
    return recovery_from_zeros(rule, code.num_stragglers, zeros, stacks.num_complete)


def stacks_to_decide(rule: DecisionRule, code: PreparedCode, rows: Array) -> Stacks:
    """The stacks of some trials, ``rows`` as in `recover_rows`."""
    support = code.support[..., None]
    once = in_branches(code.num_stragglers >= 0)
    complete = _complete(code, rows)
    num_complete = once(partial(_num_distinct, rule), complete)
    if not rule.counted:
        complete_rows = jnp.where(complete, support, np.uint32(0))
        rows = jnp.concatenate([rows, complete_rows], axis=-1)
    return Stacks(rows, num_complete)


def _num_distinct(rule: DecisionRule, complete: Array) -> Array:
    """How many different rows are complete, int32 [trials]."""
    distinct = complete.reshape(-1, complete.shape[-1])
    if not rule.redrawn:
        distinct = fold(jnp.logical_or, complete)
    return fold(jnp.add, distinct.astype(jnp.int32))


def _complete(code: PreparedCode, rows: Array) -> Array:
    """Which rows arrived with all of their support, bool [attempts, clients, trials]."""
    support = code.support[..., None]
    return fold(jnp.logical_and, (rows & support) == support) & ((rows[0] & 1) != 0)


def rank_bound(code: PreparedCode, rows: Array) -> Array:
    """What the rank cannot exceed with one ring code: int32 [trials].

    Incomplete rows that arrived, of all attempts, and M - s of the distinct complete ones at most.

    Args:
      code: the prepared code, the same in all attempts.
      rows: as in `recover_rows`.
    """
    complete = _complete(code, rows)
    arrived = (rows[0] & 1) != 0
    incomplete = jnp.sum(arrived & ~complete, axis=(0, 1), dtype=jnp.int32)
    distinct = jnp.sum(jnp.any(complete, axis=0), axis=0, dtype=jnp.int32)
    return incomplete + jnp.minimum(distinct, rows.shape[2] - code.num_stragglers)


def zeros_of(vector: Array, rank: Array, modulus: int) -> Zeros:
    """Where null vectors, uint32 [clients, stacks], are zero."""
    once = in_branches(rank[0] >= 0)
    total = once(partial(fold, partial(add, modulus=modulus)), vector)
    return Zeros(vector == 0, total == 0, rank)


def recovery_from_zeros(
    rule: DecisionRule, num_stragglers: Array, zeros: Zeros, num_complete: Array
) -> Recovery:
    """What the null vectors of `stacks_to_decide` say, with a trailing trials axis."""
    trials = len(num_complete)
    if rule.counted:
        gc = num_complete >= len(zeros.clients) - num_stragglers
    else:
        gc = zeros.total[trials:]
    of_trials = zeros.total[:trials], zeros.clients[:, :trials], zeros.rank[:trials]
    return Recovery(gc, *of_trials, num_complete)


def null_vector_of(
    rule: DecisionRule, code: PreparedCode, stacks: Stacks, random: Array
) -> tuple[Array, Array]:
    """Null vectors, uint32 [clients, stacks], and ranks, by the way that kernel and code ask for.

    The two stacks of a trial start from the same ``random``, uint32 [clients, trials].
    """

    def in_general(rows: Array, random: Array) -> tuple[Array, Array]:
        if rule.kernel in ("loops", "walk"):
            return looped_null_vector(rows, code.gram, code.meet, random, rule.modulus)
        return null_vector(rows, code.gram, random, rule.modulus)

    def by_ring(ring: RingTerms, rows: Array, random: Array) -> tuple[Array, Array]:
        return ring_null_vector(rows, ring, random, rule.modulus)

    num_stacks = stacks.rows.shape[-1]
    random = jnp.tile(random, (1, num_stacks // random.shape[-1]))
    rows, random = _padded(stacks.rows), _padded(random)
    if rule.kernel == "loops" or code.ring is None:
        vector, rank = in_general(rows, random)
    elif code.ring.usable is True:
        vector, rank = by_ring(code.ring, rows, random)
    else:
        vector, rank = lax.cond(
            code.ring.usable, partial(by_ring, code.ring), in_general, rows, random
        )
    return vector[:, :num_stacks], rank[:num_stacks]


def _padded(array: Array) -> Array:
    """Some stacks more, of nothing, behind a multiple of 128 of them.

    What a step of elimination reads stands a row of the batch apart: at multiples of 512 bytes all
    of it would compete for a few lines of a CPU's nearest cache. A GPU hardly notices.
    """
    if array.shape[-1] % 128:
        return array
    return jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, _PADDING)])
