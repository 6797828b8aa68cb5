"""Rounds of training: our one program against loops, and many runs together against one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.decode import AnswersDiffer
from benchmarks.measure import Program, first_runs, in_turn
from benchmarks.report import environment, rate_table, rates_and_ratios
from benchmarks.training_case import SCHEMES, Case, Size, make_case, make_script, settings
from benchmarks.training_loops import jitted_steps, torch_loop, why_no_torch
from jaxcogc.federated import RoundSpan, TrainState, initial_state, seed_words, training_program
from jaxcogc.runtime import devices_that_divide

OURS = "jaxcogc, one program"
NUM_SEEDS = 16
TARGET_SHARE = 0.4
LONG_BLOCKS = 5
"""Many runs are compared at the rounds of the case, which `jaxcogc train` has by default and which
a compilation takes as long as, and at so many times more."""
_QUICK = Size(clients=4, hidden=8, local_steps=2, batch_size=8, rounds=5, stragglers=1)
_TOLERANCE = 1e-3
"""Of parameters after all rounds: float32 sums in another order."""


class Runs:
    """All runs of some seeds and schemes in one program.

    `seconds` is what lowering and compiling took, `cpu_seconds` the same of all its threads' time,
    the fairer number on a machine with other users. The state that every run begins with is made
    before, and copied in every call: the program consumes it.
    """

    def __init__(
        self, case: Case, schemes: tuple[str, ...], starts: Any, devices: Sequence[Any] = ()
    ) -> None:
        """`starts`: parameters with a leading seeds axis; `devices` share the seeds."""
        self._case = case
        self._starts = starts
        self._schemes = len(schemes)
        self._program = training_program(case.task, settings(case.size, schemes), devices=devices)
        self._compiled: Any = None
        self.seconds = self.cpu_seconds = 0.0

    def __call__(self, seeds: Sequence[int], blocks: int = 1) -> Any:
        """Final parameters with leading axes [seeds, schemes], after so many blocks of rounds."""
        words = seed_words(seeds)
        params = jax.tree.map(
            lambda x: jnp.repeat(x[np.array(seeds)][:, None], self._schemes, axis=1), self._starts
        )
        state = TrainState(params, self._case.task.server_optimizer.init(params))
        rounds = self._case.size.rounds
        spans = [RoundSpan.of(n * rounds, rounds, blocks * rounds) for n in range(blocks)]
        if self._compiled is None:
            started, cpu = time.perf_counter(), time.process_time()
            self._compiled = self._program.lower(
                state, self._case.inputs, words, spans[0]
            ).compile()
            self.seconds = time.perf_counter() - started
            self.cpu_seconds = time.process_time() - cpu
        for span in spans:
            state, _ = self._compiled(state, self._case.inputs, words, span)
        return jax.block_until_ready(state).params


def make_starts(case: Case, num_seeds: int) -> Any:
    """Initial parameters of the seeds: a pytree with a leading seeds axis."""
    one_scheme = settings(case.size, ("ideal",))
    state = initial_state(case.task, one_scheme, seed_words(range(num_seeds)))
    return jax.tree.map(lambda x: x[:, 0], state.params)


def against_loops(
    case: Case, console: Console, repeats: int, scheme: str, ours: Runs, starts: Any
) -> dict[str, Any]:
    """Rounds per second of one run of `scheme`; every program does the same arithmetic."""
    start = jax.tree.map(lambda x: x[0], starts)
    script = make_script(case, scheme)
    rounds = case.size.rounds
    programs = [
        Program(OURS, lambda: jax.tree.map(lambda x: np.asarray(x)[0, 0], ours([0])), rounds),
        Program("loop over clients, jitted steps", jitted_steps(case, script, start), rounds),
    ]
    if why_no_torch() is None:
        programs.append(
            Program("loop over clients, PyTorch", torch_loop(case, script, start), rounds)
        )
    else:
        console.print(why_no_torch())
    first = first_runs(programs)
    difference = largest_difference([answer for _, answer in first.values()])
    if not difference <= _TOLERANCE:
        raise AnswersDiffer(f"parameters differ by {difference:.1e} after {rounds} rounds")
    timings = in_turn(programs, repeats, {name: seconds for name, (seconds, _) in first.items()})
    console.print(rate_table("one run, one seed", "rounds", list(timings.values()), OURS))
    console.print(f"the same parameters after {rounds} rounds, to {difference:.1e}")
    return {
        "scheme": scheme,
        "largest_difference": difference,
        "compile_seconds": ours.seconds,
        "compile_cpu_seconds": ours.cpu_seconds,
        **rates_and_ratios(timings, OURS),
    }


def largest_difference(answers: Sequence[Any]) -> float:
    """Between the parameters of the first program and those of the others."""
    leaves = [jax.tree.leaves(answer) for answer in answers]
    return max(
        float(np.abs(np.asarray(a) - np.asarray(b)).max())
        for other in leaves[1:]
        for a, b in zip(leaves[0], other, strict=True)
    )


def together(
    case: Case, console: Console, num_seeds: int, repeats: int, single: dict[str, Runs], starts: Any
) -> dict[str, Any]:
    """All seeds and schemes in one program, against one run after the other.

    Both ways are charged for one compilation. The program of a single run differs from scheme to
    scheme; that of the last one counts, the longest but for those that decode as it does.
    """
    seeds = list(range(num_seeds))
    joint = Runs(case, tuple(single), starts, devices_that_divide(jax.devices(), num_seeds))
    final = joint(seeds)
    alone = {name: runs([0]) for name, runs in single.items()}
    for number, name in enumerate(single):
        difference = largest_difference(
            [
                jax.tree.map(lambda x, n=number: x[0, n], final),
                jax.tree.map(lambda x: x[0, 0], alone[name]),
            ]
        )
        if not difference <= _TOLERANCE:
            raise AnswersDiffer(f"{name} differs by {difference:.1e} between the two programs")
    lengths = [
        _one_length(joint, single, seeds, blocks, turns)
        for blocks, turns in ((1, repeats), (LONG_BLOCKS, 1))
    ]
    return _together_result(console, case, num_seeds, joint, single, lengths)


def _one_length(
    joint: Runs, single: dict[str, Runs], seeds: list[int], blocks: int, turns: int
) -> dict[str, list[float]]:
    """Seconds of both ways, in turn."""
    seconds: dict[str, list[float]] = {"together": [], "one by one": []}
    for _ in range(turns):
        started = time.perf_counter()
        joint(seeds, blocks)
        seconds["together"].append(time.perf_counter() - started)
        started = time.perf_counter()
        for runs in single.values():
            for seed in seeds:
                runs([seed], blocks)
        seconds["one by one"].append(time.perf_counter() - started)
    return seconds


def _together_result(
    console: Console,
    case: Case,
    num_seeds: int,
    joint: Runs,
    single: dict[str, Runs],
    lengths: list[dict[str, list[float]]],
) -> dict[str, Any]:
    compiling = {"together": joint, "one by one": list(single.values())[-1]}
    table = Table(title=f"{num_seeds} seeds x {len(single)} schemes", title_justify="left")
    for head in ("", "rounds", "one compilation [s]", "of CPU [s]", "runs [s]", "both [s]"):
        table.add_column(head, justify="left" if not head else "right")
    results: list[dict[str, Any]] = []
    for blocks, seconds in zip((1, LONG_BLOCKS), lengths, strict=True):
        rounds = blocks * case.size.rounds
        running = {name: float(np.median(values)) for name, values in seconds.items()}
        totals = {name: compiling[name].seconds + running[name] for name in running}
        for name, runs in compiling.items():
            values = (runs.seconds, runs.cpu_seconds, running[name], totals[name])
            table.add_row(name, str(rounds), *(f"{value:.2f}" for value in values))
        results.append(
            {
                "rounds": rounds,
                "seconds": seconds,
                "share_with_one_compilation": totals["together"] / totals["one by one"],
                "share_without_compilation": running["together"] / running["one by one"],
            }
        )
    console.print(table)
    for result in results:
        share = 100 * result["share_with_one_compilation"]
        target = f"target: at most {100 * TARGET_SHARE:.0f} %"
        console.print(f"{result['rounds']} rounds: together takes {share:.0f} % ({target})")
    return {
        "seeds": num_seeds,
        "schemes": list(single),
        "lengths": results,
        "compile_seconds": {
            "together": joint.seconds,
            "single": {name: runs.seconds for name, runs in single.items()},
        },
        "compile_cpu_seconds": {
            "together": joint.cpu_seconds,
            "single": {name: runs.cpu_seconds for name, runs in single.items()},
        },
    }


def run(quick: bool, console: Console, repeats: int = 7) -> dict[str, Any]:
    """Both; returns what goes into the result file."""
    schemes = SCHEMES[:2] if quick else SCHEMES
    num_seeds = 2 if quick else NUM_SEEDS
    case = make_case(_QUICK if quick else Size())
    starts = make_starts(case, num_seeds)
    single = {name: Runs(case, (name,), starts) for name in schemes}
    chosen = "intermittent" if quick else "gc_plus"
    return {
        "benchmark": "training",
        "quick": quick,
        **environment(),
        "size": case.size._asdict(),
        "one_run": against_loops(case, console, repeats, chosen, single[chosen], starts),
        "many_runs": together(case, console, num_seeds, min(repeats, 3), single, starts),
    }
