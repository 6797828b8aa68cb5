"""One figure for all schemes: how far what a scheme adds is from the average of all updates.

With u = coefficients - 1/M, held rounds counted with u = -1/M: tr E[u u^T] for updates that are
orthogonal and of equal norm, the sum of all entries of E[u u^T] for updates that are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Unpack

import jax
import numpy as np
from scipy.special import ndtri

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.channel import Foreknowledge
from jaxcogc.federated.aggregation.coefficients import Coefficients
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy, PolicyOptions
from jaxcogc.federated.aggregation.relaying import colrel_variance
from jaxcogc.federated.aggregation.rules import RULES
from jaxcogc.federated.aggregation.schemes import check_names
from jaxcogc.federated.convergence.round_samples import (
    AllRounds,
    enumerate_rounds,
    sample_rounds,
)
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.laws.closed_form import closed_form
from jaxcogc.runtime.jax_settings import plain_settings
from jaxcogc.training.foreknowledge import gather_foreknowledge

_UNBIASED = 1e-9
_ROUNDING = 1e-7
"""Of coefficients in single precision; a smaller bias is none."""


class SchemeErrors(NamedTuple):
    """What a scheme is worth on a network; uses and counts are means over rounds.

    Attributes:
      error_orthogonal, error_alike: mean squared distance from the average, in units of an
        update's squared norm; of schemes with memory in units of what changed since. None of a
        scheme whose clients have models of their own.
      bias: half the sum of |share of client k - 1/M| of the mean coefficients; None where all are
        0, or clients have models of their own.
      exact, hold: probability of the exact average, of a held round.
      peer_uses, uplink_uses: of links.
      revealed: clients whose own update the server could read.
      dimensions: combinations of updates seen beyond their sum, through masks if there are any.
      masked: whether there are.
      method: how the errors were found.
      trials: rounds drawn; None where nothing was.
    """

    error_orthogonal: Estimate | None
    error_alike: Estimate | None
    bias: float | None
    exact: float
    hold: float
    peer_uses: float
    uplink_uses: float
    revealed: float
    dimensions: float
    masked: bool
    method: Literal["closed form", "enumeration", "simulation"]
    trials: int | None


@plain_settings()
def scheme_errors(
    key: Key,
    network: Network,
    schemes: Sequence[str],
    code: GradientCode | None = None,
    *,
    num_trials: int = 100_000,
    level: float = 0.95,
    dynamics: LinkDynamics | None = None,
    known: Foreknowledge | None = None,
    **policy: Unpack[PolicyOptions],
) -> dict[str, SchemeErrors]:
    """Errors of schemes on a network, exact where that is possible.

    Args:
      key: of the rounds that are drawn.
      network: the links, on the host.
      schemes: of `jaxcogc.names.SCHEMES`.
      code: of the coded schemes; redrawn for num_attempts, or the same in every attempt.
      num_trials: rounds to draw for the schemes that no law and no enumeration decides.
      level: of the intervals of what is drawn, normal ones.
      dynamics: how links remember, and which clients are blocked.
      known: what some schemes must know of the network; None: it is found.
      policy: fields of `LinkPolicy`.

    Raises:
      ValueError: an argument outside what is allowed.

    Source: docs/mathematics/schemes.md, "Partial averages without bias".
    """
    names = tuple(schemes)
    check_names(names, code, network.num_clients)
    if known is None:
        known = gather_foreknowledge(key, network, names, code, dynamics=dynamics, **policy)
    if policy.get("masked_partials"):
        raise ValueError(
            "masked_partials = True: allowed is False, as errors know no size of what masks leave"
        )
    settings = {"dynamics": dynamics, "known": known, **policy}
    found = _from_rounds(key, network, names, code, num_trials, level, settings)
    how = LinkPolicy(**policy)
    for name in names:
        law = _law(name, network, code, how, dynamics, known)
        if law is not None:
            orthogonal, alike = map(Estimate.exact, law)
            found[name] = found[name]._replace(
                error_orthogonal=orthogonal, error_alike=alike, method="closed form"
            )
    return {name: found[name] for name in names}


def _from_rounds(
    key: Key,
    network: Network,
    names: tuple[str, ...],
    code: GradientCode | None,
    num_trials: int,
    level: float,
    settings: dict[str, Any],
) -> dict[str, SchemeErrors]:
    """By enumeration where that is possible, else from rounds drawn."""
    found: dict[str, SchemeErrors] = {}
    left = list(names)
    without = {name: value for name, value in settings.items() if name != "dynamics"}
    for group in _groups(names) if settings["dynamics"] is None else []:
        every = enumerate_rounds(network, code, schemes=group, **without)
        if every is not None:
            left = [name for name in left if name not in group]
            for number, name in enumerate(group):
                found[name] = _summary(name, every, number, None, level)
    if left:
        names = tuple(left)
        drawn = sample_rounds(key, network, code, schemes=names, num_trials=num_trials, **settings)
        rounds = AllRounds(drawn, np.full(num_trials, 1 / num_trials))
        for number, name in enumerate(names):
            found[name] = _summary(name, rounds, number, num_trials, level)
    return found


def _groups(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Schemes that use the same links: what one does not use is not enumerated for it."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name in names:
        rule = RULES[name]
        groups.setdefault((rule.sharing, rule.relays, rule.several_tries), []).append(name)
    return [tuple(group) for group in groups.values()]


def _law(
    name: str,
    network: Network,
    code: GradientCode | None,
    policy: LinkPolicy,
    dynamics: LinkDynamics | None,
    known: Foreknowledge,
) -> tuple[float, float] | None:
    """Both errors by a closed form; None where there is none."""
    clients = network.num_clients
    if name == "ideal":
        return 0.0, 0.0
    if policy.max_repeats or policy.placement != "fixed":
        return None
    if RULES[name].relays and dynamics is None:
        variance = colrel_variance(network, np.asarray(known.relay_weights))
        unbiased = np.abs(variance.mean - 1).max() < _UNBIASED
        scale = clients**2 * policy.num_attempts
        return (variance.trace / scale, variance.total / scale) if unbiased else None
    if name in ("gc", "secure_gc") and code is not None and not code.redrawn:
        outage = closed_form(
            network,
            code,
            num_attempts=policy.num_attempts,
            dynamics=dynamics,
            keep_heard=policy.keep_heard,
        ).gc_outage
        return None if outage is None else (float(outage) / clients, float(outage))
    return None


def _summary(
    name: str, rounds: AllRounds, number: int, trials: int | None, level: float
) -> SchemeErrors:
    found: Coefficients = jax.tree.map(lambda x: np.asarray(x)[:, number], rounds.coefficients)
    chance, weights = rounds.probability, np.asarray(found.weights, np.float64)
    clients = weights.shape[1]
    u = np.where(np.asarray(found.exact)[:, None], 0.0, weights - 1 / clients)
    own_models = RULES[name].remembers == "models"
    mean = chance @ np.where(np.asarray(found.exact)[:, None], 1 / clients, weights)
    orthogonal = alike = None
    if not own_models:
        orthogonal = _estimate(np.sum(u**2, axis=1), chance, trials, level)
        alike = _estimate(np.sum(u, axis=1) ** 2, chance, trials, level)
    bias = None
    if not own_models and mean.sum() > 0:
        bias = float(np.abs(mean / mean.sum() - 1 / clients).sum() / 2)
        bias = 0.0 if bias < _ROUNDING else bias

    def average(values: object) -> float:
        return float(chance @ np.asarray(values, np.float64))

    return SchemeErrors(
        orthogonal,
        alike,
        bias=bias,
        exact=average(found.exact),
        hold=average(found.hold),
        peer_uses=average(found.peer_uses),
        uplink_uses=average(found.uplink_uses),
        revealed=average(found.num_revealed),
        dimensions=average(found.num_dimensions),
        masked=RULES[name].masked,
        method="enumeration" if trials is None else "simulation",
        trials=trials,
    )


def _estimate(values: HostFloats, chance: HostFloats, trials: int | None, level: float) -> Estimate:
    mean = float(chance @ values)
    if trials is None:
        return Estimate.exact(mean)
    # A round more at the largest error that a round without weights has keeps a sample of equal
    # rounds from claiming to be certain.
    spread = float(np.sqrt(values.var() / trials + (np.max(values, initial=1.0) / trials) ** 2))
    half = float(ndtri((1 + level) / 2)) * spread
    return Estimate(max(0.0, mean - half), mean, mean + half, method="normal", level=level)
