"""The network that a verb is asked about."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from jaxcogc.allowed import CLIENTS, MAX_CLIENTS, PROBABILITY
from jaxcogc.cli.shared.errors import blame, rejected
from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.options import Headings, Options, option, switch

if TYPE_CHECKING:
    from jaxcogc.links.measured import Reading
    from jaxcogc.links.network import Network
    from jaxcogc.links.stored_network import StoredNetwork

_CLIENTS, _UPLINK, _PEER = 10, 0.4, 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkOptions(Options):
    """The options of a network; None where one was not given.

    Attributes:
      draws_in_time: the verb knows links that remember and blocked clients.
    """

    draws_in_time: ClassVar[bool] = False
    headings: ClassVar[Headings] = (("clients", "Network"),)
    clients: int | None = option("M", "Number of clients.", CLIENTS, shown=str(_CLIENTS))
    uplink_erasure: float | None = option(
        "P", "Probability that an uplink loses a message.", PROBABILITY, shown=str(_UPLINK)
    )
    peer_erasure: float | None = option(
        "P", "The same from client to client.", PROBABILITY, shown=str(_PEER)
    )
    network: str | None = option(
        "FILE",
        "Erasure probabilities, link by link (JSON, or a CSV list of links), instead of P.",
        file=File(reads=True, again=True),
    )
    client_order: str | None = option(
        "I,J,..", "Place i of the ring holds the client so numbered, from 0, or so named."
    )
    reciprocal: bool = switch("Two clients hear each other, or neither the other.")

    def starts_jax(self) -> bool:
        """See `Options`."""
        return True

    def erasures(self) -> dict[str, float | None]:
        """Of links that are all alike, defaults filled in; None where a file tells them."""
        if self.network is not None:
            return {"uplink_erasure": None, "peer_erasure": None}
        return dict(zip(("uplink_erasure", "peer_erasure"), _erasures(self), strict=True))


class NamedNetwork(NamedTuple):
    """A network, and its name for titles; names of its clients where the file has them."""

    network: Network
    source: str
    clients: tuple[str, ...] | None = None


def read_network(options: NetworkOptions) -> NamedNetwork:
    """The network that the options describe.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    named = _read_network(options)
    if options.client_order is None:
        return named
    order = client_order(options, named.network.num_clients)
    names = None if named.clients is None else tuple(named.clients[i] for i in order)
    return NamedNetwork(named.network.permuted(order), named.source, names)


def client_order(options: NetworkOptions, num_clients: int) -> tuple[int, ...]:
    """Which client stands at each place of the ring; their own order where nothing is said.

    Raises:
      UserError: it names the option and what is allowed.
    """
    if options.client_order is None:
        return tuple(range(num_clients))
    from jaxcogc.links.matrix_file import composed

    cells = composed(options.client_order).replace(",", " ").split()
    numbers = {str(client): client for client in range(num_clients)}
    if options.network is not None and not all(cell in numbers for cell in cells):
        names = read_file(options.network).clients or ()
        numbers = {name: client for client, name in enumerate(names)} or numbers
    unknown = [cell for cell in cells if cell not in numbers]
    if unknown or sorted(numbers[cell] for cell in cells) != list(range(num_clients)):
        allowed = f"every client 0 .. {num_clients - 1} once, such as 1,0,2,.."
        if unknown and options.network is not None:
            allowed += f", or by name; {unknown[0]!r} is no client of {options.network}"
        raise rejected("--client-order", options.client_order, allowed)
    return tuple(numbers[cell] for cell in cells)


def _erasures(options: NetworkOptions) -> tuple[float, float]:
    """Of all uplinks and of all links between clients, where no file tells them."""
    uplink, peer = options.uplink_erasure, options.peer_erasure
    return _UPLINK if uplink is None else uplink, _PEER if peer is None else peer


def _read_network(options: NetworkOptions) -> NamedNetwork:
    if options.network is not None:
        return _read_network_file(options, options.network)
    from jaxcogc.links.network import Network

    uplink, peer = _erasures(options)
    network = Network.homogeneous(
        options.clients or _CLIENTS,
        uplink_erasure=uplink,
        peer_erasure=peer,
        reciprocal=options.reciprocal,
    )
    return NamedNetwork(network, f"uplink erasure {uplink:g}, peer erasure {peer:g}")


def _read_network_file(options: NetworkOptions, path: str) -> NamedNetwork:
    for name in ("uplink_erasure", "peer_erasure"):
        given = getattr(options, name)
        if given is not None:
            raise rejected(options.flag(name), given, "this option or --network, not both")
    network, in_time, names = read_file(path)
    if not options.draws_in_time:
        _refuse_time(path, in_time)
    clients = network.num_clients
    if clients > MAX_CLIENTS:
        raise rejected("--network", f"{path} ({clients} clients)", f"at most {MAX_CLIENTS} clients")
    if options.clients not in (None, clients):
        raise rejected("--clients", options.clients, f"{clients}, as in {path}, or leave it out")
    if options.reciprocal and not network.reciprocal:
        with blame(f"--reciprocal with --network {path}"):
            network = dataclasses.replace(network, reciprocal=True)
    return NamedNetwork(network, Path(path).name, names)


def read_file(path: str, reading: Reading | None = None) -> StoredNetwork:
    """A network file, or a CSV list of links.

    Raises:
      UserError: it names the file.
    """
    from jaxcogc.links.stored_network import read_stored_network

    with blame("--network"):
        return read_stored_network(path, reading)


def time_in_file(path: str | None) -> dict[str, Any]:
    """What a network file says of how links hang together in time, by the names of `DYNAMICS`.

    Raises:
      UserError: it names the file.
    """
    return {} if path is None else dict(read_file(path).in_time)


def _refuse_time(path: str, in_time: Mapping[str, Any]) -> None:
    """Links that the verb would take for independent ones are refused, and not taken so."""
    for name in in_time:
        raise rejected("--network", f"{path} with {name}", "independent links with this verb")
