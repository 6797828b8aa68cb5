"""Laws in 64 bits whatever mode the caller is in, with slopes that his own trace can carry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import AnyArray, Array

Law: TypeAlias = Callable[..., Array]
"""Of pytrees of float64 arrays; hashable, so that programs are kept for each."""


def evaluated(law: Law, *arguments: Any) -> AnyArray:
    """A law's value: NumPy float64 of numbers; in a trace an array of the caller's own precision.

    Args:
        law: what is to be evaluated, static.
        arguments: pytrees of numbers.
    """
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arguments))
    with jax.enable_x64(True):
        leaves = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), arguments)
        value = _value(law, leaves)
        if not traced:
            return np.asarray(value)
    # A caller's 32-bit trace must see one of its own types, or his next operation fails.
    return value.astype(jax.dtypes.canonicalize_dtype(np.float64))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _value(law: Law, arguments: tuple[Any, ...]) -> Array:
    with jax.enable_x64(True):
        value: Array = _compiled(law, arguments)
        return value


@_value.defjvp
def _jvp(law: Law, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """The slopes are formed here, in the 64-bit scope; what is left for a caller's transposition,
    which runs outside of it, are products and sums, which carry their own type."""
    with jax.enable_x64(True):
        value, slopes = _compiled(law, primals[0]), _slopes(law, primals[0])
        change = jnp.zeros_like(value)
        pairs = zip(jax.tree.leaves(slopes), jax.tree.leaves(tangents[0]), strict=True)
        for slope, tangent in pairs:
            change += jnp.sum(slope * tangent, axis=tuple(range(value.ndim, slope.ndim)))
        return value, change


@partial(jax.jit, static_argnums=0)
def _compiled(law: Law, arguments: tuple[Any, ...]) -> Array:
    return law(*arguments)


@partial(jax.jit, static_argnums=0)
def _slopes(law: Law, arguments: tuple[Any, ...]) -> Any:
    return jax.jacrev(lambda given: law(*given))(arguments)
