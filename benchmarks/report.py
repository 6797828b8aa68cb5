"""Result files and tables: what was measured, where and with what."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

import jaxcogc
from benchmarks.measure import Timing
from benchmarks.optional import why_no_numba
from jaxcogc.runtime import describe_devices, write_atomically

_NO_GPU = "No GPU in this run: the ceilings of a GPU were not measured."
_PACKAGES = ("jax", "jaxlib", "numpy", "numba", "scipy", "flax", "optax", "torch")


def environment() -> dict[str, Any]:
    """Machine, versions and date, without names of hosts, users or folders."""
    installed: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = None
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _of_cpu("model name") or platform.processor() or platform.machine(),
            "cores": _cores(),
            "vectors": vector_instructions(_of_cpu("flags")),
            "xla_cpu_max_isa": most_isa(os.environ.get("XLA_FLAGS", "")),
            "system": f"{platform.system()} {platform.machine()}",
            "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        },
        "device": describe_devices(jax.devices()),
        "backend": jax.default_backend(),
        "versions": {
            "python": platform.python_version(),
            "jaxcogc": jaxcogc.__version__,
            **installed,
        },
    }


def _of_cpu(name: str) -> str:
    """What Linux says of the first core; "" where it says nothing."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return " ".join(value.split())
    return ""


def vector_instructions(flags: str) -> str | None:
    """The widest vectors a processor with these flags has; None: neither is among them.

    >>> vector_instructions("fpu sse2 avx avx2 avx512f avx512dq"), vector_instructions("avx avx2")
    ('AVX-512', 'AVX2')
    """
    has = flags.split()
    return "AVX-512" if "avx512f" in has else "AVX2" if "avx2" in has else None


def most_isa(xla_flags: str) -> str | None:
    """The instruction set that XLA is kept to by flags, the last one named; None: the processor's.

    >>> most_isa("--xla_cpu_max_isa=AVX512 --xla_dump_to=here --xla_cpu_max_isa=AVX2")
    'AVX2'
    """
    option = "--xla_cpu_max_isa="
    values = [flag.removeprefix(option) for flag in xla_flags.split() if flag.startswith(option)]
    return values[-1] if values else None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def console(json_target: str | None) -> Console:
    """Where tables go: standard error when standard output carries the JSON."""
    out = Console(stderr=json_target == "-", highlight=False, markup=False, emoji=False)
    if not out.is_terminal:
        out.width = 110
    return out


def result_of(
    benchmark: str, quick: bool, console: Console, cases: Iterator[dict[str, Any]]
) -> dict[str, Any]:
    """Measure the cases, and say what this machine lacks; returns what goes into the file."""
    missing = why_no_numba()
    if missing:
        console.print(missing)
    before = environment()
    measured = list(cases)
    if before["backend"] == "cpu":
        console.print(_NO_GPU)
    return {"benchmark": benchmark, "quick": quick, **before, "numba": missing, "cases": measured}


def rate_table(title: str, unit: str, timings: Sequence[Timing], ours: str) -> Table:
    """One row a program; the last column says how many times faster we are."""
    table = Table(title=title, title_justify="left")
    table.add_column("program")
    for head in (f"{unit}/s", "best", "compile [s]", "ours is"):
        table.add_column(head, justify="right")
    mine = next((timing.rate for timing in timings if timing.name == ours), None)
    for timing in timings:
        ratio = "" if mine is None or timing.name == ours else f"{mine / timing.rate:.2f} x"
        table.add_row(
            timing.name,
            short(timing.rate),
            short(timing.best_rate),
            f"{timing.compile_seconds:.1f}",
            ratio,
        )
    return table


def short(number: float) -> str:
    """Three digits and a unit.

    >>> short(1234567.0), short(950.0), short(0.0321)
    ('1.23 M', '950', '0.0321')
    """
    for scale, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= scale:
            return f"{number / scale:.3g}{unit}"
    return f"{number:.3g}"


def rates_and_ratios(timings: Mapping[str, Timing], ours: str) -> dict[str, Any]:
    """The measured part of a case, for the result file."""
    mine = timings[ours].rate
    return {
        "programs": {name: timing.as_json() for name, timing in timings.items()},
        "ours_over": {name: mine / t.rate for name, t in timings.items() if name != ours},
    }


def write_result(target: str | None, result: Mapping[str, Any]) -> None:
    """Write one JSON object to a file, or to standard output for "-"; nothing for None."""
    if target is None:
        return
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_atomically(target, text)
