"""What the Monte Carlo program does: traced or lowered, and not run."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr

from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.checks import check_choice
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.kernels.choice import as_fused, with_kernel
from jaxcogc.outage.simulation.kernels.fused_limits import why_not_served
from jaxcogc.outage.simulation.program import count_blocks, lowered_program
from jaxcogc.outage.simulation.program_inputs import (
    BLOCKS_AT_ONCE,
    MOST_KEPT,
    Inputs,
    prepare_run,
    run_shape,
)
from jaxcogc.runtime.devices import AXIS
from jaxcogc.runtime.jax_settings import under_plain_settings


class BlockTrace(NamedTuple):
    """The program of one block on one device.

    Attributes:
      jaxpr: what JAX traced, as `jax.make_jaxpr` returns it.
      num_trials: of the block.
      num_tiles: in which they are computed; the fused kernel has one.
    """

    jaxpr: ClosedJaxpr
    num_trials: int
    num_tiles: int


class LoweredSimulation(NamedTuple):
    """The whole program for one device, which may be a described one.

    Attributes:
      lowered: to be compiled.
      compiler_options: by which the package compiles it.
      kernel: that computes the trials, "xla" or "fused": what "auto" took.
      num_trials: of one call.
      num_tiles: in which a call computes them; of the fused kernel, starts.
    """

    lowered: jax.stages.Lowered
    compiler_options: dict[str, str | bool]
    kernel: str
    num_trials: int
    num_tiles: int


@under_plain_settings
def lower_simulation(
    network: Network,
    code: GradientCode,
    *,
    device: jax.Device,
    num_attempts: int = 1,
    kernel: str = "xla",
    keep_apart: bool = False,
    num_trials: int | None = None,
) -> LoweredSimulation:
    """Lower the program of `compile_simulation` for a device, for whoever plans for one.

    Args:
      network, code: of the sizes meant.
      device: to compile for; as of `jax.experimental.topologies` it need not be there.
      num_attempts: attempts a round.
      kernel: as in `compile_simulation`.
      keep_apart: the program of studies, which counts every block by itself.
      num_trials: as in `compile_simulation`.

    Returns:
      LoweredSimulation.

    Raises:
      ValueError: sizes that do not fit, or that the kernel does not serve.

    >>> import jax
    >>> from jaxcogc import Network, cyclic_code
    >>> network = Network.homogeneous(3, uplink_erasure=0.2, peer_erasure=0.1)
    >>> code = cyclic_code(jax.random.key(0), 3, 1)
    >>> program = lower_simulation(network, code, device=jax.devices("cpu")[0])
    >>> program.compiler_options
    {'xla_cpu_prefer_vector_width': '512'}
    """
    shape = run_shape(network, code, num_attempts=num_attempts, redraw_code=False, devices=[device])
    shape = with_kernel(shape, code, kernel, num_trials)
    blocks = shape.most_blocks
    if keep_apart:
        blocks = min(blocks, MOST_KEPT)
        shape = shape._replace(kept=blocks)
    tiles = blocks * (BLOCK_TRIALS // shape.tile)
    if shape.rule.kernel == "fused" and shape.reach:
        from jaxcogc.outage.fused.ring_blocks import blocks_at_once  # Pallas loads for a second

        tiles = -(-blocks // blocks_at_once(shape))
    elif shape.rule.kernel == "fused":
        tiles = 1 if keep_apart else -(-blocks // BLOCKS_AT_ONCE)
    return LoweredSimulation(
        lowered_program(shape),
        shape.compiler_options,
        shape.rule.kernel,
        blocks * BLOCK_TRIALS,
        tiles,
    )


@under_plain_settings
def trace_block(
    network: Network, code: GradientCode, *, num_attempts: int = 1, kernel: str = "xla"
) -> BlockTrace:
    """Trace the count of one block, for whoever measures what it costs.

    Args:
      network, code: of the sizes meant.
      num_attempts: attempts a round.
      kernel: "xla", or "fused", whether there is a GPU or not.

    Returns:
      BlockTrace.

    Raises:
      ValueError: sizes that do not fit, or that the kernel does not serve.

    >>> import jax
    >>> from jaxcogc import Network, cyclic_code
    >>> network = Network.homogeneous(4, uplink_erasure=0.2, peer_erasure=0.1)
    >>> trace_block(network, cyclic_code(jax.random.key(0), 4, 1)).num_trials
    16384
    """
    check_choice("kernel", kernel, ("xla", "fused"))
    shape = run_shape(
        network,
        code,
        num_attempts=num_attempts,
        redraw_code=False,
        devices=jax.devices()[:1],
    )
    if kernel == "fused":
        if reason := why_not_served(shape, code):
            raise ValueError(f"kernel = 'fused': {reason}")
        shape = as_fused(shape, code)
    none, one = np.int32(0), np.int32(1)
    run = prepare_run(np.zeros(2, np.uint32), network, code)
    inputs = Inputs(run, first_block=none, num_blocks=one, full_blocks=one, last_trials=none)
    traced = jax.make_jaxpr(partial(count_blocks, shape, AXIS), axis_env=[(AXIS, 1)])(inputs)
    tiles = 1 if kernel == "fused" else BLOCK_TRIALS // shape.tile
    return BlockTrace(traced, BLOCK_TRIALS, tiles)
