"""What the compiled Monte Carlo program is specialised to, and what each of its calls gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import AnyArray, Array
from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.coding.exact.decision import DecisionRule, decision_rule
from jaxcogc.coding.exact.panel_loops import FEW_CLIENTS
from jaxcogc.coding.recovery import tile_size
from jaxcogc.links.checks import check_same_clients
from jaxcogc.links.draws import check_limits
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.links.thresholds import LinkKind, LinkLaw, link_kind, link_law
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.runtime.devices import compiler_options
from jaxcogc.runtime.random_words import seed_key

MOST_KEPT = 64
"""Tables that a device keeps apart: a second of work on a CPU, some megabytes for large codes."""
BLOCKS_AT_ONCE = 256
"""Blocks of one start of the fused kernel on a GPU: some milliseconds, 16 MB of outcomes."""


class Shape(NamedTuple):
    """All that a compiled program is specialised to.

    Attributes:
      clients, attempts: of every run.
      links: how links are drawn.
      rule: how trials are decided.
      tile: trials computed at once.
      devices: that share the blocks.
      kept: 0 for a program that adds all its blocks up; else the most blocks a device counts in
        one call of a program that keeps them apart.
      strata: 0, or the number of strata that are counted apart.
      reach: 0, or how far round the ring the rows of its codes may reach, the largest offset: of
        the fused kernel for rings, and of programs by XLA that know it (each row of a code must
        hold its own client then).
      in_order: trials that walk around the ring are decided in the order of `decided_tiles`:
        faster by a quarter, compiled for some seconds more. With a reach only.
    """

    clients: int
    attempts: int
    links: LinkKind
    rule: DecisionRule
    tile: int
    devices: tuple[jax.Device, ...]
    kept: int = 0
    strata: int = 0
    reach: int = 0
    in_order: bool = False

    @property
    def on_a_cpu(self) -> bool:
        """Whether its devices are a CPU's."""
        return bool(self.devices[0].platform == "cpu")

    @property
    def compiler_options(self) -> dict[str, str | bool]:
        """With which XLA compiles the program."""
        quick = self.rule.kernel == "loops" and self.clients <= FEW_CLIENTS
        return compiler_options(self.devices[0].platform, quick=quick)

    @property
    def most_blocks(self) -> int:
        """Blocks a device counts in one call: 0.1 s of work, if it can be, and sums that fit int32.

        A fixed schedule, because every process of a distributed run must follow the same one.
        """
        fits = (2**31 - 1) // (BLOCK_TRIALS * self.clients * len(self.devices))
        quick = 2**12
        if self.on_a_cpu:
            quick = 2**11 // self.clients**2
        return max(1, min(fits, quick))


class Run(NamedTuple):
    """What all blocks of a run share.

    Attributes:
      words: uint32 [2], `run_words` of the run's key.
      law: of the links.
      field_matrix: uint32 [clients, clients], or [attempts, clients, clients] of a redrawn code.
      num_stragglers: int32.
      reals: uint32 [clients, clients, 2], float64 bits of a code that these decide; else None.
      stratum_of: int32 [attempts x clients + 1, 2], the stratum of a trial by its bound of the
        rank and whether enough complete rows arrived; None without strata.
    """

    words: AnyArray
    law: LinkLaw
    field_matrix: AnyArray
    num_stragglers: AnyArray | np.int32
    reals: AnyArray | None = None
    stratum_of: AnyArray | None = None


class Inputs(NamedTuple):
    """What a call of the compiled program gets, the same on all devices; numbers are int32.

    Attributes:
      run: what all blocks share.
      first_block: of the call.
      num_blocks: for each device; the call's are so many times the devices.
      full_blocks: blocks of the whole run that count in full.
      last_trials: trials that count in the block after those.
    """

    run: Run
    first_block: AnyArray | np.int32
    num_blocks: AnyArray | np.int32
    full_blocks: AnyArray | np.int32
    last_trials: AnyArray | np.int32


def num_counted(inputs: Inputs, block: AnyArray) -> Array:
    """How many trials of a block count, int32; of blocks beyond the last one none."""
    last = jnp.where(block == inputs.full_blocks, inputs.last_trials, 0)
    return jnp.where(block < inputs.full_blocks, BLOCK_TRIALS, last)


def run_shape(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int,
    redraw_code: bool,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
    tile: int | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Shape:
    """The shape of the program, by XLA, for networks and codes of these sizes.

    Args:
      network, code, num_attempts, redraw_code, dynamics, keep_heard, tile, devices: as in
        `compile_simulation`.

    Raises:
      ValueError: sizes or dynamics that do not fit, or ``redraw_code`` with a family that is not
        random.
    """
    check_limits(network.num_clients, num_attempts)
    check_same_clients(code.num_clients, network.num_clients)
    devices = tuple(jax.devices() if devices is None else devices)
    if tile is None:
        tile = tile_size(network.num_clients, num_attempts, devices[0].platform)
    if tile not in [2**n for n in range(15)]:
        raise ValueError(f"tile = {tile}: must be a power of two up to {BLOCK_TRIALS}")
    if redraw_code and not code.redrawn:
        code = redraw(seed_key(0), code, num_attempts)
    return Shape(
        network.num_clients,
        num_attempts,
        link_kind(network, dynamics, keep_heard=keep_heard),
        decision_rule(code),
        tile,
        devices,
    )


def prepare_run(
    words: np.ndarray,
    network: Network,
    code: GradientCode,
    *,
    dynamics: LinkDynamics | None = None,
    kind: LinkKind | None = None,
) -> Run:
    """What all blocks of a run share; made on the host, while the devices work.

    Args:
      words: of the run's key, from `run_words`.
      network: erasure probabilities.
      code: the code, with each attempt's coefficients where it is redrawn.
      dynamics: how links remember, and which clients are blocked.
      kind: of the links, from the shape; None: what network and dynamics need.
    """
    kind = link_kind(network, dynamics) if kind is None else kind
    return Run(
        words,
        link_law(network, dynamics, kind),
        np.asarray(code.field_matrix),
        np.int32(code.num_stragglers),
        None if code.reals is None else np.asarray(code.reals),
    )
