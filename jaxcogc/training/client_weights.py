"""Effective weights: how much each client counts in what a scheme adds, and towards what it pulls.

Where links differ, some clients are heard more often than others, and training converges to a point
that favours them. The weights say by how much; on quadratics `predicted_fixed_point` says where.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Unpack

import numpy as np
from jaxtyping import Float64

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.channel import Foreknowledge
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy, PolicyOptions
from jaxcogc.federated.aggregation.relaying import colrel_variance
from jaxcogc.federated.aggregation.rules import RULES
from jaxcogc.federated.aggregation.schemes import check_names, known_of
from jaxcogc.federated.convergence.partial_averages import draw_rounds, mean_coefficients
from jaxcogc.links.memory import LinkDynamics, blocked_clients
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import can_enumerate, enumerate_outcomes
from jaxcogc.outage.laws.rows_in_time import silence
from jaxcogc.runtime.jax_settings import plain_settings


class EffectiveWeights(NamedTuple):
    """What a scheme weighs clients with, on average over the rounds not held.

    Attributes:
      weights: float64 [clients], E[coefficient of client k | not held].
      bias: half the sum of |share of client k - 1/M|, shares being the weights divided by their
        sum: 0 without bias, and at most 1 - 1/M.
      method: how they were found.
      trials: rounds simulated; None where exact.
    """

    weights: Float64[np.ndarray, "clients"]
    bias: float
    method: Literal["closed form", "enumeration", "simulation"]
    trials: int | None


@plain_settings()
def effective_weights(
    key: Key,
    network: Network,
    scheme: str,
    code: GradientCode | None = None,
    *,
    num_trials: int = 100_000,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    known: Foreknowledge | None = None,
    **policy: Unpack[PolicyOptions],
) -> EffectiveWeights:
    """Effective weights, exact where that is possible.

    Args:
      key: of the simulation, when there is one.
      network: the links.
      scheme: one of `jaxcogc.names.SCHEMES`.
      code: of the coded schemes.
      num_trials: rounds to simulate where neither a closed form is known nor the links are few
        enough (22) to be enumerated.
      redraw_code: another code in every attempt; cyclic only.
      dynamics: how links remember, and which clients are blocked; rounds begin in stationarity.
      known: what some schemes must know of the network; None: the weights of relays are found.
      policy: fields of `LinkPolicy`: num_attempts, num_tries, partial_normalisation, placement,
        max_repeats, keep_heard, min_recovered.

    Returns:
      EffectiveWeights of [clients].

    Raises:
      ValueError: an argument outside what is allowed, a scheme that always holds.

    Source: docs/mathematics/schemes.md, "Effective weights".

    >>> import jax
    >>> network = Network(np.array([0.1, 0.1, 0.5, 0.75, 0.9]), np.zeros((5, 5)))
    >>> weights = effective_weights(jax.random.key(0), network, "intermittent")
    >>> weights.weights.round(5), weights.method
    (array([0.36193, 0.36193, 0.1682 , 0.07795, 0.02998]), 'closed form')
    """
    check_names((scheme,), code, network.num_clients)
    one_code = None if redraw_code else code
    known = known_of((scheme,), network, known)
    exact = _exact(network, scheme, one_code, LinkPolicy(**policy), dynamics, known)
    if exact is not None:
        return exact
    drawn = draw_rounds(
        key,
        network,
        code,
        schemes=(scheme,),
        num_trials=num_trials,
        redraw_code=redraw_code and RULES[scheme].sharing == "links",
        dynamics=dynamics,
        known=known,
        **policy,
    )
    return _result(mean_coefficients(drawn[scheme]), "simulation", num_trials)


def _exact(
    network: Network,
    scheme: str,
    code: GradientCode | None,
    policy: LinkPolicy,
    dynamics: LinkDynamics | None,
    known: Foreknowledge,
) -> EffectiveWeights | None:
    """By a closed form or by enumeration; None where neither will do."""
    rule, clients = RULES[scheme], network.num_clients
    if rule.all_or_nothing and not (rule.masked and policy.masked_partials):
        return _result(np.full(clients, 1 / clients), "closed form")
    if policy.max_repeats > 0 or policy.min_recovered > 1:
        return None
    if rule.arrival_law is not None:
        lost = _never_heard(network, policy.num_tries if rule.several_tries else 1, dynamics)
        nobody = float(np.prod(lost))
        if not nobody < 1:
            raise ValueError(f"scheme {scheme!r} always holds: no uplink ever delivers")
        return _result(rule.arrival_law(lost) / (1 - nobody), "closed form")
    if rule.relays:
        return _relayed(network, known, policy) if dynamics is None else None
    plain = policy.placement == "fixed" and policy.partial_normalisation == "recovered"
    if rule.outcomes is None or code is None or not plain:
        return None
    attempts = policy.num_attempts
    if not can_enumerate(network, code, num_attempts=attempts, dynamics=dynamics):
        return None
    outcomes = enumerate_outcomes(
        network, code, num_attempts=attempts, dynamics=dynamics, keep_heard=policy.keep_heard
    )
    weight, none = (getattr(outcomes, f"{rule.outcomes}_{part}") for part in ("weight", "none"))
    if not none < 1:
        raise ValueError(f"scheme {scheme!r} always holds on this network")
    return _result(weight / (1 - none), "enumeration")


def _relayed(network: Network, known: Foreknowledge, policy: LinkPolicy) -> EffectiveWeights | None:
    """Of collaborative relaying; None where rows with weights may be empty together."""
    alpha = np.asarray(known.relay_weights)
    own = np.diagonal(alpha) > 0
    if policy.max_repeats > 0 or policy.keep_heard or np.any(alpha[~own] > 0):
        return None
    silent = float(np.prod(np.asarray(network.uplink_erasure)[own])) ** policy.num_attempts
    if not silent < 1:
        raise ValueError("scheme 'colrel' always holds: no relay ever reaches the server")
    mean = colrel_variance(network, alpha).mean
    return _result(mean / (network.num_clients * (1 - silent)), "closed form")


def _never_heard(network: Network, tries: int, dynamics: LinkDynamics | None) -> HostFloats:
    """Probability that no try of a client's uplink delivers, float64 [clients]."""
    if dynamics is None:
        never: HostFloats = np.asarray(network.uplink_erasure) ** tries
        return never
    blocked = np.asarray(blocked_clients(network, dynamics))
    silent = np.diagonal(silence(network, dynamics, tries)[tries])
    return 1.0 - (1.0 - silent) * (1.0 - blocked)


def _result(
    weights: HostFloats,
    method: Literal["closed form", "enumeration", "simulation"],
    trials: int | None = None,
) -> EffectiveWeights:
    shares = weights / weights.sum()
    bias = float(np.abs(shares - 1 / len(weights)).sum() / 2)
    return EffectiveWeights(weights, bias, method, trials)
