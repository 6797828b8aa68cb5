"""Three ways to one number: the closed form, enumeration, and simulation.

The closed form shares no code with the others. Enumeration is compared with Python integers in
its own tests; what is simulated here is compared with it in every number, at the rate of false
failures of `tests.checks`.
"""

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    uncoded,
)
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.laws.closed_form import closed_form
from jaxcogc.outage.laws.gc_outage import gc_outage_probability
from jaxcogc.outage.simulation.monte_carlo import simulate_outcomes
from tests.checks import binomial_p_value, numbers, outcome_p_values, surprises
from tests.reference import cyclic_matrix, enumerate_reference

KEY = jax.random.key(30)


def random_network(clients, seed, reciprocal=False):
    source = np.random.default_rng(seed)
    peer = source.uniform(0.05, 0.6, (clients, clients)) * (1 - np.eye(clients))
    peer = np.tril(peer) + np.tril(peer).T if reciprocal else peer
    return Network(source.uniform(0.05, 0.7, clients), peer, reciprocal)


SETTINGS = {  # code, attempts, redrawn
    **{f"cyclic-M3-s{s}-A2": (cyclic_code(KEY, 3, s), 2, False) for s in range(3)},
    **{f"cyclic-M4-s{s}-A1": (cyclic_code(KEY, 4, s), 1, False) for s in range(4)},
    "cyclic-M3-s1-A2-redrawn": (cyclic_code(KEY, 3, 1), 2, True),
    "uncoded-M4-A1": (uncoded(4), 1, False),
    "fractional-repetition-M4-s1-A1": (fractional_repetition_code(4, 1), 1, False),
    "fractional-repetition-M4-s3-A1": (fractional_repetition_code(4, 3), 1, False),
    "cyclic-mds-M4-s1-A1": (cyclic_mds_code(4, 1), 1, False),
    "cyclic-mds-M4-s3-A1": (cyclic_mds_code(4, 3), 1, False),
}


@pytest.mark.slow
@pytest.mark.parametrize(("code", "attempts", "redrawn"), SETTINGS.values(), ids=SETTINGS)
def test_closed_form_enumeration_and_simulation_agree(code, attempts, redrawn, repetitions):
    clients = code.num_clients
    settings = {"num_attempts": attempts, "redraw_code": redrawn}
    for seed in range(2):
        network = random_network(clients, seed)
        law = closed_form(network, code, **settings).gc_outage
        exact = enumerate_outcomes(network, code, key=KEY, **settings)
        assert law is not None
        assert law == pytest.approx(exact.gc_outage, abs=1e-12)
        trials = repetitions(200_000, 20_000_000)
        outcomes = simulate_outcomes(KEY, network, code, num_trials=trials, **settings)
        assert not surprises(outcome_p_values(outcomes, numbers(exact)))
        # What the enumeration cannot have told: the law itself, by the same test.
        outages = round(outcomes.gc_outage * trials)
        assert not surprises({"law": binomial_p_value(outages, trials, law)})
        # The test can fail: the law of one attempt more is rejected.
        wrong = gc_outage_probability(network, int(code.num_stragglers), attempts + 1)
        assert surprises({"law": binomial_p_value(outages, trials, wrong)})


@pytest.mark.slow
def test_reciprocal_links_have_another_law():
    stragglers, trials = 2, 1_000_000
    network, code = random_network(3, 5, reciprocal=True), cyclic_code(KEY, 3, stragglers)
    outcomes = simulate_outcomes(KEY, network, code, num_trials=trials)
    matrices = [cyclic_matrix(3, stragglers)]
    exact = enumerate_reference(matrices, network.uplink_erasure, network.peer_erasure, True)
    assert not surprises(outcome_p_values(outcomes, exact))
    assert not surprises(outcome_p_values(outcomes, numbers(enumerate_outcomes(network, code))))
    assert closed_form(network, code, num_attempts=1, redraw_code=False).gc_outage is None
    independent = Network(network.uplink_erasure, network.peer_erasure)
    law = gc_outage_probability(independent, stragglers)
    assert surprises({"law": binomial_p_value(round(outcomes.gc_outage * trials), trials, law)})
    assert surprises(outcome_p_values(outcomes, numbers(enumerate_outcomes(independent, code))))


@pytest.mark.slow
def test_a_redrawn_code_is_another_experiment():
    network, code = random_network(3, 1), cyclic_code(KEY, 3, 1)
    settings = {"num_attempts": 2, "redraw_code": True}
    redrawn = simulate_outcomes(KEY, network, code, num_trials=200_000, **settings)
    once = enumerate_outcomes(network, code, num_attempts=2)
    assert "gc_recovered" in surprises(outcome_p_values(redrawn, numbers(once)))
    assert redrawn.gc_outage == pytest.approx(gc_outage_probability(network, 1) ** 2, abs=5e-3)


def test_gc_outage_is_not_monotone_in_the_stragglers():
    """By the closed form, which the tests above tie to the rest."""
    network = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
    law = [float(gc_outage_probability(network, s)) for s in range(10)]
    steps = np.sign(np.diff(law))
    assert {-1.0, 1.0} <= set(steps)
