"""`links`: what links that remember, blocked clients and kept messages cost the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from rich.console import Console

from benchmarks.cases import ERASURE, SHAPES, Shape, make_code, make_network
from benchmarks.decode import AnswersDiffer
from benchmarks.measure import Program, first_runs, in_turn
from benchmarks.pipeline import SIGMAS, counting_program, standard_errors, trials_of
from benchmarks.report import rate_table, rates_and_ratios, result_of
from jaxcogc import LinkDynamics, OutcomeCounts, closed_form, compile_simulation

INDEPENDENT = "independent links"
KINDS: dict[str, dict[str, Any]] = {
    INDEPENDENT: {},
    "memory .6": {"dynamics": LinkDynamics(memory=0.6)},
    "blocked .05": {"dynamics": LinkDynamics(block_probability=0.05)},
    "memory .6, blocked .05": {"dynamics": LinkDynamics(memory=0.6, block_probability=0.05)},
    "soft states (.1, .9)": {
        "dynamics": LinkDynamics(memory=0.6, good_erasure=0.1, bad_erasure=0.9)
    },
    "kept": {"keep_heard": True},
}


def our_program(shape: Shape, num_trials: int, kind: str) -> Program:
    """The simulation of links of a kind."""
    simulation = compile_simulation(
        make_network(shape), make_code(shape), num_attempts=shape.attempts, **KINDS[kind]
    )
    return counting_program(kind, simulation, shape, num_trials)


def from_law(shape: Shape, kind: str, counts: OutcomeCounts) -> float | None:
    """Standard errors between the counted failures of standard decoding and their exact law."""
    laws = closed_form(
        make_network(shape), make_code(shape), num_attempts=shape.attempts, **KINDS[kind]
    )
    return None if laws.gc_outage is None else standard_errors(float(laws.gc_outage), counts)


def measure_shape(shape: Shape, quick: bool, repeats: int, console: Console) -> dict[str, Any]:
    """One shape: estimates against their laws first, then times."""
    num_trials = trials_of(shape, quick, jax.default_backend())
    programs = [our_program(shape, num_trials, kind) for kind in KINDS]
    first = first_runs(programs)
    apart = {kind: from_law(shape, kind, counts) for kind, (_, counts) in first.items()}
    if max(value for value in apart.values() if value is not None) > SIGMAS:
        raise AnswersDiffer(f"{tuple(shape)}: estimates lie too far from their laws: {apart}")
    timings = in_turn(programs, repeats, {name: seconds for name, (seconds, _) in first.items()})
    title = f"links, (M, s, A) = {tuple(shape)}, all mean erasures {ERASURE}"
    console.print(rate_table(title, "trials", list(timings.values()), INDEPENDENT))
    return {
        "shape": shape._asdict(),
        "erasure": ERASURE,
        "standard_errors_apart": apart,
        **rates_and_ratios(timings, INDEPENDENT),
    }


def run(
    quick: bool, console: Console, shapes: Sequence[Shape] = SHAPES, repeats: int = 7
) -> dict[str, Any]:
    """All shapes; returns what goes into the result file."""
    cases = (measure_shape(shape, quick, repeats, console) for shape in shapes)
    return result_of("links", quick, console, cases)
