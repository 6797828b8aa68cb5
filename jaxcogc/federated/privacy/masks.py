"""Masks of clients that add up to 0 to the last bit: the same noise in a pair, with both signs.

Every pair of clients shares a seed. What a pair draws lies on a grid, a power of two below
sigma 2^-20, so that all sums of masks are exact in single precision; or it is uniform over a prime
field, where updates are rounded to integers and nothing but their sum can be seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array, ArrayLike, HostFloats, Key, PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.prime_field import add, random_elements, subtract
from jaxcogc.runtime.random_words import fold_in, normal, random_bits

_GRID_BITS = 20
_LEAST_EXPONENT = -126
"""Of the step of updates over a field: smaller ones are no normal numbers of single precision."""
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
        for apart, drawn, first in _pairs(fold_in(key, number), leaf):
            noise = normal(drawn, leaf.shape, leaf.dtype) * pair_sd
            noise = jnp.where(grid > 0, jnp.round(noise / jnp.where(grid > 0, grid, 1)) * grid, 0)
            noise = jnp.where(first, noise, 0).astype(leaf.dtype)
            total = total + noise - jnp.roll(noise, apart, axis=0)
        masks.append(total)
    return jax.tree.unflatten(structure, masks)


def check_field_masks(code: GradientCode | None) -> None:
    """Raise a ValueError where a code has no field that masks could be drawn over."""
    if code is not None and code.reals is not None:
        raise ValueError(
            "masks = 'field' with a code whose dependencies no prime field has: allowed is 'real'"
        )


def zero_sum_residues(key: Key, like: PyTree, modulus: int) -> PyTree:
    """Masks over GF(modulus): uniform on all that add up to 0, to within 2^-31.

    Args:
      key: of the round.
      like: pytree of arrays [clients, ..].
      modulus: the prime.

    Returns:
      The same pytree, uint32 below the modulus.
    """
    leaves, structure = jax.tree.flatten(like)
    masks = []
    for number, leaf in enumerate(leaves):
        total = jnp.zeros(leaf.shape, jnp.uint32)
        for apart, drawn, first in _pairs(fold_in(key, number), leaf):
            noise = random_elements(random_bits(drawn, leaf.shape), modulus)
            noise = jnp.where(first, noise, np.uint32(0))
            total = subtract(add(total, noise, modulus), jnp.roll(noise, apart, axis=0), modulus)
        masks.append(total)
    return jax.tree.unflatten(structure, masks)


def _pairs(key: Key, leaf: Array) -> Iterator[tuple[int, Key, Array]]:
    """Each pair of clients once: a client and the one so many places on.

    How many places, the key of these pairs, and which clients are the first of theirs, bool
    [clients, 1, ..].
    """
    clients = leaf.shape[0]
    number = jnp.arange(clients).reshape(-1, *(1,) * (leaf.ndim - 1))
    for apart in range(1, clients // 2 + 1):
        yield apart, fold_in(key, apart), number < (apart if 2 * apart == clients else clients)


def field_step(updates: PyTree, modulus: int) -> Array:
    """The power of two that updates are rounded to multiples of: their sum stays below q / 2.

    It depends on the largest number of all updates, which clients have to agree on.

    Args:
      updates: pytree of floating arrays [clients, ..].
      modulus: q, the prime.
    """
    leaves = jax.tree.leaves(updates)
    clients = leaves[0].shape[0]
    largest = reduce(jnp.maximum, (jnp.max(jnp.abs(x)) for x in leaves))
    _, exponent = jnp.frexp(largest / ((modulus // 2 - clients) / clients))
    exponent = jnp.where(largest > 0, jnp.maximum(exponent, _LEAST_EXPONENT), 0)
    return jnp.ldexp(jnp.ones((), largest.dtype), exponent.astype(jnp.int32))


def to_residues(updates: Array, step: Array, modulus: int) -> Array:
    """Updates as multiples of the step, uint32 below the modulus."""
    multiples = jnp.round(updates / step.astype(updates.dtype)).astype(jnp.int32)
    return jnp.where(multiples < 0, multiples + np.int32(modulus), multiples).astype(jnp.uint32)


def average_of_residues(total: Array, step: Array, modulus: int, clients: int) -> Array:
    """The average whose sum, a residue, was decoded; in the dtype of the step."""
    number = total.astype(jnp.int32)
    number = jnp.where(number > modulus // 2, number - np.int32(modulus), number)
    return number.astype(step.dtype) * step / clients


def root_mean_square(values: PyTree) -> Array:
    """Over all numbers of a pytree."""
    squares = sum(jnp.sum(jnp.square(x)) for x in jax.tree.leaves(values))
    number = sum(x.size for x in jax.tree.leaves(values))
    return jnp.sqrt(squares / number)


def masked_error(
    weights: ArrayLike, received: ArrayLike, mask_ratio: ArrayLike, unit: float = 2.0**-24
) -> Array:
    """Expected error of a decoded average, over the updates' deviation.

    Args:
      weights: floating [rows], that give the sum.
      received: floating [rows, clients], the received matrix.
      mask_ratio: sigma over the deviation of an update's coordinates.
      unit: what a number is rounded by, at most, over its size.

    Source: docs/mathematics/privacy.md, "Secure aggregation".
    """
    received = jnp.asarray(received)
    clients = received.shape[1]
    norms = jnp.sum(jnp.square(received), axis=1)
    amplification = jnp.sqrt(jnp.sum(jnp.square(jnp.asarray(weights)) * norms) / clients)
    spread = jnp.sqrt((1 + jnp.square(jnp.asarray(mask_ratio))) / clients)
    return _ROUNDING * unit * amplification * spread


def left_of_masks(num_clients_in_it: Array, mask_ratio: float, num_clients: int) -> Array:
    """What masks leave in an average over some clients, over the updates' deviation.

    >>> [round(float(x), 3) for x in left_of_masks(jnp.array([1, 3, 4]), 2.0, 4)]
    [2.0, 0.667, 0.0]
    """
    count = jnp.maximum(jnp.asarray(num_clients_in_it), 1)
    return mask_ratio * jnp.sqrt((num_clients - count) / (max(1, num_clients - 1) * count))


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
