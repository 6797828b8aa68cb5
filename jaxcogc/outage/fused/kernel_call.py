"""What both kernels share: their size, what blocks and runs tell them, and how they are started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxcogc._types import Array
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.fused.kernel_inputs import KernelSize, OfBlocks, of_blocks
from jaxcogc.outage.fused.kernel_words import read_block
from jaxcogc.outage.simulation.program_inputs import Inputs, Run, Shape, num_counted

LANES = 32
"""Trials of one instance of a kernel on a GPU: a warp."""
Output = tuple[pl.BlockSpec, tuple[int, ...]]
"""Of an array uint32 that a kernel writes: what an instance sees of it, and its shape."""


def kernel_size(shape: Shape) -> KernelSize:
    """What the kernel of a program is specialised to; on a CPU it is interpreted."""
    on_gpu = shape.devices[0].platform != "cpu"
    return KernelSize(
        shape.clients,
        shape.attempts,
        shape.links,
        shape.rule.modulus,
        shape.rule.counted,
        LANES if on_gpu else BLOCK_TRIALS,
        on_gpu,
    )


def all_coefficients(size: KernelSize, run: Run) -> Array:
    """The code of every attempt over the field: uint32 [attempts, clients, clients]."""
    full = (size.attempts, size.clients, size.clients)
    return jnp.broadcast_to(jnp.asarray(run.field_matrix), full)


def first_block(inputs: Inputs, axis: str) -> Array:
    """The number of this device's first block."""
    return jnp.asarray(inputs.first_block) + lax.axis_index(axis) * inputs.num_blocks


def device_blocks(size: KernelSize, inputs: Inputs, first: Array, blocks: Array) -> OfBlocks:
    """What the trials of some of a device's blocks share.

    Args:
      size: of the kernel.
      inputs: of the program.
      first: from `first_block`.
      blocks: int32 [blocks], counted from the first; no trial of those beyond the last counts.
    """
    numbers = first + blocks
    limit = jnp.where(blocks < inputs.num_blocks, num_counted(inputs, numbers), 0)
    return of_blocks(size, jnp.asarray(inputs.run.words), numbers, limit)


def counted_trials(blocks: OfBlocks) -> Array:
    """Which trials count: bool [blocks, trials]."""
    return jnp.arange(BLOCK_TRIALS, dtype=jnp.int32) < blocks.limit[:, None]


def call_kernel(
    name: str,
    size: KernelSize,
    decide: Callable[..., None],
    blocks: OfBlocks,
    run: Any,
    outputs: Sequence[Output],
) -> list[Array]:
    """Run a kernel for the trials of some blocks.

    Args:
      name: of the kernel.
      size: what it is specialised to.
      decide: ``decide(block, run, trials, *output_refs)`` of one instance, with the words of its
        block, references to what all trials share, and its trials' numbers, uint32 [lanes].
      blocks: what the trials of each share.
      run: what all trials share, a pytree of arrays.
      outputs: what it writes; not written where no trial of an instance counts.
    """
    number, width = blocks.words.shape
    shared, structure = jax.tree.flatten(run)  # without what the kind of links has no use for

    def whole(x: Array) -> pl.BlockSpec:
        return pl.BlockSpec(x.shape, lambda *_: (0,) * x.ndim)

    def kernel(words_ref: Any, limit_ref: Any, *refs: Any) -> None:
        first = pl.program_id(1) * size.lanes  # interpret mode knows it out here only

        @pl.when(first < limit_ref[0])
        def _() -> None:
            trials = first + lax.broadcasted_iota(jnp.int32, (size.lanes,), 0)
            block = read_block(size, lambda n: words_ref[n])
            run_refs = jax.tree.unflatten(structure, refs[: len(shared)])
            decide(block, run_refs, trials.astype(jnp.uint32), *refs[len(shared) :])

    found: list[Array] = pl.pallas_call(
        kernel,
        grid=(number, BLOCK_TRIALS // size.lanes),
        in_specs=[
            pl.BlockSpec((None, width), lambda block, part: (block, 0)),
            pl.BlockSpec((1,), lambda block, part: (block,)),
            *map(whole, shared),
        ],
        out_specs=[spec for spec, _ in outputs],
        out_shape=[jax.ShapeDtypeStruct(shape, jnp.uint32) for _, shape in outputs],
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        interpret=not size.on_gpu,
        name=name,
    )(*blocks, *shared)
    return found
