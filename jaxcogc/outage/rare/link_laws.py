"""What importance sampling asks of the links: laws to draw from, and their densities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from jaxcogc._types import HostFloats

__all__ = ["Drawn", "LinkLaws", "inside"]

_EDGE = 1e-9

P = TypeVar("P")
S = TypeVar("S")


class Drawn(NamedTuple):
    """Some trials as a law drew them.

    Attributes:
      erased: bool [trials, ..], of the links by themselves.
      blocked: bool [trials, clients]; no column where nobody can be blocked.
    """

    erased: np.ndarray
    blocked: np.ndarray


class LinkLaws(Protocol[P, S]):
    """The laws of a network's links that importance sampling chooses among.

    P is one law, S what tells laws apart in some trials.
    """

    def plain(self) -> P:
        """The network as it is."""

    def shifts(self) -> list[P]:
        """All erasures made rarer, or likelier, together: from fewer erasures to most."""

    def fitted(self, weights: Sequence[HostFloats], seen: Sequence[S]) -> list[P]:
        """The laws closest to that of weighted trials, batch by batch."""

    def draw(self, generator: np.random.Generator, law: P, trials: int) -> Drawn:
        """Trials of a law."""

    def erased(self, drawn: Drawn) -> np.ndarray:
        """The random links that deliver nothing: bool [trials, links]."""

    def seen(self, drawn: Drawn, looked_at: np.ndarray) -> S:
        """What tells laws apart; ``looked_at`` bool [trials, links], by the server."""

    def log_ratios(self, laws: Sequence[P], seen: S) -> HostFloats:
        """log(q / p) under every law, p the network's own; float64 [trials, laws]."""


def inside(probabilities: HostFloats) -> HostFloats:
    """Probabilities kept away from 0 and 1."""
    return np.clip(probabilities, _EDGE, 1.0 - _EDGE)
