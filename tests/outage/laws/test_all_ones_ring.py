"""The all-ones ring: what it decodes, and how often, against sets of rows one by one."""

import itertools
import json

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import all_ones_ring_code, make_code
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.laws.closed_form import closed_form
from jaxcogc.outage.simulation.monte_carlo import simulate_outcomes
from tests.places import SHARED

KEY = jax.random.key(5)


def spans_sum(rows):
    """By least squares in float64: small integers, so that a residual is 0 or far from it."""
    if not len(rows):
        return False
    weights = np.linalg.lstsq(rows.T, np.ones(rows.shape[1]), rcond=1e-9)[0]
    return bool(np.abs(rows.T @ weights - 1.0).max() < 1e-6)


SIZES = [(4, 1), (6, 1), (6, 2), (8, 3), (5, 4), (3, 0)]


@pytest.mark.parametrize(("clients", "stragglers"), SIZES)
def test_the_rows_of_a_class_decode_and_nothing_less(clients, stragglers):
    matrix = all_ones_ring_code(clients, stragglers).matrix
    classes = [set(range(first, clients, stragglers + 1)) for first in range(stragglers + 1)]
    for number in range(2**clients):
        rows = {m for m in range(clients) if number >> m & 1}
        decodes = any(own <= rows for own in classes)
        assert spans_sum(matrix[sorted(rows)]) == decodes, rows
        assert decodes or len(rows) < clients - stragglers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "family", "clients", "stragglers"),
    [
        ("all-ones ring (4,1)", "all-ones-ring", 4, 1),
        ("all-ones ring (6,2)", "all-ones-ring", 6, 2),
        ("fractional repetition (6,2)", "fractional-repetition", 6, 2),
    ],
)
def test_outage_with_given_arrivals_of_rows(name, family, clients, stragglers):
    path = SHARED / "reference" / "extensions.json"
    if not path.is_file():
        pytest.skip("the reference values are not beside this checkout")
    (case,) = (c for c in json.loads(path.read_text())["cases"] if c["name"] == name)
    network = Network(1.0 - np.array(case["row_arrival_probability"]), np.zeros((clients, clients)))
    code = make_code(family, clients, stragglers)
    expected = case["expected"]["outage"]
    assert closed_form(network, code).gc_outage == pytest.approx(expected, abs=1e-12)
    assert float(enumerate_outcomes(network, code).gc_outage) == pytest.approx(expected, abs=1e-7)
    trials = 2**16
    found = float(simulate_outcomes(KEY, network, code, num_trials=trials).gc_outage)
    assert abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / trials)


@pytest.mark.slow
@pytest.mark.parametrize(
    "dynamics",
    [
        LinkDynamics(memory=0.6),
        LinkDynamics(memory=0.4, good_erasure=0.05, bad_erasure=0.9),
        LinkDynamics(memory=0.3, block_probability=[0.1, 0.0, 0.3, 0.2]),
    ],
    ids=["hard", "soft", "blocked"],
)
@pytest.mark.parametrize("keep_heard", [False, True])
def test_in_time_against_enumeration(dynamics, keep_heard):
    generator = np.random.default_rng(2)
    peer = generator.uniform(0.1, 0.5, (4, 4))
    np.fill_diagonal(peer, 0.0)
    network, code = Network(generator.uniform(0.1, 0.5, 4), peer), all_ones_ring_code(4, 1)
    how = {"num_attempts": 2, "dynamics": dynamics, "keep_heard": keep_heard}
    law, exact = closed_form(network, code, **how), enumerate_outcomes(network, code, **how)
    assert law.gc_outage == pytest.approx(float(exact.gc_outage), abs=1e-7)
    assert law.gc_plus_full is None  # no law of the other decoders


def test_sizes_that_have_no_ring():
    with pytest.raises(ValueError, match=r"num_stragglers = 3: allowed are 0, 1, 4, 9 for an all-"):
        all_ones_ring_code(10, 3)


def test_a_ring_beside_a_matrix_that_is_none():
    """A code that carries the name but not the rows is refused when it is built."""
    from jaxcogc.coding.verification import verify_code

    ring = all_ones_ring_code(6, 2).matrix
    for m, k in itertools.product(range(6), repeat=2):
        wrong = ring.copy()
        wrong[m, k] = 2.0 if ring[m, k] else 1.0
        with pytest.raises(ValueError, match="all-ones ring"):
            verify_code(
                wrong,
                wrong.astype(np.uint32),
                num_stragglers=2,
                family="all-ones-ring",
                modulus=2**31 - 1,
            )
