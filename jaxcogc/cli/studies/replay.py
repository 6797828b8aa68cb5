"""`jaxcogc replay`: one trial of a study again."""

from __future__ import annotations

import dataclasses

from jaxcogc.allowed import MAX_TRIALS, choice, whole
from jaxcogc.cli.shared.options import option, output, picture
from jaxcogc.cli.studies.store_options import StoreOptions, store_errors
from jaxcogc.names import OUTCOMES


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplayOptions(StoreOptions):
    """What can be asked."""

    point: str = option("ID", "The point, or how its identity begins.", default=...)
    trial: int = option("I", "Number of the trial, from 0.", whole(0, MAX_TRIALS), 0)
    next: str | None = option(
        "OUTCOME", "The first trial from I on with this outcome.", choice(tuple(OUTCOMES))
    )
    plot: str | None = picture()
    json: str | None = output("FILE|-", "The same for a program.")

    def starts_jax(self) -> bool:
        """See `Options`."""
        return True


def replay(options: ReplayOptions) -> int:
    """Rebuild a trial: who heard whom, which rows arrived, what was recovered.

    Trials need not have been counted: any trial of a point can be rebuilt from its number.
    """
    with store_errors():
        from jaxcogc.study.store.store import open_store

        with open_store(options.store) as opened:
            point = opened.find_point(options.point).point
    from jaxcogc.cli.studies.replay_run import run

    return run(options, point)
