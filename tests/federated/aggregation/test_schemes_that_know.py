"""Schemes that know the network: relays and unbiased averages against loops over all patterns."""

import itertools

import jax
import numpy as np
import pytest

from jaxcogc import LinkDynamics, Network, colrel_variance, colrel_weights, cyclic_code, make_scheme
from jaxcogc.federated import Foreknowledge
from jaxcogc.federated.convergence.round_samples import enumerate_rounds, sample_rounds
from jaxcogc.names import MEMORY_SCHEMES, SCHEMES
from jaxcogc.training import effective_weights, gather_foreknowledge, largest_inverse
from tests.federated.covariances import assert_moments, moments, moments_by_hand
from tests.reference import reference_cases

KEY = jax.random.key(3)
LOST = np.array([0.1, 0.5, 0.8])
PEER = np.array([[0.0, 0.2, 0.3], [0.1, 0.0, 0.4], [0.25, 0.35, 0.0]])
NETWORK = Network(LOST, PEER)
UNBIASED = ("gc_plus_unbiased", "row_space_unbiased")


def known_by_rank(rows):
    """Whose unit vector lies in the row space, by NumPy."""
    rank = np.linalg.matrix_rank(rows)
    units = np.eye(rows.shape[1])
    return [np.linalg.matrix_rank(np.vstack([rows, unit])) == rank for unit in units]


def relayed_by_hand(network, alpha):
    """(probability, c / M, number revealed) of every pattern with links that may fail."""
    clients = len(alpha)
    uplink, peer = network.uplink_erasure, network.peer_erasure
    off = [(i, j) for i in range(clients) for j in range(clients) if i != j]
    found = []
    for bits in itertools.product([True, False], repeat=clients + len(off)):
        tau, heard = np.array(bits[:clients]), np.eye(clients, dtype=bool)
        chance = np.prod(np.where(tau, 1 - uplink, uplink))
        for (i, j), delivered in zip(off, bits[clients:], strict=True):
            heard[i, j] = delivered
            chance *= 1 - peer[i, j] if delivered else peer[i, j]
        if chance == 0:
            continue
        sums = np.zeros((clients, clients))
        for i in range(clients):
            for j in range(clients):
                if tau[i] and heard[i, j]:
                    sums[i, j] = alpha[i, j]
        found.append((chance, sums.sum(axis=0) / clients, sum(known_by_rank(sums))))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["total", "trace"])
