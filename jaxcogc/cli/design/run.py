"""The work of `jaxcogc design`: search, compare, report."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from jaxcogc import figures
from jaxcogc.cli.design.next_commands import chosen_network, next_commands
from jaxcogc.cli.design.request import DesignRequest
from jaxcogc.cli.design.tables import EXPENDABLE, design_table, link_table, summary
from jaxcogc.cli.shared.console import all_or_nothing, new_console
from jaxcogc.cli.shared.outputs import write_csv, write_file, write_json, write_picture
from jaxcogc.cli.shared.printed_tables import print_table
from jaxcogc.cli.shared.progress import StageDisplay
from jaxcogc.design.candidates import Candidate
from jaxcogc.design.link_sensitivity import LawSensitivity, sensitivity_of, weakest_links
from jaxcogc.design.search import COMPILING, Design, design
from jaxcogc.links.memory import LinkDynamics

if TYPE_CHECKING:
    from jaxcogc.figures import Figure, Look

_MOST_LINKS = 10


def run(request: DesignRequest) -> int:
    """Answer and return the exit code 0, also where no design reaches the target."""
    console = new_console()
    display = StageDisplay(console, COMPILING, quiet=request.asked.quiet)
    with all_or_nothing(console, "the search"), display:
        result = design(
            request.network,
            target=request.asked.target,
            objective=request.asked.objective,
            max_attempts=request.asked.max_attempts,
            max_tries=request.asked.max_tries,
            order=request.asked.order,
            broadcast=request.asked.broadcast,
            dynamics=request.dynamics,
            keep_heard=request.asked.keep_heard,
            seconds=request.asked.message_seconds(),
            accuracy=request.accuracy,
            own_code=request.own_code,
            num_trials=request.asked.trials,
            seed=request.asked.seed,
            level=request.asked.level,
            advance=display.advance,
        )
    weak = sensitivity_of(request.network, result.chosen) if request.asked.sensitivity else None
    if request.asked.write_network is not None:
        text = chosen_network(request, result.chosen) + "\n"
        write_file("--write-network", request.asked.write_network, text.encode())
    if request.asked.json is not None:
        write_json(request.asked.json, _json_fields(request, result, weak), request.asked)
    if request.asked.csv is not None:
        rows = [{"chosen": c is result.chosen, **_candidate_fields(c)} for c in result.candidates]
        write_csv(request.asked.csv, rows)
    if not request.asked.quiet:
        print_table(console, design_table(request, result), *EXPENDABLE)
        console.print(summary(request, result), soft_wrap=True)
        for command in next_commands(request, result.chosen):
            console.print(f"next: {command}", soft_wrap=True)
        if weak is not None:
            links = weakest_links(request.network, weak.found)[:_MOST_LINKS]
            print_table(
                console,
                link_table(links, weak.found.outage, weak.law, request.client_names),
                "d log P / d p",
            )
    if request.asked.plot is None or weak is None:
        return 0
    draw = partial(_draw, request, weak)
    return int(not write_picture("--plot", request.asked.plot, draw, request.asked))


def _draw(request: DesignRequest, weak: LawSensitivity, look: Look) -> Figure:
    return figures.plot_sensitivity(
        weak.found,
        title=f"{request.source}: which link to repair first",
        caption=f"{weak.law}; its outage probability is {weak.found.outage:.4g}",
        names=request.client_names,
        look=look,
    )


def _candidate_fields(candidate: Candidate) -> dict[str, object]:
    """A candidate as JSON: names as in `Candidate`, the outage as an interval."""
    return {**candidate._asdict(), "outage": candidate.outage.to_dict()}


def _finite(numbers: np.ndarray) -> object:
    """Nested lists, None for what is not finite: JSON has no infinity."""
    values = numbers.astype(object)
    values[~np.isfinite(numbers)] = None
    return values.tolist()


def _sensitivity_fields(request: DesignRequest, weak: LawSensitivity) -> dict[str, object]:
    found = weak.found
    return {
        "law": weak.law,
        "outage": found.outage,
        "uplink": _finite(found.uplink),
        "peer": _finite(found.peer),
        "repaired_uplink": found.repaired_uplink.tolist(),
        "repaired_peer": found.repaired_peer.tolist(),
        "links": [
            {**link._asdict(), "slope": _finite(np.array(link.slope))}
            for link in weakest_links(request.network, found)
        ],
    }


def _json_fields(
    request: DesignRequest, result: Design, weak: LawSensitivity | None
) -> dict[str, object]:
    given = None if result.given_order is None else _candidate_fields(result.given_order)
    runners_up = [c for c in result.candidates[1:] if c.reaches is not False][:5]
    return {
        "clients": request.network.num_clients,
        **request.asked.echo(),
        **(request.dynamics or LinkDynamics()).to_dict(),
        "elapsed_seconds": time.perf_counter() - request.started,
        "reached": result.reached,
        "chosen": _candidate_fields(result.chosen),
        "given_order": given,
        "commands": next_commands(request, result.chosen),
        "runners_up": [_candidate_fields(c) for c in runners_up],
        "candidates": [_candidate_fields(c) for c in result.candidates],
        "sensitivity": None if weak is None else _sensitivity_fields(request, weak),
    }
