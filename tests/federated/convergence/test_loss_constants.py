"""Estimators on a quadratic whose constants are known, and fixed points of schemes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.federated.convergence.loss_constants import estimate_constants, squared_gradient_norm
from jaxcogc.federated.convergence.quadratics import predicted_fixed_point

SIZES = np.array([5, 9, 7], np.int32)
CLIENTS, CAPACITY, PARAMS = 3, 9, 4


def hessians(rng: np.random.Generator) -> np.ndarray:
    factors = rng.normal(size=(CLIENTS, PARAMS, PARAMS))
    return factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(PARAMS)


def sample_loss(params, sample):
    """A quadratic around the sample's centre, in two leaves of parameters."""
    x = jnp.concatenate([params["first"], params["rest"]])
    return 0.5 * (x - sample["centre"]) @ sample["hessian"] @ (x - sample["centre"])


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    curvature = hessians(rng)
    centres = rng.normal(size=(CLIENTS, CAPACITY, PARAMS))
    x = rng.normal(size=PARAMS)
    samples = {
        "hessian": np.repeat(curvature[:, None], CAPACITY, axis=1).astype(np.float32),
        "centre": centres.astype(np.float32),
    }
    params = {"first": jnp.asarray(x[:1], jnp.float32), "rest": jnp.asarray(x[1:], jnp.float32)}
    return curvature, centres, x, samples, params


@pytest.mark.slow
def test_constants_of_a_quadratic(problem) -> None:
    curvature, centres, x, samples, params = problem
    found = estimate_constants(jax.random.key(0), sample_loss, params, samples, SIZES, batch_size=2)
    own = [centres[m, :size] for m, size in enumerate(SIZES)]  # the padding does not count
    gradients = np.array([h @ (x - c.mean(axis=0)) for h, c in zip(curvature, own, strict=True)])
    variance = max(
        (((c - c.mean(axis=0)) @ h) ** 2).sum(axis=1).mean()
        for h, c in zip(curvature, own, strict=True)
    )
    average = gradients.mean(axis=0)
    loss = np.mean(
        [
            np.mean([0.5 * (x - c) @ h @ (x - c) for c in rows])
            for h, rows in zip(curvature, own, strict=True)
        ]
    )
    assert found.smoothness == pytest.approx(np.linalg.eigvalsh(curvature).max(), rel=0.01)
    assert found.gradient_variance == pytest.approx(variance / 2, rel=1e-3)
    spread = ((gradients - average) ** 2).sum(axis=1).mean()
    assert found.heterogeneity == pytest.approx(spread, rel=1e-3)
    assert found.initial_gap == pytest.approx(loss, rel=1e-4)
    norm = squared_gradient_norm(sample_loss, params, samples, SIZES)
    assert norm == pytest.approx((average**2).sum(), rel=1e-3)


def test_bad_input(problem) -> None:
    *_, samples, params = problem
    for wrong in ({"batch_size": 0}, {"batch_size": 1, "num_iterations": 0}):
        name = list(wrong)[-1]
        with pytest.raises(ValueError, match=f"{name} = 0"):
            estimate_constants(jax.random.key(0), sample_loss, params, samples, SIZES, **wrong)


def test_fixed_point_is_where_mean_updates_cancel() -> None:
    rng = np.random.default_rng(1)
    curvature = hessians(rng) / 10
    centres = rng.normal(size=(CLIENTS, PARAMS))
    weights = np.array([0.5, 0.1, 0.3])
    x = np.zeros(PARAMS)
    for _ in range(3000):
        moves = []
        for h, c in zip(curvature, centres, strict=True):
            y = x
            for _ in range(3):
                y = y - 0.2 * h @ (y - c)
            moves.append(y - x)
        x = x + weights @ np.array(moves)
    settings = {"learning_rate": 0.2, "num_local_steps": 3}
    predicted = predicted_fixed_point(weights, curvature, centres, **settings)
    np.testing.assert_allclose(predicted, x, atol=1e-6)
    np.testing.assert_allclose(
        predicted_fixed_point(7 * weights, curvature, centres, **settings), predicted
    )


def test_fixed_point_bad_input() -> None:
    with pytest.raises(ValueError, match=r"shapes \(2,\)"):
        predicted_fixed_point(np.ones(2), np.ones((3, 1, 1)), np.ones((3, 1)), learning_rate=0.1)
    with pytest.raises(ValueError, match="more than one point"):
        predicted_fixed_point(np.ones(2), np.zeros((2, 1, 1)), np.ones((2, 1)), learning_rate=0.1)
