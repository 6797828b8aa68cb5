"""The scheduler and the stop rules, to the integer, on scripted counts."""

import dataclasses
import platform
import random
import threading
import time

import numpy as np
import pytest

from jaxcogc.figures.studies.curve_layout import layout_of
from jaxcogc.names import OUTAGES
from jaxcogc.outage.anytime import anytime
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.study.collection.collect import collect
from jaxcogc.study.collection.progress import Listener
from jaxcogc.study.collection.scheduler import Collector
from jaxcogc.study.results.load import load
from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.specification.stop_rules import Standing, StopRule, standing
from jaxcogc.study.store.block_rows import NewBlock
from jaxcogc.study.store.claims import Claims
from jaxcogc.study.store.store import open_store
from tests.study.fake import FakeEngine, scripted_counts, small_study


def prefix_events(path, point):
    with open_store(path) as store:
        columns = store.prefix(point.id)
        return (columns["trials"] - columns["gc"]).tolist()


def test_max_trials_is_rounded_up_to_whole_blocks(tmp_path):
    study = small_study("max_trials = 50_000")  # 3.05 blocks
    engine = FakeEngine(lambda point, block: 100 * point.stragglers + block)
    summary = collect(study, tmp_path / "s.db", engine=engine)
    assert (summary.done, summary.total) == (6, 6)
    assert summary.trials == 6 * 4 * BLOCK_TRIALS
    for point in study.points:
        expected = [100 * point.stragglers + block for block in range(4)]
        assert prefix_events(tmp_path / "s.db", point) == expected
    assert [call[1:] for call in engine.calls] == [(0, 4)] * 6


def test_a_second_run_counts_nothing_and_more_trials_only_the_rest(tmp_path):
    script = lambda point, block: block  # noqa: E731
    collect(small_study("max_trials = 50_000"), tmp_path / "s.db", engine=FakeEngine(script))
    again = FakeEngine(script)
    assert collect(small_study("max_trials = 50_000"), tmp_path / "s.db", engine=again).trials == 0
    assert again.calls == []
    more = FakeEngine(script)
    collect(small_study("max_trials = 100_000"), tmp_path / "s.db", engine=more)
    assert {call[1:] for call in more.calls} == {(4, 3)}
    assert len(more.calls) == 6


def test_max_events_ends_in_the_block_of_the_event(tmp_path):
    study = small_study('outcome = "gc_outage"\nmax_trials = 1e6\nmax_events = 25', uplinks=1)
    engine = FakeEngine(lambda point, block: 10)
    summary = collect(study, tmp_path / "s.db", engine=engine)
    assert summary.done == 2
    with open_store(tmp_path / "s.db") as store:
        for point in study.points:
            # 10 + 10 events before, so the fifth of block 2, at the 51st trial of that block.
            found = store.event_trial(point.id, "gc_outage", 25)
            assert found == 2 * BLOCK_TRIALS + 10 * 5 + 1
            assert store.event_trial(point.id, "gc_outage", 24) is None


@pytest.mark.parametrize("outcome", OUTAGES)
def test_every_outage_can_be_watched(outcome, tmp_path):
    study = small_study(f'outcome = "{outcome}"\nmax_trials = 1e6\nmax_events = 25', uplinks=1)
    collect(study, tmp_path / "s.db", engine=FakeEngine(lambda point, block: 10))
    table = load(tmp_path / "s.db")
    assert set(table["watched"]) == {outcome}
    assert set(table["trials"]) == {3 * BLOCK_TRIALS}
    np.testing.assert_allclose(table[outcome], 24 / (2 * BLOCK_TRIALS + 50))
    with open_store(tmp_path / "s.db") as store:
        layout = layout_of(read_table(store))
    assert layout.outcomes == (outcome,)


def test_few_blocks_are_counted_in_vain(tmp_path):
    study = small_study('outcome = "gc_outage"\nmax_trials = 1e7\nmax_events = 25', uplinks=1)
    engine = FakeEngine(lambda point, block: 10, most=64)
    collect(study, tmp_path / "s.db", engine=engine)
    assert [call[1:] for call in engine.calls if call[0] == study.points[0].id] == [
        (0, 1),
        (1, 1),
        (2, 2),
    ]


