"""Effective weights: how much each client counts in what a scheme adds, and towards what it pulls.

Where links differ, some clients are heard more often than others, and training converges to a point
that favours them. The weights say by how much; on quadratics `predicted_fixed_point` says where.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.link_evidence import CODED, LinkPolicy
from jaxcogc.federated.aggregation.schemes import check_names
from jaxcogc.federated.convergence.partial_averages import draw_rounds, mean_coefficients
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.enumeration import enumerate_outcomes

__all__ = ["EffectiveWeights", "effective_weights"]

_UNBIASED = ("ideal", "gc", "replicated_gc")
"""Exact or held."""
_ENUMERATED = {
    "gc_plus": ("gc_plus_weight", "gc_plus_none"),
    "row_space": ("row_space_weight", "row_space_none"),
}
_ARRIVALS = ("intermittent", "intermittent_blind", "inverse_probability", "retransmission")


class EffectiveWeights(NamedTuple):
    """What a scheme weighs clients with, on average over the rounds not held.

    Attributes:
        weights: float64 [clients], E[coefficient of client k | not held].
        bias: half the sum of |share of client k - 1/M|, shares being the weights divided by their
            sum: 0 without bias, and at most 1 - 1/M.
        method: "closed form", "enumeration" or "simulation".
        trials: rounds simulated; None where exact.
    """

    weights: HostFloats
    bias: float
    method: str
    trials: int | None


def effective_weights(
    key: Key,
    network: Network,
    scheme: str,
    code: GradientCode | None = None,
    *,
    num_trials: int = 100_000,
    redraw_code: bool = False,
    **policy: Any,
) -> EffectiveWeights:
    """Effective weights, exact where that is possible.

    Args:
        key: of the simulation, when there is one.
        network: the links.
        scheme: one of `jaxcogc.federated.aggregation.schemes.SCHEMES`.
        code: of the coded schemes.
        num_trials: rounds to simulate where neither a closed form is known nor the links are few
            enough (22) to be enumerated.
        redraw_code: another code in every attempt; cyclic only.
        policy: fields of `LinkPolicy`: num_attempts, num_tries, partial_normalisation, placement,
            max_repeats.

    Returns:
        EffectiveWeights of [clients].

    Raises:
        ValueError: an argument outside what is allowed, a scheme that always holds.

    Source: maths.md, sections 5 and 8; arrivals by a Poisson-binomial law.

    >>> import jax
    >>> network = Network(np.array([0.1, 0.1, 0.5, 0.75, 0.9]), np.zeros((5, 5)))
    >>> weights = effective_weights(jax.random.key(0), network, "intermittent")
    >>> weights.weights.round(5), weights.method
    (array([0.36193, 0.36193, 0.1682 , 0.07795, 0.02998]), 'closed form')
    """
    check_names((scheme,), code)
    exact = _exact(network, scheme, code, redraw_code, policy)
    if exact is not None:
        return exact
    drawn = draw_rounds(
        key,
        network,
        code,
        schemes=(scheme,),
        num_trials=num_trials,
        redraw_code=redraw_code and scheme in CODED,
        **policy,
    )
    return _result(mean_coefficients(drawn[scheme]), "simulation", num_trials)


def _exact(
    network: Network,
    scheme: str,
    code: GradientCode | None,
    redraw_code: bool,
    policy: dict[str, Any],
) -> EffectiveWeights | None:
    """By a closed form or by enumeration; None where neither will do."""
    how = LinkPolicy(**policy)
    clients = network.num_clients
    if scheme in _UNBIASED:
        return _result(np.full(clients, 1 / clients), "closed form")
    if how.max_repeats > 0:
        return None
    if scheme in _ARRIVALS:
        tries = how.num_tries if scheme == "retransmission" else 1
        return _result(_arrival_weights(network.uplink_erasure**tries, scheme), "closed form")
    fixed = how.placement == "fixed" and how.partial_normalisation == "recovered"
    if scheme not in _ENUMERATED or not fixed or redraw_code or code is None:
        return None
    outcomes = _enumerated(network, code, how.num_attempts)
    if outcomes is None:
        return None
    weight, none = (getattr(outcomes, name) for name in _ENUMERATED[scheme])
    if not none < 1:
        raise ValueError(f"scheme {scheme!r} always holds on this network")
    return _result(weight / (1 - none), "enumeration")


def _result(weights: HostFloats, method: str, trials: int | None = None) -> EffectiveWeights:
    shares = weights / weights.sum()
    bias = float(np.abs(shares - 1 / len(weights)).sum() / 2)
    return EffectiveWeights(weights, bias, method, trials)


def _arrival_weights(lost: HostFloats, scheme: str) -> HostFloats:
    """Given that somebody arrives: of averages over arrivals, and of fixed weights."""
    clients = len(lost)
    nobody = float(np.prod(lost))
    if not nobody < 1:
        raise ValueError(f"scheme {scheme!r} always holds: no uplink ever delivers")
    heard = 1 - lost
    if scheme == "intermittent_blind":
        return heard / clients / (1 - nobody)
    if scheme == "inverse_probability":
        return (heard > 0) / clients / (1 - nobody)
    counts = 1 / np.arange(1, clients + 1)
    means = [_arrivals(np.delete(lost, k)) @ counts for k in range(clients)]
    return heard * np.array(means) / (1 - nobody)


def _arrivals(lost: HostFloats) -> HostFloats:
    """Distribution of the number of arrivals: float64 [clients + 1]."""
    law = np.ones(1)
    for p in lost:
        law = np.convolve(law, [p, 1 - p])
    return law


def _enumerated(network: Network, code: GradientCode, num_attempts: int) -> Outcomes | None:
    """None where there are too many random links."""
    try:
        return enumerate_outcomes(network, code, num_attempts=num_attempts)
    except ValueError as error:
        if "random links" in str(error):
            return None
        raise
