"""Counts of single blocks of trials, in any order: what a resumable study collects.

The trials are those of `monte_carlo`: the counts of blocks 0 .. n - 1 add up to what a run of n
blocks counts, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.outage.simulation.device_counts import counts_from_table
from jaxcogc.outage.simulation.program import Inputs, blocks_per_call, compiled_program
from jaxcogc.outage.simulation.run_inputs import Run, run_shape
from jaxcogc.runtime.devices import describe_devices

_MOST_KEPT = 64
"""Tables that a device keeps apart: a second of work on a CPU, some megabytes for large codes."""

Started = Callable[[], tuple[list[OutcomeCounts], np.ndarray]]
"""Waits for blocks under way: their counts, and the flags uint8 [trials] of the first device's
last block."""


class BlockSimulation(NamedTuple):
    """A compiled program that counts blocks one by one.

    Attributes:
      compile_seconds: what tracing and compiling took; near 0 when this process had it already.
      device: the devices it runs on, in words.
      most_blocks: blocks that one call counts at most.
      start: ``start(run, first_block, num_blocks)`` begins to count the blocks and returns at
        once; call the result for their counts, in order, and for the flags (see `tally.events`)
        of the trials of the first device's last block, the only one when one block was asked for.
    """

    compile_seconds: float
    device: str
    most_blocks: int
    start: Callable[[Run, int, int], Started]


def compile_blocks(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    redraw_code: bool = False,
    devices: Sequence[Any] | None = None,
) -> BlockSimulation:
    """Compile the program that counts blocks one by one, for networks and codes of this shape.

    Args:
      network, code, num_attempts, redraw_code, devices: as in `compile_simulation`.

    Raises:
      ValueError: sizes that do not fit, or ``redraw_code`` with a family that is not random.
    """
    started = time.perf_counter()
    shape = run_shape(
        network,
        code,
        num_attempts=num_attempts,
        redraw_code=redraw_code,
        tile=None,
        devices=devices,
        kernel="xla",
    )
    shape = shape._replace(kept=min(_MOST_KEPT, blocks_per_call(shape)))
    program = compiled_program(shape)

    def start(run: Run, first_block: int, num_blocks: int) -> Started:
        return _start(program, shape, run, first_block, num_blocks)

    return BlockSimulation(
        time.perf_counter() - started,
        describe_devices(shape.devices),
        shape.kept * len(shape.devices),
        start,
    )


def _start(program, shape, run: Run, first_block: int, num_blocks: int) -> Started:
    if not 1 <= num_blocks <= shape.kept * len(shape.devices):
        raise ValueError(
            f"num_blocks = {num_blocks}: allowed is 1..{shape.kept * len(shape.devices)}"
        )
    per_device = -(-num_blocks // len(shape.devices))
    inputs = Inputs(
        *run,
        np.int32(first_block),
        np.int32(per_device),
        np.int32(first_block + num_blocks),
        np.int32(0),
    )
    tables, flags = program(inputs)

    def wait() -> tuple[list[OutcomeCounts], np.ndarray]:
        by_device = np.asarray(tables).reshape(len(shape.devices), shape.kept, *tables.shape[1:])
        used = by_device[:, :per_device].reshape(-1, *tables.shape[1:])[:num_blocks]
        return [counts_from_table(table, shape.clients) for table in used], np.asarray(flags)[0]

    return wait
