"""Counts by strata of known probability, and the estimates that they give.

Source: docs/mathematics/statistics.md, "Strata of known probability".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxcogc._types import HostFloats
from jaxcogc.outage.counts import OutcomeCounts, Outcomes, mean_weight
from jaxcogc.outage.intervals import Estimate, clopper_pearson_ends
from jaxcogc.outage.outcomes import ByOutcome, counted
from jaxcogc.outage.stratified.known_strata import Strata, heavy_enough, merged

METHOD = "stratified clopper-pearson"


@dataclasses.dataclass(frozen=True, eq=False)
class StratifiedCounts:
    """Outcomes of a number of trials, counted in each stratum; ``a + b`` adds two of one run.

    Attributes:
      strata: with their probabilities.
      counts: of each.
      counting_decides: standard decoding succeeds where M - s complete rows arrive, nowhere else.
    """

    strata: Strata
    counts: tuple[OutcomeCounts, ...]
    counting_decides: bool

    @property
    def trials(self) -> int:
        """Of all strata."""
        return sum(each.trials for each in self.counts)

    @property
    def total(self) -> OutcomeCounts:
        """The plain counts of the same trials."""
        return reduce(add, self.counts)

    def __add__(self, other: StratifiedCounts) -> StratifiedCounts:
        """Of the same strata."""
        if not all(map(np.array_equal, self.strata, other.strata)):
            raise ValueError("counts of different strata do not add")
        both = zip(self.counts, other.counts, strict=True)
        return dataclasses.replace(self, counts=tuple(one + more for one, more in both))


class _Part(NamedTuple):
    """A stratum of the estimate: its probability, its trials and what is certain in it."""

    weight: float
    counts: OutcomeCounts
    events: ByOutcome[int]
    certain: dict[str, float]


def stratified_outcomes(counts: StratifiedCounts, *, level: float = 0.95) -> Outcomes:
    """Rates, intervals and mean coefficients from counts by strata.

    Args:
      counts: of at least one trial.
      level: confidence level of every interval, strictly between 0 and 1 (checked before).

    Returns:
      Outcomes; an interval adds up, in squares, what the Clopper-Pearson intervals of the strata
      leave open. ``plain_trials_worth``: how many plain trials one of these was worth.
    """
    parts = _parts(counts)
    names = [field.name for field in dataclasses.fields(ByOutcome)]
    events = {name: _estimate(parts, name, level) for name in names}
    weights = np.array([part.weight if part.counts.trials else 0.0 for part in parts])
    shares = weights / weights.sum()

    def mean(values: Iterable[npt.ArrayLike]) -> HostFloats:
        trials = np.array([max(part.counts.trials, 1) for part in parts])
        return np.asarray((shares / trials) @ np.array([*values], np.float64))

    found = [part.counts for part in parts]
    return Outcomes(
        **{name: estimate for name, (estimate, _) in events.items()},
        mean_rank=float(mean(c.rank_sum for c in found)),
        num_recovered_pmf=mean(c.num_recovered for c in found),
        client_recovered=mean(c.client_recovered for c in found),
        gc_plus_weight=mean(
            mean_weight(c.gc_plus_full, c.gc_plus_partial_recovered) for c in found
        ),
        row_space_weight=mean(
            mean_weight(c.row_space_exact, c.row_space_partial_recovered) for c in found
        ),
        trials=counts.trials,
        custom={},
        plain_trials_worth={name: worth for name, (_, worth) in events.items()},
    )


def _parts(counts: StratifiedCounts) -> list[_Part]:
    """Strata of enough trials on average."""
    places = heavy_enough(counts.strata, counts.trials)
    strata = merged(counts.strata, places)
    parts = []
    for place, (weight, decoded, low_rank) in enumerate(zip(*strata, strict=True)):
        own = [each for each, there in zip(counts.counts, places, strict=True) if there == place]
        certain: dict[str, float] = {}
        if low_rank:  # not every client's update is known
            certain["all_individuals"] = 0.0
        if decoded == 1:
            certain |= dict.fromkeys(("gc_plus_full", "row_space_exact"), 1.0)
            lost = ("gc_outage", "gc_plus_partial", "gc_plus_none")
            certain |= dict.fromkeys((*lost, "row_space_partial", "row_space_none"), 0.0)
        if decoded == 0 and counts.counting_decides:
            certain["gc_outage"] = 1.0
            if low_rank:
                certain["gc_plus_full"] = 0.0
        total = reduce(add, own)
        parts.append(_Part(float(weight), total, counted(total._asdict()), certain))
    return parts


def _estimate(parts: list[_Part], name: str, level: float) -> tuple[Estimate, float | None]:
    """Of an outcome; and how many plain trials a trial was worth, where that can be said."""
    open_parts = [part for part in parts if name not in part.certain]
    weights = np.array([part.weight for part in open_parts])
    trials = np.array([part.counts.trials for part in open_parts], np.int64)
    numbers = np.array([part.events.by_name()[name] for part in open_parts], np.int64)
    some = trials > 0
    rates = np.where(some, numbers, 0.5) / np.where(some, trials, 1)
    low, high = np.zeros(len(weights)), np.ones(len(weights))  # of those without a trial
    low[some], high[some] = clopper_pearson_ends(numbers[some], trials[some], level)
    known = sum(part.weight * part.certain[name] for part in parts if name in part.certain)
    best = float(known + weights @ rates)
    variance = float(weights @ (rates * (1.0 - rates)))
    below = float((weights**2) @ (rates - low) ** 2)
    above = float((weights**2) @ (high - rates) ** 2)
    best = min(best, 1.0)  # the weights add up to 1 but for rounding
    ends = max(best - below**0.5, 0.0), best, min(best + above**0.5, 1.0)
    worth = best * (1.0 - best) / variance if variance > 0.0 else None
    return Estimate(*ends, method=METHOD, level=level), worth
