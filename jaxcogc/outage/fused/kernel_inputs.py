"""What the fused kernel reads, made from the inputs of the program around it, on the device.

Bits of a trial: row r of attempt a has the place `rows - 1 - (r x attempts + a)` in every word of
rows. Gram entries are sums over the rows that hold two clients; they are read from tables, one for
each seven places, which hold the sum of every choice of the seven.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array
from jaxcogc.coding.exact.gram import row_weights
from jaxcogc.coding.exact.prime_field import add, multiply
from jaxcogc.coding.host_field import MERSENNE_31
from jaxcogc.links.draws import streams
from jaxcogc.links.packed_draws import by_offset
from jaxcogc.links.thresholds import LinkLaw
from jaxcogc.outage.fused.elimination import Arithmetic
from jaxcogc.outage.simulation.block_words import block_key, vector_words

CHUNK = 7
"""Places that one table sums over."""


class KernelSize(NamedTuple):
    """What the kernel is specialised to.

    Attributes:
      clients, attempts, modulus, counted: as of the program.
      lanes: trials that one instance of the kernel decides, one a thread.
      on_gpu: with blocks of assembler; else by plain operations, for interpret mode.
    """

    clients: int
    attempts: int
    modulus: int
    counted: bool
    lanes: int
    on_gpu: bool

    @property
    def rows(self) -> int:
        """Of all attempts."""
        return self.clients * self.attempts

    @property
    def chunks(self) -> int:
        """Tables of a Gram entry."""
        return -(-self.rows // CHUNK)

    @property
    def field(self) -> Arithmetic:
        """How it computes."""
        return Arithmetic(self.modulus, self.on_gpu)

    def place(self, receiver: int, attempt: int) -> int:
        """The bit of a row."""
        return self.rows - 1 - (receiver * self.attempts + attempt)

    def pairs(self) -> list[tuple[int, int]]:
        """Clients (j, i), j <= i, in the order of the tables."""
        return [(j, i) for j in range(self.clients) for i in range(j, self.clients)]


class OfBlocks(NamedTuple):
    """What the trials of a block share; the first axis is of blocks.

    Attributes:
      words: uint32 [blocks, 4 + 2 clients]: two words of the links' key, two of the key of the
        trials' own field elements, and by client start and slope of the null vectors' elements.
      limit: int32 [blocks], the trials that count.
    """

    words: Array
    limit: Array


class OfRun(NamedTuple):
    """What all trials share.

    Attributes:
      room: uint32 [offsets, clients], by offset and receiver the complement of the upper word of
        the threshold; offsets padded to an even number, by links that never arrive.
      low: likewise the lower word.
      needed: int32 [offsets / 2], 1 where the code uses one of two offsets.
      support: uint32 [clients], by offset the rows whose code reaches the client there.
      tables: uint32 [chunks, clients (clients + 1) / 2, 128].
      least: int32 [1], complete rows that standard decoding needs.
    """

    room: Array
    low: Array
    needed: Array
    support: Array
    tables: Array
    least: Array


def of_blocks(
    clients: int, modulus: int, run_words: Array, blocks: Array, limit: Array
) -> OfBlocks:
    """What the trials of some blocks share.

    Args:
      clients, modulus: of the program.
      run_words: uint32 [2], of the run.
      blocks: int32 [blocks], their numbers.
      limit: int32 [blocks].
    """

    def of_block(block: Array) -> Array:
        key = block_key(run_words, block)
        vectors = vector_words(key, clients, modulus)
        start = as_montgomery(vectors.start[:, 0], modulus)
        slope = as_montgomery(vectors.slope[:, 0], modulus)
        slope = as_montgomery(slope, modulus)  # the words that it is multiplied by are not
        keys = jnp.stack([*streams(key).links, *vectors.key])
        return jnp.concatenate([keys, start, slope])

    return OfBlocks(jax.vmap(of_block)(blocks), limit)


def as_montgomery(elements: Array, modulus: int) -> Array:
    """Elements as Montgomery products want them: those of other fields are so already."""
    if modulus == MERSENNE_31:
        return multiply(elements, jnp.uint32(2**32 % modulus), modulus)
    return elements


def of_run(size: KernelSize, law: LinkLaw, coefficients: Array, num_stragglers: Array) -> OfRun:
    """What all trials share.

    Args:
      size: of the kernel.
      law: of independent links.
      coefficients: uint32 [attempts, clients, clients], the code over the field.
      num_stragglers: int32 scalar.
    """
    clients = size.clients
    limits = by_offset(law, size.attempts).levels[0][0]
    receiver, offset = np.arange(clients), np.arange(clients)[:, None]
    held = coefficients[:, receiver, (receiver + offset) % clients] != 0  # [attempt, offset, row]
    held = jnp.moveaxis(held, 0, 2).reshape(clients, size.rows)
    bits = jnp.asarray(np.uint32(1) << np.arange(size.rows, dtype=np.uint32)[::-1])
    support = jnp.sum(jnp.where(held, bits, np.uint32(0)), axis=1, dtype=jnp.uint32)
    used = jnp.any(held, axis=1).at[0].set(True)  # offset 0 carries the uplinks
    used = jnp.pad(used, (0, clients % 2)).reshape(-1, 2)
    return OfRun(
        ~jnp.asarray(limits.high)[:, 0],
        jnp.asarray(limits.low)[:, 0],
        jnp.any(used, axis=1).astype(jnp.int32),
        support,
        _gram_tables(size, coefficients),
        (clients - jnp.asarray(num_stragglers, jnp.int32)).reshape(1),
    )


def _gram_tables(size: KernelSize, coefficients: Array) -> Array:
    modulus = size.modulus
    weights = row_weights(size.attempts, size.clients, modulus)
    first, second = np.triu_indices(size.clients)
    weighted = multiply(weights, coefficients, modulus)
    terms = multiply(weighted[:, :, first], coefficients[:, :, second], modulus)
    terms = jnp.moveaxis(terms, 1, 0).reshape(size.rows, -1)[::-1]  # by place
    terms = as_montgomery(terms, modulus)
    terms = jnp.pad(terms, ((0, size.chunks * CHUNK - size.rows), (0, 0)))
    return sums_of_choices(jnp.moveaxis(terms.reshape(size.chunks, CHUNK, -1), 1, 2), modulus)


def sums_of_choices(terms: Array, modulus: int) -> Array:
    """The sum of every choice of some terms: [.., terms] -> [.., 2^terms], bit by bit."""
    sums = jnp.zeros((*terms.shape[:-1], 1), jnp.uint32)
    for place in range(terms.shape[-1]):
        with_it = add(sums, terms[..., place, None], modulus)
        sums = jnp.concatenate([sums, with_it], axis=-1)
    return sums
