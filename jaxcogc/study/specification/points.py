"""The points of a grid: what each is, and the identity of its numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxcogc.links.network import Network
    from jaxcogc.study.specification.study_file import NetworkSection, Specification

FORMAT_VERSION = 1
"""Of the random words and of what a block counts: a change makes other points."""
METHOD = "monte-carlo"
MAX_POINTS = 100_000


@dataclasses.dataclass(frozen=True)
class Point:
    """One setting of a study.

    Attributes:
      network_text: the links' erasure probabilities as canonical JSON, every float exact.
      family, stragglers: the code.
      attempts, redraw_code: the protocol.
      seed: of code and trials.
      labels: the values on the axes of the grid, by name: words and numbers for tables.
    """

    network_text: str
    family: str
    stragglers: int
    attempts: int
    redraw_code: bool
    seed: int
    labels: dict[str, Any] = dataclasses.field(compare=False)

    @cached_property
    def id(self) -> str:
        """Hash of what changes the numbers, and of nothing else: 16 hexadecimal digits."""
        content = {name: value for name, value in self.setting.items() if name != "network"}
        content |= {"format": FORMAT_VERSION, "method": METHOD, "network": self.network_id}
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def network_id(self) -> str:
        """Hash of the probabilities' float64 bits."""
        network = json.loads(self.network_text)
        sha = hashlib.sha256(b"reciprocal" if network["reciprocal"] else b"")
        for name in ("uplink_erasure", "peer_erasure"):
            sha.update((np.asarray(network[name], "<f8") + 0.0).tobytes())
        return sha.hexdigest()[:16]

    @property
    def setting(self) -> dict[str, Any]:
        """What makes the point, as plain values; the network by its identity."""
        return {
            "network": self.network_id,
            "code": self.family,
            "stragglers": self.stragglers,
            "attempts": self.attempts,
            "redraw_code": self.redraw_code,
            "seed": self.seed,
        }

    @cached_property
    def num_clients(self) -> int:
        """M, the number of clients."""
        return len(json.loads(self.network_text)["uplink_erasure"])

    @cached_property
    def shape(self) -> tuple[Any, ...]:
        """What points that share a compiled program have in common."""
        reciprocal = json.loads(self.network_text)["reciprocal"]
        return self.num_clients, reciprocal, self.family, self.attempts, self.redraw_code

    def network(self) -> Network:
        """The network, bit for bit."""
        from jaxcogc.links.network import Network

        return Network(**json.loads(self.network_text))


def expand(specification: Specification, folder: Path) -> tuple[tuple[Point, ...], tuple[str, ...]]:
    """All points of the grid, and in words the combinations for which there is no code.

    Raises:
      ValueError: a network that cannot be read or built, or a value that fits nowhere.
    """
    points: dict[str, Point] = {}
    skipped: dict[str, str] = {}
    fitting: set[tuple[str, Any]] = set()
    networks = list(_networks(specification.network, folder))
    codes, protocol = specification.code, specification.protocol
    size = len(networks) * len(codes.family) * len(codes.stragglers) * len(protocol.attempts)
    size *= len(protocol.redraw_code) * len(specification.run.seed)
    if size > MAX_POINTS:
        raise ValueError(f"the grid has {size:,} points: allowed is at most {MAX_POINTS:,}")
    grid = itertools.product(
        networks,
        codes.family,
        codes.stragglers,
        protocol.attempts,
        protocol.redraw_code,
        specification.run.seed,
    )
    for (text, labels), family, stragglers, attempts, redraw_code, seed in grid:
        stragglers = 0 if family == "uncoded" else stragglers
        values = {"code": family, "stragglers": stragglers, "attempts": attempts}
        values |= {"redraw_code": redraw_code, "seed": seed}
        point = Point(
            text, family, stragglers, attempts, redraw_code, seed, labels={**labels, **values}
        )
        reason = _why_no_code(point)
        if reason is None:
            points.setdefault(point.id, point)
            fitting |= {("code.family", family), ("code.stragglers", stragglers)}
            fitting.add(("protocol.redraw_code", redraw_code))
        else:
            words = f"{family}, {stragglers} stragglers, {point.num_clients} clients"
            skipped.setdefault(words + (", redrawn" if redraw_code else ""), reason)
    _refuse_what_fits_nowhere(specification, fitting, skipped)
    return tuple(points.values()), tuple(f"{words}: {why}" for words, why in skipped.items())