def test_later_blocks_are_kept_but_not_counted():
    rule = StopRule("gc_outage", max_trials=10**6, max_events=25)
    assert standing(rule, [10] * 9) == Standing(3, "max-events")
    assert standing(rule, [10] * 9, seen=2) == Standing(3, "max-events")
    assert standing(rule, [10, 10]) == Standing(2, "unfinished")
    assert standing(rule._replace(max_trials=1), [10] * 9) == Standing(1, "max-trials")
    # Both in one block: the event came first.
    assert standing(rule._replace(max_trials=3 * 2**14), [10] * 9).reason == "max-events"
    assert standing(rule._replace(budget_seconds=1.0), [10, 10]) == Standing(2, "budget")
    assert standing(rule, []) == Standing(0, "unfinished")


@pytest.mark.parametrize(
    ("rate", "reason"), [(30, "decided-above"), (3, "decided-below"), (16, "max-trials")]
)
def test_decide_below_waits_for_the_interval_on_one_side(rate, reason):
    threshold = 16 / BLOCK_TRIALS
    rule = StopRule("gc_outage", max_trials=40 * BLOCK_TRIALS, decide_below=threshold)
    found = standing(rule, [rate] * 40)
    assert found.reason == reason

    def decided(blocks):
        interval = anytime(rate * blocks, blocks * BLOCK_TRIALS)
        return not interval.low < threshold < interval.high

    if reason != "max-trials":
        assert decided(found.num_blocks)
        assert not any(map(decided, range(1, found.num_blocks)))


def test_relative_width_is_that_of_the_anytime_interval():
    rule = StopRule("gc_outage", max_trials=10**9, relative_width=0.5, level=0.9)
    events = np.full(200, 7)
    found = standing(rule, events)
    assert found.reason == "relative-width"
    widths = [
        (i.high - i.low) / i
        for i in (anytime(7 * n, n * BLOCK_TRIALS, 0.9) for n in range(1, found.num_blocks + 1))
    ]
    assert widths[-1] <= 0.5 < min(widths[:-1])
    assert standing(rule, [0] * 200).reason == "unfinished"  # no estimate, no width


@pytest.mark.slow
def test_the_order_of_points_does_not_matter(tmp_path):
    study = small_study('outcome = "gc_outage"\nmax_trials = 1e6\nmax_events = 100', uplinks=12)
    script = lambda point, block: 1 + int(point.id, 16) % 40 + block  # noqa: E731
    results = []
    for seed in range(3):
        points = list(study.points)
        random.Random(seed).shuffle(points)
        path = tmp_path / f"{seed}.db"
        shuffled = dataclasses.replace(study, points=tuple(points))
        collect(shuffled, path, engine=FakeEngine(script, most=1 + seed))
        with open_store(path) as store:
            found = {}
            for point in study.points:
                events = (lambda c: c["trials"] - c["gc"])(store.prefix(point.id))
                where = standing(study.rule, events)
                trial = store.event_trial(point.id, "gc_outage", 100)
                found[point.id] = (where, events[: where.num_blocks].tolist(), trial)
            results.append(found)
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 24


def test_a_budget_takes_the_widest_interval_first(tmp_path):
    study = small_study('outcome = "gc_outage"\nmax_trials = 1e7\nbudget = "60s"', uplinks=2)
    wide = study.points[1]
    script = lambda point, block: 8000 if point.id == wide.id else 1  # noqa: E731
    engine = FakeEngine(script, most=4, seconds=1.0)
    with open_store(tmp_path / "s.db", make=True) as store:
        summary = Collector(study, store, engine, "session", clock=engine.clock).run()
        blocks = store.num_blocks()
    assert summary.out_of_time
    assert summary.done == 0
    assert 60 <= engine.now <= 60 + 2 * engine.most
    assert min(blocks[point.id] for point in study.points) >= 1
    assert blocks[wide.id] > 4 * max(blocks[p.id] for p in study.points if p != wide)


def test_a_stop_request_finishes_what_is_under_way(tmp_path):
    study = small_study("max_trials = 1e6")
    engine = FakeEngine(lambda point, block: 5, most=4)
    summary = collect(
        study, tmp_path / "s.db", engine=engine, stop_requested=lambda: len(engine.calls) >= 3
    )
    assert summary.done == 0
    started = sum(num for _, _, num in engine.calls)
    assert summary.trials == started * BLOCK_TRIALS
    with open_store(tmp_path / "s.db") as store:
        assert sum(store.num_blocks().values()) == started


