"""From counts and the reason for stopping to estimates that hold what their method promises."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import special

from jaxcogc.outage.anytime import anytime
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.intervals import Estimate, clopper_pearson, negative_binomial
from jaxcogc.outage.outcomes import counted_events, gained
from jaxcogc.study.specification.stop_rules import MAX_EVENTS, MAX_TRIALS, Standing, StopRule

PAIRED, PAIRED_ANYTIME = "paired-blocks-t", "paired-blocks-anytime"
_MIXTURE = 30.0
"""Of differing trials, where the confidence sequence of a difference is to be narrow."""


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
      Everything else may have been stopped by what was seen: k / N with an anytime interval. That
      goes for events waited for while an interval was looked at too: (k - 1) / (N - 1) is biased
      there (docs/guide/studies.md).
    """
    trials = where.num_blocks * BLOCK_TRIALS
    fixed = where.reason == MAX_TRIALS and not rule.looks_at_intervals
    waited = rule.max_events is not None

    def estimate(num_events: int) -> Estimate:
        if fixed and not waited:
            return clopper_pearson(num_events, trials, rule.level)
        return anytime(num_events, trials, rule.level)

    events = counted_events(counts) | gained(counts)
    found = {name: estimate(number) for name, number in events.items()}
    if waited and fixed:
        found[rule.outcome] = clopper_pearson(events[rule.outcome], trials, rule.level)
    alone = where.reason == MAX_EVENTS and not rule.looks_at_intervals
    if rule.max_events is not None and alone and event_trial is not None:
        found[rule.outcome] = negative_binomial(rule.max_events, event_trial, rule.level)
    return found


def paired_difference(
    events: npt.ArrayLike, others: npt.ArrayLike, level: float = 0.95, *, looked: bool = False
) -> Estimate | None:
    """How much likelier an outcome is at one point than at another, from their common blocks.

    The points share the random words of their links, so counts of the same block go together and
    the noise of their difference is small. The interval is Student's, of the mean over blocks, with
    two guards for differences seen in few trials. Of D trials more on one side, at least D differ:
    the variance is at least theirs, and half of t^2 is added as in a score interval. And it is
    never shorter than if all differing trials went one way, D of them: Clopper-Pearson's. So it has
    a width also where no difference was seen. docs/guide/studies.md has the simulated coverage.

    Args:
      events, others: int [blocks], events in each block that both points have.
      level: confidence level.
      looked: the number of blocks may depend on what was seen. The interval is then a confidence
        sequence (normal mixture, with `anytime` as guard), which holds at every time at once.

    Returns:
      Estimate of p - p'; None for fewer than two blocks.

    Source: the confidence sequence is that of I. Waudby-Smith et al., "Time-uniform central limit
    theory and asymptotic confidence sequences", Ann. Statist. 52 (2024).

    >>> difference = paired_difference([30, 34, 32], [20, 22, 24])
    >>> round(difference * 2**14, 6), difference.low < difference < difference.high
    (10.0, True)
    >>> nothing_seen = paired_difference([3, 3], [3, 3])
    >>> float(nothing_seen), nothing_seen.low < 0 < nothing_seen.high
    (0.0, True)
    """
    differences = np.subtract(events, others, dtype=np.float64)
    num_blocks = len(differences)
    if num_blocks < 2:
        return None
    trials, total = num_blocks * BLOCK_TRIALS, float(differences.sum())
    seen = round(abs(total))
    t = -special.stdtrit(num_blocks - 1, (1 - level) / 2)
    variance = max(num_blocks * differences.var(ddof=1), seen * (1 - seen / trials))
    if looked:
        variance *= (t / special.ndtri((1 - level) / 2)) ** 2
        wider = variance + _MIXTURE
        half = np.sqrt(wider * (np.log(wider / _MIXTURE) - 2 * np.log1p(-level)))
        one_way = anytime(seen, trials, level)
    else:
        half = t**2 / 2 + t * np.sqrt(variance + t**2 / 4)
        one_way = clopper_pearson(seen, trials, level)
    width = max(float(half) / trials, one_way.high - one_way.best)
    best = total / trials
    low, high = max(best - width, -1.0), min(best + width, 1.0)
    return Estimate(low, best, high, method=PAIRED_ANYTIME if looked else PAIRED, level=level)
