"""Rounds whose clients share masked updates: what the server decodes, and how far off it is."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array, Key, PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import gc_weights
from jaxcogc.coding.encoding import received_matrix
from jaxcogc.coding.exact.prime_field import add
from jaxcogc.coding.field_payload import field_weights, sum_over_field
from jaxcogc.federated.aggregation.rules import RULES
from jaxcogc.federated.aggregation.schemes import SchemeDraw
from jaxcogc.federated.privacy.masks import (
    average_of_residues,
    field_step,
    left_of_masks,
    masked_error,
    root_mean_square,
    to_residues,
    zero_sum_masks,
    zero_sum_residues,
)
from jaxcogc.federated.rounds.payload import aggregate_payloads


class MaskErrors(NamedTuple):
    """How far a decoded average is from that of the updates, over their root mean square.

    Attributes:
      measured, predicted: floating scalars; NaN without masks, or in a held round.
    """

    measured: Array
    predicted: Array


def field_rows(names: tuple[str, ...], drawn: SchemeDraw, code: GradientCode) -> Array:
    """What to weigh received rows with over the field, uint32 [schemes, rows]; 0 without masks.

    Args:
      names: the schemes of ``drawn``.
      drawn: one round.
      code: the gradient code.
    """
    found = []
    for number, name in enumerate(names):
        links = jax.tree.map(lambda x, n=number: x[n], drawn.links)
        rule = RULES[name]
        if rule.masked:
            found.append(field_weights(code, links, complete=rule.sum_decoder is gc_weights))
        else:
            found.append(jnp.zeros(links.uplink_delivered.size, jnp.uint32))
    return jnp.stack(found)


def aggregate_masked(
    key: Key, code: GradientCode, drawn: SchemeDraw, shared: PyTree, mask_ratio: float
) -> PyTree:
    """What the server decodes of one run's payloads behind masks.

    Args:
      key: of the masks: one a round, in all of its attempts and repeats.
      code: the gradient code.
      drawn: of the run and the round.
      shared: pytree [clients, ..], the updates as clients share them.
      mask_ratio: deviation of a mask over the root mean square of the updates.
    """
    if drawn.field_rows is None:
        masks = zero_sum_masks(key, shared, mask_ratio * root_mean_square(shared))
        worn = jax.tree.map(jnp.add, shared, masks)
        assert drawn.rows is not None
        return aggregate_payloads(code, drawn.links, drawn.places, drawn.rows, worn)
    q, weights = code.modulus, drawn.field_rows
    step, masks = field_step(shared, q), zero_sum_residues(key, shared, q)

    def one(updates: Array, mask: Array) -> Array:
        worn = add(to_residues(updates, step, q), mask, q)
        on_ring = jnp.take(worn, drawn.places, axis=0)
        total = sum_over_field(code, drawn.links, weights, on_ring)
        average = average_of_residues(total, step, q, len(updates)).astype(updates.dtype)
        return jnp.where(drawn.coefficients.hold, 0, average)

    return jax.tree.map(one, shared, masks)


def mask_errors(
    code: GradientCode,
    drawn: SchemeDraw,
    shared: PyTree,
    decoded: PyTree,
    exact: PyTree,
    mask_ratio: float,
) -> MaskErrors:
    """Measured and predicted errors of one run's decoded average; NaN where it holds.

    Args:
      code, drawn, shared, mask_ratio: as in `aggregate_masked`.
      decoded: what that returned.
      exact: the aggregate of updates without masks.
    """
    size = root_mean_square(shared)
    measured = root_mean_square(jax.tree.map(jnp.subtract, decoded, exact)) / size
    clients, dtype = code.num_clients, size.dtype
    unit = float(jnp.finfo(dtype).eps) / 2
    if drawn.field_rows is None:
        assert drawn.rows is not None
        rows = received_matrix(code, drawn.links).astype(dtype)
        weights = drawn.rows.astype(dtype) * clients
        rounding = masked_error(weights, rows, mask_ratio, unit)
        left = left_of_masks(drawn.coefficients.num_recovered, mask_ratio, clients)
    else:
        rounding = unit * root_mean_square(exact) / size
        left = field_step(shared, code.modulus) / size / np.sqrt(12 * clients)
    predicted = jnp.sqrt(jnp.square(rounding) + jnp.square(left)).astype(dtype)
    unknown = jnp.full((), jnp.nan, dtype)
    return MaskErrors(
        *(jnp.where(drawn.coefficients.hold, unknown, x) for x in (measured, predicted))
    )
