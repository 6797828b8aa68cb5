"""Importance sampling of links that remember, of blocked clients, and of clients that keep.

A *link tilt* moves the chances of the bad state, attempt by attempt, and leaves the memory: its
density is a pass forward over the two states of each chain. A *client tilt* lets the row of a
client fail with a probability of its own, in one of the ways of `failure_modes`. Both give blocked
clients a probability of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from jaxcogc._types import HostFloats
from jaxcogc.outage.rare.chain_table import ChainTable, draw_chains
from jaxcogc.outage.rare.failure_modes import failure_modes
from jaxcogc.outage.rare.independent_laws import SMOOTHING, rows_are_apart, shift_steps
from jaxcogc.outage.rare.link_laws import Drawn, inside

__all__ = ["ChainLaw", "ChainLaws"]

_FAILING = (0.1, 0.3, 0.6, 0.9)
_MOST_FAILING = 0.98


class ChainLaw(NamedTuple):
    """A law of the links.

    Attributes:
      bad: float64 [chains, attempts], probability of the bad state that an attempt moves to where
        it does not keep the state before.
      blocking: float64 [clients], probability of a client's being blocked.
      failing: float64 [clients], of a client tilt: how often one of the failure modes is chosen.
    """

    bad: HostFloats
    blocking: HostFloats
    failing: HostFloats | None = None


class ChainTrials(NamedTuple):
    """What tells laws apart.

    Attributes:
      drawn: the trials themselves.
      modes: float64 [trials, clients], how many failure modes they show.
      plain: float64 [trials], logarithm of their chains' probability on the network.
    """

    drawn: Drawn
    modes: HostFloats
    plain: HostFloats


class ChainLaws:
    """The laws of a table of chains."""

    def __init__(self, table: ChainTable, *, keep_heard: bool) -> None:
        self.table = table
        self.modes = failure_modes(table, keep_heard)
        self.rows_are_apart = rows_are_apart(table.links)
        self._plain_bad = np.repeat(table.bad[:, None], table.num_attempts, axis=1)
        self._moving = (self._plain_bad > 0.0) & (self._plain_bad < 1.0)
        self._may_block = (table.blocking > 0.0) & (table.blocking < 1.0)

    def plain(self) -> ChainLaw:
        """The network as it is."""
        return ChainLaw(self._plain_bad, self.table.blocking)

    def shifts(self) -> list[ChainLaw]:
        """All log-odds, of links and of blocking, shifted together; rows that fail more often."""
        odds, blocking = special.logit(self._plain_bad), special.logit(self.table.blocking)
        steps = shift_steps(np.append(odds[self._moving], blocking[self._may_block]))
        laws = [
            self._law(special.expit(odds + step), special.expit(blocking + step)) for step in steps
        ]
        if self.rows_are_apart:
            likelier = [special.expit(blocking + step) for step in (0.0, steps[-1])]
            laws += [
                self._law(self._plain_bad, blocked, np.full(len(blocked), failing))
                for blocked in (likelier if self._may_block.any() else likelier[:1])
                for failing in _FAILING
            ]
        return laws

    def fitted(self, weights: Sequence[HostFloats], seen: Sequence[ChainTrials]) -> list[ChainLaw]:
        """The laws closest to weighted trials: of links, and of clients."""
        prior = SMOOTHING
        everything = sum(float(w.sum()) for w in weights)

        def mean(values: list[np.ndarray]) -> HostFloats:
            sums = [np.tensordot(w, x, 1) for w, x in zip(weights, values, strict=True)]
            found: HostFloats = np.sum(sums, axis=0) / everything
            return found

        good, worse = self.table.erasure
        erased = mean([trials.drawn.erased for trials in seen])
        state = np.clip((erased - good) / (worse - good), 0.0, 1.0)
        state = (state + prior * self._plain_bad) / (1.0 + prior)
        memory = self.table.memory[:, None]
        moved = (state[:, 1:] - memory * state[:, :-1]) / np.where(memory < 1.0, 1.0 - memory, 1.0)
        bad = np.concatenate([state[:, :1], moved], axis=1)
        blocked = mean([trials.drawn.blocked for trials in seen])
        blocked = (blocked + prior * self.table.blocking) / (1.0 + prior)
        laws = [self._law(bad, blocked)]
        if self.rows_are_apart:
            failing = mean([trials.modes > 0.0 for trials in seen])
            laws.append(self._law(self._plain_bad, blocked, failing))
        return laws

    def draw(self, generator: np.random.Generator, law: ChainLaw, trials: int) -> Drawn:
        """Trials of a law; chains of blocked clients go on as if they were not."""
        blocked = generator.random((trials, len(law.blocking))) < law.blocking
        required = None
        if law.failing is not None:
            required = self._modes_drawn(generator, law.failing, trials)
        return Drawn(draw_chains(generator, self.table, law.bad, trials, required), blocked)

    def erased(self, drawn: Drawn) -> np.ndarray:
        """The random links that deliver nothing: their own erasure, or a blocked end."""
        chains, attempts = self.table.places.T
        receiver, sender = self.table.ends[chains].T
        both = drawn.blocked[:, receiver] | drawn.blocked[:, sender]
        erased: np.ndarray = drawn.erased[:, chains, attempts] | both
        return erased

    def seen(self, drawn: Drawn, looked_at: np.ndarray) -> ChainTrials:
        """What tells the laws apart: all links, whether or not the server looks at them."""
        plain = self._log_density(self._plain_bad, drawn.erased)
        return ChainTrials(drawn, self.modes.counts(self.table, drawn.erased), plain)

    def log_ratios(self, laws: Sequence[ChainLaw], seen: ChainTrials) -> HostFloats:
        """log(q / p) under every law."""
        ratios: HostFloats = np.stack([self._log_ratio(law, seen) for law in laws], axis=1)
        return ratios

    def _law(
        self, bad: HostFloats, blocking: HostFloats, failing: HostFloats | None = None
    ) -> ChainLaw:
        """A law that leaves alone what the network leaves no choice of."""
        if failing is not None:
            possible = self.modes.means > 0.0
            failing = np.where(possible, np.minimum(failing, _MOST_FAILING), 0.0)
        return ChainLaw(
            np.where(self._moving, inside(bad), self._plain_bad),
            np.where(self._may_block, inside(blocking), self.table.blocking),
            failing,
        )

    def _modes_drawn(
        self, generator: np.random.Generator, failing: HostFloats, trials: int
    ) -> np.ndarray:
        """What is erased for certain: bool [trials, chains, attempts]."""
        required = np.zeros((trials, *self._plain_bad.shape), bool)
        fails = generator.random((trials, len(failing))) < failing
        position = generator.random((trials, len(failing)))
        for m, probabilities in enumerate(self.modes.probabilities):
            chosen = np.flatnonzero(fails[:, m])
            if not len(chosen):
                continue
            edges = np.cumsum(probabilities)
            mode = np.searchsorted(edges, position[chosen, m] * edges[-1], side="right")
            chains = self.modes.chains[m][mode]
            for attempt in range(self.modes.attempts):
                required[chosen, chains[:, attempt], attempt] = True
        return required

    def _log_ratio(self, law: ChainLaw, seen: ChainTrials) -> HostFloats:
        ratio = self._log_blocking_ratio(law.blocking, seen.drawn.blocked)
        if law.failing is not None:
            means = np.where(self.modes.means > 0.0, self.modes.means, 1.0)
            mixed = (1.0 - law.failing) + law.failing * seen.modes / means
            ratio = ratio + np.log(mixed).sum(axis=1)
        elif law.bad is not self._plain_bad:
            ratio = ratio + self._log_density(law.bad, seen.drawn.erased) - seen.plain
        return ratio

    def _log_blocking_ratio(self, blocking: HostFloats, blocked: np.ndarray) -> HostFloats:
        ours, plain = (np.where(self._may_block, x, 0.5) for x in (blocking, self.table.blocking))
        failed, served = np.log(ours) - np.log(plain), np.log1p(-ours) - np.log1p(-plain)
        ratio: HostFloats = blocked @ (failed - served) + served.sum()
        return ratio

    def _log_density(self, bad: HostFloats, erased: np.ndarray) -> HostFloats:
        """Logarithm of the probability of the erasures of all chains: float64 [trials]."""
        memory = self.table.memory
        total = np.zeros(len(erased))
        in_bad = np.broadcast_to(bad[:, 0], erased.shape[:2])
        for t in range(erased.shape[2]):
            if t:
                in_bad = (1.0 - memory) * bad[:, t] + memory * in_bad
            shows = [np.where(erased[:, :, t], e, 1.0 - e) for e in self.table.erasure]
            weight_bad, weight_good = in_bad * shows[1], (1.0 - in_bad) * shows[0]
            chance = weight_bad + weight_good
            total += np.log(chance).sum(axis=1)
            in_bad = weight_bad / chance
        return total
