"""The store of a study: one row for each block of each point, inserted once.

Blocks are keyed by (point, block) and written in transactions, so two writers, a crash at any
moment and a resumed run neither lose a committed block nor count one twice. A block that two
writers counted must have the same counts; if not, something is wrong and it is said.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.runtime.atomic_files import file_mode
from jaxcogc.study.specification.network_labels import tell_apart
from jaxcogc.study.specification.point import WORDS_FORMAT, NetworkText
from jaxcogc.study.store.block_rows import (
    COUNT_COLUMNS,
    SCALARS,
    NewBlock,
    block_row,
    counts_of,
)
from jaxcogc.study.store.point_rows import (
    COLUMNS,
    StoredPoint,
    point_row,
    stored_point,
    texts_of,
    words_format_of,
)
from jaxcogc.study.store.store_file import (
    CLAIMS,
    Cell,
    StoreError,
    connect,
    create,
    decoding_errors,
    sqlite_errors,
)

if TYPE_CHECKING:
    from jaxcogc.study.specification.study_file import Study


class StudyText(NamedTuple):
    """A study in words: for titles, and the text of its file."""

    name: str
    description: str
    text: str


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
        with sqlite_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, values: Sequence[Cell] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with sqlite_errors(self.path):
            return self.connection.execute(query, values).fetchall()

    def add_rows(self, table: str, rows: Iterable[Sequence[Cell]]) -> None:
        """Insert whole rows, each once: those whose key is there already stay as they are."""
        with self.transaction() as connection:
            insert_rows(connection, table, rows)

    def add_study(self, study: Study) -> None:
        """Write down what is to be collected: the study, its networks, points and stop rule.

        A point that is there already keeps its blocks and gets this study's labels and rule.
        """
        content = json.dumps([study.name, study.description, study.text])
        hash = hashlib.sha256(content.encode()).hexdigest()[:16]
        row = (hash, study.name, study.description, study.text, now())
        texts = {id: text for point in study.points for id, text in texts_of(point).items()}
        points = [point_row(place, p, study.rule) for place, p in enumerate(study.points)]
        with self.transaction() as connection:
            insert_rows(connection, "studies", [row])
            insert_rows(connection, "networks", texts.items())
            connection.executemany(
                "INSERT INTO points VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " place = excluded.place, labels = excluded.labels, rule = excluded.rule",
                points,
            )

    def studies(self) -> list[StudyText]:
        """The studies that the store was made for, the oldest first."""
        query = "SELECT name, description, text FROM studies ORDER BY date"
        return [StudyText(*row) for row in self.rows(query)]

    def points(self) -> list[StoredPoint]:
        """All points, in the order of their grid."""
        texts = self.rows("SELECT id, text FROM networks")
        networks = {id: NetworkText(id, text) for id, text in texts}
        query = f"SELECT {COLUMNS} FROM points LEFT JOIN laws ON point = id ORDER BY place, id"
        with decoding_errors(self.path):
            stored = [stored_point(networks, row) for row in self.rows(query)]
            apart = tell_apart(point for point, *_ in stored)
        return [old._replace(point=new) for old, new in zip(stored, apart, strict=True)]

    def check_words_format(self) -> None:
        """Refuse to add to counts of random words that this program does not draw (StoreError)."""
        settings = self.rows("SELECT setting FROM points")
        with decoding_errors(self.path):
            others = {words_format_of(json.loads(text)) for (text,) in settings} - {WORDS_FORMAT}
        if others:
            raise StoreError(
                f"{self.path}: its random words are of format {min(others)}, this program draws "
                f"format {WORDS_FORMAT}: it can be shown, but not extended, merged or replayed; "
                "collect into another file"
            )

    def find_point(self, prefix: str) -> StoredPoint:
        """The point whose identity begins so."""
        found = [stored for stored in self.points() if stored.point.id.startswith(prefix)]
        if len(found) != 1 or not prefix:
            number = "no point" if not found else f"{len(found)} points"
            raise StoreError(f"{prefix!r} is the beginning of {number} of {self.path}")
        return found[0]

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
        with decoding_errors(self.path):
            table = np.array(rows, np.int64).reshape(len(rows), 1 + len(SCALARS))
        contiguous = table[:, 0] == start + np.arange(len(rows))
        length = len(rows) if contiguous.all() else int(np.argmin(contiguous))
        return {name: table[:length, 1 + n] for n, name in enumerate(SCALARS)}

    def total(self, point: str, num_blocks: int) -> OutcomeCounts:
        """The sum of the first blocks of a point, after checking every row's checksum."""
        columns = ", ".join(("block", *COUNT_COLUMNS))
        query = f"SELECT {columns} FROM blocks WHERE point = ? AND block < ?"
        total: OutcomeCounts | None = None
        for block, *columns_of_block in self.rows(query, (point, num_blocks)):
            with decoding_errors(self.path):
                counts = counts_of(point, block, columns_of_block)
            if counts is None:
                raise StoreError(f"{self.path}: is damaged: block {block} of point {point}")
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
      make: create it when there is no file. Without, a store that may only be read can be opened.

    Raises:
      StoreError: no file, or one that is foreign, truncated, damaged or newer, or to be added to
        and of other random words; left as it is.
    """
    path = Path(path)
    with sqlite_errors(path):
        there = file_mode(path) is not None
    if not there:
        if not make:
            raise StoreError(f"{path}: there is no such file; jaxcogc collect makes one")
        create(path)
    store = Store(path, connect(path, write=make))
    if make:
        try:
            store.check_words_format()
            store.rows(CLAIMS)
        except BaseException:
            store.close()
            raise
    return store


def now() -> str:
    """The date and time, as a store keeps them."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def insert_rows(connection: sqlite3.Connection, table: str, rows: Iterable[Sequence[Cell]]) -> None:
    """Insert whole rows within a transaction, keeping what is there."""
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING", row)


def insert_blocks(path: Path, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> int:
    """Insert rows of the table of blocks within a transaction; the number of new ones.

    Raises:
      StoreError: a block is there with other counts.
    """
    marks, num_new = ", ".join("?" * (4 + len(COUNT_COLUMNS))), 0
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
