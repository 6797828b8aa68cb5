"""Functions whose results XLA computes once and keeps.

XLA's CPU backend removes ``optimization_barrier`` and then fuses a long chain into each of its
consumers, which recomputes it many times over, and fuses dynamic slices into loops that it no
longer vectorises (both measured: 5 to 40 times slower). So kernels run their steps through a
function ``once``, which keeps the results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import jaxpr_as_fun
from jax.typing import DTypeLike

from jaxcogc._types import Array, PyTree

Operands = TypeVarTuple("Operands")
Result = TypeVar("Result")


class Once(Protocol):
    """``once(function, *operands)``: what the function returns, arrays or a pytree of them."""

    def __call__(
        self, function: Callable[[*Operands], Result], *operands: *Operands
    ) -> Result: ...  # pragma: no cover


def as_xla_likes(function: Callable[[*Operands], Result], *operands: *Operands) -> Result:
    """The `Once` that leaves everything to XLA."""
    return function(*operands)


def behind_barrier(function: Callable[[*Operands], Result], *operands: *Operands) -> Result:
    """The `Once` of backends that respect a barrier: all but the CPU's."""
    result: Result = lax.optimization_barrier(function(*operands))
    return result


def in_branches(always_true: Array) -> Once:
    """The `Once` of a CPU: the operands and results of a branch are kept, so every step is one.

    Args:
      always_true: bool; the condition of the branches, which only we know to be true.
    """
    always_true = true_but_on_a_cpu(always_true)

    def once(function: Callable[[*Operands], Result], *operands: *Operands) -> Result:
        traced, shapes = jax.make_jaxpr(function, return_shape=True)(*operands)

        def replay(*operands: PyTree) -> PyTree:  # the function again, without its Python
            found = jaxpr_as_fun(traced)(*jax.tree.leaves(operands))
            return jax.tree.unflatten(jax.tree.structure(shapes), found)

        def never(*operands: PyTree) -> PyTree:
            return jax.tree.map(lambda s: zeros_like_mesh(operands, s.shape, s.dtype), shapes)

        result: Result = lax.cond(always_true, replay, never, *operands)
        return result

    return once


def true_but_on_a_cpu(flag: Array) -> Array:
    """A flag, bool, on a CPU; elsewhere True, so that XLA drops the other branch."""
    known: Array = lax.platform_dependent(flag, cpu=lambda flag: flag, default=jnp.ones_like)
    return known


def zeros_like_mesh(operands: PyTree, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Zeros that vary over the same mesh axes as the operands, as `shard_map` demands."""
    leaves = [leaf for leaf in jax.tree.leaves(operands) if leaf.size]
    firsts = [lax.index_in_dim(lax.reshape(x, (x.size,)), 0, keepdims=False) for x in leaves]
    zero = sum(lax.convert_element_type(first, jnp.uint32) & 0 for first in firsts)
    return jnp.broadcast_to(zero, shape).astype(dtype)
