"""The store of a study: one row for each block of each point, inserted once.

Blocks are keyed by (point, block) and written in transactions, so two writers, a crash at any
moment and a resumed run neither lose a committed block nor count one twice. A block that two
writers counted must have the same counts; if not, something is wrong and it is said.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.study.store.store_file import StoreError, connect, create, decoded, told

SCALARS = OutcomeCounts._fields[:8]
TABLES = OutcomeCounts._fields[8:]


class StoredPoint(NamedTuple):
    """A point as the store knows it.

    Attributes:
      id: its identity.
      setting: what makes it, as plain values; the network by its identity.
      labels: values on the axes of its grid.
      rule: the stop rule's fields and the level.
      closed_form: exact outage probability of standard decoding; None where no law is known.
    """

    id: str
    setting: dict[str, Any]
    labels: dict[str, Any]
    rule: dict[str, Any]
    closed_form: float | None


class NewBlock(NamedTuple):
    """A counted block on its way into the store."""

    point: str
    block: int
    counts: OutcomeCounts
    seconds: float


class Store:
    """An open store; a context manager. All methods raise StoreError with one line."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it by the last to leave."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is done within, or nothing."""
        with told(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with told(self.path):
            return self.connection.execute(query, values).fetchall()

    def add_rows(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert whole rows, each once: those whose key is there already stay as they are."""
        with self.transaction() as connection:
            insert_rows(connection, table, rows)

    def points(self) -> list[StoredPoint]:
        """All points, in the order of their grid."""
        query = (
            "SELECT id, setting, labels, rule, gc_outage FROM points LEFT JOIN laws ON point = id"
            " ORDER BY place, id"
        )
        with decoded(self.path):
            return [
                StoredPoint(id, json.loads(setting), json.loads(labels), json.loads(rule), law)
                for id, setting, labels, rule, law in self.rows(query)
            ]

    def network_text(self, network: str) -> str:
        """The canonical JSON of a network."""
        ((text,),) = self.rows("SELECT text FROM networks WHERE id = ?", (network,))
        return str(text)

    def add_blocks(self, session: str, blocks: Sequence[NewBlock]) -> int:
        """Insert counted blocks in one transaction; the number of those not there already."""
        rows = [block_row(session, block) for block in blocks]
        with self.transaction() as connection:
            return insert_blocks(self.path, connection, rows)

    def num_blocks(self) -> dict[str, int]:
        """Blocks of each point, those beyond its prefix too; absent where there is none."""
        return dict(self.rows("SELECT point, count(*) FROM blocks GROUP BY point"))

    def prefix(self, point: str, start: int = 0) -> dict[str, np.ndarray]:
        """Counts of the contiguous blocks from `start` on: the scalars of `OutcomeCounts`.

        Returns:
          By name int64 [blocks]. Empty when block `start` is not there.
        """
        query = f"SELECT block, {', '.join(SCALARS)} FROM blocks WHERE point = ? AND block >= ?"
        rows = self.rows(query + " ORDER BY block", (point, start))
        with decoded(self.path):
            table = np.array(rows, np.int64).reshape(len(rows), 1 + len(SCALARS))
        contiguous = table[:, 0] == start + np.arange(len(rows))
        length = len(rows) if contiguous.all() else int(np.argmin(contiguous))
        return {name: table[:length, 1 + n] for n, name in enumerate(SCALARS)}

    def total(self, point: str, num_blocks: int) -> OutcomeCounts:
        """The sum of the first blocks of a point, after checking every row's checksum."""
        columns = ", ".join((*SCALARS, "tables", "checksum", "block"))
        query = f"SELECT {columns} FROM blocks WHERE point = ? AND block < ?"
        total: OutcomeCounts | None = None
        for row in self.rows(query, (point, num_blocks)):
            with decoded(self.path):
                if not _intact(point, row):
                    raise StoreError(f"{self.path}: is damaged: block {row[-1]} of point {point}")
                counts = unpack(row[:8], row[8])
            total = counts if total is None else total + counts
        if total is None or total.trials != num_blocks * BLOCK_TRIALS:
            raise StoreError(f"{self.path}: is damaged: blocks of point {point} are missing")
        return total

    def event_trial(self, point: str, outcome: str, num_events: int) -> int | None:
        """The number (from 1) of the trial of an outcome's k-th event, if it was looked up."""
        query = "SELECT trial FROM event_trials WHERE point = ? AND outcome = ? AND num_events = ?"
        found = self.rows(query, (point, outcome, num_events))
        return int(found[0][0]) if found else None


def open_store(path: Path | str, *, make: bool = False) -> Store:
    """Open a store.

    Args:
      path: its file.
      make: create it when there is no file.

    Raises:
      StoreError: no file, or one that is foreign, truncated, damaged or newer; left as it is.
    """
    path = Path(path)
    if not path.exists():
        if not make:
            raise StoreError(f"{path}: there is no such file; jaxcogc collect makes one")
        create(path)
    return Store(path, connect(path))


def insert_rows(connection: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    """Insert whole rows within a transaction, keeping what is there."""
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING", row)


def insert_blocks(path: Path, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> int:
    """Insert rows of the table of blocks within a transaction; the number of new ones.

    Raises:
      StoreError: a block is there with other counts.
    """
    marks, num_new = ", ".join("?" * (len(SCALARS) + 6)), 0
    for row in rows:
        cursor = connection.execute(
            f"INSERT INTO blocks VALUES ({marks}) ON CONFLICT DO NOTHING", row
        )
        num_new += cursor.rowcount
        if cursor.rowcount == 0:
            query = "SELECT checksum FROM blocks WHERE point = ? AND block = ?"
            if connection.execute(query, row[:2]).fetchone() != (row[-1],):
                raise StoreError(
                    f"{path}: block {row[1]} of point {row[0]} was counted twice with different "
                    "results: nothing was added; run jaxcogc doctor on the machines involved"
                )
    return num_new


def block_row(session: str, block: NewBlock) -> tuple[Any, ...]:
    """The row of a block: key, origin, scalars, packed tables, checksum."""
    scalars = tuple(int(getattr(block.counts, name)) for name in SCALARS)
    arrays = [np.ravel(getattr(block.counts, name)) for name in TABLES]
    tables = np.concatenate(arrays).astype("<i4").tobytes()
    sums = checksum(block.point, block.block, scalars, tables)
    packed = zlib.compress(tables, 6)
    return block.point, block.block, session, block.seconds, *scalars, packed, sums


def unpack(scalars: Sequence[int], packed: bytes) -> OutcomeCounts:
    """The counts of a row."""
    numbers = np.frombuffer(zlib.decompress(packed), "<i4").astype(np.int64)
    # (M + 1) + M + 2 M (M + 1) numbers
    clients = round((np.sqrt(16 + 8 * (len(numbers) - 1)) - 4) / 4)
    sizes = (clients + 1, clients, clients * (clients + 1), clients * (clients + 1))
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    parts[2:] = [part.reshape(clients, clients + 1) for part in parts[2:]]
    fields: Iterable[Any] = (*scalars, *parts)
    return OutcomeCounts(*fields)


def checksum(point: str, block: int, scalars: Sequence[int], tables: bytes) -> int:
    """CRC-32 of all that a row counts (the tables unpacked: packing differs between machines)."""
    return zlib.crc32(tables, zlib.crc32(repr((point, block, *scalars)).encode()))


def _intact(point: str, row: Sequence[Any]) -> bool:
    try:
        return checksum(point, row[-1], row[:8], zlib.decompress(row[8])) == row[9]
    except zlib.error:
        return False
