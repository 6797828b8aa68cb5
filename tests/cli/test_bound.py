"""`jaxcogc bound`: the numbers are those of the library, a mistake is one line."""

import json

import numpy as np
import pytest

from jaxcogc import convergence_bound, cyclic_code, gc_outage_probability, rounds_for_target
from jaxcogc.cli.app import main
from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants
from jaxcogc.federated.convergence.learning_rate import best_learning_rate
from jaxcogc.federated.convergence.partial_averages import (
    DrawnRounds,
    draw_rounds,
    partial_law,
    safe_rho,
    simulated_rho,
)
from jaxcogc.links.network import Network
from jaxcogc.runtime.random_words import seed_keys
from tests.cli.program import assert_one_line

SMALL = ["--clients", "4", "--stragglers", "1", "--attempts", "1"]
SMALL += ["--uplink-erasure", "0.3", "--peer-erasure", "0.3"]
NETWORK = Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.3)
UNIT = LossConstants(1.0, 1.0, 1.0, 1.0)


def answer(capsys, *arguments: str) -> dict:
    assert main(["bound", *arguments, "--json", "-", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_standard_decoding_takes_the_closed_form(capsys) -> None:
    given = ["--learning-rate", "0.01", "--rounds", "1e4", "--target", "0.2"]
    fields = answer(capsys, *SMALL, *given)
    outage = float(gc_outage_probability(NETWORK, 1))
    settings = {"num_clients": 4, "hold_probability": outage}
    steps = LocalSteps(0.01, 1.0, 5)
    expected = convergence_bound(UNIT, steps, num_rounds=10_000, **settings)
    assert fields["hold_probability"]["best"] == pytest.approx(outage, rel=1e-12)
    assert fields["trials"] is None
    assert fields["bound"] == pytest.approx(expected.value, rel=1e-12)
    assert sum(fields["terms"].values()) == pytest.approx(fields["bound"])
    assert fields["rounds_for_target"] == rounds_for_target(0.2, UNIT, steps, **settings)
    assert [condition["holds"] for condition in fields["conditions"]] == [True] * 3
    assert answer(capsys, *SMALL, *given[:-1], "0.01")["rounds_for_target"] is None


@pytest.mark.slow
@pytest.mark.parametrize("rho", ["safe", "simulated"])
def test_partial_averages_are_simulated(capsys, rho: str) -> None:
    fields = answer(
        capsys, *SMALL, "--scheme", "gc-plus", "--rho", rho, "--trials", "5000", "--target", "0.1"
    )
    code_key, trial_key = seed_keys(0)
    code = cyclic_code(code_key, 4, 1)
    drawn = draw_rounds(trial_key, NETWORK, code, schemes=("gc_plus",), num_trials=5000)["gc_plus"]
    law = partial_law(drawn)
    spread = safe_rho(law) if rho == "safe" else simulated_rho(drawn)
    assert fields["rho"] == pytest.approx(spread)
    assert fields["trials"] == 5000
    hold = fields["hold_probability"]
    assert hold["best"] == pytest.approx(law.held)
    assert hold["low"] < law.held < hold["high"]
    settings = {"num_clients": 4, "hold_probability": law.held, "rho": spread}
    best = best_learning_rate(UNIT, LocalSteps(1.0, 1.0, 5), target=0.1, **settings)
    assert fields["learning_rate"] == pytest.approx(best)
    assert fields["terms"]["partial"] > 0


def test_random_places_are_simulated(capsys, monkeypatch) -> None:
    """The closed form speaks of clients in given places; unequal links make that count."""
    asked = {}

    def drawn(*_, schemes, num_trials, placement, **__):
        asked.update(schemes=schemes, num_trials=num_trials, placement=placement)
        hold = np.arange(num_trials) % 4 == 0
        weights = np.where(hold[:, None], 0.0, np.full(4, 0.25))
        return {"gc": DrawnRounds(weights, hold, ~hold)}

    monkeypatch.setattr("jaxcogc.cli.bound.run.draw_rounds", drawn)
    fields = answer(capsys, *SMALL, "--placement", "random", "--trials", "1000")
    assert asked == {"schemes": ("gc",), "num_trials": 1000, "placement": "random"}
    assert fields["trials"] == 1000
    assert fields["hold_probability"]["best"] == 0.25


def test_table_for_people(capsys) -> None:
    assert main(["bound", *SMALL, "--target", "0.5"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    for words in ("descent", "all together", "rounds for 0.5", "closed form", "(best)"):
        assert words in err


def test_mistakes_are_one_line(capsys, tmp_path) -> None:
    unequal = tmp_path / "network.json"
    peer = [[0, 0.1, 0.1], [0.1, 0, 0.1], [0.1, 0.1, 0]]
    unequal.write_text(json.dumps({"uplink_erasure": [0.1, 0.2, 0.1], "peer_erasure": peer}))
    network = f"--network {unequal} --stragglers 1"
    for arguments, words in (
        ("--learning-rate 0.5", ["--learning-rate 0.5", "= 2.5", "0.125"]),
        ("--learning-rate fast", ["--learning-rate = fast", "above 0, or best"]),
        ("--scheme gcplus", ["--scheme", "did you mean 'gc-plus'?"]),
        ("--scheme gc-plus --rho uniform", ["--rho uniform", "cluster on the ring"]),
        (f"{network} --scheme gc-plus", ["unequal links", "scheme gc"]),
        ("--scheme row-space --rho unifrom", ["--rho", "did you mean 'uniform'?"]),
        ("--placement ring", ["--placement", "fixed, random"]),
        ("--smoothness 0", ["--smoothness = 0", "above 0"]),
        ("--heterogeneity -1", ["--heterogeneity = -1", "at least 0"]),
        ("--gradient-variance inf", ["--gradient-variance = inf", "finite"]),
        ("--target nan", ["--target = nan", "above 0"]),
        ("--rounds 0", ["--rounds = 0", "whole number"]),
        ("--stragglers 3,5", ["--stragglers = 3,5", "one number"]),
        ("--uplink-erasure 1", ["hold_probability = 1.0", "never moves"]),
    ):
        assert main(["bound", *arguments.split()]) == 2, arguments
        assert_one_line(capsys, words)


def test_schemes_without_bias(capsys) -> None:
    """One attempt of relays, and arrivals, whose covariance is known in full."""
    links = ["--clients", "4", "--uplink-erasure", ".5", "--peer-erasure", "1", "--stragglers", "1"]
    steps = ["--learning-rate", "0.01", "--attempts", "1", "--json", "-"]
    found = {}
    for scheme in ("colrel", "inverse-probability"):
        assert main(["bound", "--scheme", scheme, *links, *steps]) == 0
        found[scheme] = json.loads(capsys.readouterr().out)
    for fields in found.values():
        assert fields["rho"] == pytest.approx(1 / 4)  # p / q over M
        assert fields["hold_probability"]["best"] == 0
        assert fields["rho_form"] is None
    assert found["colrel"]["bound"] == pytest.approx(found["inverse-probability"]["bound"])
    assert main(["bound", "--scheme", "colrel", "--rho", "uniform"]) == 2
    assert_one_line(capsys, ["--rho", "uniform", "--scheme colrel"])
    assert main(["bound", "--scheme", "inverse-probability", "--uplink-erasure", "1"]) == 2
    assert_one_line(capsys, ["--scheme inverse-probability", "client 0"])
