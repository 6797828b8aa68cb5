"""What the examples share: simulated points, tables of them as CSV, the folder of the results."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax

from jaxcogc import (
    GradientCode,
    Network,
    OutcomeCounts,
    Simulation,
    compile_simulation,
    outcomes_from_counts,
)
from jaxcogc.figures import Figure, write_figure
from jaxcogc.names import OUTCOMES
from jaxcogc.outage import OutagePoint, closed_form
from jaxcogc.runtime import write_atomically

LEVEL = 0.95
METHOD = "clopper-pearson"


def compile_side_by_side(
    network: Network, code: GradientCode, attempts: Sequence[int]
) -> list[Simulation]:
    """One program for each number of attempts; each compilation keeps one core busy."""

    def compile_one(num_attempts: int) -> Simulation:
        return compile_simulation(network, code, num_attempts=num_attempts)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(compile_one, attempts))


def attempts_text(number: int) -> str:
    """The number with its noun: 1 attempt, 2 attempts."""
    return f"{number} attempt" + "s" * (number > 1)


def simulate_point(
    simulation: Simulation,
    key: jax.Array,
    network: Network,
    code: GradientCode,
    *,
    x: float,
    num_attempts: int,
    num_trials: int,
) -> OutagePoint:
    """Run a compiled simulation at one setting; `x` is the setting's place on a plot's axis."""
    counts = sum(
        simulation.counts(key, network, code, num_trials), OutcomeCounts.zero(network.num_clients)
    )
    return OutagePoint(
        x=x,
        outcomes=outcomes_from_counts(counts, level=LEVEL, interval=METHOD),
        closed_form=closed_form(network, code, num_attempts=num_attempts),
    )


def csv_row(point: OutagePoint, **setting: Any) -> dict[str, Any]:
    """One line of a table: the setting, then every probability with the ends of its interval."""
    row: dict[str, Any] = {**setting, "trials": point.outcomes.trials}
    for name in OUTCOMES:
        value = getattr(point.outcomes, name)
        row |= {name: value.best, f"{name}_low": value.low, f"{name}_high": value.high}
    law = point.closed_form.gc_outage
    return row | {
        "gc_outage_closed_form": "" if law is None else law,
        "mean_rank": point.outcomes.mean_rank,
        "interval": METHOD,
        "level": LEVEL,
    }


def write_csv(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the rows under one line of column names."""
    rows = list(rows)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, stream.getvalue())


def leave_picture(path: Path, draw: Callable[[], Figure]) -> None:
    """Draw and write a picture; of one that cannot be drawn a line says why, and the rest stays."""
    path.unlink(missing_ok=True)
    try:
        write_figure(draw(), path)
    except Exception as error:  # whatever a user's own settings make Matplotlib do
        print(f"{path}: cannot be drawn: {' '.join(str(error).split())}", file=sys.stderr)


def leave_results(make: Callable[[Path], list[tuple[Path, str]]], argument: int = 1) -> None:
    """Make an example's files in the folder that the command line names; a line says what each is.

    Args:
      make: from the folder to its files and their meanings.
      argument: place of the folder on the command line; "results" where it is not given.
    """
    folder = Path(sys.argv[argument] if len(sys.argv) > argument else "results")
    folder.mkdir(parents=True, exist_ok=True)
    files = make(folder)
    for path, meaning in files:
        if path.exists():
            print(f"{path}: {meaning}")
    if not all(path.exists() for path, _ in files):
        raise SystemExit(1)
