"""Trials sorted into strata whose probabilities are known exactly.

A trial belongs to the cell (z, d): z bounds the rank of what arrived (incomplete rows, and M - s of
the distinct complete ones at most), d says whether M - s complete rows are there. The law of the
cells follows from `strata_law`; neighbours are merged until few enough are left.

Source: docs/mathematics/statistics.md, "Strata of known probability".
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.laws.strata_law import strata_law

MOST_STRATA = 64
"""Tables of counts that a program keeps; trials are hardly worth more with more of them."""

_FAMILIES = ("cyclic", "cyclic-mds", "uncoded")
"""Those of which a row holds a client and the next s, and any M - s complete rows decode."""


class Strata(NamedTuple):
    """Strata in a line, neighbours beside each other.

    Attributes:
      weights: float64 [strata], their probabilities; 0 where nothing can happen.
      decoded: int8 [strata]: 1 where M - s complete rows arrive in every trial, 0 where in none,
        -1 where in some.
      low_rank: bool [strata], where no trial has a rank of all clients.
    """

    weights: HostFloats
    decoded: np.ndarray
    low_rank: np.ndarray


class SortedCells(NamedTuple):
    """The strata of a run, and the way to them.

    Attributes:
      strata: at most `MOST_STRATA`, filled up with empty ones.
      stratum_of: int32 [attempts x clients + 1, 2], the stratum of a cell.
    """

    strata: Strata
    stratum_of: np.ndarray


def sort_cells(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int,
    dynamics: LinkDynamics | None = None,
) -> SortedCells:
    """The strata of a run.

    Raises:
      ValueError: no law is known: for this family, for a code redrawn in each attempt, or where
        `strata_law` knows none.
    """
    if code.family not in _FAMILIES or code.redrawn:
        kind = "redrawn " if code.redrawn else ""
        raise ValueError(
            f"estimator = 'stratified' with {kind}code {code.family}: allowed is one code for all"
            f" attempts, of {', '.join(_FAMILIES)}"
        )
    stragglers, clients = int(code.num_stragglers), network.num_clients
    try:
        law = strata_law(network, stragglers, num_attempts, dynamics=dynamics)
    except ValueError as error:
        raise ValueError(f"estimator = 'stratified': {error}") from error
    decoding = clients - stragglers
    cells = np.zeros((num_attempts * clients + 1, 2))
    for (incomplete, distinct), chance in np.ndenumerate(law):
        if chance:
            cells[incomplete + min(distinct, decoding), int(distinct >= decoding)] += chance
    line = Strata(
        cells.T.reshape(-1),
        np.repeat(np.array([0, 1], np.int8), len(cells)),
        np.tile(np.arange(len(cells)) < clients, 2),
    )
    places = _merge_places(line, _too_many)
    strata = merged(line, places)
    empty = MOST_STRATA - len(strata.weights)
    filled = Strata(*(np.pad(field, (0, empty)) for field in strata))
    return SortedCells(filled, places.reshape(2, -1).T.astype(np.int32))


def heavy_enough(strata: Strata, num_trials: int) -> np.ndarray:
    """Where each stratum goes so that each is left with 20 trials on average: int64 [strata].

    By the law alone, never by what was counted.
    """
    return _merge_places(strata, lambda weights, alike: num_trials * weights < 20.0)


def merged(strata: Strata, places: np.ndarray) -> Strata:
    """Strata that were put together; ``places`` int64 [strata] as of `heavy_enough`."""
    groups = [places == place for place in range(places.max() + 1)]
    happens = [group & (strata.weights > 0.0) for group in groups]
    decoded = [np.unique(strata.decoded[group]) for group in happens]
    return Strata(
        np.array([strata.weights[group].sum() for group in groups]),
        np.array([one[0] if len(one) == 1 else -1 for one in decoded], np.int8),
        np.array([strata.low_rank[group].all() for group in happens]),
    )


def _too_many(weights: HostFloats, alike: np.ndarray) -> np.ndarray:
    return alike & (len(weights) > MOST_STRATA)


def _merge_places(
    strata: Strata, too_light: Callable[[HostFloats, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Merge the lightest stratum with a neighbour, of its own kind if it can be, again and again.

    Args:
      strata: in a line.
      too_light: of weights and of whether a neighbour is of the same kind: which may be merged.

    Returns:
      int64 [strata], numbers without a gap along the line.
    """
    kinds = 2 * strata.decoded.astype(int) + strata.low_rank
    runs = [[place] for place in range(len(kinds))]
    weights, kinds = list(strata.weights), list(kinds)
    while len(runs) > 1:
        same = [one == other for one, other in pairwise(kinds)]
        alike = np.array([False, *same]) | np.array([*same, False])
        light = too_light(np.array(weights), alike)
        if not light.any():
            break
        chosen = int(np.argmin(np.where(light, weights, np.inf)))
        beside = [n for n in (chosen - 1, chosen + 1) if 0 <= n < len(runs)]
        other = min(beside, key=lambda n: (kinds[n] != kinds[chosen], weights[n]))
        first, second = sorted((chosen, other))
        if weights[first] < weights[second]:
            kinds[first] = kinds[second]
        weights[first] += weights.pop(second)
        kinds.pop(second)
        runs[first] += runs.pop(second)
    places = np.zeros(len(strata.weights), np.int64)
    for number, run in enumerate(runs):
        places[run] = number
    return places
