"""Estimates of probabilities that carry their interval, its method and its level.

Sources: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in
the case of the binomial", Biometrika 26 (1934); E. B. Wilson, "Probable inference, the law of
succession, and statistical inference", JASA 22 (1927); J. B. S. Haldane, "On a method of
estimating frequencies", Biometrika 33 (1945). Intervals to look at again and again: `anytime`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import special

from jaxcogc.links.checks import check_choice, check_count


class Estimate(float):
    """A number that carries an interval: it *is* the float ``best``.

    Args:
      low, best, high: the interval and the estimate within it, ``low <= best <= high``, floats
        without unit (probabilities, where this package makes them).
      method: how the interval was made: ``"clopper-pearson"``, ``"wilson"``, ...; ``"exact"`` for
        a value that is no estimate.
      level: confidence level of the interval, in (0, 1]; 1 for exact values.

    Raises:
      ValueError: the three numbers are out of order or not numbers.

    >>> outage = Estimate(0.1, 0.2, 0.4, method="wilson", level=0.95)
    >>> float(outage), outage.low, outage.high, outage.method
    (0.2, 0.1, 0.4, 'wilson')
    >>> 1 - outage
    0.8
    """

    low: float
    best: float
    high: float
    method: str
    level: float

    def __new__(cls, low: float, best: float, high: float, *, method: str, level: float) -> Self:
        low, best, high = float(low), float(best), float(high)
        if not low <= best <= high:
            raise ValueError(
                f"low, best, high = {low!r}, {best!r}, {high!r}: allowed is an ascending order"
            )
        self = super().__new__(cls, best)
        self.low, self.best, self.high = low, best, high
        self.method, self.level = method, float(level)
        return self

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """An exact value: ``low = best = high``, method "exact", level 1.

        >>> Estimate.exact(0.25).high
        0.25
        """
        return cls(value, value, value, method="exact", level=1.0)

    def complement(self) -> Estimate:
        """The probability of the contrary, its interval turned round.

        >>> Estimate(0.25, 0.5, 1.0, method="wilson", level=0.95).complement()
        Estimate(low=0.0, best=0.5, high=0.75, method='wilson', level=0.95)
        """
        ends = 1.0 - self.high, 1.0 - self.best, 1.0 - self.low
        return Estimate(*ends, method=self.method, level=self.level)

    def to_dict(self) -> dict[str, float]:
        """The interval and the estimate as JSON takes them, without method and level.

        >>> Estimate(0.1, 0.2, 0.4, method="wilson", level=0.95).to_dict()
        {'low': 0.1, 'best': 0.2, 'high': 0.4}
        """
        return {"low": self.low, "best": self.best, "high": self.high}

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:  # copy and pickle
        return (self.low, self.best, self.high), {"method": self.method, "level": self.level}

    def __repr__(self) -> str:
        return (
            f"Estimate(low={self.low!r}, best={self.best!r}, high={self.high!r}, "
            f"method={self.method!r}, level={self.level!r})"
        )

    def __str__(self) -> str:
        return repr(self.best)


def clopper_pearson(num_events: int, num_trials: int, level: float = 0.95) -> Estimate:
    """Clopper-Pearson interval of a probability: it covers with at least ``level``, always.

    Args:
      num_events: events counted, an integer in 0 .. ``num_trials``.
      num_trials: trials made, fixed before they were made; an integer >= 1.
      level: two-sided confidence level, strictly between 0 and 1.

    Returns:
      Estimate with ``best = num_events / num_trials``; ``low`` is exactly 0 when no event
      was counted and ``high`` exactly 1 when every trial was one.

    Raises:
      ValueError: a count or the level is out of range.

    Source: Clopper and Pearson (1934), as quantiles of beta distributions.

    >>> interval = clopper_pearson(0, 100)
    >>> interval.low, round(interval.high, 6)
    (0.0, 0.036217)
    """
    events, trials = _checked_counts(num_events, num_trials)
    best = events / trials
    low, high = clopper_pearson_ends(np.array(events), np.array(trials), check_level(level))
    return Estimate(low.item(), best, high.item(), method="clopper-pearson", level=level)


def clopper_pearson_ends(
    num_events: np.ndarray, num_trials: np.ndarray, level: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The two ends for many counts at once, that are known to be in order."""
    # Quantiles of the beta law, its upper one from the upper tail (by `special`: `scipy.stats` says
    # the same and takes a second to import): the root finding behind
    # `binomtest(...).proportion_ci` has an absolute tolerance, 2 % off at one event in 1e10 trials.
    tail, best, others = (1.0 - level) / 2.0, num_events / num_trials, num_trials - num_events
    low = special.betaincinv(np.maximum(num_events, 1), others + 1, tail)
    high = special.betainccinv(num_events + 1, np.maximum(others, 1), tail)
    return (
        np.where(num_events > 0, np.minimum(low, best), 0.0),
        np.where(others > 0, np.maximum(high, best), 1.0),
    )


