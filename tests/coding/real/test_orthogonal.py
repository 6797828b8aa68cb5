import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.real.orthogonal import (
    client_order,
    factor,
    ones_combination,
    ones_weights,
    project_ones,
    unit_distances,
    unit_weights,
)
from jaxcogc.runtime.compute_once import as_xla_likes


@jax.jit
def factors_and_weights(columns):
    factors = factor(columns, as_xla_likes)
    return (
        factors,
        (unit_weights(factors, as_xla_likes), unit_distances(factors, as_xla_likes)),
        ones_weights(factors, as_xla_likes),
        project_ones(factors, as_xla_likes),
        ones_combination(columns, factors, as_xla_likes),
    )


def run(matrices):
    """Trials first, as NumPy, of what is computed with trials last."""
    with jax.enable_x64(True):
        results = factors_and_weights(jnp.asarray(np.transpose(matrices, (2, 1, 0))))
        return jax.tree.map(lambda x: np.moveaxis(np.asarray(x), -1, 0), results)


def low_rank(rng, trials, rows, clients, rank):
    return rng.normal(size=(trials, rows, rank)) @ rng.normal(size=(trials, rank, clients))


@pytest.mark.slow
@pytest.mark.parametrize("clients", [1, 2, 5, 18])
def test_factors(clients):
    rng = np.random.default_rng(clients)
    rows = 2 * clients
    stacks = [low_rank(rng, 20, rows, clients, rank) for rank in range(clients + 1)]
    matrices = np.concatenate(stacks)
    ranks = np.repeat(np.arange(clients + 1), 20)
    factors, unit, ones, (projected, missed_too), combination = run(matrices)
    (weights, distances), (total, missed) = unit, ones
    assert (np.sum(factors.independent, axis=1) == ranks).all()
    basis, null = factors.basis, factors.null
    combined = np.einsum("trk,tjk->tjr", matrices, factors.combinations)
    np.testing.assert_allclose(combined, basis, atol=1e-11 * clients)
    assert not np.triu(factors.combinations, 1).any()
    kept = factors.independent[:, :, None] * np.eye(clients)
    within = np.einsum("tjr,tjs,tsk->trk", basis, basis, matrices)
    np.testing.assert_allclose(within, matrices, atol=1e-12 * clients)
    np.testing.assert_allclose(np.einsum("tjr,tkr->tjk", basis, basis), kept, atol=1e-14)
    np.testing.assert_allclose(
        np.einsum("tji,tki->tjk", null, null), np.eye(clients) - kept, atol=1e-14
    )
    np.testing.assert_allclose(np.einsum("trk,tjk->trj", matrices, null), 0, atol=1e-11)
    inverse = np.linalg.pinv(matrices, rcond=1e-12)
    np.testing.assert_allclose(total, inverse.sum(axis=1), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(combination, inverse.sum(axis=2), rtol=1e-7, atol=1e-10)
    expected = (inverse @ matrices).sum(axis=1)
    np.testing.assert_allclose(projected, expected, atol=1e-9)
    np.testing.assert_allclose(missed, np.linalg.norm(1 - expected, axis=1), atol=1e-9)
    np.testing.assert_array_equal(missed, missed_too)
    full = ranks == clients
    np.testing.assert_allclose(weights[full], inverse[full], rtol=1e-7, atol=1e-10)
    assert not distances[full].any()


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 7, 18])
def test_columns_after_the_count_are_left_out(count):
    rng = np.random.default_rng(count)
    matrices = low_rank(rng, 10, 12, 18, 5)
    matrices[:, :, count:] = 0
    with jax.enable_x64(True):
        columns = jnp.asarray(np.transpose(matrices, (2, 1, 0)))
        counted = jax.jit(
            lambda x, n: ones_combination(x, factor(x, as_xla_likes, n), as_xla_likes)
        )
        found = np.asarray(counted(columns, jnp.int32(count))).T
    expected = np.linalg.pinv(matrices, rcond=1e-12).sum(axis=2)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)
    assert not found[:, count:].any()


@pytest.mark.slow
def test_near_dependence_is_told_from_dependence():
    """A column 1e-12 away from the others is independent, one that rounding moved is not."""
    rng = np.random.default_rng(0)
    for distance, rank in [(1e-6, 5), (1e-12, 5), (0.0, 4)]:
        matrices = rng.normal(size=(500, 12, 5))
        matrices[:, :, 3] = matrices[:, :, :3] @ [1.0, -2.0, 0.3] + matrices[:, :, 4] / 7
        matrices[:, :, 3] += distance * rng.normal(size=(500, 12))
        factors = run(matrices)[0]
        assert (np.sum(factors.independent, axis=1) == rank).all()


def test_the_running_bound_follows_earlier_near_dependence():
    """After a column at distance 1e-8, rounding shows up at 1e-8: a fixed cut would misjudge it."""
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(500, 12, 4))
    order = client_order(4)
    first, second, third, fourth = (matrices[:, :, k] for k in order)
    second[:] = first + 1e-8 * second
    fourth[:] = 0.3 * first + third + 1e3 * (second - first) * 1e5  # noise 1e-8, in their span
    factors = run(matrices)[0]
    assert (np.sum(factors.independent, axis=1) == 3).all()


def test_client_order_is_a_permutation_that_parts_neighbours():
    for clients in (1, 2, 3, 10, 64, 100):
        order = client_order(clients)
        assert sorted(order) == list(range(clients))
    assert np.abs(np.diff(client_order(64))).min() > 8
