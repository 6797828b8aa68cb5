"""Weights of relays against stored values, enumeration over all link patterns, and optimality."""

import itertools
import json

import numpy as np
import pytest

from jaxcogc import Network, colrel_variance, colrel_weights
from tests.places import SHARED


def cases():
    path = SHARED / "reference" / "extensions.json"
    if not path.is_file():
        return []
    found = [case for case in json.loads(path.read_text())["cases"] if case["topic"] == "B"]
    return [pytest.param(case, id=case["name"].replace(" ", "-")) for case in found]


@pytest.mark.parametrize("case", cases())
def test_values_of_an_independent_program(case):
    network = Network(case["uplink_erasure"], case["peer_erasure"], case["reciprocal"])
    window, expected = case["relay_window"], case["expected"]
    if "error_names_client" in expected:
        for objective in ("total", "trace"):
            with pytest.raises(ValueError, match=f"client {expected['error_names_client']} "):
                colrel_weights(network, objective=objective, window=window)
        return
    total = colrel_weights(network, window=window)
    found = colrel_variance(network, total)
    if expected["alpha_is"] == "unique":
        np.testing.assert_allclose(total, expected["alpha_min_S"], atol=1e-7)
        eigenvalue = expected["largest_eigenvalue_of_cov_at_min_S"]
        assert found.largest_eigenvalue == pytest.approx(eigenvalue, abs=1e-8)
        assert found.trace == pytest.approx(expected["trace_at_min_S"], abs=1e-8)
    assert found.total == pytest.approx(expected["S_min"], abs=1e-10)
    assert found.kkt_residual < 1e-10
    trace = colrel_weights(network, objective="trace", window=window)
    np.testing.assert_allclose(trace, expected["alpha_min_trace"], rtol=1e-10)
    found = colrel_variance(network, trace)
    assert found.trace == pytest.approx(expected["trace_min"], rel=1e-10)
    assert found.total == pytest.approx(expected["S_at_min_trace"], rel=1e-10)
    assert found.total == pytest.approx(expected["S_min"], rel=1e-9) or found.kkt_residual > 1e-3
    if expected["S_inverse_probability"] is not None:
        alone = np.diag(1 / (1 - network.uplink_erasure))
        found = colrel_variance(network, alone)
        assert found.total == pytest.approx(expected["S_inverse_probability"], rel=1e-10)


def random_network(seed, clients, reciprocal):
    random = np.random.default_rng(seed)
    peer = random.uniform(0, 1, (clients, clients))
    peer = (peer + peer.T) / 2 if reciprocal else peer
    peer *= 1 - np.eye(clients)
    return Network(random.uniform(0, 1, clients), peer, reciprocal)


def patterns(network):
    """Every link pattern: (probability, uplinks [clients], peer links [clients, clients])."""
    clients = network.num_clients
    pairs = [
        (m, k)
        for m, k in itertools.permutations(range(clients), 2)
        if m < k or not network.reciprocal
    ]
    rates = [network.uplink_erasure[m] for m in range(clients)]
    rates += [network.peer_erasure[pair] for pair in pairs]
    for delivered in itertools.product((0, 1), repeat=len(rates)):
        probability = np.prod([1 - p if d else p for p, d in zip(rates, delivered, strict=True)])
        if probability == 0:
            continue
        peer = np.eye(clients)
        for (m, k), arrived in zip(pairs, delivered[clients:], strict=True):
            peer[m, k] = arrived
            if network.reciprocal:
                peer[k, m] = arrived
        yield probability, np.array(delivered[:clients]), peer


def moments(network, weights):
    mean, second = 0.0, 0.0
    for probability, uplinks, peer in patterns(network):
        c = uplinks @ (peer * weights)
        mean = mean + probability * c
        second = second + probability * np.outer(c, c)
    return mean, second - np.outer(mean, mean)


