"""What a network is like, in a few numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats, HostInts
from jaxcogc.links.network import Network

__all__ = ["LinkSpread", "NetworkDescription", "describe_network"]

_EDGES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)


class LinkSpread(NamedTuple):
    """Erasure probabilities of some links; 0 where there are none."""

    lowest: float
    median: float
    mean: float
    highest: float


class NetworkDescription(NamedTuple):
    """A network in a few numbers; indices are those of its clients.

    Attributes:
      uplink, peer: the spread of erasure probabilities, of uplinks and between clients.
      edges: between the bins of the histograms; a bin holds its lower edge, and the last one is
        for links that never deliver.
      uplink_counts, peer_counts: int64 [bins].
      asymmetry, largest_asymmetry: mean and largest difference of the two directions of a pair.
      silent: clients that the server never hears.
      unheard: clients that no other client hears.
      deaf: clients that hear nobody.
    """

    uplink: LinkSpread
    peer: LinkSpread
    edges: tuple[float, ...]
    uplink_counts: HostInts
    peer_counts: HostInts
    asymmetry: float
    largest_asymmetry: float
    silent: tuple[int, ...]
    unheard: tuple[int, ...]
    deaf: tuple[int, ...]

    @property
    def labels(self) -> list[str]:
        """The bins in words."""
        inner = [f"{low:g} to {high:g}" for low, high in pairwise(self.edges)]
        return [*inner, "1 (never delivers)"]


def describe_network(network: Network) -> NetworkDescription:
    """What a network is like.

    Args:
      network: its values are on the host.

    >>> found = describe_network(Network([0.1, 1.0], [[0.0, 0.3], [0.4, 0.0]]))
    >>> found.silent, round(found.asymmetry, 3), found.uplink.mean
    ((1,), 0.1, 0.55)
    """
    uplink, peer = np.asarray(network.uplink_erasure), np.asarray(network.peer_erasure)
    clients = network.num_clients
    others = ~np.eye(clients, dtype=bool)
    gaps = np.abs(peer - peer.T)[np.triu_indices(clients, 1)]
    alone = clients > 1
    return NetworkDescription(
        _spread(uplink),
        _spread(peer[others]),
        _EDGES,
        _histogram(uplink),
        _histogram(peer[others]),
        float(gaps.mean()) if gaps.size else 0.0,
        float(gaps.max(initial=0.0)),
        _where(uplink == 1.0),
        _where(np.where(others, peer, 1.0).min(axis=0) == 1.0) if alone else (),
        _where(np.where(others, peer, 1.0).min(axis=1) == 1.0) if alone else (),
    )


def _spread(erasure: HostFloats) -> LinkSpread:
    if not erasure.size:
        return LinkSpread(0.0, 0.0, 0.0, 0.0)
    middle = float(np.median(erasure))
    return LinkSpread(float(erasure.min()), middle, float(erasure.mean()), float(erasure.max()))


def _histogram(erasure: HostFloats) -> HostInts:
    bins = np.searchsorted(_EDGES, erasure, side="right") - 1
    return np.bincount(bins, minlength=len(_EDGES)).astype(np.int64)


def _where(clients: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(clients).tolist())
