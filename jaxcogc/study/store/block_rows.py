"""A counted block as a row of the store's table: numbers, packed tables, a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.study.store.store_file import Cell

SCALARS = OutcomeCounts._fields[:8]
TABLES = OutcomeCounts._fields[8:]
COUNT_COLUMNS = (*SCALARS, "tables", "checksum")
"""The columns that hold what was counted, in their order."""


class NewBlock(NamedTuple):
    """A counted block on its way into the store."""

    point: str
    block: int
    counts: OutcomeCounts
    seconds: float


def block_row(session: str, block: NewBlock) -> tuple[Cell, ...]:
    """The row of a block: key, origin, `COUNT_COLUMNS`."""
    scalars = tuple(int(getattr(block.counts, name)) for name in SCALARS)
    arrays = [np.ravel(getattr(block.counts, name)) for name in TABLES]
    tables = np.concatenate(arrays).astype("<i4").tobytes()
    packed = zlib.compress(tables, 6)
    sums = _checksum(block.point, block.block, scalars, tables)
    return block.point, block.block, session, block.seconds, *scalars, packed, sums


def counts_of(point: str, block: int, columns: Sequence[Any]) -> OutcomeCounts | None:
    """The counts of a row, from its `COUNT_COLUMNS`; None where they are not what was written."""
    *scalars, packed, checksum = columns
    try:
        tables = zlib.decompress(packed)
    except zlib.error:
        return None
    if _checksum(point, block, scalars, tables) != checksum:
        return None
    numbers = np.frombuffer(tables, "<i4").astype(np.int64)
    # (M + 1) + M + 2 M (M + 1) numbers
    clients = round((np.sqrt(16 + 8 * (len(numbers) - 1)) - 4) / 4)
    sizes = (clients + 1, clients, clients * (clients + 1), clients * (clients + 1))
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    parts[2:] = [part.reshape(clients, clients + 1) for part in parts[2:]]
    fields: list[Any] = [*scalars, *parts]
    return OutcomeCounts(*fields)


def _checksum(point: str, block: int, scalars: Sequence[int], tables: bytes) -> int:
    """CRC-32 of all that a row counts (the tables unpacked: packing differs between machines)."""
    return zlib.crc32(tables, zlib.crc32(repr((point, block, *scalars)).encode()))
