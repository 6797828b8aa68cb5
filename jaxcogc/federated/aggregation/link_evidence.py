"""What one round's links tell the server: everything that schemes are computed from.

The links of a round are drawn once for all schemes. Schemes without sharing look at the uplinks of
the first attempt (retransmission: of the first tries), coded ones at all. No model is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal, NamedTuple, TypedDict, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from jaxcogc._types import Array, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import least_squares_coefficients, row_space_projector
from jaxcogc.coding.encoding import received_matrix
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.coding.recovery import recover
from jaxcogc.federated.aggregation.round_keys import RoundKeys
from jaxcogc.links.checks import check_choice, check_count
from jaxcogc.links.draws import Links, check_limits
from jaxcogc.links.round_chains import RoundStart, draw_repeats
from jaxcogc.links.thresholds import LinkLaw
from jaxcogc.names import NORMALISATIONS, PEER_COSTS, PLACEMENTS
from jaxcogc.runtime.random_words import permutation

T = TypeVar("T")
Sharing = Literal["links", "free"]
"""Clients share over links that may fail, or hold common data: coded sums that cannot fail."""
_CHOICES = {
    "partial_normalisation": NORMALISATIONS,
    "placement": PLACEMENTS,
    "peer_cost": PEER_COSTS,
}


class PolicyOptions(TypedDict, total=False):
    """The fields of `LinkPolicy` as keywords of a function."""

    num_attempts: int
    num_tries: int
    partial_normalisation: str
    placement: str
    max_repeats: int
    peer_cost: str
    keep_heard: bool
    min_recovered: int
    masked_partials: bool


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
      keep_heard: clients keep what they heard in earlier attempts of a round and of its repeats.
      min_recovered: a partial average over fewer clients is held; where averages are divided by
        the number of clients in them, or could be.
      masked_partials: `secure_row_space` also averages over some clients, masks and all.

    Raises:
      ValueError: a value outside what is allowed.
    """

    num_attempts: int = 1
    num_tries: int = 2
    partial_normalisation: str = "recovered"
    placement: str = "fixed"
    max_repeats: int = 0
    peer_cost: str = "unicast"
    keep_heard: bool = False
    min_recovered: int = 1
    masked_partials: bool = False

    def __post_init__(self) -> None:
        check_limits(1, self.num_attempts)
        check_count("num_tries", self.num_tries)
        check_count("min_recovered", self.min_recovered)
        check_count("max_repeats", self.max_repeats, low=0)
        for name, allowed in _CHOICES.items():
            check_choice(name, getattr(self, name), allowed)

    def options(self) -> PolicyOptions:
        """The fields as keywords."""
        return cast(PolicyOptions, asdict(self))


class RoundLinks(NamedTuple):
    """The links of one round; the leading axis is the round itself and its repeats.

    Attributes:
      uplink_delivered: bool [repeats, tries, clients], in the clients' own order.
      by_client: Links [repeats, attempts, ..] in the clients' own order.
      shared: on which coded sums travel, by places on the ring of the code: "links" [repeats,
        attempts, ..], and "free", the first attempt with sharing that cannot fail.
      places: int32 [clients], the client at each place on the ring.
    """

    uplink_delivered: Array
    by_client: Links
    shared: dict[Sharing, Links]
    places: Array


class Relayed(NamedTuple):
    """What relays made of a round and its repeats.

    Attributes:
      counts: float64 [repeats, clients], c: the weights with which an update was passed on, added
        up over all relays that were heard, the mean over attempts.
      found: Recovery [repeats], of the sums.
    """

    counts: Array
    found: Recovery


class Evidence(NamedTuple):
    """What the links of a round tell; leading axis repeats, clients in their own order.

    Attributes:
      uplink_delivered: bool [repeats, tries, clients].
      recovered: Recovery [repeats] of the ways of sharing that schemes use.
      projection: floating [repeats, clients], (1/M) P 1; None where no scheme asks.
      alive: bool [clients], who takes part in this round.
      arrival_weight: floating [clients] of the coefficients' dtype, see Channel.
      policy: of the run.
      relayed: what relays made of the round; None where no scheme asks.
      fair_weights: floating [clients] by decoder, see Channel.
      projector: floating [repeats, clients, clients], P; None where no scheme asks.
    """

    uplink_delivered: Array
    recovered: dict[Sharing, Recovery]
    projection: Array | None
    alive: Array
    arrival_weight: Array
    policy: LinkPolicy
    relayed: Relayed | None = None
    fair_weights: Mapping[str, Array] = MappingProxyType({})
    projector: Array | None = None

    @property
    def dtype(self) -> np.dtype:
        """Of the coefficients."""
        return self.arrival_weight.dtype


