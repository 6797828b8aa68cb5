"""Every pattern of the random links that makes a difference, and its probability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.links.memory import LinkChains, LinkDynamics, link_chains
from jaxcogc.links.network import Network
from jaxcogc.outage.random_links import DELIVERED, RandomLink

__all__ = ["LinkHistory", "link_histories", "pattern_probabilities"]


class LinkHistory(NamedTuple):
    """One link in all attempts of a round, a chain of states; of one state without memory.

    Attributes:
      start: float64 [states], of the first attempt, and of any other by itself.
      erasure: float64 [states].
      memory: correlation of the states in two successive attempts.
      numbers: of the random links that are this link in an attempt, in turn.
    """

    start: HostFloats
    erasure: HostFloats
    memory: float
    numbers: list[int]

    def after(self, states: HostFloats, attempts: int) -> HostFloats:
        """Joint probabilities [patterns, states], so many attempts later."""
        kept = self.memory**attempts
        moved: HostFloats = kept * states + (1.0 - kept) * states.sum(axis=1)[:, None] * self.start
        return moved


def link_histories(
    network: Network, links: list[RandomLink], dynamics: LinkDynamics | None
) -> list[LinkHistory]:
    """The chains of some random links, uplinks first.

    Args:
      network: the mean erasure probabilities.
      links: as `random_links` gives them.
      dynamics: how links remember; None: every attempt of a link is a history of its own.
    """
    if dynamics is None:
        one = np.ones(1)
        return [LinkHistory(one, one * link.erasure, 0.0, [n]) for n, link in enumerate(links)]
    chains = link_chains(network, dynamics)
    grouped: dict[tuple[int, int], list[int]] = {}
    for number, link in enumerate(links):
        _, receiver, sender = link.places[0]
        grouped.setdefault((receiver, sender), []).append(number)
    return [_history(chains, dynamics, place, numbers) for place, numbers in grouped.items()]


def _history(
    chains: LinkChains, dynamics: LinkDynamics, place: tuple[int, int], numbers: list[int]
) -> LinkHistory:
    bad = float(chains.bad[place])
    erasure = np.array([dynamics.good_erasure, dynamics.bad_erasure], np.float64)
    return LinkHistory(np.array([1.0 - bad, bad]), erasure, float(chains.memory[place]), numbers)


def pattern_probabilities(
    links: list[RandomLink],
    where: np.ndarray,
    histories: list[LinkHistory],
    *,
    keep_heard: bool = False,
) -> tuple[np.ndarray, HostFloats]:
    """All patterns that differ in what the server receives, and their probabilities.

    Link i is bit i of a pattern, set = delivered. A link is looked at where the server hears a row
    that it feeds; with ``keep_heard``, one of this attempt or a later one.

    Args:
      links, where: as `random_links` gives them.
      histories: as `link_histories` gives them.
      keep_heard: clients keep what they heard in earlier attempts.

    Returns:
      uint32 [patterns], a link that nobody looks at being erased; float64 [patterns].
    """
    patterns, probabilities = np.zeros(1, np.uint32), np.ones(1)
    for history in histories:
        joint = probabilities[:, None] * history.start
        before = None
        for number in history.numbers:
            attempt = links[number].places[0][0]
            if before is not None:
                joint = history.after(joint, attempt - before)
            looked_at = _looked_at(patterns, links[number], where, keep_heard)
            erased = joint * np.where(looked_at[:, None], history.erasure, 1.0)
            delivered = joint[looked_at] * (1.0 - history.erasure)
            patterns = np.concatenate([patterns, patterns[looked_at] | np.uint32(1 << number)])
            joint, before = np.concatenate([erased, delivered]), attempt
        probabilities = joint.sum(axis=1)
    return patterns, probabilities


def _looked_at(
    patterns: np.ndarray, link: RandomLink, where: np.ndarray, keep_heard: bool
) -> np.ndarray:
    found = np.zeros(len(patterns), bool)
    for attempt, receiver, sender in link.places:
        last = len(where) if keep_heard else attempt + 1
        for uplink in where[attempt:last, receiver, receiver]:
            if receiver == sender or uplink == DELIVERED:
                found[:] = True
            elif uplink >= 0:
                found |= (patterns >> uplink & 1).astype(bool)
    return found
