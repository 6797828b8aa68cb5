"""Monte Carlo whose trials are counted by strata of known probability.

Words, trials and program are those of `monte_carlo`; only the table of counts is larger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from jaxcogc._types import Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.simulation.compiled_runs import checked_run, count_tables
from jaxcogc.outage.simulation.count_table import counts_from_table
from jaxcogc.outage.simulation.kernels.checked_programs import compile_or_fall_back
from jaxcogc.outage.simulation.kernels.choice import with_kernel
from jaxcogc.outage.simulation.program import Program
from jaxcogc.outage.simulation.program_inputs import Shape, run_shape
from jaxcogc.outage.stratified.known_strata import MOST_STRATA, sort_cells
from jaxcogc.outage.stratified.stratified_counts import StratifiedCounts
from jaxcogc.runtime.devices import describe_devices
from jaxcogc.runtime.jax_settings import plain_settings, under_plain_settings


class StratifiedSimulation(NamedTuple):
    """A compiled Monte Carlo program that counts by strata.

    Attributes:
      compile_seconds, device: as of `Simulation`.
      counts: likewise; yields StratifiedCounts.
    """

    compile_seconds: float
    device: str
    counts: Callable[[Key, Network, GradientCode, int], Iterator[StratifiedCounts]]


@under_plain_settings
def compile_stratified(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
    tile: int | None = None,
    kernel: str = "auto",
    num_trials: int | None = None,
) -> StratifiedSimulation:
    """Compile the Monte Carlo program that counts by strata, for networks and codes of this shape.

    Args:
      network, code, num_attempts, redraw_code, dynamics, keep_heard, tile, kernel, num_trials:
        as in `compile_simulation`.

    Returns:
      StratifiedSimulation.

    Raises:
      ValueError: as `compile_simulation`, or where the strata's law is not known: another code in
        each attempt, codes other than cyclic ones, rows that are not independent.
    """
    started = time.perf_counter()
    for name, given in (("redraw_code", redraw_code), ("keep_heard", keep_heard)):
        if given:
            raise ValueError(
                f"{name} = True: allowed with estimator = 'stratified' is False, as no law of its "
                "strata is known"
            )
    shape = run_shape(
        network,
        code,
        num_attempts=num_attempts,
        redraw_code=False,
        dynamics=dynamics,
        tile=tile,
    )._replace(strata=MOST_STRATA)
    shape = with_kernel(shape, code, kernel, num_trials)
    sort_cells(network, code, num_attempts=num_attempts, dynamics=dynamics)  # or says what is wrong
    counts = partial(_counts, compile_or_fall_back(shape, code), shape, dynamics)
    return StratifiedSimulation(
        time.perf_counter() - started, describe_devices(shape.devices), counts
    )


def _counts(
    program: Program,
    shape: Shape,
    dynamics: LinkDynamics | None,
    key: Key,
    network: Network,
    code: GradientCode,
    num_trials: int,
) -> Iterator[StratifiedCounts]:
    with plain_settings():
        run = checked_run(key, shape, network, code, dynamics=dynamics, num_trials=num_trials)
        cells = sort_cells(network, code, num_attempts=shape.attempts, dynamics=dynamics)
    run = run._replace(stratum_of=cells.stratum_of)
    for tables in count_tables(program, shape, run, num_trials):
        by_stratum = (counts_from_table(table, shape.clients) for table in tables)
        yield StratifiedCounts(cells.strata, tuple(by_stratum), shape.rule.counted)
