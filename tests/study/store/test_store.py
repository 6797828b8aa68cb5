"""The store under crashes, damage and other programs: it loads what is right or refuses."""

import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from jaxcogc.study.store.block_rows import NewBlock
from jaxcogc.study.store.store import open_store
from jaxcogc.study.store.store_file import SCHEMA_VERSION, StoreError
from tests.places import PROJECT
from tests.study.crash_writer import BATCH, check, failures
from tests.study.fake import scripted_counts

POINT = "0123456789abcdef"


def fill(path, blocks=range(40), session="a", clients=4):
    with open_store(path, make=True) as store:
        new = [NewBlock(POINT, n, scripted_counts(failures("1", n), clients), 0.5) for n in blocks]
        return store.add_blocks(session, new)


def loads_or_refuses(path, num_blocks=40):
    """Never a wrong count: all counts are those written, or one line says what is wrong."""
    refusal = ""
    try:
        with open_store(path) as store:
            columns = store.prefix(POINT)
            length = len(columns["trials"])
            known = [failures("1", n) for n in range(length)]
            assert length <= num_blocks
            assert (columns["trials"] - columns["gc"]).tolist() == known
            if length:
                assert store.total(POINT, length).num_recovered[0] == sum(known)
            return length
    except StoreError as error:
        refusal = str(error)
    assert str(path) in refusal
    assert "\n" not in refusal
    return None


