"""Rare outcomes against the closed form, enumeration, and themselves with a wrong weight."""

import itertools
from functools import partial

import jax
import numpy as np
import pytest
from scipy import optimize

from jaxcogc.coding.codes import (
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    redraw,
    uncoded,
)
from jaxcogc.links.network import Network
from jaxcogc.names import OUTCOMES
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.laws.gc_outage import gc_outage_probability, log_gc_outage_probability
from jaxcogc.outage.random_links import link_table
from jaxcogc.outage.rare import importance, proposals, strata
from jaxcogc.outage.rare.independent_laws import IndependentLaws
from jaxcogc.outage.rare.proposals import (
    client_tilt,
    draw,
    features,
    link_tilt,
    log_ratios,
    row_tilt,
    rows_of,
)
from jaxcogc.outage.rare.rare_events import rare_outcomes
from jaxcogc.outage.simulation.link_patterns import decide_patterns
from tests.outage.test_agreement import random_network

KEY = jax.random.key(60)
METHODS = ("importance", "strata")
Z95 = 1.959964


def standard_error(estimate):
    """Of an estimate far from 0 and 1, from its 95 % interval."""
    return (estimate.high - estimate.low) / (2 * Z95)


def homogeneous(clients, erasure):
    return Network.homogeneous(clients, uplink_erasure=erasure, peer_erasure=erasure)


def assert_agree(rare, exact, names=OUTCOMES):
    """Within 4 standard errors (and the tail that was left out) wherever not flagged."""
    checked = 0
    for name in names:
        found, truth = getattr(rare.outcomes, name), float(getattr(exact, name))
        if name in rare.flagged:
            continue
        checked += 1
        slack = (rare.tail_bound or 0.0) + 1e-9 * min(truth, 1 - truth) + 1e-15
        assert abs(found - truth) <= 4 * standard_error(found) + slack, (name, found, truth)
    return checked


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", [1e-4, 1e-8, 1e-12])
def test_standard_decoding_against_the_closed_form(method, target, repetitions):
    code = cyclic_code(KEY, 6, 2)
    log_erasure = optimize.brentq(
        lambda x: log_gc_outage_probability(homogeneous(6, np.exp(x)), 2, 2) - np.log(target),
        -20.0,
        -0.7,
    )
    network = homogeneous(6, np.exp(log_erasure))
    trials = repetitions(60_000, 1_000_000)
    rare = rare_outcomes(KEY, network, code, num_trials=trials, num_attempts=2, method=method)
    outage, law = rare.outcomes.gc_outage, gc_outage_probability(network, 2, 2)
    assert law == pytest.approx(target, rel=1e-6)
    assert "gc_outage" not in rare.flagged
    assert standard_error(outage) < 0.05 * law
    assert abs(outage - law) < 4 * standard_error(outage) + (rare.tail_bound or 0.0)
    assert rare.outcomes.trials == trials
    assert (rare.tail_bound is None) == (method == "importance")
    if rare.tail_bound is not None:
        assert 0 < rare.tail_bound < 1e-2 * law


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("erasure", [1e-3, 1e-4])
def test_all_outcomes_against_enumeration(method, erasure, monkeypatch, repetitions):
    """Nothing recovered: 7.6e-8 and 7.6e-11; partial averages down to 4e-12.

    The first network is also in the reference file, which enumeration is tested against.
    """
    monkeypatch.setattr(strata, "_MOST_PATTERNS", 66)  # most strata are drawn
    network, code = homogeneous(4, erasure), cyclic_code(KEY, 4, 2)
    exact = enumerate_outcomes(network, code)
    trials = repetitions(50_000, 1_000_000)
    rare = rare_outcomes(KEY, network, code, num_trials=trials, method=method)
    assert assert_agree(rare, exact) == len(OUTCOMES)
    assert standard_error(rare.outcomes.row_space_none) < 0.05 * exact.row_space_none
    np.testing.assert_allclose(rare.outcomes.client_recovered, exact.client_recovered, rtol=0.2)
    np.testing.assert_allclose(rare.outcomes.num_recovered_pmf[0], exact.num_recovered_pmf[0], 1e-3)
    np.testing.assert_allclose(rare.outcomes.gc_plus_weight, exact.gc_plus_weight, rtol=1e-3)
    assert rare.outcomes.mean_rank == pytest.approx(exact.mean_rank, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_stops_early_is_a_sample(method, monkeypatch):
    """Every stratum and every component has its share of the first block."""
    monkeypatch.setattr(strata, "_MOST_PATTERNS", 20)
    network, code = homogeneous(4, 0.02), cyclic_code(KEY, 4, 2)
    exact = enumerate_outcomes(network, code)
    settings = {"num_trials": 10**9, "method": method, "stop": lambda: True}
    rare = rare_outcomes(KEY, network, code, **settings)
    assert rare.outcomes.trials == 2**13
    assert assert_agree(rare, exact) >= 5
    assert "gc_outage" not in rare.flagged
    assert rare.tail_bound is None or rare.tail_bound < 1e-6


@pytest.mark.slow
def test_light_strata_alone_are_exact():
    network, code = homogeneous(4, 1e-3), cyclic_code(KEY, 4, 2)
    rare, exact = rare_outcomes(KEY, network, code, num_trials=5, method="strata"), None
    exact = enumerate_outcomes(network, code)
    for name in OUTCOMES:
        assert getattr(rare.outcomes, name) == pytest.approx(getattr(exact, name), rel=1e-9)
    assert rare.flagged == ()
    assert rare.outcomes.trials == 0
    assert set(rare.effective_sample_size.values()) == {None}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["reciprocal", "redrawn", "blocks", "mds", "certain"])