def test_relaying_is_the_sum_over_all_patterns(objective):
    alpha = colrel_weights(NETWORK, objective=objective)
    by_hand = relayed_by_hand(NETWORK, alpha)
    mean, covariance = moments(
        np.array([chance for chance, _, _ in by_hand]), np.array([c for _, c, _ in by_hand])
    )
    every = enumerate_rounds(
        NETWORK, None, schemes=("colrel",), known=Foreknowledge(relay_weights=alpha)
    )
    found = every.coefficients
    assert every.probability.sum() == pytest.approx(1)
    drawn_mean, drawn = moments(every.probability, found.weights[:, 0].astype(float))
    np.testing.assert_allclose(drawn_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(drawn, covariance, atol=1e-7)
    np.testing.assert_allclose(mean, 1 / 3, rtol=1e-12)
    law = colrel_variance(NETWORK, alpha)
    assert 9 * covariance.sum() == pytest.approx(law.total)
    assert 9 * np.trace(covariance) == pytest.approx(law.trace)
    revealed = every.probability @ found.num_revealed[:, 0]
    assert revealed == pytest.approx(sum(chance * number for chance, _, number in by_hand))
    assert set(found.peer_uses[:, 0]) == {int((alpha > 0).sum() - (np.diagonal(alpha) > 0).sum())}
    assert set(found.uplink_uses[:, 0]) == {3}
    assert not found.exact.any()
    np.testing.assert_array_equal(found.hold[:, 0], ~found.weights[:, 0].any(axis=1))
    result = effective_weights(KEY, NETWORK, "colrel", known=Foreknowledge(alpha))
    held = every.probability @ found.hold[:, 0]
    np.testing.assert_allclose(result.weights, mean / (1 - held), rtol=1e-6)
    assert (result.method, result.bias < 1e-12) == ("closed form", True)


@pytest.mark.slow
def test_attempts_are_averaged_and_places_change_nothing():
    alpha = colrel_weights(NETWORK)
    settings = {"schemes": ("colrel",), "num_trials": 20_000, "num_attempts": 2}
    once, placed = (
        sample_rounds(KEY, NETWORK, cyclic_code(KEY, 3, 1), **settings, placement=placement)
        for placement in ("fixed", "random")
    )
    np.testing.assert_array_equal(once.weights, placed.weights)
    weights = once.weights[:, 0].astype(float)
    error = np.square(weights.sum(axis=1) - 1).mean()
    assert error == pytest.approx(colrel_variance(NETWORK, alpha).total / 9 / 2, rel=0.05)
    assert set(once.uplink_uses[:, 0]) == {6}


@pytest.mark.slow
def test_reciprocal_relays_add_their_term():
    peer = (PEER + PEER.T) / 2
    network = Network(LOST, peer, reciprocal=True)
    every = enumerate_rounds(network, None, schemes=("colrel",))
    mean, covariance = moments(every.probability, every.coefficients.weights[:, 0].astype(float))
    np.testing.assert_allclose(mean, 1 / 3, rtol=1e-6)
    law = colrel_variance(network, colrel_weights(network))
    assert 9 * covariance.sum() == pytest.approx(law.total, rel=1e-5)


def few_random_links():
    """Of five clients, eight; others never fail, but for one that always does."""
    peer = np.zeros((5, 5))
    peer[0, 1], peer[1, 2], peer[2, 3], peer[4, 0] = 0.4, 0.2, 0.5, 1.0
    return Network([0.1, 0.3, 0.5, 0.6, 0.9], peer)


@pytest.mark.slow
@pytest.mark.parametrize("clients", [3, 5])
def test_covariances_of_all_schemes_are_those_of_rounds_by_hand(clients):
    """Three clients with all that is random, and what is known of it; every scheme for five."""
    if clients == 3:
        names = (*UNBIASED, *(x for x in MEMORY_SCHEMES if "inter" not in x and "inv" not in x))
        network, code = NETWORK, cyclic_code(KEY, 3, 1)
        known = gather_foreknowledge(KEY, network, names, code)
    else:
        without = ("implicit_gossip", "retransmission")  # no coefficients; another number of tries
        names = tuple(name for name in SCHEMES if name not in without)
        network, code = few_random_links(), cyclic_code(KEY, 5, 2)
        often = {"gc_plus": np.linspace(0.4, 0.9, 5), "row_space": np.linspace(0.9, 0.5, 5)}
        known = Foreknowledge(colrel_weights(network), often)
    told = {f"{name}_unbiased": x for name, x in (known.recovery_probability or {}).items()}
    told["colrel"] = known.relay_weights
    every = enumerate_rounds(network, code, schemes=names, known=known)
    assert_moments(every, names, moments_by_hand(network, names, code, told))


@pytest.mark.slow
@pytest.mark.parametrize("stragglers", [1, 2])
def test_unbiased_averages_have_the_mean_that_they_promise(stragglers):
    code = cyclic_code(KEY, 3, stragglers)
    known = gather_foreknowledge(KEY, NETWORK, UNBIASED, code)
    every = enumerate_rounds(NETWORK, code, schemes=(*UNBIASED, "gc_plus", "gc"), known=known)
    found, chance = every.coefficients, every.probability
    for number, name in enumerate(("gc_plus", "row_space")):
        mean = chance @ found.weights[:, number].astype(float)
        np.testing.assert_allclose(mean, 1 / 3, rtol=1e-6)
        # The sum of rounds in which the average is exact is scaled as well.
        inverse = 1 / (3 * known.recovery_probability[name])
        seen = found.weights[:, number][found.exact[:, 3]]
        np.testing.assert_allclose(seen, np.tile(inverse, (len(seen), 1)), rtol=1e-6)
        assert largest_inverse(known)[name] == pytest.approx(3 * inverse.max())
    np.testing.assert_array_equal(found.hold[:, 0], found.hold[:, 2])
    biased = chance @ found.weights[:, 2].astype(float)
    assert np.ptp(biased) > 0.02


@pytest.mark.slow
def test_drawn_probabilities_are_the_enumerated_ones(monkeypatch):
    code = cyclic_code(KEY, 3, 1)
    exact = gather_foreknowledge(KEY, NETWORK, UNBIASED, code).recovery_probability
    monkeypatch.setattr("jaxcogc.training.foreknowledge.enumerate_rounds", lambda *_, **__: None)
    drawn = gather_foreknowledge(
        KEY, NETWORK, UNBIASED, code, num_trials=40_000
    ).recovery_probability
    for name in exact:
        np.testing.assert_allclose(drawn[name], exact[name], atol=0.012)  # 5 standard deviations


@pytest.mark.slow
def test_enumerated_rounds_are_those_of_the_reference():
    cases = [param.values[0] for param in reference_cases("enumeration")]
    case = next(c for c in cases if c.clients == 4 and len(set(c.uplink_erasure)) > 1)
    network = Network(case.uplink_erasure, case.peer_erasure)
    code = cyclic_code(KEY, 4, case.stragglers)
    names = ("gc", "gc_plus", "row_space", "retransmission")
    every = enumerate_rounds(network, code, schemes=names, num_attempts=case.attempts)
    found, chance = every.coefficients, every.probability
    expected = case.expected
    assert chance @ found.exact[:, 0] == pytest.approx(expected["gc_recovered"], abs=1e-9)
    assert chance @ found.hold[:, 2] == pytest.approx(expected["row_space_none"], abs=1e-9)
    mean = chance @ found.weights[:, 1].astype(float)
    np.testing.assert_allclose(mean, expected["gc_plus_weight"], rtol=1e-6)
    assert chance @ found.exact[:, 3] == pytest.approx(np.prod(1 - network.uplink_erasure**2))


@pytest.mark.slow
def test_nothing_lost_is_ideal_for_all():
    network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    names = ("ideal", "colrel", *UNBIASED)
    code = cyclic_code(KEY, 4, 2)
    known = gather_foreknowledge(KEY, network, names, code)
    every = enumerate_rounds(network, code, schemes=names, known=known)
    assert np.all(every.coefficients.weights == np.float32(0.25))
    assert every.coefficients.exact.all()


@pytest.mark.slow
def test_few_recovered_clients_are_held():
    code = cyclic_code(KEY, 3, 1)
    names = ("intermittent", "retransmission", "gc_plus", "row_space", "intermittent_blind")
    plain = enumerate_rounds(NETWORK, code, schemes=names).coefficients
    found = enumerate_rounds(NETWORK, code, schemes=names, min_recovered=2).coefficients
    size = (plain.weights != 0).sum(axis=-1)
    expected = plain.hold | (size < 2)
    expected[:, 4] = plain.hold[:, 4]  # nothing that is divided by M
    np.testing.assert_array_equal(found.hold, expected)
    np.testing.assert_array_equal(found.weights[~expected], plain.weights[~expected])
    assert not found.weights[expected].any()
    assert (found.hold & ~plain.hold).any()
    everybody = enumerate_rounds(NETWORK, code, schemes=names, min_recovered=4).coefficients
    np.testing.assert_array_equal(everybody.exact, plain.exact)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("colrel", {"keep_heard": True}, "'colrel' with keep_heard"),
        ("colrel", {"dynamics": LinkDynamics(block_probability=0.1)}, "blocked clients"),
        ("colrel", {"known": Foreknowledge(np.ones((2, 2)))}, r"\(2, 2\): allowed is \(3, 3\)"),
        ("colrel", {"known": Foreknowledge(-np.eye(3))}, "weights"),
        ("gc_plus_unbiased", {}, "no recovery_probability of 'gc_plus'"),
        ("gc_plus", {"min_recovered": 0}, "min_recovered"),
        (
            "row_space_unbiased",
            {"known": Foreknowledge(None, {"row_space": np.array([0.5, 0.5, 1.5])})},
            "recovery_probability of row_space",
        ),
    ],
)
def test_what_is_missing_is_named(name, settings, words):
    def draw():
        code = None if name == "colrel" else cyclic_code(KEY, 3, 1)
        scheme = make_scheme(name, code, **settings)
        return scheme.draw(KEY, scheme.init(), NETWORK)

    with pytest.raises(ValueError, match=words):
        draw()
