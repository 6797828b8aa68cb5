"""From signal-to-noise ratios and places to erasure probabilities."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.links.checks import check_elements, number_array

__all__ = ["mean_snr", "pairwise_distances", "rayleigh_erasure", "snr_between"]


def rayleigh_erasure(mean_snr: Any, rate: Any, *, name: str = "mean_snr") -> HostFloats:
    """Erasure probability 1 - exp(-(2^rate - 1) / SNR) of a Rayleigh block-fading link.

    A packet is lost when the capacity log2(1 + fading x SNR) of its block lies below the rate,
    the fading power being exponential with mean 1.

    Args:
      mean_snr: mean signal-to-noise ratio, linear (not dB), at least 0, any shape; infinity
        stands for a link without noise, 0 for no link at all.
      rate: bit/s/Hz, finite and at least 0; broadcasts with `mean_snr`.
      name: what to call `mean_snr` in an error.

    Returns:
      float64, the common shape; accurate for small probabilities too.

    Raises:
      ValueError: a negative or NaN ratio, a negative or infinite rate.

    >>> rayleigh_erasure([1.0, 10.0, 1e12, float("inf"), 0.0], rate=1.0)
    array([6.32120559e-01, 9.51625820e-02, 1.00000000e-12, 0.00000000e+00,
           1.00000000e+00])
    """
    snr, rate = number_array(name, mean_snr), number_array("rate", rate)
    check_elements(name, snr, snr >= 0, "a linear signal-to-noise ratio of at least 0")
    check_elements("rate", rate, (rate >= 0) & np.isfinite(rate), "bit/s/Hz of at least 0, finite")
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        needed = np.expm1(rate * np.log(2.0))
        erasure = -np.expm1(-needed / snr)
    # 0 / 0 and inf / inf: nothing to carry, or nothing in the way.
    return np.where((needed == 0) | np.isinf(snr), 0.0, erasure)


def mean_snr(
    distance: Any,
    *,
    snr_at_reference: Any,
    reference_distance: float,
    path_loss_exponent: float,
    name: str = "snr_at_reference",
) -> HostFloats:
    """Mean SNR over a distance: SNR_0 (d / d_0)^(-alpha).

    Args:
      distance: at least 0, any shape, in the unit of `reference_distance`.
      snr_at_reference: linear mean SNR at the reference distance; broadcasts with `distance`.
      reference_distance: d_0, above 0 and finite.
      path_loss_exponent: alpha, at least 0 and finite (2 in free space, 3 to 4 indoors).
      name: what to call `snr_at_reference` in an error.

    Returns:
      float64; infinite at distance 0 (unless alpha = 0).

    Raises:
      ValueError: an argument outside what is allowed.

    >>> mean_snr([1.0, 10.0], snr_at_reference=1e4, reference_distance=1.0, path_loss_exponent=3.0)
    array([10000.,    10.])
    """
    distance = number_array("distance", distance)
    snr = number_array(name, snr_at_reference)
    reference = number_array("reference_distance", reference_distance)
    exponent = number_array("path_loss_exponent", path_loss_exponent)
    check_elements("distance", distance, distance >= 0, "a distance of at least 0")
    check_elements(name, snr, (snr >= 0) & np.isfinite(snr), "finite, at least 0")
    check_elements(
        "reference_distance", reference, (reference > 0) & np.isfinite(reference), "finite, above 0"
    )
    check_elements(
        "path_loss_exponent",
        exponent,
        (exponent >= 0) & np.isfinite(exponent),
        "finite, at least 0",
    )
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        # A transmitter without power stays silent at distance 0 as well.
        return np.where(snr == 0, 0.0, snr * (distance / reference) ** -exponent)


def pairwise_distances(receivers: HostFloats, senders: HostFloats) -> HostFloats:
    """Euclidean distances [receivers, senders] of two lists of points [points, dimensions]."""
    squares = (receivers[:, None, :] - senders[None, :, :]) ** 2
    distances: HostFloats = np.sqrt(np.sum(squares, axis=-1))
    return distances


def snr_between(
    client_positions: Any,
    server_position: Any,
    *,
    snr_at_reference: float,
    uplink_snr_at_reference: float | None,
    reference_distance: float,
    path_loss_exponent: float,
) -> tuple[HostFloats, HostFloats]:
    """Mean linear SNR of all clients at the server [clients], and at each other.

    Arguments and errors as of `Network.from_positions`.
    """
    clients = number_array("client_positions", client_positions, num_axes=2)
    server = number_array("server_position", server_position, num_axes=1)
    if clients.shape[1:] != server.shape:
        raise ValueError(
            f"server_position has shape {server.shape}: allowed is {clients.shape[1:]}, as "
            f"client_positions has shape {clients.shape}"
        )
    for name, values in (("client_positions", clients), ("server_position", server)):
        check_elements(name, values, np.isfinite(values), "a finite coordinate")
    law = partial(
        mean_snr, reference_distance=reference_distance, path_loss_exponent=path_loss_exponent
    )
    if uplink_snr_at_reference is None:
        uplink_snr_at_reference = snr_at_reference
    to_server = pairwise_distances(server[None, :], clients)[0]
    uplink = law(
        to_server, snr_at_reference=uplink_snr_at_reference, name="uplink_snr_at_reference"
    )
    return uplink, law(pairwise_distances(clients, clients), snr_at_reference=snr_at_reference)
