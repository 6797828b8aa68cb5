"""One figure for all schemes, against loops over arrivals, laws and rounds that are drawn."""

from itertools import product

import jax
import numpy as np
import pytest

from jaxcogc import (
    LinkDynamics,
    Network,
    colrel_variance,
    colrel_weights,
    cyclic_code,
    gc_outage_probability,
)
from jaxcogc.federated import LinkPolicy
from jaxcogc.federated.convergence.round_samples import enumerate_rounds
from jaxcogc.names import MEMORY_SCHEMES, SCHEMES
from jaxcogc.training import gather_foreknowledge, scheme_errors
from jaxcogc.training.compared_schemes import _groups
from tests.federated.covariances import assert_moments, moments_by_hand

KEY = jax.random.key(0)
LOST = np.array([0.1, 0.3, 0.6, 0.9])
NETWORK = Network(LOST, np.full((4, 4), 0.25) * (1 - np.eye(4)))
CODE = cyclic_code(jax.random.key(1), 4, 1)


def by_arrivals(scheme: str) -> tuple[float, float]:
    """Both errors, pattern by pattern; a round in which nobody arrives counts as it is: -1/M."""
    orthogonal = alike = 0.0
    for arrived in product([False, True], repeat=4):
        who = np.array(arrived)
        chance = float(np.prod(np.where(who, 1 - LOST, LOST)))
        coefficients = {
            "intermittent": who / max(1, who.sum()),
            "intermittent_blind": who / 4,
            "inverse_probability": who / (4 * (1 - LOST)),
        }[scheme]
        u = coefficients - 0.25
        orthogonal += chance * float(u @ u)
        alike += chance * float(u.sum() ** 2)
    return orthogonal, alike


@pytest.fixture(scope="module")
def found():
    return scheme_errors(KEY, NETWORK, SCHEMES, CODE)


@pytest.mark.slow
def test_arrivals_are_enumerated(found) -> None:
    for name in ("intermittent", "intermittent_blind", "inverse_probability"):
        for suffix in ("", "+memory"):
            row = found[name + suffix]
            expected = by_arrivals(name)
            assert row.method == "enumeration"
            errors = (row.error_orthogonal, row.error_alike)
            np.testing.assert_allclose(errors, expected, rtol=1e-5)
    row = found["inverse_probability"]
    assert row.error_alike == pytest.approx(np.sum(LOST / (1 - LOST)) / 16, rel=1e-5)
    assert row.bias == 0
    assert found["intermittent"].bias > 0.1
    assert found["intermittent"].revealed == pytest.approx(np.sum(1 - LOST))


@pytest.mark.slow
def test_laws(found) -> None:
    outage = float(gc_outage_probability(NETWORK, 1))
    for name in ("gc", "secure_gc"):
        row = found[name]
        assert (row.method, row.error_alike, row.error_orthogonal) == (
            "closed form",
            pytest.approx(outage, rel=1e-12),
            pytest.approx(outage / 4, rel=1e-12),
        )
        assert row.hold == pytest.approx(outage, abs=1e-9)  # enumerated
    law = colrel_variance(NETWORK, colrel_weights(NETWORK))
    assert found["colrel"].error_alike == pytest.approx(law.total / 16)
    assert found["colrel"].error_orthogonal == pytest.approx(law.trace / 16)
    assert found["ideal"].error_alike == 0
    assert (found["secure_gc"].revealed, found["gc"].revealed > 0) == (0, True)
    assert found["implicit_gossip"].error_alike is None
    for name in ("colrel", "gc_plus_unbiased", "row_space_unbiased"):
        assert found[name].bias == 0
    least = found["least_squares"].error_orthogonal
    decoders = ("gc", "gc_plus", "row_space", "intermittent_blind", "secure_row_space")
    assert least <= min(found[name].error_orthogonal for name in decoders)
    assert set(found) == set(SCHEMES)


@pytest.mark.slow
def test_what_is_enumerated_has_the_covariances_of_rounds_by_hand(found) -> None:
    """The programs of `found`, compiled there; relays have a law of their own."""
    used = np.roll(np.eye(4), 1, axis=1)  # links between clients, with one straggler
    known = gather_foreknowledge(KEY, NETWORK, SCHEMES, CODE)
    told = {f"{name}_unbiased": x for name, x in (known.recovery_probability or {}).items()}
    for names in _groups(SCHEMES):
        if names == ("colrel",):
            continue
        tries = LinkPolicy().num_tries if names == ("retransmission",) else 1
        links = Network(LOST, 0.25 * used * (tries == 1))
        every = enumerate_rounds(NETWORK, CODE, schemes=names, known=known)
        some = [name for name in names if name != "implicit_gossip"]  # it has no coefficients
        assert_moments(every, names, moments_by_hand(links, some, CODE, told, tries))


@pytest.mark.slow
def test_drawn_errors_agree_and_say_how_sure_they_are(found, monkeypatch) -> None:
    monkeypatch.setattr("jaxcogc.training.compared_schemes.enumerate_rounds", lambda *_, **__: None)
    names = ("intermittent", "gc_plus", "row_space", "least_squares", "projected_memory")
    drawn = scheme_errors(KEY, NETWORK, names, CODE, num_trials=20_000, level=1 - 1e-5)
    for name in names:
        for kind in ("error_orthogonal", "error_alike"):
            estimate, exact = getattr(drawn[name], kind), getattr(found[name], kind)
            assert estimate.low <= exact <= estimate.high
            assert estimate.method == "normal"
            assert 0 < estimate.high - estimate.low < 0.04
        assert (drawn[name].method, drawn[name].trials) == ("simulation", 20_000)


@pytest.mark.slow
def test_nothing_lost_is_no_error() -> None:
    network = Network.homogeneous(3, uplink_erasure=0.0, peer_erasure=0.0)
    code = cyclic_code(KEY, 3, 1)
    names = tuple(name for name in SCHEMES if name not in ("implicit_gossip", *MEMORY_SCHEMES[:2]))
    for row in scheme_errors(KEY, network, names, code).values():
        assert row.error_alike == 0
        assert row.error_orthogonal == 0
        assert (row.bias, row.exact, row.hold) == (0, 1, 0)


@pytest.mark.slow
def test_memory_of_links_is_drawn() -> None:
    dynamics = LinkDynamics(memory=0.5)
    row = scheme_errors(
        KEY, NETWORK, ("intermittent",), num_trials=2000, dynamics=dynamics, num_attempts=1
    )["intermittent"]
    assert row.method == "simulation"
    assert row.error_alike.low <= LOST.prod() <= row.error_alike.high
