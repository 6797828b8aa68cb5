"""What every program of `decode` must say, and how far two programs agree."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Decisions(NamedTuple):
    """What was decided about stacks of received rows.

    Attributes:
      sum_recovered: bool [trials]; the sum of all updates can be recovered.
      client_recovered: bool [trials, clients]; K.
      rank: int32 [trials].
      gc: bool [trials]; the complete rows alone recover the sum.
    """

    sum_recovered: Any
    client_recovered: Any
    rank: Any
    gc: Any


def agreement(ours: Decisions, theirs: Decisions) -> dict[str, float]:
    """Fraction of the stacks on which two programs say the same, by question and on all of them.

    The shorter of the two sets the number of stacks: slow programs get the first ones only.

    >>> yes = Decisions([True, True], [[True], [True]], [1, 1], [True, True])
    >>> agreement(yes, yes._replace(rank=[1, 0]))["rank"]
    0.5
    """
    num_trials = min(len(ours.gc), len(theirs.gc))
    same = {}
    for field, one, other in zip(Decisions._fields, ours, theirs, strict=True):
        equal = np.asarray(one)[:num_trials] == np.asarray(other)[:num_trials]
        same[field] = equal.reshape(num_trials, -1).all(axis=1)
    same["everything"] = np.logical_and.reduce(list(same.values()))
    return {field: float(np.mean(equal)) for field, equal in same.items()}
