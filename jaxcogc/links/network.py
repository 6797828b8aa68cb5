"""Network: how likely each link is to be erased."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import GetAttrKey
from jaxtyping import Float

from jaxcogc._types import AnyArray, ArrayLike, HostInts, Numbers
from jaxcogc.links.checks import (
    check_count,
    check_diagonal,
    check_elements,
    check_order,
    check_shapes,
    check_symmetry,
    number_array,
    read_only,
)
from jaxcogc.links.network_file import NetworkFile, network_text
from jaxcogc.links.network_sources import NetworkSources
from jaxcogc.runtime.atomic_files import write_atomically

__all__ = ["Network"]

_PROBABILITY = "a probability in [0, 1]"
_LEAVES = ("uplink_erasure", "peer_erasure")


@dataclass(frozen=True, eq=False, init=False)
class Network(NetworkSources):
    """Erasure probabilities of M clients and one server; the first index receives.

    A registered pytree: the two arrays are leaves, `reciprocal` is static. On the host they are
    read-only float64 NumPy arrays, checked when built. What JAX puts together (a traced network,
    a gradient with respect to one) is not checked. A network that is an *argument* of a function
    under `jax.jit` is rounded to float32 there, unless the caller works in 64-bit mode.

    Attributes:
      uplink_erasure: float64 [clients], probability that the server fails to hear client m.
      peer_erasure: float64 [clients, clients], [m, k] the probability that client m fails to hear
        client k; zero diagonal.
      reciprocal: True when both directions between two clients are one draw, T_mk = T_km; the
        matrix must be symmetric then.

    Raises:
      ValueError: no client, a shape that does not match, a value outside [0, 1] or NaN, a non-zero
        diagonal, reciprocal links with an asymmetric matrix; the line names the element.

    >>> Network([0.1, 0.2], [[0.0, 0.3], [0.4, 0.0]]).num_clients
    2
    >>> Network([0.1, 1.2], [[0.0, 0.3], [0.4, 0.0]])
    Traceback (most recent call last):
    ValueError: uplink_erasure[1] = 1.2: allowed is a probability in [0, 1]
    """

    uplink_erasure: Float[AnyArray, "clients"]
    peer_erasure: Float[AnyArray, "clients clients"]
    reciprocal: bool = False

    def __init__(
        self, uplink_erasure: Numbers, peer_erasure: Numbers, reciprocal: bool = False
    ) -> None:
        if not isinstance(reciprocal, bool | np.bool_):
            raise ValueError(f"reciprocal = {reciprocal!r}: allowed are True and False")
        values = {"uplink_erasure": uplink_erasure, "peer_erasure": peer_erasure}
        if any(isinstance(value, jax.core.Tracer) for value in values.values()):
            check_shapes(np.shape(uplink_erasure), np.shape(peer_erasure))
        else:
            uplink = number_array("uplink_erasure", uplink_erasure, num_axes=1)
            peer = number_array("peer_erasure", peer_erasure, num_axes=2)
            check_shapes(uplink.shape, peer.shape)
            check_elements("uplink_erasure", uplink, (uplink >= 0) & (uplink <= 1), _PROBABILITY)
            check_elements("peer_erasure", peer, (peer >= 0) & (peer <= 1), _PROBABILITY)
            check_diagonal(peer)
            if reciprocal:
                check_symmetry(peer)
            uplink, peer = (read_only(array + 0.0) for array in (uplink, peer))  # no negative zeros
            values = {"uplink_erasure": uplink, "peer_erasure": peer}
        # Past the frozen dataclass's own guard.
        self.__dict__.update(**values, reciprocal=bool(reciprocal))

    @property
    def num_clients(self) -> int:
        """M, the number of clients."""
        return int(self.uplink_erasure.shape[-1])

    @property
    def links_alike(self) -> bool:
        """Whether all uplinks are equal, and all links between clients."""
        peer = self.peer_erasure[~np.eye(self.num_clients, dtype=bool)]
        return all(bool((values == values[:1]).all()) for values in (self.uplink_erasure, peer))

    def __repr__(self) -> str:
        """
        >>> Network([0.1, 0.5], [[0, 0.2], [0.2, 0]])
        Network(2 clients, uplink erasure 0.1 to 0.5, peer erasure 0.2)
        """
        if self._identity() is None:  # traced, or not on the host
            return f"Network({self.uplink_erasure!r}, {self.peer_erasure!r})"
        others = ~np.eye(self.num_clients, dtype=bool)
        told = [f"{self.num_clients} clients"]
        for name, x in (("uplink", self.uplink_erasure), ("peer", self.peer_erasure[others])):
            if x.size:
                ends = dict.fromkeys(f"{value:.4g}" for value in (x.min(), x.max()))
                told.append(f"{name} erasure {' to '.join(ends)}")
        return f"Network({', '.join(told + ['reciprocal'] * self.reciprocal)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        mine, theirs = self._identity(), other._identity()
        return self is other if mine is None or theirs is None else mine == theirs

    def __hash__(self) -> int:
        identity = self._identity()
        return id(self) if identity is None else hash(identity)

    def _identity(self) -> tuple[Any, ...] | None:
        """What two equal networks share; None for one that is not on the host."""
        leaves = (self.uplink_erasure, self.peer_erasure)
        if not all(isinstance(leaf, np.ndarray) for leaf in leaves):
            return None
        return (self.reciprocal, *((leaf.shape, leaf.tobytes()) for leaf in leaves))

    @classmethod
    def homogeneous(
        cls,
        num_clients: int,
        *,
        uplink_erasure: ArrayLike,
        peer_erasure: ArrayLike,
        reciprocal: bool = False,
    ) -> Network:
        """A network whose uplinks are all alike, and whose peer links are all alike.

        Args:
          num_clients: M, at least 1.
          uplink_erasure: probability that the server fails to hear a client; a number or a tracer.
          peer_erasure: probability that a client fails to hear another one; likewise.
          reciprocal: one draw for both directions between two clients.

        Raises:
          ValueError: no client, or a probability outside [0, 1].

        >>> Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.25).peer_erasure[0]
        array([0.  , 0.25, 0.25])
        """
        check_count("num_clients", num_clients)
        others = ~np.eye(num_clients, dtype=bool)
        probabilities = []
        for name, value in zip(_LEAVES, (uplink_erasure, peer_erasure), strict=True):
            if not isinstance(value, jax.core.Tracer):
                value = number_array(name, value, num_axes=0)
                check_elements(name, value, (value >= 0) & (value <= 1), _PROBABILITY)
            probabilities.append(value)
        uplink, peer = probabilities
        xp: Any = np if isinstance(peer, np.ndarray) and isinstance(uplink, np.ndarray) else jnp
        return cls(xp.full(num_clients, uplink), xp.where(others, peer, 0.0), reciprocal)

    def permuted(self, order: Sequence[int] | HostInts) -> Network:
        """The same clients in another order: client i is client order[i] of this network.

        Raises:
          ValueError: an order that does not hold every client once.

        >>> network = Network([0.1, 0.2], [[0.0, 0.3], [0.4, 0.0]])
        >>> network.permuted((1, 0)).peer_erasure[0]
        array([0. , 0.4])
        """
        places = check_order(order, self.num_clients)
        uplink, peer = np.asarray(self.uplink_erasure), np.asarray(self.peer_erasure)
        return Network(uplink[places], peer[np.ix_(places, places)], self.reciprocal)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The network as JSON text, every probability to the last bit.

        Args:
          path: also write the text there, whole or not at all.

        Returns:
          An object with `uplink_erasure` [clients], `peer_erasure` [clients, clients] and
          `reciprocal`.

        Raises:
          ValueError: the network is traced. OSError: the file cannot be written.

        >>> print(Network([0.5, 0.1], [[0.0, 0.3], [0.3, 0.0]], reciprocal=True).to_json())
        {"uplink_erasure": [0.5, 0.1],
         "peer_erasure": [
          [0.0, 0.3],
          [0.3, 0.0]],
         "reciprocal": true}
        """
        if isinstance(self.uplink_erasure, jax.core.Tracer):
            raise ValueError("a traced network has no values: allowed is one built on the host")
        text = network_text(NetworkFile.of(self))
        if path is not None:
            write_atomically(path, text + "\n")
        return text


def _flatten_with_keys(network: Network) -> tuple[Any, bool]:
    return tuple((GetAttrKey(name), getattr(network, name)) for name in _LEAVES), network.reciprocal


def _unflatten(reciprocal: bool, leaves: Any) -> Network:
    # Leaves may be tracers, gradients, axis numbers or mere placeholders: nothing to check.
    network = object.__new__(Network)
    network.__dict__.update(zip(_LEAVES, leaves, strict=True), reciprocal=reciprocal)
    return network


jax.tree_util.register_pytree_with_keys(Network, _flatten_with_keys, _unflatten)
