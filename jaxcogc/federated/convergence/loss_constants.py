"""Estimates of what the bounds assume: smoothness, gradient variance, heterogeneity.

All are local: what they say holds at the given parameters. Along a training run, take the largest
over several points (`largest_constants`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Int

from jaxcogc._types import AnyArray, Array, Key, PyTree
from jaxcogc.federated.convergence.bound import LossConstants
from jaxcogc.links.checks import check_count
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import normal

SampleLoss = Callable[[PyTree, PyTree], Array]
"""``sample_loss(params, sample)``, a scalar."""
Rebuild = Callable[[Array], PyTree]
_MAP_BATCH = 256


@under_plain_settings
def estimate_constants(
    key: Key,
    sample_loss: SampleLoss,
    params: PyTree,
    samples: PyTree,
    num_samples: Int[AnyArray, "clients"],
    *,
    batch_size: int,
    num_iterations: int = 100,
) -> LossConstants:
    """The constants of the bounds at one point.

    * L: the largest eigenvalue, in absolute value, of any client's Hessian, by power iteration on
      Hessian-vector products (from below; the closer, the larger num_iterations).
    * sigma^2: the largest variance over clients of a gradient of `batch_size` samples drawn with
      replacement, ||g||^2 summed over coordinates.
    * zeta^2: the mean over clients of ||grad F_m - grad F||^2.
    * F(x_0) - F*: F at the point, an upper bound for losses that are never negative.

    Args:
      key: of the power iteration's start.
      sample_loss: `sample_loss(params, sample)`, a scalar.
      params: the point.
      samples: arrays [clients, capacity, ...]; client k's own are the first num_samples[k].
      num_samples: int32 [clients], at least 1 each.
      batch_size: of the local steps, at least 1.
      num_iterations: of the power iteration, at least 1.

    Returns:
      LossConstants of Python floats.

    Raises:
      ValueError: a number outside what is allowed.
    """
    size = check_count("batch_size", batch_size)
    steps = check_count("num_iterations", num_iterations)
    found = _estimate(key, params, samples, jnp.asarray(num_samples), sample_loss, steps)
    return LossConstants(
        float(found.smoothness),
        float(found.sample_variance) / size,
        float(found.spread),
        float(found.loss),
    )


@under_plain_settings
def largest_constants(constants: Sequence[LossConstants]) -> LossConstants:
    """Field by field the largest, except for the initial gap: that of the first point.

    >>> one, two = LossConstants(1.0, 3.0, 0.0, 2.0), LossConstants(2.0, 1.0, 0.0, 5.0)
    >>> largest_constants([one, two])[:]
    (2.0, 3.0, 0.0, 2.0)
    """
    largest = LossConstants(*map(max, zip(*constants, strict=True)))
    return largest._replace(initial_gap=constants[0].initial_gap)


@under_plain_settings
def squared_gradient_norm(
    sample_loss: SampleLoss, params: PyTree, samples: PyTree, num_samples: Int[AnyArray, "clients"]
) -> Float[Array, ""]:
    """||grad F||^2 of F = (1/M) sum_m F_m, what the bounds bound.

    Args:
      sample_loss, params, samples, num_samples: as in `estimate_constants`: [clients, ...].

    Returns:
      A scalar of the parameters' dtype.
    """
    point, rebuild = ravel_pytree(params)
    sizes = jnp.asarray(num_samples)
    chex.assert_tree_shape_prefix(samples, sizes.shape)

    def loss(x: Array) -> Array:
        def of_client(client: tuple[PyTree, Array]) -> Array:
            return _client_loss(sample_loss, rebuild, client[0], client[1], x)

        return jnp.mean(lax.map(of_client, (samples, sizes)))

    return jnp.sum(jax.grad(loss)(point) ** 2)


class _OfClient(NamedTuple):
    """Of a client's loss: its curvature, the variance over samples, gradient and value."""

    curvature: Array
    sample_variance: Array
    gradient: Array
    loss: Array


class _OfAll(NamedTuple):
    """L, sigma^2 of single samples, zeta^2 and F."""

    smoothness: Array
    sample_variance: Array
    spread: Array
    loss: Array


@partial(jax.jit, static_argnums=(4, 5))
def _estimate(
    key: Key, params: PyTree, samples: PyTree, sizes: Array, sample_loss: SampleLoss, steps: int
) -> _OfAll:
    chex.assert_tree_shape_prefix(samples, sizes.shape)
    point, rebuild = ravel_pytree(params)
    start = normal(key, point.shape, point.dtype)

    def of_client(client: tuple[PyTree, Array]) -> _OfClient:
        loss = partial(_client_loss, sample_loss, rebuild, *client)
        value, gradient = jax.value_and_grad(loss)(point)
        deviation = _gradient_variance(sample_loss, rebuild, *client, point, gradient)
        curvature = _largest_eigenvalue(loss, point, start, steps)
        return _OfClient(curvature, deviation, gradient, value)

    found = lax.map(of_client, (samples, sizes))
    spread = ((found.gradient - found.gradient.mean(axis=0)) ** 2).sum(axis=1).mean()
    return _OfAll(found.curvature.max(), found.sample_variance.max(), spread, found.loss.mean())


def _client_loss(
    sample_loss: SampleLoss, rebuild: Rebuild, samples: PyTree, size: Array, x: Array
) -> Array:
    """Mean over the first `size` samples."""
    losses = jax.vmap(partial(sample_loss, rebuild(x)))(samples)
    counts = jnp.arange(len(losses)) < size
    return jnp.sum(jnp.where(counts, losses, 0)) / size


def _gradient_variance(
    sample_loss: SampleLoss,
    rebuild: Rebuild,
    samples: PyTree,
    size: Array,
    point: Array,
    mean: Array,
) -> Array:
    """Mean of ||g_i - g||^2 over the client's samples; gradients of few samples at a time."""

    def deviation(sample: PyTree) -> Array:
        gradient = jax.grad(lambda x: sample_loss(rebuild(x), sample))(point)
        return jnp.sum((gradient - mean) ** 2)

    squares = lax.map(deviation, samples, batch_size=_MAP_BATCH)
    return jnp.sum(jnp.where(jnp.arange(len(squares)) < size, squares, 0)) / size


def _largest_eigenvalue(
    loss: Callable[[Array], Array], point: Array, start: Array, steps: int
) -> Array:
    """Power iteration: ||H v|| of the last unit vector v."""

    def product(v: Array) -> Array:
        along: Array = jax.jvp(jax.grad(loss), (point,), (v,))[1]
        return along

    def unit(v: Array) -> Array:
        norm = jnp.linalg.norm(v)
        return jnp.where(norm > 0, v / jnp.where(norm > 0, norm, 1), v)

    last = lax.fori_loop(0, steps, lambda _, v: unit(product(v)), unit(start))
    size: Array = jnp.linalg.norm(product(last))
    return size
