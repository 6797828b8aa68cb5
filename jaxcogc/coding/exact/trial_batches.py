"""A decision about one trial that, under `jax.vmap`, is made for all trials at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, TypeVarTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from jaxcogc._types import Array, PyTree

Code = TypeVar("Code")
Trial = TypeVarTuple("Trial")
Found = TypeVar("Found")


def batched_decision(
    one: Callable[[Code, *Trial], Found], many: Callable[[Code, *Trial], Found]
) -> Callable[[Code, *Trial], Found]:
    """Give `one` a batching rule that calls `many`.

    Args:
      one: ``one(code, *trial)``, arrays or pytrees of one trial.
      many: the same with a leading trials axis on all but the code.

    Returns:
      `one`; a second and third `jax.vmap` only make the axis of `many` longer.
    """

    @custom_vmap
    @jax.jit  # so that calls outside of a program of the caller's are compiled once
    def one_trial(code: Code, *trial: *Trial) -> Found:
        return one(code, *trial)

    @custom_vmap
    @jax.jit
    def batch(code: Code, *trials: *Trial) -> Found:
        return many(code, *trials)

    @one_trial.def_vmap
    def many_trials(
        size: int, in_batched: Sequence[PyTree], code: Code, *trials: *Trial
    ) -> tuple[Found, PyTree]:
        return _with_trials(batch, one_trial, size, in_batched, (code, *trials))

    @batch.def_vmap
    def longer_batch(
        size: int, in_batched: Sequence[PyTree], code: Code, *trials: *Trial
    ) -> tuple[Found, PyTree]:
        def longer(code: Code, *trials: *Trial) -> Found:
            flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), trials)
            found = batch(code, *flat)
            restored: Found = jax.tree.map(lambda x: x.reshape(size, -1, *x.shape[1:]), found)
            return restored

        return _with_trials(longer, batch, size, in_batched, (code, *trials))

    def decision(code: Code, *trial: *Trial) -> Found:
        found: Found = one_trial(code, *trial)
        return found

    return decision


def _with_trials(
    together: Callable[..., Found],
    one_by_one: Callable[..., Found],
    size: int,
    in_batched: Sequence[PyTree],
    operands: tuple[Code, *Trial],
) -> tuple[Found, PyTree]:
    """Batch a function of (code, *trial), together where all trials have one code."""

    def batched(x: Array, is_batched: bool) -> Array:
        return x if is_batched else jnp.broadcast_to(x, (size, *x.shape))

    if any(jax.tree.leaves(in_batched[0])):  # one code a trial: no batch to share
        whole = jax.tree.map(batched, operands, tuple(in_batched))
        found: Found = lax.map(lambda x: one_by_one(*x), whole)
    else:
        trials = jax.tree.map(batched, operands[1:], tuple(in_batched[1:]))
        found = together(operands[0], *trials)
    return found, jax.tree.map(lambda _: True, found)
