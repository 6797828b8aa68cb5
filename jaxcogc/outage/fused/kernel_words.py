"""The random words of a trial inside a kernel: those of every other program."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from jaxcogc._types import Array
from jaxcogc.outage.fused.elimination import Arithmetic
from jaxcogc.outage.fused.kernel_inputs import KernelSize
from jaxcogc.outage.fused.machine_blocks import U32, apply, key_schedule, threefry_block

Key = tuple[Array, Array]
SECOND_WORDS = U32(2**31)
"""Set in the counter of the words that decide where first words tie."""
Spread = Callable[[Array], Array]
"""From a scalar that is read to a vector of all lanes."""
TwoWords = Callable[[Array, Array], tuple[Array, Array]]
"""Two words of Threefry of a counter, of one key."""


class LinkKeys(NamedTuple):
    """As `links.draws.Streams`; None where a kind of links has no use for it."""

    links: Key
    erasures: Key | None
    blocking: Key | None


class BlockWords(NamedTuple):
    """As `OfBlocks.words`, of one block: scalars that are read, and spread over the lanes.

    ``start`` and ``slope`` read the word of a client.
    """

    link_keys: LinkKeys
    vector_key: Key
    start: Callable[[int | Array], Array]
    slope: Callable[[int | Array], Array]


def read_block(size: KernelSize, words: Callable[[int | Array], Array]) -> BlockWords:
    """A block's words; ``words(n)`` reads the n-th."""
    first, clients = 4, size.clients
    further = [(words(n), words(n + 1)) for n in range(first + 2 * clients, size.block_words, 2)]
    keys = LinkKeys(
        (words(0), words(1)),
        further[0] if size.links.soft else None,
        further[-1] if size.links.blocks else None,
    )
    return BlockWords(
        keys,
        (words(2), words(3)),
        lambda client: words(first + client),
        lambda client: words(first + clients + client),
    )


def two_words(key: Key, on_gpu: bool, spread: Spread) -> TwoWords:
    """Words of a key."""
    schedule = [spread(word) for word in key_schedule(*key)]

    def words(first: Array, second: Array) -> tuple[Array, Array]:
        both: tuple[Array, Array] = apply(threefry_block(), on_gpu, first, second, *schedule)
        return both

    return words


def free_elements(
    field: Arithmetic, block: BlockWords, trials: Array, spread: Spread
) -> Callable[[int | Array], Array]:
    """By client the element that a free column of a trial gets, as `coding.exact.free_elements`."""
    zero = jnp.zeros_like(trials)
    word, _ = two_words(block.vector_key, field.on_gpu, spread)(trials, zero)
    word = word >> U32(1)
    word = jnp.minimum(word, word - U32(field.modulus))

    def of_client(client: int | Array) -> Array:
        of_trial = field.products(spread(block.slope(client)), word)
        return field.add(spread(block.start(client)), of_trial)

    return of_client
