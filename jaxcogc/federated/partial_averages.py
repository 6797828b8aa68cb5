"""Averages over some clients: how often, how uneven, and whether the bounds apply to them.

u is the vector of a round's coefficients less 1/M: 0 when the average is exact, 1/|K| - 1/M on the
recovered clients K and -1/M elsewhere when it is partial. The bounds need E[u | not held] = 0 and

    rho = M x largest eigenvalue of E[u u^T | not held].
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.coding.recovery import Recovery, recover
from jaxcogc.links.checks import check_count
from jaxcogc.links.network import Network
from jaxcogc.links.sampling import draw_links

__all__ = [
    "DECODED_SCHEMES",
    "RHO_FORMS",
    "PartialLaw",
    "Recovered",
    "check_theorem_applies",
    "draw_recovered",
    "mean_coefficients",
    "partial_law",
    "place_at_random",
    "safe_rho",
    "simulated_rho",
    "uniform_rho",
]

DECODED_SCHEMES = ("gc", "gc_plus", "row_space")
"""Schemes whose rounds `draw_recovered` draws."""
RHO_FORMS = ("uniform", "safe", "simulated")
_BATCH = 2**12
_SYMMETRIC_FAMILIES = ("cyclic", "cyclic-mds", "fractional-repetition", "uncoded")


class Recovered(NamedTuple):
    """What rounds recover, on the host.

    Attributes:
        exact: bool [trials]; the aggregate is the exact average.
        client_recovered: bool [trials, clients]; otherwise it is the average over these clients,
            and the round is held when there are none.
    """

    exact: np.ndarray
    client_recovered: np.ndarray


class PartialLaw(NamedTuple):
    """How often a round is exact, partial, held.

    Attributes:
        exact: probability of the exact average.
        partial_pmf: float64 [clients + 1]; entry n is the probability of an average over n clients
            that is not exact; entry 0 is 0.
        held: probability that nothing is recovered.
    """

    exact: float
    partial_pmf: HostFloats
    held: float


def draw_recovered(
    key: Key,
    network: Network,
    code: GradientCode,
    *,
    scheme: str,
    num_trials: int,
    num_attempts: int = 1,
    redraw_code: bool = False,
) -> Recovered:
    """Draw links and decode them, many times.

    Args:
        key: one typed key.
        network: erasure probabilities.
        code: of all attempts.
        scheme: "gc", "gc_plus" or "row_space".
        num_trials: rounds to draw.
        num_attempts: attempts of a round.
        redraw_code: another code in every attempt; cyclic only.

    Returns:
        Recovered of [trials].

    Raises:
        ValueError: an argument outside what is allowed.
    """
    if scheme not in DECODED_SCHEMES:
        raise ValueError(f"scheme = {scheme!r}: allowed are {', '.join(DECODED_SCHEMES)}")
    trials = check_count("num_trials", num_trials)
    code_key, null_key, link_key = jax.random.split(key, 3)
    if redraw_code:
        code = redraw(code_key, code, num_attempts)
    exact, known = [], []
    for start in range(0, trials, _BATCH):
        batch_key = jax.random.fold_in(link_key, start // _BATCH)
        recovery = jax.device_get(_recover_batch(batch_key, null_key, network, code, num_attempts))
        everybody = recovery.client_recovered.all(axis=1)
        exact.append(
            {
                "gc": recovery.gc,
                "gc_plus": recovery.gc | everybody,
                "row_space": recovery.sum_recovered,
            }[scheme]
        )
        known.append(recovery.client_recovered & (scheme != "gc"))
    return Recovered(np.concatenate(exact)[:trials], np.concatenate(known)[:trials])


@partial(jax.jit, static_argnames="num_attempts")
def _recover_batch(
    key: Key, null_key: Key, network: Network, code: GradientCode, num_attempts: int
) -> Recovery:
    keys = jax.random.split(key, _BATCH)
    links = jax.vmap(partial(draw_links, num_attempts=num_attempts), (0, None))(keys, network)
    return jax.vmap(recover, (None, None, 0))(null_key, code, links)


def place_at_random(seed: int, recovered: Recovered) -> Recovered:
    """The same rounds with the clients placed on the ring anew in each, links all alike.

    Args:
        seed: of the placements.
        recovered: of a network whose uplinks, and whose peer links, are all alike.
    """
    rng = np.random.default_rng(check_count("seed", seed, low=0))
    return recovered._replace(client_recovered=rng.permuted(recovered.client_recovered, axis=1))


def partial_law(recovered: Recovered) -> PartialLaw:
    """Relative frequencies of what rounds recovered.

    >>> known = np.array([[True, False], [False, False], [True, True]])
    >>> law = partial_law(Recovered(np.array([False, False, True]), known))
    >>> round(law.exact, 3), law.partial_pmf.round(3), round(law.held, 3)
    (0.333, array([0.   , 0.333, 0.   ]), 0.333)
    """
    exact, known = recovered
    clients = known.shape[1]
    counts = np.bincount(known[~exact].sum(axis=1), minlength=clients + 1) / len(exact)
    held = float(counts[0])
    counts[0] = 0.0
    return PartialLaw(float(exact.mean()), counts, held)


def mean_coefficients(recovered: Recovered) -> HostFloats:
    """E[coefficient of client k | not held], which is 1/M without bias.

    Returns:
        float64 [clients].

    Raises:
        ValueError: every round was held.
    """
    coefficients, _ = _coefficients(recovered)
    return coefficients.mean(axis=0)


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


def simulated_rho(recovered: Recovered) -> float:
    """M times the largest eigenvalue of the mean of u u^T over the rounds not held.

    Above rho on average, the safe side: the largest eigenvalue of a mean over few rounds is too
    large, far so where rare rounds average very few of many clients.

    Raises:
        ValueError: every round was held.
    """
    coefficients, clients = _coefficients(recovered)
    u = coefficients - 1 / clients
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
    if form not in RHO_FORMS:
        raise ValueError(f"rho = {form!r}: allowed are {', '.join(RHO_FORMS)}")
    if placement not in ("fixed", "random"):
        raise ValueError(f"placement = {placement!r}: allowed are fixed, random")
    clients = network.num_clients
    peer = network.peer_erasure[~np.eye(clients, dtype=bool)]
    if np.ptp(network.uplink_erasure) > 0 or (clients > 1 and np.ptp(peer) > 0):
        raise ValueError(
            "network has unequal links: partial averages are biased there and the bound does not "
            "apply; allowed are equal uplinks and equal peer links, or scheme gc"
        )
    if placement == "random":
        return
    if code.family not in _SYMMETRIC_FAMILIES:
        raise ValueError(
            f"code family {code.family!r} may favour clients: allowed are "
            f"{', '.join(_SYMMETRIC_FAMILIES)}, or placement random"
        )
    alone = int(code.num_stragglers) in (0, clients - 1) or bool((peer == 1).all())
    if form == "uniform" and not alone:
        raise ValueError(
            "rho = 'uniform': with a fixed code and 1 <= stragglers <= clients - 2 the recovered "
            "clients cluster on the ring; allowed are safe, simulated, or placement random"
        )


def _given_not_held(law: PartialLaw, values: HostFloats) -> float:
    if not law.held < 1:
        raise ValueError("every round is held: rho is not defined")
    return float(law.partial_pmf[1:] @ values / (1 - law.held))


def _coefficients(recovered: Recovered) -> tuple[HostFloats, int]:
    """Of the rounds not held: float64 [trials, clients]."""
    exact, known = recovered
    clients = known.shape[1]
    sizes = known.sum(axis=1)
    kept = exact | (sizes > 0)
    if not kept.any():
        raise ValueError(f"all {len(exact)} rounds were held: nothing to average")
    shares = known[kept] / np.maximum(sizes[kept], 1)[:, None]
    return np.where(exact[kept, None], 1 / clients, shares), clients
