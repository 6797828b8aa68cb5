"""The file of a store: made whole or not at all; refused, untouched, when it is something else.

A store is an SQLite database in WAL mode. A new one is put together under a temporary name and
linked to its own, so that no half-made store is ever seen and of two makers one wins.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

APPLICATION_ID = 0x6A636763
"""Marks a file as ours ("jcgc" in its header)."""
SCHEMA_VERSION = 1
BUSY_SECONDS = 60.0
_MARK_SECONDS = 10.0
"""How long renaming takes at most."""

Cell = str | int | float | bytes | None
"""What a table holds at one place."""

SCHEMA = """
CREATE TABLE studies (hash TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL,
    text TEXT NOT NULL, date TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE networks (id TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE points (id TEXT PRIMARY KEY, place INTEGER NOT NULL, setting TEXT NOT NULL,
    labels TEXT NOT NULL, rule TEXT NOT NULL);
CREATE TABLE laws (point TEXT PRIMARY KEY, gc_outage REAL) WITHOUT ROWID;
CREATE TABLE sessions (id TEXT PRIMARY KEY, host TEXT NOT NULL, device TEXT NOT NULL,
    version TEXT NOT NULL, date TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (point TEXT NOT NULL, block INTEGER NOT NULL, session TEXT NOT NULL,
    seconds REAL NOT NULL, trials INTEGER NOT NULL, gc INTEGER NOT NULL,
    gc_plus_full INTEGER NOT NULL, gc_plus_partial INTEGER NOT NULL,
    row_space_exact INTEGER NOT NULL, row_space_partial INTEGER NOT NULL,
    all_individuals INTEGER NOT NULL, rank_sum INTEGER NOT NULL, tables BLOB NOT NULL,
    checksum INTEGER NOT NULL, PRIMARY KEY (point, block)) WITHOUT ROWID;
CREATE TABLE event_trials (point TEXT NOT NULL, outcome TEXT NOT NULL, num_events INTEGER NOT NULL,
    trial INTEGER NOT NULL, PRIMARY KEY (point, outcome, num_events)) WITHOUT ROWID;
"""
CLAIMS = """
CREATE TABLE IF NOT EXISTS claims (session TEXT NOT NULL, point TEXT NOT NULL,
    first INTEGER NOT NULL, num INTEGER NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
    lease REAL NOT NULL, PRIMARY KEY (session, point, first)) WITHOUT ROWID
"""
"""Made when a store is opened to be added to: stores of before have none, and need none."""


class StoreError(ValueError):
    """What is wrong with a store, in one line that names the file and the cure."""


_FULL = "the disk is full; blocks committed before are safe: make room and run again"
_DAMAGED = "is damaged ({}): restore a copy, or merge what other machines have"
_BUSY = "is busy ({}): another program holds it; run again when that has ended"
_NOT_WRITABLE = "cannot be opened for writing ({}): check the permissions of file and folder"
_MEANINGS = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_READONLY: _NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _NOT_WRITABLE,
}
"""What to tell, and what to do, by SQLite's primary result code; {} is what SQLite says."""


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """What SQLite (or the disk) says about a file becomes a StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        said = " ".join(str(error).split())
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF  # without the details
        raise StoreError(f"{path}: {_MEANINGS.get(code, '{}').format(said)}") from error
    except UnicodeDecodeError as error:  # of a text that SQLite read from a damaged page
        raise StoreError(f"{path}: is damaged (a text is none): restore a copy") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error


@contextmanager
def decoding_errors(path: Path) -> Iterator[None]:
    """What comes of values of wrong types or lengths, in a damaged file, becomes a StoreError."""
    try:
        yield
    except StoreError:
        raise
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        reason = " ".join(str(error).split())[:80]
        raise StoreError(f"{path}: is damaged ({reason}): restore a copy") from error


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a store that exists; for reading it need not be in a place that can be written.

    Raises:
      StoreError: no such file, a foreign, truncated or newer one; it is left as it is.
    """
    check_file(path)
    with sqlite_errors(path):
        if write and not _can_be_written(path):
            raise StoreError(f"{path}: {_NOT_WRITABLE.format('it may only be read')}")
        if write or all(map(_can_be_written, (path, path.parent))):
            return _opened(path)
        if not _beside(path):
            return _opened(path, "?immutable=1")
        try:  # another program is at work on it: SQLite sorts that out where it can
            return _opened(path)
        except sqlite3.OperationalError:
            return _copied(path)


def _opened(path: Path, options: str = "") -> sqlite3.Connection:
    uri = path.absolute().as_uri() + options
    connection = sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, uri=True)
    try:
        # A commit is on the disk when it returns: not even a power cut loses it.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        # The header may lag behind the write-ahead log.
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        _check_version(path, version)
        return connection
    except BaseException:
        connection.close()
        raise


def _copied(path: Path) -> sqlite3.Connection:
    """What a file and the log beside it hold, in memory: both may only be read."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, *_beside(path)):
            shutil.copyfile(file, Path(folder) / file.name)
        with closing(_opened(Path(folder) / path.name)) as copy:
            connection = sqlite3.connect(":memory:", isolation_level=None)
            copy.backup(connection)
            return connection


def _beside(path: Path) -> list[Path]:
    """The logs that a program at work, or one that was killed, has left beside a store."""
    logs = (path.with_name(path.name + ending) for ending in ("-wal", "-journal"))
    return [log for log in logs if log.exists() and log.stat().st_size]


def _can_be_written(path: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(path, os.W_OK, effective_ids=effective)


def check_file(path: Path) -> None:
    """Look at the header of a file without opening it as a database (StoreError as `connect`)."""
    with sqlite_errors(path):
        if path.is_dir():
            raise StoreError(f"{path}: is a folder: allowed is the file of a store")
        with path.open("rb") as stream:
            header = stream.read(100)
            size = os.fstat(stream.fileno()).st_size
    if size == 0:
        raise StoreError(f"{path}: is empty, not a store: delete it to start anew")
    if not header.startswith(b"SQLite format 3\0"[: len(header)]):
        raise StoreError(f"{path}: is not a store of jaxcogc: allowed is a file that collect made")
    if len(header) < 100:
        raise StoreError(f"{path}: is truncated ({size} bytes): restore a copy")
    number = {at: int.from_bytes(header[at : at + 4], "big") for at in (28, 60, 68)}
    if number[68] != APPLICATION_ID:
        raise StoreError(f"{path}: is a database of another program, not a store of jaxcogc")
    _check_version(path, number[60])
    page = int.from_bytes(header[16:18], "big")
    expected = number[28] * (65536 if page == 1 else page)
    # With a write-ahead log beside it the file may lag behind: then SQLite itself must judge.
    if size < expected and not _beside(path):
        raise StoreError(
            f"{path}: is truncated ({size:,} of {expected:,} bytes): restore a copy, or merge what "
            "other machines have"
        )


def _check_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: has schema version {version}, this program knows {SCHEMA_VERSION}: "
            "use a newer jaxcogc"
        )


def create(path: Path) -> None:
    """Make an empty store; one that another process makes at the same time is as good."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    with sqlite_errors(path):
        try:
            connection = sqlite3.connect(temporary, isolation_level=None)
            try:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                connection.executescript(SCHEMA)
                connection.execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
            _give_name(temporary, path)
        finally:
            for leftover in (temporary, *(Path(f"{temporary}-{end}") for end in ("wal", "shm"))):
                leftover.unlink(missing_ok=True)


def _give_name(temporary: Path, path: Path) -> None:
    """Call a file by its name, unless another process has a file of that name by now."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links: who has made the mark may rename
        mark = path.with_name(f".{path.name}.new")
        while not path.exists():
            try:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                _wait_for(mark)
                continue
            try:
                if not path.exists():
                    os.replace(temporary, path)
            finally:
                mark.unlink(missing_ok=True)


def _wait_for(mark: Path) -> None:
    """Wait a moment; take away the mark of a process that was killed."""
    time.sleep(0.02)
    with suppress(FileNotFoundError):
        if time.time() - mark.stat().st_mtime > _MARK_SECONDS:
            mark.unlink()
