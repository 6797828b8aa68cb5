"""Links that remember, blocked clients, keeping: laws, enumeration and simulation agree."""

import jax
import numpy as np
import pytest

from jaxcogc import (
    LinkDynamics,
    Network,
    closed_form,
    cyclic_code,
    enumerate_outcomes,
    fractional_repetition_code,
    simulate_outcomes,
    uncoded,
)
from jaxcogc.names import OUTCOMES
from jaxcogc.outage.counts import outcomes_to_dict

KEY = jax.random.key(5)
TRIALS = 2**16


def network(clients, reciprocal=False):
    values = np.random.default_rng(clients).uniform(0.15, 0.6, (clients, clients))
    peer = values * ~np.eye(clients, dtype=bool)
    return Network(np.diagonal(values), (peer + peer.T) / 2 if reciprocal else peer, reciprocal)


HARD = LinkDynamics(memory=0.6)
SOFT = LinkDynamics(memory=0.7, good_erasure=0.1, bad_erasure=0.8)
BURST = LinkDynamics(burst_length=4.0)
BLOCKED = LinkDynamics(memory=0.5, block_probability=0.15)
SOME_BLOCKED = LinkDynamics(block_probability=[0.3, 0.0, 0.2])

# name: code, attempts, dynamics, keep_heard, reciprocal
CASES = {
    "hard": (cyclic_code(KEY, 3, 1), 2, HARD, False, False),
    "soft": (cyclic_code(KEY, 3, 1), 2, SOFT, False, False),
    "burst": (cyclic_code(KEY, 3, 2), 2, BURST, False, False),
    "reciprocal": (cyclic_code(KEY, 3, 1), 2, HARD, False, True),
    "both directions": (cyclic_code(KEY, 4, 2), 2, SOFT, False, True),
    "blocked": (cyclic_code(KEY, 3, 1), 2, BLOCKED, False, False),
    "some blocked": (cyclic_code(KEY, 3, 1), 2, SOME_BLOCKED, False, False),
    "blocks": (fractional_repetition_code(4, 1), 2, BLOCKED, False, False),
    "uncoded": (uncoded(3), 3, SOFT, False, False),
    "keep": (cyclic_code(KEY, 3, 2), 2, None, True, False),
    "keep, hard": (cyclic_code(KEY, 3, 1), 2, HARD, True, False),
    "keep, soft, blocked": (
        cyclic_code(KEY, 3, 1),
        2,
        LinkDynamics(memory=0.7, good_erasure=0.1, bad_erasure=0.8, block_probability=0.2),
        True,
        False,
    ),
}


def settings_of(name):
    code, attempts, dynamics, keep_heard, reciprocal = CASES[name]
    how = {"num_attempts": attempts, "dynamics": dynamics, "keep_heard": keep_heard}
    return network(code.num_clients, reciprocal), code, how


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_enumeration_is_the_law(name):
    links, code, how = settings_of(name)
    outcomes, laws = enumerate_outcomes(links, code, **how), closed_form(links, code, **how)
    assert (laws.gc_outage is None) == (name in ("both directions",))
    for field in laws._fields:
        law = getattr(laws, field)
        if law is not None:
            np.testing.assert_allclose(getattr(outcomes, field), law, rtol=0, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_simulation_is_the_enumeration(name):
    """8 outcomes and 12 cases at 5 standard errors: 6e-5 by chance."""
    links, code, how = settings_of(name)
    exact = enumerate_outcomes(links, code, **how)
    found = simulate_outcomes(jax.random.key(1), links, code, num_trials=TRIALS, **how)
    assert far_off(found, exact) == []
    if name == "hard":  # and a wrong memory is told
        other = enumerate_outcomes(links, code, **{**how, "dynamics": LinkDynamics(memory=0.5)})
        assert far_off(found, other)


def far_off(found, exact):
    wrong = []
    for field in OUTCOMES:
        p, seen = float(getattr(exact, field)), float(getattr(found, field))
        if abs(seen - p) > 5 * np.sqrt(p * (1 - p) / TRIALS) + 1e-12:
            wrong.append(field)
    spread = np.sqrt(exact.client_recovered * (1 - exact.client_recovered) / TRIALS)
    if (abs(found.client_recovered - exact.client_recovered) > 5 * spread + 1e-12).any():
        wrong.append("client_recovered")
    return wrong


@pytest.mark.slow
def test_one_fade_a_round_is_one_attempt():
    links, code = network(3), cyclic_code(KEY, 3, 1)
    fade = enumerate_outcomes(links, code, num_attempts=3, dynamics=LinkDynamics(memory=1.0))
    one = enumerate_outcomes(links, code)
    assert fade.gc_outage == pytest.approx(one.gc_outage, abs=1e-14)
    assert fade.row_space_exact == pytest.approx(one.row_space_exact, abs=1e-14)
    # Sharing their words, they agree trial by trial.
    key, how = jax.random.key(2), {"num_trials": 5000}
    many = simulate_outcomes(
        key, links, code, num_attempts=3, dynamics=LinkDynamics(memory=1.0), **how
    )
    once = simulate_outcomes(key, links, code, **how)
    assert float(many.row_space_exact) == float(once.row_space_exact)


def test_dynamics_without_effect_change_no_count():
    links, code, key = network(4), cyclic_code(KEY, 4, 2), jax.random.key(3)
    plain, same = (
        simulate_outcomes(key, links, code, num_trials=3000, num_attempts=2, dynamics=dynamics)
        for dynamics in (None, LinkDynamics(memory=0.0, round_memory=0.0))
    )
    assert outcomes_to_dict(plain) == outcomes_to_dict(same)


@pytest.mark.slow
def test_a_client_that_is_always_blocked_makes_nothing_exact():
    links, code = network(4), cyclic_code(KEY, 4, 1)
    dynamics = LinkDynamics(block_probability=[0, 0, 1, 0])
    for outcomes in (
        enumerate_outcomes(links, code, num_attempts=2, dynamics=dynamics),
        simulate_outcomes(KEY, links, code, num_trials=4096, num_attempts=2, dynamics=dynamics),
    ):
        assert float(outcomes.gc_outage) == 1.0
        assert float(outcomes.row_space_exact) == 0.0
        assert outcomes.client_recovered[2] == 0.0


@pytest.mark.slow
def test_keeping_never_hurts_standard_decoding_of_the_same_links():
    """Trial by trial, as both share their words; and in one attempt nothing is kept."""
    links, code = network(5), cyclic_code(KEY, 5, 3)
    how = {"num_trials": 2**14, "num_attempts": 3}
    keep, forget = (
        simulate_outcomes(KEY, links, code, keep_heard=keep_heard, **how)
        for keep_heard in (True, False)
    )
    assert float(keep.gc_outage) < float(forget.gc_outage)
    how["num_attempts"] = 1
    keep, forget = (
        simulate_outcomes(KEY, links, code, keep_heard=keep_heard, **how)
        for keep_heard in (True, False)
    )
    assert outcomes_to_dict(keep) == outcomes_to_dict(forget)


def test_too_many_blocked_clients_to_enumerate():
    links = Network.homogeneous(23, uplink_erasure=0.0, peer_erasure=0.0)
    with pytest.raises(ValueError, match=r"^23 random links in 1 attempts"):
        enumerate_outcomes(links, uncoded(23), dynamics=LinkDynamics(block_probability=0.1))
