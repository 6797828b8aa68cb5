"""Outages of a code from all patterns of its links, where those are few."""

from __future__ import annotations

import numpy as np

from jaxcogc.design.code_outage import CodeOutage, Setting, by_decoder, mean_revealed, outages
from jaxcogc.design.configurations import CodeConfig
from jaxcogc.design.ring_order import RANDOM, Order, distinct_orders, reorder
from jaxcogc.names import DECODERS, ring_kind
from jaxcogc.outage.enumeration import (
    MAX_RANDOM_LINKS,
    enumerate_outcomes,
    enumerate_partial_sizes,
)
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.random_links import random_links

__all__ = ["enumerated", "orders_to_enumerate"]

_MOST_PLACEMENTS = 720
_MOST_PATTERNS = 2**MAX_RANDOM_LINKS


def orders_to_enumerate(setting: Setting, config: CodeConfig) -> list[Order] | None:
    """Orders over which enumeration gives the outages; None where that would take long."""
    network, orders = setting.network, None
    if config.order == RANDOM:
        kind = ring_kind(config.family)
        orders = distinct_orders(network, config.stragglers, kind, _MOST_PLACEMENTS)
    else:
        orders = [config.order]
    code, patterns = setting.code(config), 0
    for order in orders or []:
        links, _ = random_links(reorder(network, order), code, config.attempts)
        patterns += 2 ** len(links)
        if patterns > _MOST_PATTERNS:
            return None
    return orders


def enumerated(setting: Setting, config: CodeConfig, orders: list[Order]) -> CodeOutage:
    """Means over orders that are equally likely, each exact."""
    code, each = setting.code(config), []
    for order in orders:
        place = reorder(setting.network, order)
        outcomes = enumerate_outcomes(place, code, num_attempts=config.attempts)
        each.append([*map(float, outages(outcomes).values()), mean_revealed(outcomes)])
    *means, revealed = np.mean(each, axis=0).tolist()
    exact = dict(zip(DECODERS, map(Estimate.exact, means), strict=True))
    sizes = None
    if setting.averages_fairly(config):
        sizes = enumerate_partial_sizes(setting.network, code, num_attempts=config.attempts)
    return CodeOutage(config, by_decoder(exact, partial_sizes=sizes), revealed, None)
