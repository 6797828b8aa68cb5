"""How the row of a client can fail in a whole round: the smallest sets of erasures that do it.

Forgetting, each attempt has a link that is erased. Keeping what was heard, a peer link is erased up
to some attempt and the uplink from then on. Trials drawn given one mode, chosen by its probability,
have the density of the network times the number of modes that they show over its mean.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.outage.rare.chain_table import ChainTable, all_erased_probability

__all__ = ["FailureModes", "failure_modes"]

_MOST_MODES = 4096


class FailureModes(NamedTuple):
    """The modes of every client's row.

    Attributes:
      chains: for each client int [modes, attempts], the chain that is erased in an attempt; -1
        for none.
      probabilities: for each client float64 [modes], of each mode by itself.
      attempts: how many attempts a mode spans: the first ones, where there would be too many.
      keep_heard: clients keep what they heard in earlier attempts.
    """

    chains: list[np.ndarray]
    probabilities: list[HostFloats]
    attempts: int
    keep_heard: bool

    @property
    def means(self) -> HostFloats:
        """Mean number of modes that a trial shows, float64 [clients]."""
        return np.array([p.sum() for p in self.probabilities])

    def counts(self, table: ChainTable, erased: np.ndarray) -> HostFloats:
        """How many modes trials show.

        Args:
          table: the chains.
          erased: bool [trials, chains, attempts].

        Returns:
          float64 [trials, clients].
        """
        count = self._kept_counts if self.keep_heard else self._forgotten_counts
        counts: HostFloats = np.stack(
            [count(table, m, erased) for m in range(len(self.chains))], axis=1
        )
        return counts

    def _forgotten_counts(self, table: ChainTable, m: int, erased: np.ndarray) -> HostFloats:
        count = np.ones(len(erased))
        for a in range(self.attempts):
            count *= erased[:, table.feeds[m, :, a], a].sum(axis=1)
        return count

    def _kept_counts(self, table: ChainTable, m: int, erased: np.ndarray) -> HostFloats:
        uplink, peers = _own_chains(table, m)
        # Entry d: of the uplink from attempt d on, of a peer link in the first d.
        silent = np.ones((len(erased), self.attempts + 1), bool)
        if uplink is None:
            silent[:, : self.attempts] = False
        else:
            rest = erased[:, uplink, ::-1]
            silent[:, : self.attempts] = np.logical_and.accumulate(rest, axis=1)[:, ::-1]
        unheard = np.logical_and.accumulate(erased[:, peers], axis=2).sum(axis=1)
        counts: HostFloats = silent[:, 0] + (silent[:, 1:] * unheard).sum(axis=1, dtype=np.float64)
        return counts


def failure_modes(table: ChainTable, keep_heard: bool) -> FailureModes:
    """The modes of all rows; none for a row that never or always fails."""
    attempts = table.num_attempts
    find = _kept_modes if keep_heard else _forgotten_modes
    if not keep_heard:
        sizes = np.cumprod(table.feeds.sum(axis=1, dtype=np.float64), axis=1).max(axis=0)
        attempts = max(int(np.sum(sizes <= _MOST_MODES)), 1)
    chains = [find(table, m, attempts) for m in range(len(table.feeds))]
    return FailureModes(
        chains, [_mode_probabilities(table, c) for c in chains], attempts, keep_heard
    )


def _forgotten_modes(table: ChainTable, m: int, attempts: int) -> np.ndarray:
    choices = [np.flatnonzero(table.feeds[m, :, a]).tolist() for a in range(attempts)]
    modes = np.array(list(itertools.product(*choices)), np.int64).reshape(-1, attempts)
    rest = np.full((len(modes), table.num_attempts - attempts), -1)
    return np.concatenate([modes, rest], axis=1)


def _kept_modes(table: ChainTable, m: int, attempts: int) -> np.ndarray:
    uplink, peers = _own_chains(table, m)
    modes = []
    for heard_late in range(attempts + 1):
        if uplink is None and heard_late < attempts:
            continue
        for peer in peers if heard_late else (-1,):
            modes.append([peer] * heard_late + [uplink or 0] * (attempts - heard_late))
    return np.array(modes, np.int64).reshape(-1, attempts)


def _own_chains(table: ChainTable, m: int) -> tuple[int | None, np.ndarray]:
    """A client's uplink, None if it always delivers, and the peer links of its row."""
    used = np.flatnonzero(table.feeds[m].any(axis=1))
    is_uplink = table.ends[used, 0] == table.ends[used, 1]
    uplinks = used[is_uplink].tolist()
    return (uplinks[0] if uplinks else None), used[~is_uplink]


def _mode_probabilities(table: ChainTable, modes: np.ndarray) -> HostFloats:
    """Of all erasures of a mode: a product over its chains."""
    probabilities = np.ones(len(modes))
    for a in range(modes.shape[1]):
        chain = modes[:, a]
        first = (chain >= 0) & ~(modes[:, :a] == chain[:, None]).any(axis=1)
        required = modes[first] == chain[first, None]
        probabilities[first] *= all_erased_probability(table, chain[first], required)
    return probabilities
