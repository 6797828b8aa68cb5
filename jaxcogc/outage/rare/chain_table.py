"""The chains behind a table of random links, for rounds whose attempts hang together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.memory import (
    LinkDynamics,
    blocked_clients,
    link_chains,
    mean_network,
)
from jaxcogc.links.network import Network
from jaxcogc.outage.random_links import LinkTable, link_table

__all__ = ["ChainTable", "all_erased_probability", "chain_table", "draw_chains"]


class ChainTable(NamedTuple):
    """Links as chains of states, one for all attempts of a round.

    Attributes:
      bad: float64 [chains], probability of the bad state.
      memory: float64 [chains], correlation of the states in two successive attempts.
      erasure: float64 [2], in the good and in the bad state.
      places: int [links, 2], the chain and the attempt of every random link of the table.
      ends: int [chains, 2], receiver and sender; the same client twice for its uplink.
      feeds: bool [clients, chains, attempts], a client's row needs the chain in an attempt.
      blocking: float64 [clients], how likely a client is blocked.
      links: the random links, those that only blocking can erase among them.
    """

    bad: HostFloats
    memory: HostFloats
    erasure: HostFloats
    places: np.ndarray
    ends: np.ndarray
    feeds: np.ndarray
    blocking: HostFloats
    links: LinkTable

    @property
    def num_attempts(self) -> int:
        """Attempts of a round."""
        return int(self.feeds.shape[2])


def chain_table(
    network: Network, code: GradientCode, attempts: int, dynamics: LinkDynamics | None
) -> ChainTable:
    """The chains of a network under a code.

    Args:
      network: mean erasure probabilities.
      code: the code of every attempt, or one redrawn for ``attempts`` attempts.
      attempts: attempts.
      dynamics: how links remember, and who is blocked; None: independent links.

    Raises:
      ValueError: dynamics that do not fit the network.
    """
    dynamics = LinkDynamics() if dynamics is None else dynamics
    chains = link_chains(network, dynamics)
    blocking = np.asarray(blocked_clients(network, dynamics), np.float64)
    links = link_table(mean_network(network, dynamics), code, attempts)
    first: dict[int, tuple[int, int, int]] = {}
    everywhere = np.argwhere(links.where >= 0).tolist()
    for a, m, k in everywhere:
        first.setdefault(int(links.where[a, m, k]), (a, m, k))
    ends = sorted({place[1:] for place in first.values()})
    number = {end: c for c, end in enumerate(ends)}
    places = np.array(
        [(number[first[n][1:]], first[n][0]) for n in range(len(links.erasure))], np.int64
    ).reshape(-1, 2)
    feeds = np.zeros((network.num_clients, len(ends), attempts), bool)
    for a, m, k in everywhere:
        feeds[m, places[links.where[a, m, k], 0], a] = True
    both = np.array(ends, np.int64).reshape(-1, 2)
    return ChainTable(
        np.asarray(chains.bad)[both[:, 0], both[:, 1]],
        np.asarray(chains.memory)[both[:, 0], both[:, 1]],
        np.array([dynamics.good_erasure, dynamics.bad_erasure], np.float64),
        places,
        both,
        feeds,
        blocking,
        links,
    )


def draw_chains(
    generator: np.random.Generator,
    table: ChainTable,
    bad: HostFloats,
    trials: int,
    required: np.ndarray | None = None,
) -> np.ndarray:
    """Draw the erasures of all chains, some of them given.

    Args:
      generator: of random numbers.
      table: the chains.
      bad: float64 [chains, attempts], the probability of a bad state that an attempt moves to
        where it does not keep the state before.
      trials: how many.
      required: bool [trials, chains, attempts], links that are erased for certain; the others
        follow the law given that. None: none are.

    Returns:
      bool [trials, chains, attempts], True where erased.
    """
    shape = (trials, *bad.shape)
    required = np.zeros(shape, bool) if required is None else required
    after = _given_later(table, bad, required)
    erased = np.zeros(shape, bool)
    state = np.zeros(shape[:2], bool)
    for t in range(shape[2]):
        chance = bad[:, t] if t == 0 else _moved(table, state.astype(np.float64), bad[:, t])
        into_bad, into_good = chance * after[1][t], (1.0 - chance) * after[0][t]
        both = into_bad + into_good
        state = generator.random(shape[:2]) * both < into_bad
        lost = generator.random(shape[:2]) < table.erasure[state.astype(np.int64)]
        erased[:, :, t] = required[:, :, t] | lost
    return erased


def all_erased_probability(
    table: ChainTable, chains: np.ndarray, required: np.ndarray
) -> HostFloats:
    """Probability that a chain is erased in all of some attempts.

    Args:
      table: the chains.
      chains: int [cases], their numbers.
      required: bool [cases, attempts].

    Returns:
      float64 [cases].
    """
    some = table._replace(bad=table.bad[chains], memory=table.memory[chains])
    bad = np.repeat(some.bad[:, None], required.shape[1], axis=1)
    good_after, bad_after = _given_later(some, bad, required[None])
    chance: HostFloats = (1.0 - some.bad) * good_after[0][0] + some.bad * bad_after[0][0]
    return chance


def _moved(table: ChainTable, state: HostFloats, bad: HostFloats) -> HostFloats:
    """Probability of a bad state an attempt after one that is bad (1) or good (0)."""
    moved: HostFloats = (1.0 - table.memory) * bad + table.memory * state
    return moved


def _given_later(
    table: ChainTable, bad: HostFloats, required: np.ndarray
) -> tuple[list[HostFloats], list[HostFloats]]:
    """Probability of what is required from an attempt on, given its state: good, and bad.

    float64 [trials, chains], one for each attempt.
    """
    good: list[HostFloats] = [np.ones(())] * required.shape[2]
    worse = list(good)
    next_good = next_bad = np.ones(required.shape[:2])
    for t in range(required.shape[2] - 1, -1, -1):
        good[t] = np.where(required[:, :, t], table.erasure[0], 1.0) * next_good
        worse[t] = np.where(required[:, :, t], table.erasure[1], 1.0) * next_bad
        from_good = _moved(table, np.zeros(1), bad[:, t])
        from_bad = _moved(table, np.ones(1), bad[:, t])
        next_good = from_good * worse[t] + (1.0 - from_good) * good[t]
        next_bad = from_bad * worse[t] + (1.0 - from_bad) * good[t]
    return good, worse
