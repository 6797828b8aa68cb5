"""Measured links: lists of receiver, sender and a quantity, or square matrices of one.

A list is a CSV file whose header names `receiver`, `sender` and one quantity; other columns mean
nothing. A matrix has a row for every node, the server among them: entry [m, k] is what m measured
of k. Rows that the server sent say nothing of its uplinks and are left out.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.links.checks import check_choice
from jaxcogc.links.fading import rayleigh_erasure
from jaxcogc.links.matrix_file import composed, read_text
from jaxcogc.names import MISSING_LINKS, QUANTITIES

__all__ = ["MeasuredLinks", "Reading", "from_matrix", "read_links"]


class Reading(NamedTuple):
    """How measured numbers become erasure probabilities.

    Attributes:
      server: name (in a matrix: number) of the server; None: the only node that never sends.
      percent: ratios are percentages.
      missing: of a pair that was not measured: "refuse", or "erased" (nothing arrives).
      rate: bit/s/Hz, for signal-to-noise ratios: p = 1 - exp(-(2^rate - 1) / SNR).
      noise_dbm: noise power, for received powers.
    """

    server: str | None = None
    percent: bool = False
    missing: str = "refuse"
    rate: float | None = None
    noise_dbm: float | None = None


class MeasuredLinks(NamedTuple):
    """Erasure probabilities of the clients, in the order in which they first appear.

    Attributes:
      uplink_erasure: float64 [clients].
      peer_erasure: float64 [clients, clients], zero diagonal.
      clients: their names.
      server: its name.
    """

    uplink_erasure: HostFloats
    peer_erasure: HostFloats
    clients: tuple[str, ...]
    server: str


def read_links(path: str | os.PathLike[str], reading: Reading) -> MeasuredLinks:
    """Read a CSV list of links.

    Raises:
      ValueError: the file cannot be read or holds something else, a pair twice, a value outside
        its range, a pair that is missing, or a server that nobody knows; the line names the file.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "links.csv")
    ...     _ = path.write_text("receiver,sender,pdr\\nps,a,.9\\nps,b,.8\\na,b,.7\\nb,a,1\\n")
    ...     read_links(path, Reading()).uplink_erasure
    array([0.1, 0.2])
    """
    text = read_text(path, "CSV")
    try:
        quantity, values = _read_pairs(text)
        return _links(quantity, values, reading)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def from_matrix(matrix: HostFloats, quantity: str, reading: Reading) -> MeasuredLinks:
    """Links of a square matrix; NaN where a pair was not measured.

    Args:
      matrix: [nodes, nodes]; the diagonal is not looked at.
      quantity: of `names.QUANTITIES`.
      reading: its server is a node's number.

    Raises:
      ValueError: a matrix that is not square, or as `read_links`.
    """
    nodes = len(matrix)
    if matrix.shape != (nodes, nodes):
        raise ValueError(f"matrix has shape {matrix.shape}: allowed is a square one")
    check_choice("quantity", quantity, QUANTITIES)
    values = {
        (str(m), str(k)): float(matrix[m, k])
        for m in range(nodes)
        for k in range(nodes)
        if m != k and not math.isnan(matrix[m, k])
    }
    return _links(quantity, values, reading)


Pairs = dict[tuple[str, str], float]
"""By receiver and sender."""


def _read_pairs(text: str) -> tuple[str, Pairs]:
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    quantities = [name for name in QUANTITIES if name in header]
    if not {"receiver", "sender"} <= set(header) or len(quantities) != 1:
        raise ValueError(
            "allowed is a header with receiver, sender and one of " + ", ".join(QUANTITIES)
        )
    for name in ("receiver", "sender", quantities[0]):
        if header.count(name) > 1:
            raise ValueError(f"the header has {name} twice: allowed is each column once")
    columns = [header.index(name) for name in ("receiver", "sender", quantities[0])]
    values: Pairs = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) <= max(columns):
            raise ValueError(f"row {number} has {len(row)} cells: allowed is {len(header)}")
        receiver, sender, cell = (row[column].strip() for column in columns)
        if receiver == sender:
            raise ValueError(f"row {number}: {receiver} hears itself: allowed are two nodes")
        if (receiver, sender) in values:
            raise ValueError(
                f"row {number}: receiver {receiver}, sender {sender} stands twice: allowed is once"
            )
        try:
            values[receiver, sender] = float(cell)
        except ValueError:
            raise ValueError(f"row {number}: {cell[:30]!r}: allowed is a number") from None
    return quantities[0], values


def _links(quantity: str, values: Pairs, reading: Reading) -> MeasuredLinks:
    check_choice("missing", reading.missing, MISSING_LINKS)
    nodes = list(dict.fromkeys(node for receiver, sender in values for node in (sender, receiver)))
    server = _server(nodes, values, reading.server)
    clients = tuple(node for node in nodes if node != server)
    erasure_of = _conversion(quantity, reading)

    def erasure(receiver: str, sender: str) -> float:
        value = values.get((receiver, sender))
        if value is not None:
            return erasure_of(value, f"{quantity} of receiver {receiver}, sender {sender}")
        if reading.missing == "refuse":
            raise ValueError(
                f"receiver {receiver}, sender {sender} is missing: allowed are all pairs, or "
                'missing = "erased"'
            )
        return 1.0

    uplink = np.array([erasure(server, client) for client in clients])
    peer = np.array([[0.0 if m == k else erasure(m, k) for k in clients] for m in clients])
    return MeasuredLinks(uplink, peer.reshape(len(clients), -1), clients, server)


def _server(nodes: list[str], values: Pairs, named: str | None) -> str:
    """The server: as it is named, or the only node that never sends."""
    if named is not None:
        if composed(named) not in nodes:
            raise ValueError(f"server = {named!r}: allowed are {_some(nodes)}")
        return composed(named)
    senders = {sender for _, sender in values}
    silent = [node for node in nodes if node not in senders]
    if len(silent) != 1:
        told = _some(silent) if silent else "nobody"
        raise ValueError(f"never sending: {told}: allowed is one node, or name the server")
    return silent[0]


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (", .." if len(names) > 6 else "")


def _conversion(quantity: str, reading: Reading) -> Callable[[float, str], float]:
    """From a measured number, and what to call it, to an erasure probability."""
    if quantity in ("pdr", "per"):
        return lambda value, name: _ratio_erasure(quantity, value, name, reading.percent)
    rate, noise = reading.rate, reading.noise_dbm
    if rate is None:
        raise ValueError(f"{quantity} without a rate: allowed is a rate in bit/s/Hz beside it")
    if quantity == "rssi" and noise is None:
        raise ValueError("rssi without noise_dbm: allowed is the noise power in dBm beside it")

    def from_decibels(value: float, name: str) -> float:
        if math.isnan(value) or value == math.inf:
            raise ValueError(f"{name} = {value:g}: allowed are finite decibels")
        decibels = value - (noise or 0.0) if quantity == "rssi" else value
        return float(rayleigh_erasure(10.0 ** (decibels / 10.0), rate))

    return from_decibels


def _ratio_erasure(quantity: str, value: float, name: str, percent: bool) -> float:
    most = 100.0 if percent else 1.0
    if not 0.0 <= value <= most:
        hint = "" if percent or not 1.0 < value <= 100.0 else " (or say that they are percentages)"
        raise ValueError(f"{name} = {value:g}: allowed is a number in [0, {most:g}]{hint}")
    # Decimal fractions stay what they are: .9 delivered is .1 erased, to the last digit written.
    ratio = value / most
    return round(1.0 - ratio, 15) if quantity == "pdr" else ratio
