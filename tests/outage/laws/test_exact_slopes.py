"""Slopes of log outages against whole-number fractions, small ones beside large ones."""

import math
from fractions import Fraction
from itertools import combinations

import jax
import numpy as np
import pytest

from jaxcogc.design.link_sensitivity import mean_sensitivity, sensitivity
from jaxcogc.links.network import Network
from jaxcogc.outage.laws.gc_outage import (
    gc_outage_probability,
    log_gc_outage_probability,
    log_outage_gradient,
)

HARD = Network(
    [1e-12, 0.9, 1e-30, 0.3],
    [[0, 1e-14, 0.5, 0.1], [0.7, 0, 1 - 1e-9, 0], [1e-25, 1e-20, 0, 0.2], [0.5, 1e-3, 1e-18, 0]],
)


def exact_outage(network, stragglers, attempts, kind, changes=()):
    """The law in fractions, with some links replaced: {(receiver, sender): erasure}."""
    clients, size = network.num_clients, stragglers + 1
    changes = dict(changes)
    missing = []
    for m in range(clients):
        works = 1 - Fraction(changes.get((m, m), network.uplink_erasure[m]))
        for k in range(clients):
            near = (k - m) % clients < size if kind == "cyclic" else k // size == m // size
            if near and k != m:
                works *= 1 - Fraction(changes.get((m, k), network.peer_erasure[m, k]))
        missing.append((1 - works) ** attempts)
    if kind == "blocks":
        blocks = [math.prod(missing[b : b + size]) for b in range(0, clients, size)]
        return 1 - math.prod(1 - block for block in blocks)
    return sum(
        math.prod(missing[m] if m in lost else 1 - missing[m] for m in range(clients))
        for number in range(size, clients + 1)
        for lost in map(set, combinations(range(clients), number))
    )


def exact_slope(network, stragglers, attempts, kind, link):
    """The outage is a polynomial of degree `attempts` in a link: differences at 1, 2, .. of it."""
    receiver, sender = link
    own = network.uplink_erasure[sender] if receiver == sender else network.peer_erasure[link]
    here = Fraction(own)

    def at(number):
        return exact_outage(network, stragglers, attempts, kind, {link: here + number})

    slope = at(1) - at(-1)  # exact up to degree 2; of degree 3 the cubic term is taken out
    if attempts > 2:
        slope = (8 * slope - (at(2) - at(-2))) / 6
    return slope / 2 / at(0)


@pytest.mark.slow
@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize(("kind", "stragglers"), [("cyclic", 2), ("cyclic", 1), ("blocks", 1)])
def test_slopes_keep_their_digits(kind, stragglers, attempts):
    found = log_outage_gradient(HARD, stragglers, attempts, kind=kind)
    outage = exact_outage(HARD, stragglers, attempts, kind)
    assert found.log_outage == pytest.approx(math.log(outage), rel=1e-12)
    for m in range(4):
        for k in range(4):
            slope = float(exact_slope(HARD, stragglers, attempts, kind, (m, k)))
            value = found.uplink[m] if m == k else found.peer[m, k]
            assert value == pytest.approx(slope, rel=1e-12, abs=0.0), (m, k)


@pytest.mark.slow
def test_slopes_where_single_precision_knows_no_outage():
    network = Network.homogeneous(12, uplink_erasure=1e-5, peer_erasure=1e-5)
    found = sensitivity(network, 11, kind="blocks")
    exact = float(exact_slope(network, 11, 1, "blocks", (0, 0)))
    np.testing.assert_allclose(found.uplink, exact, rtol=1e-12)
    assert exact == pytest.approx(8333, rel=1e-4)


@pytest.mark.slow
def test_slopes_of_the_law_itself_in_double_precision():
    with jax.enable_x64(True):
        slopes = jax.grad(gc_outage_probability)(HARD, 2, 2)
    outage = float(exact_outage(HARD, 2, 2, "cyclic"))
    for k in (1, 2, 3):
        exact = float(exact_slope(HARD, 2, 2, "cyclic", (0, k))) * outage
        assert slopes.peer_erasure[0, k] == pytest.approx(exact, rel=1e-12, abs=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cyclic", "blocks"])
def test_placements_are_weighed_where_outages_underflow(kind):
    network, own = Network([1e-90, 1e-85, 1e-88, 1e-84], np.zeros((4, 4))), tuple(range(4))
    stragglers = 3 if kind == "cyclic" else 1
    found = mean_sensitivity(network, [own, own[::-1]], stragglers, 2, kind=kind)
    alone = log_outage_gradient(network, stragglers, 2, kind=kind)
    assert found.log_outage == pytest.approx(alone.log_outage, rel=1e-12)
    np.testing.assert_allclose(found.uplink, alone.uplink, rtol=1e-12)
    assert np.all(found.uplink[:2] > 0)


@pytest.mark.slow
@pytest.mark.parametrize("erasure", [1e-310, 5e-324, 2.3e-308])
@pytest.mark.parametrize("attempts", [1, 3])
def test_logarithms_of_the_smallest_probabilities(erasure, attempts):
    network = Network.homogeneous(3, uplink_erasure=erasure, peer_erasure=0.0)
    power = 2 * attempts
    expected = power * math.log(Fraction(erasure)) + math.log(3)
    assert log_gc_outage_probability(network, 1, attempts) == pytest.approx(expected, rel=1e-12)
    peers = Network(np.zeros(2), [[0, erasure], [erasure, 0]])
    expected = 2 * attempts * math.log(Fraction(erasure))
    assert log_gc_outage_probability(peers, 1, attempts) == pytest.approx(expected, rel=1e-12)
