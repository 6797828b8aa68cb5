"""Trials of clients on a ring: in a given order, or placed anew at random in every trial."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxcogc._types import Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.decision import Recovery
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

    Yields:
        Recovery of NumPy arrays, [trials] leading, 2^13 trials at most; clients are numbered by
        their places.
    """
    clients = network.num_clients
    erasure = np.array(network.peer_erasure)
    np.fill_diagonal(erasure, network.uplink_erasure)
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
        chance = erasure[places[:, :, None], places[:, None, :]]
        erased = np.empty((trials, num_attempts, clients, clients), bool)
        for attempt in range(num_attempts):
            erased[:, attempt] = generator.random(chance.shape) < chance
        if network.reciprocal:
            erased[..., below[0], below[1]] = erased[..., below[1], below[0]]
        yield decide_patterns(decision_key, code, table, erased.reshape(trials, -1)).recovery
