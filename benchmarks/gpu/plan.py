"""`gpu --plan`: compile the project's programs for GPUs that are not there, and predict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cases import SHAPES, Shape
from benchmarks.gpu.compiling import (
    CompiledProgram,
    NoCompiler,
    as_on_a_gpu,
    compile_program,
    described_device,
    why_no_compiler,
)
from benchmarks.gpu.machine_code import Kernel, lanes, warps_per_second, work_of
from benchmarks.gpu.programs import FUSED_KERNEL, Planned, planned_programs
from benchmarks.gpu.targets import TARGETS, Target
from benchmarks.gpu.thunks import Started, started
from benchmarks.report import environment, short
from jaxcogc.runtime import compiler_options

KERNEL_SECONDS = (2.0e-6, 3.5e-6)
"""A small kernel in a command buffer, at best and as often seen."""
LAUNCH_SECONDS = 3e-6
WAIT_SECONDS = 12e-6
REACHED = 0.6
"""Of a kernel's bound, at worst."""
ASSUMPTIONS = (
    f"a kernel of a command buffer takes {KERNEL_SECONDS[0] * 1e6:g} to"
    f" {KERNEL_SECONDS[1] * 1e6:g} us, a launch by the host {LAUNCH_SECONDS * 1e6:g} us, a wait of"
    f" the host {WAIT_SECONDS * 1e6:g} us, one after another; what kernels compute is not counted,"
    " but for the fused kernel",
    "the fused kernel is bound by its busiest pipe: a warp's instruction takes a scheduler 1 cycle"
    " to issue, 2 cycles of the pipe of logic and additions or of the multiplier, 4 of that for a"
    f" wide product and of memory; {REACHED:.0%} of the bound to all of it is reached, at the"
    " target's clock under load; no memory but the first cache's is waited for",
    "both branches of a condition count; where a loop's rounds are not known, there is no rate",
    "nothing was run: seconds of the compiler are measured, rates are predicted",
)


def run(
    quick: bool, console: Console, shapes: Sequence[Shape] = SHAPES, targets: Sequence[str] = ()
) -> dict[str, Any]:
    """Plan all programs for the targets; returns what goes into the result file.

    Raises:
      NoCompiler: the wheels are missing.
    """
    missing = why_no_compiler()
    if missing:
        raise NoCompiler(missing)
    before = environment()
    names = list(targets) or (["h100"] if quick else list(TARGETS))
    cases = [case for name in names for case in _plan(TARGETS[name], list(shapes), quick, console)]
    return {
        "benchmark": "gpu",
        "quick": quick,
        **before,
        "device": "none: compiled for described devices",
        "assumptions": list(ASSUMPTIONS),
        "cases": cases,
    }


def _plan(
    target: Target, shapes: list[Shape], quick: bool, console: Console
) -> list[dict[str, Any]]:
    device = described_device(target)
    cases = []
    with as_on_a_gpu():
        programs = planned_programs(device, shapes, quick)
        while True:
            began = time.perf_counter()
            planned = next(programs, None)
            if planned is None:
                break
            lowered = planned.lower()
            traced = time.perf_counter() - began
            compiled = compile_program(lowered, dict(compiler_options("gpu")))
            cases.append(case_of(target, planned, compiled, traced))
            console.print(_table(cases[-1]))
    return cases


def case_of(
    target: Target, planned: Planned, compiled: CompiledProgram, traced: float
) -> dict[str, Any]:
    """What is known and predicted of a program, for the result file."""
    kernels = compiled.kernels
    once, whole = started(compiled.thunks), started(compiled.thunks, planned.trips)
    known = bool(planned.trips) or "kWhile" not in compiled.thunks
    kernel = next((kernel for kernel in kernels if kernel.name == FUSED_KERNEL), None)
    fused = None if kernel is None else _of_fused(target, kernel, planned.fused_trips)
    bound = None if fused is None else fused["bound_trials_per_second"]
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
        "kernels_a_call": whole.kernels if known else None,
        "most_registers": max((kernel.registers for kernel in kernels), default=0),
        "spilled_bytes": sum(kernel.spilled_bytes for kernel in kernels),
        "machine_instructions": sum(kernel.instructions for kernel in kernels),
        "unit": planned.unit,
        "work_a_call": planned.work,
        "fused_kernel": fused,
        "predicted_rate": predicted(planned.work, whole, bound) if known else None,
    }


def _of_fused(target: Target, kernel: Kernel, trips: Sequence[float]) -> dict[str, Any]:
    work = work_of(kernel.code, trips)
    return {
        "registers": kernel.registers,
        "spilled_bytes": kernel.spilled_bytes,
        "instructions_in_its_code": kernel.instructions,
        "instructions_a_trial": work.instructions,
        "cycles_a_warp": work.cycles,
        "busiest_pipe": work.pipe,
        "bound_trials_per_second": lanes(warps_per_second(target, work.cycles)),
    }


def predicted(work: int, whole: Started, bound: float | None = None) -> dict[str, float]:
    """Units a second, by what starting the kernels takes, and by the fused kernel's bound.

    >>> predicted(1000, Started(launches=0, host_waits=0, kernels=1000))["high"]
    500000.0
    """
    host = whole.launches * LAUNCH_SECONDS + whole.host_waits * WAIT_SECONDS
    computing = work / bound if bound else 0.0
    slow, fast = KERNEL_SECONDS[1], KERNEL_SECONDS[0]
    low = work / (host + whole.kernels * slow + computing / REACHED)
    high = work / (host + whole.kernels * fast + computing)
    return {"low": low, "high": round(high, 6)}


def _table(case: dict[str, Any]) -> Table:
    table = Table(title=f"{case['program']}, {case['target']}", title_justify="left")
    heads = (
        "compile [s]",
        "launches",
        "waits",
        "kernels",
        "registers",
        "spills",
        f"{case['unit']}/s",
    )
    for head in heads:
        table.add_column(head, justify="right")
    rate = case["predicted_rate"]
    table.add_row(
        f"{case['compile_seconds']:.1f}",
        f"{case['launches']:.0f}",
        f"{case['host_waits']:.0f}",
        str(case["kernels"]),
        str(case["most_registers"]),
        str(case["spilled_bytes"]),
        f"{short(rate['low'])} to {short(rate['high'])}" if rate else "not known",
    )
    return table
