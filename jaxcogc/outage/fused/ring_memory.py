"""Words of the trials of an instance of the ring kernel that wait in the device's memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxcogc._types import Array
from jaxcogc.outage.fused.ring_inputs import RingSize

Index = int | Array


class Memory(NamedTuple):
    """Where the words of an instance's trials are: uint32 [words, lanes], in a reference."""

    ref: Any
    size: RingSize

    @staticmethod
    def words(size: RingSize) -> int:
        """How many there are."""
        of_columns = size.clients * (1 + size.reach + 1)
        of_rows = size.clients * (1 if size.plain.counted else 2)
        eliminated = size.clients * (1 + size.window + size.border)
        return of_rows + of_columns + eliminated + 1

    def row(self, client: Index, stack: Index = 0) -> Index:
        """The place of a row's word; of two stacks the first has the complete rows alone."""
        return client + self.size.clients * stack

    def column(self, client: Index) -> Index:
        """The place of a column's word."""
        return client + self.size.clients * (1 if self.size.plain.counted else 2)

    def pair(self, client: Index, distance: Index) -> Index:
        """The place of the sum over the rows that hold a client and a later one."""
        first = self.column(self.size.clients)
        return first + client * (self.size.reach + 1) + distance

    def eliminated(self, column: Index, place: int) -> Index:
        """The place of an entry of a pivot's row: the pivot, then window, then border; of the
        border's own rows the pivot, then border."""
        width = 1 + self.size.window + self.size.border
        return self.pair(self.size.clients, 0) + column * width + place

    @property
    def complete(self) -> Index:
        """The place of the number of clients whose complete rows arrived."""
        return self.words(self.size) - 1

    def read(self, place: Index) -> Array:
        """uint32 [lanes]."""
        word: Array = self.ref[place, :]
        return word

    def write(self, place: Index, word: Array) -> None:
        """Overwrite."""
        self.ref[place, :] = word


def around(size: RingSize, client: Index) -> Index:
    """The number of a client, at most once around the ring."""
    if isinstance(client, int):
        return client % size.clients
    client = jnp.where(client < 0, client + size.clients, client)
    return jnp.where(client >= size.clients, client - size.clients, client)
