"""Functions whose results XLA computes once and keeps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Stage = Callable[..., Any]
"""``stage(function, *operands)``: what the function returns, arrays or a pytree of them."""


def unstaged(function: Callable[..., Any], *operands: Any) -> Any:
    """The stage that leaves everything to XLA."""
    return function(*operands)


def stages(opaque: jax.Array) -> Stage:
    """A way to run a function whose results are computed once and kept.

    XLA's CPU backend removes ``optimization_barrier`` and then fuses a long chain into each of its
    consumers, which recomputes it many times over, and fuses dynamic slices into loops that it no
    longer vectorises (both measured: 5 to 40 times slower). The operands and results of a branch
    are kept, so there every stage is a branch whose condition only we know to be true.
    """
    opaque = lax.platform_dependent(
        opaque, cpu=lambda true: true, default=lambda true: jnp.ones_like(true)
    )

    def stage(function, *operands):
        shapes = jax.eval_shape(function, *operands)
        return lax.cond(opaque, function, partial(zeros_like_mesh, shapes), *operands)

    return stage


def zeros_like_mesh(shapes: Any, *operands: Any) -> Any:
    """Zeros that vary over the same mesh axes as the operands, as `shard_map` demands."""
    leaves = [leaf for leaf in jax.tree.leaves(operands) if leaf.size]
    zero = sum(leaf.ravel()[0].astype(jnp.uint32) & 0 for leaf in leaves)
    return jax.tree.map(lambda s: jnp.broadcast_to(zero, s.shape).astype(s.dtype), shapes)
