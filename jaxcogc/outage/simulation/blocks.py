"""Counts of single blocks of trials, in any order: what a resumable study collects.

The trials are those of `monte_carlo`: the counts of blocks 0 .. n - 1 add up to what a run of n
blocks counts, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.outage.outcomes import ByOutcome
from jaxcogc.outage.simulation.count_table import counts_from_table, outcomes_from_flags
from jaxcogc.outage.simulation.kernels.checked_programs import compile_or_fall_back
from jaxcogc.outage.simulation.kernels.choice import with_kernel
from jaxcogc.outage.simulation.kernels.reach import serves
from jaxcogc.outage.simulation.program import Program
from jaxcogc.outage.simulation.program_inputs import MOST_KEPT, Inputs, Run, Shape, run_shape
from jaxcogc.runtime.devices import describe_devices


class CountedBlocks(NamedTuple):
    """Consecutive blocks, counted.

    Attributes:
      counts: of each block, in order.
      flags: uint8 [trials], what happened in the first device's last block, the only one when
        one block was asked for; `happened` reads it.
    """

    counts: list[OutcomeCounts]
    flags: np.ndarray

    @property
    def happened(self) -> ByOutcome[np.ndarray]:
        """In which trials of the block of ``flags`` each outcome happened: bool [trials]."""
        return outcomes_from_flags(self.flags)


class BlockSimulation(NamedTuple):
    """A compiled program that counts blocks one by one.

    Attributes:
      compile_seconds: what tracing and compiling took; near 0 when this process had it already.
      device: the devices it runs on, in words.
      most_blocks: blocks that one call counts at most.
      start: ``start(run, first_block, num_blocks)`` begins to count the blocks and returns at
        once; call the result for the CountedBlocks.
      serves: whether a code of the family and size runs at once: others, which reach further than
        the program knows, wait for the compiler.
    """

    compile_seconds: float
    device: str
    most_blocks: int
    start: Callable[[Run, int, int], Callable[[], CountedBlocks]]
    serves: Callable[[GradientCode], bool]


def compile_blocks(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
    devices: Sequence[jax.Device] | None = None,
) -> BlockSimulation:
    """Compile the program that counts blocks one by one, for networks and codes of this shape.

    On a GPU by the fused kernel where that serves, as `compile_simulation` by "auto".

    Args:
      network, code, num_attempts, redraw_code, dynamics, keep_heard, devices: as in
        `compile_simulation`.

    Raises:
      ValueError: sizes or dynamics that do not fit, or ``redraw_code`` with a family that is not
        random.
    """
    started = time.perf_counter()
    shape = run_shape(
        network,
        code,
        num_attempts=num_attempts,
        redraw_code=redraw_code,
        dynamics=dynamics,
        keep_heard=keep_heard,
        devices=devices,
    )
    shape = shape._replace(kept=min(MOST_KEPT, shape.most_blocks))
    chosen = with_kernel(shape, code, "auto")
    program = compile_or_fall_back(chosen, code)
    return BlockSimulation(
        time.perf_counter() - started,
        describe_devices(shape.devices),
        shape.kept * len(shape.devices),
        partial(_start, program, shape),
        partial(serves, chosen),
    )


def _start(
    program: Program, shape: Shape, run: Run, first_block: int, num_blocks: int
) -> Callable[[], CountedBlocks]:
    num_devices = len(shape.devices)
    if not 1 <= num_blocks <= shape.kept * num_devices:
        raise ValueError(f"num_blocks = {num_blocks}: allowed is 1..{shape.kept * num_devices}")
    per_device = -(-num_blocks // num_devices)
    tables, flags = program(
        Inputs(
            run,
            first_block=np.int32(first_block),
            num_blocks=np.int32(per_device),
            full_blocks=np.int32(first_block + num_blocks),
            last_trials=np.int32(0),
        )
    )

    def wait() -> CountedBlocks:
        by_device = np.asarray(tables).reshape(num_devices, shape.kept, *tables.shape[1:])
        used = by_device[:, :per_device].reshape(-1, *tables.shape[1:])[:num_blocks]
        counts = [counts_from_table(table, shape.clients) for table in used]
        return CountedBlocks(counts, np.asarray(flags)[0])

    return wait
