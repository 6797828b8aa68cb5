"""Sums of weighted trials, and the outcomes estimated from them.

Trials come in groups: the components of a mixture, or the strata of a sample. A group has a share,
and an estimate is the sum over groups of share x mean. Its standard error is that of independent
means, its interval a normal one, computed for the event or its complement, whichever is rarer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from jaxcogc._types import HostFloats
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.names import OUTCOMES
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.outcomes import classify

__all__ = ["ENOUGH", "Group", "RareOutcomes", "Sums", "rare_outcomes_from_groups"]

ENOUGH = 100.0
"""Effective sample size below which an estimate is flagged: a standard error of about 10 %."""

_SUCCESSES = ("gc_plus_full", "row_space_exact")
FAILURES = np.array(
    [
        [name not in (*_SUCCESSES, "all_individuals") for name in OUTCOMES],
        [name in _SUCCESSES for name in OUTCOMES],
    ]
)
"""[2, 8]: the events of `OUTCOMES` (row 0), or the complements of which (row 1), are impossible
where the standard decoder succeeds."""


class RareOutcomes(NamedTuple):
    """Outcomes by a rare-event method, and how far to trust each.

    Attributes:
      outcomes: every probability, with its interval.
      method: ``"importance"`` or ``"strata"``.
      effective_sample_size: by field of ``outcomes``: the number of equally weighted trials with
        the event that would be as precise, about 1 / (relative standard error)^2; None where
        nothing was sampled.
      tail_bound: probability of the strata that were left out, which every ``high`` includes and
        no ``best`` does; None for importance sampling, which leaves out nothing.
      flagged: fields whose effective sample size is below 100, or whose event was never seen, or
        might hide in strata where it was not seen: not to be relied on.
    """

    outcomes: Outcomes
    method: str
    effective_sample_size: dict[str, float | None]
    tail_bound: float | None
    flagged: tuple[str, ...]


class Sums(NamedTuple):
    """Sums over the trials of a group.

    Attributes:
      trials: number of trials.
      first, second: float64 [2, 8], sums of the weights and of their squares over the trials with
        each event of `OUTCOMES` (row 0), and without it (row 1).
      means: float64 [4 * clients + 2], weighted sums of what `Outcomes` has without an interval.
    """

    trials: int
    first: HostFloats
    second: HostFloats
    means: HostFloats

    @classmethod
    def zero(cls, num_clients: int) -> Sums:
        """No trial yet."""
        shape = (2, len(OUTCOMES))
        return cls(0, np.zeros(shape), np.zeros(shape), np.zeros(4 * num_clients + 2))

    @classmethod
    def of(cls, weights: HostFloats, recovery: Recovery) -> Sums:
        """Sums over some trials: weights float64 [trials], recovery [trials] leading."""
        happened = np.stack(list(classify(recovery).by_name().values()))
        both = np.concatenate([happened, ~happened]).astype(np.float64)
        shape = (2, len(OUTCOMES))
        first, second = ((both @ power).reshape(shape) for power in (weights, weights**2))
        return cls(len(weights), first, second, _means(weights, recovery))

    def plus(self, other: Sums) -> Sums:
        """Sums of both."""
        return Sums(
            self.trials + other.trials,
            self.first + other.first,
            self.second + other.second,
            self.means + other.means,
        )


class Group(NamedTuple):
    """A group of trials.

    Attributes:
      share: its share in every estimate.
      mass: the probability that its trials, counted without weights, stand for: of the stratum;
        1 for the plain network's component, 0 for the others.
      sums: of its trials.
      exact: every pattern of the group is there, weighted by its probability: no error.
      safe: the standard decoder succeeds in every trial of the group, known without looking.
    """

    share: float
    mass: float
    sums: Sums
    exact: bool = False
    safe: bool = False


def rare_outcomes_from_groups(
    groups: Sequence[Group], *, method: str, level: float, tail_bound: float | None
) -> RareOutcomes:
    """Outcomes from all groups.

    Args:
      groups: their shares and left-out tail add to 1.
      method: the method's name.
      level: confidence level of the intervals.
      tail_bound: probability that no group covers; None for none at all.

    Returns:
      RareOutcomes; the fields without interval are normalised by the sum of all weights.
    """
    found = {
        name: _estimate(groups, index, method, level, tail_bound or 0.0)
        for index, name in enumerate(OUTCOMES)
    }
    estimates = {name: probability.estimate for name, probability in found.items()}
    parts = [g.share * g.sums.means / (1 if g.exact else g.sums.trials) for g in groups]
    means = np.sum(parts, axis=0)
    clients = (len(means) - 2) // 4
    pmf, rest = means[: clients + 1], means[clients + 1 : -1].reshape(3, clients)
    total = pmf.sum()
    members, gc_plus, row_space = rest / total
    outcomes = Outcomes(
        **estimates,
        custom={},
        plain_trials_worth=None,
        mean_rank=float(means[-1] / total),
        num_recovered_pmf=pmf / total,
        client_recovered=np.minimum(members, 1.0),
        gc_plus_weight=gc_plus + estimates["gc_plus_full"] / clients,
        row_space_weight=row_space + estimates["row_space_exact"] / clients,
        trials=sum(group.sums.trials for group in groups if not group.exact),
    )
    return RareOutcomes(
        outcomes,
        method,
        {name: probability.effective_size for name, probability in found.items()},
        tail_bound,
        tuple(name for name, probability in found.items() if probability.flagged),
    )


class _Probability(NamedTuple):
    """Of an event: its estimate, the effective sample size, and whether it is flagged."""

    estimate: Estimate
    effective_size: float | None
    flagged: bool


class _Moments(NamedTuple):
    """Of an event: its probability, the variance of that, the effective sample size, and a bound
    on the probability where it is 0.
    """

    best: float
    variance: float
    effective_size: float | None
    unseen: float


def _estimate(
    groups: Sequence[Group], index: int, method: str, level: float, tail: float
) -> _Probability:
    event, complement = (_moments(groups, index, side, level) for side in (0, 1))
    rarer = int(complement.best < event.best)  # its digits are the ones to keep
    kept = complement if rarer else event
    deviation = -float(special.ndtri((1.0 - level) / 2.0)) * np.sqrt(kept.variance)
    low = max(0.0, kept.best - deviation)
    high = min(1.0, kept.best + max(deviation, kept.unseen if kept.best == 0 else 0) + tail)
    value = kept.best
    if rarer:
        low, value, high = 1.0 - high, 1.0 - value, 1.0 - low
        low, value = max(0.0, low), max(0.0, value - tail)
        low = min(low, value)
    strata = () if method == "importance" else groups
    hidden = max((_one_more(group, index, rarer) for group in strata), default=0.0)
    sizes = event.effective_size, kept.effective_size
    few = any(size is not None and size < ENOUGH for size in sizes)
    flagged = bool(few or kept.best == 0.0 < kept.unseen or hidden > kept.best > 0.0)
    estimate = Estimate(low, value, high, method=method, level=level)
    return _Probability(estimate, event.effective_size, flagged)


def _moments(groups: Sequence[Group], index: int, complement: int, level: float) -> _Moments:
    best = variance = squares = unseen = 0.0
    sampled = False
    for group in groups:
        count = group.sums.trials
        first = float(group.sums.first[complement, index])
        second = float(group.sums.second[complement, index])
        if group.exact:
            best += first
            continue
        if group.safe and FAILURES[complement, index]:
            continue
        sampled = True
        mean = first / count
        best += group.share * mean
        variance += group.share**2 * max(second / count - mean**2, 0.0) / max(count - 1, 1)
        squares += group.share**2 * second / count**2
        unseen += group.mass * (1.0 - ((1.0 - level) / 2.0) ** (1.0 / count))
    size = None if not sampled else (best**2 / squares if squares > 0.0 else 0.0)
    if sampled and squares == 0.0 and best > 0.0:
        size = None  # all of it was enumerated
    return _Moments(best, variance, size, unseen)


def _one_more(group: Group, index: int, complement: int) -> float:
    """What one trial with the event would have added in a stratum that shows none."""
    if group.exact or (group.safe and FAILURES[complement, index]):
        return 0.0
    unseen = group.sums.first[complement, index] == 0.0
    return group.mass / group.sums.trials if unseen else 0.0


def _means(weights: HostFloats, recovery: Recovery) -> HostFloats:
    """Weighted sums: P(|K| = n), P(k in K), coefficients of partial averages (two), the rank."""
    happened, members = classify(recovery), np.asarray(recovery.client_recovered, np.float64)
    clients, size = members.shape[1], members.sum(axis=1)
    share = weights / np.maximum(size, 1.0)
    sizes = np.bincount(size.astype(np.int64), weights, clients + 1)
    partial = (happened.gc_plus_partial, happened.row_space_partial)
    rows = np.stack([weights, *(np.where(part, share, 0.0) for part in partial)])
    return np.concatenate([sizes, (rows @ members).ravel(), [recovery.rank @ weights]])
