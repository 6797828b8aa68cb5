"""One trial or many: a kernel that works on tiles of trials, with a batching rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap

from jaxcogc._types import Array, PyTree
from jaxcogc.runtime.compute_once import Once, behind_barrier, in_branches

__all__ = ["in_tiles"]

Found = TypeVar("Found")

_CPU_NUMBERS = 2**14
_TILE = 2**14


def in_tiles(kernel: Callable[[Array, Array, Once], Found]) -> Callable[[Array, Array], Found]:
    """Decorate a kernel so that batching it adds trials instead of an axis.

    The kernel takes float64 [trials or 1, attempts or 1, clients, clients] coefficients, bool
    [trials, attempts, clients, clients or 1] deliveries and a way to form results once (a `Once`);
    it returns arrays [trials, ...]. The decorated function takes the first two.
    """

    @custom_vmap
    @jax.jit  # so that calls outside of a program of the caller's are compiled once
    def function(matrix: Array, delivered: Array) -> PyTree:
        tile = _cpu_tile(delivered.shape[1] * matrix.shape[-1] ** 2)
        on_cpu = partial(_tiled, kernel, True, tile)
        if jax.default_backend() == "cpu":  # right elsewhere too; the other way need not be traced
            return on_cpu(matrix, delivered)
        default = partial(_tiled, kernel, False, _TILE)
        return lax.platform_dependent(matrix, delivered, cpu=on_cpu, default=default)

    @function.def_vmap
    def rule(
        size: int, batched: list[bool], matrix: Array, delivered: Array
    ) -> tuple[PyTree, PyTree]:
        with jax.enable_x64(True):  # the rule may run long after the caller's own scope
            trials = delivered.shape[1] if batched[1] else delivered.shape[0]
            if batched[0]:
                matrix = jnp.broadcast_to(matrix, (size, trials, *matrix.shape[2:]))
                matrix = matrix.reshape(size * trials, *matrix.shape[2:])
            elif matrix.shape[0] > 1:
                matrix = jnp.tile(matrix, (size, 1, 1, 1))
            if not batched[1]:
                delivered = jnp.broadcast_to(delivered, (size, *delivered.shape))
            delivered = delivered.reshape(size * trials, *delivered.shape[2:])
            outputs = function(matrix, delivered)
            outputs = jax.tree.map(lambda x: x.reshape(size, trials, *x.shape[1:]), outputs)
        return outputs, jax.tree.map(lambda _: True, outputs)

    return function


def _cpu_tile(numbers: int) -> int:
    """Trials whose received matrices, of so many numbers each, fit into a core's cache together
    with all that is formed from them.

    >>> [_cpu_tile(clients**2 * attempts) for clients, attempts in ((10, 2), (32, 2), (64, 1))]
    [64, 8, 8]
    """
    return int(np.clip(2 ** int(np.log2(_CPU_NUMBERS / numbers)), 8, 128))


def _tiled(
    kernel: Callable[[Array, Array, Once], Found],
    on_cpu: bool,
    tile: int,
    matrix: Array,
    delivered: Array,
) -> Found:
    trials = len(delivered)
    tile = min(tile, trials)
    num_tiles = -(-trials // tile)

    def split(x: Array) -> Array:
        padding = [(0, num_tiles * tile - trials)] + [(0, 0)] * (x.ndim - 1)
        return jnp.pad(x, padding).reshape(num_tiles, tile, *x.shape[1:])

    def run(matrix: Array, delivered: Array) -> Found:
        return kernel(matrix, delivered, _once(matrix, delivered) if on_cpu else behind_barrier)

    if matrix.shape[0] == 1:
        outputs = lax.map(partial(run, matrix), split(delivered))
    else:
        outputs = lax.map(lambda both: run(*both), (split(matrix), split(delivered)))
    found: Found = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:trials], outputs)
    return found


def _once(matrix: Array, delivered: Array) -> Once:
    first = jnp.where(delivered.reshape(-1)[0], matrix.reshape(-1)[0], 0.0)
    return in_branches(first < np.inf)  # true, which XLA cannot know
