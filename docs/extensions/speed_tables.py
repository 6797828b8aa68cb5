"""Tables of measured rates, made from `benchmarks/results/*.json`: no figure is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"

TABLES = {
    "decode": "Decisions: what is recoverable from given links (decisions/s)",
    "decode_avx2": "The same on a processor without AVX-512",
    "pipeline": "Links drawn, decided and counted (trials/s)",
    "pipeline_avx2": "The same on a processor without AVX-512",
}


def _table(rows: list[list[str]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [("   * - " if at == 0 else "     - ") + cell for at, cell in enumerate(row)]
    return [*lines, ""]


def _shape(case: dict[str, Any]) -> str:
    shape = case["shape"]
    return f"{shape['clients']}, {shape['stragglers']}, {shape['attempts']}"


def _where(result: dict[str, Any]) -> str:
    machine = result["machine"]
    vectors = f", {machine['vectors']}" if "vectors" in machine else ""
    return f"{machine['cpu']}, {machine['cores']} cores{vectors}; {result['date'][:10]}."


def rate_table(name: str) -> list[str]:
    """The rates of all programs of a benchmark, a row for each case."""
    result = json.loads((RESULTS / f"{name}.json").read_text())
    programs = list(dict.fromkeys(p for case in result["cases"] for p in case["programs"]))
    rows = [["clients, stragglers, attempts", "erasure", *programs]]
    for case in result["cases"]:
        rates = [case["programs"].get(program, {}).get("rate") for program in programs]
        shown = ["" if rate is None else f"{rate:,.0f}" for rate in rates]
        rows.append([_shape(case), f"{case['erasure']:g}", *shown])
    return [f"**{TABLES[name]}.** {_where(result)}", "", *_table(rows)]


def weight_table() -> list[str]:
    """The rates of decoding weights in real numbers."""
    result = json.loads((RESULTS / "real.json").read_text())
    rows = [["clients, stragglers, attempts", "erasure", "decoder", "jaxcogc", "pseudo-inverse"]]
    for case in result["weights"]:
        for decoder, found in case["decoders"].items():
            programs = found["programs"]
            rates = [programs.get(name, {}).get("rate") for name in (decoder, "jit(vmap(pinv))")]
            shown = ["" if rate is None else f"{rate:,.0f}" for rate in rates]
            rows.append([_shape(case), f"{case['erasure']:g}", f"``{decoder}``", *shown])
    return [f"**Weights in double precision (trials/s).** {_where(result)}", "", *_table(rows)]


def training_table() -> list[str]:
    """The rates of training programs."""
    result = json.loads((RESULTS / "training.json").read_text())
    programs = result["one_run"]["programs"]
    rows = [["program", "rounds/s"]]
    rows += [[name, f"{found['rate']:,.0f}"] for name, found in programs.items()]
    return [f"**One run of training (rounds/s).** {_where(result)}", "", *_table(rows)]


def page() -> str:
    """All tables."""
    tables = [*(rate_table(name) for name in TABLES), weight_table(), training_table()]
    return "\n".join(line for table in tables for line in table)