def test_blocks_of_another_writer_are_taken_in(tmp_path):
    """Its blocks are not counted again, and a gap it left is filled."""
    study = small_study("max_trials = 100_000", uplinks=1)
    first = study.points[0]
    with open_store(tmp_path / "s.db", make=True) as store:
        store.add_blocks(
            "other", [NewBlock(first.id, n, scripted_counts(n), 0.1) for n in (0, 1, 2, 4)]
        )
    engine = FakeEngine(lambda point, block: block, most=8)
    collect(study, tmp_path / "s.db", engine=engine)
    assert [call[1:] for call in engine.calls if call[0] == first.id] == [(3, 1), (5, 2)]
    assert prefix_events(tmp_path / "s.db", first) == list(range(7))


@pytest.mark.parametrize("points", [24, 1])
def test_writers_share_out_the_blocks(points, tmp_path):
    """Nothing is counted twice, neither of many points nor of one."""
    study = small_study("max_trials = 1e5" if points > 1 else "max_trials = 1e6", uplinks=12)
    study = dataclasses.replace(study, points=study.points[:points])
    blocks_of_a_point = 7 if points > 1 else 62
    path = tmp_path / "s.db"
    script = lambda point, block: int(point.id, 16) % 100  # noqa: E731

    class SlowEngine(FakeEngine):
        def start(self, point, first, num):
            time.sleep(0.01 * num)
            return super().start(point, first, num)

    open_store(path, make=True).close()
    engines = [SlowEngine(script, most=7) for _ in range(2)]
    writers = [
        threading.Thread(target=collect, args=(study, path), kwargs={"engine": engine})
        for engine in engines
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with open_store(path) as store:
        blocks = dict(store.rows("SELECT session, count(*) FROM blocks GROUP BY session"))
    counted = sum(num for engine in engines for _, _, num in engine.calls)
    assert counted == sum(blocks.values()) == points * blocks_of_a_point
    assert min(blocks.values()) > points * blocks_of_a_point / 6


def test_claims_of_the_dead_do_not_block(tmp_path):
    """Neither of a killed process of this host, nor for long of one of another host."""
    study = small_study("max_trials = 1e5", uplinks=1)
    point = study.points[0].id
    gone = 2**22 + 1  # no process has so large a number
    with open_store(tmp_path / "s.db", make=True) as store:
        rows = [("a", point, 0, 2, platform.node(), gone, 60.0), ("b", point, 4, 2, "x", 1, 60.0)]
        store.add_rows("claims", rows)
        engine = FakeEngine(lambda point, block: block)
        claims = Claims(store, "mine", clock=engine.clock)
        assert claims.elsewhere() == {point}
        assert claims.take(point, 0, 8, 7) == (point, 0, 4)
        assert claims.take(point, 0, 8, 7) == (point, 6, 1)
        assert claims.take(point, 0, 8, 7) is None
        engine.now = 61.0
        assert claims.elsewhere() == set()
        assert claims.take(point, 0, 8, 7) == (point, 4, 2)
        claims.release_all()
        assert store.rows("SELECT * FROM claims") == []


def test_blocks_beyond_a_gap_wait_for_it(tmp_path):
    """Who counts after what another has claimed takes both in, in their order, when they are there.

    And a store made before there were claims gets its table.
    """
    study = small_study("max_trials = 1e5", uplinks=1)
    study, path = dataclasses.replace(study, points=study.points[:1]), tmp_path / "s.db"
    point = study.points[0].id
    open_store(path, make=True).close()
    with open_store(path, make=True) as store:
        store.rows("DROP TABLE claims")
    with open_store(path, make=True) as store:
        store.add_rows("claims", [("other", point, 0, 3, "another", 1, 60.0)])
    waited = []

    class Other(Listener):
        def waiting(self):
            waited.append(1)
            if len(waited) == 2:
                blocks = [NewBlock(point, n, scripted_counts(n), 0.1) for n in range(3)]
                with open_store(path, make=True) as store:
                    store.add_blocks("other", blocks)

    engine = FakeEngine(lambda point, block: block)
    summary = collect(study, path, engine=engine, listener=Other())
    assert (summary.done, len(waited)) == (1, 2)
    assert [call[1:] for call in engine.calls] == [(3, 4)]
    assert prefix_events(path, study.points[0]) == list(range(7))
