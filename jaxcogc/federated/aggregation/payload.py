"""The explicit way: encode the updates, lose what is lost, decode the real vectors.

It gives what the coefficients give, at the price of the payloads; it is an option, and the proof
that the coefficients are right. Decisions are those of the exact recovery, weights those of the
real-valued decoders.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import gc_plus_weights, gc_weights, row_space_weights
from jaxcogc.coding.encoding import encode
from jaxcogc.federated.aggregation.link_evidence import CODED
from jaxcogc.federated.aggregation.schemes import SchemeDraw
from jaxcogc.links.draws import Links

__all__ = ["SENT_CODED", "aggregate_payloads", "row_weights"]

SENT_CODED = (*CODED, "replicated_gc")
"""Schemes whose uplinks carry coded sums; under the others the payloads are the updates."""


def row_weights(
    names: tuple[str, ...], drawn: SchemeDraw, code: GradientCode, normalisation: str
) -> jax.Array:
    """What to weigh every received row with, so that the weighted sum is the scheme's aggregate.

    Args:
      names: the schemes of ``drawn``.
      drawn: one round.
      code: the gradient code.
      normalisation: of partial averages, "recovered" or "clients".

    Returns:
      float64 [schemes, rows]; 0 for schemes that send no coded sums.
    """
    clients, rows = code.num_clients, drawn.links.uplink_delivered.shape[1] * code.num_clients
    by_decoder = {
        decoder: _decode(decoder, [n for n, name in enumerate(names) if name in users], drawn, code)
        for decoder, users in _USERS.items()
    }
    with jax.enable_x64(True):
        nothing = jnp.zeros((rows,), jnp.float64)
    all_weights = []
    for number, name in enumerate(names):
        one = jax.tree.map(lambda x, n=number: x[n], drawn.coefficients)
        sums = [found[number] for found in by_decoder.values() if number in found]
        weights = nothing
        with jax.enable_x64(True):
            if name in ("gc_plus", "row_space"):
                weights = _partial(one, drawn.places, sums[0], sums[1], normalisation)
            elif sums:
                weights = sums[0] / clients
            all_weights.append(jnp.where(one.hold, 0.0, weights))
    return jnp.stack(all_weights)


_USERS = {
    gc_weights: ("replicated_gc", "gc", "gc_plus"),
    row_space_weights: ("row_space", "least_squares"),
    gc_plus_weights: ("gc_plus", "row_space"),
}
"""Which schemes use which decoder; weights of the sum come before those of single clients."""


def _decode(
    decoder: Any, numbers: list[int], drawn: SchemeDraw, code: GradientCode
) -> dict[int, jax.Array]:
    """One decoder for all schemes that use it, in one batch: its weights by scheme."""
    if not numbers:
        return {}
    links = jax.tree.map(lambda x: x[np.array(numbers)], drawn.links)
    found = jax.vmap(decoder, (None, 0))(code, links)
    return {number: found[place] for place, number in enumerate(numbers)}


def _partial(
    one: Any, places: jax.Array, of_sum: jax.Array, single: jax.Array, normalisation: str
) -> jax.Array:
    """Weights [rows] of the sum where it decides, else of the average over K.

    ``of_sum`` float64 [rows], ``single`` float64 [clients, rows], by places on the ring.
    """
    clients = single.shape[0]
    recovered = one.weights[places] != 0
    count = one.num_recovered if normalisation == "recovered" else clients
    partial = jnp.sum(jnp.where(recovered[:, None], single, 0.0), axis=0) / jnp.maximum(count, 1)
    by_sum = one.exact & ~jnp.all(jnp.any(single != 0, axis=1))
    return jnp.where(by_sum, of_sum / clients, partial)


def aggregate_payloads(
    code: GradientCode, links: Links, places: jax.Array, weights: jax.Array, updates: PyTree
) -> PyTree:
    """Encode, erase, decode.

    Args:
      code: the gradient code.
      links: of one round, by places on the ring.
      places: int32 [clients], the client at each place.
      weights: float64 [rows], of the scheme.
      updates: pytree [clients, ..].

    Returns:
      The aggregate, a pytree without the clients axis, in the dtype of every leaf.
    """
    on_ring = jax.tree.map(lambda x: jnp.take(x, places, axis=0), updates)
    received = encode(code, links, on_ring)
    return jax.tree.map(lambda x: weighted_sum(weights, x), received)


def weighted_sum(weights: jax.Array, values: jax.Array) -> jax.Array:
    """sum_i weights_i values_i in the dtype of the values, at highest precision."""
    flat = values.reshape(values.shape[0], -1)
    total = jnp.matmul(weights.astype(values.dtype), flat, precision=jax.lax.Precision.HIGHEST)
    return total.reshape(values.shape[1:])
