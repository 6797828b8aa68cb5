"""Massive batched Monte Carlo: blocks of trials in, integer counts out.

A block is 2^14 trials, the unit of keys. A block is cut into tiles, as many trials as the backend
likes to compute at once; tiles, devices and processes change the speed, never a count. One
compiled program draws the links, decides the recovery and counts, for any erasure probabilities
and any code of its shape; only one small table of integers leaves the devices.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from operator import add
from typing import NamedTuple

import jax

from jaxcogc._types import Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.checks import check_choice
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import ESTIMATORS
from jaxcogc.outage.counts import OutcomeCounts, Outcomes, outcomes_from_counts
from jaxcogc.outage.intervals import estimate
from jaxcogc.outage.protocol import Protocol
from jaxcogc.outage.simulation.compiled_runs import checked_run, count_tables
from jaxcogc.outage.simulation.count_table import counts_from_table
from jaxcogc.outage.simulation.kernels.checked_programs import compile_or_fall_back
from jaxcogc.outage.simulation.kernels.choice import with_kernel
from jaxcogc.outage.simulation.own_trials import DrawLinks, Outcome, OwnTrials, count_own_trials
from jaxcogc.outage.simulation.program import Program
from jaxcogc.outage.simulation.program_inputs import Shape, run_shape
from jaxcogc.outage.stratified.stratified_counts import stratified_outcomes
from jaxcogc.outage.stratified.stratified_runs import compile_stratified
from jaxcogc.runtime.devices import describe_devices
from jaxcogc.runtime.jax_settings import plain_settings, under_plain_settings


class Simulation(NamedTuple):
    """A compiled Monte Carlo program.

    Attributes:
      compile_seconds: what tracing and compiling took; near 0 when this process had it already.
      device: the devices it runs on, in words.
      counts: ``counts(key, network, code, num_trials)`` yields OutcomeCounts of consecutive blocks,
        a fraction of a second of work each where it can be, ``num_trials`` trials in all. Any
        probabilities, and any code of the family and size it was compiled for (where that is of 24
        clients or more, one that reaches further around the ring waits for a compiler first). What
        was yielded is complete, so the iteration may be stopped at any time.
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
    estimator: str = "counted",
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
      dynamics: how links remember, and who is blocked; keep_heard: clients keep what they heard.
      links, outcomes: a link model, and outcomes by name, of the caller's own: `own_trials`.
      estimator: "counted", or "stratified": the same trials, sorted by what is known of them
        (README.md says where); intervals are "stratified clopper-pearson" then.

    Returns:
      Outcomes with 95 % Clopper-Pearson intervals; ``custom`` are the caller's own.

    Raises:
      ValueError: a count that is not a positive whole number, or what does not fit (sizes,
        dynamics, links, outcomes, estimator, redraw_code).

    >>> import jax
    >>> from jaxcogc import Network, cyclic_code, simulate_outcomes
    >>> network = Network.homogeneous(4, uplink_erasure=0.2, peer_erasure=0.1)
    >>> code = cyclic_code(jax.random.key(0), 4, 1)
    >>> outcomes = simulate_outcomes(jax.random.key(1), network, code, num_trials=10_000)
    >>> outcomes.gc_outage.low < 0.3133 < outcomes.gc_outage.high  # the closed form
    True
    """
    check_choice("estimator", estimator, ESTIMATORS)
    protocol = Protocol(
        num_attempts=num_attempts, redraw_code=redraw_code, dynamics=dynamics, keep_heard=keep_heard
    )
    if links is not None or outcomes:
        own = OwnTrials(links, outcomes or {})
        _check_alone(own, dynamics=dynamics, keep_heard=keep_heard, estimator=estimator)
        shape = with_kernel(run_shape(network, code, **protocol), code, "xla", num_trials)
        return _own_outcomes(key, network, code, num_trials, shape, dynamics, own)
    if estimator == "stratified":
        sorting = compile_stratified(network, code, **protocol, num_trials=num_trials)
        return stratified_outcomes(reduce(add, sorting.counts(key, network, code, num_trials)))
    simulation = compile_simulation(network, code, **protocol, num_trials=num_trials)
    return outcomes_from_counts(reduce(add, simulation.counts(key, network, code, num_trials)))


def _check_alone(
    own: OwnTrials, *, dynamics: LinkDynamics | None, keep_heard: bool, estimator: str
) -> None:
    """What the caller brings goes with plain counts, and links of his own do all themselves."""
    if own.draw is not None and (dynamics is not None or keep_heard):
        given = "keep_heard = True" if dynamics is None else "dynamics"
        raise ValueError(f"{given} beside links: allowed is one of them, links do all themselves")
    if estimator != "counted":
        given = "outcomes" if own.draw is None else "links"
        raise ValueError(
            f"estimator = {estimator!r} beside {given}: allowed is 'counted' with links or outcomes"
            " of one's own"
        )


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
    run = checked_run(key, shape, network, code, dynamics=dynamics, num_trials=num_trials)
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
    kernel: str = "auto",
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
      kernel: "xla"; "fused", which draws, decides and counts in one kernel on a GPU, for
        links of every kind, up to 12 clients and 32 rows of all attempts, or independent links of
        two directions, up to 64 clients and rows that reach at most 16 clients onwards (with up to
        32 offsets of all attempts, an even number of each); or "auto": fused where it serves. Where
        it does not compile, or counts a block otherwise than the ordinary program, one log line
        says so and that takes its place.
      num_trials: that will be asked for, where that is known. For few (up to 2^22 on a CPU, 2^17
        elsewhere) "auto" and "xla" give a program that compiles in seconds at any size, runs a
        little slower and counts the same; on a CPU more than 32 clients get it for any number, but
        codes of few stragglers beyond 2^24.

    Returns:
      Simulation.

    Raises:
      ValueError: sizes or dynamics that do not fit, ``redraw_code`` with a family that is not
        random, or "fused" where it does not serve.
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
    )
    shape = with_kernel(shape, code, kernel, num_trials)
    counts = partial(_counts, compile_or_fall_back(shape, code), shape, dynamics)
    return Simulation(time.perf_counter() - started, describe_devices(shape.devices), counts)


def _counts(
    program: Program,
    shape: Shape,
    dynamics: LinkDynamics | None,
    key: Key,
    network: Network,
    code: GradientCode,
    num_trials: int,
) -> Iterator[OutcomeCounts]:
    with plain_settings():
        run = checked_run(key, shape, network, code, dynamics=dynamics, num_trials=num_trials)
    for table in count_tables(program, shape, run, num_trials):
        yield counts_from_table(table, shape.clients)
