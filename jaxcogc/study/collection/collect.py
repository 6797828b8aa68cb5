"""`collect`: a study into its store, from the first block or from where it stopped."""

from __future__ import annotations

import dataclasses
import os
import platform
import uuid
from collections.abc import Callable
from pathlib import Path

import jaxcogc
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.study.collection.block_counter import BlockCounter
from jaxcogc.study.collection.progress import Listener, Summary
from jaxcogc.study.collection.scheduler import Collector
from jaxcogc.study.specification.study_file import Study, check_shard, read_study
from jaxcogc.study.store.store import Store, now, open_store


@under_plain_settings
def collect(
    study: Study | str | os.PathLike[str],
    store: str | os.PathLike[str],
    *,
    budget_seconds: float | None = None,
    shard: tuple[int, int] = (1, 1),
    engine: BlockCounter | None = None,
    stop_requested: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
) -> Summary:
    """Count the trials that a study asks for and that are not in the store yet.

    Args:
      study: a study, or the path of a study file.
      store: path of the store; made when there is none.
      budget_seconds: stop after so long, instead of the study's own budget.
      shard: ``(I, N)``: only every N-th point, from the I-th on. N stores, each of another I, hold
        together, merged, what one run holds.
      engine: what counts; None means the Monte Carlo engine on all devices.
      stop_requested: looked at between two calls of the engine.
      listener: told what happens; a `ProgressLine` shows it.

    Returns:
      Summary. What is in the store then depends on the study alone, but for a budget or a stop.

    Raises:
      ValueError: a study file with a mistake (one line), more shards than points, or a store that
        is none (`StoreError`).
    """
    if not isinstance(study, Study):
        study = read_study(study)
    check_shard(study, shard)
    part, parts = shard
    if budget_seconds is not None:
        rule = study.rule._replace(budget_seconds=budget_seconds)
        study = dataclasses.replace(study, rule=rule)
    if engine is None:
        from jaxcogc.study.collection.simulation_engine import SimulationEngine  # JAX, from here on

        engine = SimulationEngine()
    with open_store(Path(store), make=True) as opened:
        opened.add_study(study)
        session = _new_session(opened, engine)
        mine = dataclasses.replace(study, points=study.points[part - 1 :: parts])
        collector = Collector(
            mine, opened, engine, session, stop_requested=stop_requested, listener=listener
        )
        summary = collector.run()
        collector.listener.ended(summary)
        _add_laws(opened, study, engine)
        return summary


def _new_session(store: Store, engine: BlockCounter) -> str:
    session = uuid.uuid4().hex
    host = "".join("_" if c in ",;\"'" else c for c in platform.node())
    row = (session, host, engine.device(), jaxcogc.__version__, now())
    store.add_rows("sessions", [row])
    return session


def _add_laws(store: Store, study: Study, engine: BlockCounter) -> None:
    """The closed form of every point that has blocks; counting does not wait for it."""
    known = {point for (point,) in store.rows("SELECT point FROM laws")}
    counted = store.num_blocks()
    missing = [p for p in study.points if p.id in counted and p.id not in known]
    if missing:
        store.add_rows("laws", [(point.id, engine.closed_form(point)) for point in missing])
