"""The network that a verb was asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcogc.cli.shared.errors import blame, rejected
from jaxcogc.cli.shared.values import given, parse_count, parse_probability

if TYPE_CHECKING:
    from jaxcogc.links.network import Network


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """The options as typed; None where an option was not given and its absence matters."""

    clients: str | None
    uplink_erasure: str | None
    peer_erasure: str | None
    network: str | None
    reciprocal: bool


def read_network(options: NetworkOptions) -> tuple[Network, str]:
    """The network that the options describe, and a name of it for titles.

    Errors: UserError that names the option, its value and what is allowed.
    """
    if options.network is not None:
        return _read_network_file(options, options.network)
    from jaxcogc.links.draws import MAX_CLIENTS
    from jaxcogc.links.network import Network

    num_clients = parse_count("--clients", given(options.clients, "10"), high=MAX_CLIENTS)
    uplink = parse_probability("--uplink-erasure", given(options.uplink_erasure, "0.4"))
    peer = parse_probability("--peer-erasure", given(options.peer_erasure, "0.25"))

    network = Network.homogeneous(
        num_clients, uplink_erasure=uplink, peer_erasure=peer, reciprocal=options.reciprocal
    )
    return network, f"uplink erasure {uplink:g}, peer erasure {peer:g}"


def _read_network_file(options: NetworkOptions, path: str) -> tuple[Network, str]:
    for field in ("uplink_erasure", "peer_erasure"):
        if getattr(options, field) is not None:
            name = f"--{field.replace('_', '-')}"
            raise rejected(name, getattr(options, field), "this option or --network, not both")
    from jaxcogc.links.draws import MAX_CLIENTS
    from jaxcogc.links.network import Network

    with blame("--network"):
        network = Network.from_json(path)
    if network.num_clients > MAX_CLIENTS:
        raise rejected(
            "--network", f"{path} ({network.num_clients} clients)", f"at most {MAX_CLIENTS} clients"
        )
    if options.clients is not None:
        num_clients = parse_count("--clients", options.clients, high=MAX_CLIENTS)
        if num_clients != network.num_clients:
            raise rejected(
                "--clients",
                options.clients,
                f"{network.num_clients}, as in {path}, or leave it out",
            )
    if options.reciprocal and not network.reciprocal:
        with blame(f"--reciprocal with --network {path}"):
            network = dataclasses.replace(network, reciprocal=True)
    return network, Path(path).name
