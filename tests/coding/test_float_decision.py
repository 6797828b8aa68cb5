"""Codes whose dependencies no field has by itself: trials decided in float64, against a field that
was given them on purpose."""

import jax
import numpy as np
import pytest

from jaxcogc import (
    GradientCode,
    Links,
    Network,
    cyclic_code,
    draw_links,
    enumerate_outcomes,
    rare_outcomes,
    recover,
    simulate_outcomes,
)
from jaxcogc.coding.gradient_code import IN_FLOATS, build_code
from jaxcogc.coding.host_field import MERSENNE_31
from jaxcogc.outage.simulation.monte_carlo import compile_simulation
from tests.coding.stacks import dependent_rows, rows_of_roots

FIVE = Network.homogeneous(5, uplink_erasure=0.3, peer_erasure=0.15)
Q = MERSENNE_31


def over_a_field():
    """The same with elements of GF(q) for roots: Python's integers."""
    source = np.random.default_rng(5)
    elements = source.integers(1, Q, 40).astype(object)
    exact = np.array(dependent_rows(lambda n, size: elements[n : n + size], 1)) % Q
    return build_code(rows_of_roots(), exact.astype(np.uint64), 0, "custom", Q)


CODE = GradientCode.from_matrix(rows_of_roots())
TWIN = over_a_field()


def drawn(num_trials):
    keys = jax.random.split(jax.random.key(3), num_trials)
    return jax.vmap(lambda key: draw_links(key, FIVE, 2))(keys)


@pytest.mark.slow
@pytest.mark.parametrize("scales", [1.0, 2.0 ** np.array([[300], [-300], [0], [9], [-40]])])
def test_it_is_decided_as_over_a_field_that_has_them(scales):
    code = GradientCode.from_matrix(rows_of_roots() * scales)
    assert (code.modulus, code.field_matrix.max()) == (IN_FLOATS, 1)
    links = drawn(9000)  # more than the program of few trials takes
    ours, theirs = (
        jax.vmap(recover, (None, None, 0))(jax.random.key(4), c, links) for c in (code, TWIN)
    )
    for name in ours._fields:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    assert 0.1 < ours.sum_recovered.mean() < 0.9
    assert 0.1 < ours.client_recovered.mean() < 0.9
    assert 0.05 < ours.gc.mean() < ours.sum_recovered.mean()
    one = recover(jax.random.key(0), code, Links(*(x[7] for x in links)))
    assert [np.asarray(x).tolist() for x in one] == [np.asarray(x)[7].tolist() for x in ours]


@pytest.mark.slow
def test_a_wrong_code_is_told():
    """The digits alone have no such dependency, and a generic code of its rank neither."""
    digits = build_code(rows_of_roots(), TWIN.field_matrix + (rows_of_roots() != 0), 0, "custom", Q)
    links = drawn(500)
    ours, other = (
        jax.vmap(recover, (None, None, 0))(jax.random.key(4), c, links) for c in (CODE, digits)
    )
    assert (ours.rank != other.rank).any()
    assert (ours.client_recovered != other.client_recovered).any()


@pytest.mark.slow
def test_simulation_blocks_and_laws_agree():
    """One number however it is found: counted, in blocks, with own outcomes, enumerated, rare."""
    key, trials = jax.random.key(0), 40_000
    how = {"num_trials": trials, "num_attempts": 1}
    found = simulate_outcomes(key, FIVE, CODE, **how)
    own = {"sum": lambda recovery, links: recovery.sum_recovered}
    asked = simulate_outcomes(key, FIVE, CODE, outcomes=own, **how)
    assert asked.custom["sum"] == found.row_space_exact
    exact = enumerate_outcomes(FIVE, CODE)
    for name, law in exact.by_name().items():
        error = 5 * np.sqrt(law * (1 - law) / trials) + 1e-12
        assert abs(found.by_name()[name] - law) < error, name
    twin = enumerate_outcomes(FIVE, TWIN)
    np.testing.assert_allclose([*exact.by_name().values()], [*twin.by_name().values()], atol=1e-12)
    rare = rare_outcomes(key, FIVE, CODE, num_trials=4096).outcomes
    assert rare.gc_outage.low < exact.gc_outage < rare.gc_outage.high


@pytest.mark.slow
def test_programs_of_one_kind_do_not_take_the_other():
    simulation = compile_simulation(FIVE, CODE, num_trials=1000)
    family = cyclic_code(jax.random.key(0), 5, 2)
    for code in (TWIN, family):
        with pytest.raises(ValueError, match="must have the shape"):
            next(simulation.counts(jax.random.key(0), FIVE, code, 1000))
