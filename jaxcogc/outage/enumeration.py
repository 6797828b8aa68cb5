"""Exact outcome probabilities of a small network: all of its link patterns, one by one.

A peer link matters only where a row that needs it reaches the server: one pattern stands for all
that differ elsewhere. Patterns are decided on the device and weighed on the host in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array, HostFloats, Key
from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.coding.recovery import recover
from jaxcogc.links.checks import check_count
from jaxcogc.links.draws import Links
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.outcomes import classify
from jaxcogc.outage.random_links import DELIVERED, RandomLink, random_links
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import seed_key, split

MAX_RANDOM_LINKS = 22
_TILES = (2**10, 2**15)


@under_plain_settings
def enumerate_outcomes(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    redraw_code: bool = False,
    key: Key | None = None,
) -> Outcomes:
    """Exact probabilities of all outcomes, from every pattern of delivered and erased links.

    Args:
        network: at most 22 links may be random over all attempts; those of probability 0 or 1,
            outside the code's support, or to a client whose uplink never delivers cost nothing,
            and both directions of a reciprocal pair are one.
        code: the code of every attempt, or one that was redrawn for ``num_attempts`` attempts.
        num_attempts: at least 1.
        redraw_code: draw another code for each attempt first; for cyclic codes, with a key.
        key: for ``redraw_code`` and the random null vector; a fixed one by default.

    Returns:
        Outcomes whose estimates are exact (``low = best = high``, method "exact") and whose
        ``trials`` is None. A pattern is misjudged by the chance that ``recover`` states; redrawn
        codes count as generic members of their family.

    Raises:
        ValueError: more than 22 random links, sizes that do not fit, or ``redraw_code`` without a
            key or a family that is drawn.

    Source: docs/mathematics.md, "Enumeration".

    >>> from jaxcogc import uncoded
    >>> network = Network.homogeneous(2, uplink_erasure=0.5, peer_erasure=0.0)
    >>> outcomes = enumerate_outcomes(network, uncoded(2))
    >>> float(outcomes.gc_outage), outcomes.num_recovered_pmf
    (0.75, array([0.25, 0.5 , 0.25]))
    """
    return _outcomes(_enumerate(network, code, num_attempts, redraw_code, key))


def num_random_links(network: Network, code: GradientCode, *, num_attempts: int = 1) -> int:
    """Links, over all attempts, whose state is open and matters; 2 to this power are the patterns.

    Arguments and errors as of `enumerate_outcomes`, but for too many links.
    """
    attempts = check_count("num_attempts", num_attempts)
    _check_sizes(network, code, attempts)
    return len(random_links(network, code, attempts)[0])


def can_enumerate(network: Network, code: GradientCode, *, num_attempts: int = 1) -> bool:
    """Whether `enumerate_outcomes` takes a network: at most 22 of its links are random.

    Args:
        network, code, num_attempts: as in `enumerate_outcomes`.

    Raises:
        ValueError: as `enumerate_outcomes`, but for too many links.

    >>> from jaxcogc.coding.codes import uncoded
    >>> network = Network.homogeneous(8, uplink_erasure=0.5, peer_erasure=0.0)
    >>> [can_enumerate(network, uncoded(8), num_attempts=attempts) for attempts in (2, 3)]
    [True, False]
    """
    return num_random_links(network, code, num_attempts=num_attempts) <= MAX_RANDOM_LINKS


def enumerate_partial_sizes(
    network: Network, code: GradientCode, *, num_attempts: int = 1
) -> HostFloats:
    """Exact probabilities of partial averages of n clients.

    Args:
        network, code, num_attempts: as in `enumerate_outcomes`.

    Returns:
        float64 [2, clients + 1]: of gc_plus, and of row_space; entry 0 is 0.
    """
    return _enumerate(network, code, num_attempts, False, None).partial_sizes


def _enumerate(
    network: Network, code: GradientCode, num_attempts: int, redraw_code: bool, key: Key | None
) -> _Sums:
    attempts = check_count("num_attempts", num_attempts)
    code, key = _code_and_key(code, attempts, redraw_code, key)
    _check_sizes(network, code, attempts)
    links, where = random_links(network, code, attempts)
    if len(links) > MAX_RANDOM_LINKS:
        raise ValueError(
            f"{len(links)} random links in {attempts} attempts: allowed for enumeration "
            f"are at most {MAX_RANDOM_LINKS} (simulate_outcomes takes any number)"
        )
    patterns, probabilities = _patterns(links, where)
    return _decide_and_sum(key, code, where, patterns, probabilities)


def _decide_and_sum(
    key: Key,
    code: GradientCode,
    where: np.ndarray,
    patterns: np.ndarray,
    probabilities: HostFloats,
) -> _Sums:
    """Decide tile by tile, of one of two sizes, so that few programs are compiled."""
    tile = next((size for size in _TILES if len(patterns) <= size), _TILES[-1])
    sums = []
    for start in range(0, len(patterns), tile):
        weights = probabilities[start : start + tile]
        padded = np.zeros(tile, np.uint32)
        padded[: len(weights)] = patterns[start : start + tile]
        sums.append(_sums(weights, _decide(key, code, where, padded)))
    return _Sums(*(sum(tiles[1:], tiles[0]) for tiles in zip(*sums, strict=True)))


def _code_and_key(
    code: GradientCode, attempts: int, redraw_code: bool, key: Key | None
) -> tuple[GradientCode, Key]:
    given, key = key is not None, seed_key(0) if key is None else key
    if redraw_code:
        code_key, key = split(key)
        code = redraw(code_key, code, attempts)  # names a family without a random draw
        if not given:
            raise ValueError("key = None: allowed with redraw_code is a key from jax.random.key")
    return code, key


def _check_sizes(network: Network, code: GradientCode, attempts: int) -> None:
    if code.redrawn and len(code.field_matrix) != attempts:
        raise ValueError(
            f"num_attempts = {attempts}: allowed is {len(code.field_matrix)}, for which the code "
            "was redrawn"
        )
    if network.num_clients != code.num_clients:
        raise ValueError(
            f"network has {network.num_clients} clients: allowed are {code.num_clients}, as in code"
        )


def _patterns(links: list[RandomLink], where: np.ndarray) -> tuple[np.ndarray, HostFloats]:
    """All patterns that differ in what the server receives, and their probabilities.

    Link i is bit i of a pattern, set = delivered.

    Returns:
        uint32 [patterns], a link that nobody looks at being erased; float64 [patterns].
    """
    patterns, probabilities = np.zeros(1, np.uint32), np.ones(1)
    for number, link in enumerate(links):
        looked_at = np.zeros(len(patterns), bool)
        for attempt, receiver, sender in link.places:
            uplink = where[attempt, receiver, receiver]
            certain = receiver == sender or uplink == DELIVERED
            looked_at |= certain or (patterns >> max(uplink, 0) & 1).astype(bool)
        erased = probabilities * np.where(looked_at, link.erasure, 1.0)
        delivered = probabilities[looked_at] * (1.0 - link.erasure)
        patterns = np.concatenate([patterns, patterns[looked_at] | np.uint32(1 << number)])
        probabilities = np.concatenate([erased, delivered])
    return patterns, probabilities


@jax.jit
def _decide(key: Key, code: GradientCode, where: Array, patterns: Array) -> Recovery:
    """What each pattern recovers; [patterns] leading."""
    bits = patterns[:, None, None, None] >> jnp.maximum(where, 0).astype(jnp.uint32) & 1
    delivered = jnp.where(where < 0, where == DELIVERED, bits == 1)
    own = jnp.eye(where.shape[-1], dtype=bool)
    uplinks = jnp.diagonal(delivered, axis1=-2, axis2=-1)
    return jax.vmap(recover, (None, None, 0))(key, code, Links(uplinks, delivered | own))


class _Sums(NamedTuple):
    """Probabilities added up over patterns; events that exclude each other side by side.

    Failures are added up themselves, so that small ones keep their digits.
    """

    gc: HostFloats  # [2]: outage, none
    gc_plus: HostFloats  # [3]: full, partial, none
    row_space: HostFloats  # [3]: exact, partial, none
    num_recovered: HostFloats  # [clients + 1]
    client_recovered: HostFloats  # [clients]
    gc_plus_partial: HostFloats  # [clients], coefficients of partial averages
    row_space_partial: HostFloats  # [clients]
    rank: HostFloats  # []
    partial_sizes: HostFloats  # [2, clients + 1], of gc_plus and row_space


def partial_sizes(weights: HostFloats, recovery: Recovery) -> HostFloats:
    """Weighted sums over trials with a partial average of n clients.

    Args:
        weights: float64 [trials].
        recovery: NumPy arrays, [trials] leading.

    Returns:
        float64 [2, clients + 1]: of gc_plus, and of row_space; entry 0 is 0.
    """
    happened, size = classify(recovery), recovery.client_recovered.sum(axis=1)
    most = recovery.client_recovered.shape[1] + 1
    return np.array(
        [
            np.bincount(size, np.where(partial, weights, 0.0), most)
            for partial in (happened.gc_plus_partial, happened.row_space_partial)
        ]
    )


def _sums(probabilities: HostFloats, recovery: Recovery) -> _Sums:
    """What `_outcomes` needs of some patterns; those past the end of ``probabilities`` are none."""
    recovery = jax.tree.map(lambda field: np.asarray(field)[: len(probabilities)], recovery)
    happened, members = classify(recovery), recovery.client_recovered
    clients, size = members.shape[1], members.sum(axis=1)
    per_client = probabilities / np.maximum(size, 1)
    by_gc, by_gc_plus, by_row_space = (
        np.array(group, np.float64) @ probabilities
        for group in (
            [happened.gc_outage, ~happened.gc_outage],
            [happened.gc_plus_full, happened.gc_plus_partial, happened.gc_plus_none],
            [happened.row_space_exact, happened.row_space_partial, happened.row_space_none],
        )
    )
    shares = [probabilities] + [
        np.where(partial, per_client, 0.0)
        for partial in (happened.gc_plus_partial, happened.row_space_partial)
    ]
    by_client, gc_plus, row_space = np.array(shares) @ members.astype(np.float64)
    return _Sums(
        by_gc,
        by_gc_plus,
        by_row_space,
        np.bincount(size, probabilities, clients + 1).astype(np.float64),
        by_client,
        gc_plus,
        row_space,
        np.asarray(recovery.rank) @ probabilities,
        partial_sizes(probabilities, recovery),
    )


def _outcomes(sums: _Sums) -> Outcomes:
    """The result, with events that exclude each other scaled to a sum of 1: certain ones are 1."""
    clients = len(sums.client_recovered)
    gc, gc_plus, row_space = (
        [Estimate.exact(value / group.sum()) for value in group]
        for group in (sums.gc, sums.gc_plus, sums.row_space)
    )
    total = sums.num_recovered.sum()
    pmf = sums.num_recovered / total
    return Outcomes(
        gc_outage=gc[0],
        gc_plus_full=gc_plus[0],
        gc_plus_partial=gc_plus[1],
        gc_plus_none=gc_plus[2],
        row_space_exact=row_space[0],
        row_space_partial=row_space[1],
        row_space_none=row_space[2],
        all_individuals=Estimate.exact(pmf[clients]),
        mean_rank=float(sums.rank),
        num_recovered_pmf=pmf,
        client_recovered=np.minimum(sums.client_recovered / total, 1.0),
        gc_plus_weight=sums.gc_plus_partial + gc_plus[0] / clients,
        row_space_weight=sums.row_space_partial + row_space[0] / clients,
        trials=None,
    )
