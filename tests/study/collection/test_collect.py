"""One set of counts: killed, shared, merged, on other devices, in another order."""

import dataclasses
import random
import signal
import time

import jax
import numpy as np
import pytest

from jaxcogc.names import EVENTS
from jaxcogc.outage.counts import OutcomeCounts, outcomes_from_counts
from jaxcogc.outage.simulation.monte_carlo import simulate_outcomes
from jaxcogc.runtime.random_words import seed_keys
from jaxcogc.study import collect, load
from jaxcogc.study.collection.simulation_engine import SimulationEngine, setting_of
from jaxcogc.study.results.origins import Origin
from jaxcogc.study.specification.study_file import read_study
from jaxcogc.study.store.merging import merge_stores
from jaxcogc.study.store.store import StoreError, open_store
from tests.cli.program import start_program

STUDY = """
[network]
clients = 3
uplink_erasure = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5]
peer_erasure = 0.1
[code]
stragglers = [1, 2]
[stop]
outcome = "gc_outage"
max_trials = 160_000
max_events = 8_000
[run]
seed = [0, 1]
"""


@pytest.fixture(scope="module")
def study_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "grid.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def whole(study_file, tmp_path_factory):
    """The store of one run, undisturbed."""
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    summary = collect(study_file, path)
    assert (summary.done, summary.total) == (24, 24)
    return path


def numbers(path):
    """All that does not depend on the machine, point by point."""
    table = load(path)
    assert len(Origin._fields) == 6
    table = table.drop(columns=list(Origin._fields)).sort_values("point", ignore_index=True)
    return table.astype(object).where(table.notna(), None).to_dict("records")


@pytest.mark.slow
def test_shards_merged_are_one_run(study_file, whole, tmp_path):
    stores = [tmp_path / f"{part}.db" for part in (1, 2, 3)]
    for part, store in enumerate(stores, 1):
        summary = collect(study_file, store, shard=(part, 3))
        assert (summary.done, summary.total) == (8, 8)
        assert len(load(store)) == 24  # what is not counted here is listed all the same
    counted = []
    for store in stores:
        with open_store(store) as opened:
            counted += opened.num_blocks()
    assert len(counted) == len(set(counted)) == 24
    merge_stores(stores, tmp_path / "all.db")
    assert numbers(tmp_path / "all.db") == numbers(whole)
    with pytest.raises(ValueError, match="shard = 1/25: allowed is I/N"):
        collect(study_file, tmp_path / "none.db", shard=(1, 25))
    assert not (tmp_path / "none.db").exists()


def start(study_file, store, **changes):
    return start_program("collect", str(study_file), "--store", str(store), **changes)


def finish(process):
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return errors


def num_blocks(path):
    try:
        with open_store(path) as store:
            return sum(store.num_blocks().values())
    except StoreError:
        return 0


@pytest.mark.slow
def test_the_study_ends_by_both_rules(whole):
    table = load(whole)
    assert len(table) == 24
    assert set(table["reason"]) == {"max-trials", "max-events"}
    assert set(table["gc_outage_method"]) == {"clopper-pearson", "negative-binomial"}
    assert set(table["gc_plus_none_method"]) == {"anytime-beta-mixture"}
    stopped = table[table["reason"] == "max-events"]
    assert not stopped["trials"].eq(10 * 2**14).any()


@pytest.mark.slow
def test_counts_are_those_of_the_simulation(whole, study_file):
    """Blocks of a point add up to what `simulate_outcomes` counts with the same seed."""
    study = read_study(study_file)
    with open_store(whole) as store:
        for point in study.points[::5]:
            network, code, _ = setting_of(point)
            blocks = min(3, len(store.prefix(point.id)["trials"]))
            total = store.total(point.id, blocks)
            expected = simulate_outcomes(
                seed_keys(point.seed)[1], network, code, num_trials=blocks * 2**14
            )
            found = outcomes_from_counts(total)
            assert found.gc_outage == expected.gc_outage
            np.testing.assert_array_equal(found.num_recovered_pmf, expected.num_recovered_pmf)
            np.testing.assert_array_equal(found.gc_plus_weight, expected.gc_plus_weight)


@pytest.mark.slow
def test_the_estimate_stands_at_the_trial_of_the_last_event(whole, study_file):
    """N counted anew, as the number of trials in which the run has its k-th event."""
    study = read_study(study_file)
    engine = SimulationEngine()
    table = load(whole).set_index("point")
    point = next(p for p in study.points if table.loc[p.id, "reason"] == "max-events")
    blocks = int(table.loc[point.id, "trials"]) // 2**14
    events = np.concatenate([engine.events(point, n, "gc_outage") for n in range(blocks)])
    trial = int(np.flatnonzero(events)[8_000 - 1]) + 1
    assert table.loc[point.id, "gc_outage"] == (8_000 - 1) / (trial - 1)


