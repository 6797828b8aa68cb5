"""Which candidate is the best, and which codes may still turn out to be."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jaxcogc.design.candidates import Candidate
from jaxcogc.design.configurations import CodeConfig
from jaxcogc.outage.intervals import Estimate

__all__ = ["finalists", "ranked", "undecided"]

_SAME = 1e-9


def ranked(candidates: Sequence[Candidate], target: float, objective: str) -> list[Candidate]:
    """The candidates with `reaches`, `tie` and `pareto` filled in, the best first.

    Those that reach the target come first, by their cost; then the others, by their outage.

    Args:
      candidates: in any order.
      target: largest outage probability.
      objective: of `names.OBJECTIVES`.
    """
    judged = [c._replace(reaches=_reaches(c.outage, target)) for c in candidates]
    judged.sort(key=lambda c: _sort_key(c, objective))
    return [
        c._replace(tie=c is not judged[0] and _tie(c, judged[0], objective), pareto=pareto)
        for c, pareto in zip(judged, _pareto(judged), strict=True)
    ]


def finalists(candidates: Sequence[Candidate], target: float) -> list[CodeConfig]:
    """The codes that could be the choice: those that may be cheaper, and those that may be as good.

    Nobody who is sure to miss the target, unless all are.

    Args:
      candidates: as `ranked` returns them.
      target: largest outage probability.
    """
    if candidates[0].reaches:
        hopeful = [c for c in candidates if c.reaches or c.outage.low <= target]
    else:
        hopeful = sorted(candidates, key=lambda c: c.outage.best)
    return _codes(hopeful)


def undecided(candidates: Sequence[Candidate], objective: str) -> list[CodeConfig]:
    """Codes whose interval does not decide and that would not cost more, the cheapest first.

    Args:
      candidates: as `ranked` returns them.
      objective: of `names.OBJECTIVES`.
    """
    first = candidates[0]
    unsure = [c for c in candidates if c.reaches is None]
    if first.reaches:
        unsure = [c for c in unsure if _cost(c, objective) <= _cost(first, objective)]
    return _codes(sorted(unsure, key=lambda c: _cost(c, objective)))


def _codes(candidates: Sequence[Candidate]) -> list[CodeConfig]:
    """The codes among candidates, each once."""
    return list(dict.fromkeys(c.config for c in candidates if c.config is not None))


def _reaches(outage: Estimate, target: float) -> bool | None:
    if outage.high <= target:
        return True
    return None if outage.low <= target else False


def _cost(candidate: Candidate, objective: str) -> tuple[float, ...]:
    """What to minimise, in turn; candidates of the same cost differ in their outage alone."""
    total = candidate.uplink_uses + candidate.peer_uses
    main = {
        "uplink": candidate.uplink_uses,
        "total": total,
        "privacy": candidate.revealed,
        "seconds": _seconds_of_an_exact_round(candidate),
    }[objective]
    return (round(main, 9), round(total, 9), round(candidate.uplink_uses, 9))


def _seconds_of_an_exact_round(candidate: Candidate) -> float:
    """Failed rounds take time, too; endless where every round fails or nobody knows."""
    exact = 1.0 - candidate.outage.best
    return math.inf if candidate.seconds is None or exact <= 0 else candidate.seconds / exact


def _sort_key(candidate: Candidate, objective: str) -> tuple[float, ...]:
    """Those that reach the target by cost, then the others by what their outage is at most."""
    costs, outage = _cost(candidate, objective), candidate.outage
    return (0.0, *costs, outage.best) if candidate.reaches else (1.0, outage.high, *costs)


def _tie(candidate: Candidate, first: Candidate, objective: str) -> bool:
    """The same cost, or among those that miss the target any, and intervals that overlap."""
    if bool(candidate.reaches) != bool(first.reaches):
        return False
    overlap = (
        candidate.outage.low <= first.outage.high and first.outage.low <= candidate.outage.high
    )
    mine, best = (_cost(c, objective)[0] for c in (candidate, first))
    return overlap and (not first.reaches or abs(mine - best) <= _SAME * max(abs(best), 1.0))


def _pareto(candidates: Sequence[Candidate]) -> list[bool]:
    """Whether no other candidate is at least as good in everything."""
    points = np.array([(c.outage.best, c.peer_uses, c.uplink_uses, c.revealed) for c in candidates])
    as_good = (np.all(points <= mine, axis=1) & np.any(points < mine, axis=1) for mine in points)
    return [not beaten.any() for beaten in as_good]
