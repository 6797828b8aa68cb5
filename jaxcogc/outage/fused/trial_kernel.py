"""What one instance of the fused kernel does: a few dozen trials, one a thread.

The links of a trial are drawn by offset around the ring, as `links.packed_draws` draws them: word o
has a bit for each row (client and attempt), set where the row's link to the client o places on
delivered. Turned into columns, word j has the rows that hold client j; the Gram entry of two
clients is a sum over the bits of two columns. Elimination and back substitution are those of
`coding.exact.null_vector`, number for number, with the whole triangle in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from operator import and_, or_
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxcogc._types import Array
from jaxcogc.coding.exact.prime_field import add
from jaxcogc.outage.fused.kernel_inputs import CHUNK, KernelSize, OfRun
from jaxcogc.outage.fused.link_draws import Key, LinkKeys, arrived, two_words
from jaxcogc.outage.fused.machine_blocks import U32, apply, product_block


class BlockWords(NamedTuple):
    """As `OfBlocks.words`, of one block: scalars that are read, and spread over the lanes."""

    link_keys: LinkKeys
    vector_key: Key
    start: list[Array]
    slope: list[Array]


def read_block(size: KernelSize, words: Callable[[int], Array]) -> BlockWords:
    """A block's words; ``words(n)`` reads the n-th."""
    first, number = 4, size.clients
    start = [words(first + k) for k in range(number)]
    slope = [words(first + number + k) for k in range(number)]
    further = [
        (words(place), words(place + 1)) for place in range(first + 2 * number, size.block_words, 2)
    ]
    keys = LinkKeys(
        (words(0), words(1)),
        further[0] if size.links.soft else None,
        further[-1] if size.links.blocks else None,
    )
    return BlockWords(keys, (words(2), words(3)), start, slope)


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
    (word, _) = two_words(block.vector_key, size, spread)(trials, zero)
    word = word >> U32(1)
    word = jnp.minimum(word, word - U32(size.modulus))

    def decided(rows: list[Array]) -> _Zeros:
        gram = _gram(size, _columns(size, rows), run)
        return _zeros(size, gram, lambda k: _free(size, block, k, word, spread), zero)

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


def _products(size: KernelSize, *factors: Array) -> Array:
    """Sum of the Montgomery products of factors in pairs, of one pair or two at a time."""
    parts = [factors[n : n + 4] for n in range(0, len(factors), 4)]
    found = [
        apply(product_block(size.modulus, len(part) // 2), size.on_gpu, *part) for part in parts
    ]
    total: Array = reduce(partial(add, modulus=size.modulus), found)
    return total


def _gram(size: KernelSize, columns: list[Array], run: OfRun) -> dict[tuple[int, int], Array]:
    """The upper triangle of the weighted Gram matrices."""
    entries: dict[tuple[int, int], Array] = {}
    for chunk in range(size.chunks):
        part = [x >> U32(CHUNK * chunk) & U32(2**CHUNK - 1) for x in columns]
        for number, (j, i) in enumerate(size.pairs()):
            value = run.tables[chunk, number, part[j] & part[i] if i > j else part[j]]
            entries[j, i] = value if chunk == 0 else add(entries[j, i], value, size.modulus)
    return entries


def _free(
    size: KernelSize,
    block: BlockWords,
    client: int,
    word: Array,
    spread: Callable[[Array], Array],
) -> Array:
    """The element that a free column of the trial gets, as `coding.exact.free_elements`."""
    of_trial = _products(size, spread(block.slope[client]), word)
    return add(spread(block.start[client]), of_trial, size.modulus)


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
    """Eliminate, and solve for the null vector; ``gram`` is used up."""
    modulus, unit = U32(size.modulus), zero + U32(size.unit)
    pivots: list[Array] = []
    rank = zero
    free: list[Array] = []
    for c in range(size.clients):
        free.append(gram[c, c] == 0)
        rank = jnp.where(free[c], rank, rank + U32(1))
        pivots.append(jnp.where(free[c], unit, gram[c, c]))
        for j in range(c + 1, size.clients):
            minus = modulus - gram[c, j]
            for i in range(j, size.clients):
                gram[j, i] = _products(size, pivots[c], gram[j, i], minus, gram[c, i])
    vector: list[Array] = []  # of the clients behind, the nearest first
    for c in reversed(range(size.clients)):
        total = zero
        if vector:
            factors = ((gram[c, c + 1 + n], x) for n, x in enumerate(vector))
            total = _products(size, *(factor for pair in factors for factor in pair))
        solved = jnp.where(total == 0, zero, modulus - total)
        vector = [_products(size, x, pivots[c]) for x in vector]
        vector.insert(0, jnp.where(free[c], free_element(c), solved))
    bits = (jnp.where(x == 0, U32(1 << k), U32(0)) for k, x in enumerate(vector))
    total = reduce(partial(add, modulus=size.modulus), vector)
    return _Zeros(reduce(or_, bits), jnp.where(total == 0, U32(1), U32(0)), rank, zero)
