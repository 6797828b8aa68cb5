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
from jaxcogc.links.thresholds import LinkKind, LinkLaw, LinkThresholds
from jaxcogc.outage.fused.elimination import Arithmetic
from jaxcogc.outage.simulation.block_words import block_key, vector_words

CHUNK = 7
"""Places that one table sums over."""


class KernelSize(NamedTuple):
    """What the kernel is specialised to.

    Attributes:
      clients, attempts, links, modulus, counted: as of the program.
      lanes: trials that one instance of the kernel decides, one a thread.
      on_gpu: with blocks of assembler; else by plain operations, for interpret mode.
    """

    clients: int
    attempts: int
    links: LinkKind
    modulus: int
    counted: bool
    lanes: int
    on_gpu: bool

    @property
    def rows(self) -> int:
        """Of all attempts."""
        return self.clients * self.attempts

    @property
    def levels(self) -> tuple[int, ...]:
        """Thresholds that a word of a link is compared with, for each stream of such words."""
        of_links = 2 if self.links.remembers else 1
        return (of_links, 2) if self.links.soft else (of_links,)

    @property
    def block_words(self) -> int:
        """That the trials of a block share."""
        return 4 + 2 * self.clients + 2 * self.links.soft + 2 * self.links.blocks

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
      words: uint32 [blocks, block words]: two words of the links' key, two of the key of the
        trials' own field elements, by client start and slope of the null vectors' elements, and
        two words each of the keys of erasures in soft states and of blocked clients, if there are.
      limit: int32 [blocks], the trials that count.
    """

    words: Array
    limit: Array


class OfRun(NamedTuple):
    """What all trials share.

    Attributes:
      room: uint32 [levels, attempts, offsets, clients], by offset and receiver the complement of
        the upper word of the threshold; offsets padded to an even number, by links that never
        arrive. Independent links have one level, of one attempt that stands for all; those that
        remember have "bad" and "bad or kept".
      low: likewise the lower word.
      needed: int32 [offsets / 2], 1 where the words of one of two offsets are needed.
      support: uint32 [clients], by offset the rows whose code reaches the client there.
      tables: uint32 [chunks, clients (clients + 1) / 2, 128].
      least: int32 [1], complete rows that standard decoding needs.
      state_room, state_low: uint32 [2], of erasures in the good and in the bad state; None where
        states are not soft.
      blocked_room, blocked_low: uint32 [clients], of being blocked; None where nobody can be.
    """

    room: Array
    low: Array
    needed: Array
    support: Array
    tables: Array
    least: Array
    state_room: Array | None = None
    state_low: Array | None = None
    blocked_room: Array | None = None
    blocked_low: Array | None = None


def of_blocks(size: KernelSize, run_words: Array, blocks: Array, limit: Array) -> OfBlocks:
    """What the trials of some blocks share.

    Args:
      size: of the kernel.
      run_words: uint32 [2], of the run.
      blocks: int32 [blocks], their numbers.
      limit: int32 [blocks].
    """

    def of_block(block: Array) -> Array:
        key = block_key(run_words, block)
        vectors = vector_words(key, size.clients, size.modulus)
        start = as_montgomery(vectors.start[:, 0], size.modulus)
        slope = as_montgomery(vectors.slope[:, 0], size.modulus)
        slope = as_montgomery(slope, size.modulus)  # the words that it is multiplied by are not
        of_links = streams(key)
        keys = jnp.stack([*of_links.links, *vectors.key])
        words = [keys, start, slope]
        if size.links.soft:
            words.append(jnp.stack(of_links.erasures))
        if size.links.blocks:
            words.append(jnp.stack(of_links.blocking))
        return jnp.concatenate(words)

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
      law: of the links, of the size's kind; of reciprocal ones the same in both directions.
      coefficients: uint32 [attempts, clients, clients], the code over the field.
      num_stragglers: int32 scalar.
    """
    clients = size.clients
    room, low = (
        jnp.moveaxis(jnp.stack(words), 1, 2)
        for words in zip(*by_offset(law, size.attempts).levels[0], strict=True)
    )
    receiver, offset = np.arange(clients), np.arange(clients)[:, None]
    held = coefficients[:, receiver, (receiver + offset) % clients] != 0  # [attempt, offset, row]
    held = jnp.moveaxis(held, 0, 2).reshape(clients, size.rows)
    bits = jnp.asarray(np.uint32(1) << np.arange(size.rows, dtype=np.uint32)[::-1])
    support = jnp.sum(jnp.where(held, bits, np.uint32(0)), axis=1, dtype=jnp.uint32)
    return OfRun(
        ~room,
        low,
        _needed_pairs(size, jnp.any(held, axis=1)),
        support,
        _gram_tables(size, coefficients),
        (clients - jnp.asarray(num_stragglers, jnp.int32)).reshape(1),
        *_room_and_low(None if law.states is None else [*law.states]),
        *_room_and_low(None if law.blocked is None else [law.blocked]),
    )


def _needed_pairs(size: KernelSize, used: Array) -> Array:
    """Which pairs of offsets to draw, int32, from which offsets the code uses, bool [clients]."""
    used = used.at[0].set(True)  # offset 0 carries the uplinks
    if size.links.reciprocal:  # the words are the other end's, where that is the lower client
        used = used | used[-np.arange(size.clients) % size.clients]
    pairs = jnp.pad(used, (0, size.clients % 2)).reshape(-1, 2)
    return jnp.any(pairs, axis=1).astype(jnp.int32)


def _room_and_low(limits: list[LinkThresholds] | None) -> tuple[Array | None, Array | None]:
    """Thresholds as the kernel reads them, one vector of each of their words."""
    if limits is None:
        return None, None
    high, low = (jnp.hstack(words) for words in zip(*limits, strict=True))
    return ~high, low


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
