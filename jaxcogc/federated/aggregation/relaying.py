"""Collaborative relaying: how clients weigh what they pass on, so that sums are unbiased.

Relay i sends sum_j T_ij alpha_ij Delta_j, its own update included, and the server adds 1/M times
what it hears: client j's coefficient is c_j / M, c_j = sum_i tau_i T_ij alpha_ij. All here is done
on the host in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from jaxcogc._types import Array, HostFloats, Numbers
from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.checks import (
    check_choice,
    check_count,
    check_elements,
    number_array,
    read_only,
)
from jaxcogc.links.network import Network
from jaxcogc.names import CUSTOM, RELAY_OBJECTIVES

_MOST_SWEEPS = 20_000
_SETTLED = 1e-13
"""Change of the weights in one sweep, of the largest weight, below which sweeps stop."""
_FIELD_BITS = 30
"""Weights as field elements are whole numbers up to 2 to this power."""
_NEVER_LOST = np.finfo(np.float64).tiny
"""A loss below this has no finite odds: the relay counts as one that never fails."""


class RelayVariance(NamedTuple):
    """What weights of relays come to, over rounds in which nobody is heard too.

    Attributes:
      trace: sum_j Var(c_j); M^2 times the mean squared error where updates are orthogonal.
      total: sum of all entries of Cov(c); the same where updates are alike. At least the trace.
      largest_eigenvalue: of Cov(c).
      mean: float64 [clients], E[c_j]; 1 where the weights are unbiased.
      kkt_residual: how far the weights are from those of least total, in units of its gradient; 0
        at the optimum.
    """

    trace: float
    total: float
    largest_eigenvalue: float
    mean: Float64[np.ndarray, "clients"]
    kkt_residual: float


class RelayLinks(NamedTuple):
    """The probabilities that relaying depends on, [clients, clients] unless said otherwise.

    Attributes:
      heard: float64, q_ij, relay i hears client j; 1 on the diagonal.
      uplink: float64 [clients, 1], q_i.
      delivered: float64, x_ij = q_i q_ij.
      lost: float64, 1 - x_ij, to full relative precision.
      shared: float64, q_j q_l q_jl (1 - q_jl), what both directions of a reciprocal link add to
        Cov(c_j, c_l); 0 where links are directed.
    """

    heard: HostFloats
    uplink: HostFloats
    delivered: HostFloats
    lost: HostFloats
    shared: HostFloats

    @classmethod
    def of(cls, network: Network) -> RelayLinks:
        """Those of a network on the host."""
        if isinstance(network.uplink_erasure, Array):
            raise ValueError("network is traced: the weights of relays need one on the host")
        lost = np.asarray(network.uplink_erasure)[:, None]
        peer_lost = np.asarray(network.peer_erasure)
        heard, uplink = 1 - peer_lost, 1 - lost
        shared = (
            uplink * uplink.T * heard * peer_lost if network.reciprocal else np.zeros(heard.shape)
        )
        return cls(heard, uplink, uplink * heard, lost + uplink * peer_lost, shared)


def relay_support(num_clients: int, window: int | None) -> Bool[np.ndarray, "clients clients"]:
    """Which weights may differ from 0.

    Args:
      num_clients: M.
      window: relay i may pass on client j where (j - i) mod M <= window, the messages of a cyclic
        code with so many stragglers; None: all pairs.

    Raises:
      ValueError: a window that is not in 0..M - 1.

    >>> relay_support(3, 1).astype(int).tolist()
    [[1, 1, 0], [0, 1, 1], [1, 0, 1]]
    """
    reach = num_clients - 1
    if window is not None:
        reach = check_count("window", window, low=0, high=num_clients - 1)
    relay, client = np.indices((num_clients, num_clients))
    found: np.ndarray = (client - relay) % num_clients <= reach
    return found


def colrel_weights(
    network: Network, *, objective: str = "total", window: int | None = None
) -> Float64[np.ndarray, "clients clients"]:
    """Weights of relays that are unbiased, sum_i q_i q_ij alpha_ij = 1, with the least variance.

    Args:
      network: on the host.
      objective: "total", the sum of all entries of Cov(c), or "trace", that of its diagonal.
      window: relay i may pass on client j where (j - i) mod M <= window; None: all pairs.

    Returns:
      float64 [clients, clients], alpha, [i, j] the weight that relay i gives to client j's update;
      0 or more. Where a relay never fails, all of the column is its.

    Raises:
      ValueError: no allowed relay of some client ever reaches the server; the line names it.

    Source: docs/mathematics/schemes.md, "Collaborative relaying".

    >>> network = Network([0.5, 0.0], [[0.0, 0.2], [1.0, 0.0]])
    >>> colrel_weights(network)
    array([[2., 0.],
           [0., 1.]])
    """
    check_choice("objective", objective, RELAY_OBJECTIVES)
    links = RelayLinks.of(network)
    allowed = relay_support(network.num_clients, window) & (links.delivered > 0)
    for unheard in np.flatnonzero(~allowed.any(axis=0)):
        raise ValueError(
            f"client {unheard} has no relay that ever reaches the server: allowed are networks in "
            "which each client has one, itself or a client that hears it"
        )
    weights = np.zeros(allowed.shape)
    open_columns = []
    for client in range(network.num_clients):
        column = allowed[:, client]
        perfect = column & (links.lost[:, client] <= _NEVER_LOST)
        if perfect.any():
            weights[client if perfect[client] else int(np.argmax(perfect)), client] = 1.0
            continue
        lost = links.lost[column, client]
        weights[column, client] = 1 / (lost * np.sum(links.delivered[column, client] / lost))
        open_columns.append(client)
    if objective == "total":
        for _ in range(_MOST_SWEEPS):
            if _sweep(weights, links, allowed, open_columns) <= _SETTLED * weights.max():
                break
    return weights


def _sweep(
    weights: HostFloats, links: RelayLinks, allowed: np.ndarray, columns: list[int]
) -> float:
    """Each column in turn becomes the best one given the others; the largest change of a weight."""
    change = 0.0
    sent = np.sum(links.heard * weights, axis=1)
    for j in columns:
        relays = allowed[:, j]
        before = weights[relays, j]
        sent -= links.heard[:, j] * weights[:, j]
        weights[:, j] = 0
        price = _slope(weights, links, sent, j)[relays]
        odds = (links.delivered[:, j] / links.lost[:, j])[relays]
        order = np.argsort(price, kind="stable")
        sorted_price, sorted_odds = price[order], odds[order]
        levels = (1 + np.cumsum(sorted_odds * sorted_price)) / np.cumsum(sorted_odds)
        level = levels[np.flatnonzero(levels > sorted_price)[-1]]
        best = np.maximum(0, level - price) / links.lost[relays, j]
        change = max(change, float(np.abs(best - before).max()))
        weights[relays, j] = best
        sent += links.heard[:, j] * weights[:, j]
    return change


def _slope(weights: HostFloats, links: RelayLinks, sent: HostFloats, j: int) -> HostFloats:
    """Half of the total's derivative by alpha_ij, over x_ij, for every relay i.

    ``sent`` [clients] is sum_l q_il alpha_il, what a relay sends in the mean.
    """
    slope = (1 - links.uplink[:, 0]) * sent + (1 - links.heard[:, j]) * weights[:, j]
    if links.shared.any():
        slope += weights[j] * links.uplink[j, 0] * (1 - links.heard[:, j])
    result: HostFloats = slope
    return result


def relay_covariance(links: RelayLinks, weights: HostFloats) -> HostFloats:
    """Cov(c), float64 [clients, clients], of one attempt."""
    heard = links.heard * weights
    covariance: HostFloats = heard.T @ (links.uplink * (1 - links.uplink) * heard)
    covariance += links.shared * weights * weights.T
    np.fill_diagonal(covariance, np.sum(weights**2 * links.delivered * links.lost, axis=0))
    return covariance


def colrel_variance(
    network: Network, weights: Numbers, *, window: int | None = None
) -> RelayVariance:
    """The variance of relaying with any weights, and how far they are from the best.

    Args:
      network: on the host; another one than the weights were made for shows what wrong
        probabilities cost, in the mean too.
      weights: [clients, clients], alpha, numbers of at least 0.
      window: the pairs that the residual compares with; None: the smallest window that holds all
        weights which are not 0.

    Returns:
      RelayVariance of one attempt; the mean of A attempts has 1/A of the variance.

    Raises:
      ValueError: weights of another shape, negative or not finite; a weight outside the window.

    Source: docs/mathematics/schemes.md, "Collaborative relaying".

    >>> network = Network([0.5, 0.2], [[0.0, 1.0], [1.0, 0.0]])
    >>> colrel_variance(network, [[2.0, 0.0], [0.0, 1.25]]).trace
    1.25
    """
    links = RelayLinks.of(network)
    alpha = _checked_weights(weights, network.num_clients)
    if window is None:
        relay, client = np.nonzero(alpha)
        window = int(np.max((client - relay) % len(alpha), initial=0))
    support = relay_support(len(alpha), window)
    check_elements("weights", alpha, support | (alpha == 0), f"0 outside the window {window}")
    covariance = relay_covariance(links, alpha)
    return RelayVariance(
        trace=float(np.trace(covariance)),
        total=float(covariance.sum()),
        largest_eigenvalue=max(0.0, float(np.linalg.eigvalsh(covariance)[-1])),
        mean=np.sum(links.delivered * alpha, axis=0),
        kkt_residual=_kkt_residual(links, alpha, support & (links.delivered > 0)),
    )


def relay_code(weights: Numbers, num_clients: int) -> GradientCode:
    """Weights of relays as the code that the server receives sums of.

    Over the field they are taken to nine digits: what differs by less than the error of their
    optimum counts as alike, and tells nobody apart.

    Raises:
      ValueError: another shape, weights that are negative or not finite.
    """
    alpha = _checked_weights(weights, num_clients)
    whole = np.rint(alpha * (2.0**_FIELD_BITS / max(float(alpha.max()), _NEVER_LOST)))
    return GradientCode(
        read_only(alpha, np.float64), read_only(whole, np.uint32), np.int32(0), CUSTOM
    )


def _checked_weights(weights: Numbers, num_clients: int) -> HostFloats:
    alpha = number_array("weights", weights, num_axes=2)
    if alpha.shape != (num_clients, num_clients):
        allowed = (num_clients, num_clients)
        raise ValueError(f"weights has shape {alpha.shape}: allowed is {allowed}")
    allowed_here = np.isfinite(alpha) & (alpha >= 0)
    check_elements("weights", alpha, allowed_here, "a finite number of at least 0")
    return alpha


def _kkt_residual(links: RelayLinks, weights: HostFloats, allowed: np.ndarray) -> float:
    """Slopes of a column's weights should be one number, and no smaller where a weight is 0."""
    residual = 0.0
    sent = np.sum(links.heard * weights, axis=1)
    for j in range(len(weights)):
        share = np.where(allowed[:, j], links.delivered[:, j] * weights[:, j], 0.0)
        if not share.any():
            continue
        slope = _slope(weights, links, sent, j)
        excess = slope - slope @ share / share.sum()
        used = share > 0
        unused = allowed[:, j] & ~used
        residual = max(residual, float(np.abs(excess[used]).max()))
        residual = max(residual, float(np.max(-excess[unused], initial=0.0)))
    return residual
