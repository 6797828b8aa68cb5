"""`scaling`: time and peak memory against trials, clients and devices."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cases import ERASURE, Shape
from benchmarks.decode import AnswersDiffer
from benchmarks.report import environment, short

TRIALS = (10**4, 10**5, 10**6, 10**7, 10**8)
CLIENTS = (8, 16, 32, 64, 128)
DEVICES = (1, 2, 4, 8)
FIRST = Shape(10, 7, 2)
_PROJECT = Path(__file__).resolve().parent.parent


def run_worker(
    shape: Shape, num_trials: int, repeats: int, virtual_devices: int | None = None
) -> dict[str, Any]:
    """One measurement in a process of its own.

    Args:
      shape: of the stacks.
      num_trials: trials of a run.
      repeats: timed runs.
      virtual_devices: so many virtual CPU devices; None for whatever JAX finds.
    """
    numbers = map(str, (*shape, num_trials, repeats))
    surroundings = dict(os.environ)
    if virtual_devices is not None:
        surroundings |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(virtual_devices)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scaling_worker", *numbers],
        cwd=_PROJECT,
        env=surroundings,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the measuring process failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def clients_shape(clients: int) -> Shape:
    """Half of the clients as stragglers: the support, and so the links drawn, grow with M."""
    return Shape(clients, clients // 2, 2)


def _repeats_of(num_trials: int, repeats: int) -> int:
    # 1e8 trials take minutes and are their own average.
    return repeats if num_trials <= 10**6 else max(1, min(repeats, 5)) if num_trials <= 10**7 else 1


def against_trials(trials: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """Seconds and peak memory for ever more trials."""
    return [run_worker(FIRST, n, _repeats_of(n, repeats)) for n in trials]


def against_clients(clients: Sequence[int], trials: int, repeats: int) -> list[dict[str, Any]]:
    """Seconds for ever more clients, fewer trials the more clients there are."""
    results = []
    for number in clients:
        fewer = max(2**16, trials // max(1, number // 8) ** 2)
        results.append(run_worker(clients_shape(number), fewer, repeats))
    return results


def against_devices(
    devices: Sequence[int], trials: int, repeats: int, shape: Shape = FIRST
) -> list[dict[str, Any]]:
    """Seconds on virtual CPU devices, which must not change a single count."""
    results = [run_worker(shape, trials, repeats, number) for number in devices]
    digests = {result["counts_digest"] for result in results}
    if len(digests) != 1:
        raise AnswersDiffer(f"counts depend on the number of devices: {digests}")
    return results


def growth(results: Sequence[dict[str, Any]]) -> list[float]:
    """Exponents of the cost per trial in the number of clients, from one size to the next.

    >>> rates = {8: 8.0, 16: 1.0}
    >>> growth([{"clients": m, "trials_per_second": rate} for m, rate in rates.items()])
    [3.0]
    """
    return [
        math.log(before["trials_per_second"] / after["trials_per_second"])
        / math.log(after["clients"] / before["clients"])
        for before, after in pairwise(results)
    ]


def _table(title: str, first: str, results: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    columns = [first] if first == "trials" else [first, "trials"]
    for head in (*columns, "trials/s", "compile [s]", "peak memory [MB]"):
        table.add_column(head, justify="right")
    for result in results:
        table.add_row(
            *(short(result[column]) for column in columns),
            short(result["trials_per_second"]),
            f"{result['compile_seconds']:.1f}",
            f"{result['peak_memory_bytes'] / 1e6:.0f}",
        )
    return table


def run(quick: bool, console: Console, repeats: int = 7) -> dict[str, Any]:
    """All three; returns what goes into the result file."""
    trials = against_trials((10**4, 2 * 10**4) if quick else TRIALS, repeats)
    title = f"(M, s, A) = {tuple(FIRST)}, all erasures {ERASURE}"
    console.print(_table(f"scaling with trials, {title}", "trials", trials))
    devices = against_devices((1, 2) if quick else DEVICES, 2**15 if quick else 2**21, repeats)
    console.print(_table(f"scaling with virtual CPU devices, {title}", "devices", devices))
    console.print("the same counts, to the last one, on every number of devices")
    clients = against_clients((8, 16) if quick else CLIENTS, 2**14 if quick else 2**20, repeats)
    console.print(_table("scaling with clients, s = M/2, A = 2", "clients", clients))
    exponents = growth(clients)
    console.print(
        "cost per trial grows like M to the power of "
        + ", ".join(f"{value:.2f}" for value in exponents)
    )
    # Last: this process must not hold the device while the others measure.
    return {
        "benchmark": "scaling",
        "quick": quick,
        **environment(),
        "erasure": ERASURE,
        "trials": trials,
        "devices": devices,
        "clients": clients,
        "growth_exponents": exponents,
    }
