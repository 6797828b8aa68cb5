"""Trials of clients on a ring: in a given order, or placed anew at random in every trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.links.memory import LinkChains, LinkDynamics, blocked_clients, link_chains
from jaxcogc.links.network import Network
from jaxcogc.outage.random_links import LinkTable
from jaxcogc.outage.simulation.block_words import host_words
from jaxcogc.outage.simulation.link_patterns import BATCH_TRIALS, decide_patterns

__all__ = ["ring_trials"]


def ring_trials(
    key: Key,
    network: Network,
    code: GradientCode,
    *,
    num_trials: int,
    num_attempts: int = 1,
    order: tuple[int, ...] | None = None,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
) -> Iterator[Recovery]:
    """What trials recover, whose clients stand on the ring in an order.

    A random placement holds for all attempts of its trial. Trials are then independent and alike,
    so that counts of them have the law, and the intervals, of any other simulation.

    Args:
      key: one typed key.
      network: erasure probabilities, in the clients' own order.
      code: the code of every attempt, or one that was redrawn for ``num_attempts`` attempts; its
        row m belongs to place m of the ring.
      num_trials: trials in all.
      num_attempts: attempts.
      order: place i of the ring holds client order[i]; None for all orders, equally likely, a
        new one in every trial.
      dynamics: how links remember, and who is blocked, by the clients' own numbers.
      keep_heard: clients keep what they heard in earlier attempts.

    Yields:
      Recovery of NumPy arrays, [trials] leading, 2^13 trials at most; clients are numbered by
      their places.
    """
    clients = network.num_clients
    links = _links(network, dynamics)
    below = np.tril_indices(clients, -1)
    numbers = np.arange(num_attempts * clients**2, dtype=np.int32)
    where = numbers.reshape(num_attempts, clients, clients)
    nobody = np.full((numbers.size, 2), (num_attempts * clients) + 1, np.int32)
    table = LinkTable(np.zeros(numbers.size), where, nobody)
    for number, start in enumerate(range(0, num_trials, BATCH_TRIALS)):
        trials = min(BATCH_TRIALS, num_trials - start)
        generator, decision_key = host_words(key, number)
        places = np.tile(np.arange(clients) if order is None else order, (trials, 1))
        if order is None:
            places = generator.permuted(places, axis=1)
        erased = _erased(generator, links, places, num_attempts)
        if network.reciprocal:
            erased[..., below[0], below[1]] = erased[..., below[1], below[0]]
        erased |= _blocked(generator, links, places)[:, None]
        yield decide_patterns(
            decision_key, code, table, erased.reshape(trials, -1), keep_heard=keep_heard
        ).recovery


class _Links(NamedTuple):
    """Chains and blocked clients, by the clients' own numbers; uplinks on the diagonal."""

    chains: LinkChains
    dynamics: LinkDynamics
    blocking: HostFloats


def _links(network: Network, dynamics: LinkDynamics | None) -> _Links:
    dynamics = LinkDynamics() if dynamics is None else dynamics
    blocking = np.asarray(blocked_clients(network, dynamics))
    return _Links(link_chains(network, dynamics), dynamics, blocking)


def _erased(
    generator: np.random.Generator, links: _Links, places: np.ndarray, attempts: int
) -> np.ndarray:
    """bool [trials, attempts, clients, clients], by places; of the links by themselves."""
    trials, clients = places.shape
    here = places[:, :, None], places[:, None, :]
    bad, memory = (np.asarray(x)[here] for x in (links.chains.bad, links.chains.memory))
    erased = np.empty((trials, attempts, clients, clients), bool)
    state = np.zeros(bad.shape, bool)
    for attempt in range(attempts):
        word = generator.random(bad.shape)
        kept = memory if attempt else 0.0
        becomes_bad = bad * (1.0 - kept)
        state = (word < becomes_bad) | (state & (word < becomes_bad + kept))
        erased[:, attempt] = state
        if not links.dynamics.hard:
            lost = np.where(state, links.dynamics.bad_erasure, links.dynamics.good_erasure)
            erased[:, attempt] = generator.random(bad.shape) < lost
    return erased


def _blocked(generator: np.random.Generator, links: _Links, places: np.ndarray) -> np.ndarray:
    """bool [trials, clients, clients]: an end is blocked."""
    if not links.blocking.any():
        return np.zeros((1, 1, 1), bool)
    blocked = generator.random(places.shape) < links.blocking[places]
    ends: np.ndarray = blocked[:, :, None] | blocked[:, None, :]
    return ends
