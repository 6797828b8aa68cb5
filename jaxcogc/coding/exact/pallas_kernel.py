"""The null vector on a GPU with the elimination state in registers (Pallas, Triton backend).

The XLA program streams its state through memory between stages. Here one thread owns one trial:
the upper triangle of the weighted Gram matrix, clients (clients + 1) / 2 numbers, is formed,
eliminated and solved without leaving the chip. Same algorithm as `null_vector.null_vector`, same
answers; everything is unrolled, so it is meant for up to `MAX_CLIENTS` clients.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxcogc._types import Array
from jaxcogc.coding.exact import prime_field as field
from jaxcogc.coding.exact.gram import GramTerms

MAX_CLIENTS = 16
_LANES = 128


def null_vector(
    rows: Array, code: GramTerms, random: Array, modulus: int, interpret: bool = False
) -> tuple[Array, Array]:
    """`null_vector.null_vector` as one kernel.

    Args:
      rows, code, random, modulus: as in `null_vector.null_vector`; trials a multiple of 128 and at
        most 16 clients (one word of bits a row).
      interpret: run the kernel's operations one by one on any backend, for tests.

    Returns:
      The null vector, uint32 [clients, trials], and the rank, int32 [trials].
    """
    _, attempts, clients, trials = rows.shape
    if clients > MAX_CLIENTS or trials % _LANES:
        raise ValueError(
            f"{clients} clients and {trials} trials: must be at most {MAX_CLIENTS} and a multiple"
            f" of {_LANES}"
        )
    whole = pl.BlockSpec(code.terms.shape, lambda tile: (0, 0, 0, 0))
    by_client = pl.BlockSpec((clients, _LANES), lambda tile: (0, tile))
    found: tuple[Array, Array] = pl.pallas_call(
        partial(_kernel, modulus=modulus),
        grid=(trials // _LANES,),
        in_specs=[
            pl.BlockSpec((attempts, clients, _LANES), lambda tile: (0, 0, tile)),
            whole,
            by_client,
        ],
        out_specs=(by_client, pl.BlockSpec((_LANES,), lambda tile: (tile,))),
        out_shape=(
            jax.ShapeDtypeStruct((clients, trials), jnp.uint32),
            jax.ShapeDtypeStruct((trials,), jnp.int32),
        ),
        compiler_params=triton.CompilerParams(num_warps=_LANES // 32),
        interpret=interpret,
    )(rows[0], code.terms, random)
    return found


def _kernel(
    rows_ref: jax.Ref,
    terms_ref: jax.Ref,
    random_ref: jax.Ref,
    vector_ref: jax.Ref,
    rank_ref: jax.Ref,
    *,
    modulus: int,
) -> None:
    attempts, clients, _ = rows_ref.shape
    multiply, add, subtract = (
        partial(f, modulus=modulus) for f in (field.multiply, field.add, field.subtract)
    )
    bits = [[rows_ref[a, m, :] for m in range(clients)] for a in range(attempts)]
    unit = jnp.full_like(bits[0][0], field.one(modulus))

    def gram(j: int, i: int) -> Array:
        total = jnp.zeros_like(unit)
        diagonal, column = min(((i - j) % clients, j), ((j - i) % clients, i))
        for offset in range(clients):
            receiver = (column - offset) % clients
            pair = np.uint32(1 << offset | 1 << (offset + diagonal) % clients)
            for attempt in range(attempts):
                both = bits[attempt][receiver] & pair == pair
                term = terms_ref[diagonal, offset, attempt, column]
                total = add(total, jnp.where(both, term, jnp.zeros_like(unit)))
        return total

    pivot_rows: list[dict[int, Array]] = []
    pivots: list[Array] = []
    free: list[Array] = []
    later: list[Array] = []  # of every column so far: product of the pivots behind it
    product = unit
    for j in range(clients):
        weights = [multiply(f, row[j]) for f, row in zip(later, pivot_rows, strict=True)]
        row: dict[int, Array] = {}
        for i in range(j, clients):
            row[i] = multiply(product, gram(j, i))
            for weight, other in zip(weights, pivot_rows, strict=True):
                row[i] = subtract(row[i], multiply(weight, other[i]))
        pivot_rows.append(row)
        free.append(row[j] == 0)
        pivots.append(jnp.where(free[j], unit, row[j]))
        later = [*(multiply(f, pivots[j]) for f in later), unit]
        product = multiply(product, pivots[j])

    solved: dict[int, Array] = {}
    for c in reversed(range(clients)):
        total = jnp.zeros_like(unit)
        for i, value in solved.items():
            total = add(total, multiply(pivot_rows[c][i], value))
        solved = {i: multiply(value, pivots[c]) for i, value in solved.items()}
        solved[c] = jnp.where(free[c], random_ref[c, :], subtract(jnp.zeros_like(unit), total))
    for c in range(clients):
        vector_ref[c, :] = solved[c]
    rank_ref[:] = sum(jnp.where(is_free, 0, 1).astype(jnp.int32) for is_free in free)
