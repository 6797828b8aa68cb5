"""Derivatives of the laws, against differences taken in exact arithmetic."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.links.network import Network
from jaxcogc.outage.laws.gc_outage import gc_outage_probability, log_gc_outage_probability
from tests.outage.dyadic import ONE, Dyadic, exact_cyclic, random_network


def altered(network, link, value):
    """The network with one probability replaced: link (m, m) is the uplink of m."""
    uplink, peer = np.array(network.uplink_erasure), np.array(network.peer_erasure)
    if link[0] == link[1]:
        uplink[link[0]] = value
    else:
        peer[link] = value
    return Network(uplink, peer)


def exact_gradient(network, law):
    """A law of one attempt is linear in every probability: slope = value at 1 - value at 0."""
    slopes = np.zeros((network.num_clients, network.num_clients))
    for link in np.ndindex(slopes.shape):
        slopes[link] = (law(altered(network, link, 1.0)) - law(altered(network, link, 0.0))) / ONE
    return slopes


def as_matrix(gradient):
    peer = np.asarray(gradient.peer_erasure, np.float64)
    return peer + np.diag(np.asarray(gradient.uplink_erasure, np.float64))


EDGE_NETWORKS = {
    "ordinary": Network.homogeneous(5, uplink_erasure=0.3, peer_erasure=0.2),
    "all 0": Network.homogeneous(5, uplink_erasure=0.0, peer_erasure=0.0),
    "all 1": Network.homogeneous(5, uplink_erasure=1.0, peer_erasure=1.0),
    "peers 1": Network.homogeneous(5, uplink_erasure=0.4, peer_erasure=1.0),
    "uplinks 0": Network.homogeneous(5, uplink_erasure=0.0, peer_erasure=0.3),
    "one dead": Network([1.0, 0.1, 0.0, 0.0, 0.2], random_network(5, 0, "any").peer_erasure),
    "tiny": random_network(5, 2, "tiny"),
    "any": random_network(5, 4, "any"),
}


@pytest.mark.slow
@pytest.mark.parametrize("network", EDGE_NETWORKS.values(), ids=EDGE_NETWORKS.keys())
def test_gradients_are_exact_at_the_edges_too(network):
    for s in (0, 1, 4):
        exact = exact_gradient(network, lambda n, s=s: exact_cyclic(n, s))
        with jax.enable_x64(True):
            ours = jax.grad(lambda n, s=s: gc_outage_probability(n, s))(network)
        np.testing.assert_allclose(as_matrix(ours), exact, rtol=1e-12, atol=0)
        with jax.enable_x64(False):
            rough = jax.grad(lambda n, s=s: gc_outage_probability(n, s))(network)
        assert rough.uplink_erasure.dtype == jnp.float32
        np.testing.assert_allclose(as_matrix(rough), exact, rtol=1e-4, atol=1e-35)


@pytest.mark.slow
@pytest.mark.parametrize("attempts", [3])
def test_gradients_of_several_attempts_match_finite_differences(attempts):
    network = random_network(6, 5, "one-scale")
    exact = np.zeros((6, 6))
    for link in np.ndindex(exact.shape):
        p = network.uplink_erasure[link[0]] if link[0] == link[1] else network.peer_erasure[link]
        probabilities = [Dyadic.of(p) + Dyadic(sign, -80) for sign in (-1, 1)]
        values = [exact_at(network, link, q, 2, attempts) for q in probabilities]
        exact[link] = (values[1] - values[0]) / Dyadic(1, -79)
    with jax.enable_x64(True):
        gradient = jax.grad(lambda n: gc_outage_probability(n, 2, attempts))(network)
        logarithmic = jax.grad(lambda n: log_gc_outage_probability(n, 2, attempts))(network)
    np.testing.assert_allclose(as_matrix(gradient), exact, rtol=1e-10)
    relative = exact / gc_outage_probability(network, 2, attempts)
    np.testing.assert_allclose(as_matrix(logarithmic), relative, rtol=1e-10)


def exact_at(network, link, probability, stragglers, attempts):
    """``exact_cyclic`` with one probability that is no float64."""
    original = Dyadic.of
    marker = 0.123456789
    try:
        Dyadic.of = lambda number: probability if number == marker else original(number)
        return exact_cyclic(altered(network, link, marker), stragglers, attempts)
    finally:
        Dyadic.of = original


@pytest.mark.slow
def test_gradient_of_the_logarithm_of_rare_outages():
    network = random_network(40, 0, "tiny")
    for mode, tolerance in ((True, 1e-11), (False, 1e-5)):
        with jax.enable_x64(mode):
            value, gradient = jax.value_and_grad(lambda n: log_gc_outage_probability(n, 30))(
                network
            )
        assert value == pytest.approx(float(log_gc_outage_probability(network, 30)), rel=tolerance)
        # Euler: P is close to homogeneous, of degree s + 1 = 31, in all probabilities.
        scale = sum(
            jax.tree.leaves(
                jax.tree.map(lambda g, p: np.sum(np.asarray(g, float) * p), gradient, network)
            )
        )
        assert scale == pytest.approx(31.0, rel=1e-2)


@pytest.mark.slow
def test_gradient_of_the_logarithm_where_an_outage_is_impossible():
    perfect = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    for s, slope in ((0, math.inf), (2, 0.0)):  # one link suffices without coding
        gradient = jax.grad(lambda n, s=s: log_gc_outage_probability(n, s))(perfect)
        np.testing.assert_array_equal(gradient.uplink_erasure, np.full(4, slope))
        np.testing.assert_array_equal(gradient.peer_erasure, np.zeros((4, 4)))


@pytest.mark.slow
def test_every_transformation_of_a_32_bit_caller():
    network = Network.homogeneous(5, uplink_erasure=0.1, peer_erasure=0.05)

    def law(n):
        return gc_outage_probability(n, 2)

    with jax.enable_x64(False):
        gradient = as_matrix(jax.grad(law)(network))
        for same in (jax.jit(jax.grad(law)), jax.grad(jax.jit(law))):
            np.testing.assert_allclose(as_matrix(same(network)), gradient, rtol=1e-4)
        composed = jax.grad(lambda n: jnp.log(law(n)) ** 2 + jnp.sum(n.uplink_erasure))(network)
        expected = 2 * math.log(law(network)) / law(network) * gradient + np.eye(5)
        np.testing.assert_allclose(as_matrix(composed), expected, rtol=1e-4)
        several = jax.jit(jax.vmap(lambda p: law(Network(p, network.peer_erasure))))
        values = several(jnp.stack([jnp.full(5, 0.1), jnp.full(5, 0.2)]))
        assert values.dtype == jnp.float32
        assert values[0] == pytest.approx(law(network), rel=1e-5)


@pytest.mark.soak
def test_second_derivatives():
    """P of one attempt is linear in every probability: the Hessian vanishes on its diagonal."""
    network = Network.homogeneous(5, uplink_erasure=0.1, peer_erasure=0.05)
    for mode in (False, True):
        with jax.enable_x64(mode):
            hessian = jax.jacfwd(jax.grad(lambda n: gc_outage_probability(n, 2)))(network)
        uplinks = np.asarray(hessian.uplink_erasure.uplink_erasure)
        assert np.all(np.abs(np.diagonal(uplinks)) < 1e-6)
        assert np.all(uplinks + np.eye(5) > 1e-3)
