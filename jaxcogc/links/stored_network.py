"""A network as a file holds it, whichever of the two kinds of file it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxcogc.links.measured import Reading, read_links
from jaxcogc.links.network import Network
from jaxcogc.links.network_file import read_network_file

__all__ = ["StoredNetwork", "read_stored_network"]


class StoredNetwork(NamedTuple):
    """What a file tells of a network.

    Attributes:
      network: the links.
      in_time: how they hang together in time, by the names of `LinkDynamics`.
      clients: names of the clients; None where the file has none.
    """

    network: Network
    in_time: Mapping[str, Any]
    clients: tuple[str, ...] | None


def read_stored_network(
    path: str | os.PathLike[str], reading: Reading | None = None
) -> StoredNetwork:
    """Read a network file, or a CSV list of links as ``reading`` says.

    Raises:
      ValueError: as of `read_network_file`, `Network.from_json` and `read_links`.
    """
    if Path(path).suffix.lower() == ".csv":
        links = read_links(path, reading or Reading())
        return StoredNetwork(Network(links.uplink_erasure, links.peer_erasure), {}, links.clients)
    file = read_network_file(path)
    clients = tuple(file.clients) if file.clients else None
    return StoredNetwork(Network.from_json(path), file.dynamics(), clients)
