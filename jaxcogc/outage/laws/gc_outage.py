"""Outage laws of the standard decoder for independent links, in closed form.

Here are the public functions: what they accept, and precision and derivatives whatever mode the
caller is in. The laws themselves are in ``standard_decoding.py``. Nothing here decides about a
realization: the closed form is the oracle of the modules that do.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from jaxcogc._types import Array
from jaxcogc.links.checks import check_count
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import RingKind
from jaxcogc.outage.laws.differentiable import Probability, evaluated, number
from jaxcogc.outage.laws.rounds_in_time import GcOutage, round_of
from jaxcogc.outage.laws.standard_decoding import outage_and_success, outage_slopes
from jaxcogc.outage.laws.wide_range_floats import WideFloats, log_of, to_float64
from jaxcogc.runtime.jax_settings import under_plain_settings

_ByLink: TypeAlias = tuple[Array, Array]  # by uplink and by peer


@under_plain_settings
def gc_outage_probability(
    network: Network,
    num_stragglers: int,
    num_attempts: int = 1,
    *,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
) -> Probability:
    """Probability that the standard decoder fails: the law of one cyclic code.

    Args:
      network: independent links; ``network.reciprocal`` is ignored (for reciprocal links the
        law does not hold).
      num_stragglers: s in 0 .. clients - 1; row m covers clients m .. m + s (mod clients).
        s = 0 is the law without coding.
      num_attempts: attempts with the same code, at least 1.
      dynamics: how links remember, and which clients are blocked; None: independent attempts. A
        round begins in stationarity.
      keep_heard: clients keep what they heard in earlier attempts.

    Returns:
      Scalar, P(N <= M - s - 1) with N the number of distinct complete rows that arrived. A NumPy
      float64 for numbers, relative error below 1e-12 down to 1e-300, whether or not
      64-bit mode is on. Differentiable by the links' probabilities: ``jax.grad`` gives a
      Network of derivatives. Inside a caller's own trace in 32-bit mode probabilities are
      float32 numbers, and so is the result: below 1e-38 take the logarithm, or trace under
      ``jax.enable_x64(True)``, which second reverse-mode derivatives need in any case.

    Raises:
      ValueError: ``num_stragglers`` or ``num_attempts`` is out of range, ``dynamics`` that do not
        fit the network, or of which no law is known that does not take long.

    Source: docs/mathematics/outage.md, "Outage of standard decoding".

    >>> network = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
    >>> print(f"{gc_outage_probability(network, 7, num_attempts=2):.9f}")
    0.810324675
    """
    return _evaluate(
        network, "cyclic", num_stragglers, num_attempts, dynamics=dynamics, keep_heard=keep_heard
    )


@under_plain_settings
def log_gc_outage_probability(
    network: Network,
    num_stragglers: int,
    num_attempts: int = 1,
    *,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
) -> Probability:
    """Natural logarithm of ``gc_outage_probability``, also where that underflows.

    Args:
      network, num_stragglers, num_attempts, dynamics, keep_heard: as in
        ``gc_outage_probability``.

    Returns:
      Scalar, dtype and derivatives as in ``gc_outage_probability``; relative error below 1e-12,
      near probability 1 too. -inf where an outage is impossible; the derivative there is
      inf for the links that alone would make it possible, and 0 for all others.

    Raises:
      ValueError: ``num_stragglers`` or ``num_attempts`` is out of range.

    Source: docs/mathematics/outage.md, "Outage of standard decoding".

    >>> network = Network.homogeneous(40, uplink_erasure=1e-40, peer_erasure=0.0)
    >>> print(f"{log_gc_outage_probability(network, 19):.9f}")
    -1816.418667602
    """
    return _evaluate(
        network,
        "cyclic",
        num_stragglers,
        num_attempts,
        dynamics=dynamics,
        keep_heard=keep_heard,
        logarithm=True,
    )


@under_plain_settings
def fractional_repetition_outage_probability(
    network: Network,
    num_stragglers: int,
    num_attempts: int = 1,
    *,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
) -> Probability:
    """Probability that the standard decoder fails with a fractional-repetition code.

    Args:
      network: independent links (``network.reciprocal`` is ignored) between the clients, who
        form blocks of ``num_stragglers + 1`` consecutive ones.
      num_stragglers: s in 0 .. clients - 1 with (s + 1) dividing the number of clients.
      num_attempts: attempts with the same code, at least 1.
      dynamics, keep_heard: as in ``gc_outage_probability``.

    Returns:
      Scalar, the probability that no complete row of some block arrives; dtype, accuracy and
      derivatives as in ``gc_outage_probability``.

    Raises:
      ValueError: ``num_stragglers`` or ``num_attempts`` is out of range.

    Source: docs/mathematics/outage.md, "Outage of standard decoding".

    >>> network = Network.homogeneous(4, uplink_erasure=0.5, peer_erasure=0.0)
    >>> print(fractional_repetition_outage_probability(network, 1))
    0.4375
    """
    return _evaluate(
        network, "blocks", num_stragglers, num_attempts, dynamics=dynamics, keep_heard=keep_heard
    )


@under_plain_settings
def classes_outage_probability(
    network: Network,
    num_stragglers: int,
    num_attempts: int = 1,
    *,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
) -> Probability:
    """Probability that of no class of clients mod s + 1 all complete rows arrive.

    The law of rows of ones over a client and the next s, and of the cyclic MDS code with s = 1,
    which is that code. Arguments, result and errors: `fractional_repetition_outage_probability`.

    Source: docs/mathematics/outage.md, "Outage of standard decoding".

    >>> network = Network.homogeneous(4, uplink_erasure=0.5, peer_erasure=0.0)
    >>> print(classes_outage_probability(network, 1))
    0.5625
    """
    return _evaluate(
        network, "classes", num_stragglers, num_attempts, dynamics=dynamics, keep_heard=keep_heard
    )


class LogOutageGradient(NamedTuple):
    """The logarithm of an outage probability, and its slopes.

    Attributes:
      log_outage: -inf where an outage is impossible.
      uplink, peer: [clients] and [clients, clients], derivatives by erasure probabilities.
    """

    log_outage: float
    uplink: Float64[np.ndarray, "clients"]
    peer: Float64[np.ndarray, "clients clients"]


def log_outage_gradient(
    network: Network, num_stragglers: int, num_attempts: int = 1, *, kind: RingKind = "cyclic"
) -> LogOutageGradient:
    """Logarithm of the outage and its slopes, in 64 bits whatever mode the caller is in.

    Arguments and errors as of `gc_outage_probability`; ``kind`` as of `names.ring_kind`.
    """
    stragglers = _checked_stragglers(network, num_stragglers, kind)
    attempts = check_count("num_attempts", num_attempts)
    with jax.enable_x64(True):
        uplink, peer = (jnp.asarray(leaf, jnp.float64) for leaf in jax.tree.leaves(network))
        law = uplink, peer, stragglers, kind, attempts
        logarithm, slopes = _values(*law)[1], _gradients(*law)[1]
        return LogOutageGradient(float(logarithm), *map(np.asarray, slopes))


class _Law(NamedTuple):
    """An outage law, or its logarithm: a function of the network.

    Its programs take s as a number, so that one serves all s.
    """

    kind: RingKind
    num_stragglers: int
    num_attempts: int
    logarithm: bool

    def value(self, network: Network) -> Array:
        """See `differentiable.Law`."""
        value: Array = _values(*self._arguments(network))[self.logarithm]
        return value

    def slopes(self, network: Network) -> _ByLink:
        """See `differentiable.Law`."""
        slopes: _ByLink = _gradients(*self._arguments(network))[self.logarithm]
        return slopes

    def _arguments(self, network: Network) -> tuple[Array, Array, int, RingKind, int]:
        uplink, peer = map(jnp.asarray, jax.tree.leaves(network))
        return uplink, peer, self.num_stragglers, self.kind, self.num_attempts


def _evaluate(
    network: Network,
    kind: RingKind,
    stragglers: int,
    attempts: int,
    *,
    dynamics: LinkDynamics | None,
    keep_heard: bool,
    logarithm: bool = False,
) -> Probability:
    stragglers = _checked_stragglers(network, stragglers, kind)
    attempts = check_count("num_attempts", attempts)
    if dynamics is None and not keep_heard:
        return number(evaluated(_Law(kind, stragglers, attempts, logarithm), network))
    dynamics = dynamics or LinkDynamics()
    shape = round_of(
        network,
        kind,
        stragglers,
        num_attempts=attempts,
        dynamics=dynamics,
        keep_heard=keep_heard,
    )
    if not shape.known:
        raise ValueError(
            f"num_attempts = {attempts} with these dynamics: no exact law is known that does not "
            "take long (simulate_outcomes estimates it)"
        )
    return number(evaluated(GcOutage(shape, logarithm), network, dynamics))


@partial(jax.jit, static_argnums=(3, 4))
def _values(
    uplink: Array, peer: Array, stragglers: int | Array, kind: RingKind, attempts: int
) -> tuple[Array, Array]:
    """The outage probability and its logarithm."""
    outage, success = outage_and_success(uplink, peer, stragglers, kind, attempts)
    return to_float64(outage), log_of(outage, success)


@partial(jax.jit, static_argnums=(3, 4))
def _gradients(
    uplink: Array, peer: Array, stragglers: int | Array, kind: RingKind, attempts: int
) -> tuple[_ByLink, _ByLink]:
    """Slopes of the probability and of its logarithm: by uplinks, by peers."""
    outage, _ = outage_and_success(uplink, peer, stragglers, kind, attempts)
    by_uplink, by_peer = outage_slopes(uplink, peer, stragglers, kind, attempts)

    def by_outage(slope: WideFloats) -> Array:
        # An impossible outage that no link alone makes possible has 0 / 0: called slope 0.
        exponent = jnp.where(outage.digits == 0.0, 0, slope.exponent - outage.exponent)
        zero = slope.digits == 0.0
        quotient = jnp.where(zero, 0.0, slope.digits) / jnp.where(zero, 1.0, outage.digits)
        return to_float64(WideFloats(quotient, exponent))

    plain = to_float64(by_uplink), to_float64(by_peer)
    return plain, (by_outage(by_uplink), by_outage(by_peer))


def _checked_stragglers(network: Network, num_stragglers: int, kind: RingKind) -> int:
    clients = network.num_clients
    stragglers = check_count("num_stragglers", num_stragglers, low=0, high=clients - 1)
    if kind != "cyclic" and clients % (stragglers + 1):
        raise ValueError(
            f"num_stragglers = {stragglers}: allowed for {kind} is a number with "
            f"num_stragglers + 1 dividing the {clients} clients"
        )
    return stragglers
