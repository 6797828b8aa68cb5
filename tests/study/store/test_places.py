"""Stores in places that can only be read, and on file systems that know no hard links."""

import errno
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jaxcogc.cli.app import main
from jaxcogc.study import collect
from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.store.merging import merge_stores
from jaxcogc.study.store.store import Store, open_store
from jaxcogc.study.store.store_file import StoreError
from tests.places import somebody_else
from tests.study.fake import FakeEngine, small_study


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that somebody else may look into."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def fill(path: Path, stop: str = "max_trials = 50_000") -> Path:
    collect(small_study(stop), path, engine=FakeEngine(lambda point, block: 50 + block))
    return path


def events_of(store: Store) -> list[int]:
    return [int(result.counts.trials - result.counts.gc) for result in read_table(store).results]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


MODES = {"both": (0o444, 0o555), "folder": (0o666, 0o555), "file": (0o444, 0o777)}


@pytest.mark.parametrize("modes", MODES.values(), ids=MODES)
def test_what_may_only_be_read_is_read(
    folder: Path, tmp_path: Path, modes: tuple[int, int]
) -> None:
    store = fill(folder / "a #1?.db")
    with open_store(store) as opened:
        expected = events_of(opened)
    before = contents(folder)
    store.chmod(modes[0])
    folder.chmod(modes[1])
    with somebody_else(), open_store(store) as opened:
        assert events_of(opened) == expected
    assert contents(folder) == before  # nothing of another user's lies beside it
    merge_stores([store], tmp_path / "all.db")
    with open_store(tmp_path / "all.db") as opened:
        assert events_of(opened) == expected
    with somebody_else(), pytest.raises(StoreError, match="cannot be opened for writing"):
        open_store(store, make=True).add_rows("networks", [("x", "y")])
    folder.chmod(0o755)


def test_a_store_where_nobody_may_look_is_one_line(folder: Path) -> None:
    store = fill(folder / "closed.db")
    folder.chmod(0o700)
    for make in (False, True):
        with somebody_else(), pytest.raises(StoreError, match=r"closed\.db: Permission denied"):
            open_store(store, make=make)


@pytest.mark.parametrize("killed", [False, True])
def test_what_another_program_has_not_folded_in_yet_is_read_too(folder: Path, killed: bool) -> None:
    """Blocks that stand in the log alone, of a writer that is at work or was killed."""
    here = folder / "here"
    here.mkdir()
    writer = open_store(fill(here / "s.db"), make=True)
    writer.rows("DELETE FROM blocks WHERE block = 3")
    with open_store(here / "s.db") as opened:
        expected = sum(opened.num_blocks().values())
    assert expected == 18
    if killed:
        copy = folder / "copy"
        shutil.copytree(here, copy, ignore=shutil.ignore_patterns("*-shm"))
        writer.close()
        here = copy
    for path in (*here.iterdir(), here):
        path.chmod(0o555)
    before = contents(here)
    with somebody_else(), open_store(here / "s.db") as opened:
        assert sum(opened.num_blocks().values()) == expected
        read_table(opened)
    assert contents(here) == before
    here.chmod(0o755)
    writer.close()


def test_verbs_that_read_open_what_cannot_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fill(folder / "s.db")
    opened, real = [], sqlite3.connect
    monkeypatch.setattr(os, "access", lambda path, *_, **__: not Path(path).is_relative_to(folder))
    monkeypatch.setattr(
        sqlite3, "connect", lambda name, **x: opened.append(str(name)) or real(name, **x)
    )
    before = contents(folder)
    for verb, flag, ending in (
        ("show", "--json", ".json"),
        ("show", "--csv", ".csv"),
        ("plot", "--out", ".svg"),
        ("report", "--out", ".html"),
    ):
        target = tmp_path / f"{verb}{ending}"
        assert main([verb, "--store", str(store), flag, str(target)]) == 0
        assert target.stat().st_size
    assert main(["merge", "--store", str(tmp_path / "all.db"), str(store)]) == 0
    assert contents(folder) == before
    ours = [name for name in opened if str(folder) in name]
    assert len(ours) == 5
    assert all(name.endswith("?immutable=1") for name in ours)


@pytest.fixture(params=[errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("no_links")
def test_a_store_is_made_without_hard_links(tmp_path: Path) -> None:
    fill(tmp_path / "s.db")
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]
    with open_store(tmp_path / "s.db") as opened:
        assert len(events_of(opened)) == 6
    merge_stores([tmp_path / "s.db"], tmp_path / "t.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.db", "t.db"]


@pytest.mark.usefixtures("no_links")
@pytest.mark.parametrize("stale", [False, True])
def test_of_many_makers_one_wins_without_hard_links_too(tmp_path: Path, stale: bool) -> None:
    """No maker takes away the file that another has begun to write to."""
    path, errors = tmp_path / "s.db", []
    if stale:  # of a process that was killed
        mark = tmp_path / ".s.db.new"
        mark.touch()
        os.utime(mark, (0, 0))
    start = threading.Barrier(8)

    def make(number: int) -> None:
        try:
            start.wait()
            with open_store(path, make=True) as store:
                store.add_rows("networks", [(str(number), "")])
        except (StoreError, sqlite3.Error) as error:
            errors.append(error)

    makers = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert not errors
    with open_store(path) as store:
        assert {row[0] for row in store.rows("SELECT id FROM networks")} == set("01234567")
    assert [found.name for found in tmp_path.iterdir()] == ["s.db"]


@pytest.mark.usefixtures("no_links")
def test_a_place_where_nothing_can_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", replace)
    started = time.monotonic()
    with pytest.raises(StoreError, match=r"s\.db: No space left"):
        open_store(tmp_path / "s.db", make=True)
    assert time.monotonic() - started < 5
    assert not list(tmp_path.iterdir())
