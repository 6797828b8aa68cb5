"""What a scheme remembers of each client from round to round: updates, or models of their own.

Memory of updates: the server keeps G, the last update that it knew of each client, and adds
sum_k c_k Delta_k + sum_k (1/M - c_k) G_k, so that its error is about how old G is and no longer
about how much clients differ. Implicit gossip keeps the model of each client instead.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from jaxcogc._types import Array, PyTree

Remembered = Literal["updates", "projections", "models"]
"""Per client: its last update that was known; the same as far as rows told of it; its model."""


class StateChange(NamedTuple):
    """What one round does to what is remembered; under a batch every field has its axes too.

    Attributes:
      recall: floating [clients], 1/M - c_k, weights of the updates remembered; 0 without memory.
      refresh: bool [clients], whose update becomes the one remembered; with models, who is heard.
      projector: floating [clients, clients], P of G <- P Delta + (I - P) G, 0 for schemes that
        refresh whole updates; None where no scheme of the run projects.
    """

    recall: Float[Array, "... clients"]
    refresh: Bool[Array, "... clients"]
    projector: Float[Array, "... clients clients"] | None = None


def recalled(change: StateChange, remembered: PyTree) -> PyTree:
    """sum_k (1/M - c_k) G_k, a pytree without the clients axis."""
    return jax.tree.map(lambda x: _times(change.recall[None], x)[0], remembered)


def refreshed(change: StateChange, updates: PyTree, remembered: PyTree) -> PyTree:
    """What is remembered after a round.

    Args:
      change: of the round.
      updates: pytree [clients, ..], as clients shared them; all numbers finite.
      remembered: the same, before the round.
    """

    def one(new: Array, old: Array) -> Array:
        if change.projector is not None:
            old = old + _times(change.projector, new - old)
        return jnp.where(_along(change.refresh, new), new, old)

    return jax.tree.map(one, updates, remembered)


def mixed(weights: Array, heard: Array, models: PyTree) -> PyTree:
    """Models after implicit gossip: those heard become their average, the others stay.

    Args:
      weights: floating [clients], 1/|S| on those heard.
      heard: bool [clients], S.
      models: pytree [clients, ..], after the local steps.
    """

    def one(x: Array) -> Array:
        return jnp.where(_along(heard, x), _times(weights[None], x), x)

    return jax.tree.map(one, models)


def mean_model(models: PyTree) -> PyTree:
    """The mean over clients."""
    return jax.tree.map(lambda x: jnp.mean(x, axis=0), models)


def _along(flags: Array, values: Array) -> Array:
    return flags.reshape(flags.shape + (1,) * (values.ndim - 1))


def _times(matrix: Array, values: Array) -> Array:
    """The matrix times values [clients, ..], at highest precision in the dtype of the values."""
    flat = values.reshape(values.shape[0], -1)
    product = jnp.matmul(matrix.astype(values.dtype), flat, precision=jax.lax.Precision.HIGHEST)
    return product.reshape(-1, *values.shape[1:])
