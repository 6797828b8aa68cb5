"""The work of `jaxcogc replay`: rebuild, print, draw."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from jaxcogc import figures
from jaxcogc.cli.shared.console import new_console
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.outputs import write_json, write_picture
from jaxcogc.cli.shared.printed_tables import print_table
from jaxcogc.cli.studies.options import ReplayOptions
from jaxcogc.names import EVENTS
from jaxcogc.number_text import count_text
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.study.collection.simulation_engine import SimulationEngine
from jaxcogc.study.results.replay import Replay, replay
from jaxcogc.study.specification.point import Point

_MOST_BLOCKS = 1000


def run(options: ReplayOptions, point: Point) -> int:
    """Replay the trial (or the next one with an outcome) and tell; returns the exit code."""
    trial = options.trial
    if options.next is not None:
        trial = _next_trial(point, trial, options.next)
    found = replay(point, trial)
    console = new_console(stderr=options.json is not None)
    title = _title(point, trial)
    happened = [EVENTS[name] for name, seen in found.outcomes().items() if seen]
    if options.json is not None:
        write_json(options.json, _fields(point, found), options)
    names = point.client_names or tuple(map(str, range(point.num_clients)))
    _print(console, found, names, title, happened)
    if options.plot is None:
        return 0
    caption = " · ".join(happened)

    def draw(look: figures.Look) -> figures.Figure:
        return figures.plot_replay(found, title=title, caption=caption, names=names, look=look)

    return int(not write_picture("--plot", options.plot, draw, options))


def _next_trial(point: Point, trial: int, outcome: str) -> int:
    """The first trial from `trial` on with the outcome."""
    print(f"looking for {outcome}", file=sys.stderr)
    engine = SimulationEngine()
    first = trial // BLOCK_TRIALS
    for block in range(first, first + _MOST_BLOCKS):
        places = block * BLOCK_TRIALS + np.flatnonzero(engine.events(point, block, outcome))
        places = places[places >= trial]
        if len(places):
            return int(places[0])
    raise UserError(f"--next {outcome}: not seen in {_MOST_BLOCKS * BLOCK_TRIALS:,} trials")


def _title(point: Point, trial: int) -> str:
    words = [f"{point.num_clients} clients", f"{point.code_name} code"]
    if point.family != "uncoded":
        words[-1] += ", " + count_text(point.stragglers, "straggler")
    return f"point {point.id[:8]} ({', '.join(words)}), trial {trial:,}"


def _print(
    console: Console,
    found: Replay,
    names: Sequence[str],
    title: str,
    happened: Iterable[str],
) -> None:
    def told(selected: np.ndarray) -> str:
        return " ".join(names[client] for client in np.flatnonzero(selected).tolist()) or "nobody"

    console.print(title, style="bold")
    for attempt, uplinks in enumerate(found.uplink_delivered):
        table = Table(title=f"attempt {attempt + 1}", title_justify="left")
        table.add_column("client", justify="right")
        for name in ("heard", "did not hear", "server heard it", "row"):
            table.add_column(name)
        others = ~np.eye(len(uplinks), dtype=bool)
        needed = found.support[attempt] & others
        for client, uplink in enumerate(uplinks):
            heard = needed[client] & found.peer_delivered[attempt, client]
            lost = needed[client] & ~found.peer_delivered[attempt, client]
            cells = (told(heard), told(lost), "yes" if uplink else "no")
            row = "lost"
            if uplink:
                held = told(found.held[attempt, client])
                complete = found.complete[attempt, client]
                row = "arrived, complete" if complete else f"arrived with {held}"
            table.add_row(names[client], *cells, row)
        print_table(console, table, "did not hear")
    rank, complete = int(found.recovery.rank), int(found.recovery.num_complete_rows)
    console.print(f"rank {rank}, {complete} complete rows arrived")
    console.print(f"recovered one by one: {told(found.clients)}")
    for text in happened:
        console.print(text)


def _fields(point: Point, found: Replay) -> dict[str, Any]:
    return {
        "point": point.id,
        **{name: value for name, value in point.setting.items() if name != "network"},
        "clients": point.num_clients,
        "client_names": point.client_names,
        "trial": found.trial,
        "uplink_delivered": found.uplink_delivered.tolist(),
        "peer_delivered": found.peer_delivered.tolist(),
        "row_needs": found.support.tolist(),
        "row_complete": found.complete.tolist(),
        "client_recovered": found.clients.tolist(),
        "rank": int(found.recovery.rank),
        **found.outcomes(),
    }
