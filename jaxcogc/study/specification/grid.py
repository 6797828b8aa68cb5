"""The grid of a study: every combination of its values, and those for which there is no code."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxcogc.allowed import MAX_CLIENTS
from jaxcogc.study.specification.codes import codes_of, why_no_code
from jaxcogc.study.specification.link_time import time_settings
from jaxcogc.study.specification.network_labels import tell_apart
from jaxcogc.study.specification.point import (
    HOMOGENEOUS,
    POSITIONS,
    LinkTime,
    NetworkText,
    Point,
    Source,
    Value,
)
from jaxcogc.study.specification.sections import NetworkSection, Specification

if TYPE_CHECKING:
    from jaxcogc.links.network import Network

MAX_POINTS = 100_000


class _Labelled(NamedTuple):
    """A network of the grid, its values on the axes, and what it is called after.

    ``in_file``: what its own file says of time; ``names``: of the clients.
    """

    network: Network
    labels: dict[str, Value]
    source: Source
    in_file: Mapping[str, Any] = MappingProxyType({})
    names: tuple[str, ...] | None = None

    def permuted(self, order: Sequence[int]) -> _Labelled:
        """With its clients in another order (ValueError where there are more or fewer of them)."""
        if len(order) != self.network.num_clients:
            raise ValueError(
                f"network.client_order of {len(order)} clients: allowed is every client of "
                f"{self.labels['network']} once, 0 .. {self.network.num_clients - 1}"
            )
        return self._replace(
            network=self.network.permuted(order),
            labels={**self.labels, "client_order": "-".join(map(str, order))},
            names=None if self.names is None else tuple(self.names[i] for i in order),
        )


class _Links(NamedTuple):
    """The same in a setting of time."""

    links: NetworkText
    time: LinkTime
    labels: dict[str, Value]
    source: Source
    names: tuple[str, ...] | None


def expand(specification: Specification, folder: Path) -> tuple[tuple[Point, ...], tuple[str, ...]]:
    """All points of the grid, and in words the combinations for which there is no code.

    Raises:
      ValueError: a network that cannot be read or built, or a value that fits nowhere.
    """
    points: dict[str, Point] = {}
    skipped: dict[str, str] = {}
    fitting: set[tuple[str, Value]] = set()
    networks = list(_links(specification.network, folder))
    codes, stragglers_axis = codes_of(specification.code, folder), specification.code.stragglers
    protocol = specification.protocol
    size = len(networks) * len(codes) * len(stragglers_axis) * len(protocol.attempts)
    keeps = protocol.keep_heard or (False,)
    size *= len(protocol.redraw_code) * len(keeps) * len(specification.run.seed)
    if size > MAX_POINTS:
        raise ValueError(f"the grid has {size:,} points: allowed is at most {MAX_POINTS:,}")
    grid = itertools.product(
        networks,
        codes,
        stragglers_axis,
        protocol.attempts,
        protocol.redraw_code,
        keeps,
        specification.run.seed,
    )
    for links, code, stragglers, attempts, redraw_code, keep_heard, seed in grid:
        stragglers = 0 if code.family == "uncoded" else stragglers
        values: dict[str, Value] = {"code": code.family, "stragglers": stragglers}
        values["attempts"] = attempts
        values |= {"redraw_code": redraw_code}
        values |= {"keep_heard": keep_heard} if protocol.keep_heard else {}
        point = Point(
            links.links,
            code.family,
            stragglers,
            attempts,
            redraw_code,
            seed,
            labels={**links.labels, **values, "seed": seed},
            time=links.time,
            keep_heard=keep_heard,
            source=links.source,
            own_code=code.own,
            client_names=links.names,
        )
        reason = why_no_code(code, point.num_clients, stragglers, redraw_code)
        if reason is None:
            points.setdefault(point.id, point)
            fitting |= {(code.key, code.name), ("code.stragglers", stragglers)}
            fitting.add(("protocol.redraw_code", redraw_code))
        else:
            words = f"{code.name}, {stragglers} stragglers, {point.num_clients} clients"
            skipped.setdefault(words + (", redrawn" if redraw_code else ""), reason)
    _refuse_what_fits_nowhere(specification, fitting, skipped)
    apart = tell_apart(points.values())
    return tuple(apart), tuple(f"{words}: {why}" for words, why in skipped.items())


def _refuse_what_fits_nowhere(
    specification: Specification, fitting: set[tuple[str, Value]], skipped: dict[str, str]
) -> None:
    if specification.code.family == ("uncoded",):
        fitting |= {("code.stragglers", s) for s in specification.code.stragglers if s == 0}
    for key, values in (
        ("code.family", specification.code.family or ()),
        ("code.file", specification.code.file or ()),
        ("code.stragglers", specification.code.stragglers),
        ("protocol.redraw_code", specification.protocol.redraw_code),
    ):
        for value in values:
            if (key, value) not in fitting:
                shown = str(value).lower() if isinstance(value, bool) else repr(value)
                reasons = [*skipped.values(), "stragglers = 0 with an uncoded family"]
                raise ValueError(f"{key} = {shown} fits no point of the grid: {reasons[0]}")


def _links(section: NetworkSection, folder: Path) -> Iterator[_Links]:
    """Each network of the grid in each setting of time."""
    for found in _networks(section, folder):
        order = section.client_order
        placed = found if order is None else found.permuted(order)
        text = NetworkText.of(placed.network)
        # What the file says of time is about the clients in the file's order.
        for setting in time_settings(section, found.network, found.in_file):
            time = setting.time if order is None else setting.time.permuted(order)
            labels = {**placed.labels, **setting.labels}
            yield _Links(text, time, labels, placed.source, placed.names)


def _networks(section: NetworkSection, folder: Path) -> Iterator[_Labelled]:
    """Each network of the grid."""
    kinds = {
        "files": ("files",),
        "positions": ("positions", "server", "snr_at_reference", "path_loss_exponent", "rate"),
        "homogeneous": ("clients", "uplink_erasure", "peer_erasure"),
    }
    given = [name for names in kinds.values() for name in names if getattr(section, name)]
    kind = next((k for k, names in kinds.items() if names[0] in given), "homogeneous")
    for name in given:
        if name not in kinds[kind]:
            raise ValueError(f"network.{name} beside network.{kinds[kind][0]}: allowed is one kind")
    for name in kinds[kind]:
        if name not in given:
            raise ValueError(f"network.{name} is missing")
    if kind == "files":
        return _from_files(section, folder)
    return _from_positions(section) if kind == "positions" else _homogeneous(section)


def _homogeneous(section: NetworkSection) -> Iterator[_Labelled]:
    from jaxcogc.links.network import Network

    for clients, uplink, peer, reciprocal in itertools.product(
        section.clients or (),
        section.uplink_erasure or (),
        section.peer_erasure or (),
        section.reciprocal or (False,),
    ):
        network = Network.homogeneous(
            clients, uplink_erasure=uplink, peer_erasure=peer, reciprocal=reciprocal
        )
        labels: dict[str, Value] = {
            "network": HOMOGENEOUS,
            "clients": clients,
            "uplink_erasure": uplink,
        }
        labels |= {"peer_erasure": peer, "reciprocal": reciprocal}
        yield _Labelled(network, labels, Source(HOMOGENEOUS))


def _from_files(section: NetworkSection, folder: Path) -> Iterator[_Labelled]:
    from jaxcogc.links.stored_network import read_stored_network

    for index, name in enumerate(section.files or ()):
        try:
            network, in_file, names = read_stored_network(folder / name)
        except ValueError as error:
            raise ValueError(f"network.files[{index}] = {name!r}: {error}") from None
        if network.num_clients > MAX_CLIENTS:
            allowed = f"allowed is at most {MAX_CLIENTS} clients"
            raise ValueError(f"network.files[{index}] = {name!r}: {allowed}")
        path = os.path.abspath(folder / name)
        labels: dict[str, Value] = {"network": Path(name).stem, "clients": network.num_clients}
        for reciprocal in section.reciprocal or (network.reciprocal,):
            try:
                links = dataclasses.replace(network, reciprocal=reciprocal)
            except ValueError as error:
                raise ValueError(f"network.reciprocal = true with {name!r}: {error}") from None
            source = Source.of_file(path, links, LinkTime.of(in_file))
            labelled = {**labels, "reciprocal": reciprocal}
            yield _Labelled(links, labelled, source, in_file, names)


def _from_positions(section: NetworkSection) -> Iterator[_Labelled]:
    from jaxcogc.links.network import Network

    places = json.dumps([section.positions, section.server, section.reference_distance])
    source = Source(POSITIONS, hashlib.sha256(places.encode()).hexdigest()[:16])
    for snr, exponent, rate, reciprocal in itertools.product(
        section.snr_at_reference or (),
        section.path_loss_exponent or (),
        section.rate or (),
        section.reciprocal or (False,),
    ):
        try:
            network = Network.from_positions(
                section.positions or [],
                section.server or [],
                snr_at_reference=snr,
                reference_distance=section.reference_distance,
                path_loss_exponent=exponent,
                rate=rate,
                reciprocal=reciprocal,
            )
        except ValueError as error:
            raise ValueError(f"network.positions: {error}") from None
        labels: dict[str, Value] = {
            "network": POSITIONS,
            "clients": network.num_clients,
            "snr_at_reference": snr,
        }
        labels |= {"path_loss_exponent": exponent, "rate": rate, "reciprocal": reciprocal}
        yield _Labelled(network, labels, source)
