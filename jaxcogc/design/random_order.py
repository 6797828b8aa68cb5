"""Clients placed anew at random on the ring in every round: means over placements."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, permutations
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from jaxcogc._types import HostFloats
from jaxcogc.design.ring_order import log_outages_of_orders
from jaxcogc.links.network import Network
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.rare.weighted_sums import ENOUGH

__all__ = [
    "RANDOM",
    "Order",
    "PlacedMean",
    "Placement",
    "alike",
    "distinct_orders",
    "mean_gc_outage",
    "sampled_orders",
]

RANDOM: Literal["random"] = "random"
"""Stands for an order: another one in every round, all of them equally likely."""
Order = tuple[int, ...]
Placement = Order | Literal["random"]
_MOST_ORDERS = 40_320
_SAMPLED_ORDERS = 8192


class PlacedMean(NamedTuple):
    """A mean over placements.

    Attributes:
        estimate: exact over all placements, or with a normal interval over random ones.
        flagged: few placements make up nearly all of it: not to be relied on.
    """

    estimate: Estimate
    flagged: bool


def alike(network: Network) -> bool:
    """Whether all uplinks are equal and all links between clients, so that no order matters."""
    peer = network.peer_erasure[~np.eye(network.num_clients, dtype=bool)]
    return bool(np.ptp(network.uplink_erasure) == 0.0 and (peer.size == 0 or np.ptp(peer) == 0.0))


def distinct_orders(
    network: Network, stragglers: int, kind: str, most: int = _MOST_ORDERS
) -> list[Order] | None:
    """Orders that stand for all placements, each for equally many.

    Turning the ring changes nothing for a cyclic code, nor the order within and of the blocks of
    fractional repetition; s = 0, s = M - 1 and links that are all alike know no order.

    Args:
        network: the network, in the clients' own order.
        stragglers: s.
        kind: ``"cyclic"`` or ``"blocks"``.
        most: orders.

    Returns:
        The orders; None if there are more than that.

    >>> network = Network([0.1, 0.2, 0.1, 0.1], np.zeros((4, 4)))
    >>> distinct_orders(network, 1, "blocks")
    [(0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2)]
    """
    clients = network.num_clients
    if stragglers in (0, clients - 1) or alike(network):
        return [tuple(range(clients))]
    size = stragglers + 1
    count = math.factorial(clients - 1)
    if kind == "blocks":
        blocks = clients // size
        count = math.factorial(clients) // (math.factorial(size) ** blocks * math.factorial(blocks))
    if count > most:
        return None
    if kind == "blocks":
        return list(_partitions(tuple(range(clients)), size))
    return [(0, *rest) for rest in permutations(range(1, clients))]


def _partitions(clients: Order, size: int) -> Iterator[Order]:
    """All ways to split clients into blocks of a size, one after another."""
    if not clients:
        yield ()
        return
    for others in combinations(clients[1:], size - 1):
        block = (clients[0], *others)
        for rest in _partitions(tuple(k for k in clients if k not in block), size):
            yield block + rest


def sampled_orders(clients: int, count: int, seed: int = 0) -> list[Order]:
    """Independent random orders, all equally likely."""
    generator = np.random.default_rng(seed)
    return [tuple(generator.permutation(clients).tolist()) for _ in range(count)]


def mean_gc_outage(
    network: Network,
    stragglers: int,
    attempts: int,
    *,
    kind: str,
    power: int = 1,
    level: float = 0.95,
    seed: int = 0,
) -> PlacedMean:
    """Outage probability of standard decoding, from the closed form of every placement.

    Args:
        network: independent links.
        stragglers: s.
        attempts: attempts with one code.
        kind: ``"cyclic"``, or ``"blocks"`` for fractional repetition.
        power: of each placement's outage before the mean: attempts that fail on their own.
        level: confidence level, where there are too many placements for all of them.
        seed: of the random placements.

    Returns:
        PlacedMean.
    """
    orders = distinct_orders(network, stragglers, kind)
    chosen = orders or sampled_orders(network.num_clients, _SAMPLED_ORDERS, seed)
    logs = log_outages_of_orders(network, np.array(chosen), stragglers, attempts, kind=kind)
    outages: HostFloats = np.exp(power * logs)
    mean = float(min(outages.mean(), 1.0))
    if orders is not None:
        return PlacedMean(Estimate.exact(mean), False)
    error = float(outages.std(ddof=1)) / math.sqrt(len(outages))
    half = -float(special.ndtri((1.0 - level) / 2.0)) * error
    squares = float((outages**2).sum())
    effective = float(outages.sum()) ** 2 / squares if squares else math.inf
    low, high = max(0.0, mean - half), min(1.0, mean + half)
    return PlacedMean(
        Estimate(low, mean, high, method="placements", level=level), effective < ENOUGH
    )
