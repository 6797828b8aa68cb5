"""How long a round waits: for rows of stragglers, and for clients that send until heard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from jaxcogc._types import HostFloats, Numbers
from jaxcogc.links.checks import check_choice, check_count, check_elements, number_array
from jaxcogc.links.network import Network

Amount = TypeVar("Amount", int | float, HostFloats)
_CODES = ("cyclic", "fractional-repetition")
_MAX_TRIES = 10**6
_CHUNK = 2**12


class DecodingTime(NamedTuple):
    """When the rows of stragglers decode.

    Attributes:
      mean: expected seconds.
      probability_by: ``probability_by(seconds)``, the probability of having decoded by then;
        float64 of the shape of ``seconds``.
    """

    mean: float
    probability_by: Callable[[Numbers], Float64[np.ndarray, "..."] | np.float64]


def decoding_time(
    rates: npt.ArrayLike, *, num_stragglers: int, shift: float = 0.0, code: str = "cyclic"
) -> DecodingTime:
    """The time at which enough rows have arrived, of clients with shifted-exponential times.

    The row of client m arrives ``shift`` seconds after the start and an exponential time of rate
    ``rates[m]`` more, independently of the others.

    Args:
      rates: [clients], rows a second, each above 0. A client that works on the data of s + 1
        clients has the rate, and the shift, that go with so much work.
      num_stragglers: s, rows that decoding can do without.
      shift: seconds that every row takes at least.
      code: "cyclic", any M - s rows decode (s = 0: the uncoded scheme), or
        "fractional-repetition", one row of each block of s + 1 clients.

    Returns:
      DecodingTime; relative error of the mean below 1e-12.

    Raises:
      ValueError: a rate that is not a number above 0, a negative shift, stragglers that do not
        fit the clients, or another code.

    Source: docs/mathematics/time.md, "Time".

    >>> time = decoding_time([2.0] * 12, num_stragglers=3, shift=0.3)
    >>> print(f"{time.mean:.6f} {time.probability_by(0.8):.6f}")
    0.934939 0.299973
    """
    rate = number_array("rates", rates, num_axes=1)
    check_elements("rates", rate, (rate > 0) & np.isfinite(rate), "a finite number above 0")
    start = number_array("shift", shift, num_axes=0)
    check_elements("shift", start, (start >= 0) & np.isfinite(start), "a finite number from 0 on")
    check_choice("code", code, _CODES)
    if not len(rate):
        raise ValueError("rates has shape (0,): allowed is at least one client")
    stragglers = check_count("num_stragglers", num_stragglers, low=0, high=len(rate) - 1)
    if code == "fractional-repetition":
        if len(rate) % (stragglers + 1):
            raise ValueError(
                f"num_stragglers = {stragglers}: allowed with fractional repetition is s with "
                f"s + 1 a divisor of the {len(rate)} clients"
            )
        # The first row of a block is an exponential time itself, and all blocks are needed.
        rate, stragglers = rate.reshape(-1, stragglers + 1).sum(1), 0
    return DecodingTime(
        float(start) + _mean_wait(rate, stragglers),
        partial(_probability_by, rate, stragglers, float(start)),
    )


def _probability_by(
    rate: HostFloats, stragglers: int, shift: float, seconds: Numbers
) -> Float64[np.ndarray, "..."] | np.float64:
    times = number_array("seconds", seconds)
    check_elements("seconds", times, ~np.isnan(times), "a number")
    law = _num_missing(rate, np.maximum(times - shift, 0.0))
    decoded: np.ndarray | np.float64 = np.minimum(law[: stragglers + 1].sum(0), 1.0)[()]
    return decoded


def _num_missing(rate: HostFloats, times: HostFloats) -> HostFloats:
    """Law of the number of rows that have not arrived: [clients + 1, *times]."""
    law = np.zeros((len(rate) + 1, *times.shape))
    law[0] = 1.0
    for one in rate:
        missing, there = np.exp(-one * times), -np.expm1(-one * times)
        law[1:], law[0] = law[1:] * there + law[:-1] * missing, law[0] * there
    return law


def _mean_wait(rate: HostFloats, stragglers: int) -> float:
    """The integral over time of the probability that more than s rows are missing.

    By the trapezoidal rule in the logarithm of time, which converges geometrically: positive terms
    at any ratio of the rates. Before the first point nothing has decoded.
    """
    first = np.log(1e-18 / rate.sum())
    last = np.log(800.0 / rate.min())
    step = min(0.1, 0.6 / len(rate) ** 0.5)  # of many rows the law is steep
    log_times = np.arange(first, last + step, step)
    parts = np.split(log_times, range(_CHUNK, len(log_times), _CHUNK))
    total = sum(
        float((_num_missing(rate, np.exp(x))[stragglers + 1 :].sum(0) * np.exp(x)).sum())
        for x in parts
    )
    return float(step * total)


class MessageSeconds(NamedTuple):
    """What things take, in seconds.

    Attributes:
      compute: the clients' local steps, of each round.
      peer, uplink: a message between clients, and one to the server.
      channel: "parallel", where all messages of a kind take one slot together, or "shared", where
        they follow each other.
    """

    compute: float = 0.0
    peer: float = 0.0
    uplink: float = 0.0
    channel: str = "shared"

    def of_round(self, slots: Amount, peer_uses: Amount, uplink_uses: Amount) -> Amount:
        """Seconds of a round, expected ones where the uses are.

        Args:
          slots: attempts, or the largest number of tries of a client.
          peer_uses, uplink_uses: messages between clients, and to the server.

        Source: docs/mathematics/time.md, "Time".

        >>> MessageSeconds(1.0, 0.5, 0.25).of_round(2, 10, 4)
        7.0
        >>> MessageSeconds(1.0, 0.5, 0.25, "parallel").of_round(2, 10, 4)
        2.5
        """
        if self.channel == "shared":
            return self.compute + self.peer * peer_uses + self.uplink * uplink_uses
        return self.compute + slots * (self.peer * (peer_uses > 0) + self.uplink)


class RetransmissionSlots(NamedTuple):
    """Expected slots of a round of retransmission.

    Attributes:
      parallel: all clients send at once: until the last one was heard or gave up.
      shared: one message a slot: the tries of all clients.
    """

    parallel: float
    shared: float


def retransmission_slots(network: Network, max_tries: int) -> RetransmissionSlots:
    """How long clients send that try until the server hears them, or n times.

    Args:
      network: uplink erasure probabilities, [clients]; the tries are independent.
      max_tries: n, at least 1 and at most 10^6.

    Returns:
      RetransmissionSlots; both are sums of positive terms.

    Raises:
      ValueError: ``max_tries`` is no such number.

    Source: docs/mathematics/time.md, "Time".

    >>> network = Network([0.1, 0.5, 0.9], [[0.0] * 3] * 3)
    >>> slots = retransmission_slots(network, 4)
    >>> print(f"{slots.parallel:.6f} {slots.shared:.6f}")
    3.577037 6.425000
    """
    tries = check_count("max_tries", max_tries, high=_MAX_TRIES)
    erasure = np.asarray(network.uplink_erasure, np.float64)[:, None]
    parallel = shared = 0.0
    for begin in range(0, tries, _CHUNK):
        # Not heard in the tries so far; nobody is before the first, as 0 to the power of 0 is 1.
        still = erasure ** np.arange(begin, min(begin + _CHUNK, tries))
        shared += float(still.sum())
        with np.errstate(divide="ignore"):  # certain: the logarithm of 0
            parallel += float(-np.expm1(np.log1p(-still).sum(0)).sum())
    return RetransmissionSlots(parallel, shared)
