"""`jaxcogc outage` on links that remember, with blocked clients, with what was heard kept."""

import json

import pytest

from jaxcogc import LinkDynamics, Network, closed_form, cyclic_code, successive_rounds
from jaxcogc.cli.app import main
from jaxcogc.runtime.random_words import seed_keys
from tests.cli.program import assert_one_line

SMALL = ["outage", "--clients", "4", "--stragglers", "2", "--trials", "20000"]
NETWORK = Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.25)
CODE = cyclic_code(seed_keys(0)[0], 4, 2)


def outage(capsys, *arguments):
    assert main([*SMALL, *arguments, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "dynamics", "told"),
    [
        (["--memory", ".6"], LinkDynamics(memory=0.6), "memory 0.6"),
        (["--burst-length", "4"], LinkDynamics(burst_length=4), "bursts of 4 attempts"),
        (
            ["--memory", ".6", "--good-erasure", ".1", "--bad-erasure", ".8"],
            LinkDynamics(memory=0.6, good_erasure=0.1, bad_erasure=0.8),
            "erasure 0.1 or 0.8",
        ),
        (
            ["--memory", ".3", "--block-probability", ".1"],
            LinkDynamics(memory=0.3, block_probability=0.1),
            "clients blocked with 0.1",
        ),
    ],
)
def test_the_law_and_the_trials_agree(capsys, arguments, dynamics, told):
    result, err = outage(capsys, *arguments)
    law = closed_form(NETWORK, CODE, num_attempts=2, dynamics=dynamics).gc_outage
    assert result["gc_outage_closed_form"] == pytest.approx(float(law), rel=1e-12)
    assert abs(result["gc_outage"]["best"] - law) < 5 * (law * (1 - law) / 20000) ** 0.5
    assert {name: result[name] for name in dynamics.to_dict()} == dynamics.to_dict()
    assert told in " ".join(err.split())
    rounds = successive_rounds(NETWORK, CODE, num_attempts=2, dynamics=dynamics)
    assert result["gc_outage_two_rounds"] == rounds.both_fail
    assert result["mean_hold_run"] == rounds.mean_hold_run
    assert result["failure_correlation"] == rounds.failure_correlation
    assert ("mean_hold_run" in err) == (rounds.mean_hold_run is not None)


@pytest.mark.slow
def test_keeping(capsys):
    keep, err = outage(capsys, "--keep-heard")
    law = closed_form(NETWORK, CODE, num_attempts=2, keep_heard=True).gc_outage
    assert keep["keep_heard"] is True
    assert keep["gc_outage_closed_form"] == pytest.approx(float(law), rel=1e-12)
    assert abs(keep["gc_outage"]["best"] - law) < 5 * (law * (1 - law) / 20000) ** 0.5
    assert "heard messages kept" in " ".join(err.split())
    for name, outcome in (("gc_plus", "gc_plus_full"), ("row_space", "row_space_exact")):
        estimate, exact = keep[f"{name}_outage"], keep[outcome]
        assert estimate["best"] == pytest.approx(1 - exact["best"], abs=1e-12)
        assert estimate["low"] == pytest.approx(1 - exact["high"], abs=1e-12)


@pytest.mark.slow
def test_the_network_file_tells_of_time(tmp_path, capsys):
    path = tmp_path / "network.json"
    fields = json.loads(NETWORK.to_json()) | {"memory": 0.5, "block_probability": [0.1, 0, 0, 0]}
    path.write_text(json.dumps(fields))
    dynamics = LinkDynamics.from_json(path)
    assert dynamics.memory == 0.5
    assert dynamics.block_probability.tolist() == [0.1, 0, 0, 0]
    arguments = ["outage", "--network", str(path), "--stragglers", "2", "--trials", "1000"]
    assert main([*arguments, "--json", "-", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    law = closed_form(NETWORK, CODE, num_attempts=2, dynamics=dynamics).gc_outage
    assert result["gc_outage_closed_form"] == pytest.approx(float(law), rel=1e-12)
    for option in ("--memory", "--burst-length", "--block-probability"):
        assert main([*arguments, option, "1"]) == 2
        assert_one_line(capsys, [option, "network.json", "one of the two"])


def test_a_verb_that_knows_independent_links_alone_refuses_others(tmp_path, capsys):
    path = tmp_path / "network.json"
    path.write_text(json.dumps(json.loads(NETWORK.to_json()) | {"memory": 0.5}))
    assert main(["bound", "--network", str(path), "--stragglers", "2"]) == 2
    assert_one_line(capsys, ["--network", "with memory", "independent links"])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("memory", 2, "memory = 2"),
        ("memory", "much", "memory[0] is string"),
        ("burst_length", 1.1, "burst_length is too short"),
        ("block_probability", [0.1], "has 1 numbers"),
        ("block_probability", 1.5, "block_probability = 1.5"),
    ],
)
def test_values_of_the_file_are_checked(tmp_path, capsys, key, value, words):
    path = tmp_path / "network.json"
    path.write_text(json.dumps(json.loads(NETWORK.to_json()) | {key: value}))
    assert main(["outage", "--network", str(path), "--stragglers", "2"]) == 2
    assert_one_line(capsys, ["--network", words])
