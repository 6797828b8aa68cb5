"""What the server holds: the received matrix, and the coded sums themselves."""

from __future__ import annotations

from functools import reduce
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float64

from jaxcogc._types import Array
from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.draws import Links
from jaxcogc.runtime.jax_settings import under_plain_settings

__all__ = ["check_sizes", "encode", "received_matrix"]

Updates = TypeVar("Updates")


@under_plain_settings
def received_matrix(code: GradientCode, links: Links) -> Float64[Array, "rows clients"]:
    """R = diag(tau) (B o T), the attempts stacked.

    Args:
      code: a GradientCode; a redrawn one has as many attempts as the links.
      links: Links of one trial, bool [attempts, clients] and [attempts, clients, clients].

    Returns:
      float64 [rows, clients] in either mode of JAX, rows = attempts x clients, attempt-major:
      row a * M + m is client m in attempt a. Erased coefficients are exactly zero.

    Raises:
      ValueError: sizes that do not match.

    Source: docs/mathematics/rounds.md, "A round".

    >>> from jaxcogc.coding.codes import fractional_repetition_code
    >>> uplink = jnp.array([[True, False]])
    >>> links = Links(uplink, jnp.array([[[True, False], [True, True]]]))
    >>> received_matrix(fractional_repetition_code(2, 1), links)
    Array([[1., 0.],
           [0., 0.]], dtype=float64)
    """
    check_sizes(code, links)
    with jax.enable_x64(True):
        matrix = jnp.asarray(code.matrix, jnp.float64)
        delivered = links.uplink_delivered[..., None] & links.peer_delivered
        received = jnp.where(delivered, matrix, jnp.zeros((), jnp.float64))
        return received.reshape(-1, code.num_clients)


@under_plain_settings
def encode(code: GradientCode, links: Links, updates: Updates) -> Updates:
    """The coded sums that arrive at the server: row r holds sum_k R_rk update_k.

    A number that is not finite turns into NaN in exactly the rows that hold its update. Products
    are formed at highest precision in the dtype of each leaf, which coefficients are rounded to.

    Args:
      code: a GradientCode.
      links: Links of one trial.
      updates: a pytree of floating arrays [clients, ...].

    Returns:
      The same pytree with a leading rows axis in place of clients; erased rows are exactly zero.

    Raises:
      ValueError: sizes that do not match, or a leaf that is not floating.
    """
    check_sizes(code, links)
    received = lax.stop_gradient(received_matrix(code, links))
    payload: Updates = jax.tree_util.tree_map_with_path(
        lambda path, leaf: _encode_leaf(received, leaf, jax.tree_util.keystr(path)), updates
    )
    return payload


def check_sizes(code: GradientCode, links: Links) -> None:
    """Raise a ValueError unless code and links are those of one trial and fit together."""
    clients = code.num_clients
    uplink, peer = jnp.shape(links.uplink_delivered), jnp.shape(links.peer_delivered)
    if len(uplink) != 2 or uplink[1] != clients:
        raise ValueError(
            f"uplink_delivered has shape {uplink}: allowed is (attempts, {clients}), as the "
            f"code has {clients} clients"
        )
    if peer != (*uplink, clients):
        raise ValueError(f"peer_delivered has shape {peer}: allowed is {(*uplink, clients)}")
    if code.redrawn and code.field_matrix.shape[0] != uplink[0]:
        raise ValueError(
            f"code is redrawn for {code.field_matrix.shape[0]} attempts: allowed is {uplink[0]}, "
            "as the links have"
        )
    for name, delivered in zip(Links._fields, links, strict=True):
        if delivered.dtype != np.bool_:
            raise ValueError(f"{name} has dtype {delivered.dtype}: allowed is bool")


def _encode_leaf(received: Array, leaf: Array, name: str) -> Array:
    clients = received.shape[-1]
    # Not jnp.result_type, which says float32 of a float64 array outside 64-bit mode.
    shape, dtype = np.shape(leaf), getattr(leaf, "dtype", np.result_type(float))
    if not shape or shape[0] != clients:
        raise ValueError(f"updates{name} has shape {shape}: allowed is ({clients}, ...)")
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"updates{name} has dtype {dtype}: allowed is a floating one")
    with jax.enable_x64(True):
        coefficients, held = received.astype(dtype), received != 0
        rows: Array
        if dtype == np.float64:
            rows = _product(coefficients, jnp.asarray(leaf), held)
            return rows
    rows = _product(coefficients, jnp.asarray(leaf), held)
    return rows


@jax.jit  # so that calls outside of a program of the caller's are compiled once
def _product(received: Array, leaf: Array, held: Array) -> Array:
    """received @ leaf, in which what is not finite spoils only the rows that hold it."""
    flat = leaf.reshape(leaf.shape[0], -1)
    zero = jnp.zeros((), flat.dtype)

    def spoil() -> Array:
        is_finite = jnp.isfinite(flat)
        spoilt = _dot(held.astype(flat.dtype), (~is_finite).astype(flat.dtype)) > 0
        rows = _dot(received, jnp.where(is_finite, flat, zero))
        return jnp.where(spoilt, jnp.full((), jnp.nan, flat.dtype), rows)

    # 0 times what is not finite is NaN. Clients are summed up first, one after another: that
    # vectorises over the numbers, which a reduction of everything at once does not.
    finite = jnp.all(reduce(jnp.add, (zero * update for update in flat)) == 0)
    # Each branch forms its own product: one that is passed in would be copied.
    rows: Array = lax.cond(finite, lambda: _dot(received, flat), spoil)
    return rows.reshape(-1, *leaf.shape[1:])


def _dot(left: Array, right: Array) -> Array:
    # Without a preferred element type, which a batching rule outside a 64-bit scope would narrow.
    precision = lax.Precision.HIGHEST
    product: Array = lax.dot_general(left, right, (((1,), (0,)), ((), ())), precision=precision)
    return product
