"""Effective weights against sums over all arrivals, an independent file, and a simulation."""

from itertools import product

import jax
import numpy as np
import pytest

from jaxcogc import LinkDynamics, Network, cyclic_code, make_scheme
from jaxcogc.federated import RoundSettings
from jaxcogc.federated.convergence.partial_averages import draw_rounds, mean_coefficients
from jaxcogc.training.client_weights import effective_weights
from jaxcogc.training.compared_schemes import scheme_errors
from jaxcogc.training.foreknowledge import gather_foreknowledge
from tests.reference import reference_cases

KEY = jax.random.key(0)
LOST = np.array([0.1, 0.3, 0.6, 0.9])
UNEQUAL = Network(LOST, np.zeros((4, 4)))


def by_enumeration(lost: np.ndarray, scheme: str) -> np.ndarray:
    """E[coefficients | somebody arrives], pattern by pattern."""
    clients = len(lost)
    total, nobody = np.zeros(clients), 0.0
    for arrived in product([False, True], repeat=clients):
        who = np.array(arrived)
        probability = np.prod(np.where(who, 1 - lost, lost))
        if not who.any():
            nobody = probability
            continue
        coefficients = {
            "intermittent": who / who.sum(),
            "retransmission": who / who.sum(),
            "intermittent_blind": who / clients,
            "inverse_probability": who / (clients * (1 - lost)),
        }[scheme]
        total += probability * coefficients
    return total / (1 - nobody)


@pytest.mark.parametrize(
    "scheme", ["intermittent", "intermittent_blind", "inverse_probability", "retransmission"]
)
def test_arrivals(scheme: str) -> None:
    policy = {"num_tries": 3} if scheme == "retransmission" else {}
    found = effective_weights(KEY, UNEQUAL, scheme, **policy)
    expected = by_enumeration(LOST**3 if policy else LOST, scheme)
    np.testing.assert_allclose(found.weights, expected, rtol=1e-12)
    assert found.method == "closed form"
    assert found.trials is None
    shares = expected / expected.sum()
    assert found.bias == pytest.approx(np.maximum(shares - 0.25, 0).sum())
    assert (found.bias < 1e-12) == (scheme == "inverse_probability")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["intermittent", "retransmission"])
def test_links_in_time(scheme: str) -> None:
    """The closed form equals rounds drawn from the same chains, and is told from independence."""
    network = Network(LOST, 0.1 * (1 - np.eye(4)))
    dynamics = LinkDynamics(
        memory=0.7, good_erasure=0.05, bad_erasure=0.9, block_probability=[0.3, 0, 0.1, 0]
    )
    found = effective_weights(KEY, network, scheme, dynamics=dynamics, num_tries=3)
    assert found.method == "closed form"
    drawn = draw_rounds(
        KEY, network, None, schemes=(scheme,), num_trials=40_000, dynamics=dynamics, num_tries=3
    )
    np.testing.assert_allclose(found.weights, mean_coefficients(drawn[scheme]), atol=0.01)
    plain = effective_weights(KEY, network, scheme, num_tries=3)
    assert abs(found.weights - plain.weights).max() > 0.02


@pytest.mark.slow
def test_a_closed_form_equals_the_drawn_rounds() -> None:
    found = effective_weights(KEY, UNEQUAL, "intermittent", max_repeats=1, num_trials=40_000)
    assert found.method == "simulation"
    once = effective_weights(KEY, UNEQUAL, "intermittent")
    # A repeat changes nothing: the first draw that does not fail has the same law.
    np.testing.assert_allclose(found.weights, once.weights, atol=0.01)


def test_exact_or_held_is_unbiased() -> None:
    code = cyclic_code(KEY, 4, 1)
    for scheme in ("ideal", "gc", "replicated_gc"):
        found = effective_weights(KEY, UNEQUAL, scheme, code)
        assert found.weights.tolist() == [0.25] * 4
        assert found.bias == 0


def test_partial_averages_against_the_reference() -> None:
    cases = [param.values[0] for param in reference_cases("enumeration")]
    case = next(c for c in cases if c.clients == 4 and len(set(c.uplink_erasure)) > 1)
    network = Network(case.uplink_erasure, case.peer_erasure)
    code = cyclic_code(KEY, 4, case.stragglers)
    for scheme in ("gc_plus", "row_space"):
        found = effective_weights(KEY, network, scheme, code, num_attempts=case.attempts)
        assert found.method == "enumeration"
        kept = 1 - case.expected[f"{scheme}_none"]
        expected = case.expected[f"{scheme}_weight"]
        np.testing.assert_allclose(found.weights * kept, expected, rtol=1e-9)


@pytest.mark.slow
def test_simulation_where_links_are_too_many(monkeypatch) -> None:
    peer = np.full((4, 4), 0.3)
    np.fill_diagonal(peer, 0)
    network, code = Network(LOST, peer), cyclic_code(KEY, 4, 1)
    exact = effective_weights(KEY, network, "gc_plus", code)
    monkeypatch.setattr("jaxcogc.training.client_weights.can_enumerate", lambda *_, **__: False)
    drawn = effective_weights(
        KEY, network, "gc_plus", code, num_attempts=1, placement="fixed", num_trials=20_000
    )
    assert (exact.method, drawn.method, drawn.trials) == ("enumeration", "simulation", 20_000)
    np.testing.assert_allclose(drawn.weights, exact.weights, atol=0.01)
    assert (np.diff(drawn.weights) < 0).all()  # the worse the uplink, the less it counts


def test_schemes_that_always_hold() -> None:
    dead = Network(np.ones(4), np.zeros((4, 4)))
    with pytest.raises(ValueError, match="'intermittent' always holds"):
        effective_weights(KEY, dead, "intermittent")
    with pytest.raises(ValueError, match="'gc_plus' always holds"):
        effective_weights(KEY, dead, "gc_plus", cyclic_code(KEY, 4, 1))
    with pytest.raises(ValueError, match="scheme 'gcplus'"):
        effective_weights(KEY, dead, "gcplus")


def test_names_and_codes_are_checked_wherever_they_enter() -> None:
    network, code = Network(np.full(3, 0.5), np.zeros((3, 3))), cyclic_code(KEY, 4, 1)
    for enters in (
        lambda name: effective_weights(KEY, network, name, code),
        lambda name: scheme_errors(KEY, network, (name,), code),
        lambda name: gather_foreknowledge(KEY, network, (name,), code),
        lambda name: draw_rounds(KEY, network, code, schemes=(name,), num_trials=1),
        lambda name: make_scheme(name, code).draw(KEY, (), network),
        lambda name: RoundSettings((name,)),
    ):
        with pytest.raises(ValueError, match=r"^scheme 'gc-plus-unbiased': allowed is 'gc_plus_un"):
            enters("gc-plus-unbiased")
    with pytest.raises(ValueError, match=r"^the code has 4 clients, the network 3"):
        effective_weights(KEY, network, "gc", code)
    with pytest.raises(ValueError, match=r"^the code has 4 clients, the network 3"):
        make_scheme("gc", code).draw(KEY, (), network)
