"""Probabilities of outcomes, added up over patterns of links that were decided."""

from __future__ import annotations

import operator
from typing import NamedTuple

import jax
import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.outcomes import classify

__all__ = ["PatternSums", "outcomes_from_sums", "partial_sizes", "pattern_sums"]


class PatternSums(NamedTuple):
    """Probabilities added up over patterns; events that exclude each other side by side.

    Failures are added up themselves, so that small ones keep their digits.
    """

    gc: HostFloats  # [2]: outage, none
    gc_plus: HostFloats  # [3]: full, partial, none
    row_space: HostFloats  # [3]: exact, partial, none
    num_recovered: HostFloats  # [clients + 1]
    client_recovered: HostFloats  # [clients]
    gc_plus_partial: HostFloats  # [clients], coefficients of partial averages
    row_space_partial: HostFloats  # [clients]
    rank: HostFloats  # []
    partial_sizes: HostFloats  # [2, clients + 1], of gc_plus and row_space

    def plus(self, other: PatternSums) -> PatternSums:
        """The sums of the patterns of both."""
        return PatternSums(*map(operator.add, self, other))


def partial_sizes(weights: HostFloats, recovery: Recovery) -> HostFloats:
    """Weighted sums over trials with a partial average of n clients.

    Args:
      weights: float64 [trials].
      recovery: NumPy arrays, [trials] leading.

    Returns:
      float64 [2, clients + 1]: of gc_plus, and of row_space; entry 0 is 0.
    """
    happened, size = classify(recovery), recovery.client_recovered.sum(axis=1)
    most = recovery.client_recovered.shape[1] + 1
    return np.array(
        [
            np.bincount(size, np.where(partial, weights, 0.0), most)
            for partial in (happened.gc_plus_partial, happened.row_space_partial)
        ]
    )


def pattern_sums(probabilities: HostFloats, recovery: Recovery) -> PatternSums:
    """Add up decided patterns; those past the end of ``probabilities`` are none."""
    recovery = jax.tree.map(lambda field: np.asarray(field)[: len(probabilities)], recovery)
    happened, members = classify(recovery), recovery.client_recovered
    clients, size = members.shape[1], members.sum(axis=1)
    per_client = probabilities / np.maximum(size, 1)
    by_gc, by_gc_plus, by_row_space = (
        np.array(group, np.float64) @ probabilities
        for group in (
            [happened.gc_outage, ~happened.gc_outage],
            [happened.gc_plus_full, happened.gc_plus_partial, happened.gc_plus_none],
            [happened.row_space_exact, happened.row_space_partial, happened.row_space_none],
        )
    )
    shares = [probabilities] + [
        np.where(partial, per_client, 0.0)
        for partial in (happened.gc_plus_partial, happened.row_space_partial)
    ]
    by_client, gc_plus, row_space = np.array(shares) @ members.astype(np.float64)
    return PatternSums(
        by_gc,
        by_gc_plus,
        by_row_space,
        np.bincount(size, probabilities, clients + 1).astype(np.float64),
        by_client,
        gc_plus,
        row_space,
        np.asarray(recovery.rank) @ probabilities,
        partial_sizes(probabilities, recovery),
    )


def outcomes_from_sums(sums: PatternSums) -> Outcomes:
    """The result, with events that exclude each other scaled to a sum of 1: certain ones are 1."""
    clients = len(sums.client_recovered)
    gc, gc_plus, row_space = (
        [Estimate.exact(value / group.sum()) for value in group]
        for group in (sums.gc, sums.gc_plus, sums.row_space)
    )
    total = sums.num_recovered.sum()
    pmf = sums.num_recovered / total
    return Outcomes(
        gc_outage=gc[0],
        gc_plus_full=gc_plus[0],
        gc_plus_partial=gc_plus[1],
        gc_plus_none=gc_plus[2],
        row_space_exact=row_space[0],
        row_space_partial=row_space[1],
        row_space_none=row_space[2],
        all_individuals=Estimate.exact(pmf[clients]),
        mean_rank=float(sums.rank),
        num_recovered_pmf=pmf,
        client_recovered=np.minimum(sums.client_recovered / total, 1.0),
        gc_plus_weight=sums.gc_plus_partial + gc_plus[0] / clients,
        row_space_weight=sums.row_space_partial + row_space[0] / clients,
        trials=None,
    )
