"""Importance sampling of links that are independent: shifts and tilts by link, row and client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from jaxcogc._types import HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.outage.random_links import LinkTable
from jaxcogc.outage.rare import proposals
from jaxcogc.outage.rare.link_laws import Drawn, inside
from jaxcogc.outage.rare.proposals import (
    Features,
    Proposal,
    client_tilt,
    features,
    link_tilt,
    row_tilt,
    rows_of,
)

__all__ = ["MOST_ERASED", "NUM_SHIFTS", "SMOOTHING", "IndependentLaws"]

NUM_SHIFTS = 12
MOST_ERASED = 0.6
SMOOTHING = 0.02
"""Share of the plain network in a law fitted to trials."""


class IndependentLaws:
    """The laws of a table of independent links."""

    def __init__(self, table: LinkTable, code: GradientCode) -> None:
        self.table = table
        self.rows = rows_of(table, code)
        self.rows_are_apart = rows_are_apart(table)

    def plain(self) -> Proposal:
        """The network as it is."""
        return link_tilt(self.table.erasure)

    def shifts(self) -> list[Proposal]:
        """All log-odds shifted together, by link and by row."""
        odds = special.logit(self.table.erasure)
        steps = shift_steps(odds)
        laws = [link_tilt(inside(special.expit(odds + step))) for step in steps]
        if self.rows_are_apart:
            lost, incomplete = (special.logit(x) for x in (self.rows.lost, self.rows.incomplete))
            laws += [
                row_tilt(
                    self.table,
                    self.rows,
                    inside(special.expit(lost + step)),
                    inside(special.expit(incomplete + step)),
                )
                for step in steps
            ]
        return laws

    def fitted(self, weights: Sequence[HostFloats], seen: Sequence[Features]) -> list[Proposal]:
        """The product laws closest to weighted trials: of links, of rows and of clients."""
        everything = sum(float(w.sum()) for w in weights)
        prior = SMOOTHING * everything
        pairs = list(zip(weights, seen, strict=True))
        erased, delivered, complete, incomplete, never = (
            np.sum([w @ features[field] for w, features in pairs], axis=0) for field in range(5)
        )

        def mean(part: HostFloats, whole: Any, plain: HostFloats) -> HostFloats:
            return inside((part + prior * plain) / (whole + prior))

        tilts = [link_tilt(mean(erased, erased + delivered, self.table.erasure))]
        if self.rows_are_apart:
            rows = self.rows
            lost = mean(everything - complete - incomplete, everything, rows.lost)
            missing = mean(incomplete, complete + incomplete, rows.incomplete)
            tilts.append(row_tilt(self.table, rows, lost, missing))
            tilts.append(client_tilt(self.table, rows, mean(never, everything, rows.never)))
        return tilts

    def draw(self, generator: np.random.Generator, law: Proposal, trials: int) -> Drawn:
        """Trials of a law: bool [trials, links]."""
        erased = proposals.draw(generator, self.rows, law, trials)
        return Drawn(erased, np.zeros((trials, 0), bool))

    def erased(self, drawn: Drawn) -> np.ndarray:
        """The random links that deliver nothing."""
        return drawn.erased

    def seen(self, drawn: Drawn, looked_at: np.ndarray) -> Features:
        """What tells the laws apart."""
        return features(self.table, self.rows, drawn.erased, looked_at)

    def log_ratios(self, laws: Sequence[Proposal], seen: Features) -> HostFloats:
        """log(q / p) under every law."""
        return proposals.log_ratios(self.table, self.rows, laws, seen)


def rows_are_apart(table: LinkTable) -> bool:
    """Whether no two rows share a link: always, but on networks with reciprocal pairs."""
    return bool(np.bincount(table.where[table.where >= 0]).max(initial=1) == 1)


def shift_steps(odds: HostFloats) -> list[float]:
    """Steps by which log-odds are shifted, so that the rarest erasure becomes a frequent one."""
    top = max(special.logit(MOST_ERASED) - odds.min(initial=0.0), 1.0)
    return [-4.0, -2.0, *np.linspace(0.0, top, NUM_SHIFTS)[1:]]
