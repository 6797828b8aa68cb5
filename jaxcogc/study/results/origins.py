"""Where and when the blocks of a point were counted: what depends on the machine."""

from __future__ import annotations

from typing import NamedTuple

from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.study.store.store import Store


class Origin(NamedTuple):
    """How the blocks of a point (those beyond its prefix too) came about; None where there is none.

    Attributes:
      collect_seconds, trials_per_second: time and speed.
      date: of the last session that counted some.
      device, host, version: of all that did, joined by " + ".
    """

    collect_seconds: float | None = None
    trials_per_second: float | None = None
    date: str | None = None
    device: str | None = None
    host: str | None = None
    version: str | None = None


_QUERY = """
SELECT blocks.point, sum(seconds), count(*), max(date), group_concat(DISTINCT device),
    group_concat(DISTINCT host), group_concat(DISTINCT version)
FROM blocks LEFT JOIN sessions ON sessions.id = blocks.session GROUP BY blocks.point
"""
"""None of the words has a comma in it."""


def read_origins(store: Store) -> dict[str, Origin]:
    """By point; absent where nothing was counted."""
    origins = {}
    for point, seconds, num_blocks, date, *words in store.rows(_QUERY):
        speed = num_blocks * BLOCK_TRIALS / seconds if seconds > 0 else None
        joined = (" + ".join(sorted((word or "").split(","))) for word in words)
        origins[point] = Origin(seconds, speed, date or "", *joined)
    return origins
