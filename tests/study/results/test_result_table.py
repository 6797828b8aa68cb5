"""The table of a store's results: its axes, conditions, order, and points as they went in."""

import pytest

from jaxcogc.study import collect
from jaxcogc.study.collection.simulation_engine import program_of
from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.specification.study_file import parse_study
from jaxcogc.study.store.store import open_store
from jaxcogc.study.store.store_file import StoreError
from tests.study.fake import FakeEngine, small_study

PLACES = """
[network]
positions = [[0, 1], [1, 0], [2, 2]]
server = [0, 0]
snr_at_reference = [10.0, 100]
path_loss_exponent = 3
rate = 1.0
[stop]
max_trials = 1
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two studies in one store: 3 x 2 points, counted, and two that were not run."""
    path = tmp_path_factory.mktemp("table") / "s.db"
    engine = FakeEngine(lambda point, block: 50 * (1 - point.stragglers) + point.num_clients)
    collect(small_study("max_trials = 50_000"), path, engine=engine)
    collect(parse_study(PLACES), path, engine=engine, stop_requested=lambda: True)
    return path


@pytest.fixture(scope="module")
def table(store):
    with open_store(store) as opened:
        return read_table(opened)


def test_points_come_back_as_they_went(store):
    grid = {
        p.id: p for p in (*small_study("max_trials = 50_000").points, *parse_study(PLACES).points)
    }
    with open_store(store) as opened:
        stored = opened.points()
        assert {s.point.id: s.point for s in stored} == grid
        for point, rule, _ in stored:
            assert point.labels == grid[point.id].labels
            assert point.network() == grid[point.id].network()
            assert program_of(point) == program_of(grid[point.id])
            assert rule.max_trials in (1, 50_000)


def test_a_point_that_is_another_is_refused(store, tmp_path):
    path = tmp_path / "wrong.db"
    path.write_bytes(store.read_bytes())
    with open_store(path) as opened:
        opened.rows("UPDATE points SET setting = replace(setting, '\"seed\": 0', '\"seed\": 1')")
        with pytest.raises(StoreError, match=r"is damaged \(point .* is another"):
            opened.points()


def test_axes_are_those_of_all_studies(table):
    assert table.axes[:2] == ("network", "clients")
    assert {"snr_at_reference", "uplink_erasure", "stragglers", "seed"} < set(table.axes)
    assert set(table.values("uplink_erasure")) == {None, 0.05, 0.1, 0.15}
    assert "seed" not in table.varying_axes
    assert set(table.counted.varying_axes) == {"uplink_erasure", "stragglers"}
    assert table.counted.axes == table.axes
    assert len({tuple(row) for row in table.rows}) == 1  # the same columns in all rows


def test_conditions(table):
    def trials_of(*conditions):
        found = table
        for condition in conditions:
            found = found.where(condition)
        return [result.trials for result in found.results]

    assert trials_of("stragglers = 1") == [65_536] * 3
    assert trials_of("stragglers>=1", "uplink_erasure<0.12") == [65_536] * 2
    assert trials_of("network!=homogeneous") == [0, 0]
    assert trials_of("reason=not-run", "network=POSITIONS") == [0, 0]
    assert trials_of("gc_outage<1") == [65_536] * 6  # null meets no condition
    assert trials_of("redraw_code=false", "redraw_code=true") == []
    for condition, words in (
        ("stragler=1", "'stragler' is no column: allowed are stragglers, ..."),
        ("stragglers", "allowed is COLUMN=VALUE"),
        ("stragglers<x", "allowed is a number for stragglers"),
    ):
        with pytest.raises(ValueError, match=words):
            table.where(condition)


def test_order_puts_nulls_last(table):
    for column, sign in (("gc_plus_none", 1), ("-gc_plus_none", -1)):
        found = [row["gc_plus_none"] for row in table.sorted_by(column).rows]
        known = [value for value in found if value is not None]
        assert found == [*known, None, None]
        assert known == sorted(known, reverse=sign < 0)
    assert (
        table.counted.sorted_by("trials").results == table.counted.results
    )  # equals stay in order
