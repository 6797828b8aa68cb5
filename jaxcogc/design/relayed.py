"""Collaborative relaying as a candidate: what it costs, and what its bound asks for."""

from __future__ import annotations

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.design.candidates import Candidate
from jaxcogc.design.code_outage import Setting
from jaxcogc.design.rounds import Accuracy, rounds_without_bias
from jaxcogc.federated.aggregation.relaying import colrel_variance, colrel_weights
from jaxcogc.outage.intervals import Estimate
from jaxcogc.runtime.random_words import host_generator

__all__ = ["relayed_candidates"]

_ROUNDS_DRAWN = 2000
"""For how many updates the server could read."""
_SAME = 1e-8


def relayed_candidates(
    setting: Setting, max_attempts: int, broadcast: bool, accuracy: Accuracy
) -> list[Candidate]:
    """Relaying with the unbiased weights of least variance, averaged over attempts.

    Every client shares its update with those whose weight for it is above 0. It has the exact
    average only where it has no variance, so that its outage is 0 or 1; its price is in the rounds.

    Args:
      setting: the links; of links that remember, and of blocked clients, no weights are known.
      max_attempts: attempts 1 .. max_attempts.
      broadcast: one use serves all who pass an update on.
      accuracy: what `rounds` is about.

    Returns:
      None of them where some client has no relay that ever reaches the server.
    """
    clients = setting.network.num_clients
    if setting.dynamics is not None:
        return []
    try:
        weights = colrel_weights(setting.network)
    except ValueError:  # whose reason is that no weights are unbiased
        return []
    variance = colrel_variance(setting.network, weights)
    passed_on = (np.asarray(weights) > 0) & ~np.eye(clients, dtype=bool)
    found = []
    for attempts in range(1, max_attempts + 1):
        between = float(attempts * (passed_on.any(axis=0).sum() if broadcast else passed_on.sum()))
        uplinks = float(attempts * clients)
        rho = variance.largest_eigenvalue / clients / attempts
        seconds = setting.seconds
        found.append(
            Candidate(
                code=None,
                stragglers=0,
                attempts=attempts,
                redraw_code=False,
                scheme="colrel",
                order=None,
                outage=Estimate.exact(float(variance.trace > 0)),
                peer_uses=between,
                uplink_uses=uplinks,
                rounds=rounds_without_bias(rho, clients, accuracy),
                revealed=_revealed(setting, np.asarray(weights), attempts),
                trials=None,
                seconds=None if seconds is None else seconds.of_round(attempts, between, uplinks),
            )
        )
    return found


def _revealed(setting: Setting, weights: HostFloats, attempts: int) -> float:
    """Mean number of clients whose own update the sums tell, over rounds drawn in NumPy."""
    network, clients = setting.network, setting.network.num_clients
    generator = np.random.Generator(host_generator(setting.trial_key))
    shape = (_ROUNDS_DRAWN, attempts, clients)
    heard = generator.random((*shape, clients)) >= network.peer_erasure
    if network.reciprocal:
        upper = np.triu(heard, 1)
        heard = upper | np.swapaxes(upper, -1, -2)
    heard |= np.eye(clients, dtype=bool)
    arrived = generator.random(shape) >= network.uplink_erasure
    sums = (weights * heard * arrived[..., None]).reshape(_ROUNDS_DRAWN, -1, clients)
    sizes = np.linalg.norm(sums, axis=2, keepdims=True)
    _, values, right = np.linalg.svd(sums / np.where(sizes > 0, sizes, 1), full_matrices=False)
    basis = right * (values > _SAME * values[:, :1])[:, :, None]
    return float((np.sum(basis**2, axis=1) > 1 - _SAME).sum(axis=1).mean())
