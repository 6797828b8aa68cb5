"""Implicit gossip: every client has a model of its own, and those that are heard share theirs.

Clients whose uplink works are averaged by the server and get the average back, the others go on:
X <- W (X + Delta), with W_kl = 1/|S| on those heard and the identity elsewhere.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from jaxcogc._types import Array
from jaxcogc.links.network import Network


def mean_mixing_matrix(network: Network) -> Float64[np.ndarray, "clients clients"]:
    """E[W] of implicit gossip: how much of client l's model goes into that of client k in a round.

    Every W is a projection, so E[W] = E[W^T W]: the models' squared distance from their mean
    shrinks by the second eigenvalue of E[W] a round, or faster.

    Args:
      network: on the host; only its uplinks count.

    Returns:
      float64 [clients, clients], symmetric; rows and columns sum to 1.

    Raises:
      ValueError: the network is traced.

    Source: docs/mathematics/schemes.md, "Implicit gossip".

    >>> mean_mixing_matrix(Network([0.0, 0.5], [[0.0, 0.0], [0.0, 0.0]])).round(12)
    array([[0.75, 0.25],
           [0.25, 0.75]])
    """
    if isinstance(network.uplink_erasure, Array):
        raise ValueError("network is traced: the mean matrix needs one on the host")
    lost = np.asarray(network.uplink_erasure)
    clients = len(lost)
    # E[1 / (n + 2)] of the n others heard = integral of z prod (p_m + (1 - p_m) z) over [0, 1]: a
    # polynomial, which Gauss's rule integrates exactly and without differences.
    nodes, shares = np.polynomial.legendre.leggauss(clients // 2 + 1)
    nodes, shares = (nodes + 1) / 2, shares / 2
    factors = lost + (1 - lost) * nodes[:, None]
    ratios = (1 - lost) / factors
    mixed = ratios.T @ ((shares * nodes * np.prod(factors, axis=1))[:, None] * ratios)
    mixed = (mixed + mixed.T) / 2
    np.fill_diagonal(mixed, 0.0)
    np.fill_diagonal(mixed, 1 - mixed.sum(axis=1))
    found: np.ndarray = mixed
    return found
