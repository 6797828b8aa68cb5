"""What the server learns beyond the sum, when clients hide their updates behind zero-sum masks.

Pairs of clients that share a key add the same Gaussian noise with opposite signs, so that the masks
of all clients add to 0 and every decoder of the sum goes on working. On the host, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq
from scipy.special import erfcx, ndtr

from jaxcogc._types import HostFloats, Numbers
from jaxcogc.links.checks import check_count, check_elements, number_array

_SAME_SPACE = 1e-9
"""Singular values of rows of unit norm below this, of the largest, are rounding."""
_INSIDE = 1e-8
"""A unit vector this near a space counts as one of it."""


class Leakage(NamedTuple):
    """What received rows tell beyond the sum of the updates; bits are for one coordinate.

    Attributes:
      sum_recovered: the rows give the sum of all updates.
      num_dimensions: combinations of updates that the server sees, through masks, beyond the sum.
      bits_total: about all updates together; infinite without masks.
      bits_client: float64 [clients], about each client's update.
      bits_of_sum: what the sum itself, given to the server, tells about each client's update.
      mu_client: float64 [clients], of Gaussian differential privacy, for what lies beyond the sum.
      epsilon: of (epsilon, delta) differential privacy at the largest mu. The sum is not protected.
    """

    sum_recovered: bool
    num_dimensions: int
    bits_total: float
    bits_client: Float64[np.ndarray, "clients"]
    bits_of_sum: float
    mu_client: Float64[np.ndarray, "clients"]
    epsilon: float


def leakage(
    received_matrix: Numbers,
    *,
    update_sd: float,
    mask_sd: float,
    key_window: int | None = None,
    sensitivity: float = 1.0,
    delta: float = 1e-5,
) -> Leakage:
    """What one round's received rows tell about updates behind zero-sum masks.

    Updates are taken as independent and Gaussian, which maximises the total; the sum counts as
    known, whether the rows give it or not. One mask a client in all attempts of the round.

    Args:
      received_matrix: [rows, clients], real; rows that were erased are 0.
      update_sd: standard deviation of a coordinate of an update, above 0.
      mask_sd: that of a coordinate of a client's mask; 0: no masks.
      key_window: clients share keys with ring neighbours at most so far away; None: with all.
      sensitivity: how far one client's update may change, in Euclidean norm.
      delta: of (epsilon, delta) differential privacy, above 0 and below 1.

    Raises:
      ValueError: a value outside what is allowed.

    Source: docs/mathematics/privacy.md, "Secure aggregation".

    >>> leakage([[1, 1, 0], [0, 0, 1]], update_sd=1.0, mask_sd=100.0).bits_total < 1e-4
    True
    >>> leakage([[1, 1, 1]], update_sd=1.0, mask_sd=100.0).bits_total
    0.0
    """
    rows = number_array("received_matrix", received_matrix, num_axes=2)
    check_elements("received_matrix", rows, np.isfinite(rows), "a finite number")
    clients = check_count("the number of clients in received_matrix", rows.shape[1])
    _check_numbers(update_sd=update_sd, mask_sd=mask_sd, sensitivity=sensitivity, delta=delta)
    if key_window is not None:
        check_count("key_window", key_window)
    basis, sum_recovered = _beyond_the_sum(rows)
    covariance = unit_mask_covariance(clients, key_window)
    noise, directions = np.linalg.eigh(basis @ covariance @ basis.T)
    seen = (directions.T @ basis) ** 2  # [directions, clients], each direction's share of a client
    seen = np.where(seen <= _INSIDE**4, 0.0, seen)
    with np.errstate(divide="ignore", over="ignore"):
        snr = 1 / (noise * np.square(np.float64(mask_sd) / update_sd))
        strength = np.divide(seen, noise[:, None], out=np.zeros_like(seen), where=seen > 0)
        reach = sensitivity * np.sqrt(strength.sum(axis=0))
        mu = np.divide(reach, mask_sd, out=np.zeros(clients), where=reach > 0)
        bits_client = _bits_of_clients(basis, seen, snr[:, None])
        bits_of_sum = _bits(1 / np.array([clients - 1.0]))
    return Leakage(
        sum_recovered=sum_recovered,
        num_dimensions=len(basis),
        bits_total=float(_bits(snr).sum()),
        bits_client=bits_client,
        bits_of_sum=float(bits_of_sum[0]),
        mu_client=mu,
        epsilon=gaussian_epsilon(float(mu.max()), delta),
    )


def _bits(ratio: HostFloats) -> HostFloats:
    """Half the binary logarithm of 1 + ratio: of a signal over its noise."""
    bits: HostFloats = np.log1p(ratio) / (2 * math.log(2))
    return bits


def _bits_of_clients(basis: HostFloats, seen: HostFloats, snr: HostFloats) -> HostFloats:
    """Bits [clients]: what is known of each client over what stays hidden."""
    clients = basis.shape[1]
    unseen = np.eye(clients) - 1 / clients - basis.T @ basis
    rest = np.sum(unseen**2, axis=0)  # what no direction shows of a client
    rest = np.where(rest <= _INSIDE**2, 0.0, rest)
    known = np.sum(seen / (1 + 1 / snr), axis=0)
    hidden = rest + np.sum(seen / (1 + snr), axis=0)
    return _bits(np.divide(known, hidden, out=np.zeros(clients), where=known > 0))


def _check_numbers(**values: float) -> None:
    """Raise a ValueError that names the first number outside its range."""
    allowed: dict[str, tuple[Callable[[float], bool], str]] = {
        "update_sd": (lambda x: 0 < x < math.inf, "a finite number above 0"),
        "mask_sd": (lambda x: 0 <= x < math.inf, "a finite number of at least 0"),
        "sensitivity": (lambda x: 0 <= x < math.inf, "a finite number of at least 0"),
        "delta": (lambda x: 0 < x < 1, "a number above 0 and below 1"),
    }
    for name, value in values.items():
        check, words = allowed[name]
        number = number_array(name, value, num_axes=0)
        check_elements(name, number, check(float(number)), words)


def unit_mask_covariance(
    num_clients: int, key_window: int | None = None
) -> Float64[np.ndarray, "clients clients"]:
    """Cov(Z) of the masks where each client's mask has variance 1: the key graph's Laplacian.

    Args:
      num_clients: M.
      key_window: as in `leakage`.

    >>> unit_mask_covariance(5, 1)[0]
    array([ 1. , -0.5,  0. ,  0. , -0.5])
    """
    first, second = np.indices((num_clients, num_clients))
    apart = (first - second) % num_clients
    apart = np.minimum(apart, num_clients - apart)
    keys = (apart > 0) & (apart <= (num_clients if key_window is None else key_window))
    degree = max(1, int(keys[0].sum()))
    covariance: HostFloats = np.diag(keys.sum(axis=1) / degree) - keys / degree
    return covariance


def _beyond_the_sum(rows: HostFloats) -> tuple[HostFloats, bool]:
    """Orthonormal basis of (row space + span 1) less the direction 1; whether 1 is in the rows."""
    clients = rows.shape[1]
    ones = np.full(clients, 1 / math.sqrt(clients))
    largest = np.abs(rows).max(axis=1, initial=0.0)
    rows = rows[largest > 0] / largest[largest > 0, None]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    if not len(rows):
        return np.zeros((0, clients)), False
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    space = right[values > _SAME_SPACE * values[0]]
    distance = np.linalg.norm(ones - (ones @ space.T) @ space)
    # Rows are not scaled anew: one that is nearly 1 would become a row of rounding errors.
    beyond = rows - np.outer(rows @ ones, ones)
    _, beyond_values, right = np.linalg.svd(beyond, full_matrices=False)
    basis = right[beyond_values > _SAME_SPACE * values[0]]
    return basis, bool(distance <= _INSIDE)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Epsilon of (epsilon, delta) differential privacy of a Gaussian mechanism.

    Args:
      mu: how many standard deviations of the noise one client may move the mean; 0 or more.
      delta: above 0 and below 1.

    >>> round(gaussian_epsilon(1.0, 1e-5), 3), gaussian_epsilon(1e-7, 1e-5)
    (4.377, 0.0)
    """
    if not math.isfinite(mu):
        return math.inf
    if mu == 0:
        return 0.0

    def excess(y: float) -> float:
        # With eps = mu (y + mu / 2), e^eps Phi(-mu / 2 - eps / mu) is the second term: e^eps, which
        # overflows, is never formed.
        second = 0.5 * erfcx((y + mu) / math.sqrt(2)) * math.exp(-y * y / 2)
        return float(ndtr(-y) - second - delta)

    low, high = -mu / 2, math.sqrt(-2 * math.log(delta))
    if excess(low) <= 0:
        return 0.0
    y = brentq(excess, low, high, xtol=1e-15, rtol=1e-14, maxiter=1000)
    return float(mu * (y + mu / 2))
