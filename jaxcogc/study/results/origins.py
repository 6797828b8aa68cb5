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


def read_origins(store: Store) -> dict[str, Origin]:
    """By point; absent where nothing was counted."""
    query = (
        "SELECT point, session, count(*), sum(seconds) FROM blocks GROUP BY point, session"
        " ORDER BY point, session"
    )
    sessions = {row[0]: row[1:] for row in store.rows("SELECT * FROM sessions")}
    grouped: dict[str, list[tuple[str, int, float]]] = {}
    for point, session, num_blocks, seconds in store.rows(query):
        grouped.setdefault(point, []).append((session, num_blocks, seconds))
    origins = {}
    for point, parts in grouped.items():
        seconds = sum(part[2] for part in parts)
        trials = BLOCK_TRIALS * sum(part[1] for part in parts)
        known = [sessions[session] for session, *_ in parts if session in sessions]
        host, device, version, date = (
            " + ".join(sorted(set(column)))
            for column in (zip(*known, strict=True) if known else [""] * 4)
        )
        speed = trials / seconds if seconds > 0 else None
        last = date.split(" + ")[-1]
        origins[point] = Origin(seconds, speed, last, device, host, version)
    return origins