def test_other_networks_and_codes(method, kind, monkeypatch):
    monkeypatch.setattr(strata, "_MOST_PATTERNS", 20)
    attempts = 2 if kind == "redrawn" else 1
    clients = 3 if kind == "redrawn" else 4
    network = random_network(clients, 3, reciprocal=kind == "reciprocal")
    network = Network(network.uplink_erasure / 9, network.peer_erasure / 9, network.reciprocal)
    if kind == "certain":
        uplink = network.uplink_erasure * np.array([1.0, 0.0, 1.0, 1.0])
        peer = network.peer_erasure.copy()
        peer[0, 1], peer[2, 3] = 1.0, 0.0
        network = Network(uplink, peer)
    code = {
        "blocks": partial(fractional_repetition_code, 4, 1),
        "mds": partial(cyclic_mds_code, 4, 1),
        "redrawn": lambda: redraw(KEY, cyclic_code(KEY, 3, 1), 2),
    }.get(kind, lambda: cyclic_code(KEY, 4, 2))()
    exact = enumerate_outcomes(network, code, num_attempts=attempts)
    settings = {"num_trials": 20_000, "num_attempts": attempts, "method": method}
    assert assert_agree(rare_outcomes(KEY, network, code, **settings), exact) >= 5


def estimates_of_many_runs(network, code, runs):
    """Short runs on their own, with the mixture that one pilot run found."""
    keys = jax.random.split(jax.random.key(61), runs)
    found = [rare_outcomes(key, network, code, num_trials=1000).outcomes for key in keys]
    return {name: np.array([getattr(o, name) for o in found]) for name in OUTCOMES}


def z_scores(network, code, runs):
    exact = enumerate_outcomes(network, code)
    return {
        name: (values.mean() - float(getattr(exact, name))) / (values.std(ddof=1) / runs**0.5)
        for name, values in estimates_of_many_runs(network, code, runs).items()
        if values.std() > 0
    }


@pytest.mark.slow
def test_unbiased_and_a_wrong_likelihood_ratio_is_seen(monkeypatch, repetitions):
    network, code = random_network(4, 8), cyclic_code(KEY, 4, 2)
    network = Network(network.uplink_erasure / 30, network.peer_erasure / 30)
    table = link_table(network, code, 1)
    decided, laws = importance.Decided(code, table), IndependentLaws(table, code)
    mixture = importance.choose_mixture(KEY, decided, laws)
    monkeypatch.setattr(importance, "choose_mixture", lambda *_: mixture)
    runs = repetitions(24, 400)
    scores = z_scores(network, code, runs)
    assert len(scores) == len(OUTCOMES)
    assert max(map(abs, scores.values())) < 4.5, scores
    right = proposals.log_ratios

    def without_deliveries(table, rows, laws, seen):
        return right(table, rows, laws, seen._replace(delivered=0 * seen.delivered))

    monkeypatch.setattr(proposals, "log_ratios", without_deliveries)
    wrong = z_scores(network, code, runs)
    assert abs(wrong["gc_outage"]) > 6, wrong


