"""Exact outcome probabilities of a small network: all of its link patterns, one by one.

A peer link matters only where a row that needs it reaches the server: one pattern stands for all
that differ elsewhere. Patterns are decided on the device and weighed on the host in float64.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, HostFloats, Key
from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.coding.recovery import recover
from jaxcogc.links.checks import check_count
from jaxcogc.links.draws import Links
from jaxcogc.links.memory import LinkDynamics, blocked_clients
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.pattern_probabilities import link_histories, pattern_probabilities
from jaxcogc.outage.pattern_sums import PatternSums, outcomes_from_sums, pattern_sums
from jaxcogc.outage.protocol import LinkUse, check_code_fits
from jaxcogc.outage.random_links import DELIVERED, random_links
from jaxcogc.runtime.devices import jit_by_backend
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import seed_key, split

MAX_RANDOM_LINKS = 22
_TILES = (2**10, 2**13, 2**15)


@under_plain_settings
def enumerate_outcomes(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
    key: Key | None = None,
) -> Outcomes:
    """Exact probabilities of all outcomes, from every pattern of delivered and erased links.

    Args:
      network: at most 22 links may be random over all attempts; those of probability 0 or 1,
        outside the code's support, or to a client whose uplink never delivers cost nothing,
        both directions of a reciprocal pair are one, and so is a client that may be blocked.
      code: the code of every attempt, or one that was redrawn for ``num_attempts`` attempts.
      num_attempts: at least 1.
      redraw_code: draw another code for each attempt first; for cyclic codes, with a key.
      dynamics: how links remember, and which clients are blocked; a round begins in stationarity.
      keep_heard: clients keep what they heard in earlier attempts.
      key: for ``redraw_code`` and the random null vector; a fixed one by default.

    Returns:
      Outcomes whose estimates are exact (``low = best = high``, method "exact") and whose
      ``trials`` is None. A pattern is misjudged by the chance that ``recover`` states; redrawn
      codes count as generic members of their family.

    Raises:
      ValueError: more than 22 random links, sizes or dynamics that do not fit, or ``redraw_code``
        without a key or a family that is drawn.

    Source: docs/mathematics/outage.md, "Enumeration".

    >>> from jaxcogc import uncoded
    >>> network = Network.homogeneous(2, uplink_erasure=0.5, peer_erasure=0.0)
    >>> outcomes = enumerate_outcomes(network, uncoded(2))
    >>> float(outcomes.gc_outage), outcomes.num_recovered_pmf
    (0.75, array([0.25, 0.5 , 0.25]))
    """
    attempts = check_count("num_attempts", num_attempts)
    code, key = _code_and_key(code, attempts, redraw_code, key)
    how = LinkUse(num_attempts=attempts, dynamics=dynamics, keep_heard=keep_heard)
    return outcomes_from_sums(_enumerate(key, network, code, how))


def num_random_links(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    dynamics: LinkDynamics | None = None,
) -> int:
    """Links, over all attempts, whose state is open and matters; 2 to this power are the patterns.

    A client that may be blocked counts as a link. Arguments and errors as of `enumerate_outcomes`,
    but for too many links.
    """
    attempts = check_count("num_attempts", num_attempts)
    check_code_fits(network, code, attempts)
    blocking = _blocking(network, dynamics)
    always = blocking >= 1.0
    some = int(np.sum((blocking > 0.0) & ~always))
    return len(random_links(network, code, attempts, blocked=always)[0]) + some


def can_enumerate(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    dynamics: LinkDynamics | None = None,
) -> bool:
    """Whether `enumerate_outcomes` takes a network: at most 22 of its links are random.

    Args:
      network, code, num_attempts, dynamics: as in `enumerate_outcomes`.

    Raises:
      ValueError: as `enumerate_outcomes`, but for too many links.

    >>> from jaxcogc.coding.codes import uncoded
    >>> network = Network.homogeneous(8, uplink_erasure=0.5, peer_erasure=0.0)
    >>> [can_enumerate(network, uncoded(8), num_attempts=attempts) for attempts in (2, 3)]
    [True, False]
    """
    number = num_random_links(network, code, num_attempts=num_attempts, dynamics=dynamics)
    return number <= MAX_RANDOM_LINKS


def enumerate_partial_sizes(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
) -> HostFloats:
    """Exact probabilities of partial averages of n clients.

    Args:
      network, code, num_attempts, dynamics, keep_heard: as in `enumerate_outcomes`.

    Returns:
      float64 [2, clients + 1]: of gc_plus, and of row_space; entry 0 is 0.
    """
    attempts = check_count("num_attempts", num_attempts)
    how = LinkUse(num_attempts=attempts, dynamics=dynamics, keep_heard=keep_heard)
    return _enumerate(seed_key(0), network, code, how).partial_sizes


def _enumerate(key: Key, network: Network, code: GradientCode, how: LinkUse) -> PatternSums:
    attempts, dynamics, keep_heard = how["num_attempts"], how["dynamics"], how["keep_heard"]
    number = num_random_links(network, code, num_attempts=attempts, dynamics=dynamics)
    if number > MAX_RANDOM_LINKS:
        raise ValueError(
            f"{number} random links in {attempts} attempts: allowed for enumeration "
            f"are at most {MAX_RANDOM_LINKS} (simulate_outcomes takes any number)"
        )
    total = None
    for blocked, chance in _blocked_sets(_blocking(network, dynamics)):
        links, where = random_links(network, code, attempts, blocked=blocked)
        histories = link_histories(network, links, dynamics)
        patterns, probabilities = pattern_probabilities(
            links, where, histories, keep_heard=keep_heard
        )
        sums = _decide_and_sum(key, code, where, patterns, chance * probabilities, keep_heard)
        total = sums if total is None else total.plus(sums)
    assert total is not None
    return total


def _blocking(network: Network, dynamics: LinkDynamics | None) -> HostFloats:
    """How likely each client is blocked: float64 [clients]."""
    if dynamics is None:
        return np.zeros(network.num_clients)
    return np.asarray(blocked_clients(network, dynamics))


def _blocked_sets(blocking: HostFloats) -> Iterator[tuple[np.ndarray, float]]:
    """All sets of clients that may be blocked together, bool [clients], and their probabilities."""
    choices = [(False, True) if 0.0 < beta < 1.0 else (beta >= 1.0,) for beta in blocking]
    for blocked in itertools.product(*choices):
        chances = np.where(blocked, blocking, 1.0 - blocking)
        yield np.array(blocked), float(np.prod(chances))


def _decide_and_sum(
    key: Key,
    code: GradientCode,
    where: np.ndarray,
    patterns: np.ndarray,
    probabilities: HostFloats,
    keep_heard: bool,
) -> PatternSums:
    """Decide tile by tile, of one of three sizes, so that few programs are compiled."""
    tile = next((size for size in _TILES if len(patterns) <= size), _TILES[-1])
    sums = []
    for start in range(0, len(patterns), tile):
        weights = probabilities[start : start + tile]
        padded = np.zeros(tile, np.uint32)
        padded[: len(weights)] = patterns[start : start + tile]
        sums.append(pattern_sums(weights, _decide(key, code, where, padded, keep_heard)))
    return reduce(PatternSums.plus, sums)


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


@partial(jit_by_backend, static_argnums=4)
def _decide(
    key: Key, code: GradientCode, where: Array, patterns: Array, keep_heard: bool
) -> Recovery:
    """What each pattern recovers; [patterns] leading."""
    bits = patterns[:, None, None, None] >> jnp.maximum(where, 0).astype(jnp.uint32) & 1
    delivered = jnp.where(where < 0, where == DELIVERED, bits == 1)
    own = jnp.eye(where.shape[-1], dtype=bool)
    uplinks = jnp.diagonal(delivered, axis1=-2, axis2=-1)
    peers = delivered | own
    if keep_heard:
        peers = lax.associative_scan(jnp.logical_or, peers, axis=1)
    return jax.vmap(recover, (None, None, 0))(key, code, Links(uplinks, peers))
