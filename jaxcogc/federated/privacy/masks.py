"""Masks of clients that add up to 0 to the last bit: the same noise in a pair, with both signs.

Every pair of clients shares a seed. What a pair draws lies on a grid, a power of two below
sigma 2^-20, so that all sums of masks are exact in single precision.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array, HostFloats, Key, PyTree
from jaxcogc.runtime.random_words import fold_in, normal

_GRID_BITS = 20
_ROUNDING = 1.4
"""Of decoded averages, measured between 1.1 and 1.7 in units of 2^-24."""


def zero_sum_masks(key: Key, like: PyTree, mask_sd: Array) -> PyTree:
    """Masks of all clients, Cov(Z) = sigma^2 M / (M - 1) (I - J / M) a coordinate.

    Args:
      key: of the round.
      like: pytree of floating arrays [clients, ..], single precision or better.
      mask_sd: floating scalar, sigma of a client's mask.

    Returns:
      The same pytree; its sum over clients is exactly 0.
    """
    leaves, structure = jax.tree.flatten(like)
    exponent = jnp.floor(jnp.log2(jnp.where(mask_sd > 0, mask_sd, 1.0))) - _GRID_BITS
    # Not exp2, which is no exact power on every backend.
    power = jnp.ldexp(jnp.ones((), mask_sd.dtype), exponent.astype(jnp.int32))
    grid = jnp.where(mask_sd > 0, power, 0.0)
    masks = []
    for number, leaf in enumerate(leaves):
        clients = leaf.shape[0]
        pair_sd = mask_sd / math.sqrt(max(1, clients - 1))
        total = jnp.zeros_like(leaf)
        # A pair is a client and the one so many places on: each pair once.
        for apart in range(1, clients // 2 + 1):
            pair_key = fold_in(fold_in(key, number), apart)
            noise = normal(pair_key, leaf.shape, leaf.dtype) * pair_sd
            noise = jnp.where(grid > 0, jnp.round(noise / jnp.where(grid > 0, grid, 1)) * grid, 0)
            if 2 * apart == clients:
                first = jnp.arange(clients).reshape(-1, *(1,) * (leaf.ndim - 1)) < apart
                noise = jnp.where(first, noise, 0)
            noise = noise.astype(leaf.dtype)
            total = total + noise - jnp.roll(noise, apart, axis=0)
        masks.append(total)
    return jax.tree.unflatten(structure, masks)


def root_mean_square(values: PyTree) -> Array:
    """Over all numbers of a pytree."""
    squares = sum(jnp.sum(jnp.square(x)) for x in jax.tree.leaves(values))
    number = sum(x.size for x in jax.tree.leaves(values))
    return jnp.sqrt(squares / number)


def masked_error(weights: HostFloats, received: HostFloats, mask_ratio: float) -> float:
    """Expected error of a decoded average in single precision, over the updates' deviation.

    Args:
      weights: float64 [rows], that give the sum.
      received: float64 [rows, clients], the received matrix.
      mask_ratio: sigma over the deviation of an update's coordinates.

    Source: docs/mathematics.md, "Secure aggregation".
    """
    norms = np.sum(np.square(received), axis=1)
    amplification = math.sqrt(float(np.sum(np.square(weights) * norms)) / received.shape[1])
    spread = math.sqrt(1 + mask_ratio**2) / math.sqrt(received.shape[1])
    return _ROUNDING * 2.0**-24 * amplification * spread


def leaked_bits(num_dimensions: HostFloats, mask_ratio: float, num_clients: int) -> HostFloats:
    """Bits a coordinate about all updates beyond their sum, all pairs sharing keys.

    >>> leaked_bits(np.array([0, 1]), 2.0, 4).round(6)
    array([0.      , 0.123964])
    """
    if mask_ratio == 0:
        return np.where(np.asarray(num_dimensions) > 0, np.inf, 0.0)
    snr = (num_clients - 1) / (mask_ratio**2 * num_clients)
    bits: HostFloats = np.asarray(num_dimensions) * (math.log1p(snr) / (2 * math.log(2)))
    return bits


def leaked_bits_of_client(
    largest_share: HostFloats, mask_ratio: float, num_clients: int
) -> HostFloats:
    """The same about the client of whom the rows tell most.

    >>> leaked_bits_of_client(np.array([0.0, 0.25]), 2.0, 4).round(6)
    array([0.      , 0.039001])
    """
    share, rest = np.asarray(largest_share, np.float64), 1 - 1 / num_clients
    if mask_ratio == 0:
        return np.where(share > 0, np.inf, 0.0)
    snr = (num_clients - 1) / (mask_ratio**2 * num_clients)
    bits: HostFloats = -np.log1p(-snr / (1 + snr) * np.minimum(share, rest) / rest)
    return bits / (2 * math.log(2))


def largest_mu(largest_share: HostFloats, mask_ratio: float, num_clients: int) -> HostFloats:
    """mu of Gaussian differential privacy where an update may change by its deviation.

    >>> largest_mu(np.array([0.25]), 2.0, 4).round(6)
    array([0.216506])
    """
    if mask_ratio == 0:
        return np.where(np.asarray(largest_share) > 0, np.inf, 0.0)
    reach = np.asarray(largest_share, np.float64) * (num_clients - 1) / num_clients
    mu: HostFloats = np.sqrt(reach) / mask_ratio
    return mu
