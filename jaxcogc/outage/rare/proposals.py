"""Laws of the links from which trials are drawn, and how likely they are under each.

Three kinds. A *link tilt* gives every random link an erasure probability of its own. A *row tilt*
says of every row (client and attempt) how often its uplink is erased, and how often it is
incomplete when the server hears it; which links are then missing follows the network's own law,
given that some are, or none. A *client tilt* says how often no attempt brings a client's complete
row; the rest follows the network's own law, given that. Rows share no links unless the network is
reciprocal: then there are link tilts only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.outage.random_links import DELIVERED, ERASED, LinkTable

__all__ = [
    "Features",
    "Proposal",
    "Rows",
    "client_tilt",
    "draw",
    "features",
    "link_tilt",
    "log_ratios",
    "row_tilt",
    "rows_of",
]


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
      never: float64 [clients], the probability that no complete row arrives in all attempts.
    """

    uplink: np.ndarray
    peers: np.ndarray
    lost: HostFloats
    incomplete: HostFloats
    hazard: HostFloats
    never: HostFloats


class Proposal(NamedTuple):
    """A law of the links.

    Attributes:
      links: float64 [links], erasure probabilities; of a row tilt, only those of uplinks count.
      incomplete: float64 [rows], of a row tilt.
      never: float64 [clients], of a client tilt.
    """

    links: HostFloats
    incomplete: HostFloats | None = None
    never: HostFloats | None = None


class Features(NamedTuple):
    """What tells the laws apart; float64, 0 or 1.

    Attributes:
      erased, delivered: [trials, links], of links that the server's rows look at.
      complete, incomplete: [trials, rows], of rows that are heard.
      never: [trials, clients], no complete row in all attempts.
    """

    erased: HostFloats
    delivered: HostFloats
    complete: HostFloats
    incomplete: HostFloats
    never: HostFloats


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
    lost, incomplete = erasure[uplink], some[:, 0]
    fails = (lost + (1.0 - lost) * incomplete).reshape(attempts, clients)
    return Rows(uplink, peers, lost, incomplete, hazard, fails.prod(axis=0))


def link_tilt(erasure: HostFloats) -> Proposal:
    """A law of independent links with these erasure probabilities, float64 [links]."""
    return Proposal(erasure)


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
    return Proposal(
        links, incomplete=np.where(_is_open(rows.incomplete), incomplete, rows.incomplete)
    )


def client_tilt(table: LinkTable, rows: Rows, never: HostFloats) -> Proposal:
    """A law of independent clients: float64 [clients], how often no complete row arrives."""
    return Proposal(table.erasure, never=np.where(_is_open(rows.never), never, rows.never))


def _is_open(probabilities: HostFloats) -> np.ndarray:
    return (probabilities > 0.0) & (probabilities < 1.0)


def draw(generator: np.random.Generator, rows: Rows, proposal: Proposal, trials: int) -> np.ndarray:
    """Draw links from a proposal: bool [trials, links], True where erased."""
    erased = generator.random((trials, len(proposal.links))) < proposal.links
    # Two columns more, for links that are certain.
    full = np.concatenate([erased, np.zeros((trials, 2), bool)], axis=1)
    if proposal.incomplete is not None:
        open_rows = generator.random((trials, len(rows.uplink))) < proposal.incomplete
    elif proposal.never is not None:
        complete = _draw_complete(generator, rows, proposal.never, trials)
        fails = rows.lost + (1.0 - rows.lost) * rows.incomplete
        lost = rows.lost / np.where(fails > 0.0, fails, 1.0)
        full[:, rows.uplink] = ~complete & (generator.random(complete.shape) < lost)
        open_rows = ~complete
    else:
        return erased
    none_yet = open_rows.copy()
    for k in range(rows.peers.shape[1]):
        number = rows.peers[:, k]
        first = generator.random(none_yet.shape) < rows.hazard[:, k]
        # Past the first erased link of an incomplete row the others follow their own law.
        full[:, number] = np.where(none_yet, first, full[:, number] & open_rows)
        none_yet &= ~first
    return full[:, :-2]


