"""Confidence sequences: intervals that hold at every time at once, however often one looks.

The evidence against a probability p after k events in n trials is the likelihood ratio of a
mixture over all probabilities (a Beta(1/2, 1/2) law) to p,

    E(p) = B(k + 1/2, n - k + 1/2) / B(1/2, 1/2) / (p^k (1 - p)^(n - k)).

Under the true p it is a non-negative martingale that starts at 1, so by Ville's inequality it ever
reaches 1 / alpha with probability at most alpha: {p : E(p) < 1 / alpha} misses the truth at any
time at all with probability at most alpha. E is convex in p, so this is an interval.

Sources: J. Ville, "Étude critique de la notion de collectif" (1939); H. Robbins, "Statistical
methods related to the law of the iterated logarithm", Ann. Math. Statist. 41 (1970).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special

from jaxcogc.links.checks import check_count
from jaxcogc.outage.intervals import Estimate, check_level

if TYPE_CHECKING:  # events are counted without JAX
    from jaxcogc._types import HostFloats, Numbers

METHOD = "anytime-beta-mixture"
_PRIOR = 0.5
_SMALLEST_LOG = -800.0  # of a probability; below the smallest float64


def anytime(num_events: int, num_trials: int, level: float = 0.95) -> Estimate:
    """Interval of a probability that stays valid however often, and whenever, one looks at it.

    Args:
      num_events: events counted so far, an integer in 0 .. ``num_trials``.
      num_trials: trials made so far, for whatever reason no more; an integer >= 1.
      level: confidence level of all looks together, strictly between 0 and 1.

    Returns:
      Estimate with ``best = num_events / num_trials``.

    Raises:
      ValueError: a count or the level is out of range.

    Source: module docstring.

    >>> interval = anytime(10, 1000)
    >>> round(interval.low, 5), round(interval.high, 5)
    (0.00241, 0.02616)
    """
    trials = check_count("num_trials", num_trials)
    events = check_count("num_events", num_events, low=0, high=trials)
    low, high = map(float, anytime_bounds(events, trials, check_level(level)))
    best = events / trials
    return Estimate(min(low, best), best, max(high, best), method=METHOD, level=level)


def anytime_bounds(
    num_events: Numbers, num_trials: Numbers, level: float
) -> tuple[HostFloats, HostFloats]:
    """Both ends for many pairs of counts at once.

    Args:
      num_events, num_trials: integers of one shape, such as [points].
      level: as in `anytime`.

    Returns:
      Two float64 arrays of that shape.
    """
    events, trials = np.asarray(num_events, np.float64), np.asarray(num_trials, np.float64)
    return _lower_end(events, trials, level), 1.0 - _lower_end(trials - events, trials, level)


def log_evidence(num_events: Numbers, num_trials: Numbers, log_p: float | HostFloats) -> HostFloats:
    """log E(p): the logarithm of the evidence against a probability.

    Args:
      num_events, num_trials: numbers of one shape.
      log_p: log p <= 0, of the same shape or a number.
    """
    events, trials = np.asarray(num_events, np.float64), np.asarray(num_trials, np.float64)
    missed = trials - events
    mixture = special.betaln(events + _PRIOR, missed + _PRIOR) - special.betaln(_PRIOR, _PRIOR)
    with np.errstate(divide="ignore"):  # p = 1: -inf, and infinite evidence once an event missed
        log_q = np.log(-np.expm1(log_p))
    seen = np.where(events > 0, events * log_p, 0.0)
    evidence: HostFloats = mixture - seen - np.where(missed > 0, missed * log_q, 0.0)
    return evidence


def excludes(
    num_events: Numbers, num_trials: Numbers, p: float, level: float
) -> npt.NDArray[np.bool_]:
    """Whether the interval of each pair of counts leaves `p` out; bool of their shape."""
    return np.asarray(log_evidence(num_events, num_trials, np.log(p)) >= -np.log1p(-level))


def _lower_end(events: HostFloats, trials: HostFloats, level: float) -> HostFloats:
    """The root of E(p) = 1 / alpha below k / n, by bisection in log p; 0 without events."""
    bound = -np.log1p(-level)
    with np.errstate(divide="ignore"):
        high = np.where(events > 0, np.log(events / trials), 0.0)
    low = np.full_like(high, _SMALLEST_LOG)
    for _ in range(64):
        middle = (low + high) / 2
        outside = log_evidence(events, trials, middle) >= bound
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    return np.where(events > 0, np.exp(low), 0.0)
