"""Massive batched Monte Carlo: blocks of trials in, integer counts out.

A block is 2^14 trials, the unit of keys. A block is cut into tiles, as many trials as the backend
likes to compute at once; tiles, devices and processes change the speed, never a count. One
compiled program draws the links, decides the recovery and counts, for any erasure probabilities
and any code of its shape; only one small table of integers leaves the devices.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcogc._types import Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.decision import decision_rule
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts, Outcomes, outcomes_from_counts
from jaxcogc.outage.intervals import estimate
from jaxcogc.outage.simulation.block_words import redrawn_code, run_words
from jaxcogc.outage.simulation.count_table import counts_from_table
from jaxcogc.outage.simulation.own_trials import DrawLinks, Outcome, OwnTrials, count_own_trials
from jaxcogc.outage.simulation.program import compiled_program
from jaxcogc.outage.simulation.program_inputs import Inputs, Run, Shape, prepare_run, run_shape
from jaxcogc.runtime.devices import describe_devices
from jaxcogc.runtime.jax_settings import plain_settings, under_plain_settings

_LOG = logging.getLogger(__name__)

_FEW_TRIALS = 2**16
"""Up to so many trials the faster program costs more to compile than it saves."""


class Simulation(NamedTuple):
    """A compiled Monte Carlo program.

    Attributes:
      compile_seconds: what tracing and compiling took; near 0 when this process had it already.
      device: the devices it runs on, in words.
      counts: ``counts(key, network, code, num_trials)`` yields OutcomeCounts of consecutive blocks,
        a fraction of a second of work each, ``num_trials`` trials in all. Any probabilities, and
        any code of the family and size it was compiled for. What was yielded is complete, so the
        iteration may be stopped at any time.
    """

    compile_seconds: float
    device: str
    counts: Callable[[Key, Network, GradientCode, int], Iterator[OutcomeCounts]]


@under_plain_settings
def simulate_outcomes(
    key: Key,
    network: Network,
    code: GradientCode,
    *,
    num_trials: int,
    num_attempts: int = 1,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
    links: DrawLinks | None = None,
    outcomes: Mapping[str, Outcome] | None = None,
) -> Outcomes:
    """Estimate by Monte Carlo how often the global update is recovered.

    Args:
      key: one typed key. The links of trial i depend on the key and i alone, so runs with the same
        key at other probabilities, codes or numbers of trials share their random words.
      network: erasure probabilities.
      code: the gradient code.
      num_trials: trials, counted exactly.
      num_attempts: attempts a round.
      redraw_code: another code of the same random family in every attempt.
      dynamics: how links remember, and which clients are blocked; a trial begins in stationarity.
      keep_heard: clients keep what they heard in earlier attempts.
      links, outcomes: a link model, and outcomes by name, of the caller's own: `own_trials`.

    Returns:
      Outcomes with 95 % Clopper-Pearson intervals; ``custom`` are the caller's own.

    Raises:
      ValueError: a count that is not a positive whole number, what does not fit (sizes, dynamics,
        links, outcomes), or ``redraw_code`` with a family that is not random.

    >>> import jax
    >>> from jaxcogc import Network, cyclic_code, simulate_outcomes
    >>> network = Network.homogeneous(4, uplink_erasure=0.2, peer_erasure=0.1)
    >>> code = cyclic_code(jax.random.key(0), 4, 1)
    >>> outcomes = simulate_outcomes(jax.random.key(1), network, code, num_trials=10_000)
    >>> outcomes.gc_outage.low < 0.3133 < outcomes.gc_outage.high  # the closed form
    True
    """
    sizes: dict[str, Any] = {"num_attempts": num_attempts, "redraw_code": redraw_code}
    sizes |= {"dynamics": dynamics, "keep_heard": keep_heard}
    if links is not None or outcomes:
        few = num_trials <= _FEW_TRIALS
        shape = run_shape(network, code, **sizes, few_trials=few)
        own = OwnTrials(links, outcomes or {})
        return _own_outcomes(key, network, code, num_trials, shape, dynamics, own)
    simulation = compile_simulation(network, code, **sizes, num_trials=num_trials)
    total = OutcomeCounts.zero(network.num_clients)
    for counts in simulation.counts(key, network, code, num_trials):
        total = total + counts
    return outcomes_from_counts(total)


def _own_outcomes(
    key: Key,
    network: Network,
    code: GradientCode,
    num_trials: int,
    shape: Shape,
    dynamics: LinkDynamics | None,
    own: OwnTrials,
) -> Outcomes:
    """With links or outcomes of the caller's own."""
    if own.draw is not None and (dynamics is not None or shape.links.keeps):
        given = "keep_heard = True" if dynamics is None else "dynamics"
        raise ValueError(f"{given} beside links: allowed is one of them, links do all themselves")
    run = _checked_run(shape, dynamics, key, network, code, num_trials)
    found = count_own_trials(shape, run, num_trials, own)
    rates = {name: estimate(number, num_trials) for name, number in found.own.items()}
    return dataclasses.replace(outcomes_from_counts(found.counts), custom=rates)


@under_plain_settings
def compile_simulation(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
    tile: int | None = None,
    devices: Sequence[jax.Device] | None = None,
    kernel: str = "xla",
    num_trials: int | None = None,
) -> Simulation:
    """Compile the Monte Carlo program for networks and codes of this shape.

    Args:
      network: any network with the clients (and reciprocity) meant.
      code: any code of the family meant.
      num_attempts: attempts a round.
      redraw_code: another code of the same random family in every attempt.
      dynamics, keep_heard: as in `simulate_outcomes`, of every run.
      tile: trials computed at once, a power of two up to 2^14; None chooses for the backend.
      devices: devices to use; None means all (of all processes, under ``jax.distributed``).
      kernel: "xla", or "pallas": the elimination in registers, on a GPU and up to 16 clients; where
        it does not compile, one log line says so and the XLA program takes its place.
      num_trials: that will be asked for, where that is known. For no more than 2^16 "xla" gives a
        program that compiles in seconds at any size, runs five to ten times slower and counts the
        same.

    Returns:
      Simulation.

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
        tile=tile,
        devices=devices,
        kernel=kernel,
        few_trials=kernel == "xla" and num_trials is not None and num_trials <= _FEW_TRIALS,
    )
    counts = partial(_run, _compile_or_fall_back(shape), shape, dynamics)
    return Simulation(time.perf_counter() - started, describe_devices(shape.devices), counts)


def _compile_or_fall_back(shape: Shape) -> jax.stages.Compiled:
    if shape.rule.kernel == "pallas":
        try:
            return compiled_program(shape)
        except Exception as error:  # whatever a kernel compiler may raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            _LOG.warning("kernel pallas does not compile here, using xla: %s", reason)
            return compiled_program(shape._replace(rule=shape.rule._replace(kernel="xla")))
    return compiled_program(shape)


def _run(
    program: jax.stages.Compiled,
    shape: Shape,
    dynamics: LinkDynamics | None,
    key: Key,
    network: Network,
    code: GradientCode,
    num_trials: int,
) -> Iterator[OutcomeCounts]:
    """Call the compiled program on consecutive blocks and hand out what it counted."""
    with plain_settings():
        run = _checked_run(shape, dynamics, key, network, code, num_trials)
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
        yield counts_from_table(table, shape.clients)
        first += per_device * num_devices
        per_device = min(2 * per_device, shape.most_blocks)


def _checked_run(
    shape: Shape,
    dynamics: LinkDynamics | None,
    key: Key,
    network: Network,
    code: GradientCode,
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
