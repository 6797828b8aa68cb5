"""`jaxcogc replay`: one trial of a study again."""

from __future__ import annotations

from typing import Annotated

from jaxcogc.cli.shared.errors import rejected
from jaxcogc.cli.shared.options import Plot, SameJson, StorePath, Text, option
from jaxcogc.cli.shared.outputs import PICTURES, check_suffix, check_target
from jaxcogc.cli.shared.store_errors import store_errors
from jaxcogc.cli.shared.values import parse_count

PointId = Annotated[str, option("--point", "ID", "The point, or how its identity begins.")]
Trial = Annotated[str, option("--trial", "I", "Number of the trial, from 0.")]
Next = Annotated[Text, option("--next", "OUTCOME", "The first trial from I on with this outcome.")]


def replay(
    store: StorePath,
    point: PointId,
    trial: Trial = "0",
    next: Next = None,
    plot: Plot = None,
    json: SameJson = None,
) -> int:
    """Rebuild a trial: who heard whom, which rows arrived, what was recovered.

    Trials need not have been counted: any trial of a point can be rebuilt from its number.
    """
    number = parse_count("--trial", trial, low=0, high=10**13)
    check_suffix("--plot", plot, PICTURES)
    for field, target in (("--plot", plot), ("--json", json)):
        check_target(field, target)
    from jaxcogc.study.results.outcomes import OUTCOMES

    if next is not None and next not in OUTCOMES:
        raise rejected("--next", next, ", ".join(OUTCOMES))
    with store_errors():
        from jaxcogc.study.results.stored_results import find_point, point_of
        from jaxcogc.study.store.store import open_store

        with open_store(store) as opened:
            found = point_of(opened, find_point(opened, point))
    from jaxcogc.cli.studies.replay_run import run

    return run(found, number, next, plot, json)
