"""Seconds of training rounds: what clients compute, and what their messages take."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array, HostFloats
from jaxcogc.federated.aggregation.round_keys import round_keys
from jaxcogc.federated.rounds.experiment import RoundMetrics
from jaxcogc.federated.rounds.run_axes import seed_words
from jaxcogc.links.draws import client_uniforms, streams
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import data_key, fold_in
from jaxcogc.training.plan import RoundSeconds, TrainingPlan

_ROUNDS_AT_ONCE = 2**12


def seconds_so_far(plan: TrainingPlan, metrics: RoundMetrics) -> HostFloats | None:
    """Seconds from the start to the end of each round, held ones included.

    A client's time comes from the random word that says whether it is blocked: late clients are
    those that are. Clients of replicated codes do s + 1 times the work, and `ideal` waits for all.

    Args:
      plan: what was run.
      metrics: of the run, [seeds, schemes, rounds].

    Returns:
      float64 [seeds, schemes, rounds]; None where the plan does not say what things take.

    Source: docs/mathematics/time.md, "Time".
    """
    seconds = plan.seconds
    if seconds is None:
        return None
    slots, peer, uplink = (
        np.asarray(x, np.float64) for x in (metrics.slots, metrics.peer_uses, metrics.uplink_uses)
    )
    each = seconds.messages._replace(compute=0.0).of_round(slots, peer, uplink)
    steps = _longest(seconds, plan.seeds, each.shape[-1], plan.network.num_clients)
    stragglers = 0 if plan.code is None else int(plan.code.num_stragglers)
    for number, scheme in enumerate(plan.settings.schemes):
        times = steps * (stragglers + 1 if scheme == "replicated_gc" else 1)
        if seconds.deadline is not None and scheme != "ideal":
            times = np.minimum(times, seconds.deadline)
        each[:, number] += times
    return np.asarray(each.cumsum(axis=-1))


def _longest(
    seconds: RoundSeconds, seeds: tuple[int, ...], num_rounds: int, clients: int
) -> HostFloats:
    """Seconds until the last client has done its steps, [seeds, rounds]."""
    shape, compute = (len(seeds), num_rounds), seconds.messages.compute
    if seconds.compute_rate is None:
        return np.full(shape, compute)
    least = _least_uniforms(seeds, num_rounds, clients)
    longest: HostFloats = compute - np.log(least) / seconds.compute_rate
    return longest


@lru_cache(maxsize=4)
def _least_uniforms(seeds: tuple[int, ...], num_rounds: int, clients: int) -> HostFloats:
    """The least of the clients' uniform numbers, [seeds, rounds]; it is the slowest one's."""

    def chunks() -> Iterator[HostFloats]:
        words = seed_words(seeds)
        size = min(_ROUNDS_AT_ONCE, 1 << (num_rounds - 1).bit_length())
        for first in range(0, num_rounds, size):
            rounds = np.arange(first, first + size, dtype=np.uint32)
            high, low = (np.asarray(x, np.float64) for x in _words(words, rounds, clients))
            yield ((high * 2.0**32 + low + 0.5) * 2.0**-64).min(axis=-1)

    return np.concatenate([*chunks()], axis=1)[:, :num_rounds]


@under_plain_settings
def _words(seeds: Array, rounds: np.ndarray, clients: int) -> tuple[Array, Array]:
    """First and second words of the clients, uint32 [seeds, rounds, clients]."""

    @jax.jit
    def draw(seeds: Array, rounds: Array) -> tuple[Array, Array]:
        def one(seed: Array, number: Array) -> tuple[Array, Array]:
            key = round_keys(data_key(seed), number).links
            uniforms = client_uniforms(streams(fold_in(key, 0)), np.uint32(0), clients)
            return uniforms(0), uniforms(1)

        return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(seeds, rounds)

    words: tuple[Array, Array] = draw(seeds, jnp.asarray(rounds))
    return words
