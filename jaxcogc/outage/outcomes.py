"""What happened in a trial, by the names of `jaxcogc.names.OUTCOMES`: worked out here alone.

Of K, the clients whose updates the server gets one by one, and of the exact average:

* standard decoding (`gc`) has the exact average or nothing;
* GC+ has the exact average where standard decoding has it or K is everybody, else the average over
  K, else nothing;
* row space has the exact average wherever the rows that arrived span it, else the average over K,
  else nothing.

Every way of finding probabilities (counting, enumeration, weighted trials) and every look at a
single trial asks `classify`; whoever has integer counts asks `counted`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from jaxcogc.names import HARMFUL_OUTCOMES

if TYPE_CHECKING:  # integer counts are read without JAX
    from jaxcogc._types import Array
    from jaxcogc.coding.exact.decision import Recovery

__all__ = [
    "CONTRARIES",
    "EXACT_OUTCOMES",
    "ByOutcome",
    "classify",
    "counted",
    "counted_events",
    "gained",
]

EXACT_OUTCOMES = {"gc": "gc_outage", "gc_plus": "gc_plus_full", "row_space": "row_space_exact"}
"""By decoder, the outcome that tells whether it has the exact average (for gc, that it has not)."""

CONTRARIES = {
    f"{decoder}_outage": name
    for decoder, name in EXACT_OUTCOMES.items()
    if name not in HARMFUL_OUTCOMES
}
"""The outages that are no outcome of `jaxcogc.names.OUTCOMES`, and the outcome each is without."""

T = TypeVar("T")
Count = TypeVar("Count", int, npt.NDArray[np.int64])


@dataclasses.dataclass(frozen=True, eq=False)
class ByOutcome(Generic[T]):
    """Something of every outcome: whether it happened, how often, how likely it is.

    Attributes:
      gc_outage: standard decoding recovers nothing.
      gc_plus_full, gc_plus_partial, gc_plus_none: GC+ recovers the exact average, that of some
        clients, nothing; one of the three happens.
      row_space_exact, row_space_partial, row_space_none: likewise of row-space decoding.
      all_individuals: every client's own update is known.
    """

    gc_outage: T
    gc_plus_full: T
    gc_plus_partial: T
    gc_plus_none: T
    row_space_exact: T
    row_space_partial: T
    row_space_none: T
    all_individuals: T

    def by_name(self) -> dict[str, T]:
        """The eight of them by name, in the order of `jaxcogc.names.OUTCOMES`."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(ByOutcome)}

    def no_exact_average(self, complement: Callable[[T], T]) -> dict[str, T]:
        """By decoder: it does not have the exact average.

        Args:
          complement: turns what belongs to an outcome into what belongs to its contrary.
        """
        ours = self.by_name()
        return {
            decoder: ours[name] if name in HARMFUL_OUTCOMES else complement(ours[name])
            for decoder, name in EXACT_OUTCOMES.items()
        }

    def events(self, complement: Callable[[T], T]) -> dict[str, T]:
        """All of `jaxcogc.names.EVENTS` by name: the outage of each decoder, then the outcomes.

        Args:
          complement: as in `no_exact_average`.
        """
        outages = self.no_exact_average(complement)
        return {f"{decoder}_outage": ours for decoder, ours in outages.items()} | self.by_name()

    def nothing_recovered(self) -> dict[str, T]:
        """By decoder: it has no average at all."""
        return {
            "gc": self.gc_outage,
            "gc_plus": self.gc_plus_none,
            "row_space": self.row_space_none,
        }


def classify(
    recovery: Recovery, *, clients_axis: int = -1, num_recovered: Array | None = None
) -> ByOutcome[Array]:
    """Which outcomes trials have.

    Args:
      recovery: of one trial or many, JAX or NumPy arrays.
      clients_axis: the axis of ``client_recovered`` that counts clients.
      num_recovered: how many clients are recovered, where the caller has counted them.

    Returns:
      bool arrays of the shape of ``recovery.gc``, of the kind that was given.

    >>> from jaxcogc import Recovery
    >>> one = Recovery(*map(np.array, ([False], [True], [[True, False]], [2], [1])))
    >>> [name for name, happened in classify(one).by_name().items() if happened]
    ['gc_outage', 'gc_plus_partial', 'row_space_exact']
    """
    if num_recovered is None:
        num_recovered = recovery.client_recovered.sum(clients_axis, dtype=np.int32)
    some = num_recovered > 0
    everyone = num_recovered == recovery.client_recovered.shape[clients_axis]
    full, exact = recovery.gc | everyone, recovery.sum_recovered
    return ByOutcome(
        gc_outage=~recovery.gc,
        gc_plus_full=full,
        gc_plus_partial=~full & some,
        gc_plus_none=~full & ~some,
        row_space_exact=exact,
        row_space_partial=~exact & some,
        row_space_none=~exact & ~some,
        all_individuals=everyone,
    )


def counted(counts: Mapping[str, Count]) -> ByOutcome[Count]:
    """How many trials had each outcome.

    Args:
      counts: the scalars of `OutcomeCounts` by name: integers, or int64 [blocks].

    >>> names = ("trials", "gc", "gc_plus_full", "gc_plus_partial")
    >>> names += ("row_space_exact", "row_space_partial", "all_individuals")
    >>> counted(dict(zip(names, (9, 4, 5, 3, 6, 2, 1)))).nothing_recovered()
    {'gc': 5, 'gc_plus': 1, 'row_space': 1}
    """
    trials = counts["trials"]
    full, partial = counts["gc_plus_full"], counts["gc_plus_partial"]
    exact, averaged = counts["row_space_exact"], counts["row_space_partial"]
    return ByOutcome(
        gc_outage=trials - counts["gc"],
        gc_plus_full=full,
        gc_plus_partial=partial,
        gc_plus_none=trials - full - partial,
        row_space_exact=exact,
        row_space_partial=averaged,
        row_space_none=trials - exact - averaged,
        all_individuals=counts["all_individuals"],
    )


def counted_events(counts: Mapping[str, Count]) -> dict[str, Count]:
    """How many trials had each of `jaxcogc.names.EVENTS`, by name; counts as in `counted`."""
    return counted(counts).events(lambda number: counts["trials"] - number)


def gained(counts: Mapping[str, Count]) -> dict[str, Count]:
    """In how many trials one decoder had what another had not, by the names of `GAINS`.

    What a weaker decoder recovers the stronger ones recover too, so a difference of two counts
    counts trials.

    Args:
      counts: as in `counted`.
    """
    gc, full, exact = counts["gc"], counts["gc_plus_full"], counts["row_space_exact"]
    return {
        "gc_plus_over_gc": full - gc,
        "row_space_over_gc_plus": exact - full,
        "row_space_over_gc": exact - gc,
        "gc_plus_some_over_gc": full + counts["gc_plus_partial"] - gc,
    }