@pytest.mark.slow
@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("clients", [1, 2, 3, 4])
def test_moments_are_those_of_all_link_patterns(clients, reciprocal):
    network = random_network(clients, clients, reciprocal)
    random = np.random.default_rng(7)
    some = random.uniform(0, 2, (clients, clients))  # biased weights have a variance too
    choices = [colrel_weights(network), colrel_weights(network, objective="trace"), some]
    for weights in choices[: 2 if clients == 4 else 3]:
        mean, covariance = moments(network, weights)
        found = colrel_variance(network, weights)
        np.testing.assert_allclose(found.mean, mean, rtol=1e-11)
        assert found.trace == pytest.approx(np.trace(covariance), rel=1e-11)
        assert found.total == pytest.approx(covariance.sum(), rel=1e-11)
        largest = np.linalg.eigvalsh(covariance)[-1]
        assert found.largest_eigenvalue == pytest.approx(largest, rel=1e-9)
    for weights in choices[:2]:
        np.testing.assert_allclose(colrel_variance(network, weights).mean, 1, rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_no_unbiased_change_makes_an_optimum_better(seed):
    """Both objectives, all windows; changes that keep the mean and the sign."""
    clients, random = 6, np.random.default_rng(seed)
    network = random_network(seed, clients, reciprocal=bool(seed % 2))
    window = None if seed < 3 else seed - 2
    delivered = (1 - network.uplink_erasure)[:, None] * (1 - network.peer_erasure)
    best = {
        name: colrel_weights(network, objective=name, window=window) for name in ("total", "trace")
    }
    support = best["trace"] > 0
    least = {
        name: getattr(colrel_variance(network, weights), name) for name, weights in best.items()
    }
    assert colrel_variance(network, best["total"], window=window).kkt_residual < 1e-10
    assert least["total"] < colrel_variance(network, best["trace"]).total
    for _ in range(20):
        other = support * random.exponential(size=(clients, clients))
        other /= np.sum(delivered * other, axis=0)
        for name, weights in best.items():
            near = weights + 0.05 * (other - weights)
            assert getattr(colrel_variance(network, near), name) >= least[name] * (1 - 1e-12)


@pytest.mark.slow
def test_fifty_clients_meet_the_conditions_of_the_optimum():
    for reciprocal in (False, True):
        network = random_network(3, 50, reciprocal)
        found = colrel_variance(network, colrel_weights(network))
        assert found.kkt_residual < 1e-10
        np.testing.assert_allclose(found.mean, 1, rtol=1e-12)


def test_relays_that_never_fail_carry_everything():
    perfect = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    for objective in ("total", "trace"):
        weights = colrel_weights(perfect, objective=objective)
        np.testing.assert_array_equal(weights, np.eye(4))
        assert colrel_variance(perfect, weights)[:3] == (0, 0, 0)
    # Client 1 alone is always heard, and hears client 0 without fail.
    network = Network([0.5, 0.0, 0.3], [[0, 0.2, 0.2], [0, 0, 0.4], [0.1, 0.1, 0]])
    for objective in ("total", "trace"):
        weights = colrel_weights(network, objective=objective)
        np.testing.assert_array_equal(weights[:, :2], [[0, 0], [1, 1], [0, 0]])
        assert weights[1, 2] > 0 < weights[2, 2]
    # Hardly ever lost is as good as never, but for the last bits.
    nearly = Network([1e-300, 1e-17, 0.5], np.full((3, 3), 1e-18) * (1 - np.eye(3)))
    assert colrel_variance(nearly, colrel_weights(nearly)).total < 1e-16


def test_a_network_is_unbiased_only_with_its_own_weights():
    network = random_network(1, 4, reciprocal=False)
    wrong = Network(network.uplink_erasure * 0.5, network.peer_erasure)
    found = colrel_variance(network, colrel_weights(wrong))
    assert found.mean.max() < 1
    assert found.trace > 0


def test_the_residual_compares_within_the_window():
    network = random_network(2, 5, reciprocal=False)
    alone = colrel_weights(network, window=0)
    np.testing.assert_allclose(alone, np.diag(1 / (1 - network.uplink_erasure)))
    assert colrel_variance(network, alone).kkt_residual < 1e-12
    assert colrel_variance(network, alone, window=4).kkt_residual > 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objective": "sum"}, "allowed are total, trace"),
        ({"window": 3}, "window = 3"),
        ({"window": -1}, "window = -1"),
        ({"weights": [[1.0]]}, r"shape \(1, 1\)"),
        ({"weights": -np.eye(3)}, r"weights\[0, 0\] = -1.0"),
        ({"weights": np.full((3, 3), np.nan)}, r"weights\[0, 0\] = nan"),
        ({"weights": np.ones((3, 3)), "window": 1}, r"weights\[0, 2\] = 1.0: allowed is 0 outside"),
    ],
)
def test_bad_arguments_are_named(change, words):
    network = Network.homogeneous(3, uplink_erasure=0.2, peer_erasure=0.2)
    with pytest.raises(ValueError, match=words):
        (colrel_variance if "weights" in change else colrel_weights)(network, **change)
