"""Stratification by the number of erased links.

The probability of every stratum is known. A light stratum, of few enough patterns, is enumerated;
in a heavier one patterns are drawn given the number of erased links, most where they help most; the
strata beyond are left out, and their probability bounds what they could add.

With fewer erased links than it takes to keep s + 1 rows of every attempt (of all attempts together
for one code) from being complete, the standard decoder succeeds, and with it all others: such
strata add exactly nothing to failures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb, gcd

import numpy as np

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.outage.random_links import DELIVERED, ERASED, LinkTable
from jaxcogc.outage.rare.weighted_sums import FAILURES, Group, Sums
from jaxcogc.outage.simulation.block_words import host_words
from jaxcogc.outage.simulation.link_patterns import BATCH_TRIALS, decide_patterns
from jaxcogc.runtime.random_words import split

__all__ = ["fewest_erasures", "log_count_law", "strata_groups"]

_MOST_PATTERNS = 2**14
_PILOT_TRIALS = 512
_FEWEST_TRIALS = 64
_TAIL = 1e-3
"""The strata left out have together at most this share of the smallest probability seen."""
_FLOOR = 1e-300
_GOLDEN = 0.6180339887498949


def strata_groups(
    key: Key,
    code: GradientCode,
    table: LinkTable,
    num_trials: int,
    advance: Callable[[int], None],
    stop: Callable[[], bool],
) -> tuple[list[Group], float]:
    """Enumerated light strata, ``num_trials`` trials over the others, and the tail left out.

    Args:
      key: one typed key.
      code: the code; redrawn for the attempts of the table, or one for all of them.
      table: the random links.
      num_trials: trials drawn; those of the pilot run are not among them. None are drawn when
        every stratum is light.
      advance: called with the number of trials just done.
      stop: asked after every batch; strata without a trial until then are left out.

    Returns:
      A Group for each stratum, and the probability of the strata that no group covers.
    """
    law = log_count_law(table.erasure)
    safe_below = fewest_erasures(table, code)
    pilot_key, key, pattern_key = split(key, 3)
    groups: list[Group] = []
    while len(groups) <= len(table.erasure):
        if comb(len(table.erasure), len(groups)) > _MOST_PATTERNS:
            break
        sums = _enumerate(pattern_key, code, table, len(groups))
        groups.append(Group(1.0, 0.0, sums, exact=True))
    light = len(groups)
    heavy = range(light, len(table.erasure) + 1)
    shares = np.exp(law[0])
    if not heavy:
        return groups, 0.0
    pilot = _sample(pilot_key, code, table, law, dict.fromkeys(heavy, _PILOT_TRIALS))
    pilot_groups = [Group(shares[k], shares[k], pilot[k], safe=k < safe_below) for k in heavy]
    last = _last_stratum(groups, pilot_groups, shares, light)
    if last < light:
        return groups, float(shares[light:].sum())
    per_stratum = _allocate(groups, pilot_groups[: last + 1 - light], num_trials)
    counts = dict(zip(range(light, last + 1), per_stratum.tolist(), strict=True))
    sampled = _sample(key, code, table, law, counts, advance, stop)
    seen = {k: sums for k, sums in sampled.items() if sums.trials}
    for k, sums in seen.items():
        groups.append(Group(shares[k], shares[k], sums, safe=k < safe_below))
    unseen = [k for k in heavy if k not in seen]
    return groups, float(shares[unseen].sum())


def log_count_law(erasure: HostFloats) -> HostFloats:
    """Law of the number of erased links among the links i, i + 1, ...

    Args:
      erasure: float64 [links], each strictly between 0 and 1.

    Returns:
      Logarithms, float64 [links + 1, links + 1]: entry [i, r] of P(r of the links from i on are
      erased). Row 0 is the law of all links.
    """
    num_links = len(erasure)
    law = np.full((num_links + 1, num_links + 1), -np.inf)
    law[num_links, 0] = 0.0
    for i in range(num_links - 1, -1, -1):
        law[i] = law[i + 1] + np.log1p(-erasure[i])
        law[i, 1:] = np.logaddexp(law[i, 1:], law[i + 1, :-1] + np.log(erasure[i]))
    return law


def fewest_erasures(table: LinkTable, code: GradientCode) -> int:
    """A number of erased links below which the standard decoder cannot fail.

    Any M - s complete rows decode, so that s + 1 rows must be missing: in every attempt on its own
    when the code is redrawn, and throughout all attempts for one code. A row is missing when one
    of its links is erased; a link of a reciprocal pair serves two rows.

    Args:
      table: the random links.
      code: the code.

    Returns:
      An integer >= 0; 0 says nothing.
    """
    where = table.where
    support = np.eye(code.num_clients, dtype=bool) | (np.asarray(code.field_matrix) != 0)
    support = np.broadcast_to(support, where.shape)
    dead = np.any(support & (where == ERASED), axis=-1)
    immortal = np.all(~support | (where == DELIVERED), axis=-1)
    cost = np.where(dead, 0.0, np.where(immortal, np.inf, 1.0))
    missing = int(code.num_stragglers) + 1
    cost = cost if code.redrawn else cost.sum(axis=0, keepdims=True)
    total = np.sort(cost, axis=1)[:, :missing].sum()
    sides = 1 if np.bincount(where[where >= 0]).max(initial=1) == 1 else 2
    return int(min(-(-total // sides), len(table.erasure) + 1))


def _enumerate(key: Key, code: GradientCode, table: LinkTable, num_erased: int) -> Sums:
    """All patterns of a stratum, weighted by their probabilities."""
    num_links = len(table.erasure)
    chosen = np.array(list(combinations(range(num_links), num_erased)), np.int64)
    erased = np.zeros((len(chosen), num_links), bool)
    erased[np.arange(len(chosen))[:, None], chosen] = True
    erasure = table.erasure
    logs = np.log1p(-erasure).sum() + erased @ (np.log(erasure) - np.log1p(-erasure))
    sums = Sums.zero(code.num_clients)
    for start in range(0, len(chosen), BATCH_TRIALS):
        part = slice(start, start + BATCH_TRIALS)
        trials = decide_patterns(key, code, table, erased[part])
        sums = sums.plus(Sums.of(np.exp(logs[part]), trials.recovery))
    return sums


def _sample(
    key: Key,
    code: GradientCode,
    table: LinkTable,
    law: HostFloats,
    counts: dict[int, int],
    advance: Callable[[int], None] = lambda done: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[int, Sums]:
    """So many trials of each stratum: trials of all strata share the calls of the program.

    Every batch has its share of each stratum: a run that stops early has seen all but the smallest.
    """
    ends = np.cumsum(list(counts.values()))
    numbers, total = np.array(list(counts)), int(ends[-1])
    stride = _stride(total)
    sums = {k: Sums.zero(code.num_clients) for k in counts}
    for number, start in enumerate(range(0, total, BATCH_TRIALS)):
        first = start * stride % total  # Python's integers: the product may be large
        positions = (first + np.arange(min(BATCH_TRIALS, total - start)) * stride) % total
        mine = numbers[np.searchsorted(ends, positions, side="right")]
        generator, decision_key = host_words(key, number)
        erased = _draw_given_count(generator, table.erasure, law, mine)
        recovery = decide_patterns(decision_key, code, table, erased).recovery
        for k in np.unique(mine).tolist():
            part = type(recovery)(*(field[mine == k] for field in recovery))
            sums[k] = sums[k].plus(Sums.of(np.ones(len(part.rank)), part))
        advance(len(mine))
        if stop():
            break
    return sums


def _stride(total: int) -> int:
    """A step that visits every place of a ring once, and spreads any number of visits evenly."""
    stride = max(1, round(total * _GOLDEN))
    while gcd(stride, total) > 1:
        stride += 1
    return stride


def _draw_given_count(
    generator: np.random.Generator, erasure: HostFloats, law: HostFloats, num_erased: np.ndarray
) -> np.ndarray:
    """Patterns given their number of erased links: bool [trials, links].

    Link after link: erased with p P(rest has r - 1 | ...) / P(this and the rest have r).
    """
    left = num_erased.copy()
    erased = np.zeros((len(left), len(erasure)), bool)
    for i, probability in enumerate(erasure):
        fewer = np.where(left > 0, law[i + 1, np.maximum(left - 1, 0)], -np.inf)
        chance = np.exp(np.log(probability) + fewer - law[i, left])
        erased[:, i] = generator.random(len(left)) < chance
        left = left - erased[:, i]
    return erased


def _last_stratum(
    exact: Sequence[Group], pilot: Sequence[Group], shares: HostFloats, light: int
) -> int:
    """The last stratum worth a trial: what lies beyond is small beside every event seen."""
    seen = np.array([_first(group) for group in (*exact, *pilot)]).sum(axis=0)
    smallest = seen[seen > 0.0].min()
    if np.any(seen == 0.0):  # it may hide anywhere: leave out nothing that a float can show
        smallest = _FLOOR
    tails = np.cumsum(shares[::-1])[::-1]
    beyond = np.append(tails[1:], 0.0) <= _TAIL * smallest
    return max(int(np.argmax(beyond)), light - 1)


def _first(group: Group) -> HostFloats:
    """What a group adds to the probability of every event and of its complement: [16]."""
    return group.share * group.sums.first.ravel() / (1 if group.exact else group.sums.trials)


def _allocate(exact: Sequence[Group], pilot: Sequence[Group], num_trials: int) -> np.ndarray:
    """Trials for each sampled stratum, for small relative errors of all events at once."""
    total = np.array([_first(group) for group in (*exact, *pilot)]).sum(axis=0)
    need = np.zeros(len(pilot))
    for number, group in enumerate(pilot):
        # Half an event more and less than counted: a stratum without any must be looked at too.
        rate = (group.sums.first.ravel() + 0.5) / (group.sums.trials + 1.0)
        rate[group.safe & FAILURES.ravel()] = 0.0
        deviation = group.share * np.sqrt(rate * (1.0 - rate))
        need[number] = np.sum((deviation / np.maximum(total, _FLOOR))[total > 0.0])
    fewest = min(_FEWEST_TRIALS, num_trials // (2 * len(pilot)))
    exactly = fewest + (num_trials - fewest * len(pilot)) * need / need.sum()
    ends = np.round(np.cumsum(exactly)).astype(np.int64)
    return np.diff(ends, prepend=0)
