"""Orders of the clients on the ring: the best one, all that differ, or random ones.

Row m of a cyclic code covers the clients m, .., m + s of the ring, a block of a fractional
repetition code s + 1 neighbours. Which client stands where is free, and on a real network it
matters. What is compared is the closed form of standard decoding; where that law does not hold
(reciprocal links, other decoders) it only proposes an order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations, permutations
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int

from jaxcogc._types import Array, HostFloats
from jaxcogc.links.checks import check_count
from jaxcogc.links.network import Network
from jaxcogc.names import RingKind
from jaxcogc.outage.laws.standard_decoding import outage_and_success
from jaxcogc.runtime.jax_settings import under_plain_settings

__all__ = [
    "EXHAUSTIVE",
    "RANDOM",
    "Order",
    "Placement",
    "RingOrder",
    "best_order",
    "distinct_orders",
    "log_outages_of_orders",
    "random_orders",
]

Order = tuple[int, ...]
"""Place i of the ring holds client order[i]."""
RANDOM: Literal["random"] = "random"
"""Stands for an order: another one in every round, all of them equally likely."""
Placement = Order | Literal["random"]

EXHAUSTIVE = 8
"""Up to so many clients all orders are tried; above, a local search."""
_BATCH = 512
_MOST_STEPS = 200
_GAIN = 1e-12

Evaluate = Callable[[np.ndarray], HostFloats]
"""Logarithms of outage probabilities of orders [points, clients]."""


class RingOrder(NamedTuple):
    """An order of the clients on the ring.

    Attributes:
      order: place i of the ring holds client order[i].
      log_outage: natural logarithm of the outage probability of standard decoding with it.
    """

    order: Order
    log_outage: float


def log_outages_of_orders(
    network: Network,
    orders: Int[np.ndarray, "points clients"],
    num_stragglers: int,
    num_attempts: int = 1,
    *,
    kind: RingKind = "cyclic",
) -> Float64[np.ndarray, "points"]:
    """Logarithms of the outage probability of standard decoding for many orders of the ring.

    Args:
      network: independent links.
      orders: permutations.
      num_stragglers: s.
      num_attempts: attempts with one code.
      kind: as of `names.ring_kind`.
    """
    found = []
    with jax.enable_x64(True):
        uplink, peer = (
            jnp.asarray(x, jnp.float64) for x in (network.uplink_erasure, network.peer_erasure)
        )
        for start in range(0, len(orders), _BATCH):
            part = np.asarray(orders[start : start + _BATCH], np.int32)
            padded = np.concatenate([part, np.repeat(part[:1], _BATCH - len(part), axis=0)])
            logs = _log_outages(uplink, peer, padded, np.int32(num_stragglers), kind, num_attempts)
            found.append(np.asarray(logs)[: len(part)])
    return np.concatenate(found)


@partial(jax.jit, static_argnums=(4, 5))
def _log_outages(
    uplink: Array, peer: Array, orders: Array, stragglers: Array, kind: RingKind, attempts: int
) -> Array:
    def one(order: Array) -> Array:
        outage, _ = outage_and_success(
            uplink[order], peer[order][:, order], stragglers, kind, attempts
        )
        return jnp.log(outage.digits) + outage.exponent * math.log(2.0)

    return jax.vmap(one)(orders)


@under_plain_settings
def best_order(
    network: Network,
    num_stragglers: int,
    num_attempts: int = 1,
    *,
    kind: RingKind = "cyclic",
    starts: tuple[Order, ...] = (),
    num_random_starts: int = 1,
    seed: int = 0,
) -> RingOrder:
    """An order with a low outage probability: the best of all up to 8 clients, else a local one.

    The local search starts from the clients' own order, from `starts` and from random orders, and
    goes to the best of all exchanges of two clients and moves of one client as long as that helps.

    Args:
      network: independent links.
      num_stragglers: s in 0 .. clients - 1.
      num_attempts: attempts with one code, at least 1.
      kind: as of `names.ring_kind`.
      starts: more orders to start from.
      num_random_starts: random orders to start from.
      seed: of the random orders.

    Returns:
      RingOrder, never with more outages than the clients' own order.

    Raises:
      ValueError: a count out of range.

    >>> network = Network([0.1] * 4, [[0, 0.9, 0, 0.9], [0.9, 0, 0.9, 0], [0.9, 0, 0, 0.9],
    ...                              [0, 0.9, 0.9, 0]])  # 0 hears 2, who hears 1, who hears 3
    >>> best_order(network, 1).order
    (0, 2, 1, 3)
    """
    clients = network.num_clients
    check_count("num_stragglers", num_stragglers, low=0, high=clients - 1)
    check_count("num_attempts", num_attempts)
    own = tuple(range(clients))
    evaluate = partial(
        log_outages_of_orders,
        network,
        num_stragglers=num_stragglers,
        num_attempts=num_attempts,
        kind=kind,
    )
    if num_stragglers in (0, clients - 1):  # every order is the same
        return RingOrder(own, float(evaluate(np.array([own]))[0]))
    if clients <= EXHAUSTIVE:
        return _best_of_all(evaluate, clients, kind)
    starts = (own, *starts, *random_orders(clients, num_random_starts, seed))
    found = [_descend(evaluate, start) for start in dict.fromkeys(starts)]
    return min(found, key=lambda candidate: candidate.log_outage)


def _best_of_all(evaluate: Evaluate, clients: int, kind: RingKind) -> RingOrder:
    """Try every order; the clients' own one unless another is better."""
    # Turning the ring changes nothing for a cyclic code.
    first = () if kind == "blocks" else (0,)
    orders = np.array([first + rest for rest in permutations(range(len(first), clients))])
    logs = evaluate(orders)
    best = int(np.argmin(logs))
    if not logs[best] < logs[0] - _GAIN:
        best = 0
    return RingOrder(tuple(orders[best].tolist()), float(logs[best]))