def draw_round(
    keys: RoundKeys,
    law: LinkLaw,
    policy: LinkPolicy,
    *,
    num_tries: int,
    reciprocal: bool,
    alive: Array | None = None,
    start: RoundStart | None = None,
) -> RoundLinks:
    """Draw the links of one round and of its repeats.

    Args:
      keys: of the round.
      law: of the links.
      policy: num_attempts, placement, max_repeats and keep_heard count.
      num_tries: uplink tries to draw, at least 1; the first ones are those of the attempts.
      reciprocal: T_mk = T_km.
      alive: bool [clients]; whatever another client would send is erased. None: everybody is.
      start: where the chains of the links stand; None: in stationarity.
    """
    drawn = draw_repeats(
        keys.links,
        law,
        num_repeats=policy.max_repeats + 1,
        num_attempts=policy.num_attempts,
        num_draws=max(num_tries, policy.num_attempts),
        kind=law.kind(reciprocal=reciprocal, keeps=policy.keep_heard),
        start=start,
    )
    return placed(keys.placement, Links(*drawn), policy, num_tries=num_tries, alive=alive)


def placed(
    key: Key, links: Links, policy: LinkPolicy, *, num_tries: int, alive: Array | None = None
) -> RoundLinks:
    """A round's links as the schemes see them.

    Args:
      key: of the places on the ring.
      links: [repeats, tries, ..], as they were drawn.
      policy: num_attempts and placement count.
      num_tries, alive: as in `draw_round`.
    """
    uplink, peer = map(jnp.asarray, links)
    clients = uplink.shape[-1]
    if alive is not None:
        uplink = uplink & alive
        peer = peer & (alive | jnp.eye(clients, dtype=bool))
    places = jnp.arange(clients, dtype=jnp.int32)
    by_client = Links(uplink[:, : policy.num_attempts], peer[:, : policy.num_attempts])
    on_ring = by_client
    if policy.placement == "random":
        places = permutation(key, places)
        on_ring = Links(
            jnp.take(on_ring.uplink_delivered, places, axis=-1),
            jnp.take(jnp.take(on_ring.peer_delivered, places, axis=-1), places, axis=-2),
        )
    first = jnp.arange(policy.num_attempts)[:, None] == 0
    everything = jnp.ones_like(on_ring.peer_delivered)
    if alive is not None:
        everything &= jnp.take(alive, places) | jnp.eye(clients, dtype=bool)
    free = Links(on_ring.uplink_delivered & first, everything)
    return RoundLinks(uplink[:, :num_tries], by_client, {"links": on_ring, "free": free}, places)


def recover_shared(
    key: Key, code: GradientCode | None, links: RoundLinks, ways: Sequence[Sharing]
) -> dict[Sharing, Recovery]:
    """What coded sums give under several ways of sharing; K in the clients' own order.

    Args:
      key: feeds the random null vector.
      code: the gradient code; None will do without a way.
      links: of one round and its repeats.
      ways: some of those in ``links.shared``.
    """
    if code is None or not ways:
        return {}
    # One batch, so that the kernel is compiled once.
    parts = (links.shared[way] for way in ways)
    stacks = jax.tree.map(lambda *x: jnp.concatenate(x), *parts)
    found = _over_repeats(partial(recover, key), code, stacks)
    found = found._replace(client_recovered=_in_client_order(found.client_recovered, links.places))
    size = len(links.uplink_delivered)
    return {
        way: jax.tree.map(lambda x, n=n: lax.slice_in_dim(x, n * size, (n + 1) * size), found)
        for n, way in enumerate(ways)
    }


def project(code: GradientCode, links: RoundLinks) -> Array:
    """The coefficients of least squares, float64 [repeats, clients] in the clients' order."""
    on_ring = _over_repeats(least_squares_coefficients, code, links.shared["links"])
    with jax.enable_x64(True):
        return _in_client_order(on_ring, links.places)


def projector(code: GradientCode, links: RoundLinks, dtype: DTypeLike) -> Array:
    """P of the rows that arrived, [repeats, clients, clients] in the clients' own order."""
    on_ring = _over_repeats(row_space_projector, code, links.shared["links"])
    with jax.enable_x64(True):
        found = jnp.swapaxes(_in_client_order(on_ring, links.places), -1, -2)
        return _in_client_order(found, links.places).astype(dtype)


def relay(key: Key, relays: GradientCode, links: RoundLinks) -> Relayed:
    """What the server makes of relays' weighted sums, in the clients' own order.

    Args:
      key: feeds the random null vector.
      relays: their weights.
      links: of one round and its repeats.
    """
    found = _over_repeats(partial(recover, key), relays, links.by_client)
    with jax.enable_x64(True):
        sums = _over_repeats(received_matrix, relays, links.by_client)
        counts = jnp.sum(sums, axis=1) / links.by_client.uplink_delivered.shape[1]
    return Relayed(counts, found)


def _over_repeats(
    decide: Callable[[GradientCode, Links], T], code: GradientCode, links: Links
) -> T:
    """``decide`` for each repeat; one alone without a vmap, which would trace it once more."""
    if len(links.uplink_delivered) > 1:
        found: T = jax.vmap(decide, (None, 0))(code, links)
    else:
        one = decide(code, jax.tree.map(lambda x: x[0], links))
        found = jax.tree.map(lambda x: x[None], one)
    return found


def _in_client_order(values: Array, places: Array) -> Array:
    """Values [repeats, places] as [repeats, clients]."""
    return jnp.zeros_like(values).at[..., places].set(values, unique_indices=True)
