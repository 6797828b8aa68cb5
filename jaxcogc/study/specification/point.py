"""A point of a study: what it is, and the identity of its numbers, from the file to the table."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxcogc._types import HostFloats
    from jaxcogc.links.memory import LinkDynamics
    from jaxcogc.links.network import Network

WORDS_FORMAT = 1
"""Of the random words and of what a block counts. Who changes either raises it, on all backends at
once: stores of another format are shown, but not extended, merged or replayed."""
METHOD = "monte-carlo"
HOMOGENEOUS, POSITIONS = "homogeneous", "positions"
"""What networks that come from no file are called."""

Value = str | int | float | bool | None
"""A word or number of a table."""


@dataclasses.dataclass(frozen=True)
class NetworkText:
    """The links of a point as a study keeps them: plain text, without JAX.

    Attributes:
      id: hash of the probabilities' float64 bits.
      text: the erasure probabilities as canonical JSON, every float exact.
    """

    id: str
    text: str = dataclasses.field(compare=False, repr=False)

    @classmethod
    def of(cls, network: Network) -> NetworkText:
        """The text of a network.

        >>> from jaxcogc import Network
        >>> network = Network.homogeneous(3, uplink_erasure=0.1, peer_erasure=0.0)
        >>> NetworkText.of(network).num_clients, NetworkText.of(network).network() == network
        (3, True)
        """
        sha = hashlib.sha256(b"reciprocal" if network.reciprocal else b"")
        for probabilities in (network.uplink_erasure, network.peer_erasure):
            sha.update((np.asarray(probabilities, "<f8") + 0.0).tobytes())
        fields = {
            "uplink_erasure": network.uplink_erasure.tolist(),
            "peer_erasure": network.peer_erasure.tolist(),
            "reciprocal": network.reciprocal,
        }
        return cls(sha.hexdigest()[:16], json.dumps(fields))

    def network(self) -> Network:
        """The network, bit for bit."""
        from jaxcogc.links.network import Network

        return Network(**self._fields)

    @cached_property
    def _fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def digest(self) -> str:
        """Hash of the probabilities alone: the same of two directions drawn as one, or as two."""
        fields = {**self._fields, "reciprocal": False}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def num_clients(self) -> int:
        """M, the number of clients."""
        return len(self._fields["uplink_erasure"])

    @property
    def reciprocal(self) -> bool:
        """Whether two clients hear each other, or neither the other."""
        return bool(self._fields["reciprocal"])


@dataclasses.dataclass(frozen=True)
class LinkTime:
    """How the links of a point hang together in time, as a study keeps it.

    Attributes:
      text: fields of `LinkDynamics` as canonical JSON, those without effect left out; empty where
        links do not hang together.
    """

    text: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> LinkTime:
        """From fields of `LinkDynamics`.

        >>> LinkTime.of({"memory": 0.0, "block_probability": [0, 0]}), LinkTime.of({"memory": 1})
        (LinkTime(text=''), LinkTime(text='{"memory": 1.0}'))
        """
        plain = {"memory": 0.0, "block_probability": 0.0, "good_erasure": 0.0, "bad_erasure": 1.0}
        found = {name: np.asarray(value, np.float64).tolist() for name, value in fields.items()}
        remembers = found.get("memory", 0.0) != 0.0 or "burst_length" in found
        kept = {
            name: value
            for name, value in found.items()
            if np.any(np.asarray(value) != plain.get(name))
            and (remembers or name == "block_probability")
        }
        return cls(json.dumps(kept, sort_keys=True) if kept else "")

    def changed(self, name: str, value: float | list[float]) -> LinkTime:
        """With another value of a field.

        >>> LinkTime.of({"memory": 0.5}).changed("memory", 0.25)
        LinkTime(text='{"memory": 0.25}')
        """
        return LinkTime.of({**json.loads(self.text or "{}"), name: value})

    def permuted(self, order: Sequence[int]) -> LinkTime:
        """Of the same clients in another order: client i is client order[i] of these.

        >>> LinkTime.of({"block_probability": [0.5, 0.25]}).permuted((1, 0))
        LinkTime(text='{"block_probability": [0.25, 0.5]}')
        """
        dynamics = self.dynamics()
        if dynamics is None:
            return self
        name = "block_probability"
        return self.changed(name, dynamics.permuted(order).to_dict()[name])

    def dynamics(self) -> LinkDynamics | None:
        """As the engine takes it."""
        from jaxcogc.links.memory import LinkDynamics

        return LinkDynamics(**json.loads(self.text)) if self.text else None


class Source(NamedTuple):
    """What a network or a code is called after, where other labels do not say everything about it.

    Attributes:
      path: of its file; else a word for its kind.
      digest: hash of what the file says: of the links (not whether they are reciprocal, which is an
        axis of its own), of the positions, of the coefficients; empty where labels say everything.
    """

    path: str
    digest: str = ""

    @classmethod
    def of_file(cls, path: str, network: Network, time: LinkTime | None = None) -> Source:
        """Of a network that was read from a file, with what the file says of time."""
        digest = NetworkText.of(network).digest
        if time is not None and time.text:
            digest = hashlib.sha256(f"{digest} {time.text}".encode()).hexdigest()[:16]
        return cls(path, digest)


@dataclasses.dataclass(frozen=True)
class CodeText:
    """A code of one's own as a study keeps it: plain text, without JAX.

    Attributes:
      id: hash of the coefficients' float64 bits, whatever file they came from.
      text: the coefficients as JSON, every float exact.
      path: of the file.
    """

    id: str
    text: str = dataclasses.field(compare=False, repr=False)
    path: str = dataclasses.field(compare=False)

    @classmethod
    def of(cls, matrix: HostFloats, path: str) -> CodeText:
        """The text of a matrix [clients, clients].

        >>> one, same = (CodeText.of(np.eye(2) * x, name) for x, name in ((1, "a"), (1.0, "b")))
        >>> one == same, one.matrix().tolist()
        (True, [[1.0, 0.0], [0.0, 1.0]])
        """
        plain = np.asarray(matrix, "<f8") + 0.0
        hash = hashlib.sha256(b"code" + plain.tobytes()).hexdigest()[:16]
        return cls(hash, json.dumps(plain.tolist()), path)

    def matrix(self) -> HostFloats:
        """The coefficients, bit for bit."""
        return np.array(json.loads(self.text), np.float64)

    @property
    def source(self) -> Source:
        """What it is called after."""
        return Source(self.path, self.id)


@dataclasses.dataclass(frozen=True)
class Point:
    """One setting of a study.

    Attributes:
      links: the network.
      family, stragglers: the code; "custom" where it is one's own.
      attempts, redraw_code: the protocol.
      seed: of code and trials.
      time: how the links hang together in time.
      keep_heard: clients keep what they heard in earlier attempts.
      words_format: of the random words that its blocks are counted from.
      labels: the values on the axes of the grid, by name: words and numbers for tables.
      source: of the network.
      own_code: the code where it came from a file.
      client_names: of the clients, where the network's file has them.
    """

    links: NetworkText
    family: str
    stragglers: int
    attempts: int
    redraw_code: bool
    seed: int
    labels: Mapping[str, Value] = dataclasses.field(compare=False)
    time: LinkTime = LinkTime()
    keep_heard: bool = False
    words_format: int = WORDS_FORMAT
    source: Source = dataclasses.field(default=Source(HOMOGENEOUS), compare=False)
    own_code: CodeText | None = None
    client_names: tuple[str, ...] | None = dataclasses.field(default=None, compare=False)

    @cached_property
    def id(self) -> str:
        """Hash of what changes the numbers, and of nothing else: 16 hexadecimal digits."""
        content = {**self.setting, "format": self.words_format, "method": METHOD}
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def setting(self) -> dict[str, Value]:
        """What makes the point, as plain values; the network by its identity.

        What came later is there only where it has an effect: earlier points keep their identity.
        """
        later: dict[str, Value] = {"time": self.time.text} if self.time.text else {}
        later |= {"keep_heard": True} if self.keep_heard else {}
        later |= {"matrix": self.own_code.id} if self.own_code is not None else {}
        return later | {
            "network": self.links.id,
            "code": self.family,
            "stragglers": self.stragglers,
            "attempts": self.attempts,
            "redraw_code": self.redraw_code,
            "seed": self.seed,
        }

    @property
    def num_clients(self) -> int:
        """M, the number of clients."""
        return self.links.num_clients

    @property
    def code_name(self) -> str:
        """The code in a word: its family, or what its file is called."""
        return self.family if self.own_code is None else str(self.labels["code"])

    def network(self) -> Network:
        """The network, bit for bit."""
        return self.links.network()


def axes_of(points: Iterable[Point]) -> tuple[str, ...]:
    """The axes of the grid that the points are of, in their order."""
    return tuple(dict.fromkeys(name for point in points for name in point.labels))


def values_on(axis: str, points: Iterable[Point]) -> list[Value]:
    """Where the points stand on an axis, each value once; None where a point has no such axis."""
    found = (point.labels.get(axis) for point in points)
    return list({(type(value), value): value for value in found}.values())