@pytest.mark.slow
def test_the_closed_form_lies_within_most_intervals(whole):
    table = load(whole)
    law = table["gc_outage_closed_form"]
    inside = (table["gc_outage_low"] <= law) & (law <= table["gc_outage_high"])
    assert inside.mean() > 0.7  # points share their random words, so that they miss together


@pytest.mark.slow
def test_killed_again_and_again(whole, study_file, tmp_path, repetitions):
    path, chance, grown = tmp_path / "killed.db", random.Random(0), [0]
    for _ in range(repetitions(3, 10)):
        process = start(study_file, path, JAX_NUM_CPU_DEVICES="1")  # that program is compiled
        while num_blocks(path) <= grown[-1] and process.poll() is None:
            time.sleep(0.1)
        time.sleep(chance.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        grown.append(num_blocks(path))
    assert grown[1] > 0
    assert grown == sorted(grown)
    collect(study_file, path)
    assert numbers(path) == numbers(whole)


@pytest.mark.slow
def test_two_processes_on_one_file(whole, study_file, tmp_path):
    path = tmp_path / "shared.db"
    process = start(study_file, path)
    while num_blocks(path) == 0 and process.poll() is None:
        time.sleep(0.02)
    collect(study_file, path)
    finish(process)
    assert numbers(path) == numbers(whole)


@pytest.mark.slow
def test_eight_devices(whole, study_file, tmp_path):
    path = tmp_path / "devices.db"
    finish(start(study_file, path, JAX_PLATFORMS="cpu", JAX_NUM_CPU_DEVICES="8"))
    assert numbers(path) == numbers(whole)
    assert load(path)["device"].unique().tolist() == ["8 x cpu"]


@pytest.mark.slow
def test_shuffled_points_and_64_bits(whole, study_file, tmp_path):
    study = read_study(study_file)
    points = list(study.points)
    random.Random(1).shuffle(points)
    with jax.enable_x64(True):
        collect(dataclasses.replace(study, points=tuple(points)), tmp_path / "shuffled.db")
    assert numbers(tmp_path / "shuffled.db") == numbers(whole)


@pytest.mark.slow
def test_three_files_merged(whole, study_file, tmp_path):
    study = read_study(study_file)
    parts = []
    for n in range(3):  # every third point is in two of the files
        points = tuple(p for place, p in enumerate(study.points) if place % 6 in (n, n + 3, 5 - n))
        parts.append(tmp_path / f"part{n}.db")
        collect(dataclasses.replace(study, points=points), parts[-1])
    new, known, num_points = merge_stores(parts, tmp_path / "all.db")
    assert num_points == 24
    assert new > known > 0
    assert numbers(tmp_path / "all.db") == numbers(whole)
    assert merge_stores(parts, tmp_path / "all.db").new == 0


@pytest.mark.slow
def test_a_file_with_other_counts_is_not_merged(whole, tmp_path):
    wrong = tmp_path / "wrong.db"
    merge_stores([whole], wrong)
    with open_store(wrong) as store:
        store.rows("UPDATE blocks SET checksum = checksum + 1, gc = gc + 1 WHERE block = 2")
    with pytest.raises(StoreError, match="was counted twice with different results"):
        merge_stores([whole, wrong], tmp_path / "new.db")
    assert num_blocks(tmp_path / "new.db") == 0
    with pytest.raises(StoreError, match="damaged"):
        load(wrong)


def test_a_point_that_was_not_run_has_null(study_file, tmp_path):
    collect(study_file, tmp_path / "s.db", stop_requested=lambda: True)
    table = load(tmp_path / "s.db")
    assert len(table) == 24
    assert set(table["reason"]) == {"not-run"}
    for outcome in EVENTS:
        assert table[outcome].isna().all()
        assert table[f"{outcome}_low"].isna().all()


def test_labels_and_stop_rules_are_not_part_of_the_identity(study_file, tmp_path):
    study = read_study(study_file)
    (tmp_path / "other.toml").write_text(
        STUDY.replace("max_events = 8_000", "relative_width = 0.5") + '[study]\nname = "other"'
    )
    other = read_study(tmp_path / "other.toml")
    assert [p.id for p in other.points] == [p.id for p in study.points]
    moved = dataclasses.replace(study.points[0], seed=7)
    assert moved.id != study.points[0].id


@pytest.mark.slow
def test_the_sum_of_counts_is_checked(whole, study_file):
    point = read_study(study_file).points[0]
    with open_store(whole) as store:
        assert isinstance(store.total(point.id, 1), OutcomeCounts)
        with pytest.raises(StoreError, match="are missing"):
            store.total(point.id, 10_000)
