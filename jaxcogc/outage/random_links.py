"""The links whose state is open and matters: what enumeration and rare-event estimation vary."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.network import Network

__all__ = ["DELIVERED", "ERASED", "LinkTable", "RandomLink", "link_table", "random_links"]

DELIVERED, ERASED = -1, -2


class RandomLink(NamedTuple):
    """A link whose state is open.

    Attributes:
      erasure: its probability.
      places: (attempt, receiver, sender) wherever its state counts; two for a reciprocal pair.
        Receiver = sender stands for the receiver's uplink.
    """

    erasure: float
    places: list[tuple[int, int, int]]


def random_links(
    network: Network,
    code: GradientCode,
    attempts: int,
    *,
    blocked: np.ndarray | None = None,
) -> tuple[list[RandomLink], np.ndarray]:
    """The random links, uplinks first, and where they are.

    Links outside the code's support and links to a client whose uplink never delivers are left out:
    nobody looks at them.

    Args:
      network: erasure probabilities.
      code: the code of every attempt, or one redrawn for ``attempts`` attempts.
      attempts: attempts.
      blocked: bool [clients], whose links are all erased; None: nobody's.

    Returns:
      The links, and int32 [attempts, clients, clients]: the number of the link from a client
      (last axis) to a client, or DELIVERED or ERASED where that is certain or does not matter;
      uplinks on the diagonal.
    """
    clients = network.num_clients
    own = np.eye(clients, dtype=bool)
    erasure = np.where(own, network.uplink_erasure[:, None], network.peer_erasure)
    if blocked is not None:
        erasure = np.where(blocked[:, None] | blocked, 1.0, erasure)
    support = np.broadcast_to(np.asarray(code.field_matrix) != 0, (attempts, clients, clients))
    needed = own | (support & (np.diagonal(erasure) < 1.0)[:, None])
    random = needed & (erasure > 0.0) & (erasure < 1.0)
    where = np.where(needed & (erasure == 1.0), ERASED, DELIVERED).astype(np.int32)
    links: list[RandomLink] = []
    for is_uplink in (True, False):
        for a, m, k in np.argwhere(random & (own == is_uplink)).tolist():
            places = [(a, m, k)]
            if network.reciprocal and m != k and random[a, k, m]:
                if m > k:
                    continue  # numbered with its other direction
                places.append((a, k, m))
            for place in places:
                where[place] = len(links)
            links.append(RandomLink(float(erasure[m, k]), places))
    return links, where


class LinkTable(NamedTuple):
    """The random links as arrays of one size for every code of (clients, attempts).

    Attributes:
      erasure: float64 [links], of the random links alone.
      where: int32 [attempts, clients, clients], as `random_links` returns it.
      gates: int32 [attempts * clients**2, 2], padded. A link is looked at when the server hears
        one of the rows ``attempt * clients + receiver`` named here; row ``attempts * clients``
        always counts as heard, the one after it never.
    """

    erasure: HostFloats
    where: np.ndarray
    gates: np.ndarray


def link_table(network: Network, code: GradientCode, attempts: int) -> LinkTable:
    """The random links of a network under a code, as arrays.

    Args:
      network: erasure probabilities.
      code: the code of every attempt, or one redrawn for ``attempts`` attempts.
      attempts: attempts.

    Returns:
      LinkTable.
    """
    clients = network.num_clients
    links, where = random_links(network, code, attempts)
    always, never = attempts * clients, attempts * clients + 1
    gates = np.full((attempts * clients**2, 2), never, np.int32)
    for number, link in enumerate(links):
        for side, (attempt, receiver, sender) in enumerate(link.places):
            gates[number, side] = always if receiver == sender else attempt * clients + receiver
    return LinkTable(np.array([link.erasure for link in links], np.float64), where, gates)
