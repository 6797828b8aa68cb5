"""`gpu --plan`: compile the project's programs for GPUs that are not there, and predict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console

from benchmarks.cases import SHAPES, Shape
from benchmarks.gpu import costs, rounds
from benchmarks.gpu.compiling import (
    CompiledProgram,
    NoCompiler,
    as_on_a_gpu,
    compile_program,
    described_device,
    why_no_compiler,
)
from benchmarks.gpu.costs import Cost, Prices
from benchmarks.gpu.flow import Flow, Part, flow_of
from benchmarks.gpu.kernel_loops import KERNELS, rounds_of
from benchmarks.gpu.machine_code import Kernel, lanes, matrix_format, warps_per_second, work_of
from benchmarks.gpu.programs import Planned, planned_programs
from benchmarks.gpu.tables import print_case
from benchmarks.gpu.targets import TARGETS, Target
from benchmarks.gpu.thunks import Thunk, started
from benchmarks.report import environment
from jaxcogc.runtime import compiler_options

ASSUMPTIONS = (
    *costs.ASSUMPTIONS,
    *rounds.ASSUMPTIONS,
    "where a loop's rounds are not known, there is no rate, and the reason is told",
    "nothing was run: seconds of the compiler are measured, rates are predicted",
)


def run(
    quick: bool,
    console: Console,
    shapes: Sequence[Shape] = SHAPES,
    targets: Sequence[str] = (),
    keep: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Plan all programs for the targets; returns what goes into the result file.

    Args:
      quick: the first shape and the smallest programs only.
      console: where the tables go.
      shapes: clients, stragglers and attempts of the codes.
      targets: names of `TARGETS`; all of them when empty.
      keep: takes the result after each program, so that a plan that is stopped loses one at most.

    Raises:
      NoCompiler: the wheels are missing.
    """
    missing = why_no_compiler()
    if missing:
        raise NoCompiler(missing)
    cases: list[dict[str, Any]] = []
    result = {
        "benchmark": "gpu",
        "quick": quick,
        **environment(),
        "device": "none: compiled for described devices",
        "assumptions": list(ASSUMPTIONS),
        "complete": False,
        "cases": cases,
    }
    for name in list(targets) or (["h100"] if quick else list(TARGETS)):
        for case in _plan(TARGETS[name], list(shapes), quick):
            print_case(console, case)
            cases.append(case)
            if keep is not None:
                keep(result)
    return result | {"complete": True}


def _plan(target: Target, shapes: list[Shape], quick: bool) -> Iterator[dict[str, Any]]:
    device = described_device(target)
    with as_on_a_gpu():
        programs = planned_programs(device, shapes, quick)
        while True:
            began = time.perf_counter()
            planned = next(programs, None)
            if planned is None:
                return
            lowered = planned.lower()
            traced = time.perf_counter() - began
            compiled = compile_program(lowered, dict(compiler_options("gpu")))
            yield case_of(target, planned, compiled, traced)


def case_of(
    target: Target, planned: Planned, compiled: CompiledProgram, traced: float
) -> dict[str, Any]:
    """What is known and predicted of a program, for the result file."""
    kernels, once = compiled.kernels, started(compiled.thunks)
    drawing = next((kernel for kernel in kernels if kernel.name in KERNELS), None)
    trips, reasons = _trips(planned, drawing)
    taken = compiled.argument_bytes + compiled.temporary_bytes
    prices = Prices(
        target,
        compiled.module,
        {kernel.name: kernel for kernel in kernels},
        trips,
        taken <= target.cache_bytes,
    )
    flow = flow_of(compiled.thunks, prices, planned.rules)
    reasons += flow.unknown
    total = flow.total
    return {
        "target": target.name,
        "program": planned.name,
        "trace_seconds": traced,
        "compile_seconds": compiled.compile_seconds,
        "argument_bytes": compiled.argument_bytes,
        "temporary_bytes": compiled.temporary_bytes,
        "launches": once.launches,
        "host_waits": once.host_waits,
        "kernels": len(kernels),
        "thunks": dict(sorted(_kinds(compiled.thunks).items())),
        "kernels_a_call": None if reasons else total.kernels,
        "most_registers": max((kernel.registers for kernel in kernels), default=0),
        "spilled_bytes": sum(kernel.spilled_bytes for kernel in kernels),
        "machine_instructions": sum(kernel.instructions for kernel in kernels),
        "matrix_formats": sorted({x for kernel in kernels if (x := matrix_format(kernel.code))}),
        "unit": planned.unit,
        "work_a_call": planned.work,
        "fused_kernel": None if drawing is None else _of_drawing(target, drawing, trips),
        "predicted_rate": None if reasons else predicted(planned.work, total),
        "no_rate_because": "; ".join(reasons) or None,
        "prediction": None if reasons else _prediction(target, flow),
    }


