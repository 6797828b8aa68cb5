"""Which link to repair first: how the outage of standard decoding depends on every link."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64
from scipy import special

from jaxcogc._types import Array
from jaxcogc.design.candidates import Candidate
from jaxcogc.design.ring_order import RANDOM, Order, distinct_orders, random_orders
from jaxcogc.links.checks import check_choice, check_count
from jaxcogc.links.network import Network
from jaxcogc.names import RING_KINDS, RingKind, ring_kind
from jaxcogc.number_text import count_text
from jaxcogc.outage.laws.closed_form import rows_can_be_counted
from jaxcogc.outage.laws.gc_outage import log_outage_gradient
from jaxcogc.outage.laws.standard_decoding import needs_both_directions, outage_and_success
from jaxcogc.outage.laws.wide_range_floats import to_float64
from jaxcogc.runtime.jax_settings import under_plain_settings

__all__ = [
    "LawSensitivity",
    "Sensitivity",
    "WeakLink",
    "in_own_order",
    "mean_sensitivity",
    "sensitivity",
    "sensitivity_of",
    "weakest_links",
]

_MOST_ORDERS = 256


class Sensitivity(NamedTuple):
    """How the logarithm of an outage probability changes with each erasure probability.

    Attributes:
      outage: the outage probability of standard decoding.
      log_outage: its natural logarithm, also where that underflows.
      uplink: [clients], d log P_O / d p_m.
      peer: [clients, clients], d log P_O / d p_mk; 0 where nobody looks.
      repaired_uplink, repaired_peer: the same shapes, the outage probability were that link
        perfect in every attempt.
    """

    outage: float
    log_outage: float
    uplink: Float64[np.ndarray, "clients"]
    peer: Float64[np.ndarray, "clients clients"]
    repaired_uplink: Float64[np.ndarray, "clients"]
    repaired_peer: Float64[np.ndarray, "clients clients"]


class WeakLink(NamedTuple):
    """A link, and what repairing it would do.

    Attributes:
      receiver: the client that receives; None for the server.
      sender: the client that sends.
      erasure: probability that the link loses a message.
      slope: d log P_O / d p.
      repaired: the outage probability were the link perfect.
    """

    receiver: int | None
    sender: int
    erasure: float
    slope: float
    repaired: float


@under_plain_settings
def sensitivity(
    network: Network, num_stragglers: int, num_attempts: int = 1, *, kind: RingKind = "cyclic"
) -> Sensitivity:
    """Derivatives of the closed form, in 64 bits, and every link repaired in turn.

    Args:
      network: independent links.
      num_stragglers: s.
      num_attempts: attempts with one code.
      kind: as of `names.ring_kind`.

    Returns:
      Sensitivity. Indices are those of `network`. Where an outage is impossible, slopes are
      infinite for the links that alone would make it possible, and 0 for the others.

    Raises:
      ValueError: a count out of range, or reciprocal links, for which there is no closed form.

    >>> found = sensitivity(Network([0.1, 0.2], [[0, 0.3], [0.4, 0]]), 0)
    >>> round(float(found.uplink[0]), 4)  # (1 - 0.2) / 0.28
    2.8571
    """
    check_choice("kind", kind, RING_KINDS)
    if network.reciprocal and needs_both_directions(kind, network.num_clients, num_stragglers):
        raise ValueError(
            "reciprocal = True: allowed are independent links, which have a closed form"
        )
    check_count("num_attempts", num_attempts)
    slopes = log_outage_gradient(network, num_stragglers, num_attempts, kind=kind)
    with jax.enable_x64(True):
        leaves = (network.uplink_erasure, network.peer_erasure)
        uplink, peer = (jnp.asarray(leaf, jnp.float64) for leaf in leaves)
        repaired = _repaired(uplink, peer, np.int32(num_stragglers), kind, num_attempts)
        repaired_uplink, repaired_peer = (np.asarray(x) for x in repaired)
    return Sensitivity(
        math.exp(slopes.log_outage),
        slopes.log_outage,
        slopes.uplink,
        slopes.peer,
        repaired_uplink,
        repaired_peer,
    )


@partial(jax.jit, static_argnums=(3, 4))
def _repaired(
    uplink: Array, peer: Array, stragglers: Array, kind: RingKind, attempts: int
) -> tuple[Array, Array]:
    def law(uplink: Array, peer: Array) -> Array:
        return to_float64(outage_and_success(uplink, peer, stragglers, kind, attempts)[0])

    clients = jnp.arange(uplink.size)
    by_uplink = jax.lax.map(lambda m: law(uplink.at[m].set(0.0), peer), clients)
    by_peer = jax.lax.map(
        lambda m: jax.vmap(lambda k: law(uplink, peer.at[m, k].set(0.0)))(clients), clients
    )
    return by_uplink, by_peer


@under_plain_settings
def weakest_links(network: Network, found: Sensitivity) -> list[WeakLink]:
    """All links that matter, the one whose repair leaves the fewest outages first.

    Args:
      network: the network that `found` is about.
      found: its sensitivities.
    """
    links = [
        WeakLink(None, m, *map(float, row))
        for m, row in enumerate(
            zip(network.uplink_erasure, found.uplink, found.repaired_uplink, strict=True)
        )
    ]
    for m, k in np.argwhere(found.peer != 0.0).tolist():
        arrays = (network.peer_erasure, found.peer, found.repaired_peer)
        links.append(WeakLink(m, k, *(float(array[m, k]) for array in arrays)))
    return sorted((link for link in links if link.erasure > 0.0), key=lambda link: link.repaired)


def in_own_order(found: Sensitivity, order: Order) -> Sensitivity:
    """Sensitivities of a reordered network, by the clients' own numbers.

    Args:
      found: of `network.permuted(order)`.
      order: place i of the ring holds client order[i].
    """
    place = np.argsort(order)
    grid = np.ix_(place, place)
    return Sensitivity(
        found.outage,
        found.log_outage,
        found.uplink[place],
        found.peer[grid],
        found.repaired_uplink[place],
        found.repaired_peer[grid],
    )


def mean_sensitivity(
    network: Network,
    orders: Sequence[Order],
    num_stragglers: int,
    num_attempts: int = 1,
    *,
    kind: RingKind = "cyclic",
) -> Sensitivity:
    """Sensitivities of the mean outage over orders of the clients on the ring.

    Args:
      network: in the clients' own order.
      orders: equally likely; place i of the ring holds client order[i].
      num_stragglers, num_attempts, kind: as in `sensitivity`.
    """
    each = []
    for order in orders:
        there = sensitivity(network.permuted(order), num_stragglers, num_attempts, kind=kind)
        each.append(in_own_order(there, order))
    logs = np.array([found.log_outage for found in each])
    log_sum = float(special.logsumexp(logs))
    shares = np.exp(logs - log_sum) if log_sum > -math.inf else np.full(len(each), 1 / len(each))
    # Where an outage is impossible a slope may be infinite: it has no share, unless all are so.
    counted = [(share, found) for share, found in zip(shares, each, strict=True) if share > 0.0]
    return Sensitivity(
        float(np.mean([found.outage for found in each])),
        log_sum - math.log(len(each)),
        sum((share * found.uplink for share, found in counted), np.zeros(network.num_clients)),
        sum((share * found.peer for share, found in counted), np.zeros((network.num_clients,) * 2)),
        np.mean([found.repaired_uplink for found in each], axis=0),
        np.mean([found.repaired_peer for found in each], axis=0),
    )


class LawSensitivity(NamedTuple):
    """Sensitivities, and the law in words that they are of."""

    law: str
    found: Sensitivity


def sensitivity_of(network: Network, candidate: Candidate) -> LawSensitivity:
    """Sensitivities of the standard decoder's law for a candidate's messages.

    A scheme without a code fails like the law of s = 0; codes that are drawn anew fail as often in
    each attempt.

    Args:
      network: in the clients' own order.
      candidate: a way to run a round on it.
    """
    own = tuple(range(network.num_clients))
    kind = ring_kind(candidate.code or "uncoded", candidate.stragglers)
    attempts = 1 if candidate.redraw_code else candidate.attempts
    orders = [own if candidate.order in (None, RANDOM) else candidate.order]
    if candidate.order == RANDOM:
        every_order = distinct_orders(network, candidate.stragglers, kind, _MOST_ORDERS)
        orders = every_order or random_orders(len(own), _MOST_ORDERS)
    found = mean_sensitivity(network, orders, candidate.stragglers, attempts, kind=kind)
    law = f"all clients arrive within {attempts} tries"
    if candidate.code is not None:
        law = f"standard decoding, {candidate.code} code, s = {candidate.stragglers}, "
        law += count_text(attempts, "attempt")
        exact = rows_can_be_counted(candidate.code, len(own), candidate.stragglers)
        law += "" if exact else " (upper bound)"
        law += f", mean over {len(orders)} placements" if len(orders) > 1 else ""
    return LawSensitivity(law, found)
