"""The results of a store as a table: one row for each point."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxcogc.names import GAINS, OUTCOMES
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.intervals import Estimate
from jaxcogc.study.results.stored_results import PointView, view_points
from jaxcogc.study.store.store import Store, open_store

if TYPE_CHECKING:
    import pandas

MACHINE_SUFFIXES = ("_seconds", "_per_second")
MACHINE_COLUMNS = ("date", "device", "host", "version")
"""Columns that depend on the machine, and those that end so; all others follow from the study."""


def load(store: str | os.PathLike[str]) -> pandas.DataFrame:
    """The results of a store.

    Args:
      store: its path.

    Returns:
      One row for each point, in the order of the grid: its identity, its place on every axis of the
      grid, number of trials and reason for stopping; for every probability the estimate, both ends
      of its interval and the method; means; and what depends on the machine. Values that were not
      computed are null.

    Raises:
      ValueError: the file is no store, or a damaged one (one line).
    """
    import pandas

    with open_store(Path(store)) as opened:
        return pandas.DataFrame(records(opened))


def records(store: Store) -> list[dict[str, Any]]:
    """The rows of the table as plain values, all with the same keys."""
    views = view_points(store)
    axes = list(dict.fromkeys(name for view in views for name in view.stored.labels))
    origins = _origins(store)
    return [_record(view, axes, origins.get(view.stored.id)) for view in views]


def _record(view: PointView, axes: Iterable[str], origin: dict[str, Any] | None) -> dict[str, Any]:
    stored, counts = view.stored, view.counts
    trials = view.standing.num_blocks * BLOCK_TRIALS
    row: dict[str, Any] = {"point": stored.id}
    row |= {name: stored.labels.get(name) for name in axes}
    row |= {"watched": view.rule.outcome, "reason": view.standing.reason if trials else "not-run"}
    row |= {"trials": trials, "event_trial": view.event_trial, "level": view.level}
    for names, kind in ((OUTCOMES, "outcomes"), (GAINS, "gains")):
        for name in names:
            found = None if view.estimates is None else getattr(view.estimates, kind)[name]
            row |= _estimate_cells(name, found)
    row["gc_outage_closed_form"] = stored.closed_form
    row["mean_rank"] = None if counts is None else counts.rank_sum / trials
    row["mean_recovered"] = (
        None
        if counts is None
        else float(np.arange(len(counts.num_recovered)) @ counts.num_recovered) / trials
    )
    empty = dict.fromkeys(("collect_seconds", "trials_per_second", *MACHINE_COLUMNS))
    return row | (origin or empty)


def _estimate_cells(name: str, found: Estimate | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high", f"{name}_method"))
    return {
        name: found.best,
        f"{name}_low": found.low,
        f"{name}_high": found.high,
        f"{name}_method": found.method,
    }


def _origins(store: Store) -> dict[str, dict[str, Any]]:
    """By point: time, speed, and where its blocks (those beyond the prefix too) were counted."""
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
        told = [sessions[session] for session, *_ in parts if session in sessions]
        host, device, version, date = (
            " + ".join(sorted(set(column)))
            for column in (zip(*told, strict=True) if told else [""] * 4)
        )
        origins[point] = {
            "collect_seconds": seconds,
            "trials_per_second": trials / seconds if seconds > 0 else None,
            "date": date.split(" + ")[-1],
            "device": device,
            "host": host,
            "version": version,
        }
    return origins