def _trips(
    planned: Planned, drawing: Kernel | None
) -> tuple[dict[str, Sequence[float]], list[str]]:
    """Rounds of the loops in the kernel that draws and decides, by its name; else why not."""
    if drawing is None:
        return {}, []
    stores = [drawing.code.stores(*loop) for loop in drawing.code.loops()]
    trips = rounds_of(planned.kernel_loops[drawing.name], stores)
    if trips is None:
        return {}, [f"the rounds of the {len(stores)} loops in {drawing.name}"]
    return {drawing.name: trips}, []


def _kinds(thunks: list[Thunk]) -> Counter[str]:
    kinds = Counter(thunk.kind for thunk in thunks)
    for thunk in thunks:
        for _, held in thunk.parts:
            kinds += _kinds(held)
    return kinds


def _of_drawing(
    target: Target, kernel: Kernel, trips: dict[str, Sequence[float]]
) -> dict[str, Any]:
    found = {
        "name": kernel.name,
        "registers": kernel.registers,
        "spilled_bytes": kernel.spilled_bytes,
        "instructions_in_its_code": kernel.instructions,
    }
    if kernel.name in trips:
        work = work_of(kernel.code, trips[kernel.name])
        found |= {
            "instructions_a_trial": work.instructions,
            "cycles_a_warp": work.cycles,
            "busiest_pipe": work.pipe,
            "bound_trials_per_second": lanes(warps_per_second(target, work.cycles)),
        }
    return found


def predicted(work: int, total: Cost) -> dict[str, float]:
    """Units a second.

    >>> predicted(1000, Cost(starting=0.5, arithmetic=0.5, slow=2.0))
    {'low': 500.0, 'high': 1000.0}
    """
    return {"low": work / total.slow, "high": work / total.fast}


def _prediction(target: Target, flow: Flow) -> dict[str, Any]:
    """What bounds a call, what each bound would take alone, and what is done in which loops."""
    total = flow.total
    alone = {
        "starts": total.kernels * costs.KERNEL_SECONDS[0],
        "arithmetic": total.working,
        "memory": total.moved / target.bandwidth,
        "matrix products": total.multiplying,
    }
    return {
        "seconds_a_call": {"low": total.fast, "high": total.slow},
        "bound_by": next(iter(total.shares)),
        "shares_of_seconds": total.shares,
        "seconds_of_each_alone": alone,
        "bytes_moved_a_call": total.moved,
        "matrix_flops_a_call": total.flops,
        "kernels_of_unknown_bytes": flow.unmatched,
        "parts": [_part(part) for part in flow.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    cost = part.cost
    return {
        "loops": list(part.where),
        "rounds_a_call": part.rounds,
        "kernels_a_call": cost.kernels,
        "bytes_moved_a_call": cost.moved,
        "matrix_flops_a_call": cost.flops,
        "seconds_a_call": {"low": cost.fast, "high": cost.slow},
        "bound_by": next(iter(cost.shares)),
    }
