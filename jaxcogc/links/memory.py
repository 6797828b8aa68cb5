"""Links with memory, and clients that are blocked: two-state chains (Gilbert and Elliott).

Every link is in a good or a bad state and takes one step an attempt; in either it is erased with a
probability of its own. The network keeps the mean erasure of every link; what is here says how
erasures hang together in time.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxcogc._types import AnyArray, Array, ArrayLike, Numbers
from jaxcogc.links.checks import check_elements, number_array, read_only
from jaxcogc.links.network import Network
from jaxcogc.links.network_file import read_network_file
from jaxcogc.names import DYNAMICS

Scalar = float | Float[Array, ""]
"""A number on the host, or a tracer."""
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True, init=False, eq=False)
class LinkDynamics:
    """How the erasures of a network hang together in time.

    Attributes:
      memory: correlation of a link's state in two successive attempts, in [0, 1]; None where
        ``burst_length`` is given instead.
      burst_length: mean number of attempts that a bad state lasts; the memory then differs with the
        link. None where ``memory`` is given.
      round_memory: correlation from the last attempt of a round to the first of the next; None: as
        between attempts.
      good_erasure, bad_erasure: erasure probabilities in the two states, 0 and 1 by default: a link
        is erased exactly while it is bad.
      block_probability: a client is blocked for a whole round, with all links from and to it; a
        number or [clients].
      block_memory: correlation of a client's being blocked in two successive rounds.

    Raises:
      ValueError: both ``memory`` and ``burst_length``, a value outside its range, or a good state
        no better than the bad one.

    Source: docs/mathematics/outage.md, "Links with memory, blocked clients".

    >>> LinkDynamics(memory=0.6).memory, LinkDynamics().memory
    (0.6, 0.0)
    >>> LinkDynamics(memory=0.6, burst_length=3.0)
    Traceback (most recent call last):
    ValueError: memory = 0.6 beside burst_length = 3.0: allowed is one of them
    """

    memory: Scalar | None
    burst_length: Scalar | None
    round_memory: Scalar | None
    good_erasure: Scalar
    bad_erasure: Scalar
    block_probability: Scalar | Float[AnyArray, "clients"]
    block_memory: Scalar

    def __init__(
        self,
        *,
        memory: ArrayLike | None = None,
        burst_length: ArrayLike | None = None,
        round_memory: ArrayLike | None = None,
        good_erasure: ArrayLike = 0.0,
        bad_erasure: ArrayLike = 1.0,
        block_probability: ArrayLike | Numbers = 0.0,
        block_memory: ArrayLike = 0.0,
    ) -> None:
        if memory is not None and burst_length is not None:
            raise ValueError(
                f"memory = {memory} beside burst_length = {burst_length}: allowed is one of them"
            )
        if memory is None and burst_length is None:
            memory = 0.0
        states = memory, burst_length, round_memory, good_erasure, bad_erasure
        values = zip(DYNAMICS, (*states, block_probability, block_memory), strict=True)
        # Past the frozen dataclass's own guard.
        self.__dict__.update({name: _checked(name, value) for name, value in values})
        good, bad = self.good_erasure, self.bad_erasure
        if not any(isinstance(x, jax.core.Tracer) for x in (good, bad)) and not good < bad:
            raise ValueError(f"good_erasure = {good}: allowed is less than bad_erasure = {bad}")

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> LinkDynamics:
        """What a network file says about time: its keys memory, burst_length, block_probability.

        Args:
          path: of a file that `Network.from_json` reads. Without these keys: independent links.

        Raises:
          ValueError: the file cannot be read or holds no network, or a value that is not allowed;
            the line names the file and the field.
        """
        found = read_network_file(path).dynamics()
        try:
            return cls(**found)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as ``json.dumps`` takes them."""
        return {name: np.asarray(getattr(self, name)).tolist() for name in DYNAMICS}

    def permuted(self, order: Sequence[int]) -> LinkDynamics:
        """Those of the same clients in another order: client i is client order[i] of these."""
        blocked = self.block_probability
        if isinstance(blocked, float) or np.ndim(blocked) == 0:
            return self
        fields = {name: getattr(self, name) for name in DYNAMICS}
        return LinkDynamics(**fields | {"block_probability": blocked[np.asarray(order)]})

    @property
    def independent_rounds(self) -> bool:
        """Whether rounds do not depend on each other."""
        between = self.memory if self.round_memory is None else self.round_memory
        forgets = between == 0.0 or (between is None and self.burst_length == 1.0)
        blocks = bool(np.any(self.block_probability)) and self.block_memory != 0.0
        return bool(forgets and not blocks)

    @property
    def hard(self) -> bool:
        """Whether a link is erased exactly while its state is bad; False of traced states."""
        states = (self.good_erasure, self.bad_erasure)
        if any(isinstance(x, jax.core.Tracer) for x in states):
            return False
        return bool(states == (0.0, 1.0))


def _checked(name: str, value: Any) -> Any:
    """A Python float, [clients] NumPy, None or a tracer."""
    if value is None or isinstance(value, jax.core.Tracer):
        return value
    numbers = number_array(name, value)
    if name != "block_probability" and numbers.ndim:
        raise ValueError(f"{name} has shape {numbers.shape}: allowed is one number")
    if name == "burst_length":
        check_elements(name, numbers, (numbers >= 1) & np.isfinite(numbers), "at least 1 attempt")
    else:
        check_elements(name, numbers, (numbers >= 0) & (numbers <= 1), "a number in [0, 1]")
    return read_only(numbers) if numbers.ndim else float(numbers)


