"""Runs of the compiled program: its inputs checked, its calls one after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxcogc._types import Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.decision import decision_rule
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.block_words import redrawn_code, run_words
from jaxcogc.outage.simulation.program import Program
from jaxcogc.outage.simulation.program_inputs import Inputs, Run, Shape, prepare_run
from jaxcogc.runtime.jax_settings import plain_settings


def count_tables(program: Program, shape: Shape, run: Run, num_trials: int) -> Iterator[np.ndarray]:
    """Call the compiled program on consecutive blocks and hand out what it counted."""
    num_devices = len(shape.devices)
    total_blocks = -(-num_trials // BLOCK_TRIALS)
    first, per_device = 0, 1
    while first < total_blocks:
        per_device = min(per_device, -(-(total_blocks - first) // num_devices))
        inputs = Inputs(
            run,
            first_block=np.int32(first),
            num_blocks=np.int32(per_device),
            full_blocks=np.int32(num_trials // BLOCK_TRIALS),
            last_trials=np.int32(num_trials % BLOCK_TRIALS),
        )
        with plain_settings():  # not around the yield: whoever iterates has settings of his own
            table = np.asarray(program(inputs))
        yield table
        first += per_device * num_devices
        per_device = min(2 * per_device, shape.most_blocks)


def checked_run(
    key: Key,
    shape: Shape,
    network: Network,
    code: GradientCode,
    *,
    dynamics: LinkDynamics | None,
    num_trials: int,
) -> Run:
    """What all blocks of a run share, once it fits the program."""
    _check_run(shape, network, code, num_trials)
    if shape.rule.redrawn and not code.redrawn:
        code = redrawn_code(key, code, shape.attempts)
    return prepare_run(run_words(key), network, code, dynamics=dynamics, kind=shape.links)


def _check_run(shape: Shape, network: Network, code: GradientCode, num_trials: int) -> None:
    if isinstance(num_trials, bool) or not isinstance(num_trials, int | np.integer):
        raise ValueError(f"num_trials = {num_trials!r}: must be a whole number")
    if not 1 <= num_trials <= 2**30 * BLOCK_TRIALS:
        raise ValueError(f"num_trials = {num_trials}: must lie in 1..{2**30 * BLOCK_TRIALS}")
    rule = decision_rule(code, shape.rule.kernel)
    fits = rule == shape.rule or (shape.rule.redrawn and rule.modulus == shape.rule.modulus)
    clients = (network.num_clients, code.num_clients)
    if clients != (shape.clients,) * 2 or network.reciprocal != shape.links.reciprocal or not fits:
        raise ValueError(
            "network or code: must have the shape that the simulation was compiled for"
        )
