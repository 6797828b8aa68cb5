"""Laws in 64 bits whatever mode the caller is in, with slopes that his own trace can carry."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxcogc._types import AnyArray, Array

Probability: TypeAlias = np.float64 | Float[Array, ""]
"""Of numbers a NumPy float64; of a network that is traced, or mapped over, a scalar array."""

Slopes: TypeAlias = Any
"""Pytrees like the arguments, of derivatives [*value, *argument]."""


class Law(Protocol):
    """Of pytrees of float64 arrays; hashable, and called in a 64-bit scope."""

    def value(self, *arguments: Any) -> Array:
        """What is asked for."""

    def slopes(self, *arguments: Any) -> Slopes:
        """Its derivatives by all arguments: one pytree for each."""


class CompiledLaw:
    """A law that is a traceable function: a program of its own for its value and for its slopes."""

    def __call__(self, *arguments: Any) -> Array:
        """The law."""
        raise NotImplementedError

    def value(self, *arguments: Any) -> Array:
        """See `Law`."""
        value: Array = _compiled(self, arguments)
        return value

    def slopes(self, *arguments: Any) -> Slopes:
        """See `Law`."""
        return _slopes(self, arguments)


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


def number(scalar: AnyArray) -> Probability:
    """A value that is a scalar."""
    return np.float64(scalar) if isinstance(scalar, np.ndarray) else scalar


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _value(law: Law, arguments: tuple[Any, ...]) -> Array:
    with jax.enable_x64(True):
        return law.value(*arguments)


@_value.defjvp
def _jvp(law: Law, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """The slopes are formed here, in the 64-bit scope; what is left for a caller's transposition,
    which runs outside of it, are products and sums, which carry their own type."""
    with jax.enable_x64(True):
        value, slopes = _value(law, primals[0]), law.slopes(*primals[0])
        change = jnp.zeros_like(value)
        pairs = zip(jax.tree.leaves(slopes), jax.tree.leaves(tangents[0]), strict=True)
        for slope, tangent in pairs:
            change += jnp.sum(slope * tangent, axis=tuple(range(value.ndim, slope.ndim)))
        return value, change


@partial(jax.jit, static_argnums=0)
def _compiled(law: CompiledLaw, arguments: tuple[Any, ...]) -> Array:
    return law(*arguments)


@partial(jax.jit, static_argnums=0)
def _slopes(law: CompiledLaw, arguments: tuple[Any, ...]) -> Slopes:
    return jax.jacrev(lambda given: law(*given))(arguments)