@pytest.mark.parametrize("kind", ["plain", "certain"])
def test_laws_add_up_to_one(kind):
    """Over all patterns of the links, as the server sees them: link tilt and row tilt."""
    network, code = random_network(3, 2), cyclic_code(KEY, 3, 1)
    if kind == "certain":
        peer = network.peer_erasure.copy()
        peer[0, 1], peer[1, 2] = 1.0, 0.0
        network = Network(network.uplink_erasure, peer)
    table = link_table(network, code, 1)
    rows = rows_of(table, code)
    links = len(table.erasure)
    erased = np.array(list(itertools.product([False, True], repeat=links)))
    plain = np.where(erased, table.erasure, 1 - table.erasure).prod(axis=1)
    heard = np.concatenate([~erased, np.ones((len(erased), 1), bool)], axis=1)[:, rows.uplink]
    looked_at = np.zeros_like(erased)
    for row, numbers in enumerate(np.column_stack([rows.uplink, rows.peers])):
        for place, number in enumerate(numbers):
            if number < links:
                looked_at[:, number] |= heard[:, row] if place else True
    seen = features(table, rows, erased, looked_at)
    lost, incomplete = np.array([0.2, 0.7, 0.4]), np.array([0.9, 0.3, 0.5])
    laws = [link_tilt(np.linspace(0.2, 0.8, links)), row_tilt(table, rows, lost, incomplete)]
    laws.append(client_tilt(table, rows, np.array([0.9, 0.6, 0.2])))
    ratios = np.exp(log_ratios(table, rows, laws, seen))
    np.testing.assert_allclose(plain @ ratios, 1.0, rtol=1e-12)
    generator = np.random.default_rng(5)
    for number, law in enumerate(laws):
        drawn = draw(generator, rows, law, 100_000)
        # Chance of what the server sees of a pattern: patterns are merged where nobody looks.
        words = (drawn & looked_at[drawn @ 2 ** np.arange(links)[::-1]]) @ 2 ** np.arange(links)
        merged = (erased & looked_at) @ 2 ** np.arange(links)
        expected = np.bincount(merged, plain * ratios[:, number], 2**links)
        counts = np.bincount(words, minlength=2**links)
        spread = np.sqrt(1e5 * expected * (1 - expected)) + 1e-6
        assert np.abs((counts - 1e5 * expected) / (spread + 1)).max() < 5


@pytest.mark.parametrize("total", [1, 2, 3, 64, 1000, 2**13 + 1])
def test_a_stride_visits_every_place_once(total):
    visits = np.arange(total) * strata._stride(total) % total
    assert sorted(visits.tolist()) == list(range(total))


def test_number_of_erased_links():
    erasure = np.array([0.1, 0.5, 0.3, 0.9])
    law = np.ones(1)
    for p in erasure:
        law = np.convolve(law, [1 - p, p])
    np.testing.assert_allclose(np.exp(strata.log_count_law(erasure)[0]), law, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("family", ["cyclic", "blocks"])
def test_fewest_erasures_is_a_bound(family, reciprocal):
    """No pattern of fewer erased links makes the standard decoder fail."""
    code = cyclic_code(KEY, 4, 2) if family == "cyclic" else fractional_repetition_code(4, 1)
    table = link_table(random_network(4, 1, reciprocal), code, 1)
    fewest = strata.fewest_erasures(table, code)
    assert fewest == (2 if reciprocal and family == "cyclic" else 1 + int(code.num_stragglers)) or (
        reciprocal and fewest == 1
    )
    chosen = list(itertools.combinations(range(len(table.erasure)), fewest - 1))
    erased = np.array([np.isin(np.arange(len(table.erasure)), links) for links in chosen])
    assert decide_patterns(KEY, code, table, erased).recovery.gc.all()


@pytest.mark.slow
def test_what_cannot_be_told_is_flagged():
    """Strata in which an event is too rare, and events that never happen."""
    network, code = homogeneous(6, 0.01), cyclic_code(KEY, 6, 5)
    rare = rare_outcomes(KEY, network, code, num_trials=2000, num_attempts=2, method="strata")
    assert "gc_outage" in rare.flagged
    silent = Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.0)
    rare = rare_outcomes(KEY, silent, cyclic_code(KEY, 4, 2), num_trials=2000)
    assert rare.outcomes.all_individuals == 0.0  # rank 2 at most
    assert 0.0 < rare.outcomes.all_individuals.high < 0.02
    assert "all_individuals" in rare.flagged


def test_wrong_arguments_are_named():
    network, code = homogeneous(4, 0.1), cyclic_code(KEY, 4, 2)
    for settings, words in (
        ({"num_trials": 0}, "num_trials"),
        ({"num_trials": 10, "method": "luck"}, "importance, strata"),
        ({"num_trials": 10, "level": 1.5}, "level"),
        ({"num_trials": 10, "num_attempts": 0}, "num_attempts"),
    ):
        with pytest.raises(ValueError, match=words):
            rare_outcomes(KEY, network, code, **settings)
    with pytest.raises(ValueError, match="the code has 3 clients, the network 4"):
        rare_outcomes(KEY, network, uncoded(3), num_trials=10)
    with pytest.raises(ValueError, match=r"num_attempts = 1: allowed is 2"):
        rare_outcomes(KEY, network, redraw(KEY, code, 2), num_trials=10)