def test_rows_come_back_as_they_went(tmp_path):
    random_counts = scripted_counts(7, 5)._replace(
        gc_plus_partial_recovered=np.arange(30).reshape(5, 6),
        row_space_partial_recovered=np.arange(30, 60).reshape(5, 6),
    )
    with open_store(tmp_path / "s.db", make=True) as store:
        store.add_blocks("a", [NewBlock(POINT, 0, random_counts, 0.5)])
        total = store.total(POINT, 1)
    for ours, theirs in zip(total, random_counts, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (tmp_path / "s.db").stat().st_size > 0
    assert [p.name for p in tmp_path.iterdir()] == ["s.db"]


def test_a_block_is_inserted_once_and_a_gap_ends_the_prefix(tmp_path):
    assert fill(tmp_path / "s.db", range(3)) == 3
    assert fill(tmp_path / "s.db", range(1, 6), session="b") == 3
    assert fill(tmp_path / "s.db", [8, 9]) == 2
    assert loads_or_refuses(tmp_path / "s.db") == 6
    with open_store(tmp_path / "s.db") as store:
        assert store.num_blocks() == {POINT: 8}
        assert store.rows("SELECT session FROM blocks WHERE block = 1") == [("a",)]
        assert len(store.prefix(POINT, start=8)["trials"]) == 2
        with pytest.raises(StoreError, match="are missing"):
            store.total(POINT, 7)


def test_other_counts_of_the_same_block_are_an_error(tmp_path):
    fill(tmp_path / "s.db", range(3))
    with open_store(tmp_path / "s.db") as store:
        wrong = [NewBlock(POINT, n, scripted_counts(500), 0.1) for n in (3, 2)]
        with pytest.raises(StoreError, match=f"block 2 of point {POINT} was counted twice"):
            store.add_blocks("b", wrong)
    assert loads_or_refuses(tmp_path / "s.db") == 3  # block 3 of the same transaction is not there


@pytest.mark.slow
def test_crashes_lose_nothing_that_was_committed(tmp_path, repetitions):
    path = tmp_path / "s.db"
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.study.crash_writer",
            str(path),
            str(repetitions(20, 100)),
            "0",
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    grown = json.loads(run.stdout)["blocks"]
    assert grown[-1] >= 10 * BATCH
    assert grown == sorted(grown)
    assert len(set(grown)) > len(grown) // 3  # it was killed while it wrote
    # The check itself can fail: a promise that was not kept.
    with pytest.raises(AssertionError, match="promised"):
        check(path, {f"{1:016x}": grown[-1]})


def test_truncated_files_load_or_are_refused(tmp_path, repetitions):
    whole = tmp_path / "whole.db"
    fill(whole)
    data, chance = whole.read_bytes(), random.Random(1)
    cuts = {0, 1, 15, 16, 99, 100, 4095, 4096, 4097, len(data) - 1}
    while len(cuts) < repetitions(20, 200):
        cuts.add(chance.randrange(len(data)))
    refused = 0
    for cut in cuts:
        damaged = tmp_path / "cut.db"
        damaged.write_bytes(data[:cut])
        refused += loads_or_refuses(damaged) is None
        assert damaged.read_bytes() == data[:cut]  # left untouched
        assert not list(tmp_path.glob("cut.db-*"))
        damaged.unlink()
    assert refused == len(cuts)
    assert loads_or_refuses(whole) == 40


def test_truncated_logs_load_what_was_committed(tmp_path, repetitions):
    """A crash leaves the write-ahead log; cut anywhere, whole commits of it are what loads."""
    path, copy = tmp_path / "live.db", tmp_path / "copy.db"
    chance, lengths = random.Random(2), set()
    fill(path, range(5))
    with open_store(path) as store:  # still open: its log is not folded in
        for n in range(5, 40):
            store.add_blocks("a", [NewBlock(POINT, n, scripted_counts(failures("1", n)), 0.5)])
        log = path.with_name("live.db-wal").read_bytes()
        data = path.read_bytes()
    for _ in range(repetitions(20, 200)):
        copy.write_bytes(data)
        copy.with_name("copy.db-wal").write_bytes(log[: chance.randrange(len(log))])
        lengths.add(loads_or_refuses(copy))
        for leftover in tmp_path.glob("copy.db*"):
            leftover.unlink()
    assert lengths <= set(range(5, 41))
    assert len(lengths) > 5


def test_damaged_bytes_load_or_are_refused(tmp_path, repetitions):
    whole, damaged = tmp_path / "whole.db", tmp_path / "damaged.db"
    fill(whole)
    data, chance = whole.read_bytes(), random.Random(3)
    for _ in range(repetitions(20, 200)):
        wrong = bytearray(data)
        place = chance.randrange(100, len(wrong))
        wrong[place : place + 8] = chance.randbytes(8)
        damaged.write_bytes(wrong)
        loads_or_refuses_or_is_short(damaged)


def loads_or_refuses_or_is_short(path):
    """Eight wrong bytes may hit a scalar beside the table: then the checksum must tell."""
    try:
        loads_or_refuses(path)
    except AssertionError:
        with pytest.raises(StoreError, match="damaged"), open_store(path) as store:
            store.total(POINT, len(store.prefix(POINT)["trials"]))


def test_a_full_disk_is_one_line_and_what_was_committed_stays(tmp_path):
    path = tmp_path / "s.db"
    fill(path, range(10))
    with open_store(path) as store:
        ((pages,),) = store.rows("PRAGMA page_count")
        store.rows(f"PRAGMA max_page_count = {pages + 2}")
        counts = scripted_counts(3, 100)  # incompressible enough for several pages
        noise = np.random.default_rng(0).integers(0, 2**14, (100, 101))
        big = counts._replace(gc_plus_partial_recovered=noise)
        with pytest.raises(StoreError, match="the disk is full; blocks committed before are safe"):
            store.add_blocks("a", [NewBlock(POINT, 10, big, 0.5)])
        assert not store.connection.in_transaction
        assert len(store.prefix(POINT)["trials"]) == 10
    assert loads_or_refuses(path) == 10
    assert fill(path, range(10, 12)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty, not a store"),
        (b"[network]\nclients = 4\n" * 20, "is not a store of jaxcogc"),
        (b"SQLite format 3\0" + b"\0" * 20, "is truncated"),
        (b"SQLite format 3\0" + b"\0" * 200, "is a database of another program"),
    ],
)
def test_foreign_files_are_refused_and_left_alone(tmp_path, content, words):
    path = tmp_path / "s.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=words):
        open_store(path, make=True)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["s.db"]


def test_a_newer_store_and_another_programs_database_are_refused(tmp_path):
    newer, other = tmp_path / "newer.db", tmp_path / "other.db"
    fill(newer, range(2))
    shutil.copy(newer, other)
    for path, change in (
        (newer, f"PRAGMA user_version = {SCHEMA_VERSION + 1}"),
        (other, "PRAGMA application_id = 1"),
    ):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(change)
            if path == newer:  # known from the log already, before the file itself says so
                with pytest.raises(StoreError, match="use a newer jaxcogc"):
                    open_store(path)
    for path, words in ((newer, "use a newer jaxcogc"), (other, "of another program")):
        before = path.read_bytes()
        with pytest.raises(StoreError, match=words):
            open_store(path)
        assert path.read_bytes() == before


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(StoreError, match="there is no such file; jaxcogc collect makes one"):
        open_store(tmp_path / "none.db")
    with pytest.raises(StoreError, match="is a folder"):
        open_store(tmp_path)
    with pytest.raises(StoreError, match=r"[Nn]o such file|unable to open"):
        open_store(tmp_path / "no" / "folder.db", make=True)
    assert list(tmp_path.iterdir()) == []
