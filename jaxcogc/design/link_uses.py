"""Expected uses of links: what a way to run a round costs."""

from __future__ import annotations

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.design.code_outage import Setting
from jaxcogc.design.configurations import CodeConfig
from jaxcogc.design.ring_order import RANDOM, distinct_orders, random_orders
from jaxcogc.links.memory import blocked_clients
from jaxcogc.names import CUSTOM, ring_kind
from jaxcogc.outage.laws.rows_in_time import silence

__all__ = ["never_heard", "peer_uses"]

_MOST_ORDERS = 256


def never_heard(setting: Setting, longest: int) -> HostFloats:
    """Probability that a client's uplink delivers in none of 0, 1, .., longest attempts.

    Returns:
      float64 [longest + 1, clients]; a blocked client's attempts all fail.
    """
    uplinks = np.asarray(setting.network.uplink_erasure)
    if setting.dynamics is None:
        unheard: HostFloats = uplinks ** np.arange(longest + 1)[:, None]
        return unheard
    silent = silence(setting.network, setting.dynamics, longest)
    unheard = np.diagonal(silent, axis1=1, axis2=2).copy()
    unheard[1:] += (1.0 - unheard[1:]) * blocked_clients(setting.network, setting.dynamics)
    return unheard


def peer_uses(setting: Setting, config: CodeConfig, broadcast: bool) -> float:
    """Expected uses of the links between clients in a round.

    Clients that forget send everything in every attempt. Clients that keep are sent what they have
    not heard yet: a broadcast is repeated while anybody who needs it has not. Where orders of the
    clients differ and are drawn anew, it is a mean over them, over 256 random ones if there are
    more.

    Source: docs/mathematics/outage.md, "Links with memory, blocked clients".
    """
    clients, s = setting.network.num_clients, config.stragglers
    support = np.asarray(setting.code(config).field_matrix[0]) != 0
    np.fill_diagonal(support, False)
    if not config.keep_heard or config.attempts == 1:
        return float(config.attempts * (support.any(axis=0) if broadcast else support).sum())
    heard = _heard(setting, config.attempts - 1)
    orders = [config.order]
    if config.order == RANDOM:
        kind = ring_kind(config.family, s)
        every = distinct_orders(setting.mean_network, s, kind, _MOST_ORDERS)
        every = None if config.family == CUSTOM else every
        orders = [*(every or random_orders(clients, _MOST_ORDERS))]
    return float(np.mean([_sends(heard, support, np.array(o), broadcast) for o in orders]))


def _heard(setting: Setting, longest: int) -> HostFloats:
    """Probability that a link delivered within 0, 1, .., longest attempts: [times, M, M]."""
    heard = 1.0 - silence(setting.network, setting.dynamics, longest)
    if setting.dynamics is not None:
        free = 1.0 - np.asarray(blocked_clients(setting.network, setting.dynamics))
        heard = heard * free[:, None] * free
    return heard


def _sends(heard: HostFloats, support: np.ndarray, order: np.ndarray, broadcast: bool) -> float:
    """Uses with the clients in an order."""
    placed = heard[:, order][:, :, order]
    if not broadcast:
        return float((1.0 - placed)[:, support].sum())
    everybody = np.where(support, placed, 1.0).prod(axis=1)
    return float((1.0 - everybody)[:, support.any(axis=0)].sum())
