"""Arithmetic over the field, and elimination, in the registers of a kernel: a trial a lane."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import NamedTuple

import jax.numpy as jnp

from jaxcogc._types import Array
from jaxcogc.coding.exact.prime_field import add
from jaxcogc.outage.fused.machine_blocks import U32, apply, product_block


class Arithmetic(NamedTuple):
    """How a kernel computes with field elements, in the form that Montgomery products want.

    Attributes:
      modulus: the prime, between 2^30 and 2^31.
      on_gpu: with blocks of assembler; else by plain operations, for interpret mode.
    """

    modulus: int
    on_gpu: bool

    @property
    def unit(self) -> int:
        """The one of Montgomery products."""
        return 2**32 % self.modulus

    def add(self, x: Array, y: Array) -> Array:
        """The sum of two elements."""
        return add(x, y, self.modulus)

    def products(self, *factors: Array) -> Array:
        """Sum of the products of factors in pairs, of one pair or two at a time."""
        parts = [factors[n : n + 4] for n in range(0, len(factors), 4)]
        found = [apply(product_block(self.modulus, len(x) // 2), self.on_gpu, *x) for x in parts]
        total: Array = reduce(self.add, found)
        return total

    def minus(self, x: Array) -> Array:
        """The negative of an element, as a factor: of 0 the modulus, which products take for 0."""
        return U32(self.modulus) - x

    def total(self, elements: list[Array]) -> Array:
        """The sum of some elements."""
        found: Array = reduce(partial(add, modulus=self.modulus), elements)
        return found


class NullVector(NamedTuple):
    """Of a Gram matrix: its elements by column, and the rank, uint32."""

    elements: list[Array]
    rank: Array


def null_vector(
    field: Arithmetic,
    gram: dict[tuple[int, int], Array],
    free_element: Callable[[int], Array],
    zero: Array,
) -> NullVector:
    """Eliminate, and solve: `coding.exact.null_vector`, number for number.

    Args:
      field: of the elements.
      gram: the upper triangle, by (row, column); it is used up.
      free_element: of a column, what its element of the vector is where the column is free.
      zero: uint32 [lanes].
    """
    size = max((column for _, column in gram), default=-1) + 1
    pivots: list[Array] = []
    free: list[Array] = []
    rank = zero
    for c in range(size):
        free.append(gram[c, c] == 0)
        rank = jnp.where(free[c], rank, rank + U32(1))
        pivots.append(jnp.where(free[c], zero + U32(field.unit), gram[c, c]))
        for j in range(c + 1, size):
            minus = field.minus(gram[c, j])
            for i in range(j, size):
                gram[j, i] = field.products(pivots[c], gram[j, i], minus, gram[c, i])
    vector: list[Array] = []  # of the columns behind, the nearest first
    for c in reversed(range(size)):
        solved = zero
        if vector:
            factors = ((gram[c, c + 1 + n], x) for n, x in enumerate(vector))
            solved = negative(field, field.products(*(x for pair in factors for x in pair)))
        vector = [field.products(x, pivots[c]) for x in vector]
        vector.insert(0, jnp.where(free[c], free_element(c), solved))
    return NullVector(vector, rank)


def negative(field: Arithmetic, x: Array) -> Array:
    """The negative of an element, below the modulus."""
    return jnp.where(x == 0, x, field.minus(x))
