"""Where networks come from: signal-to-noise ratios, places, measurements, files."""

from __future__ import annotations

import os
from typing import Self

import numpy as np

from jaxcogc._types import Numbers
from jaxcogc.links.checks import check_shapes, number_array
from jaxcogc.links.fading import rayleigh_erasure, snr_between
from jaxcogc.links.measured import Reading, from_matrix, read_links
from jaxcogc.links.network_file import read_network_file

__all__ = ["NetworkSources"]


class NetworkSources:
    """The constructors of `Network` that work out its erasure probabilities first."""

    def __init__(
        self, uplink_erasure: Numbers, peer_erasure: Numbers, reciprocal: bool = False
    ) -> None:
        raise NotImplementedError

    @classmethod
    def from_snr(
        cls,
        uplink_snr: Numbers,
        peer_snr: Numbers,
        *,
        rate: float,
        uplink_rate: float | None = None,
        reciprocal: bool = False,
    ) -> Self:
        """Rayleigh block fading: p = 1 - exp(-(2^rate - 1) / SNR) on every link.

        Args:
          uplink_snr: [clients], mean linear SNR of client m at the server.
          peer_snr: [clients, clients], mean linear SNR of client k at client m; the diagonal is
            not looked at.
          rate: bit/s/Hz of the links between clients, and of the uplinks unless told otherwise.
          uplink_rate: bit/s/Hz of the uplinks.
          reciprocal: one fade for both directions between two clients.

        Raises:
          ValueError: a ratio that is negative or NaN, a rate that is negative or not finite, shapes
            that do not match.

        >>> from jaxcogc import Network
        >>> Network.from_snr([10.0, 5.0], [[0, 2], [4, 0]], rate=1.0).uplink_erasure.round(4)
        array([0.0952, 0.1813])
        """
        uplink_snr = number_array("uplink_snr", uplink_snr, num_axes=1)
        peer_snr = number_array("peer_snr", peer_snr, num_axes=2)
        check_shapes(uplink_snr.shape, peer_snr.shape, "uplink_snr", "peer_snr")
        peer_snr = np.where(np.eye(len(peer_snr), dtype=bool), np.inf, peer_snr)
        uplink_rate = rate if uplink_rate is None else uplink_rate
        uplink = rayleigh_erasure(uplink_snr, uplink_rate, name="uplink_snr")
        return cls(uplink, rayleigh_erasure(peer_snr, rate, name="peer_snr"), reciprocal)

    @classmethod
    def from_positions(
        cls,
        client_positions: Numbers,
        server_position: Numbers,
        *,
        snr_at_reference: float,
        reference_distance: float = 1.0,
        path_loss_exponent: float,
        rate: float,
        uplink_snr_at_reference: float | None = None,
        uplink_rate: float | None = None,
        reciprocal: bool = False,
    ) -> Self:
        """Rayleigh block fading over distances: mean SNR = SNR_0 (d / d_0)^(-alpha).

        Args:
          client_positions: [clients, dimensions]; server_position: [dimensions], the same unit.
          snr_at_reference: SNR_0, linear mean SNR at the reference distance.
          reference_distance: d_0.
          path_loss_exponent: alpha.
          uplink_snr_at_reference: SNR_0 of the uplinks where it is another one.
          rate, uplink_rate, reciprocal: as in `from_snr`.

        Raises:
          ValueError: shapes that do not match, a physical quantity outside its range.

        >>> from jaxcogc import Network
        >>> network = Network.from_positions(
        ...     [[0.0, 0.0], [30.0, 0.0]], [0.0, 40.0],
        ...     snr_at_reference=1e6, path_loss_exponent=3.5, rate=1.0)
        >>> network.uplink_erasure.round(3)
        array([0.333, 0.587])
        """
        uplink_snr, peer_snr = snr_between(
            client_positions,
            server_position,
            snr_at_reference=snr_at_reference,
            uplink_snr_at_reference=uplink_snr_at_reference,
            reference_distance=reference_distance,
            path_loss_exponent=path_loss_exponent,
        )
        return cls.from_snr(
            uplink_snr, peer_snr, rate=rate, uplink_rate=uplink_rate, reciprocal=reciprocal
        )

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network file, as `to_json` writes it; keys it does not know are ignored.

        Raises:
          ValueError: the file cannot be read or does not hold a network; the line names the file
            and the field.
        """
        content = read_network_file(path)
        try:
            return cls(content.uplink_erasure, content.peer_erasure, content.reciprocal)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        *,
        server: str | None = None,
        percent: bool = False,
        missing: str = "refuse",
        rate: float | None = None,
        noise_dbm: float | None = None,
    ) -> Self:
        """Measured links: a CSV list with a header naming receiver, sender and one quantity.

        Args:
          path: of a file whose quantity is `pdr` or `per` (ratios), `snr` (dB) or `rssi` (dBm).
          server: its name; None: the only node that never sends.
          percent: ratios are percentages.
          missing: of a pair that is not there: "refuse", or "erased" (nothing arrives).
          rate: bit/s/Hz, for `snr` and `rssi`: Rayleigh block fading as in `from_snr`.
          noise_dbm: noise power, for `rssi`.

        Returns:
          The clients in the order in which they first appear.

        Raises:
          ValueError: the file cannot be read or holds something else, a pair twice or missing, a
            value outside its range; the line names the file.
        """
        found = read_links(path, Reading(server, percent, missing, rate, noise_dbm))
        return cls(found.uplink_erasure, found.peer_erasure)

    @classmethod
    def from_pdr(
        cls, ratios: Numbers, *, server: int, percent: bool = False, missing: str = "refuse"
    ) -> Self:
        """Packet delivery ratios [nodes, nodes], the server among them; entry [m, k]: m heard k.

        Args:
          ratios: NaN where a pair was not measured; neither the diagonal nor the server's column is
            looked at.
          server: number of the server.
          percent, missing: as in `from_csv`.

        Raises:
          ValueError: a matrix that is not square, a pair that is missing, a value out of range.

        >>> from jaxcogc import Network
        >>> Network.from_pdr([[0, 0.5, 0], [1, 0, 0.75], [0, 0, 0]], server=1).uplink_erasure
        array([0.  , 0.25])
        """
        reading = Reading(str(server), percent, missing)
        found = from_matrix(number_array("ratios", ratios, num_axes=2), "pdr", reading)
        return cls(found.uplink_erasure, found.peer_erasure)

    @classmethod
    def from_snr_matrix(
        cls, decibels: Numbers, *, server: int, rate: float, missing: str = "refuse"
    ) -> Self:
        """Mean signal-to-noise ratios [nodes, nodes] in dB; otherwise as `from_pdr`.

        Args:
          decibels: entry [m, k]: of k at m; the server is among them.
          server: number of the server.
          rate: bit/s/Hz, of Rayleigh block fading as in `from_snr`.
          missing: as in `from_csv`.

        Raises:
          ValueError: as of `from_pdr`.
        """
        reading = Reading(str(server), missing=missing, rate=rate)
        found = from_matrix(number_array("decibels", decibels, num_axes=2), "snr", reading)
        return cls(found.uplink_erasure, found.peer_erasure)
