"""Aggregation schemes as distributions over coefficient vectors.

Training calls `draw_schemes`, which draws all schemes of a run at once from one set of links.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float64, Int32, UInt32

from jaxcogc._types import AnyArray, Array, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.channel import Channel, Foreknowledge
from jaxcogc.federated.aggregation.client_states import StateChange
from jaxcogc.federated.aggregation.coefficients import Coefficients, Concluded, conclude
from jaxcogc.federated.aggregation.link_evidence import (
    Evidence,
    LinkPolicy,
    RoundLinks,
    draw_round,
    project,
    projector,
    recover_shared,
    relay,
)
from jaxcogc.federated.aggregation.relaying import colrel_weights
from jaxcogc.federated.aggregation.repeats import links_that_count, peer_uses, reveal
from jaxcogc.federated.aggregation.round_keys import RoundKeys
from jaxcogc.federated.aggregation.rules import RULES, SchemeRule, check_scheme_names
from jaxcogc.links.checks import check_same_clients
from jaxcogc.links.draws import Links
from jaxcogc.links.network import Network
from jaxcogc.links.round_chains import RoundStart
from jaxcogc.runtime.jax_settings import under_plain_settings


class SchemeDraw(NamedTuple):
    """One round of several schemes; all with a leading schemes axis.

    Attributes:
      coefficients: what the server adds updates with.
      links: Links [schemes, attempts, ..] by places on the ring: those of the repeat that counts,
        for the payload path. Of a scheme without a code, those of the coded schemes.
      places: int32 [schemes, clients], the client at each place.
      rows: float64 [schemes, rows], what to weigh received rows with; None without payloads.
      states: what the round does to what is remembered of clients; None without such schemes.
      field_rows: uint32 [schemes, rows], the same over the field; None unless masks are of it.
      share_scale: floating [schemes, clients], what clients multiply updates with before they
        share them; None: nothing.
    """

    coefficients: Coefficients
    links: Links
    places: Int32[Array, "schemes clients"]
    rows: Float64[Array, "schemes rows"] | None = None
    field_rows: UInt32[Array, "schemes rows"] | None = None
    share_scale: Float[Array, "schemes clients"] | None = None
    states: StateChange | None = None


def known_of(names: Sequence[str], network: Network, known: Foreknowledge | None) -> Foreknowledge:
    """What is known of a network, and the weights of relays where a scheme needs them.

    Args:
      names: of schemes.
      network: on the host, where the weights of relays have to be found.
      known: what is known already.
    """
    known = known or Foreknowledge()
    if known.relay_weights is None and any(RULES[name].relays for name in names):
        return known._replace(relay_weights=colrel_weights(network))
    return known


def check_names(
    names: tuple[str, ...], code: GradientCode | None, num_clients: int | None = None
) -> None:
    """Raise a ValueError unless all are schemes, and the code they need is there.

    Args:
      names: of schemes.
      code: the gradient code.
      num_clients: of the network, which the code must have; None: there is no network yet.
    """
    check_scheme_names(names)
    if code is not None and num_clients is not None:
        check_same_clients(code.num_clients, num_clients)
    for name in names:
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
    check_names(names, code, inputs.arrival_weight.shape[-1])
    rules = [RULES[name] for name in names]
    links = draw_round(
        keys,
        inputs.law,
        policy,
        num_tries=policy.num_tries if any(rule.several_tries for rule in rules) else 1,
        reciprocal=reciprocal,
        alive=alive,
        start=start,
    )
    key = keys.decoding
    return decide_schemes(key, names, inputs, code, policy, links, scale, alive, dtype)


def decide_schemes(
    key: Key,
    names: tuple[str, ...],
    inputs: Channel,
    code: GradientCode | None,
    policy: LinkPolicy,
    links: RoundLinks,
    scale: Float[AnyArray, "clients"] | None = None,
    alive: Bool[Array, "clients"] | None = None,
    dtype: DTypeLike = jnp.float32,
) -> SchemeDraw:
    """What several schemes make of given links: `draw_schemes` behind the draw.

    Args:
      key: feeds the random null vector.
      names, inputs, code, policy, scale, alive, dtype: as in `draw_schemes`.
      links: of one round and its repeats.
    """
    rules = [RULES[name] for name in names]
    _check_known(names, inputs, policy)
    evidence = _gather(key, rules, inputs, code, policy, links, alive, dtype)
    found = _conclude_all(rules, evidence, code, inputs.relays, links.places)
    coefficients, repeats = found.coefficients, found.repeats
    if policy.max_repeats and code is not None and any(rule.coded for rule in rules):
        coefficients = reveal(key, rules, links, code, coefficients, repeats)
    shared = _share_scales(rules, evidence, scale)
    if scale is not None:
        scaled = coefficients.weights * jnp.asarray(scale).astype(dtype)
        coefficients = coefficients._replace(weights=scaled)
    places = jnp.broadcast_to(links.places, (len(names), *links.places.shape))
    return SchemeDraw(
        coefficients,
        links_that_count(rules, links, repeats),
        places,
        share_scale=shared,
        states=found.states,
    )


def _check_known(names: tuple[str, ...], inputs: Channel, policy: LinkPolicy) -> None:
    """Raise a ValueError where a scheme lacks what it must know of the network."""
    for name in names:
        rule = RULES[name]
        if rule.relays and policy.keep_heard:
            raise ValueError(f"scheme {name!r} with keep_heard: allowed is a scheme with a code")
        if rule.relays and inputs.law.blocked is not None:
            raise ValueError(f"scheme {name!r} with blocked clients: no weights of relays fit them")
        if rule.relays and inputs.relays is None:
            raise ValueError(
                f"scheme {name!r} with relay_weights = None: must be [clients, clients]"
            )
        if rule.unbiased is not None and rule.unbiased not in (inputs.fair_weights or {}):
            raise ValueError(
                f"scheme {name!r} with no recovery_probability of {rule.unbiased!r}: must be "
                "[clients]"
            )


def _gather(
    key: Key,
    rules: Sequence[SchemeRule],
    inputs: Channel,
    code: GradientCode | None,
    policy: LinkPolicy,
    links: RoundLinks,
    alive: Array | None,
    dtype: DTypeLike,
) -> Evidence:
    """What the links tell, as far as some scheme asks."""
    ways = [way for way in links.shared if any(rule.sharing == way for rule in rules)]
    projects = any(rule.projects for rule in rules)
    relays = inputs.relays if any(rule.relays for rule in rules) else None
    keeps = any(rule.remembers == "projections" or rule.masked for rule in rules)
    fair = inputs.fair_weights or {}
    return Evidence(
        links.uplink_delivered,
        recovered=recover_shared(key, code, links, ways),
        projection=project(code, links) if code is not None and projects else None,
        alive=jnp.ones(links.places.shape, bool) if alive is None else alive,
        arrival_weight=jnp.asarray(inputs.arrival_weight).astype(dtype),
        policy=policy,
        relayed=None if relays is None else relay(key, relays, links),
        projector=None if code is None or not keeps else projector(code, links, dtype),
        fair_weights={name: jnp.asarray(x).astype(dtype) for name, x in fair.items()},
    )


def _share_scales(
    rules: Sequence[SchemeRule], evidence: Evidence, scale: AnyArray | None
) -> Array | None:
    """What clients multiply their updates with before they share them, [schemes, clients].

    None where no scheme has them do so.
    """
    if scale is None and not any(rule.unbiased for rule in rules):
        return None
    ones = jnp.ones(evidence.alive.shape, evidence.dtype)
    target = ones if scale is None else jnp.asarray(scale).astype(evidence.dtype)
    fair = evidence.fair_weights
    scales = [fair[r.unbiased] * len(ones) if r.unbiased is not None else ones for r in rules]
    return jnp.stack(scales) * target


class _Conclusions(NamedTuple):
    """Of every scheme what it makes of a round, which repeats it made, and what it remembers."""

    coefficients: Coefficients
    repeats: Array
    states: StateChange | None


def _conclude_all(
    rules: Sequence[SchemeRule],
    evidence: Evidence,
    code: GradientCode | None,
    relays: GradientCode | None,
    places: Array,
) -> _Conclusions:
    """All schemes; leading axis schemes."""
    parts, made, changes = [], [], []
    for rule in rules:
        sent, silent = (relays, ~evidence.alive) if rule.relays else (code, ~evidence.alive[places])
        uses = peer_uses(rule, sent, evidence.policy, silent)
        attempts = evidence.policy.num_attempts if rule.attempts_all else 1
        found = conclude(rule.attempt(evidence), uses, attempts)
        changes.append(_state_change(rule, evidence, found))
        coefficients = found.coefficients
        if rule.remembers in ("updates", "projections"):  # the server moves by what it remembers
            coefficients = coefficients._replace(hold=jnp.zeros_like(coefficients.hold))
        parts.append(coefficients)
        made.append(found.made)
    stacked: Coefficients = jax.tree.map(lambda *x: jnp.stack(x), *parts)
    if all(rule.remembers is None for rule in rules):
        return _Conclusions(stacked, jnp.stack(made), None)
    states: StateChange = jax.tree.map(lambda *x: jnp.stack(x), *changes)
    return _Conclusions(stacked, jnp.stack(made), states)


def _state_change(rule: SchemeRule, evidence: Evidence, found: Concluded) -> StateChange:
    weights = found.coefficients.weights
    fair = jnp.asarray(1.0 / weights.shape[-1], weights.dtype)
    nobody = jnp.zeros_like(found.revealed)
    project = evidence.projector
    own = None
    if project is not None:
        own = project[found.last] if rule.remembers == "projections" else jnp.zeros_like(project[0])
    recalls = rule.remembers in ("updates", "projections")
    return StateChange(
        recall=fair - weights if recalls else jnp.zeros_like(weights),
        refresh=nobody if rule.remembers is None else found.revealed,
        projector=own,
    )