def wilson(num_events: int, num_trials: int, level: float = 0.95) -> Estimate:
    """Wilson score interval of a probability: coverage near ``level`` on average over p.

    Args:
      num_events: events counted, an integer in 0 .. ``num_trials``.
      num_trials: trials made, fixed before they were made; an integer >= 1.
      level: two-sided confidence level, strictly between 0 and 1.

    Returns:
      Estimate with ``best = num_events / num_trials``; ``low`` is exactly 0 when no event
      was counted and ``high`` exactly 1 when every trial was one.

    Raises:
      ValueError: a count or the level is out of range.

    Source: Wilson (1927); the ends are the roots of
    (N + z^2) x^2 - (2 k + z^2) x + k^2 / N with z the normal quantile.

    >>> interval = wilson(5, 10)
    >>> round(interval.low, 6), round(interval.high, 6)
    (0.236593, 0.763407)
    """
    events, trials = _checked_counts(num_events, num_trials)
    z = -float(special.ndtri((1.0 - check_level(level)) / 2.0))
    best = events / trials
    spread = z * math.sqrt(z * z + 4.0 * events * (trials - events) / trials)
    larger = (2.0 * events + z * z + spread) / 2.0
    # The smaller root from the product of the two: no cancellation at few events in many trials.
    low = events * (events / trials) / larger if events > 0 else 0.0
    high = larger / (trials + z * z) if events < trials else 1.0
    return Estimate(min(low, best), best, max(high, best), method="wilson", level=level)


def negative_binomial(num_events: int, num_trials: int, level: float = 0.95) -> Estimate:
    """Interval and unbiased estimate where trials were made until the k-th event.

    Args:
      num_events: k, events to wait for, fixed before; an integer >= 2.
      num_trials: N, the number of the trial of the k-th event; an integer >= k.
      level: two-sided confidence level, strictly between 0 and 1.

    Returns:
      Estimate with ``best = (k - 1) / (N - 1)``, whose mean is the probability (k / N is
      about 1 / (k - 1) too high), in an interval that covers with at least ``level``. Where a
      largest N was fixed too and came first, ``clopper_pearson`` completes the plan: coverage
      and unbiasedness hold for both together.

    Raises:
      ValueError: a count or the level is out of range.

    Source: Haldane (1945) for the estimate; the interval inverts P(N <= n) = P(Bin(n, p) >= k).

    >>> interval = negative_binomial(10, 1000)
    >>> round(interval, 6), round(interval.low, 6), round(interval.high, 6)
    (0.009009, 0.004806, 0.017033)
    """
    trials = check_count("num_trials", num_trials, low=2)
    events = check_count("num_events", num_events, low=2, high=trials)
    tail = (1.0 - check_level(level)) / 2.0
    best = (events - 1) / (trials - 1)
    low = float(special.betaincinv(events, trials - events + 1, tail))
    high = float(special.betainccinv(events, trials - events, tail)) if events < trials else 1.0
    return Estimate(min(low, best), best, max(high, best), method="negative-binomial", level=level)


_METHODS: dict[str, Callable[[int, int, float], Estimate]] = {
    "clopper-pearson": clopper_pearson,
    "wilson": wilson,
}


def estimate(
    num_events: int,
    num_trials: int,
    *,
    level: float = 0.95,
    interval: str = "clopper-pearson",
) -> Estimate:
    """The interval of a probability by the method named.

    Args:
      num_events, num_trials, level: as in ``clopper_pearson``.
      interval: ``"clopper-pearson"`` or ``"wilson"``.

    Returns:
      Estimate with ``best = num_events / num_trials``.

    Raises:
      ValueError: a count or the level is out of range, or the method is unknown.

    >>> estimate(3, 10, interval="wilson").method
    'wilson'
    """
    check_choice("interval", interval, tuple(_METHODS))
    return _METHODS[interval](num_events, num_trials, level)


def _checked_counts(num_events: int, num_trials: int) -> tuple[int, int]:
    trials = check_count("num_trials", num_trials)
    return check_count("num_events", num_events, low=0, high=trials), trials


def check_level(level: float) -> float:
    """A confidence level, or a ValueError unless it is strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level!r}: allowed is a number strictly between 0 and 1")
    return float(level)