class LinkChains(NamedTuple):
    """The chains of a network's links; float64 [clients, clients], uplinks on the diagonal.

    Attributes:
      bad: probability of the bad state.
      memory: correlation from one attempt to the next.
      round_memory: from the last attempt of a round to the first of the next.
    """

    bad: Float[AnyArray, "clients clients"]
    memory: Float[AnyArray, "clients clients"]
    round_memory: Float[AnyArray, "clients clients"]


def link_chains(network: Network, dynamics: LinkDynamics) -> LinkChains:
    """The chains whose mean erasures are those of a network.

    Args:
      network: of a traced one nothing is checked; call in a 64-bit scope then.
      dynamics: the states and their memory.

    Raises:
      ValueError: a mean erasure that lies outside of what the two states can have, or a burst so
        short that the memory would be negative; the line names the link.

    >>> network = Network.homogeneous(2, uplink_erasure=0.5, peer_erasure=0.25)
    >>> link_chains(network, LinkDynamics(burst_length=4)).memory
    array([[0.5       , 0.66666667],
           [0.66666667, 0.5       ]])
    """
    leaves = (network.uplink_erasure, network.peer_erasure)
    traced = any(
        isinstance(leaf, jax.core.Tracer) for leaf in (*leaves, *jax.tree.leaves(dynamics))
    )
    xp: Any = jnp if traced else np
    own = np.eye(network.num_clients, dtype=bool)
    mean = xp.where(own, xp.asarray(leaves[0])[:, None], xp.asarray(leaves[1]))
    good, bad_erasure = dynamics.good_erasure, dynamics.bad_erasure
    if not traced:
        _check_links(
            mean, (mean >= good) & (mean <= bad_erasure), "", f"[{good:g}, {bad_erasure:g}]"
        )
    bad = (mean - good) / (bad_erasure - good)
    memory = xp.full_like(bad, 0.0 if dynamics.memory is None else dynamics.memory)
    if dynamics.burst_length is not None:
        changing = (bad > 0) & (bad < 1)
        length = xp.where(changing, dynamics.burst_length * (1 - bad), 1.0)
        if not traced:
            shortest = 1 / (1 - np.where(changing, bad, 0.0)).min()
            _check_links(
                mean, length >= 1 - _ROUNDING, "burst_length", f"at least {shortest:.6g} attempts"
            )
        memory = 1 - 1 / xp.maximum(length, 1.0)
    between = dynamics.round_memory
    round_memory = memory if between is None else xp.full_like(bad, between)
    return LinkChains(bad, memory, round_memory)


def _check_links(mean: AnyArray, fine: AnyArray, name: str, allowed: str) -> None:
    for m, k in np.argwhere(~np.asarray(fine)):
        link = f"uplink_erasure[{m}]" if m == k else f"peer_erasure[{m}][{k}]"
        told = f"{link} = {mean[m, k]:g}"
        if name:
            raise ValueError(f"{name} is too short for {told}: allowed is {allowed}")
        raise ValueError(f"{told}: allowed is a mean of the two states, in {allowed}")


def blocked_clients(network: Network, dynamics: LinkDynamics) -> Float[AnyArray, "clients"]:
    """Probability that each client is blocked in a round; float64 [clients].

    Raises:
      ValueError: ``block_probability`` has another number of clients.
    """
    clients, blocked = network.num_clients, dynamics.block_probability
    if np.shape(blocked) not in ((), (clients,)):
        raise ValueError(
            f"block_probability has shape {np.shape(blocked)}: allowed is one number, or one for "
            f"each of the {clients} clients"
        )
    if isinstance(blocked, jax.core.Tracer):
        found: Array = jnp.broadcast_to(blocked, (clients,))
        return found
    return np.broadcast_to(blocked, clients)


def mean_network(network: Network, dynamics: LinkDynamics | None) -> Network:
    """The erasures of a single attempt, blocked ends included; unchanged where nobody can be."""
    if dynamics is None:
        return network
    blocked = np.asarray(blocked_clients(network, dynamics), np.float64)
    either = 1.0 - (1.0 - blocked[:, None]) * (1.0 - blocked)
    uplink, peer = np.asarray(network.uplink_erasure), np.asarray(network.peer_erasure)
    total = peer + (1.0 - peer) * either
    np.fill_diagonal(total, np.diagonal(peer))
    return Network(uplink + (1.0 - uplink) * blocked, total, network.reciprocal)


def fitting_dynamics(network: Network, fields: Mapping[str, Any]) -> LinkDynamics:
    """Dynamics by their fields, which fit a network.

    Raises:
      ValueError: as of `LinkDynamics`, `link_chains` and `blocked_clients`.
    """
    dynamics = LinkDynamics(**fields)
    link_chains(network, dynamics)
    blocked_clients(network, dynamics)
    return dynamics


def _flatten(dynamics: LinkDynamics) -> tuple[tuple[Any, ...], None]:
    return tuple(getattr(dynamics, name) for name in DYNAMICS), None


def _unflatten(_: None, leaves: Any) -> LinkDynamics:
    # Leaves may be tracers, gradients or mere placeholders: nothing to check.
    dynamics = object.__new__(LinkDynamics)
    dynamics.__dict__.update(zip(DYNAMICS, leaves, strict=True))
    return dynamics


jax.tree_util.register_pytree_node(LinkDynamics, _flatten, _unflatten)
