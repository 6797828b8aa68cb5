"""Probabilities that plain simulation never reaches: importance sampling, and strata."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxcogc._types import Key
from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.links.checks import check_choice, check_count
from jaxcogc.links.draws import check_limits
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.links.thresholds import link_kind
from jaxcogc.names import RARE_METHODS
from jaxcogc.outage.intervals import check_level
from jaxcogc.outage.protocol import check_code_fits
from jaxcogc.outage.random_links import link_table
from jaxcogc.outage.rare.chain_laws import ChainLaws
from jaxcogc.outage.rare.chain_table import chain_table
from jaxcogc.outage.rare.importance import Decided, importance_groups
from jaxcogc.outage.rare.independent_laws import IndependentLaws
from jaxcogc.outage.rare.strata import strata_groups
from jaxcogc.outage.rare.weighted_sums import Group, RareOutcomes, rare_outcomes_from_groups
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import split

__all__ = ["RareOutcomes", "rare_outcomes"]


@under_plain_settings
def rare_outcomes(
    key: Key,
    network: Network,
    code: GradientCode,
    *,
    num_trials: int,
    method: str = "importance",
    num_attempts: int = 1,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
    level: float = 0.95,
    advance: Callable[[int], None] = lambda done: None,
    stop: Callable[[], bool] = lambda: False,
) -> RareOutcomes:
    """Estimate the probabilities of all outcomes, however small, by weighted trials.

    Args:
      key: one typed key.
      network: erasure probabilities.
      code: the code of every attempt, or one that was redrawn for ``num_attempts`` attempts.
      num_trials: trials, beside those of the pilot runs.
      method: ``"importance"``: erasures made likelier, and weighted back. ``"strata"``: by the
        number of erased links, few of them enumerated, more sampled, the rest bounded.
      num_attempts: attempts, at least 1.
      redraw_code: another code of the same random family in every attempt.
      dynamics: how links remember, and who is blocked; importance sampling alone.
      keep_heard: clients keep what they heard in earlier attempts; likewise.
      level: confidence level of the (normal) intervals, strictly between 0 and 1.
      advance: called with the number of trials just done, for a display of progress.
      stop: asked after every batch but a pilot's; once True, the outcomes are those so far.

    Returns:
      RareOutcomes. Links that nobody looks at cost nothing. Look at ``flagged`` before using a
      number.

    Raises:
      ValueError: an unknown method, a count or a level outside what is allowed, sizes that do not
        fit, ``redraw_code`` with a family that is not random, or ``"strata"`` of other links.

    Source: docs/mathematics/statistics.md, "Rare outcomes".

    >>> import jax
    >>> from jaxcogc import Network, cyclic_code, gc_outage_probability
    >>> network = Network.homogeneous(4, uplink_erasure=1e-4, peer_erasure=1e-4)
    >>> code = cyclic_code(jax.random.key(0), 4, 2)
    >>> rare = rare_outcomes(jax.random.key(1), network, code, num_trials=10_000)
    >>> outage, law = rare.outcomes.gc_outage, gc_outage_probability(network, 2)
    >>> law < 1e-9, outage.low < law < outage.high
    (np.True_, np.True_)
    """
    trials = _checked(network, code, num_trials, method, num_attempts, level)
    code_key, key = split(key)
    if redraw_code and not code.redrawn:
        code = redraw(code_key, code, num_attempts)
    sample = _Sample(trials, method, dynamics, keep_heard, advance, stop)
    groups, tail = _groups(key, network, code, num_attempts, sample)
    return rare_outcomes_from_groups(groups, method=method, level=level, tail_bound=tail)


class _Sample(NamedTuple):
    """How trials are drawn."""

    num_trials: int
    method: str
    dynamics: LinkDynamics | None
    keep_heard: bool
    advance: Callable[[int], None]
    stop: Callable[[], bool]


def _groups(
    key: Key, network: Network, code: GradientCode, attempts: int, how: _Sample
) -> tuple[list[Group], float | None]:
    """Weighted trials, and the probability of what was left out."""
    kind = link_kind(network, how.dynamics, keep_heard=how.keep_heard)
    if kind.independent:
        table = link_table(network, code, attempts)
        if how.method == "strata":
            return strata_groups(key, code, table, how.num_trials, how.advance, how.stop)
        decided, laws = Decided(code, table), IndependentLaws(table, code)
        return importance_groups(key, decided, laws, how.num_trials, how.advance, how.stop), None
    if how.method == "strata":
        raise ValueError(
            'method = "strata" with links that remember, blocked clients or keep_heard: allowed '
            "are independent links"
        )
    chains = chain_table(network, code, attempts, how.dynamics)
    return importance_groups(
        key,
        Decided(code, chains.links, how.keep_heard),
        ChainLaws(chains, keep_heard=how.keep_heard),
        how.num_trials,
        how.advance,
        how.stop,
    ), None


def _checked(
    network: Network, code: GradientCode, num_trials: int, method: str, attempts: int, level: float
) -> int:
    trials = check_count("num_trials", num_trials)
    check_level(level)
    check_limits(network.num_clients, attempts)
    check_choice("method", method, RARE_METHODS)
    check_code_fits(network, code, attempts)
    return trials
