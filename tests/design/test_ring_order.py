"""Orders of the ring against trying every one, and against the closed form."""

import itertools

import numpy as np
import pytest

from jaxcogc.design import ring_order
from jaxcogc.design.ring_order import best_order, log_outages_of_orders
from jaxcogc.links.network import Network
from jaxcogc.outage.laws.gc_outage import (
    fractional_repetition_outage_probability,
    gc_outage_probability,
)
from tests.outage.test_agreement import random_network


@pytest.mark.slow
def test_logarithms_are_those_of_the_closed_form():
    network = random_network(6, 1)
    orders = np.array([np.random.default_rng(i).permutation(6) for i in range(3)])
    for kind, s, law in (
        ("cyclic", 2, gc_outage_probability),
        ("blocks", 1, fractional_repetition_outage_probability),
    ):
        logs = log_outages_of_orders(network, orders, s, 2, kind=kind)
        expected = [float(law(network.permuted(tuple(order.tolist())), s, 2)) for order in orders]
        np.testing.assert_allclose(np.exp(logs), expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "s"), [("cyclic", 2), ("blocks", 1), ("cyclic", 0)])
def test_exhaustive_and_local_search_find_the_best(kind, s, monkeypatch):
    network = random_network(6, 2)
    orders = np.array(list(itertools.permutations(range(6))))
    logs = log_outages_of_orders(network, orders, s, 2, kind=kind)
    found = best_order(network, s, 2, kind=kind)
    assert found.log_outage == pytest.approx(logs.min(), abs=1e-10)
    monkeypatch.setattr(ring_order, "EXHAUSTIVE", 3)
    local = best_order(network, s, 2, kind=kind, num_random_starts=3)
    assert local.log_outage == pytest.approx(logs.min(), abs=1e-10)
    for result in (found, local):
        again = log_outages_of_orders(network, np.array([result.order]), s, 2, kind=kind)[0]
        assert again == pytest.approx(result.log_outage, abs=1e-12)
        assert sorted(result.order) == list(range(6))


@pytest.mark.slow
def test_never_worse_than_the_given_order():
    for seed in range(4):
        network = random_network(9, seed)
        own = log_outages_of_orders(network, np.array([range(9)]), 3, 1)[0]
        found = best_order(network, 3, 1, num_random_starts=0)
        assert found.log_outage <= own
    alike = Network.homogeneous(5, uplink_erasure=0.1, peer_erasure=0.2)
    assert best_order(alike, 2).order == (0, 1, 2, 3, 4)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="num_stragglers = 6"):
        best_order(random_network(6, 0), 6)
