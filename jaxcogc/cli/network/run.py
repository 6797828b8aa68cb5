"""The work of `jaxcogc network`: read, describe, draw, write."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from jaxcogc.cli.network.options import NetworkVerbOptions
from jaxcogc.cli.shared.console import new_console
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.network_options import NamedNetwork, read_file
from jaxcogc.cli.shared.outputs import write_file, write_json, write_picture
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.links.measured import Reading
from jaxcogc.links.network_description import NetworkDescription, describe_network
from jaxcogc.links.network_file import NetworkFile, network_text

if TYPE_CHECKING:
    from jaxcogc.figures import Figure, Look

_FEW = 8


def run(options: NetworkVerbOptions) -> int:
    """Describe and return the exit code 0, or 1 where a picture cannot be drawn."""
    _check_reading(options)
    reading = Reading(
        options.server, options.percent, options.missing_links, options.rate, options.noise_dbm
    )
    stored = read_file(options.file, reading)
    named = NamedNetwork(stored.network, Path(options.file).name, stored.clients)
    found, in_time = describe_network(named.network), dict(stored.in_time)
    if options.json is not None:
        write_json(options.json, _json_fields(named, found, in_time), options)
    if options.write_network is not None:
        text = network_text(NetworkFile.of(named.network, in_time, named.clients)) + "\n"
        write_file("--write-network", options.write_network, text.encode())
    if not options.quiet and options.json != "-":
        console = new_console()
        print_table(console, _table(named, found))
        for line in _remarks(named, found, in_time):
            console.print(line, soft_wrap=True)
    if options.plot is None:
        return 0
    return int(not write_picture("--plot", options.plot, partial(_draw, named), options))


def _check_reading(options: NetworkVerbOptions) -> None:
    """What is said of a CSV list says nothing of a network file."""
    if Path(options.file).suffix.lower() == ".csv":
        return
    for name in ("server", "percent", "missing_links", "rate", "noise_dbm"):
        if options.differs(name):
            raise UserError(
                f"{options.flag(name)} with {options.file}: allowed with a CSV list of links"
            )


def _names(named: NamedNetwork) -> tuple[str, ...]:
    return named.clients or tuple(map(str, range(named.network.num_clients)))


def _table(named: NamedNetwork, found: NetworkDescription) -> Table:
    kind = "reciprocal" if named.network.reciprocal else "each direction by itself"
    table = new_table(f"{named.source} · {named.network.num_clients} clients · {kind}")
    table.add_column("erasure probability", no_wrap=True)
    table.add_column("uplinks", justify="right", no_wrap=True)
    table.add_column("between clients", justify="right", no_wrap=True)
    for place, label in enumerate(found.labels):
        table.add_row(label, str(found.uplink_counts[place]), str(found.peer_counts[place]))
    table.add_section()
    for name in ("lowest", "median", "mean", "highest"):
        table.add_row(name, *(f"{getattr(part, name):.4g}" for part in (found.uplink, found.peer)))
    return table


def _remarks(named: NamedNetwork, found: NetworkDescription, in_time: dict[str, Any]) -> list[str]:
    names = _names(named)
    lines = [
        f"The two directions of a pair differ by {found.asymmetry:.3f} in the mean, "
        f"{found.largest_asymmetry:.3f} at most."
    ]
    for clients, words in (
        (found.silent, "never heard by the server"),
        (found.unheard, "heard by no client"),
        (found.deaf, "hears no client"),
    ):
        if clients:
            some = [names[k] for k in clients[:_FEW]] + [".."] * (len(clients) > _FEW)
            lines.append(f"{words.capitalize()}: {', '.join(some)}.")
    lines += [f"{name}: {value}" for name, value in in_time.items()]
    return lines


def _json_fields(
    named: NamedNetwork, found: NetworkDescription, in_time: dict[str, Any]
) -> dict[str, Any]:
    return {
        "clients": named.network.num_clients,
        "names": list(_names(named)),
        "reciprocal": named.network.reciprocal,
        **in_time,
        "uplink_erasure": named.network.uplink_erasure.tolist(),
        "peer_erasure": named.network.peer_erasure.tolist(),
        "uplink": found.uplink._asdict(),
        "peer": found.peer._asdict(),
        "histogram": {
            "edges": list(found.edges),
            "uplink": found.uplink_counts.tolist(),
            "peer": found.peer_counts.tolist(),
        },
        "asymmetry": found.asymmetry,
        "largest_asymmetry": found.largest_asymmetry,
        "silent": list(found.silent),
        "unheard": list(found.unheard),
        "deaf": list(found.deaf),
    }


def _draw(named: NamedNetwork, look: Look) -> Figure:
    from jaxcogc import figures

    return figures.plot_network(named.network, names=_names(named), title=named.source, look=look)
