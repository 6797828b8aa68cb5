"""The rounds of a run, a block at a time: kept and told while they go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaxcogc.number_text import seconds_text
from jaxcogc.runs.run_files import RunFiles
from jaxcogc.training.compiled import CompiledTraining
from jaxcogc.training.metrics_table import metrics_table
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.trained import NonFiniteUpdate, Trained, first_non_finite

_BAR = 20
"""Letters of a bar."""


class LiveRun(NamedTuple):
    """A run after a block of its rounds.

    Attributes:
      plan: what is run.
      trained: where it stands.
      first: the first round of the block.
      seconds_left: until the last round at the speed so far.
      non_finite: the first update of the block that was not finite; None: all were.
    """

    plan: TrainingPlan
    trained: Trained
    first: int
    seconds_left: float
    non_finite: NonFiniteUpdate | None

    @property
    def metrics(self) -> pd.DataFrame:
        """The block's rounds, as `metrics_table` gives them: [rounds x schemes x seeds]."""
        return metrics_table(self.plan, self.trained, self.first)

    def latest(self) -> dict[str, dict[str, float]]:
        """By scheme and name, means over seeds: the last train_loss, and the last test on top."""
        metrics, done = self.trained.metrics, self.trained.round_index
        found: dict[str, dict[str, float]] = {}
        for number, scheme in enumerate(self.plan.settings.schemes):
            last = {"train_loss": float(np.mean(metrics.train_loss[:, number, done - 1]))}
            for name in (*self.plan.metrics, "loss"):
                values = np.asarray(metrics.test[name])[:, number, :done].mean(axis=0)
                known = values[~np.isnan(values)]
                if known.size:
                    last[f"test_{name}"] = float(known[-1])
            found[scheme] = last
        return found


def show_progress(live: LiveRun) -> None:
    """A callback of `train` that tells how far a run is: one line, in a notebook or a terminal.

    Args:
      live: the run after a block of its rounds.
    """
    done, rounds = live.trained.round_index, live.plan.rounds
    full = _BAR * done // rounds
    losses = (f"{name} {last['train_loss']:.3g}" for name, last in live.latest().items())
    told = f"{done} of {rounds} rounds, {seconds_text(live.seconds_left)} left"
    text = f"{told}; loss: {', '.join(losses)}"
    end = "\n" if done == rounds else ""
    # A carriage return takes back the line before it: notebooks know that as terminals do.
    print(f"\r[{'#' * full}{'.' * (_BAR - full)}] {text:<100}", end=end, flush=True)


def run_rounds(
    plan: TrainingPlan,
    compiled: CompiledTraining,
    start: Trained,
    files: RunFiles | None,
    shield: AbstractContextManager[Any] | None = None,
) -> Iterator[LiveRun]:
    """Go on from where a run stands, and keep it after every block.

    A run that stops at an update that is not finite ends with the block where that was; its table
    then ends before that round, and the block is in no checkpoint.

    Args:
      plan: what is run.
      compiled: its program.
      start: where the run stands.
      files: where it is kept; None: nowhere.
      shield: held while files are written.

    Raises:
      OSError: the disk refuses.
    """
    shield, began, before = shield or nullcontext(), time.perf_counter(), start.round_index
    for trained in compiled.blocks(start):
        found, first = first_non_finite(plan, trained, before), before
        stops = found is not None and not plan.settings.drop_non_finite
        if files is not None:
            with shield:
                files.keep(trained, found.round if found is not None and stops else None)
        before = trained.round_index
        each = (time.perf_counter() - began) / (before - start.round_index)
        yield LiveRun(plan, trained, first, each * (plan.rounds - before), found)
        if stops:
            return
