"""What a run leaves in its folder while it goes on: checkpoints, and a table that grows."""

from __future__ import annotations

import os
from pathlib import Path

from jaxcogc.runs.run_folder import CHECKPOINTS
from jaxcogc.runtime.atomic_files import write_atomically
from jaxcogc.training.checkpoints import Checkpoints, Restored
from jaxcogc.training.metrics_table import metrics_csv
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.trained import Trained, as_planned

METRICS = "metrics.csv"


class RunFiles:
    """Checkpoints and ``metrics.csv`` of a run in a folder that is held; use it as a context.

    A checkpoint is whole before the rounds are added to the table, so that a run that goes on from
    it writes the table anew, once, and adds to it from there: the file is always that of a run that
    was never interrupted, as far as it goes.
    """

    def __init__(self, plan: TrainingPlan, out: Path) -> None:
        self._plan, self._table = plan, out / METRICS
        self._checkpoints = Checkpoints(out / CHECKPOINTS)
        self._written: int | None = None

    def __enter__(self) -> RunFiles:
        return self

    def __exit__(self, *error: object) -> None:
        self._checkpoints.__exit__(*error)

    def restore(self, start: Trained) -> Restored:
        """Where the run stood, as if it had been planned with as many rounds as now."""
        found = self._checkpoints.restore(start)
        if found.trained is None:
            return found
        return found._replace(trained=as_planned(self._plan, found.trained))

    def keep(self, trained: Trained, num_rounds: int | None = None) -> None:
        """Keep where the run stands; or, where it cannot go on, the table of its first rounds.

        Raises:
          OSError: the disk refuses.
        """
        if num_rounds is None:
            self._checkpoints.save(trained)
        if self._written is None:
            write_atomically(self._table, metrics_csv(self._plan, trained, num_rounds=num_rounds))
        else:
            text = metrics_csv(self._plan, trained, self._written, num_rounds)
            with self._table.open("ab") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())
        self._written = trained.round_index if num_rounds is None else num_rounds