def _draw_complete(
    generator: np.random.Generator, rows: Rows, never: HostFloats, trials: int
) -> np.ndarray:
    """Which rows of a client tilt are complete and heard: bool [trials, rows]."""
    clients = len(rows.never)
    fails = (rows.lost + (1.0 - rows.lost) * rows.incomplete).reshape(-1, clients)
    still = generator.random((trials, clients)) >= never  # a complete row is to come
    yet = still.copy()
    complete = np.zeros((trials, len(fails), clients), bool)
    for attempt, failing in enumerate(fails):
        succeeds_later = 1.0 - fails[attempt:].prod(axis=0)
        chance = (1.0 - failing) / np.where(succeeds_later > 0.0, succeeds_later, 1.0)
        chance = np.where(yet, chance, np.where(still, 1.0 - failing, 0.0))
        complete[:, attempt] = generator.random((trials, clients)) < chance
        yet &= ~complete[:, attempt]
    return complete.reshape(trials, -1)


def features(table: LinkTable, rows: Rows, erased: np.ndarray, looked_at: np.ndarray) -> Features:
    """What tells the laws apart in some trials: bool [trials, links] each."""
    certain = np.zeros((len(erased), 2), bool)
    certain[:, 1] = True
    full = np.concatenate([erased, certain], axis=1)
    heard = ~full[:, rows.uplink]
    complete = heard.copy()
    for number in rows.peers.T:
        complete &= ~full[:, number]
    never = ~complete.reshape(len(erased), -1, len(rows.never)).any(axis=1)
    groups = [looked_at & erased, looked_at & ~erased, complete, heard & ~complete, never]
    return Features(*(np.asarray(group, np.float64) for group in groups))


def log_ratios(
    table: LinkTable, rows: Rows, proposals: Sequence[Proposal], seen: Features
) -> HostFloats:
    """log(q / p) of every trial under every proposal, p the network's own law.

    Args:
      table, rows: the network's links.
      proposals: the laws.
      seen: features of the trials.

    Returns:
      float64 [trials, proposals]. Links that nobody looks at are summed over.
    """
    coefficients = [_coefficients(table, rows, proposal) for proposal in proposals]
    parts = [
        feature @ np.stack(columns, axis=1)
        for feature, columns in zip(seen, zip(*coefficients, strict=True), strict=True)
    ]
    # A client that has a complete row counts through the constant.
    constants = [
        0.0 if q.never is None else _log_odds_change(q.never, rows.never)[1].sum()
        for q in proposals
    ]
    logs: HostFloats = np.sum(parts, axis=0) + np.array(constants)
    return logs


def _coefficients(table: LinkTable, rows: Rows, proposal: Proposal) -> Features:
    """What each feature adds to log(q / p): [links], [rows] and [clients]."""
    incomplete, never = proposal.incomplete, proposal.never
    by_erased = np.log(proposal.links) - np.log(table.erasure)
    by_delivered = np.log1p(-proposal.links) - np.log1p(-table.erasure)
    missing, whole = _log_odds_change(incomplete, rows.incomplete)
    failed, served = _log_odds_change(never, rows.never)
    return Features(by_erased, by_delivered, whole, missing, failed - served)


def _log_odds_change(ours: HostFloats | None, plain: HostFloats) -> tuple[HostFloats, HostFloats]:
    """log(q / p) and log((1 - q) / (1 - p)); 0 where the network leaves no choice."""
    if ours is None:
        return np.zeros(len(plain)), np.zeros(len(plain))
    ours, plain = (np.where(_is_open(plain), x, 0.5) for x in (ours, plain))
    return np.log(ours) - np.log(plain), np.log1p(-ours) - np.log1p(-plain)
