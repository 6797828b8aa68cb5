"""What is known of a code's outages without a trial: all patterns of links, closed form, bounds."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from jaxcogc._types import HostFloats
from jaxcogc.coding.codes import make_code
from jaxcogc.design.code_outage import (
    CodeOutage,
    DecoderOutage,
    Setting,
    by_decoder,
    mean_revealed,
)
from jaxcogc.design.configurations import CodeConfig
from jaxcogc.design.ring_order import (
    RANDOM,
    Order,
    distinct_orders,
    log_outages_of_orders,
    random_orders,
)
from jaxcogc.links.network import Network
from jaxcogc.names import CUSTOM, DECODERS, RingKind, ring_kind
from jaxcogc.outage.enumeration import (
    MAX_RANDOM_LINKS,
    enumerate_outcomes,
    enumerate_partial_sizes,
    num_random_links,
)
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.laws.closed_form import closed_form
from jaxcogc.outage.rare.weighted_sums import ENOUGH

__all__ = [
    "enumerated",
    "lowest_outage",
    "mean_gc_outage",
    "orders_to_enumerate",
    "within_what_is_known",
]

_MOST_PATTERNS = 2**MAX_RANDOM_LINKS
_MOST_PLACEMENTS = 720
"""Orders that are enumerated; of the closed form there may be many more, then random ones."""
_MOST_ORDERS = 40_320
_RANDOM_ORDERS = 8192


def orders_to_enumerate(setting: Setting, config: CodeConfig) -> list[Order] | None:
    """Orders over which enumeration gives the outages; None where that would take long."""
    kind = ring_kind(config.family, config.stragglers)
    if config.order == RANDOM and config.family == CUSTOM:  # turning it makes another code
        orders = [setting.own_order] if setting.clients_alike else None
    elif config.order == RANDOM:
        orders = distinct_orders(setting.mean_network, config.stragglers, kind, _MOST_PLACEMENTS)
    else:
        orders = [config.order]
    code, patterns = setting.code(config), 0
    for order in orders or []:
        placed = config._replace(order=order)
        patterns += 2 ** num_random_links(
            setting.placed(placed),
            code,
            num_attempts=config.attempts,
            dynamics=setting.link_use(placed)["dynamics"],
        )
        if patterns > _MOST_PATTERNS:
            return None
    return orders


def enumerated(setting: Setting, config: CodeConfig) -> CodeOutage | None:
    """From all patterns of links, the mean over all placements; None where that would take long."""
    orders = orders_to_enumerate(setting, config)
    if orders is None:
        return None
    code, each = setting.code(config), []
    for order in orders:
        placed = config._replace(order=order)
        outcomes = enumerate_outcomes(setting.placed(placed), code, **setting.link_use(placed))
        each.append([*map(float, outcomes.outages().values()), mean_revealed(outcomes)])
    *means, revealed = np.mean(each, axis=0).tolist()
    exact = dict(zip(DECODERS, map(Estimate.exact, means), strict=True))
    sizes = None
    if setting.averages_fairly(config):
        sizes = enumerate_partial_sizes(setting.network, code, **setting.link_use(config))
    return CodeOutage(config, by_decoder(exact, partial_sizes=sizes), revealed, None)


def within_what_is_known(setting: Setting, found: CodeOutage) -> CodeOutage:
    """The closed form in place of its estimate, and the other decoders within their bounds.

    No decoder fails more often than the standard one, and none less often than somebody's update is
    lost altogether. A flagged estimate keeps these bounds alone for an interval.
    """
    law = _standard_law(setting, found.config)
    decoders = found.decoders if law is None else {**found.decoders, "gc": law}
    gc = decoders["gc"].outage
    high = gc.best if gc.method == "exact" else 1.0
    low = min(lowest_outage(setting, found.config), high)
    return found._replace(decoders={d: _within(e, low, high) for d, e in decoders.items()})


def _within(found: DecoderOutage, low: float, high: float) -> DecoderOutage:
    value = found.outage
    ends = [min(max(number, low), high) for number in (value.low, value.best, value.high)]
    if found.flagged:
        ends = [low, ends[1], high]
    return found._replace(outage=Estimate(*ends, method=value.method, level=value.level))


def lowest_outage(setting: Setting, config: CodeConfig) -> float:
    """An outage that no decoder falls below: somebody's update reaches the server in no row."""
    if config.order == RANDOM and not setting.clients_alike:
        return 0.0
    place = setting.placed(config)
    support = np.asarray(setting.code(config).field_matrix) != 0
    uplink, peer = place.uplink_erasure[:, None], place.peer_erasure
    if config.keep_heard:  # a part that comes at all needs one delivery of either link
        uplink, peer = uplink**config.attempts, peer**config.attempts
        support = support[:1]
    # Links that remember lose a part for good more often than independent ones.
    lost = np.where(support, uplink + peer - uplink * peer, 1.0)
    return float(lost.prod(axis=(0, 1)).max())


def _standard_law(setting: Setting, config: CodeConfig) -> DecoderOutage | None:
    """The closed form of standard decoding, where one is known."""
    if config.family == CUSTOM:
        return None
    network, clients = setting.network, setting.network.num_clients
    laws = closed_form(
        setting.placed(config),
        make_code(config.family, clients, config.stragglers, key=setting.code_key, num_draws=1),
        redraw_code=config.redraw_code,
        **setting.link_use(config),
    )
    law = None if laws.gc_outage is None else float(laws.gc_outage)
    if law is None or config.order != RANDOM or setting.clients_alike:
        return None if law is None else DecoderOutage(Estimate.exact(law))
    if setting.dynamics is not None or config.keep_heard:
        return None  # a mean over placements is known for independent links alone
    power = config.attempts if config.redraw_code else 1
    return mean_gc_outage(
        network,
        config.stragglers,
        config.attempts // power,
        kind=ring_kind(config.family, config.stragglers),
        power=power,
        level=setting.level,
    )


def mean_gc_outage(
    network: Network,
    stragglers: int,
    attempts: int,
    *,
    kind: RingKind,
    power: int = 1,
    level: float = 0.95,
) -> DecoderOutage:
    """Outage of standard decoding where clients are placed at random: a mean of the closed form.

    Args:
      network: independent links.
      stragglers: s.
      attempts: attempts with one code.
      kind: as of `names.ring_kind`.
      power: of each placement's outage before the mean: attempts that fail on their own.
      level: confidence level, where there are too many placements for all of them.

    Returns:
      DecoderOutage: exact over all placements, or with a normal interval over random ones, and
      flagged where few of these make up nearly all of it.
    """
    orders = distinct_orders(network, stragglers, kind, _MOST_ORDERS)
    chosen = orders or random_orders(network.num_clients, _RANDOM_ORDERS)
    logs = log_outages_of_orders(network, np.array(chosen), stragglers, attempts, kind=kind)
    outages: HostFloats = np.exp(power * logs)
    mean = float(min(outages.mean(), 1.0))
    if orders is not None:
        return DecoderOutage(Estimate.exact(mean))
    error = float(outages.std(ddof=1)) / math.sqrt(len(outages))
    half = -float(special.ndtri((1.0 - level) / 2.0)) * error
    squares = float((outages**2).sum())
    effective = float(outages.sum()) ** 2 / squares if squares else math.inf
    low, high = max(0.0, mean - half), min(1.0, mean + half)
    estimate = Estimate(low, mean, high, method="placements", level=level)
    return DecoderOutage(estimate, flagged=effective < ENOUGH)
