"""The explicit way: encode the updates, lose what is lost, decode the real vectors.

It gives what the coefficients give, at the price of the payloads; it is an option, and the proof
that the coefficients are right. Decisions are those of the exact recovery, weights those of the
real-valued decoders.
"""

from __future__ import annotations

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array, PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import gc_plus_weights, row_space_weights
from jaxcogc.coding.encoding import encode
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
from jaxcogc.federated.aggregation.rules import RULES, Decoder
from jaxcogc.federated.aggregation.schemes import SchemeDraw
from jaxcogc.links.draws import Links


def row_weights(
    names: tuple[str, ...],
    drawn: SchemeDraw,
    code: GradientCode,
    policy: LinkPolicy,
    *,
    over_field: bool = False,
) -> Array:
    """What to weigh every received row with, so that the weighted sum is the scheme's aggregate.

    Args:
      names: the schemes of ``drawn``.
      drawn: one round.
      code: the gradient code.
      policy: how partial averages are divided, and whether masked ones are taken.
      over_field: schemes with masks are decoded over the field, and need no weights here.

    Returns:
      float64 [schemes, rows]; 0 for schemes whose clients send their updates as they are.
    """
    clients, rows = code.num_clients, drawn.links.uplink_delivered.shape[1] * code.num_clients
    rules = [RULES[name] for name in names]
    if over_field:
        rules = [
            rule._replace(sum_decoder=None, client_decoder=None) if rule.masked else rule
            for rule in rules
        ]
    elif policy.masked_partials:
        rules = [
            rule._replace(client_decoder=gc_plus_weights)
            if rule.sum_decoder is row_space_weights and rule.masked
            else rule
            for rule in rules
        ]
    sums = _decode([rule.sum_decoder for rule in rules], drawn, code)
    singles = _decode([rule.client_decoder for rule in rules], drawn, code)
    with jax.enable_x64(True):
        nothing = jnp.zeros((rows,), jnp.float64)
    all_weights = []
    for number in range(len(names)):
        one: SchemeDraw = jax.tree.map(lambda x, n=number: x[n], drawn)
        weights = nothing
        with jax.enable_x64(True):
            if number in singles:
                divisor = "clients" if rules[number].unbiased else policy.partial_normalisation
                weights = _partial(one, sums[number], singles[number], divisor)
            elif number in sums:
                weights = sums[number] / clients
            all_weights.append(jnp.where(one.coefficients.hold, 0.0, weights))
    return jnp.stack(all_weights)


def _decode(
    decoders: Sequence[Decoder | None], drawn: SchemeDraw, code: GradientCode
) -> dict[int, Array]:
    """What every scheme's decoder gives, by the scheme's number; a batch for each decoder."""
    by_scheme: dict[int, Array] = {}
    for decoder in dict.fromkeys(decoders):
        if decoder is not None:
            users = np.flatnonzero([other is decoder for other in decoders])
            links = jax.tree.map(lambda x, users=users: x[users], drawn.links)
            found = jax.vmap(decoder, (None, 0))(code, links)
            by_scheme |= {int(number): found[place] for place, number in enumerate(users)}
    return by_scheme


def _partial(one: SchemeDraw, of_sum: Array, single: Array, normalisation: str) -> Array:
    """Weights [rows] of the sum where it decides, else of the average over K.

    ``of_sum`` float64 [rows], ``single`` float64 [clients, rows], by places on the ring.
    """
    clients = single.shape[0]
    recovered = one.coefficients.weights[one.places] != 0
    count = one.coefficients.num_recovered if normalisation == "recovered" else clients
    partial = jnp.sum(jnp.where(recovered[:, None], single, 0.0), axis=0) / jnp.maximum(count, 1)
    by_sum = (one.coefficients.num_recovered == clients) & ~jnp.all(jnp.any(single != 0, axis=1))
    return jnp.where(by_sum, of_sum / clients, partial)


def aggregate_payloads(
    code: GradientCode, links: Links, places: Array, weights: Array, updates: PyTree
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


def weighted_sum(weights: Array, values: Array) -> Array:
    """sum_i weights_i values_i in the dtype of the values, at highest precision."""
    chex.assert_axis_dimension(values, 0, len(weights))
    flat = values.reshape(values.shape[0], -1)
    total = jnp.matmul(weights.astype(values.dtype), flat, precision=jax.lax.Precision.HIGHEST)
    return total.reshape(values.shape[1:])
