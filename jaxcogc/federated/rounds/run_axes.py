"""Runs: every seed under every scheme, trained together or in groups one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import UInt32

from jaxcogc._types import Array, PyTree
from jaxcogc.federated.aggregation.round_keys import initial_key
from jaxcogc.federated.aggregation.schemes import SchemeDraw
from jaxcogc.federated.rounds.experiment import Inputs, RoundSettings, Task, TrainState
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import data_key, key_data, seed_key

T = TypeVar("T")

_CACHED = 2**16
"""Bytes of the clients' models that a CPU trains at once, where one run does not have more. Beyond
that vmap only costs: operands leave the cache, and products of matrices become strided."""


class Run(NamedTuple):
    """One seed under one scheme.

    Attributes:
      state: where it stands; without the states of schemes of one's own.
      drawn: what the links decide in each of its rounds; None where that is not known yet.
      seed, scheme: int32 scalars, the places on those axes.
    """

    state: TrainState
    drawn: SchemeDraw | None
    seed: Array
    scheme: Array


@under_plain_settings
def seed_words(seeds: Sequence[int]) -> UInt32[Array, "seeds 2"]:
    """The keys of seeds as arrays: uint32 [seeds, 2]."""
    return jnp.stack([key_data(seed_key(seed)) for seed in seeds])


@under_plain_settings
def initial_state(
    task: Task,
    settings: RoundSettings,
    words: UInt32[Array, "seeds 2"],
    num_clients: int | None = None,
) -> TrainState:
    """The start of all runs: one draw of parameters a seed, the same under every scheme.

    Args:
      task: what is learnt.
      settings: whose schemes count.
      words: uint32 [seeds, 2], as `seed_words` makes them.
      num_clients: M; needed where a scheme remembers something of each client.

    Raises:
      ValueError: it is needed and not there.
    """
    copies = len(settings.schemes)
    models = np.array(settings.remembers("models"))
    keeps = any(settings.remembers("updates", "projections", "models"))
    if keeps and num_clients is None:
        raise ValueError("num_clients = None with schemes that remember clients: allowed is M")

    def of_clients(x: Array) -> Array:
        start = jnp.broadcast_to(x, (copies, num_clients or 0, *jnp.shape(x)))
        return jnp.where(models.reshape(-1, *(1,) * (jnp.ndim(x) + 1)), start, 0)

    def one(seed: Array) -> TrainState:
        params = task.init(initial_key(data_key(seed)))
        state = TrainState(params, task.server_optimizer.init(params))
        of_schemes: TrainState = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (copies, *jnp.shape(x))), state
        )
        clients = jax.tree.map(of_clients, params) if keeps else None
        own = {name: scheme.init() for name, scheme in settings.own.items()} or None
        return of_schemes._replace(clients=clients, own=own)

    start: TrainState = jax.jit(lambda words: lax.map(one, words))(words)
    return start


def of_seed(inputs: Inputs, seed: Array) -> Inputs:
    """The inputs of one seed: its own partition and scale, where every seed has one."""
    data = inputs.data
    if data.num_samples.ndim == 1:
        return inputs
    own = data._replace(indices=data.indices[seed], num_samples=data.num_samples[seed])
    scale = None if inputs.scale is None else jnp.asarray(inputs.scale)[seed]
    return inputs._replace(data=own, scale=scale)


def runs_at_once(params: PyTree, inputs: Inputs, platform: str) -> int:
    """How many runs share one vmap: all, but on a CPU as many as its cache holds.

    Args:
      params: pytree [seeds, schemes, ..].
      inputs: of the experiment.
      platform: "cpu" or another.
    """
    seeds, schemes = jax.tree.leaves(params)[0].shape[:2]
    number = int(seeds * schemes)
    if platform != "cpu":
        return number
    one = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(params)) // number
    most = max(1, _CACHED // (one * inputs.data.num_samples.shape[-1]))
    return max(n for n in range(1, min(number, most) + 1) if number % n == 0)


def over_runs(
    one: Callable[[Run], T], state: TrainState, drawn: SchemeDraw | None, at_once: int
) -> T:
    """``one`` for every run, so many at once under vmap, one group after the other.

    Args:
      one: from a Run to any pytree.
      state: [seeds, schemes, ..].
      drawn: [seeds, schemes, rounds, ..], or None.
      at_once: divides the number of runs.

    Returns:
      What ``one`` returns, leading axes [seeds, schemes].
    """
    seeds, schemes = jax.tree.leaves(state)[0].shape[:2]
    numbers = jnp.indices((seeds, schemes), jnp.int32)
    lead = (-1, at_once) if at_once > 1 else (-1,)
    runs = jax.tree.map(
        lambda x: x.reshape(*lead, *x.shape[2:]), Run(state, drawn, numbers[0], numbers[1])
    )
    done = lax.map(jax.vmap(one) if at_once > 1 else one, runs)
    by_run: T = jax.tree.map(lambda x: x.reshape(seeds, schemes, *x.shape[len(lead) :]), done)
    return by_run
