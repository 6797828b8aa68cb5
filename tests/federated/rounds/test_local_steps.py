"""Local training of one client against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcogc.federated.rounds.local_steps import ClientData, draw_samples, local_update

SIZES = np.array([1, 3, 4], np.int32)


def data():
    random = np.random.default_rng(0)
    values = random.normal(size=(10, 2)).astype(np.float32)
    values[[7, 9]] = np.nan  # padding is looked at with weight 0 only, and must not be these
    indices = np.array([[0, 0, 0, 0], [1, 2, 3, 1], [4, 5, 6, 8]], np.int32)
    return ClientData(jnp.asarray(values), jnp.asarray(indices), jnp.asarray(SIZES))


def loss(params, batch, key):
    """Half the squared distance; its gradient is params - mean of the batch."""
    squares = 0.5 * jnp.sum((params - batch.examples) ** 2, axis=-1)
    return jnp.sum(squares * batch.weights) / jnp.sum(batch.weights)


@pytest.mark.slow
def test_all_samples_of_clients_of_unequal_size():
    update = local_update(loss, optax.sgd(0.25), local_steps=3, proximal=0.5)
    start = jnp.array([1.0, -2.0])
    axes = (None, None, 0, None, None)
    deltas, losses = jax.vmap(update, axes)(start, data(), jnp.arange(3), None, jax.random.key(0))
    for client, size in enumerate(SIZES):
        own = np.asarray(data().examples)[np.asarray(data().indices)[client][:size]]
        here, seen = np.array(start), []
        for _ in range(3):
            seen.append(0.5 * ((here - own) ** 2).sum(axis=1).mean())
            here = here - 0.25 * (here - own.mean(axis=0) + 0.5 * (here - start))
        np.testing.assert_allclose(deltas[client], here - start, rtol=1e-5)
        np.testing.assert_allclose(losses[client], np.mean(seen), rtol=1e-5)


def test_samples_are_uniform_over_what_a_client_has():
    drawn = np.asarray(draw_samples(jax.random.key(1), data(), 100, 50))
    assert drawn.shape == (3, 100, 50)
    for client, size in enumerate(SIZES):
        counts = np.bincount(drawn[client].ravel(), minlength=4)
        assert not counts[size:].any()
        expected = drawn[client].size / size
        assert np.abs(counts[:size] - expected).max() < 6 * np.sqrt(expected)
    assert draw_samples(jax.random.key(1), data(), 100, None) is None
