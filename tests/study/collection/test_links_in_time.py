"""Studies over links that remember, blocked clients, keeping: identities, blocks, replay, laws."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxcogc import LinkDynamics, Network, closed_form, cyclic_code, simulate_outcomes
from jaxcogc.runtime.random_words import seed_keys
from jaxcogc.study import collect
from jaxcogc.study.collection.simulation_engine import SimulationEngine
from jaxcogc.study.results.point_results import read_results
from jaxcogc.study.results.replay import replay
from jaxcogc.study.specification.point import LinkTime, Source
from jaxcogc.study.specification.study_file import parse_study, read_study
from jaxcogc.study.store.store import open_store

STUDY = """
[network]
clients = 4
uplink_erasure = 0.4
peer_erasure = 0.25
{network}
[code]
stragglers = 2
[protocol]
attempts = 2
{protocol}
[stop]
max_trials = 30_000
"""


def study(network="", protocol=""):
    return parse_study(STUDY.format(network=network, protocol=protocol))


def test_axes_and_identities():
    plain, remembering = study("memory = [0, 0.6]").points
    (known,) = study().points
    assert plain.id == known.id  # memory 0 is nothing: stores of before are extended
    assert remembering.id != plain.id
    assert [p.labels["memory"] for p in (plain, remembering)] == [0.0, 0.6]
    assert "memory" not in known.labels
    ids = {
        p.id
        for text in (
            "memory = [0.3, 0.6]\nblock_probability = [0, 0.1]",
            "burst_length = [3, 4]",
            "memory = 0.3\ngood_erasure = 0.1\nbad_erasure = [0.9, 1.0]",
        )
        for p in study(text).points
    }
    assert len(ids) == 8
    forget, keep = study(protocol="keep_heard = [false, true]").points
    assert (forget.id, forget.keep_heard, keep.keep_heard) == (known.id, False, True)
    assert keep.id != forget.id
    # Without memory the two states make no difference, and without an effect no identity.
    assert study("good_erasure = 0.1").points[0].id == known.id
    assert study("block_probability = 0").points[0].id == known.id


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("memory = 1.5", r"network\.memory = 1\.5: allowed is a correlation in \[0, 1\]"),
        ("memory = 0.1\nburst_length = 3", r"network\.memory = 0\.1.* allowed is one of them"),
        ("burst_length = 1.1", r"network\.burst_length = 1\.1: .* at least 1\.66667 attempts"),
        ("good_erasure = 0.3", r"network\.good_erasure = 0\.3: peer_erasure\[0\]\[1\] = 0\.25"),
        ("block_probability = [0.1, 2]", r"network\.block_probability\[1\] = 2"),
        ("memory = [0.1, 0.1]", "each value once"),
    ],
)
def test_mistakes(text, words):
    with pytest.raises(ValueError, match=words):
        study(text)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("time") / "s.db"
    collect(study("memory = [0, 0.6]", "keep_heard = [false, true]"), path)
    return path


@pytest.mark.slow
def test_blocks_are_the_trials_of_a_run_and_agree_with_the_law(store):
    network = Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.25)
    code_key, key = seed_keys(0)
    code = cyclic_code(code_key, 4, 2)
    with open_store(store) as opened:
        results = read_results(opened)
    assert len(results) == 4
    for found in results:
        memory, keep = found.label("memory"), found.point.keep_heard
        how = {"num_attempts": 2, "dynamics": LinkDynamics(memory=memory), "keep_heard": keep}
        trials = found.trials
        whole = simulate_outcomes(key, network, code, num_trials=trials, **how)
        assert found.counts.gc / trials == pytest.approx(1 - whole.gc_outage, abs=1e-12)
        law = closed_form(network, code, **how).gc_outage
        assert found.closed_form == pytest.approx(float(law), rel=1e-12)
        assert abs(whole.gc_outage - law) < 5 * np.sqrt(law * (1 - law) / trials)


@pytest.mark.slow
def test_replay_is_what_was_counted(store):
    (point,) = study("memory = 0.6", "keep_heard = true").points
    events = SimulationEngine(jax.devices()[:1]).events(point, 1, "gc_plus_none")
    assert 0 < events.sum() < len(events)
    for place in (0, 5, int(np.flatnonzero(events)[0]), int(np.flatnonzero(~events)[0])):
        again = replay(point, 2**14 + place)
        assert again.outcomes()["gc_plus_none"] == events[place]
        first, second = again.peer_delivered
        assert (second | ~first).all()  # what was heard is kept


def test_network_files_tell_of_time(tmp_path):
    network = Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.25)
    for folder, memory in (("one", 0.3), ("two", 0.6)):
        (tmp_path / folder).mkdir()
        fields = json.loads(network.to_json()) | {"memory": memory}
        (tmp_path / folder / "links.json").write_text(json.dumps(fields))
    text = '[network]\nfiles = ["one/links.json", "two/links.json"]\n{}[stop]\nmax_trials = 9\n'
    path = tmp_path / "study.toml"
    path.write_text(text.format(""))
    one, two = read_study(path).points
    assert (one.time, two.time) == (LinkTime.of({"memory": 0.3}), LinkTime.of({"memory": 0.6}))
    assert one.labels["network"] == "one/links"
    assert one.id != two.id
    path.write_text(text.format("memory = 0.5\n"))
    with pytest.raises(ValueError, match=r"network\.memory beside memory of a network file"):
        read_study(path)


def test_the_source_tells_files_apart_that_differ_in_time():
    network = Network.homogeneous(3, uplink_erasure=0.1, peer_erasure=0.1)
    plain = Source.of_file("a.json", network)
    assert Source.of_file("a.json", network, LinkTime()) == plain
    assert Source.of_file("a.json", network, LinkTime.of({"memory": 0.5})) != plain
    (point,) = study().points
    assert replace(point, time=LinkTime.of({"memory": 0.5})).id != point.id
