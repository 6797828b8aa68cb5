"""What the ring kernel reads, made from the inputs of the program around it, on the device.

The word of a row (receiver) has bit `offset x attempts + attempt` where the row of that attempt
arrived and holds the client at that offset; the word of a column (client) the same bit where it is
held by the row that stands so many places before it. The rows that hold two clients d places apart
are common bits of two such words, one of them shifted. Sums over them come from tables, one for
each seven bits.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array
from jaxcogc.coding.exact.gram import row_weights
from jaxcogc.coding.exact.prime_field import multiply
from jaxcogc.links.packed_draws import by_offset
from jaxcogc.links.thresholds import ALL_ONES, LinkLaw
from jaxcogc.outage.fused.elimination import Arithmetic
from jaxcogc.outage.fused.kernel_inputs import (
    CHUNK,
    KernelSize,
    as_montgomery,
    sums_of_choices,
)

MOST_ENTRIES = 136
"""Of a matrix that is in registers: a triangle of 16 columns, of 255 registers of a thread."""


class RingSize(NamedTuple):
    """What the ring kernel is specialised to.

    Attributes:
      plain: as the kernel for few clients.
      reach: the largest offset that a code may use, at least 1.
    """

    plain: KernelSize
    reach: int

    @property
    def clients(self) -> int:
        """Of the program."""
        return self.plain.clients

    @property
    def attempts(self) -> int:
        """Of the program."""
        return self.plain.attempts

    @property
    def field(self) -> Arithmetic:
        """How it computes."""
        return self.plain.field

    @property
    def border(self) -> int:
        """The last columns, which the first ones reach around the ring: eliminated at the end."""
        return self.reach

    @property
    def pivots(self) -> int:
        """Columns before the border: eliminated one by one."""
        return self.clients - self.reach

    @property
    def window(self) -> int:
        """Columns before the border that a pivot may touch."""
        return min(self.reach, self.pivots)

    @property
    def border_groups(self) -> list[range]:
        """Columns of the border that are eliminated together, as many as registers hold."""
        groups = -(-self.window * self.border // MOST_ENTRIES)
        width = -(-self.border // groups)
        starts = range(0, self.border, width)
        return [range(n, min(n + width, self.border)) for n in starts]

    @property
    def offset_pairs(self) -> int:
        """Pairs of offsets that are drawn."""
        return self.reach // 2 + 1

    @property
    def client_words(self) -> int:
        """Words with a bit for each client."""
        return -(-self.clients // 32)

    @property
    def every_offset(self) -> int:
        """A word with the lowest bit of every offset."""
        return sum(1 << offset * self.attempts for offset in range(self.reach + 1))

    def chunks(self, distance: int) -> int:
        """Tables for two clients at a distance."""
        return -(-(self.reach + 1 - distance) * self.attempts // CHUNK)

    @property
    def tables(self) -> int:
        """For a client and all those up to the reach."""
        return sum(map(self.chunks, range(self.reach + 1)))


class OfRingRun(NamedTuple):
    """What all trials share.

    Attributes:
      room: uint32 [offsets, clients], by offset and receiver the complement of the upper word of
        the threshold; offsets beyond the reach never arrive.
      low: likewise the lower word.
      support: uint32 [clients], as a row's word.
      tables: uint32 [clients x tables, 128].
      least: int32 [1], complete rows that standard decoding needs.
    """

    room: Array
    low: Array
    support: Array
    tables: Array
    least: Array


def of_ring_run(
    size: RingSize, law: LinkLaw, coefficients: Array, num_stragglers: Array
) -> OfRingRun:
    """What all trials share.

    Args:
      size: of the kernel.
      law: of independent links.
      coefficients: uint32 [attempts, clients, clients], the code over the field; it must not reach
        further than the kernel.
      num_stragglers: int32 scalar.
    """
    offsets = np.arange(2 * size.offset_pairs)[:, None]
    receiver = np.arange(size.clients)
    limits = by_offset(law, size.attempts).levels[0][0]
    reached = jnp.asarray(offsets <= size.reach)
    high, low = (
        jnp.where(reached, jnp.asarray(word)[: len(offsets), 0], ALL_ONES) for word in limits
    )
    offset = np.arange(size.reach + 1)[:, None]
    held = coefficients[:, receiver, (receiver + offset) % size.clients] != 0
    bits = np.uint32(1) << (offset * size.attempts + np.arange(size.attempts)).astype(np.uint32)
    held = jnp.moveaxis(held, 0, 1)  # [offset, attempt, receiver]
    support = jnp.where(held, jnp.asarray(bits)[..., None], np.uint32(0))
    return OfRingRun(
        ~high,
        low,
        jnp.sum(support, axis=(0, 1), dtype=jnp.uint32),
        _tables(size, coefficients),
        (size.clients - jnp.asarray(num_stragglers, jnp.int32)).reshape(1),
    )


def _tables(size: RingSize, coefficients: Array) -> Array:
    """For a client and each one up to the reach, sums over the rows that may hold both."""
    weights = row_weights(size.attempts, size.clients, size.plain.modulus)
    weighted = multiply(weights, coefficients, size.plain.modulus)
    client = np.arange(size.clients)[:, None]
    found = []
    for distance in range(size.reach + 1):
        row = (client - np.arange(size.reach + 1 - distance)) % size.clients  # [client, offset]
        other = (client + distance) % size.clients
        terms = multiply(weighted[:, row, client], coefficients[:, row, other], size.plain.modulus)
        terms = jnp.moveaxis(as_montgomery(terms, size.plain.modulus), 0, 2).reshape(
            size.clients, -1
        )
        chunks = size.chunks(distance)
        terms = jnp.pad(terms, ((0, 0), (0, chunks * CHUNK - terms.shape[1])))
        found.append(
            sums_of_choices(terms.reshape(size.clients, chunks, CHUNK), size.plain.modulus)
        )
    return jnp.concatenate(found, axis=1).reshape(size.clients * size.tables, 2**CHUNK)
