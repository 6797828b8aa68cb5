"""What comes of a client's row over several attempts, where links remember.

The links of a row are independent two-state chains. The chance that something never happens in all
attempts ("a complete row arrives", "nobody is heard") is found in one of three ways, whichever is
small: by the joint states of all links; where states are erasures, by renewal, as a complete row
tells all states; or by all sets of attempts, with the sign of their size.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float64

from jaxcogc._types import Array, HostInts
from jaxcogc.links.memory import LinkDynamics, link_chains
from jaxcogc.links.network import Network

_MOST_STATES = 2**10
_MOST_SETS = 2**22


class RowLinks(NamedTuple):
    """The chains of the links that rows need; float64 [clients, links], the uplink first.

    Attributes:
      bad: probability of the bad state.
      memory, round_memory: correlation between attempts, and between rounds.
      good_erasure, bad_erasure: scalars.
    """

    bad: Array
    memory: Array
    round_memory: Array
    good_erasure: Array
    bad_erasure: Array

    @property
    def delivers(self) -> Array:
        """Probability of a delivery by state (good, bad): [clients, links, 2]."""
        states = jnp.stack(
            [jnp.asarray(1.0 - self.good_erasure), jnp.asarray(1.0 - self.bad_erasure)]
        )
        return jnp.broadcast_to(states, (*self.bad.shape, 2))


class Steps(NamedTuple):
    """Steps between the attempts that are looked at: how often each memory acts; int [steps]."""

    attempts: HostInts
    rounds: HostInts


def steps_of(num_attempts: int, gap: int = 0) -> Steps:
    """The steps of one round, or of two that are ``gap`` rounds apart.

    >>> steps_of(2, gap=2)
    Steps(attempts=array([1, 1, 1]), rounds=array([0, 2, 0]))
    """
    within, none = [1] * (num_attempts - 1), [0] * (num_attempts - 1)
    if not gap:
        return Steps(np.array(within, int), np.array(none, int))
    between = (gap - 1) * (num_attempts - 1)
    return Steps(np.array([*within, between, *within], int), np.array([*none, gap, *none], int))


def can_be_found(clients: int, num_links: int, attempts: int, *, hard: bool) -> bool:
    """Whether one of the three ways is small enough for `prob_never`."""
    few = attempts < 20 and 2**attempts * clients * num_links <= _MOST_SETS
    return hard or 2**num_links <= _MOST_STATES or few


def prob_never(links: RowLinks, happens: Array, steps: Steps, *, hard: bool) -> Array:
    """Probability that in no attempt all links of a row do what is asked of them.

    Args:
      links: their chains; `can_be_found`.
      happens: [clients, links, 2], probability that a link does it, by its state.
      steps: between the attempts.
      hard: what is asked of every link is to be in its good state.

    Returns:
      [clients]
    """
    if 2 ** links.bad.shape[1] <= _MOST_STATES:
        return _by_states(links, happens, steps)
    if hard:
        return _by_renewal(links, steps)
    sets = _sets(len(steps.attempts) + 1)
    return jnp.array([(-1.0) ** sum(chosen) for chosen in sets]) @ together(links, happens, steps)


def _sets(attempts: int) -> list[tuple[int, ...]]:
    """All sets of attempts, as 0 and 1 for each."""
    return list(product((0, 1), repeat=attempts))


def together(links: RowLinks, happens: Array, steps: Steps) -> Array:
    """Probability that it happens in all attempts of a set, others left open; [sets, clients].

    Sets are in the order of the binary numbers, the first attempt the highest digit.
    """
    chosen = jnp.array(_sets(len(steps.attempts) + 1), links.bad.dtype)[:, :, None, None, None]
    law = _law_of_states(links)
    state = law * jnp.where(chosen[:, 0] > 0, happens, 1.0)
    for step, memory in enumerate(_memories(links, steps)):
        state = (
            memory[..., None] * state + (1 - memory[..., None]) * state.sum(-1, keepdims=True) * law
        )
        state = state * jnp.where(chosen[:, step + 1] > 0, happens, 1.0)
    return jnp.prod(state.sum(-1), axis=-1)


def _law_of_states(links: RowLinks) -> Array:
    return jnp.stack([1.0 - links.bad, links.bad], axis=-1)


def _memories(links: RowLinks, steps: Steps) -> Array:
    """Correlation over each step: [steps, clients, links]."""
    attempts, rounds = (np.asarray(n)[:, None, None] for n in steps)
    return _power(links.memory, attempts) * _power(links.round_memory, rounds)


def _power(memory: Array, number: HostInts | Array) -> Array:
    # 0 to the power of 0 is 1, and has a slope.
    return jnp.where(number == 0, 1.0, memory ** jnp.maximum(number, 1))


def _by_states(links: RowLinks, happens: Array, steps: Steps) -> Array:
    """Carry the probabilities of all joint states of the links, less where it has happened."""
    clients, num_links = links.bad.shape
    law = _law_of_states(links)

    def outer(fails: Array, works: Array) -> tuple[Array, Array]:
        """Over joint states: that some link fails, summed without cancelling; and the rest."""
        some, none = jnp.zeros((clients, 1)), jnp.ones((clients, 1))
        for link in range(num_links):
            bad, good = fails[:, None, link], works[:, None, link]
            some = (some[..., None] * (bad + good) + none[..., None] * bad).reshape(clients, -1)
            none = (none[..., None] * good).reshape(clients, -1)
        return some, none

    _, state = outer(jnp.zeros_like(law), law)
    misses, _ = outer(1.0 - happens, happens)

    def one_step(state: Array, memory: Array) -> tuple[Array, None]:
        for link in range(num_links):
            split = state.reshape(clients, 2**link, 2, -1)
            keep = memory[:, link, None, None, None]
            drawn = law[:, link, None, :, None] * split.sum(2, keepdims=True)
            state = (keep * split + (1.0 - keep) * drawn).reshape(clients, -1)
        return state * misses, None

    state, _ = lax.scan(one_step, state * misses, _memories(links, steps))
    return state.sum(-1)


def _by_renewal(links: RowLinks, steps: Steps) -> Array:
    """The first time that all links are good; from then on all of their states are known."""
    times = np.concatenate([[[0, 0]], np.cumsum(np.stack(steps, axis=1), axis=0)])
    count = len(times)
    good = 1.0 - links.bad

    def one_time(first: Array, time: Array) -> tuple[Array, None]:
        """`first`: [times, clients], probability that the first time is this one."""
        attempts, rounds = (jnp.asarray(times)[time] - jnp.asarray(times)).T[:, :, None, None]
        memory = _power(links.memory, attempts) * _power(links.round_memory, rounds)
        again = jnp.prod(good + links.bad * memory, axis=-1)
        earlier = jnp.arange(count)[:, None] < time
        now = jnp.prod(good, axis=-1) - jnp.sum(jnp.where(earlier, first * again, 0.0), axis=0)
        return first.at[time].set(now), None

    start = jnp.zeros((count, len(links.bad)))
    first, _ = lax.scan(one_time, start, jnp.arange(count))
    return 1.0 - first.sum(0)


def prob_silent(links: RowLinks, longest: int) -> Array:
    """Probability that a link delivers in none of 0, 1, .., longest attempts in a row.

    Returns:
      [longest + 1, clients, links].
    """
    law = _law_of_states(links)
    erased = 1.0 - links.delivers

    def one_attempt(state: Array, _: None) -> tuple[Array, Array]:
        state = state * erased
        silent = state.sum(-1)
        keep = links.memory[..., None]
        return keep * state + (1.0 - keep) * silent[..., None] * law, silent

    _, silent = lax.scan(one_attempt, law, None, length=longest)
    return jnp.concatenate([jnp.ones((1, *links.bad.shape)), silent])


def silence(
    network: Network, dynamics: LinkDynamics | None, longest: int
) -> Float64[np.ndarray, "_ clients clients"]:
    """Probability that a link delivers in none of 0, 1, .., longest attempts, whoever is blocked.

    Args:
      network: the mean erasures.
      dynamics: how links remember; None: they do not.
      longest: attempts.

    Returns:
      Of the link from a client (last axis) to a client; uplinks on the diagonal.
    """
    dynamics = LinkDynamics() if dynamics is None else dynamics
    with jax.enable_x64(True):
        chains = (jnp.asarray(x, jnp.float64) for x in link_chains(network, dynamics))
        states = map(jnp.float64, (dynamics.good_erasure, dynamics.bad_erasure))
        return np.asarray(prob_silent(RowLinks(*chains, *states), longest))


def missing_where_heard_is_kept(links: RowLinks, attempts: int) -> Array:
    """Probability that no complete row arrives of clients that keep what they heard; [clients]."""
    silent = prob_silent(links, attempts)
    heard = jnp.prod(1.0 - silent[1:, :, 1:], axis=-1)  # all peers within 1, 2, .. attempts
    before = jnp.concatenate([jnp.zeros_like(heard[:1]), heard[:-1]])
    tries_left = silent[attempts:0:-1, :, 0]
    return 1.0 - heard[-1] + jnp.sum((heard - before) * tries_left, axis=0)
