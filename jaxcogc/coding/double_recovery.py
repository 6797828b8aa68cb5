"""Trials decided twice, for probabilities so small that one misjudgement would show.

A null vector errs in two ways (`coding.exact.null_vector`): an element is zero by chance, or a
pivot is, and what comes out is no null vector at all. So every vector is tested: one that all
received rows annihilate proves that a client where it is not zero cannot be recovered. Two vectors
are drawn, with weights, trajectories and free elements of their own; a client counts as recovered
where no proven vector says otherwise. A trial is then misjudged only where both vectors fail: with
about the square of the chance of one. Codes that float64 decides are decided by it, once.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, Key
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.decision import (
    Recovery,
    Zeros,
    decision_rule,
    null_vector_of,
    prepare_code,
    recovery_from_zeros,
    stacks_to_decide,
    zeros_of,
)
from jaxcogc.coding.exact.free_elements import free_elements
from jaxcogc.coding.exact.prime_field import add, multiply
from jaxcogc.coding.gradient_code import GradientCode
from jaxcogc.coding.recovery import kernel_for, recover, tile_size
from jaxcogc.links.draws import Links
from jaxcogc.runtime.random_words import fold_in

__all__ = ["recover_twice"]


def recover_twice(key: Key, code: GradientCode, links: Links) -> Recovery:
    """Decide what many trials recover, each by two independent null vectors.

    Args:
      key: feeds the vectors, and changes nothing but which trials are misjudged.
      code: the code; leading attempts axis when it is redrawn.
      links: with a leading trials axis; a power of two of them.

    Returns:
      Recovery with a leading trials axis.
    """
    if code.reals is not None:  # no field to draw a second vector over
        once: Recovery = jax.vmap(recover, (None, None, 0))(key, code, links)
        return once
    trials, attempts, clients = links.uplink_delivered.shape
    coefficients = jnp.broadcast_to(code.field_matrix, (attempts, clients, clients))
    rule = decision_rule(code, kernel_for(trials, clients))
    size = min(trials, tile_size(clients, attempts))
    if trials % size:
        raise ValueError(f"{trials} trials: must be a power of two")

    def look(numbers: Array, links: Links, choice: Array) -> tuple[Zeros, Array]:
        prepared = prepare_code(coefficients, code.num_stragglers, code.modulus, choice)
        stacks = stacks_to_decide(rule, prepared, pack_rows(*links))
        random = free_elements(fold_in(key, choice), clients, numbers, code.modulus)
        vector, rank = null_vector_of(rule, prepared, stacks, random)
        unproven = ~_annihilated(coefficients, stacks.rows, vector, code.modulus)
        zeros = zeros_of(vector, rank, code.modulus)
        return Zeros(zeros.clients | unproven, zeros.total | unproven, rank), stacks.num_complete

    numbers = jnp.arange(trials, dtype=jnp.uint32)
    cut = jax.tree.map(lambda x: x.reshape(-1, size, *x.shape[1:]), (numbers, links))
    choices = jnp.arange(2, dtype=jnp.uint32)

    def decide(tile: tuple[Array, Links]) -> Recovery:
        zeros, num_complete = lax.map(partial(look, *tile), choices)
        both = Zeros(
            jnp.all(zeros.clients, axis=0),
            jnp.all(zeros.total, axis=0),
            jnp.max(zeros.rank, axis=0),  # a pivot that vanishes by chance takes one off
        )
        stragglers = jnp.asarray(code.num_stragglers, jnp.int32)
        return recovery_from_zeros(rule, stragglers, both, num_complete[0])

    found = lax.map(decide, cut)
    return Recovery(*(jnp.moveaxis(x, -1, 1).reshape(trials, *x.shape[1:-1]) for x in found))


def _annihilated(coefficients: Array, rows: Array, vector: Array, modulus: int) -> Array:
    """Whether every received row, times the vector, is zero: bool [stacks]."""
    clients = len(vector)
    receiver = np.arange(clients)

    def add_offset(offset: Array, total: Array) -> Array:
        sender = (receiver + offset) % clients
        held = rows[offset // 32] >> (offset % 32).astype(jnp.uint32) & 1
        value = jnp.where(held == 1, vector[sender], np.uint32(0))
        return add(
            total, multiply(coefficients[:, receiver, sender, None], value, modulus), modulus
        )

    missed = lax.fori_loop(0, clients, add_offset, jnp.zeros(rows.shape[1:], jnp.uint32))
    return jnp.all(missed == 0, axis=(0, 1))
