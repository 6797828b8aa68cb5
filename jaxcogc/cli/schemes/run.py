"""The work of `jaxcogc schemes`: errors, then a table, JSON, a picture."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from rich.table import Table

from jaxcogc import figures
from jaxcogc.cli.schemes.request import SchemesRequest
from jaxcogc.cli.shared.console import all_or_nothing, new_console
from jaxcogc.cli.shared.outputs import write_csv, write_json, write_picture
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.federated.privacy.masks import leaked_bits
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.names import hyphened
from jaxcogc.number_text import interval_text, level_text, probability_text
from jaxcogc.outage.intervals import Estimate
from jaxcogc.runtime.random_words import seed_keys
from jaxcogc.training.compared_schemes import SchemeErrors, scheme_errors
from jaxcogc.training.foreknowledge import gather_foreknowledge, largest_inverse

_EXPENDABLE = ("interval", "leak\nbits", "peer\nuses", "held")


def run(request: SchemesRequest) -> int:
    """Answer and return the exit code: 0, or 1 where the picture could not be written."""
    console = new_console()
    asked, key = request.asked, seed_keys(request.asked.seed)[1]
    if not asked.quiet:
        console.print("working out errors", highlight=False)
    settings: dict[str, Any] = {"dynamics": request.dynamics, **request.policy.options()}
    with all_or_nothing(console, "the table"):
        known = gather_foreknowledge(
            key,
            request.network,
            request.schemes,
            request.code,
            relay_objective=asked.relay_objective,
            relay_window=asked.relay_window,
            num_trials=asked.trials,
            **settings,
        )
        found = scheme_errors(
            key,
            request.network,
            request.schemes,
            request.code,
            num_trials=asked.trials,
            level=asked.level,
            known=known,
            **settings,
        )
    inverse = {f"{name}_unbiased": value for name, value in largest_inverse(known).items()}
    fields = _fields(request, found, inverse)
    if asked.json is not None:
        write_json(asked.json, fields, asked)
    if asked.csv is not None:
        write_csv(asked.csv, [{"scheme": name, **row} for name, row in fields["schemes"].items()])
    if not asked.quiet:
        print_table(console, _table(request, found, inverse), *_EXPENDABLE)
    if asked.plot is None:
        return 0

    def draw(look: figures.Look) -> figures.Figure:
        caption = _caption(request)
        return figures.scheme_figure(found, title=request.title, caption=caption, look=look)

    return int(not write_picture("--plot", asked.plot, draw, asked))


def _leak(request: SchemesRequest, row: SchemeErrors) -> float | None:
    """Bits a coordinate and round beyond the sum; None where infinite, for want of masks."""
    if row.masked and request.asked.masks == "field":
        return 0.0  # what is seen beyond the sum is uniform, whatever the updates are
    ratio = request.asked.mask_ratio if row.masked else 0.0
    bits = float(leaked_bits(np.array(row.dimensions), ratio, request.network.num_clients))
    return bits if math.isfinite(bits) else None


def _fields(
    request: SchemesRequest, found: dict[str, SchemeErrors], inverse: dict[str, float]
) -> dict[str, Any]:
    rows = {}
    for name, row in found.items():
        fields = row._asdict()
        for key in ("error_orthogonal", "error_alike"):
            fields[key] = None if fields[key] is None else fields[key].to_dict()
        fields["leak_bits"] = _leak(request, row)
        most = inverse.get(name)
        if most is not None:
            fields["largest_inverse_probability"] = most if math.isfinite(most) else None
        rows[name] = fields
    return {
        "clients": request.network.num_clients,
        "code": request.asked.code,
        "stragglers": int(request.code.num_stragglers),
        **request.asked.echo(),
        "mask_ratio": request.asked.mask_ratio if request.asked.masks == "real" else None,
        **(request.dynamics or LinkDynamics()).to_dict(),
        "interval": "normal",
        "elapsed_seconds": time.perf_counter() - request.started,
        "schemes": rows,
        "left_out": request.left_out,
    }


def _caption(request: SchemesRequest) -> str:
    return (
        "mean squared distance from the average, in units of an update's (with memory: of what "
        f"changed since); {level_text(request.asked.level)} normal intervals of what was drawn"
    )


def _table(
    request: SchemesRequest, found: dict[str, SchemeErrors], inverse: dict[str, float]
) -> Table:
    caption = _caption(request)
    for name, value in inverse.items():
        told = f"{value:.3g}" if math.isfinite(value) else "infinite"
        caption += f"; {hyphened(name)}: largest 1/pi {told}"
    for name, reason in request.left_out.items():
        caption += f"; without {hyphened(name)}: {reason}"
    table = new_table(request.title, caption)
    table.add_column("scheme", no_wrap=True)
    for header in ("error,\northogonal", "error,\nalike", "interval", "bias", "exact", "held"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in ("uplink\nuses", "peer\nuses", "read", "leak\nbits", "from"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, row in found.items():
        leak = _leak(request, row)
        table.add_row(
            hyphened(name),
            *(_number(x) for x in (row.error_orthogonal, row.error_alike)),
            _drawn(row.error_alike),
            _number(row.bias),
            probability_text(row.exact),
            probability_text(row.hold),
            f"{row.uplink_uses:.1f}",
            f"{row.peer_uses:.1f}",
            f"{row.revealed:.2f}",
            "all" if leak is None else f"{leak:.2g}",
            row.method,
        )
    return table


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return "0" if abs(value) < 1e-12 else f"{value:.4g}"


def _drawn(value: Estimate | None) -> str:
    """The interval of what was drawn."""
    if value is None or value.method == "exact":
        return ""
    return interval_text(value.low, value.high)
