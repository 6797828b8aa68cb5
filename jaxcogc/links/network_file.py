"""The network file: one JSON object.

`{"uplink_erasure": [clients], "peer_erasure": [[clients] x clients], "reciprocal": false}`;
`reciprocal` may be left out. How links hang together in time may stand beside: `"memory"` or
`"burst_length"` (a number), `"block_probability"` (a number or [clients]); and `"clients"`, a list
of their names. Other keys are ignored; a key that stands twice is a mistake. A byte-order mark
before the text means nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from jaxcogc.links.matrix_file import json_kind, read_json

if TYPE_CHECKING:  # a file is read without JAX
    from jaxcogc._types import AnyArray

__all__ = ["NetworkFile", "network_text", "read_network_file"]


class Erasures(Protocol):
    """What a `Network` is to its file."""

    @property
    def uplink_erasure(self) -> AnyArray:
        """Floating [clients]."""

    @property
    def peer_erasure(self) -> AnyArray:
        """Floating [clients, clients]."""

    @property
    def reciprocal(self) -> bool:
        """Whether both directions between two clients are one draw."""


class NetworkFile(NamedTuple):
    """What a network file holds; Python numbers, not yet checked to be probabilities.

    Attributes:
      uplink_erasure: list [clients].
      peer_erasure: list of lists [clients, clients].
      reciprocal: whether both directions between two clients are one draw.
      memory, burst_length, block_probability: of `LinkDynamics`; None where the file says nothing.
      clients: names of the clients; None where the file has none.
    """

    uplink_erasure: list[float]
    peer_erasure: list[list[float]]
    reciprocal: bool
    memory: float | None = None
    burst_length: float | None = None
    block_probability: float | list[float] | None = None
    clients: list[str] | None = None

    @classmethod
    def of(
        cls,
        network: Erasures,
        in_time: Mapping[str, Any] = MappingProxyType({}),
        clients: Sequence[str] | None = None,
    ) -> NetworkFile:
        """What the file of a network holds.

        Args:
          network: a `Network` on the host.
          in_time: what `dynamics` gives back.
          clients: their names.
        """
        return cls(
            np.asarray(network.uplink_erasure, np.float64).tolist(),
            np.asarray(network.peer_erasure, np.float64).tolist(),
            network.reciprocal,
            clients=None if clients is None else list(clients),
            **in_time,
        )

    def dynamics(self) -> dict[str, Any]:
        """What the file says about time, by the names of `LinkDynamics`."""
        found = {
            "memory": self.memory,
            "burst_length": self.burst_length,
            "block_probability": self.block_probability,
        }
        return {name: value for name, value in found.items() if value is not None}


def network_text(content: NetworkFile) -> str:
    """The JSON text: one line for each row, every float in its shortest exact form."""
    fields = content.dynamics() | ({"clients": content.clients} if content.clients else {})
    more = "".join(f",\n {json.dumps(name)}: {json.dumps(x)}" for name, x in fields.items())
    rows = ",\n  ".join(json.dumps(row) for row in content.peer_erasure)
    return (
        f'{{"uplink_erasure": {json.dumps(content.uplink_erasure)},\n'
        f' "peer_erasure": [\n  {rows}],\n'
        f' "reciprocal": {json.dumps(content.reciprocal)}{more}}}'
    )


def read_network_file(path: str | os.PathLike[str]) -> NetworkFile:
    """Read a network file and check its form, not yet its values.

    Raises:
      ValueError: the file cannot be read, is not JSON, lacks a field, or a field has another form;
        the line names the file and the field.
    """
    fields = read_json(path)
    try:
        return _checked(fields)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _checked(fields: Any) -> NetworkFile:
    if not isinstance(fields, dict):
        raise ValueError(
            f"holds a JSON {json_kind(fields)}: allowed is an object with uplink_erasure"
        )
    for name in ("uplink_erasure", "peer_erasure"):
        if name not in fields:
            raise ValueError(f'has no field "{name}"')
    uplink = _numbers("uplink_erasure", fields["uplink_erasure"])
    peer = fields["peer_erasure"]
    if not isinstance(peer, list):
        raise ValueError(
            f"peer_erasure is a {json_kind(peer)}: allowed is a list of {len(uplink)} rows"
        )
    if len(peer) != len(uplink):
        raise ValueError(
            f"peer_erasure has {len(peer)} rows: allowed is {len(uplink)}, one for each client of "
            "uplink_erasure"
        )
    for m, row in enumerate(peer):
        if len(_numbers(f"peer_erasure[{m}]", row)) != len(uplink):
            raise ValueError(f"peer_erasure[{m}] has {len(row)} numbers: allowed is {len(uplink)}")
    reciprocal = fields.get("reciprocal", False)
    if not isinstance(reciprocal, bool):
        raise ValueError(f"reciprocal = {json.dumps(reciprocal)}: allowed are true and false")
    return NetworkFile(
        uplink,
        peer,
        reciprocal,
        memory=_optional_number(fields, "memory"),
        burst_length=_optional_number(fields, "burst_length"),
        block_probability=_block_probability(fields, len(uplink)),
        clients=_names(fields.get("clients"), len(uplink)),
    )


def _names(values: Any, clients: int) -> list[str] | None:
    """Names of the clients, where that is what stands there."""
    if not isinstance(values, list) or not all(isinstance(name, str) for name in values):
        return None
    if len(values) != clients or len(set(values)) != clients:
        raise ValueError(f"clients has {len(set(values))} names: allowed is one for each {clients}")
    return values


def _optional_number(fields: dict[str, Any], name: str) -> float | None:
    if fields.get(name) is None:
        return None
    return _numbers(name, [fields[name]])[0]


def _block_probability(fields: dict[str, Any], clients: int) -> float | list[float] | None:
    name = "block_probability"
    if not isinstance(fields.get(name), list):
        return _optional_number(fields, name)
    numbers = _numbers(name, fields[name])
    if len(numbers) != clients:
        raise ValueError(f"{name} has {len(numbers)} numbers: allowed is one, or {clients}")
    return numbers


def _numbers(name: str, values: Any) -> list[float]:
    """`values`, a non-empty list of numbers (JSON's true is none)."""
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name} is {json_kind(values)}: allowed is a list of numbers")
    for k, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name}[{k}] is {json_kind(value)}: allowed is a number")
        if isinstance(value, int) and abs(value) > 2**53:  # may not even fit into a float
            raise ValueError(
                f"{name}[{k}] = {str(value)[:20]}...: allowed is a probability in [0, 1]"
            )
    return values
