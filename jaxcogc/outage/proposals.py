"""Laws of the links from which trials are drawn, and how likely they are under each.

Two kinds. A *link tilt* gives every random link an erasure probability of its own. A *row tilt*
says of every row (client and attempt) how often its uplink is erased, and how often it is
incomplete when the server hears it; which links are then missing follows the network's own law,
given that some are, or none. Rows share no links unless the network is reciprocal: then there are
no row tilts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.outage.random_links import DELIVERED, ERASED, LinkTable

__all__ = ["Features", "Proposal", "Rows", "draw", "link_tilt", "log_ratios", "row_tilt", "rows_of"]


class Rows(NamedTuple):
    """How the random links make up the rows of all attempts.

    Attributes:
        uplink: int [rows], the number of the uplink; links (one beyond the last) where it always
            delivers, links + 1 where it never does.
        peers: int [rows, clients], numbers of the random links a row needs, in any order, filled
            up with links (delivers always) or links + 1 (never).
        lost: float64 [rows], the probability that the uplink is erased.
        incomplete: float64 [rows], the probability that a link of a row that is heard is erased.
        hazard: float64 [rows, clients], the probability that a peer link is erased, given that
            none before it is and that one of the row's is.
    """

    uplink: np.ndarray
    peers: np.ndarray
    lost: HostFloats
    incomplete: HostFloats
    hazard: HostFloats


class Proposal(NamedTuple):
    """A law of the links.

    Attributes:
        links: float64 [links], erasure probabilities; of a row tilt, only those of uplinks count.
        incomplete: float64 [rows], of a row tilt; None for a link tilt.
    """

    links: HostFloats
    incomplete: HostFloats | None


class Features(NamedTuple):
    """What tells the laws apart; float64, 0 or 1.

    Attributes:
        erased, delivered: [trials, links], of links that the server's rows look at.
        complete, incomplete: [trials, rows], of rows that are heard.
    """

    erased: HostFloats
    delivered: HostFloats
    complete: HostFloats
    incomplete: HostFloats


def rows_of(table: LinkTable, code: GradientCode) -> Rows:
    """The rows that random links make up.

    Args:
        table: the random links, none of them in two places.
        code: the code of every attempt, or one that was redrawn for them.

    Returns:
        Rows.
    """
    attempts, clients, _ = table.where.shape
    num_links = len(table.erasure)
    number = np.where(table.where == DELIVERED, num_links, table.where)
    number = np.where(number == ERASED, num_links + 1, number)
    support = np.broadcast_to(np.asarray(code.field_matrix) != 0, number.shape)
    own = np.eye(clients, dtype=bool)
    peers = np.where(support & ~own, number, num_links).reshape(attempts * clients, clients)
    uplink = number[:, own].ravel()
    erasure = np.append(table.erasure, [0.0, 1.0])
    # From the last link to the first: the chance that one of those still to come is erased.
    some = np.zeros((len(peers), clients + 1))
    for k in range(clients - 1, -1, -1):
        some[:, k] = some[:, k + 1] + (1.0 - some[:, k + 1]) * erasure[peers[:, k]]
    hazard = erasure[peers] / np.where(some[:, :-1] > 0.0, some[:, :-1], 1.0)
    return Rows(uplink, peers, erasure[uplink], some[:, 0], hazard)


def link_tilt(erasure: HostFloats) -> Proposal:
    """A law of independent links with these erasure probabilities, float64 [links]."""
    return Proposal(erasure, None)


def row_tilt(table: LinkTable, rows: Rows, lost: HostFloats, incomplete: HostFloats) -> Proposal:
    """A law of independent rows: float64 [rows] each; ignored where the network leaves no choice.

    Args:
        table: the random links.
        rows: the rows.
        lost: probabilities that the uplink of a row is erased.
        incomplete: probabilities that a row that is heard is incomplete.
    """
    links = table.erasure.copy()
    random = rows.uplink < len(links)
    links[rows.uplink[random]] = lost[random]
    forced = (rows.incomplete == 0.0) | (rows.incomplete == 1.0)
    return Proposal(links, np.where(forced, rows.incomplete, incomplete))


def draw(generator: np.random.Generator, rows: Rows, proposal: Proposal, trials: int) -> np.ndarray:
    """Draw links from a proposal: bool [trials, links], True where erased."""
    erased = generator.random((trials, len(proposal.links))) < proposal.links
    if proposal.incomplete is None:
        return erased
    # Two columns more, for links that are certain.
    full = np.concatenate([erased, np.zeros((trials, 2), bool)], axis=1)
    open_rows = generator.random((trials, len(rows.uplink))) < proposal.incomplete
    none_yet = open_rows.copy()
    for k in range(rows.peers.shape[1]):
        number = rows.peers[:, k]
        first = generator.random(none_yet.shape) < rows.hazard[:, k]
        # Past the first erased link of an incomplete row the others follow their own law.
        full[:, number] = np.where(none_yet, first, full[:, number] & open_rows)
        none_yet &= ~first
    return full[:, :-2]


def features(table: LinkTable, rows: Rows, erased: np.ndarray, looked_at: np.ndarray) -> Features:
    """What tells the laws apart in some trials: bool [trials, links] each."""
    certain = np.zeros((len(erased), 2), bool)
    certain[:, 1] = True
    full = np.concatenate([erased, certain], axis=1)
    heard = ~full[:, rows.uplink]
    complete = heard.copy()
    for number in rows.peers.T:
        complete &= ~full[:, number]
    return Features(
        *(x.astype(np.float64) for x in (looked_at & erased, looked_at & ~erased)),
        *(x.astype(np.float64) for x in (complete, heard & ~complete)),
    )


def log_ratios(
    table: LinkTable, rows: Rows, proposals: list[Proposal], seen: Features
) -> HostFloats:
    """log(q / p) of every trial under every proposal, p the network's own law.

    Args:
        table, rows: the network's links.
        proposals: the laws.
        seen: features of the trials.

    Returns:
        float64 [trials, proposals]. Links that nobody looks at are summed over.
    """
    return np.stack([_log_ratio(table, rows, proposal, seen) for proposal in proposals], axis=1)


def _log_ratio(table: LinkTable, rows: Rows, proposal: Proposal, seen: Features) -> HostFloats:
    by_erased = np.log(proposal.links) - np.log(table.erasure)
    by_delivered = np.log1p(-proposal.links) - np.log1p(-table.erasure)
    logs = seen.erased @ by_erased + seen.delivered @ by_delivered
    if proposal.incomplete is not None:  # peers of a row tilt have the network's own probabilities
        with np.errstate(divide="ignore", invalid="ignore"):
            by_incomplete = np.log(proposal.incomplete) - np.log(rows.incomplete)
            by_complete = np.log1p(-proposal.incomplete) - np.log1p(-rows.incomplete)
        # Equal where the network leaves no choice: 0 - 0, or both -inf.
        certain = (rows.incomplete == 0.0) | (rows.incomplete == 1.0)
        logs += seen.incomplete @ np.where(certain, 0.0, by_incomplete)
        logs += seen.complete @ np.where(certain, 0.0, by_complete)
    return logs
