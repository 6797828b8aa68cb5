"""`decode`: sum, K, rank and gc of given stacks; pseudo-inverses, Numba and ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import NamedSharding, PartitionSpec
from rich.console import Console

from benchmarks.cases import ERASURE, SHAPES, Shape, make_code, make_links
from benchmarks.ceilings import Cost, ceilings_of, cost_of, measure_rates
from benchmarks.decisions import Decisions, agreement
from benchmarks.measure import Program, first_runs, in_turn
from benchmarks.optional import why_no_numba
from benchmarks.pinv_programs import jax_vmapped, numpy_batched, numpy_loop
from benchmarks.report import rate_table, rates_and_ratios, result_of
from jaxcogc import GradientCode, Links, recover
from jaxcogc.coding import loop_rounds
from jaxcogc.runtime import compiler_options, device_mesh

OURS, NUMBA = "jaxcogc", "numba, GF(2^31-1)"
VMAPPED = "jit(vmap(jnp.linalg.pinv)), float64"
BATCHED, LOOP = "np.linalg.pinv, batched", "np.linalg.pinv, Python loop"
MAY_DIFFER = 1e-5
"""Fraction of stacks on which two exact programs may differ before the run is refused: each of them
misjudges fewer than 1e-6."""

_MESH = device_mesh(jax.devices())
_TRIALS = PartitionSpec(*_MESH.axis_names)
_recover_many = jax.jit(
    jax.shard_map(
        jax.vmap(recover, (None, None, 0)),
        mesh=_MESH,
        in_specs=(PartitionSpec(), PartitionSpec(), _TRIALS),
        out_specs=_TRIALS,
    ),
    compiler_options=compiler_options(jax.default_backend()),
)


class AnswersDiffer(Exception):
    """Two exact programs do not agree: their times mean nothing."""


class Work(NamedTuple):
    """Stacks that the fast programs, batched pseudo-inverses and the Python loop decide."""

    fast: int
    batched: int
    loop: int


def work_of(shape: Shape, quick: bool) -> Work:
    """Slow programs get the first stacks only, so that a run of each takes a fraction of a second
    on two cores."""
    if quick:
        return Work(256, 128, 32)
    fast = 2**26 // (shape.clients**2 * shape.attempts) // 2**10 * 2**10  # a whole share a device
    return Work(fast, fast // 32, max(64, fast // 512))


def recover_all(code: GradientCode, links: Links) -> Decisions:
    """Ours: ``jit(vmap(recover))``, the trials spread over all devices; waits for the result."""
    found = _recover_many(jax.random.key(1), code, links)
    jax.block_until_ready(found)
    return Decisions(found.sum_recovered, found.client_recovered, found.rank, found.gc)


def make_programs(shape: Shape, work: Work) -> list[Program]:
    """All programs on the same code and links, ours first."""
    code = make_code(shape)
    links = make_links(shape, work.fast)
    on_device = jax.device_put(links, NamedSharding(_MESH, _TRIALS))
    some, few = (jax.tree.map(lambda x, n=n: x[:n], links) for n in (work.batched, work.loop))
    some_on_device = jax.device_put(some)
    programs = [Program(OURS, lambda: recover_all(code, on_device), work.fast)]
    if why_no_numba() is None:
        from benchmarks import numba_kernels

        arguments: tuple[Any, ...] = (code.field_matrix, int(code.num_stragglers), *links)
        programs.append(Program(NUMBA, lambda: numba_kernels.decode(*arguments), work.fast))
    return [
        *programs,
        Program(VMAPPED, lambda: jax_vmapped(code, some_on_device), work.batched),
        Program(BATCHED, lambda: numpy_batched(code, some), work.batched),
        Program(LOOP, lambda: numpy_loop(code, few), work.loop),
    ]


def measure_shape(shape: Shape, quick: bool, repeats: int, console: Console) -> dict[str, Any]:
    """One shape: answers first, then times."""
    work = work_of(shape, quick)
    programs = make_programs(shape, work)
    first = first_runs(programs)
    answers = {name: answer for name, (_, answer) in first.items()}
    agreements = {
        name: agreement(answers[OURS], answer) for name, answer in answers.items() if name != OURS
    }
    title = f"decode, (M, s, A) = {tuple(shape)}, all erasures {ERASURE}"
    console.print(f"\n{title}: agreement with ours on {work.fast} stacks at most")
    for name, fractions in agreements.items():
        console.print("  " + name + ": " + ", ".join(f"{k} {v:.6f}" for k, v in fractions.items()))
    if NUMBA in agreements and agreements[NUMBA]["everything"] < 1 - max(MAY_DIFFER, 1 / work.fast):
        raise AnswersDiffer(f"{tuple(shape)}: ours and Numba's decisions differ: {agreements}")
    timings = in_turn(programs, repeats, {name: seconds for name, (seconds, _) in first.items()})
    console.print(rate_table(title, "stacks", list(timings.values()), OURS))
    result = {
        "shape": shape._asdict(),
        "erasure": ERASURE,
        "agreement": agreements,
        **rates_and_ratios(timings, OURS),
    }
    if has_ceilings(shape):
        result["ceilings"] = ceilings_of(
            decode_cost(shape, 1024), 1024, timings[OURS].rate, measure_rates(), console
        )
    return result


def has_ceilings(shape: Shape) -> bool:
    """On an accelerator, and where the rounds of all loops are known."""
    return jax.default_backend() != "cpu" and while_trips(shape) is not None


def decode_cost(shape: Shape, num_trials: int) -> Cost:
    """What our program does for that many stacks."""
    code, links = make_code(shape), make_links(shape, num_trials)
    traced = jax.make_jaxpr(jax.vmap(recover, (None, None, 0)))(jax.random.key(1), code, links)
    return cost_of(traced, while_trips(shape) or [])


def while_trips(shape: Shape) -> list[float] | None:
    """Rounds of the loops inside the decision of a tile, for `cost_of`: pairs of offsets (of the
    draw), and what makes the next level's rounds right in all: groups of offsets of all diagonals.
    """
    rounds = loop_rounds(make_code(shape), num_attempts=shape.attempts)
    if rounds is None:
        return None
    return [rounds.offset_pairs, rounds.offset_groups / rounds.offset_pairs]


def run(
    quick: bool, console: Console, shapes: Sequence[Shape] = SHAPES, repeats: int = 7
) -> dict[str, Any]:
    """All shapes; returns what goes into the result file."""
    cases = (measure_shape(shape, quick, repeats, console) for shape in shapes)
    return result_of("decode", quick, console, cases)