def _descend(evaluate: Evaluate, start: Order) -> RingOrder:
    """Go to the best neighbour until none is better."""
    order, value = np.array(start), float(evaluate(np.array([start]))[0])
    for _ in range(_MOST_STEPS):
        neighbours = _neighbours(order)
        logs = evaluate(neighbours)
        best = int(np.argmin(logs))
        if not logs[best] < value - _GAIN:
            break
        order, value = neighbours[best], float(logs[best])
    return RingOrder(tuple(order.tolist()), value)


def _neighbours(order: np.ndarray) -> np.ndarray:
    """All exchanges of two clients, and all moves of one client: int [points, clients]."""
    clients = len(order)
    found = []
    for i in range(clients):
        for j in range(clients):
            if i < j:
                swapped = order.copy()
                swapped[[i, j]] = swapped[[j, i]]
                found.append(swapped)
            if abs(i - j) > 1:
                found.append(np.insert(np.delete(order, i), j, order[i]))
    return np.array(found)


def distinct_orders(
    network: Network, stragglers: int, kind: RingKind, most: int
) -> list[Order] | None:
    """Orders that stand for all placements, each for equally many.

    Turning the ring changes nothing for a cyclic code, nor the order within and of the blocks of
    fractional repetition; s = 0, s = M - 1 and links that are all alike know no order.

    Args:
      network: the network, in the clients' own order.
      stragglers: s.
      kind: as of `names.ring_kind`.
      most: number of orders.

    Returns:
      The orders; None if there are more than `most`.

    >>> network = Network([0.1, 0.2, 0.1, 0.1], np.zeros((4, 4)))
    >>> distinct_orders(network, 1, "blocks", most=10)
    [(0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2)]
    """
    clients = network.num_clients
    if stragglers in (0, clients - 1) or network.links_alike:
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


def random_orders(clients: int, count: int, seed: int = 0) -> list[Order]:
    """Independent random orders, all equally likely."""
    generator = np.random.default_rng(seed)
    return [tuple(generator.permutation(clients).tolist()) for _ in range(count)]
