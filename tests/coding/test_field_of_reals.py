"""Codes of one's own that hold together only up to rounding, over the field."""

import itertools

import jax
import numpy as np
import pytest

from jaxcogc import (
    GradientCode,
    Network,
    cyclic_code,
    cyclic_mds_code,
    draw_links,
    fractional_repetition_code,
    gc_outage_probability,
    recover,
    simulate_outcomes,
)
from jaxcogc.coding.constructions import exact_residues
from jaxcogc.coding.field_of_reals import _spanned_mod, _spanned_reals, field_of_reals
from jaxcogc.coding.host_field import MERSENNE_31, rank_mod

SCALES = np.sqrt(np.arange(2.0, 12.0))[:, None]
TEN = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)


def recovered(code, num_trials: int):
    """Of the same links for every code."""
    keys = jax.random.split(jax.random.key(3), num_trials)
    links = jax.vmap(lambda key: draw_links(key, TEN, 2))(keys)
    return jax.vmap(recover, (None, None, 0))(jax.random.key(4), code, links)


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        cyclic_code(jax.random.key(1), 10, 7),
        cyclic_code(jax.random.key(1), 10, 3),
        cyclic_mds_code(10, 7),
        cyclic_mds_code(10, 1),
        fractional_repetition_code(10, 4),
    ],
    ids=["cyclic 7", "cyclic 3", "mds 7", "mds 1", "repetition"],
)
@pytest.mark.parametrize("scales", [1.0, SCALES], ids=["as it is", "rows scaled"])
def test_a_family_read_back_recovers_the_same_trial_by_trial(code, scales, tmp_path) -> None:
    np.save(tmp_path / "code.npy", code.matrix * scales)
    own = GradientCode.from_file(tmp_path / "code.npy")
    assert own.family == "custom"
    np.testing.assert_array_equal(own.matrix, code.matrix * scales)
    ours, theirs = recovered(own, 4000), recovered(code, 4000)
    for name in ("gc", "sum_recovered", "client_recovered", "rank", "num_complete_rows"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    assert 0.05 < ours.sum_recovered.mean() < 0.99


def test_digits_alone_would_recover_what_nobody_can() -> None:
    """What a float matrix gave before dependencies were looked for."""
    code = cyclic_code(jax.random.key(1), 10, 7)
    digits = exact_residues(code.matrix, MERSENNE_31)
    assert rank_mod(digits, MERSENNE_31) == 10
    assert rank_mod(field_of_reals(code.matrix).matrix, MERSENNE_31) == 3
    everyone = np.ones((1, 1, 10, 10), bool)
    assert not _spanned_reals(everyone * code.matrix).units.any()
    assert _spanned_mod(everyone * digits, MERSENNE_31).units.all()


@pytest.mark.slow
def test_its_outage_is_that_of_the_family() -> None:
    """Within five standard errors; a code that loses its dependencies is far away."""
    own = GradientCode.from_matrix(cyclic_code(jax.random.key(1), 10, 7).matrix, 7)
    trials = 40_000
    found = simulate_outcomes(jax.random.key(0), TEN, own, num_trials=trials, num_attempts=2)
    law = float(gc_outage_probability(TEN, 7, 2))
    assert abs(found.gc_outage - law) < 5 * (law * (1 - law) / trials) ** 0.5
    family = cyclic_code(jax.random.key(2), 10, 7)
    plain = simulate_outcomes(jax.random.key(0), TEN, family, num_trials=trials, num_attempts=2)
    assert found.by_name() == plain.by_name()


def test_what_is_exact_or_has_no_dependencies_is_taken_as_it_is() -> None:
    integers = np.array([[2, 1, 0, 0], [0, 1, 3, 0], [-1, 0, 1, 1], [1, 1, 1, 1]]) / 3
    gaussian = np.random.default_rng(0).normal(size=(6, 6))
    wide = np.array([[1.0, 2e-9 * np.pi], [0.0, np.pi]])
    for matrix in (integers, gaussian, wide):
        found = field_of_reals(matrix)
        np.testing.assert_array_equal(found.matrix, exact_residues(matrix, MERSENNE_31))


def test_codes_side_by_side_and_almost_integers() -> None:
    two = np.kron(np.eye(2), cyclic_code(jax.random.key(1), 5, 2).matrix)
    assert rank_mod(field_of_reals(two).matrix, MERSENNE_31) == 6
    near = np.array([[1, 1 + 2.0**-50], [1, 1 + 2.0**-50]])
    assert field_of_reals(near).matrix.tolist() == [[1, 1], [1, 1]]
    code = GradientCode.from_matrix(cyclic_mds_code(8, 3).matrix, 3)
    assert code.modulus == cyclic_mds_code(8, 3).modulus


def test_what_is_spanned_over_a_small_field_is_what_enumeration_finds() -> None:
    """Every combination of the rows over GF(5)."""
    source = np.random.default_rng(1)
    stacks = source.integers(0, 5, (200, 1, 4, 3)).astype(np.uint64)
    stacks[source.uniform(size=(200, 1, 4)) < 0.4] = 0
    found = _spanned_mod(stacks, 5)
    weights = np.array(list(itertools.product(range(5), repeat=4)))
    for n, (stack,) in enumerate(stacks.astype(int)):
        rows = {tuple(row) for row in (weights @ stack % 5).tolist()}
        assert found.ones[n] == ((1, 1, 1) in rows)
        assert found.units[n].tolist() == [
            tuple(unit) in rows for unit in np.eye(3, dtype=int).tolist()
        ]
        assert 5 ** found.rank[n] == len(rows)
