"""`pipeline`: draw the links, decode and count; ours and Numba with a generator of its own."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax
import numpy as np
from rich.console import Console

from benchmarks.cases import ERASURE, SHAPES, Shape, make_code, make_network
from benchmarks.ceilings import Cost, ceilings_of, cost_of, measure_rates
from benchmarks.decode import AnswersDiffer, has_ceilings, while_trips
from benchmarks.measure import Program, first_runs, in_turn
from benchmarks.optional import why_no_numba
from benchmarks.report import rate_table, rates_and_ratios, result_of
from jaxcogc import OutcomeCounts, Simulation, compile_simulation, gc_outage_probability
from jaxcogc.outage import trace_block

OURS, FUSED, NUMBA = "jaxcogc", "jaxcogc, fused kernel", "numba, own generator"
KERNELS = {OURS: "xla", FUSED: "fused"}
SIGMAS = 5.0
"""Estimates further apart than this are different."""

_EVENTS = (
    "gc",
    "gc_plus_full",
    "gc_plus_partial",
    "row_space_exact",
    "row_space_partial",
    "all_individuals",
)


def trials_of(shape: Shape, quick: bool, backend: str = "cpu") -> int:
    """Trials a run: a second or two on two CPU cores; a GPU gets a hundred times as many."""
    if quick:
        return 2**14
    trials = 2**27 // shape.clients**2 * 2 // shape.attempts
    return (2 ** round(math.log2(trials))) * (1 if backend == "cpu" else 128)


def our_program(name: str, shape: Shape, num_trials: int, kernel: str = "xla") -> Program | str:
    """The compiled simulation by a kernel, or why there is none."""
    network, code = make_network(shape), make_code(shape)
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("jaxcogc")
    logger.addHandler(handler)
    try:
        simulation = compile_simulation(network, code, num_attempts=shape.attempts, kernel=kernel)
    finally:
        logger.removeHandler(handler)
    return heard[0] if heard else counting_program(name, simulation, shape, num_trials)


def counting_program(name: str, simulation: Simulation, shape: Shape, num_trials: int) -> Program:
    """A compiled simulation that returns OutcomeCounts, with another seed at every call."""
    network, code, seeds = make_network(shape), make_code(shape), itertools.count()

    def run() -> OutcomeCounts:
        key = jax.random.key(next(seeds))
        parts = simulation.counts(key, network, code, num_trials)
        return reduce(lambda a, b: a + b, parts, OutcomeCounts.zero(shape.clients))

    return Program(name, run, num_trials, simulation.compile_seconds)


def make_programs(shape: Shape, num_trials: int, console: Console) -> list[Program]:
    """Ours first. The fused kernel where there is a GPU for it, and few enough clients."""
    network, code = make_network(shape), make_code(shape)
    programs = []
    for name, kernel in KERNELS.items():
        if kernel == "fused" and (jax.default_backend() != "gpu" or shape.clients > 12):
            continue
        found = our_program(name, shape, num_trials, kernel)
        if isinstance(found, str):
            console.print(f"{name}: {found}")
        else:
            programs.append(found)
    if why_no_numba() is None:
        from benchmarks import numba_pipeline

        seeds = itertools.count()

        def numba_run():
            return numba_pipeline.simulate(network, code, shape.attempts, num_trials, next(seeds))

        programs.append(Program(NUMBA, numba_run, num_trials))
    return programs


def deviations(counts: OutcomeCounts, others: OutcomeCounts) -> dict[str, float]:
    """How many standard errors two estimates of each probability lie apart.

    The events of both decoders, every client's, the distribution of ``|K|``.
    """
    first = {name: np.array([getattr(counts, name)]) for name in _EVENTS}
    second = {name: np.array([getattr(others, name)]) for name in _EVENTS}
    for name in ("client_recovered", "num_recovered"):
        first[name], second[name] = getattr(counts, name), getattr(others, name)
    far = {}
    for name, events in first.items():
        pooled = (events + second[name]) / (counts.trials + others.trials)
        variance = pooled * (1 - pooled) * (1 / counts.trials + 1 / others.trials)
        variance = np.maximum(variance, min(counts.trials, others.trials) ** -2.0)  # one event
        gap = events / counts.trials - second[name] / others.trials
        far[name] = float(np.max(np.abs(gap) / np.sqrt(variance)))
    return far


def from_closed_form(shape: Shape, counts: OutcomeCounts) -> float:
    """Standard errors between the counted gc outages and their exact law."""
    law = float(gc_outage_probability(make_network(shape), shape.stragglers, shape.attempts))
    return standard_errors(law, counts)


def standard_errors(law: float, counts: OutcomeCounts) -> float:
    """Between the counted gc outages and a law of them."""
    error = max(math.sqrt(max(0.0, law * (1 - law)) / counts.trials), 1 / counts.trials)
    return abs((counts.trials - counts.gc) / counts.trials - law) / error


def measure_shape(shape: Shape, quick: bool, repeats: int, console: Console) -> dict[str, Any]:
    """One shape: estimates first, then times."""
    num_trials = trials_of(shape, quick, jax.default_backend())
    programs = make_programs(shape, num_trials, console)
    first = first_runs(programs)
    answers = {name: answer for name, (_, answer) in first.items()}
    title = f"pipeline, (M, s, A) = {tuple(shape)}, all erasures {ERASURE}"
    console.print(f"\n{title}: estimates of {num_trials} trials each, in standard errors")
    apart = {
        f"{name} to the closed form": from_closed_form(shape, x) for name, x in answers.items()
    }
    for name in answers:
        if name != OURS:
            apart[f"{OURS} to {name}"] = max(deviations(answers[OURS], answers[name]).values())
    for name, value in apart.items():
        console.print(f"  {name}: {value:.2f}")
    if max(apart.values()) > SIGMAS:
        raise AnswersDiffer(f"{tuple(shape)}: estimates lie too far apart: {apart}")
    timings = in_turn(programs, repeats, {name: seconds for name, (seconds, _) in first.items()})
    console.print(rate_table(title, "trials", list(timings.values()), OURS))
    result = {
        "shape": shape._asdict(),
        "erasure": ERASURE,
        "standard_errors_apart": apart,
        **rates_and_ratios(timings, OURS),
    }
    if has_ceilings(shape):
        rates = measure_rates()
        for name, kernel in KERNELS.items():
            if name in timings:
                console.print(f"{name}:")
                cost = pipeline_cost(shape, kernel)
                ceilings = ceilings_of(cost, 2**14, timings[name].rate, rates, console)
                result.setdefault("ceilings", {})[name] = ceilings
    return result


def pipeline_cost(shape: Shape, kernel: str = "xla") -> Cost:
    """What our program does for one block of trials."""
    block = trace_block(
        make_network(shape), make_code(shape), num_attempts=shape.attempts, kernel=kernel
    )
    inside = [shape.clients] if kernel == "fused" else while_trips(shape) or []
    return cost_of(block.jaxpr, [block.num_tiles, *inside])


def run(
    quick: bool, console: Console, shapes: Sequence[Shape] = SHAPES, repeats: int = 7
) -> dict[str, Any]:
    """All shapes; returns what goes into the result file."""
    cases = (measure_shape(shape, quick, repeats, console) for shape in shapes)
    return result_of("pipeline", quick, console, cases)
