"""Rounds and what every scheme makes of them: drawn, or all there are with their probabilities."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from jaxcogc._types import Array, HostFloats, Key
from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.federated.aggregation.channel import Channel, Foreknowledge, channel
from jaxcogc.federated.aggregation.coefficients import Coefficients
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy, PolicyOptions, placed
from jaxcogc.federated.aggregation.round_keys import RoundKeys
from jaxcogc.federated.aggregation.rules import RULES
from jaxcogc.federated.aggregation.schemes import (
    check_names,
    decide_schemes,
    draw_schemes,
    known_of,
)
from jaxcogc.links.checks import check_count
from jaxcogc.links.draws import Links
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import fold_in, seed_key, split

_BATCH = 2**12
MAX_ENUMERATED_LINKS = 18
"""So many random links at most: 262 144 patterns, some seconds."""


@under_plain_settings
def sample_rounds(
    key: Key,
    network: Network,
    code: GradientCode | None,
    *,
    schemes: tuple[str, ...],
    num_trials: int,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    known: Foreknowledge | None = None,
    **policy: Unpack[PolicyOptions],
) -> Coefficients:
    """What schemes make of rounds that are drawn; all schemes see the same links.

    Args:
      key, network, code, schemes, num_trials, redraw_code, dynamics, known, policy: as in
        `draw_rounds`.

    Returns:
      Coefficients [trials, schemes], on the host.

    Raises:
      ValueError: an argument outside what is allowed.
    """
    check_names(schemes, code, network.num_clients)
    trials = check_count("num_trials", num_trials)
    how = LinkPolicy(**policy)
    code_key, _, link_key = split(key, 3)
    if redraw_code and code is not None:
        code = redraw(code_key, code, how.num_attempts)
    inputs = channel(network, dynamics, known_of(schemes, network, known))
    parts = []
    for number in range(-(-trials // _BATCH)):
        batch_key = fold_in(link_key, number)
        drawn = _draw_batch(
            batch_key, inputs, code, schemes, policy=how, reciprocal=network.reciprocal
        )
        parts.append(jax.device_get(drawn))
    rounds: Coefficients = jax.tree.map(lambda *part: np.concatenate(part)[:trials], *parts)
    return rounds


@partial(jax.jit, static_argnames=("schemes", "policy", "reciprocal"))
def _draw_batch(
    key: Key,
    inputs: Channel,
    code: GradientCode | None,
    schemes: tuple[str, ...],
    *,
    policy: LinkPolicy,
    reciprocal: bool,
) -> Coefficients:
    """Coefficients with leading axes [trials, schemes]."""

    def one(number: Array) -> Coefficients:
        keys = RoundKeys(*split(fold_in(key, number), len(RoundKeys._fields)))
        return draw_schemes(keys, schemes, inputs, code, policy, reciprocal=reciprocal).coefficients

    return jax.vmap(one)(jnp.arange(_BATCH, dtype=jnp.uint32))


class AllRounds(NamedTuple):
    """Every round there can be.

    Attributes:
      coefficients: [patterns, schemes], on the host.
      probability: float64 [patterns], of the round.
    """

    coefficients: Coefficients
    probability: Float64[np.ndarray, "_patterns"]


class _RandomLinks(NamedTuple):
    """The links that may deliver or not, in one order.

    Attributes:
      places: int [links, 4], attempt, receiver, sender (-1: the server), and whether the other
        direction does the same.
      erasure: float64 [links].
    """

    places: np.ndarray
    erasure: HostFloats


@under_plain_settings
def enumerate_rounds(
    network: Network,
    code: GradientCode | None,
    *,
    schemes: tuple[str, ...],
    known: Foreknowledge | None = None,
    **policy: Unpack[PolicyOptions],
) -> AllRounds | None:
    """What schemes make of every pattern of links; independent links, fixed places, no repeats.

    Args:
      network: on the host.
      code: of all attempts, or one for each.
      schemes: of `jaxcogc.names.SCHEMES`.
      known: what some schemes must know of the network; None: the weights of relays are found.
      policy: fields of `LinkPolicy`.

    Returns:
      AllRounds of [patterns, schemes]; None where there are too many random links, or the
      policy is another one.

    Raises:
      ValueError: an argument outside what is allowed.
    """
    check_names(schemes, code, network.num_clients)
    how = LinkPolicy(**policy)
    if how.max_repeats or how.placement != "fixed" or how.keep_heard:
        return None
    known = known_of(schemes, network, known)
    rules = [RULES[name] for name in schemes]
    tries = how.num_tries if any(rule.several_tries for rule in rules) else 1
    coded = [name for name in schemes if RULES[name].sharing is not None or RULES[name].relays]
    attempts = how.num_attempts if coded else 1
    needed = _needed(network, code, schemes, known)
    links = _random_links(network, needed, attempts=attempts, tries=tries)
    if len(links.erasure) > MAX_ENUMERATED_LINKS:
        return None
    if not coded:
        how = dataclasses.replace(how, num_attempts=1)
    inputs = channel(network, None, known)
    draws = max(tries, attempts)
    parts, probabilities = [], []
    for numbers in _in_batches(2 ** len(links.erasure)):
        erased = (numbers[:, None] >> np.arange(len(links.erasure))) & 1 == 1
        chance = np.where(erased, links.erasure, 1 - links.erasure).prod(axis=1)
        patterns = _delivered(network, links, erased, draws)
        found = _decide_batch(patterns, inputs, code, schemes, policy=how, num_tries=tries)
        parts.append(jax.device_get(found))
        probabilities.append(chance)
    whole: Coefficients = jax.tree.map(lambda *part: np.concatenate(part), *parts)
    return AllRounds(whole, np.concatenate(probabilities))


def _in_batches(number: int) -> Iterator[np.ndarray]:
    size = min(number, _BATCH)
    return (np.arange(start, start + size) for start in range(0, number, size))


def _needed(
    network: Network, code: GradientCode | None, schemes: tuple[str, ...], known: Foreknowledge
) -> np.ndarray:
    """Bool [clients, clients]: the links between clients that some scheme uses."""
    needed = np.zeros((network.num_clients,) * 2, bool)
    if code is not None and any(RULES[name].sharing == "links" for name in schemes):
        support = np.asarray(code.field_matrix) != 0
        needed |= support.any(axis=0) if code.redrawn else support
    if any(RULES[name].relays for name in schemes):
        needed |= np.asarray(known.relay_weights) > 0
    return needed & ~np.eye(len(needed), dtype=bool)


def _random_links(
    network: Network, needed: np.ndarray, *, attempts: int, tries: int
) -> _RandomLinks:
    uplink, peer = np.asarray(network.uplink_erasure), np.asarray(network.peer_erasure)
    places = [(m, -1, 0) for m in range(len(uplink))]
    erasure = list(uplink)
    both = needed | needed.T if network.reciprocal else needed
    for m, k in np.argwhere(np.triu(both) if network.reciprocal else both):
        places.append((int(m), int(k), int(network.reciprocal)))
        erasure.append(peer[m, k])
    found = [
        ((a, *place), p)
        for a in range(max(attempts, tries))
        for place, p in zip(places, erasure, strict=True)
        if 0 < p < 1 and (place[1] < 0 or a < attempts)
    ]
    where = np.array([place for place, _ in found], int).reshape(-1, 4)
    return _RandomLinks(where, np.array([p for _, p in found], np.float64))


def _delivered(network: Network, links: _RandomLinks, erased: np.ndarray, draws: int) -> Links:
    """Links [patterns, 1, draws, ..]: what is not random does what it always does."""
    size, clients = len(erased), network.num_clients
    uplink = np.broadcast_to(np.asarray(network.uplink_erasure) < 1, (size, draws, clients)).copy()
    peer = np.asarray(network.peer_erasure) < 1
    peer = np.broadcast_to(peer, (size, draws, clients, clients)).copy()
    for number, (attempt, receiver, sender, mutual) in enumerate(links.places):
        if sender < 0:
            uplink[:, attempt, receiver] = ~erased[:, number]
            continue
        peer[:, attempt, receiver, sender] = ~erased[:, number]
        if mutual:
            peer[:, attempt, sender, receiver] = ~erased[:, number]
    return Links(uplink[:, None], peer[:, None])


@partial(jax.jit, static_argnames=("schemes", "policy", "num_tries"))
def _decide_batch(
    patterns: Links,
    inputs: Channel,
    code: GradientCode | None,
    schemes: tuple[str, ...],
    *,
    policy: LinkPolicy,
    num_tries: int,
) -> Coefficients:
    key = seed_key(0)

    def one(links: Links) -> Coefficients:
        seen = placed(key, links, policy, num_tries=num_tries)
        return decide_schemes(key, schemes, inputs, code, policy, seen).coefficients

    return jax.vmap(one)(patterns)
