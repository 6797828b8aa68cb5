"""One trial or many: a kernel that works on tiles of trials, with a batching rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap

from jaxcogc.runtime.compute_once import Stage, stages

__all__ = ["in_tiles"]

_CPU_NUMBERS = 2**14
_TILE = 2**14


def in_tiles(kernel: Callable[..., Any]) -> Any:
    """Decorate a kernel so that batching it adds trials instead of an axis.

    The kernel takes float64 [trials or 1, attempts or 1, clients, clients] coefficients, bool
    [trials, attempts, clients, clients or 1] deliveries and a way to form results once (a `Stage`);
    it returns arrays [trials, ...]. The decorated function takes the first two.
    """

    @custom_vmap
    @jax.jit  # so that calls outside of a program of the caller's are compiled once
    def function(matrix: jax.Array, delivered: jax.Array) -> Any:
        tile = _cpu_tile(delivered.shape[1] * matrix.shape[-1] ** 2)
        on_cpu = partial(_tiled, kernel, True, tile)
        default = partial(_tiled, kernel, False, _TILE)
        return lax.platform_dependent(matrix, delivered, cpu=on_cpu, default=default)

    @function.def_vmap
    def rule(size: int, batched: list[bool], matrix: Any, delivered: Any) -> Any:
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


def _tiled(kernel: Any, on_cpu: bool, tile: int, matrix: jax.Array, delivered: jax.Array) -> Any:
    trials = len(delivered)
    tile = min(tile, trials)
    num_tiles = -(-trials // tile)

    def split(x: jax.Array) -> jax.Array:
        padding = [(0, num_tiles * tile - trials)] + [(0, 0)] * (x.ndim - 1)
        return jnp.pad(x, padding).reshape(num_tiles, tile, *x.shape[1:])

    def run(matrix: jax.Array, delivered: jax.Array) -> Any:
        return kernel(matrix, delivered, _stages(matrix, delivered, on_cpu))

    if matrix.shape[0] == 1:
        outputs = lax.map(partial(run, matrix), split(delivered))
    else:
        outputs = lax.map(lambda both: run(*both), (split(matrix), split(delivered)))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:trials], outputs)


def _stages(matrix: jax.Array, delivered: jax.Array, on_cpu: bool) -> Stage:
    """A way to run a function whose results are formed once: off a CPU a barrier does that."""
    if on_cpu:
        first = jnp.where(delivered.reshape(-1)[0], matrix.reshape(-1)[0], 0.0)
        return stages(first < np.inf)  # true, which XLA cannot know
    return lambda function, *operands: lax.optimization_barrier(function(*operands))
