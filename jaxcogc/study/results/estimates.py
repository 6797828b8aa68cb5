"""From counts and the reason for stopping to estimates that hold what their method promises."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import stats

from jaxcogc.outage.anytime import anytime
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.intervals import Estimate, clopper_pearson, negative_binomial
from jaxcogc.outage.outcomes import counted, gained
from jaxcogc.study.specification.stop_rules import MAX_EVENTS, MAX_TRIALS, Standing, StopRule

PAIRED = "paired-blocks-t"


def point_estimates(
    rule: StopRule, where: Standing, counts: Mapping[str, int], event_trial: int | None
) -> dict[str, Estimate]:
    """Estimates and intervals of a point, by the way in which its number of trials came about.

    Args:
      rule: of its study.
      where: blocks that count, and the reason for stopping.
      counts: integers by name, of those blocks.
      event_trial: the number of the trial of the last event to wait for, where that ended the
        point; None when it has not been looked up yet (then k / N with an anytime interval).

    Returns:
      By name the probability of every outcome, and of every gain: that one decoder recovers what
      another does not. The number of trials was fixed where `max_trials` is the only rule: then
      every interval is Clopper-Pearson's. Where events were waited for, the watched outcome has
      the unbiased estimate and exact interval of that plan: (k - 1) / (N - 1) with the
      negative-binomial interval if the k-th event came, else k / N with Clopper-Pearson's.
      Everything else may have been stopped by what was seen: k / N with an anytime interval.
    """
    trials = where.num_blocks * BLOCK_TRIALS
    fixed = where.reason == MAX_TRIALS and not rule.looks_at_intervals
    waited = rule.max_events is not None

    def estimate(num_events: int) -> Estimate:
        if fixed and not waited:
            return clopper_pearson(num_events, trials, rule.level)
        return anytime(num_events, trials, rule.level)

    events = counted(counts).by_name() | gained(counts)
    found = {name: estimate(number) for name, number in events.items()}
    if waited and fixed:
        found[rule.outcome] = clopper_pearson(events[rule.outcome], trials, rule.level)
    if rule.max_events is not None and where.reason == MAX_EVENTS and event_trial is not None:
        found[rule.outcome] = negative_binomial(rule.max_events, event_trial, rule.level)
    return found


def paired_difference(
    events: npt.ArrayLike, others: npt.ArrayLike, level: float = 0.95
) -> Estimate | None:
    """How much likelier an outcome is at one point than at another, from their common blocks.

    The points share the random words of their links, so counts of the same block go together and
    the noise of their difference is small. The interval is Student's, of the mean over blocks:
    approximate, as a block's difference is only nearly normal.

    Args:
      events, others: int [blocks], events in each block that both points have.
      level: confidence level.

    Returns:
      Estimate of p - p' with method "paired-blocks-t"; None for fewer than two blocks.

    >>> difference = paired_difference([30, 34, 32], [20, 22, 24])
    >>> round(difference * 2**14, 6), difference.low < difference < difference.high
    (10.0, True)
    """
    rates = np.subtract(events, others, dtype=np.float64) / BLOCK_TRIALS
    if len(rates) < 2:
        return None
    half = stats.t.isf((1 - level) / 2, len(rates) - 1) * rates.std(ddof=1) / np.sqrt(len(rates))
    best = float(rates.mean())
    return Estimate(best - float(half), best, best + float(half), method=PAIRED, level=level)
