"""What a plan says of a program, for the console."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.report import short

_SHOWN = 0.01
"""Of the seconds of a call: what is below this is not shown."""


def print_case(console: Console, case: dict[str, Any]) -> None:
    """One table of what was compiled, and one of what a call does."""
    console.print(_compiled(case))
    prediction = case["prediction"]
    if prediction is None:
        console.print(f"No rate: not known are {case['no_rate_because']}.")
        return
    shares = prediction["shares_of_seconds"]
    named = [f"{name} {share:.0%}" for name, share in shares.items() if share >= _SHOWN]
    formats = case["matrix_formats"]
    products = f"; matrix products in {', '.join(formats)}" if formats else ""
    console.print(f"Bound by {', '.join(named)}{products}.")
    alone = prediction["seconds_of_each_alone"]
    each = ", ".join(f"{name} {_digits(1e3 * seconds)} ms" for name, seconds in alone.items())
    console.print(f"Each alone: {each} a call.")
    if len(prediction["parts"]) > 1:
        console.print(_parts(prediction))


def _compiled(case: dict[str, Any]) -> Table:
    table = Table(title=f"{case['program']}, {case['target']}", title_justify="left")
    rate = case["predicted_rate"]
    kernels = case["kernels_a_call"]
    cells = {
        "compile": f"{case['compile_seconds']:.0f} s",
        "launches": str(case["launches"]),
        "waits": str(case["host_waits"]),
        "kernels": str(case["kernels"]),
        "a call": "?" if kernels is None else short(kernels),
        "regs": str(case["most_registers"]),
        "spills": str(case["spilled_bytes"]),
        f"{case['unit']}/s": (
            f"{short(rate['low'])} to {short(rate['high'])}" if rate else "not known"
        ),
    }
    for head in cells:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_row(*cells.values())
    return table


def _parts(prediction: dict[str, Any]) -> Table:
    """What one round of each loop does, loops inside of it apart."""
    table = Table()
    table.add_column("a round of", no_wrap=True)
    for head in ("rounds", "kernels", "MB", "MFLOP", "us", "bound by"):
        table.add_column(head, justify="right", no_wrap=True)
    whole = prediction["seconds_a_call"]["low"]
    for part in prediction["parts"]:
        seconds, loops = part["seconds_a_call"], part["loops"]
        if seconds["low"] < _SHOWN * whole or not part["rounds_a_call"]:
            continue
        rounds = part["rounds_a_call"]
        table.add_row(
            "  " * (len(loops) - 1) + loops[-1] if loops else "the call itself",
            short(rounds),
            f"{part['kernels_a_call'] / rounds:.3g}",
            f"{part['bytes_moved_a_call'] / rounds / 1e6:.3g}",
            f"{part['matrix_flops_a_call'] / rounds / 1e6:.3g}",
            " to ".join(_digits(1e6 * seconds[end] / rounds) for end in ("low", "high")),
            part["bound_by"],
        )
    return table


def _digits(number: float) -> str:
    """Three digits, or all before the point.

    >>> _digits(0.31415), _digits(1234.5)
    ('0.314', '1234')
    """
    return f"{number:.3g}" if number < 1000 else f"{number:.0f}"
