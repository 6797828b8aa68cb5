"""What a compiled draw of links gets: probabilities as 64-bit thresholds, exact to 2^-64."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import AnyArray
from jaxcogc.links.memory import LinkDynamics, blocked_clients, link_chains
from jaxcogc.links.network import Network

ALL_ONES = np.uint32(0xFFFFFFFF)


class LinkThresholds(NamedTuple):
    """Probabilities as 64-bit integers; of links [clients, clients], the diagonal for the uplinks.

    Attributes:
      high: uint32, the upper words of floor(p 2^64).
      low: uint32, the lower words. Both words all ones means p = 1.
    """

    high: AnyArray
    low: AnyArray


class ChainThresholds(NamedTuple):
    """One step of two-state chains: what a 64-bit uniform number U says of the next state.

    Attributes:
      bad: below it, bad.
      kept: from ``bad`` up to here the state stays as it was; beyond it is good.
    """

    bad: LinkThresholds
    kept: LinkThresholds


class StateThresholds(NamedTuple):
    """Erasure in the two states of links whose states are soft, scalars."""

    good: LinkThresholds
    bad: LinkThresholds


class LinkKind(NamedTuple):
    """What a program of draws is specialised to; all False: independent links of two directions.

    Attributes:
      reciprocal: T_mk = T_km.
      remembers: states depend on those of the attempt before.
      soft: a state says how likely an erasure is; only with ``remembers``.
      blocks: clients may be blocked for a round.
      keeps: clients keep what they heard in earlier attempts.
    """

    reciprocal: bool = False
    remembers: bool = False
    soft: bool = False
    blocks: bool = False
    keeps: bool = False

    @property
    def independent(self) -> bool:
        """Whether every link of every attempt is drawn, and used, by itself."""
        return not (self.remembers or self.blocks or self.keeps)


class LinkLaw(NamedTuple):
    """What all rounds draw their links from, traced; None where a `LinkKind` has no use for it.

    Attributes:
      start: probability of an erasure in the first attempt; of links that remember, of a bad state.
      step: from one attempt to the next.
      states: of soft states.
      blocked: [clients], of a client's being blocked.
    """

    start: LinkThresholds
    step: ChainThresholds | None = None
    states: StateThresholds | None = None
    blocked: LinkThresholds | None = None

    @property
    def num_clients(self) -> int:
        """Number of clients."""
        return int(self.start.high.shape[-1])

    def kind(self, *, reciprocal: bool, keeps: bool = False) -> LinkKind:
        """The kind of links that it is the law of."""
        return LinkKind(
            reciprocal,
            remembers=self.step is not None,
            soft=self.states is not None,
            blocks=self.blocked is not None,
            keeps=keeps,
        )


class RoundSteps(NamedTuple):
    """From the last attempt of a round to the first of the next; None of what has no memory.

    Attributes:
      links: [clients, clients].
      blocked: [clients], from round to round.
    """

    links: ChainThresholds | None = None
    blocked: ChainThresholds | None = None


def link_kind(
    network: Network, dynamics: LinkDynamics | None = None, *, keep_heard: bool = False
) -> LinkKind:
    """Which draws a network needs; dynamics without memory and without blocking change nothing.

    Traced dynamics count as present.

    Raises:
      ValueError: dynamics that do not fit the network.
    """
    plain = LinkKind(reciprocal=network.reciprocal, keeps=keep_heard)
    if dynamics is None:
        return plain
    chains, blocked = link_chains(network, dynamics), blocked_clients(network, dynamics)
    remembers = _may_be_positive(chains.memory) or _may_be_positive(chains.round_memory)
    return plain._replace(
        remembers=remembers,
        soft=remembers and not dynamics.hard,
        blocks=_may_be_positive(blocked),
    )


def _may_be_positive(values: AnyArray) -> bool:
    return isinstance(values, jax.core.Tracer) or bool(np.any(np.asarray(values) > 0))


def link_law(network: Network, dynamics: LinkDynamics | None, kind: LinkKind) -> LinkLaw:
    """The thresholds of a network whose links are of a kind.

    Args:
      network: host values are float64 and give thresholds exact to 2^-64; inside a caller's own
        32-bit trace the probabilities are float32 numbers, taken as they are.
      dynamics: None will do for a kind that neither remembers nor blocks.
      kind: as `link_kind` finds it.

    Returns:
      LinkLaw; NumPy for a network on the host, JAX arrays for a traced one.
    """
    law = LinkLaw(link_thresholds(network))
    if dynamics is None:
        return law
    if kind.remembers:
        chains = link_chains(network, dynamics)
        law = law._replace(
            start=thresholds(chains.bad), step=chain_thresholds(chains.bad, chains.memory)
        )
    if kind.soft:
        states = StateThresholds(
            thresholds(dynamics.good_erasure), thresholds(dynamics.bad_erasure)
        )
        law = law._replace(states=states)
    if kind.blocks:
        law = law._replace(blocked=thresholds(blocked_clients(network, dynamics)))
    return law


def round_steps(network: Network, dynamics: LinkDynamics | None, kind: LinkKind) -> RoundSteps:
    """The thresholds of the steps between rounds, of links of a kind; arguments as `link_law`."""
    steps = RoundSteps()
    if dynamics is not None and kind.remembers:
        chains = link_chains(network, dynamics)
        steps = steps._replace(links=chain_thresholds(chains.bad, chains.round_memory))
    if dynamics is not None and kind.blocks:
        blocked = blocked_clients(network, dynamics)
        memory = dynamics.block_memory
        steps = steps._replace(blocked=chain_thresholds(blocked, memory))
    return steps


def blank_law(num_clients: int, kind: LinkKind) -> LinkLaw:
    """A law of the right shapes and types, and of no meaning."""

    def blank(*shape: int) -> LinkThresholds:
        return LinkThresholds(np.zeros(shape, np.uint32), np.zeros(shape, np.uint32))

    links = blank(num_clients, num_clients)
    return LinkLaw(
        links,
        ChainThresholds(links, links) if kind.remembers else None,
        StateThresholds(blank(), blank()) if kind.soft else None,
        blank(num_clients) if kind.blocks else None,
    )


def link_thresholds(network: Network) -> LinkThresholds:
    """The thresholds of a network's mean erasures, uint32 [clients, clients] each."""
    uplink, peer = network.uplink_erasure, network.peer_erasure
    if isinstance(uplink, np.ndarray) and isinstance(peer, np.ndarray):
        return thresholds(np.where(np.eye(len(uplink), dtype=bool), uplink[:, None], peer))
    uplink, peer = jnp.asarray(uplink), jnp.asarray(peer)
    return thresholds(jnp.where(jnp.eye(len(uplink), dtype=bool), uplink[:, None], peer))


def chain_thresholds(bad: AnyArray, memory: AnyArray | float) -> ChainThresholds:
    """One step of chains whose bad state has a probability, and whose states a correlation.

    A state of probability 0 or 1 never changes, whatever the rounding of the sum.
    """
    xp = _module_of(bad)
    becomes_bad = (1 - memory) * bad
    stays = xp.where(bad >= 1, 1.0, xp.minimum(becomes_bad + memory, 1.0))
    return ChainThresholds(thresholds(becomes_bad), thresholds(stays))


def thresholds(probability: AnyArray | float) -> LinkThresholds:
    """Probabilities as thresholds: exact, for scaling by 2^32 loses no bits of a binary float."""
    xp = _module_of(probability)
    probability = xp.asarray(probability)
    certain = probability >= 1.0
    scaled = xp.where(certain, 0.0, probability) * 2.0**32
    high = xp.floor(scaled)
    low = xp.floor((scaled - high) * 2.0**32)
    return LinkThresholds(
        *(xp.where(certain, ALL_ONES, word.astype(xp.uint32)) for word in (high, low))
    )


def _module_of(values: AnyArray | float) -> ModuleType:
    return jnp if isinstance(values, jax.Array) else np
