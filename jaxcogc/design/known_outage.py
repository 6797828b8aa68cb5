"""What is known of a code's outages without a trial: the closed form, and bounds."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from jaxcogc._types import HostFloats
from jaxcogc.design.code_outage import CodeOutage, DecoderOutage, Setting
from jaxcogc.design.configurations import CodeConfig, named_code
from jaxcogc.design.ring_order import (
    RANDOM,
    alike,
    distinct_orders,
    log_outages_of_orders,
    random_orders,
)
from jaxcogc.links.network import Network
from jaxcogc.names import RingKind, ring_kind
from jaxcogc.outage.closed_form import closed_form_gc_outage
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.rare.weighted_sums import ENOUGH

__all__ = ["lowest_outage", "mean_gc_outage", "within_what_is_known"]

_MOST_ORDERS = 40_320
_SAMPLED_ORDERS = 8192


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
    if config.order == RANDOM and not alike(setting.network):
        return 0.0
    place = setting.placed(config)
    support = np.asarray(setting.code(config).field_matrix) != 0
    uplink, peer = place.uplink_erasure[:, None], place.peer_erasure
    lost = np.where(support, uplink + peer - uplink * peer, 1.0)
    return float(lost.prod(axis=(0, 1)).max())


def _standard_law(setting: Setting, config: CodeConfig) -> DecoderOutage | None:
    """The closed form of standard decoding, where one is known."""
    network = setting.network
    law = closed_form_gc_outage(
        setting.placed(config),
        named_code(setting.code_key, network.num_clients, config),
        num_attempts=config.attempts,
        redraw_code=config.redraw_code,
    )
    if law is None or config.order != RANDOM or alike(network):
        return None if law is None else DecoderOutage(Estimate.exact(law))
    power = config.attempts if config.redraw_code else 1
    return mean_gc_outage(
        network,
        config.stragglers,
        config.attempts // power,
        kind=ring_kind(config.family),
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
    seed: int = 0,
) -> DecoderOutage:
    """Outage of standard decoding where clients are placed at random: a mean of the closed form.

    Args:
        network: independent links.
        stragglers: s.
        attempts: attempts with one code.
        kind: ``"cyclic"``, or ``"blocks"`` for fractional repetition.
        power: of each placement's outage before the mean: attempts that fail on their own.
        level: confidence level, where there are too many placements for all of them.
        seed: of the random placements.

    Returns:
        DecoderOutage: exact over all placements, or with a normal interval over random ones, and
        flagged where few of these make up nearly all of it.
    """
    orders = distinct_orders(network, stragglers, kind, _MOST_ORDERS)
    chosen = orders or random_orders(network.num_clients, _SAMPLED_ORDERS, seed)
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
