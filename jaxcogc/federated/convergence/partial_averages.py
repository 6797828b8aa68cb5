"""Averages over some clients: how often, how uneven, and whether the bounds apply to them.

u is the vector of a round's coefficients less 1/M: 0 when the average is exact, 1/|K| - 1/M on the
recovered clients K and -1/M elsewhere when it is partial. The bounds need E[u | not held] = 0 and

    rho = M x largest eigenvalue of E[u u^T | not held].
"""

from __future__ import annotations

from typing import NamedTuple, Unpack

import numpy as np
from jaxtyping import Bool, Float64

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.channel import Foreknowledge
from jaxcogc.federated.aggregation.link_evidence import PolicyOptions
from jaxcogc.federated.convergence.round_samples import sample_rounds
from jaxcogc.links.checks import check_choice
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import PLACEMENTS, RHO_FORMS, SYMMETRIC_FAMILIES
from jaxcogc.runtime.jax_settings import under_plain_settings


class DrawnRounds(NamedTuple):
    """What a scheme makes of rounds, on the host.

    Attributes:
      weights: float64 [trials, clients], the coefficients; 0 when the round is held.
      hold: bool [trials].
      exact: bool [trials]; the aggregate is the exact average.
    """

    weights: Float64[np.ndarray, "trials clients"]
    hold: Bool[np.ndarray, "trials"]
    exact: Bool[np.ndarray, "trials"]


class PartialLaw(NamedTuple):
    """How often a round is exact, partial, held.

    Attributes:
      exact: probability of the exact average.
      partial_pmf: float64 [clients + 1]; entry n is the probability of an aggregate of n clients
        that is not exact; entry 0 is 0.
      held: probability that nothing is recovered.
    """

    exact: float
    partial_pmf: HostFloats
    held: float


@under_plain_settings
def draw_rounds(
    key: Key,
    network: Network,
    code: GradientCode | None,
    *,
    schemes: tuple[str, ...],
    num_trials: int,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    known: Foreknowledge | None = None,
    **policy: Unpack[PolicyOptions],
) -> dict[str, DrawnRounds]:
    """Draw rounds and what every scheme makes of them; all schemes see the same links.

    Args:
      key: one typed key.
      network: erasure probabilities.
      code: of all attempts; None when no scheme needs one.
      schemes: of `jaxcogc.names.SCHEMES`.
      num_trials: rounds to draw.
      redraw_code: another code in every attempt; cyclic only.
      dynamics: how links remember, and which clients are blocked; every round begins in
        stationarity.
      known: what some schemes must know of the network; None: the weights of relays are found.
      policy: fields of `LinkPolicy`, such as num_attempts and placement.

    Returns:
      DrawnRounds of [trials] by scheme.

    Raises:
      ValueError: an argument outside what is allowed.
    """
    rounds = sample_rounds(
        key,
        network,
        code,
        schemes=schemes,
        num_trials=num_trials,
        redraw_code=redraw_code,
        dynamics=dynamics,
        known=known,
        **policy,
    )
    return {
        name: DrawnRounds(
            np.asarray(rounds.weights[:, k], np.float64),
            np.asarray(rounds.hold[:, k]),
            np.asarray(rounds.exact[:, k]),
        )
        for k, name in enumerate(schemes)
    }


def partial_law(rounds: DrawnRounds) -> PartialLaw:
    """Relative frequencies of exact, partial and held rounds.

    >>> weights = np.array([[1.0, 0.0], [0.0, 0.0], [0.5, 0.5]])
    >>> law = partial_law(
    ...     DrawnRounds(weights, np.array([False, True, False]), np.array([False, False, True])))
    >>> round(law.exact, 3), law.partial_pmf.round(3), round(law.held, 3)
    (0.333, array([0.   , 0.333, 0.   ]), 0.333)
    """
    trials, clients = rounds.weights.shape
    sizes = (rounds.weights != 0).sum(axis=1)[~rounds.exact & ~rounds.hold]
    pmf = np.bincount(sizes, minlength=clients + 1) / trials
    return PartialLaw(float(rounds.exact.mean()), pmf, float(rounds.hold.mean()))


