"""The network file: one JSON object.

`{"uplink_erasure": [clients], "peer_erasure": [[clients] x clients], "reciprocal": false}`;
`reciprocal` may be left out. How links hang together in time may stand beside: `"memory"` or
`"burst_length"` (a number), `"block_probability"` (a number or [clients]). Other keys are ignored;
a key that stands twice is a mistake. A byte-order mark before the text means nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["NetworkFile", "network_text", "read_network_file"]


class NetworkFile(NamedTuple):
    """What a network file holds; Python numbers, not yet checked to be probabilities.

    Attributes:
      uplink_erasure: list [clients].
      peer_erasure: list of lists [clients, clients].
      reciprocal: whether both directions between two clients are one draw.
      memory, burst_length, block_probability: of `LinkDynamics`; None where the file says nothing.
    """

    uplink_erasure: list[float]
    peer_erasure: list[list[float]]
    reciprocal: bool
    memory: float | None = None
    burst_length: float | None = None
    block_probability: float | list[float] | None = None

    def dynamics(self) -> dict[str, float | list[float]]:
        """What the file says about time, by the names of `LinkDynamics`."""
        found = {
            "memory": self.memory,
            "burst_length": self.burst_length,
            "block_probability": self.block_probability,
        }
        return {name: value for name, value in found.items() if value is not None}


def network_text(content: NetworkFile) -> str:
    """The JSON text: one line for each row, every float in its shortest exact form."""
    rows = ",\n  ".join(json.dumps(row) for row in content.peer_erasure)
    return (
        f'{{"uplink_erasure": {json.dumps(content.uplink_erasure)},\n'
        f' "peer_erasure": [\n  {rows}],\n'
        f' "reciprocal": {json.dumps(content.reciprocal)}}}'
    )


def read_network_file(path: str | os.PathLike[str]) -> NetworkFile:
    """Read a network file and check its form, not yet its values.

    Raises:
      ValueError: the file cannot be read, is not JSON, lacks a field, or a field has another form;
        the line names the file and the field.
    """
    try:
        return _parse(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"{os.fspath(path)}: cannot be read: {reason}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{os.fspath(path)}: is not a JSON file (not UTF-8 text)") from None
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _parse(text: str) -> NetworkFile:
    try:
        fields = json.loads(text, object_pairs_hook=_each_key_once)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"is not valid JSON: {error.msg} ({where})") from None
    except RecursionError:
        raise ValueError("is not a network file: nested too deeply") from None
    if not isinstance(fields, dict):
        raise ValueError(f"holds a JSON {_kind(fields)}: allowed is an object with uplink_erasure")
    for name in ("uplink_erasure", "peer_erasure"):
        if name not in fields:
            raise ValueError(f'has no field "{name}"')
    uplink = _numbers("uplink_erasure", fields["uplink_erasure"])
    peer = fields["peer_erasure"]
    if not isinstance(peer, list):
        raise ValueError(
            f"peer_erasure is a {_kind(peer)}: allowed is a list of {len(uplink)} rows"
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
    )


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


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the field {json.dumps(twice)[:60]} twice: allowed is each once")
    return fields


def _numbers(name: str, values: Any) -> list[float]:
    """`values`, a non-empty list of numbers (JSON's true is none)."""
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name} is {_kind(values)}: allowed is a list of numbers")
    for k, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name}[{k}] is {_kind(value)}: allowed is a number")
        if isinstance(value, int) and abs(value) > 2**53:  # may not even fit into a float
            raise ValueError(
                f"{name}[{k}] = {str(value)[:20]}...: allowed is a probability in [0, 1]"
            )
    return values


def _kind(value: Any) -> str:
    """What JSON calls the type of `value`."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list) and not value:
        return "an empty list"
    names = {dict: "object", list: "list", str: "string", int: "number", float: "number"}
    return names[type(value)]
