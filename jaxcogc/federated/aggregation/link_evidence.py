"""What one round's links tell the server: everything that schemes are computed from.

The links of a round are drawn once for all schemes. Schemes without sharing look at the uplinks of
the first attempt (retransmission: of the first tries), coded schemes at all attempts. Nothing here
depends on the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import least_squares_coefficients
from jaxcogc.coding.recovery import Recovery, recover
from jaxcogc.federated.aggregation.round_keys import RoundKeys
from jaxcogc.links.checks import check_count
from jaxcogc.links.draws import (
    Links,
    LinkThresholds,
    check_limits,
    draw_thresholded_links,
    link_thresholds,
)
from jaxcogc.links.network import Network
from jaxcogc.names import NORMALISATIONS, PEER_COSTS, PLACEMENTS

__all__ = [
    "Channel",
    "Evidence",
    "LinkPolicy",
    "PolicyOptions",
    "RoundLinks",
    "channel",
    "draw_round",
    "weigh",
]

_CHOICES = {
    "partial_normalisation": NORMALISATIONS,
    "placement": PLACEMENTS,
    "peer_cost": PEER_COSTS,
}


@dataclass(frozen=True)
class LinkPolicy:
    """How a round uses the links; static, the same for all schemes of a run.

    Attributes:
      num_attempts: A, attempts of the coded schemes; all are always sent.
      num_tries: n, tries at most of every client under `retransmission`.
      partial_normalisation: "recovered" divides a partial average by |K|, "clients" by M.
      placement: "fixed", or "random": clients take new places on the ring of the code every round.
      max_repeats: how often a failed round is repeated, with the same updates, before it is held.
      peer_cost: "unicast": a client's update costs one use for each row that needs it; "broadcast":
        one use in all.

    Raises:
      ValueError: a value outside what is allowed.
    """

    num_attempts: int = 1
    num_tries: int = 2
    partial_normalisation: str = "recovered"
    placement: str = "fixed"
    max_repeats: int = 0
    peer_cost: str = "unicast"

    def __post_init__(self) -> None:
        check_limits(1, self.num_attempts)
        check_count("num_tries", self.num_tries)
        check_count("max_repeats", self.max_repeats, low=0)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} = {getattr(self, name)!r}: allowed are {allowed}")


class PolicyOptions(TypedDict, total=False):
    """The fields of `LinkPolicy` as keywords of a function."""

    num_attempts: int
    num_tries: int
    partial_normalisation: str
    placement: str
    max_repeats: int
    peer_cost: str


class Channel(NamedTuple):
    """A network as a compiled program takes it: inputs, so that one program serves all networks.

    Attributes:
      thresholds: uint32 [clients, clients] each.
      arrival_weight: floating [clients], 1 / (M (1 - p_m)); 0 for a client that is never heard.
    """

    thresholds: LinkThresholds
    arrival_weight: Array | HostFloats


class RoundLinks(NamedTuple):
    """The links of one round; the leading axis is the round itself and its repeats.

    Attributes:
      uplink_delivered: bool [repeats, tries, clients], in the clients' own order.
      coded: Links of [repeats, attempts, ..], by places on the ring of the code.
      replicated: the same for the first attempt, in which sharing cannot fail.
      places: int32 [clients], the client at each place on the ring.
    """

    uplink_delivered: Array
    coded: Links
    replicated: Links
    places: Array


class Evidence(NamedTuple):
    """What the links of a round tell; leading axis repeats, clients in their own order.

    Attributes:
      uplink_delivered: bool [repeats, tries, clients].
      coded, replicated: Recovery with leading repeats axis; None where no scheme asks.
      projection: floating [repeats, clients], (1/M) P 1; None where no scheme asks.
      alive: bool [clients], who takes part in this round.
    """

    uplink_delivered: Array
    coded: Recovery | None
    replicated: Recovery | None
    projection: Array | None
    alive: Array


def channel(network: Network) -> Channel:
    """The inputs that stand for a network; of one on the host, exact in either mode of JAX."""
    lost = network.uplink_erasure
    xp = jnp if isinstance(lost, Array) else np
    heard = xp.where(lost < 1, 1.0 - lost, 1.0)
    weight = xp.where(lost < 1, 1.0 / (network.num_clients * heard), 0.0)
    return Channel(link_thresholds(network), weight)


def draw_round(
    keys: RoundKeys,
    thresholds: LinkThresholds,
    policy: LinkPolicy,
    *,
    num_tries: int,
    reciprocal: bool,
    alive: Array | None = None,
) -> RoundLinks:
    """Draw the links of one round and of its repeats.

    Args:
      keys: of the round.
      thresholds: of the network.
      policy: num_attempts, placement and max_repeats count.
      num_tries: uplink tries to draw, at least 1; the first ones are those of the attempts.
      reciprocal: T_mk = T_km.
      alive: bool [clients]; whatever another client would send is erased. None: everybody is.
    """
    clients = thresholds.high.shape[-1]
    num_draws = max(num_tries, policy.num_attempts)

    def draw(repeat: Array) -> Links:
        key = jax.random.fold_in(keys.links, repeat)
        return draw_thresholded_links(key, thresholds, num_draws, reciprocal=reciprocal)

    links = jax.vmap(draw)(jnp.arange(policy.max_repeats + 1, dtype=jnp.uint32))
    uplink, peer = map(jnp.asarray, links)
    if alive is not None:
        uplink = uplink & alive
        peer = peer & (alive | jnp.eye(clients, dtype=bool))
    places = jnp.arange(clients, dtype=jnp.int32)
    on_ring = Links(uplink[:, : policy.num_attempts], peer[:, : policy.num_attempts])
    if policy.placement == "random":
        places = jax.random.permutation(keys.placement, places)
        on_ring = Links(
            jnp.take(on_ring.uplink_delivered, places, axis=-1),
            jnp.take(jnp.take(on_ring.peer_delivered, places, axis=-1), places, axis=-2),
        )
    first = jnp.arange(policy.num_attempts)[:, None] == 0
    everything = jnp.ones_like(on_ring.peer_delivered)
    if alive is not None:
        everything &= jnp.take(alive, places) | jnp.eye(clients, dtype=bool)
    replicated = Links(on_ring.uplink_delivered & first, everything)
    return RoundLinks(uplink[:, :num_tries], on_ring, replicated, places)


def weigh(
    key: Key,
    links: RoundLinks,
    code: GradientCode | None,
    *,
    coded: bool,
    replicated: bool,
    projection: bool,
    alive: Array | None = None,
) -> Evidence:
    """Decide what the links of a round let the schemes of a run recover.

    Args:
      key: feeds the random null vector.
      links: of one round.
      code: the gradient code; None will do when nothing is asked for.
      coded: whether a scheme asks what coded sums over links tell.
      replicated: the same where sharing cannot fail.
      projection: whether a scheme asks for the least-squares projection.
      alive: as in `draw_round`.
    """
    stacks = [links.coded] * coded + [links.replicated] * replicated
    # One batch, so that the kernel is compiled once.
    found = recover_stacks(key, code, stacks, links.places) if stacks else []
    if alive is None:
        alive = jnp.ones(links.places.shape, bool)
    return Evidence(
        links.uplink_delivered,
        coded=found[0] if coded else None,
        replicated=found[-1] if replicated else None,
        projection=_project(code, links) if projection and code is not None else None,
        alive=alive,
    )


def recover_stacks(
    key: Key, code: GradientCode | None, stacks: list[Links], places: Array
) -> list[Recovery]:
    """`recover` for several Links [repeats, ..] at once; K in the clients' own order."""
    if code is None:
        raise ValueError("code = None: must be a GradientCode for the coded schemes")
    sizes = [len(stack.uplink_delivered) for stack in stacks]
    joined = jax.tree.map(lambda *parts: jnp.concatenate(parts), *stacks)
    if sum(sizes) == 1:  # not even a vmap of one, which would trace the decision once more
        one = recover(key, code, jax.tree.map(lambda x: x[0], joined))
        found = jax.tree.map(lambda x: x[None], one)
    else:
        found = jax.vmap(recover, (None, None, 0))(key, code, joined)
    found = found._replace(client_recovered=_in_client_order(found.client_recovered, places))
    parts, start = [], 0
    for size in sizes:
        parts.append(jax.tree.map(lambda x, a=start, n=size: lax.slice_in_dim(x, a, a + n), found))
        start += size
    return parts


def _in_client_order(values: Array, places: Array) -> Array:
    """Values [repeats, places] as [repeats, clients]."""
    return jnp.zeros_like(values).at[..., places].set(values, unique_indices=True)


def _project(code: GradientCode, links: RoundLinks) -> Array:
    """The coefficients of least squares, float64 [repeats, clients] in the clients' order."""
    if len(links.coded.uplink_delivered) == 1:  # as in `recover_stacks`
        first = jax.tree.map(lambda x: x[0], links.coded)
        on_ring = least_squares_coefficients(code, first)[None]
    else:
        on_ring = jax.vmap(least_squares_coefficients, (None, 0))(code, links.coded)
    with jax.enable_x64(True):
        return _in_client_order(on_ring, links.places)
