"""Random placement against every placement there is."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code, fractional_repetition_code
from jaxcogc.coding.recovery import recover
from jaxcogc.design import exact_outage
from jaxcogc.design.candidates import coded_candidates
from jaxcogc.design.code_outage import Setting
from jaxcogc.design.configurations import CodeConfig
from jaxcogc.design.exact_outage import mean_gc_outage, within_what_is_known
from jaxcogc.design.link_sensitivity import mean_sensitivity
from jaxcogc.design.ring_order import RANDOM, distinct_orders, log_outages_of_orders
from jaxcogc.design.rounds import Accuracy
from jaxcogc.design.search import design, evaluate
from jaxcogc.design.simulated_outage import counted_on_host
from jaxcogc.federated.convergence.partial_averages import PartialLaw, uniform_rho
from jaxcogc.links.draws import Links
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import enumerate_outcomes, enumerate_partial_sizes
from jaxcogc.outage.laws.gc_outage import (
    fractional_repetition_outage_probability,
    gc_outage_probability,
)
from tests.outage.test_agreement import random_network

KEY = jax.random.key(70)
LAWS = {"cyclic": gc_outage_probability, "blocks": fractional_repetition_outage_probability}


def unequal(clients, seed):
    """Some clients and pairs far better than others: placements differ much."""
    network = random_network(clients, seed)
    return Network(network.uplink_erasure**2, network.peer_erasure**2)


def by_brute_force(network, code):
    """Mean over all M! placements, each enumerated: no exact average, by decoder; recovered."""
    code = dataclasses.replace(code, family="custom")
    found = []
    for order in itertools.permutations(range(network.num_clients)):
        outcomes = enumerate_outcomes(network.permuted(order), code)
        full, exact = float(outcomes.gc_plus_full), float(outcomes.row_space_exact)
        recovered = outcomes.client_recovered.sum()
        found.append([float(outcomes.gc_outage), 1 - full, 1 - exact, recovered])
    return np.array(found)


@pytest.fixture(scope="module")
def four():
    network = unequal(4, 5)
    codes = {"cyclic": cyclic_code(KEY, 4, 2), "fractional-repetition": None}
    codes["fractional-repetition"] = fractional_repetition_code(4, 1)
    return network, {name: by_brute_force(network, code) for name, code in codes.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "s"), [("cyclic", 1), ("cyclic", 3), ("blocks", 1), ("blocks", 2)]
)
def test_orders_stand_for_all_placements(kind, s):
    """5 or 6 clients: the mean of the closed form over M! placements."""
    clients = 6 if kind == "blocks" else 5
    network = random_network(clients, 3)
    # The law counts in blocks of s + 1: every placement by an independent product over blocks.
    laws = [
        float(LAWS[kind](network.permuted(order), s, 2))
        for order in itertools.islice(itertools.permutations(range(clients)), 0, None, 7)
    ]
    orders = distinct_orders(network, s, kind, most=1000)
    each = [float(LAWS[kind](network.permuted(order), s, 2)) for order in orders]
    assert set(np.round(laws, 12)) <= set(np.round(each, 12))
    everything = sorted(
        round(float(np.exp(x)), 12)
        for x in log_outages_of_orders(
            network, np.array(list(itertools.permutations(range(clients)))), s, 2, kind=kind
        )
    )
    repeats = len(everything) // len(orders)
    np.testing.assert_allclose(everything, np.repeat(sorted(each), repeats), rtol=1e-9)
    found = mean_gc_outage(network, s, 2, kind=kind)
    assert found.outage == pytest.approx(np.mean(everything), rel=1e-9)
    assert found.outage.method == "exact"


@pytest.mark.slow
def test_sampled_placements_cover_the_mean(monkeypatch):
    network = unequal(6, 1)
    truth = mean_gc_outage(network, 2, 1, kind="cyclic").outage
    monkeypatch.setattr(exact_outage, "_MOST_ORDERS", 3)
    sampled = mean_gc_outage(network, 2, 1, kind="cyclic")
    assert sampled.outage.method == "placements"
    assert not sampled.flagged
    half = (sampled.outage.high - sampled.outage.low) / 2
    assert 0 < half < 0.02 * truth
    assert abs(sampled.outage - truth) < 2.5 * half


@pytest.mark.slow
@pytest.mark.parametrize("family", ["cyclic", "fractional-repetition"])
def test_enumerated_and_simulated_means_are_those_of_all_placements(four, family, monkeypatch):
    network, truths = four
    s = 2 if family == "cyclic" else 1
    config = CodeConfig(family, s, 1, False, RANDOM)
    truth = truths[family].mean(axis=0)
    setting = Setting.from_key(KEY, network, 0.95)
    exact = evaluate(setting, counted_on_host, config, 1, lambda done: None)
    assert exact.trials is None
    outages = [decoder.outage for decoder in exact.decoders.values()]
    np.testing.assert_allclose(outages, truth[:3], rtol=1e-9)
    assert exact.num_revealed == pytest.approx(truth[3], rel=1e-9)
    monkeypatch.setattr(exact_outage, "_MOST_PATTERNS", 3)
    done = []
    found = evaluate(setting, counted_on_host, config, 60_000, done.append)
    assert sum(done) == found.trials == 60_000
    assert found.decoders["gc"].outage == pytest.approx(truth[0], rel=1e-9)  # the closed form
    errors = []
    for decoder, value in (("gc_plus", truth[1]), ("row_space", truth[2])):
        estimate = found.decoders[decoder].outage
        half = (estimate.high - estimate.low) / 2
        errors.append(abs(estimate - value) / half)
    assert max(errors) < 2.3
    assert found.num_revealed == pytest.approx(truth[3], rel=0.03)
    # What it would take for one fixed placement to be: far outside of the intervals.
    if family == "cyclic":
        spread = truths[family][:, 2]
        assert spread.max() - spread.min() > 5 * half


@pytest.mark.slow
def test_reciprocal_links_stay_pairs():
    """Trial by trial: one state for both directions, whoever stands where."""
    network = random_network(4, 2, reciprocal=True)
    config = CodeConfig("cyclic", 2, 1, False, RANDOM)
    setting = Setting.from_key(KEY, network, 0.95)
    truth = by_brute_force(network, cyclic_code(KEY, 4, 2)).mean(axis=0)
    exact = evaluate(setting, counted_on_host, config, 1, lambda done: None)
    assert exact.decoders["gc"].outage == pytest.approx(truth[0])
    counted = counted_on_host(setting, config, 60_000, lambda done: None)
    found = within_what_is_known(setting, counted)
    for (estimate, _, _), value in zip(found.decoders.values(), truth, strict=False):
        assert abs(estimate - value) < 2.3 * (estimate.high - estimate.low) / 2


@pytest.mark.slow
def test_rounds_use_the_uniform_rho_where_links_are_alike():
    network = Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.5)
    code = dataclasses.replace(cyclic_code(KEY, 4, 2), family="custom")
    sizes = enumerate_partial_sizes(network, code)
    # By patterns of 12 links, one by one.
    links = np.array(list(itertools.product([True, False], repeat=12)))
    uplinks, peers = links[:, :4], np.broadcast_to(np.eye(4, dtype=bool), (4096, 4, 4)).copy()
    support = np.argwhere((np.asarray(code.field_matrix) != 0) & ~np.eye(4, dtype=bool))
    peers[:, support[:, 0], support[:, 1]] = links[:, 4:]
    chance = np.where(uplinks, 0.6, 0.4).prod(axis=1) * 0.5**8
    found = jax.vmap(recover, (None, None, 0))(KEY, code, Links(uplinks[:, None], peers[:, None]))
    expected = np.zeros((2, 5))
    for gc, exact, members, p in zip(
        *map(np.asarray, (found.gc, found.sum_recovered, found.client_recovered)),
        chance,
        strict=True,
    ):
        n = int(members.sum())
        if 0 < n < 4 and not gc:
            expected[0, n] += p
        if n and not exact:
            expected[1, n] += p
    np.testing.assert_allclose(sizes, expected, atol=1e-12)

    setting = Setting.from_key(KEY, network, 0.95)
    accuracy = Accuracy()
    rounds = {}
    for order in (RANDOM, (0, 1, 2, 3)):
        config = CodeConfig("cyclic", 2, 1, False, order)
        exact = evaluate(setting, counted_on_host, config, 1, lambda done: None)
        three = coded_candidates(exact, setting, False, accuracy)
        rounds[order] = {c.scheme: c.rounds for c in three}
    assert rounds[RANDOM]["gc"] == rounds[0, 1, 2, 3]["gc"]
    assert rounds[RANDOM]["row_space"] < rounds[0, 1, 2, 3]["row_space"]
    outcomes = enumerate_outcomes(network, code)
    law = PartialLaw(float(outcomes.row_space_exact), sizes[1], float(outcomes.row_space_none))
    assert sizes[1].sum() == pytest.approx(float(outcomes.row_space_partial))
    assert 0 < uniform_rho(law) < 1
    # Over unequal links a partial average favours some: the bound is that of a server that holds.
    uneven = Setting.from_key(KEY, unequal(4, 5), 0.95)
    config = config._replace(order=RANDOM)
    found = evaluate(uneven, counted_on_host, config, 1, lambda done: None)
    assert [decoder.partial_pmf for decoder in found.decoders.values()] == [None] * 3


@pytest.mark.slow
def test_design_with_random_placement():
    network = unequal(4, 5)
    result = design(network, target=0.3, max_attempts=1, order="random")
    assert {c.order for c in result.candidates} == {None, RANDOM}
    assert result.given_order is None
    fixed = design(network, target=0.3, max_attempts=1, order="fixed")
    best = design(network, target=0.3, max_attempts=1, order="optimised")

    def outages(found):
        values = {}
        for c in found.candidates:
            if c.scheme == "gc" and c.code != "cyclic-mds":  # whose order is a proposal
                key = (c.code, c.stragglers)
                values[key] = min(c.outage, values.get(key, 1.0))
        return values

    means, owns, least = map(outages, (result, fixed, best))
    assert all(least[code] <= means[code] + 1e-12 for code in means)
    assert any(abs(means[code] - owns[code]) > 1e-3 for code in means)


@pytest.mark.slow
def test_slopes_of_a_mean_are_finite_differences():
    network = random_network(4, 6)
    orders = distinct_orders(network, 1, "cyclic", most=1000)
    found = mean_sensitivity(network, orders, 1)
    mean = mean_gc_outage(network, 1, 1, kind="cyclic").outage
    assert found.outage == pytest.approx(mean)
    step = 1e-6
    for m, k in ((0, 2), (3, 1)):
        peer = network.peer_erasure.copy()
        peer[m, k] += step
        more = mean_gc_outage(Network(network.uplink_erasure, peer), 1, 1, kind="cyclic").outage
        assert found.peer[m, k] == pytest.approx((more - mean) / step / mean, rel=1e-4)
        peer[m, k] = 0.0
        repaired = mean_gc_outage(Network(network.uplink_erasure, peer), 1, 1, kind="cyclic")
        assert found.repaired_peer[m, k] == pytest.approx(repaired.outage)
