"""Aggregation schemes as distributions over coefficient vectors.

A scheme is a pair of pure functions, `init` and `draw`, in the manner of Optax. What training calls
is `draw_schemes`, which draws all schemes of a run at once from one set of links.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float64, Int32

from jaxcogc._types import AnyArray, Array, Key, PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.recovery import recover
from jaxcogc.federated.aggregation.coefficients import Coefficients, conclude
from jaxcogc.federated.aggregation.link_evidence import (
    Channel,
    Evidence,
    LinkPolicy,
    PolicyOptions,
    RoundLinks,
    channel,
    draw_round,
    project,
    recover_shared,
)
from jaxcogc.federated.aggregation.round_keys import RoundKeys
from jaxcogc.federated.aggregation.rules import RULES, SchemeRule
from jaxcogc.links.draws import Links
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.links.round_chains import RoundStart
from jaxcogc.names import SCHEMES
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import split


class Scheme(NamedTuple):
    """A distribution over coefficient vectors [clients].

    Attributes:
      init: ``init() -> state``; the schemes here have none, an empty tuple.
      draw: ``draw(key, state, network) -> (Coefficients, state)`` for one round.
    """

    init: Callable[[], PyTree]
    draw: Callable[[Key, PyTree, Network], tuple[Coefficients, PyTree]]


class SchemeDraw(NamedTuple):
    """One round of several schemes; all with a leading schemes axis.

    Attributes:
      coefficients: what the server adds updates with.
      links: Links [schemes, attempts, ..] by places on the ring: those of the repeat that counts,
        for the payload path. Of a scheme without a code, those of the coded schemes.
      places: int32 [schemes, clients], the client at each place.
      rows: float64 [schemes, rows], what to weigh received rows with; None without payloads.
    """

    coefficients: Coefficients
    links: Links
    places: Int32[Array, "schemes clients"]
    rows: Float64[Array, "schemes rows"] | None = None


@under_plain_settings
def make_scheme(
    name: str,
    code: GradientCode | None = None,
    *,
    target_weights: Float[AnyArray, "clients"] | None = None,
    dtype: DTypeLike = jnp.float32,
    dynamics: LinkDynamics | None = None,
    **policy: Unpack[PolicyOptions],
) -> Scheme:
    """A scheme by its name.

    Args:
      name: one of `jaxcogc.names.SCHEMES`: "ideal", "intermittent" (average of who arrived),
        "intermittent_blind" (divided by M), "inverse_probability", "retransmission",
        "replicated_gc", "gc" (standard decoding), "gc_plus", "row_space", "least_squares".
      code: the gradient code of "replicated_gc" and of the four last; redrawn for num_attempts or
        the same in every attempt.
      target_weights: [clients], a, numbers that sum to 1; None: 1/M each. Clients share
        M a_k Delta_k.
      dtype: of the coefficients.
      dynamics: of the links; every draw is a round that begins in stationarity.
      policy: fields of `LinkPolicy`: num_attempts, num_tries, partial_normalisation, placement,
        max_repeats, peer_cost, keep_heard.

    Returns:
      Scheme, made for vmap over keys; schemes drawn with one key see the same links.

    Raises:
      ValueError: an unknown name, a missing code, a value that is not allowed.

    Source: docs/mathematics.md, "Decoders" and "Schemes without a code".

    >>> import jax
    >>> from jaxcogc import Network, make_scheme
    >>> network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    >>> scheme = make_scheme("intermittent")
    >>> coefficients, _ = scheme.draw(jax.random.key(0), scheme.init(), network)
    >>> coefficients.weights.tolist(), bool(coefficients.exact)
    ([0.25, 0.25, 0.25, 0.25], True)
    """
    check_names((name,), code)
    link_policy = LinkPolicy(**policy)

    def draw(key: Key, state: PyTree, network: Network) -> tuple[Coefficients, PyTree]:
        keys = RoundKeys(*split(key, len(RoundKeys._fields)))
        scale = None if target_weights is None else jnp.asarray(target_weights, dtype)
        drawn = draw_schemes(
            keys,
            (name,),
            channel(network, dynamics),
            code,
            link_policy,
            reciprocal=network.reciprocal,
            scale=None if scale is None else scale * network.num_clients,
            dtype=dtype,
        )
        return jax.tree.map(lambda x: x[0], drawn.coefficients), state

    return Scheme(lambda: (), draw)


def check_names(names: tuple[str, ...], code: GradientCode | None) -> None:
    """Raise a ValueError unless all are schemes, and the code they need is there."""
    for name in names:
        if name not in RULES:
            raise ValueError(f"scheme {name!r}: allowed are {', '.join(SCHEMES)}")
        if code is None and RULES[name].coded:
            raise ValueError(f"scheme {name!r} with code = None: must be a GradientCode")


@under_plain_settings
def draw_schemes(
    keys: RoundKeys,
    names: tuple[str, ...],
    inputs: Channel,
    code: GradientCode | None,
    policy: LinkPolicy,
    *,
    reciprocal: bool = False,
    scale: Float[AnyArray, "clients"] | None = None,
    alive: Bool[Array, "clients"] | None = None,
    start: RoundStart | None = None,
    dtype: DTypeLike = jnp.float32,
) -> SchemeDraw:
    """Draw one round of several schemes from one set of links.

    Args:
      keys, names: of the round; of `jaxcogc.names.SCHEMES`.
      inputs: the network.
      code: the gradient code; None when no scheme needs one.
      policy, reciprocal: how the round uses the links; T_mk = T_km.
      scale, dtype: M a_k for target weights a (None: 1); of the coefficients.
      alive: what another client would send is erased; None: everybody is.
      start: where the links' chains stand; None: in stationarity.

    Returns:
      SchemeDraw of one round; made for vmap over rounds and seeds.
    """
    check_names(names, code)
    rules = [RULES[name] for name in names]
    num_tries = policy.num_tries if any(rule.several_tries for rule in rules) else 1
    links = draw_round(
        keys,
        inputs.law,
        policy,
        num_tries=num_tries,
        reciprocal=reciprocal,
        alive=alive,
        start=start,
    )
    ways = [way for way in links.shared if any(rule.sharing == way for rule in rules)]
    projects = any(rule.projects for rule in rules)
    evidence = Evidence(
        links.uplink_delivered,
        recovered=recover_shared(keys.decoding, code, links, ways),
        projection=project(code, links) if code is not None and projects else None,
        alive=jnp.ones(links.places.shape, bool) if alive is None else alive,
        arrival_weight=jnp.asarray(inputs.arrival_weight).astype(dtype),
        policy=policy,
    )
    silent = None if alive is None else ~jnp.take(alive, links.places)
    coefficients, repeats = _conclude_all(rules, evidence, code, policy, silent)
    if policy.max_repeats and code is not None and any(rule.coded for rule in rules):
        coefficients = _reveal(keys.decoding, rules, links, code, coefficients, repeats)
    if scale is not None:
        scaled = coefficients.weights * jnp.asarray(scale).astype(dtype)
        coefficients = coefficients._replace(weights=scaled)
    places = jnp.broadcast_to(links.places, (len(names), *links.places.shape))
    return SchemeDraw(coefficients, _links_that_count(rules, links, repeats), places)


def _conclude_all(
    rules: Sequence[SchemeRule],
    evidence: Evidence,
    code: GradientCode | None,
    policy: LinkPolicy,
    silent: Array | None,
) -> tuple[Coefficients, Array]:
    """What every scheme makes of a round, and which repeats it made: leading axis schemes."""
    parts, made = [], []
    for rule in rules:
        uses = _peer_uses(rule, code, policy, silent)
        part, repeats_made = conclude(rule.attempt(evidence), uses)
        parts.append(part)
        made.append(repeats_made)
    coefficients: Coefficients = jax.tree.map(lambda *x: jnp.stack(x), *parts)
    return coefficients, jnp.stack(made)


def _peer_uses(
    rule: SchemeRule, code: GradientCode | None, policy: LinkPolicy, silent: Array | None
) -> Array:
    """Messages between clients in one repeat: M s unicasts an attempt, or M broadcasts.

    ``silent`` bool [clients] by places on the ring: they send none.
    """
    if rule.sharing != "links" or code is None:
        return jnp.zeros((), jnp.int32)
    support = jnp.asarray(code.field_matrix) != 0
    needed = support & ~jnp.eye(code.num_clients, dtype=bool)
    if silent is not None:
        needed &= ~silent
    if policy.peer_cost == "broadcast":
        needed = jnp.any(needed, axis=-2)
    uses = jnp.sum(needed, dtype=jnp.int32)
    return uses if code.redrawn else uses * policy.num_attempts


def _own_links(rule: SchemeRule, links: RoundLinks) -> Links:
    """Links [repeats, ..] that a scheme uses: those of coded sums for schemes without a code."""
    return links.shared[rule.sharing or "links"]


def _links_that_count(rules: Sequence[SchemeRule], links: RoundLinks, made: Array) -> Links:
    """Links [schemes, attempts, ..] of the last repeat that each scheme made."""
    last = jnp.sum(made, axis=1) - 1
    chosen = [
        jax.tree.map(lambda x, n=number: x[last[n]], _own_links(rule, links))
        for number, rule in enumerate(rules)
    ]
    stacked: Links = jax.tree.map(lambda *x: jnp.stack(x), *chosen)
    return stacked


def _reveal(
    key: Key,
    rules: Sequence[SchemeRule],
    links: RoundLinks,
    code: GradientCode,
    coefficients: Coefficients,
    made: Array,
) -> Coefficients:
    """Count whose update could be read from all repeats together, for the coded schemes."""
    coded = [number for number, rule in enumerate(rules) if rule.coded]
    repeats, attempts, clients = links.shared["links"].uplink_delivered.shape

    def stack(number: int) -> Links:
        which = _own_links(rules[number], links)
        uplink = which.uplink_delivered & made[number][:, None, None]
        rows = repeats * attempts
        return Links(
            uplink.reshape(rows, clients), which.peer_delivered.reshape(rows, clients, clients)
        )

    stacks = jax.tree.map(lambda *x: jnp.stack(x), *[stack(number) for number in coded])
    if code.redrawn:  # a repeat sends with the codes of the round
        code = code.repeated(repeats)
    found = jax.vmap(recover, (None, None, 0))(key, code, stacks)
    counted = jnp.sum(found.client_recovered, axis=-1, dtype=jnp.int32)
    revealed = coefficients.num_revealed.at[jnp.array(coded)].set(counted)
    return coefficients._replace(num_revealed=revealed)