def mean_coefficients(rounds: DrawnRounds) -> HostFloats:
    """E[coefficient of client k | not held], which is 1/M without bias.

    Returns:
      float64 [clients].

    Raises:
      ValueError: every round was held.
    """
    mean: HostFloats = _kept(rounds).mean(axis=0)
    return mean


def uniform_rho(law: PartialLaw) -> float:
    """rho when K is uniform among the sets of its size: E[(M - n) / (n (M - 1)) | not held].

    Too small for a fixed cyclic code, whose recovered clients cluster on the ring.

    >>> uniform_rho(PartialLaw(0.5, np.array([0.0, 0.5, 0.0]), 0.0))
    0.5
    """
    clients = len(law.partial_pmf) - 1
    n = np.arange(1, clients + 1)
    return _given_not_held(law, (clients - n) / (n * max(1, clients - 1)))


def safe_rho(law: PartialLaw) -> float:
    """At least rho for every code that looks the same from each client, links all alike.

    E[min(1, ((M - n) / n)^2) | not held].

    >>> safe_rho(PartialLaw(0.5, np.array([0.0, 0.0, 0.0, 0.5, 0.0]), 0.0))
    0.0555...
    """
    clients = len(law.partial_pmf) - 1
    n = np.arange(1, clients + 1)
    return _given_not_held(law, np.minimum(1.0, ((clients - n) / n) ** 2))


def simulated_rho(rounds: DrawnRounds) -> float:
    """M times the largest eigenvalue of the mean of u u^T over the rounds not held.

    Above rho on average, the safe side: the largest eigenvalue of a mean over few rounds is too
    large, far so where rare rounds average very few of many clients.

    Raises:
      ValueError: every round was held.
    """
    clients = rounds.weights.shape[1]
    u = _kept(rounds) - 1 / clients
    u[rounds.exact[~rounds.hold]] = 0.0  # free of the rounding of 1/M
    return float(clients * np.linalg.eigvalsh(u.T @ u / len(u))[-1])


def check_theorem_applies(
    network: Network, code: GradientCode, *, form: str, placement: str = "fixed"
) -> None:
    """Refuse where the bound for partial averages, or a form of rho, does not hold.

    Args:
      network: the links.
      code: the code.
      form: of rho: "uniform", "safe" or "simulated".
      placement: of the clients on the ring: "fixed", or "random" anew in every round.

    Raises:
      ValueError: unequal links (the mean coefficients are not 1/M), a code that looks different
        from each client, or the uniform rho where recovered clients cluster on the ring.
    """
    check_choice("rho", form, RHO_FORMS)
    check_choice("placement", placement, PLACEMENTS)
    clients = network.num_clients
    if not network.links_alike:
        raise ValueError(
            "network has unequal links: partial averages are biased there and the bound does not "
            "apply; allowed are equal uplinks and equal peer links, or scheme gc"
        )
    if placement == "random":
        return
    if code.family not in SYMMETRIC_FAMILIES:
        raise ValueError(
            f"code family {code.family!r} may favour clients: allowed are "
            f"{', '.join(SYMMETRIC_FAMILIES)}, or placement random"
        )
    alone = int(code.num_stragglers) in (0, clients - 1) or network.peer_erasure[0, 1] == 1
    if form == "uniform" and not alone:
        raise ValueError(
            "rho = 'uniform': with a fixed code and 1 <= stragglers <= clients - 2 the recovered "
            "clients cluster on the ring; allowed are safe, simulated, or placement random"
        )


def _given_not_held(law: PartialLaw, values: HostFloats) -> float:
    if not law.held < 1:
        raise ValueError("every round is held: rho is not defined")
    return float(law.partial_pmf[1:] @ values / (1 - law.held))


def _kept(rounds: DrawnRounds) -> HostFloats:
    """Coefficients of the rounds not held: [trials, clients]."""
    if rounds.hold.all():
        raise ValueError(f"all {len(rounds.hold)} rounds were held: nothing to average")
    kept: HostFloats = rounds.weights[~rounds.hold]
    return kept