def _refuse_what_fits_nowhere(
    specification: Specification, fitting: set[tuple[str, Any]], skipped: dict[str, str]
) -> None:
    if specification.code.family == ("uncoded",):
        fitting |= {("code.stragglers", s) for s in specification.code.stragglers if s == 0}
    for key, values in (
        ("code.family", specification.code.family),
        ("code.stragglers", specification.code.stragglers),
        ("protocol.redraw_code", specification.protocol.redraw_code),
    ):
        for value in values:
            if (key, value) not in fitting:
                shown = str(value).lower() if isinstance(value, bool) else repr(value)
                reasons = [*skipped.values(), "stragglers = 0 with an uncoded family"]
                raise ValueError(f"{key} = {shown} fits no point of the grid: {reasons[0]}")


_CODES: dict[tuple[Any, ...], str | None] = {}


def _why_no_code(point: Point) -> str | None:
    """Why the constructors refuse; None where there is a code."""
    if point.redraw_code and point.family != "cyclic":
        return "redraw_code = true: allowed is the cyclic family"
    from jaxcogc.coding.codes import make_code
    from jaxcogc.runtime.random_words import seed_keys

    # Only the cyclic code has random numbers in it, and it exists for every size.
    size = (point.family, point.num_clients, point.stragglers)
    if size not in _CODES:
        try:
            make_code(*size, key=seed_keys(0)[0])
            _CODES[size] = None
        except ValueError as error:
            _CODES[size] = str(error)
    return _CODES[size]


def _networks(section: NetworkSection, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each network of the grid: its canonical text and its labels."""
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
    make = {"files": _from_files, "positions": _from_positions, "homogeneous": _homogeneous}[kind]
    yield from make(section, folder)


def _homogeneous(section: NetworkSection, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    from jaxcogc.links.network import Network

    for clients, uplink, peer, reciprocal in itertools.product(
        section.clients or (),
        section.uplink_erasure or (),
        section.peer_erasure or (),
        section.reciprocal,
    ):
        network = Network.homogeneous(
            clients, uplink_erasure=uplink, peer_erasure=peer, reciprocal=reciprocal
        )
        labels = {"network": "homogeneous", "clients": clients, "uplink_erasure": uplink}
        yield _text(network), {**labels, "peer_erasure": peer, "reciprocal": reciprocal}


def _from_files(section: NetworkSection, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    from jaxcogc.links.draws import MAX_CLIENTS
    from jaxcogc.links.network import Network

    for index, name in enumerate(section.files or ()):
        try:
            network = Network.from_json(folder / name)
        except ValueError as error:
            raise ValueError(f"network.files[{index}] = {name!r}: {error}") from None
        if network.num_clients > MAX_CLIENTS:
            allowed = f"allowed is at most {MAX_CLIENTS} clients"
            raise ValueError(f"network.files[{index}] = {name!r}: {allowed}")
        label = "".join("_" if c in ",;\"'\n" else c for c in Path(name).stem)
        labels = {"network": label, "clients": network.num_clients}
        for reciprocal in section.reciprocal:
            if reciprocal and not network.reciprocal:
                try:
                    network = dataclasses.replace(network, reciprocal=True)
                except ValueError as error:
                    raise ValueError(f"network.reciprocal = true with {name!r}: {error}") from None
            yield _text(network), {**labels, "reciprocal": network.reciprocal}


def _from_positions(section: NetworkSection, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    from jaxcogc.links.network import Network

    for snr, exponent, rate, reciprocal in itertools.product(
        section.snr_at_reference or (),
        section.path_loss_exponent or (),
        section.rate or (),
        section.reciprocal,
    ):
        try:
            network = Network.from_positions(
                section.positions,
                section.server,
                snr_at_reference=snr,
                reference_distance=section.reference_distance,
                path_loss_exponent=exponent,
                rate=rate,
                reciprocal=reciprocal,
            )
        except ValueError as error:
            raise ValueError(f"network.positions: {error}") from None
        labels = {"network": "positions", "clients": network.num_clients, "snr_at_reference": snr}
        labels |= {"path_loss_exponent": exponent, "rate": rate, "reciprocal": reciprocal}
        yield _text(network), labels


def _text(network: Network) -> str:
    return json.dumps(
        {
            "uplink_erasure": network.uplink_erasure.tolist(),
            "peer_erasure": network.peer_erasure.tolist(),
            "reciprocal": network.reciprocal,
        }
    )
