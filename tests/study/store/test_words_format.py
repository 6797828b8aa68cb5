"""Counts of other random words are shown, and never added to."""

import dataclasses
import json
import sqlite3
from pathlib import Path

import pytest

from jaxcogc.cli.app import main
from jaxcogc.study.collection.collect import collect
from jaxcogc.study.specification.point import WORDS_FORMAT
from jaxcogc.study.store.store import open_store
from jaxcogc.study.store.store_file import StoreError
from tests.study.fake import FakeEngine, small_study

ENGINE = FakeEngine(lambda point, block: 10 + block % 3)
STUDY = small_study("max_trials = 50_000")
OTHER = dataclasses.replace(
    STUDY,
    points=tuple(dataclasses.replace(p, words_format=WORDS_FORMAT + 1) for p in STUDY.points),
)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Path, Path]:
    """One of the words of today, one of others."""
    ours, other = tmp_path / "ours.db", tmp_path / "other.db"
    collect(STUDY, ours, engine=ENGINE)
    collect(OTHER, other, engine=ENGINE)
    return ours, other


def test_other_words_make_other_points() -> None:
    assert {p.id for p in STUDY.points}.isdisjoint(p.id for p in OTHER.points)


def test_they_are_shown(stores: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    tables = []
    for store in stores:
        assert main(["show", "--store", str(store), "--csv", "-"]) == 0
        tables.append(capsys.readouterr().out.splitlines())
    assert len(tables[0]) == len(tables[1]) == 1 + len(STUDY.points)


def test_they_are_not_extended_merged_or_replayed(
    stores: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, other = stores
    before, target = other.read_bytes(), tmp_path / "new.db"
    theirs, today = WORDS_FORMAT + 1, WORDS_FORMAT
    words = f"its random words are of format {theirs}, this program draws format {today}"
    with pytest.raises(StoreError, match=words):
        collect(STUDY, other, engine=ENGINE)
    point = OTHER.points[0].id
    for verb in (
        ["merge", "--store", str(target), str(ours), str(other)],
        ["merge", "--store", str(other), str(ours)],
        ["replay", "--store", str(other), "--point", point, "--trial", "0"],
    ):
        assert main(verb) == 2
        error = capsys.readouterr().err
        assert f"{other}: {words}" in error
        assert error.count("\n") == 1
    assert not target.exists()
    assert other.read_bytes() == before


def test_stores_that_do_not_tell_are_of_the_first_format(stores: tuple[Path, Path]) -> None:
    """All that were made before the format stood beside the setting."""
    store = stores[0]
    with sqlite3.connect(store) as connection:
        for id, text in connection.execute("SELECT id, setting FROM points").fetchall():
            setting = json.loads(text)
            assert setting.pop("words_format") == 1
            row = json.dumps(setting), id
            connection.execute("UPDATE points SET setting = ? WHERE id = ?", row)
    connection.close()
    with open_store(store) as opened:
        assert {stored.point.id for stored in opened.points()} == {p.id for p in STUDY.points}
    assert collect(STUDY, store, engine=ENGINE).trials == 0
