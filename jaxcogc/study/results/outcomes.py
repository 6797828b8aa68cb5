"""The outcomes that a study can watch and compare, read off integer counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Columns = Mapping[str, Any]
"""Counts by name, as in `OutcomeCounts`: integers, or int64 [blocks]."""

OUTCOMES: dict[str, Callable[[Columns], Any]] = {
    "gc_outage": lambda c: c["trials"] - c["gc"],
    "gc_plus_full": lambda c: c["gc_plus_full"],
    "gc_plus_partial": lambda c: c["gc_plus_partial"],
    "gc_plus_none": lambda c: c["trials"] - c["gc_plus_full"] - c["gc_plus_partial"],
    "row_space_exact": lambda c: c["row_space_exact"],
    "row_space_partial": lambda c: c["row_space_partial"],
    "row_space_none": lambda c: c["trials"] - c["row_space_exact"] - c["row_space_partial"],
    "all_individuals": lambda c: c["all_individuals"],
}
"""How many trials had an outcome, for each probability of the result files."""

MEANINGS = {
    "gc_outage": "standard decoding: nothing recovered",
    "gc_plus_full": "GC+: exact average",
    "gc_plus_partial": "GC+: average of some clients",
    "gc_plus_none": "GC+: nothing recovered",
    "row_space_exact": "row space: exact average",
    "row_space_partial": "row space: average of some clients",
    "row_space_none": "row space: nothing recovered",
    "all_individuals": "every client's own update is known",
}


class Gain(NamedTuple):
    """What one decoder has over another, on the same links.

    Attributes:
      meaning: in words.
      count: trials in which it shows. Outcomes are nested, so this is a count by itself.
    """

    meaning: str
    count: Callable[[Columns], Any]


GAINS: dict[str, Gain] = {
    "gc_plus_over_gc": Gain(
        "GC+ has the exact average, standard decoding nothing",
        lambda c: c["gc_plus_full"] - c["gc"],
    ),
    "row_space_over_gc_plus": Gain(
        "row space has the exact average, GC+ has not",
        lambda c: c["row_space_exact"] - c["gc_plus_full"],
    ),
    "row_space_over_gc": Gain(
        "row space has the exact average, standard decoding nothing",
        lambda c: c["row_space_exact"] - c["gc"],
    ),
    "gc_plus_some_over_gc": Gain(
        "GC+ has some average, standard decoding nothing",
        lambda c: c["gc_plus_full"] + c["gc_plus_partial"] - c["gc"],
    ),
}
