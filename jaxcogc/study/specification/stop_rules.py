"""When a point has had enough trials.

The rules look at the contiguous prefix of a point's blocks, one block after another in their fixed
order, so what they say depends on the counts alone: not on devices, interruptions or the order in
which blocks came in. Only a time budget depends on the machine: it limits how many blocks exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from jaxcogc.outage.anytime import anytime_bounds, excludes
from jaxcogc.outage.counts import BLOCK_TRIALS

if TYPE_CHECKING:
    from jaxcogc._types import HostInts

MAX_TRIALS, MAX_EVENTS, WIDTH = "max-trials", "max-events", "relative-width"
BELOW, ABOVE = "decided-below", "decided-above"
BUDGET, UNFINISHED = "budget", "unfinished"
FINAL = (MAX_EVENTS, BELOW, ABOVE, WIDTH, MAX_TRIALS)
"""Reasons for which a point is done, in the order in which they are looked at after a block."""


class StopRule(NamedTuple):
    """What ends the collection of a point; None where a rule is not in force.

    Attributes:
      outcome: the probability that the rules watch.
      max_trials: rounded up to whole blocks.
      max_events: events to wait for, at least 2.
      relative_width: stop once the anytime interval is at most so wide, in units of the estimate.
      decide_below: stop once the anytime interval lies wholly on one side of this probability.
      budget_seconds: wall-clock time of one collection of the whole study.
      level: confidence level of the intervals, also of those that the rules look at.
    """

    outcome: str
    max_trials: int
    max_events: int | None = None
    relative_width: float | None = None
    decide_below: float | None = None
    budget_seconds: float | None = None
    level: float = 0.95

    @property
    def max_blocks(self) -> int:
        """`max_trials` in whole blocks."""
        return -(-self.max_trials // BLOCK_TRIALS)

    @property
    def looks_at_intervals(self) -> bool:
        """Whether the number of trials may depend on an interval that was looked at."""
        return self.relative_width is not None or self.decide_below is not None


class Standing(NamedTuple):
    """How far a point is.

    Attributes:
      num_blocks: blocks of its contiguous prefix that count; later ones are kept, not counted.
      reason: why it stopped, or "budget" or "unfinished".
    """

    num_blocks: int
    reason: str

    @property
    def final(self) -> bool:
        """Whether no further block is needed."""
        return self.reason in FINAL


def standing(rule: StopRule, events: npt.ArrayLike, *, seen: int = 0) -> Standing:
    """Apply the rules to the contiguous prefix of a point's blocks.

    Args:
      rule: the rules.
      events: int [blocks], events of the watched outcome in each block of the prefix.
      seen: blocks after which no rule is known to hold, from an earlier call.

    Returns:
      Standing; the prefix up to the first block after which a rule holds.

    >>> rule = StopRule("gc_outage", max_trials=100_000, max_events=30)
    >>> standing(rule, [12, 12])
    Standing(num_blocks=2, reason='unfinished')
    >>> standing(rule, [12, 12, 12, 12])
    Standing(num_blocks=3, reason='max-events')
    """
    total = np.cumsum(np.asarray(events, np.int64))
    waiting = BUDGET if rule.budget_seconds is not None else UNFINISHED
    if not len(total) > seen:
        return Standing(len(total), waiting)
    blocks = np.arange(seen + 1, len(total) + 1)
    holds = _rules(rule, total[seen:], blocks)
    first = {reason: int(np.argmax(found)) for reason, found in holds.items() if np.any(found)}
    if not first:
        return Standing(len(total), waiting)
    reason = min(first, key=lambda reason: (first[reason], FINAL.index(reason)))
    return Standing(int(blocks[first[reason]]), reason)


def _rules(rule: StopRule, total: HostInts, blocks: HostInts) -> dict[str, np.ndarray]:
    """For each rule in force, after which blocks it holds: bool [blocks]."""
    trials = blocks * BLOCK_TRIALS
    holds = {MAX_TRIALS: blocks >= rule.max_blocks}
    if rule.max_events is not None:
        holds[MAX_EVENTS] = total >= rule.max_events
    if rule.decide_below is not None:
        decided = excludes(total, trials, rule.decide_below, rule.level)
        holds[BELOW] = decided & (total < rule.decide_below * trials)
        holds[ABOVE] = decided & (total > rule.decide_below * trials)
    if rule.relative_width is not None:
        low, high = anytime_bounds(total, trials, rule.level)
        holds[WIDTH] = (total > 0) & (high - low <= rule.relative_width * total / trials)
    return holds
