"""What one instance of the fused kernel does: a few dozen trials, one a thread.

The links of a trial are drawn by offset around the ring, as `links.packed_draws` draws them: word o
has a bit for each row (client and attempt), set where the row's link to the client o places on
delivered. Turned into columns, word j has the rows that hold client j; the Gram entry of two
clients is a sum over the bits of two columns. Elimination and back substitution are those of
`coding.exact.null_vector`, number for number, with the whole triangle in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_, or_
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxcogc._types import Array
from jaxcogc.outage.fused.elimination import null_vector
from jaxcogc.outage.fused.kernel_inputs import CHUNK, KernelSize, OfRun
from jaxcogc.outage.fused.kernel_words import BlockWords, free_elements
from jaxcogc.outage.fused.link_draws import arrived
from jaxcogc.outage.fused.machine_blocks import U32


def decide_trials(size: KernelSize, block: BlockWords, run: OfRun, trials: Array) -> Array:
    """Draw and decide some trials of a block.

    Args:
      size: what the kernel is specialised to.
      block: of the trials.
      run: what all trials share; references that the kernel reads from.
      trials: uint32 [lanes], their numbers in the block.

    Returns:
      uint32 [lanes]: bit k where client k's update is recovered, bit ``clients`` where standard
      decoding has the exact average, the next one where the row space has, then the rank.
    """
    zero = jnp.zeros_like(trials)

    def spread(scalar: Array) -> Array:
        return zero + scalar

    links = arrived(size, block.link_keys, run, trials, spread)
    complete = reduce(and_, (x | ~run.support[o] for o, x in enumerate(links))) & links[0]
    links = [links[0], *(x & links[0] for x in links[1:])]
    free_element = free_elements(size.field, block, trials, spread)

    def decided(rows: list[Array]) -> _Zeros:
        gram = _gram(size, _columns(size, rows), run)
        return _zeros(size, gram, free_element, zero)

    if size.counted:
        found = decided(links)
        gc = _distinct(size, complete) >= run.least[0]
    else:  # the complete rows alone first; a loop, so that the code is there once

        def next_stack(step: Array, before: _Zeros) -> _Zeros:
            kept = complete | (zero - step.astype(jnp.uint32))
            return decided([x & kept for x in links])._replace(before=before.total)

        nothing = _Zeros(zero, zero, zero, zero)
        found = lax.fori_loop(0, 2, next_stack, nothing)
        gc = found.before != 0
    outcome = found.clients | jnp.where(gc, U32(1 << size.clients), U32(0))
    outcome = outcome | found.total << U32(size.clients + 1)
    return outcome | found.rank << U32(size.clients + 2)


def _columns(size: KernelSize, links: list[Array]) -> list[Array]:
    """By client, the rows that hold it."""
    clients = range(size.clients)
    of_row = [sum(1 << size.place(m, a) for a in range(size.attempts)) for m in clients]
    return [
        reduce(or_, (links[(j - m) % size.clients] & U32(of_row[m]) for m in clients))
        for j in clients
    ]


def _distinct(size: KernelSize, complete: Array) -> Array:
    """How many clients' complete rows arrived, in whatever attempt: int32."""
    any_attempt = reduce(or_, (complete >> U32(a) for a in range(size.attempts)))
    last = size.attempts - 1
    bits = (any_attempt >> U32(size.place(m, last)) & U32(1) for m in range(size.clients))
    return reduce(lambda x, y: x + y, bits).astype(jnp.int32)


def _gram(size: KernelSize, columns: list[Array], run: OfRun) -> dict[tuple[int, int], Array]:
    """The upper triangle of the weighted Gram matrices."""
    entries: dict[tuple[int, int], Array] = {}
    for chunk in range(size.chunks):
        part = [x >> U32(CHUNK * chunk) & U32(2**CHUNK - 1) for x in columns]
        for number, (j, i) in enumerate(size.pairs()):
            value = run.tables[chunk, number, part[j] & part[i] if i > j else part[j]]
            entries[j, i] = value if chunk == 0 else size.field.add(entries[j, i], value)
    return entries


class _Zeros(NamedTuple):
    """Of a null vector: bits of the clients where it is zero, 1 where its sum is, the rank of the
    rows; and what ``total`` was of the stack before."""

    clients: Array
    total: Array
    rank: Array
    before: Array


def _zeros(
    size: KernelSize,
    gram: dict[tuple[int, int], Array],
    free_element: Callable[[int], Array],
    zero: Array,
) -> _Zeros:
    """Where the null vector is zero; ``gram`` is used up."""
    vector, rank = null_vector(size.field, gram, free_element, zero)
    bits = (jnp.where(x == 0, U32(1 << k), U32(0)) for k, x in enumerate(vector))
    total = jnp.where(size.field.total(vector) == 0, U32(1), U32(0))
    return _Zeros(reduce(or_, bits), total, rank, zero)
