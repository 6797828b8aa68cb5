"""Runs: every seed under every scheme, trained together or in groups one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxcogc._types import PyTree
from jaxcogc.federated.aggregation.round_keys import initial_key
from jaxcogc.federated.rounds.experiment import Inputs, RoundSettings, Task, TrainState

__all__ = [
    "Run",
    "initial_state",
    "of_seed",
    "over_runs",
    "runs_at_once",
    "seed_key",
    "seed_words",
]

_IMPL = "threefry2x32"

_CACHED = 2**16
"""Bytes of the clients' models that a CPU trains at once, where one run does not have more. Beyond
that vmap only costs: operands leave the cache, and products of matrices become strided."""


class Run(NamedTuple):
    """One seed under one scheme.

    Attributes:
      state: where it stands, a pytree.
      stream: what its rounds need of the links, a pytree; None where that is not known yet.
      seed, scheme: int32 scalars, the places on those axes.
    """

    state: PyTree
    stream: PyTree
    seed: jax.Array
    scheme: jax.Array


def seed_words(seeds: Sequence[int]) -> jax.Array:
    """The keys of seeds as arrays: uint32 [seeds, 2]."""
    keys = [jax.random.key_data(jax.random.key(seed, impl=_IMPL)) for seed in seeds]
    return jnp.stack(keys)


def seed_key(words: jax.Array) -> jax.Array:
    """The typed key of one row of `seed_words`."""
    return jax.random.wrap_key_data(words, impl=_IMPL)


def initial_state(task: Task, settings: RoundSettings, words: jax.Array) -> TrainState:
    """The start of all runs: one draw of parameters a seed, the same under every scheme.

    Args:
      task: what is learnt.
      settings: whose schemes count.
      words: uint32 [seeds, 2], as `seed_words` makes them.
    """

    def one(seed: jax.Array) -> TrainState:
        params = task.init(initial_key(seed_key(seed)))
        state = TrainState(params, task.server_optimizer.init(params))
        copies = len(settings.schemes)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (copies, *jnp.shape(x))), state)

    return jax.jit(lambda words: lax.map(one, words))(words)


def of_seed(inputs: Inputs, seed: jax.Array) -> Inputs:
    """The inputs of one seed: its own partition and scale, where every seed has one."""
    data = inputs.data
    if data.num_samples.ndim == 1:
        return inputs
    own = data._replace(indices=data.indices[seed], num_samples=data.num_samples[seed])
    scale = None if inputs.scale is None else inputs.scale[seed]
    return inputs._replace(data=own, scale=scale)


def runs_at_once(params: PyTree, inputs: Inputs, platform: str) -> int:
    """How many runs share one vmap: all, but on a CPU as many as its cache holds.

    Args:
      params: pytree [seeds, schemes, ..].
      inputs: of the experiment.
      platform: "cpu" or another.
    """
    seeds, schemes = jax.tree.leaves(params)[0].shape[:2]
    number = seeds * schemes
    if platform != "cpu":
        return number
    one = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(params)) // number
    most = max(1, _CACHED // (one * inputs.data.num_samples.shape[-1]))
    return max(n for n in range(1, min(number, most) + 1) if number % n == 0)


def over_runs(one: Callable[[Run], Any], state: PyTree, streams: PyTree, at_once: int) -> Any:
    """``one`` for every run, so many at once under vmap, one group after the other.

    Args:
      one: from a Run to any pytree.
      state: pytree [seeds, schemes, ..].
      streams: pytree [seeds, schemes, ..], or None.
      at_once: divides the number of runs.

    Returns:
      What ``one`` returns, leading axes [seeds, schemes].
    """
    seeds, schemes = jax.tree.leaves(state)[0].shape[:2]
    numbers = jnp.indices((seeds, schemes), jnp.int32)
    lead = (-1, at_once) if at_once > 1 else (-1,)
    runs = jax.tree.map(
        lambda x: x.reshape(*lead, *x.shape[2:]), Run(state, streams, numbers[0], numbers[1])
    )
    done = lax.map(jax.vmap(one) if at_once > 1 else one, runs)
    return jax.tree.map(lambda x: x.reshape(seeds, schemes, *x.shape[len(lead) :]), done)
