"""Checks on the host: a wrong argument is named, with its value and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

HostInts = npt.NDArray[np.int64]
HostFloats = npt.NDArray[np.float64]  # not of `_types`, which needs JAX: who only checks does not

__all__ = [
    "check_choice",
    "check_count",
    "check_diagonal",
    "check_elements",
    "check_order",
    "check_same_clients",
    "check_shapes",
    "check_symmetry",
    "check_unmasked",
    "number_array",
    "read_only",
]


def number_array(name: str, values: Any, *, num_axes: int | None = None) -> HostFloats:
    """`values` as real float64 numbers of any shape, or of `num_axes` axes.

    Raises:
      ValueError: something that is not a number, a ragged list, another number of axes, an entry
        that is masked: behind a mask stands a number that was never measured.
    """
    check_unmasked(name, values)
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError
        if array.dtype.kind == "O":  # fractions; None would become NaN
            array = np.array([float(value) for value in array.flat]).reshape(array.shape)
        array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        text = " ".join(repr(values).split())
        text = text if len(text) <= 60 else text[:57] + "..."
        raise ValueError(f"{name} = {text}: allowed is an array of real numbers") from None
    if num_axes is not None and array.ndim != num_axes:
        axes = "one axis" if num_axes == 1 else f"{num_axes} axes"
        raise ValueError(f"{name} has shape {array.shape}: allowed is an array with {axes}")
    return array


def read_only(values: npt.ArrayLike, dtype: npt.DTypeLike = np.float64) -> np.ndarray:
    """A copy that nobody can change."""
    array = np.array(values, dtype, order="C")
    array.setflags(write=False)
    return array


def check_unmasked(name: str, values: Any) -> None:
    """Raise a ValueError where an entry is masked, as others would take what is behind it."""
    if _has_mask(values):
        raise ValueError(f"{name} has masked entries: allowed is a number everywhere")


def _has_mask(values: Any) -> bool:
    """Whether an entry of an array, or of one in a list of them, is masked."""
    if isinstance(values, list | tuple):
        return any(map(_has_mask, values))
    return bool(np.ma.is_masked(values))


def check_elements(name: str, values: HostFloats, is_allowed: Any, allowed: str) -> None:
    """Raise a ValueError that names the first element which is not allowed."""
    wrong = np.argwhere(~np.broadcast_to(is_allowed, values.shape))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        element = name + (f"[{', '.join(map(str, index))}]" if index else "")
        raise ValueError(f"{element} = {values[index]!s}: allowed is {allowed}")


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise a ValueError unless ``value`` is one of the words; near misses get a hint."""
    if value not in allowed:
        near = get_close_matches(value, allowed, n=1) if isinstance(value, str) else []
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"{name} = {value!r}: allowed are {', '.join(allowed)}{hint}")


def check_count(name: str, value: Any, *, low: int = 1, high: int | None = None) -> int:
    """`value` as a Python int, or a ValueError when it is no integer in low..high."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or value < low or (high is not None and value > high):
        allowed = f"of at least {low}" if high is None else f"in {low}..{high}"
        raise ValueError(f"{name} = {value!s}: allowed is an integer {allowed}")
    return int(value)


def check_same_clients(of_code: int, of_network: int) -> None:
    """Raise a ValueError unless a code and a network have as many clients."""
    if of_code != of_network:
        raise ValueError(f"the code has {of_code} clients, the network {of_network}: must be equal")


def check_shapes(
    uplink: tuple[int, ...],
    peer: tuple[int, ...],
    uplink_name: str = "uplink_erasure",
    peer_name: str = "peer_erasure",
) -> None:
    """Raise a ValueError unless the shapes are (clients,) and (clients, clients)."""
    if len(uplink) != 1 or uplink[0] < 1:
        raise ValueError(f"{uplink_name} has shape {uplink}: allowed is (clients,), clients >= 1")
    if peer != 2 * uplink:
        raise ValueError(
            f"{peer_name} has shape {peer}: allowed is {2 * uplink}, as {uplink_name} has "
            f"{uplink[0]} clients"
        )


def check_diagonal(peer: HostFloats) -> None:
    """Raise a ValueError that names the first non-zero element of the diagonal."""
    for client in np.flatnonzero(np.diagonal(peer)):
        raise ValueError(
            f"peer_erasure[{client}, {client}] = {peer[client, client]}: allowed is 0, as a client "
            "always hears itself"
        )


def check_symmetry(peer: HostFloats) -> None:
    """Raise a ValueError that names the first element unlike its mirror image."""
    for m, k in np.argwhere(peer != peer.T):
        raise ValueError(
            f"peer_erasure[{m}, {k}] = {peer[m, k]} but peer_erasure[{k}, {m}] = {peer[k, m]}: "
            "reciprocal links need a symmetric matrix"
        )


def check_order(
    order: Sequence[int] | npt.NDArray[np.int64], clients: int
) -> npt.NDArray[np.int64]:
    """An order of the clients, or a ValueError unless it holds every client once."""
    places = np.asarray(order)
    whole = places.dtype.kind in "iu" and places.shape == (clients,)
    if not whole or not np.array_equal(np.sort(places), np.arange(clients)):
        text = " ".join(str(place) for place in np.ravel(places)[:12].tolist())
        raise ValueError(f"order = {text}: allowed is every client 0 .. {clients - 1} once")
    return places.astype(np.int64)
