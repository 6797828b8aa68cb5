"""Elimination around the ring: a window of columns and the border are in registers.

The elimination is that of `coding.exact.null_vector`, number for number. There every entry takes
part in every step; here an entry is multiplied by the product of all earlier pivots (``scale``)
when its column comes into the window.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxcogc._types import Array
from jaxcogc.outage.fused.elimination import Arithmetic, negative
from jaxcogc.outage.fused.machine_blocks import U32
from jaxcogc.outage.fused.ring_inputs import RingSize
from jaxcogc.outage.fused.ring_memory import Index, Memory, around


class Zeros(NamedTuple):
    """Of a null vector.

    Attributes:
      clients: words with a bit for each client where it is zero.
      total: 1 where its sum is zero.
      rank: of the rows.
      before: what ``total`` was of the stack before.
    """

    clients: list[Array]
    total: Array
    rank: Array
    before: Array


class _Solved(NamedTuple):
    """What is known of the null vector behind a column, up to a factor.

    Attributes:
      window: its elements in the next columns.
      border: in the border.
      total: the sum of all.
      bits: where it is zero, the next column's bit the lowest.
      rank: pivots that are not zero.
    """

    window: list[Array]
    border: list[Array]
    total: Array
    bits: list[Array]
    rank: Array


def zeros_around(
    size: RingSize,
    memory: Memory,
    free_elements: Callable[[], Callable[[Index], Array]],
    zero: Array,
) -> Zeros:
    """Eliminate, and solve for the null vector from the last client to the first.

    Args:
      size: of the kernel.
      memory: with the sums of all pairs of clients.
      free_elements: makes, when registers are free again, the function that gives the element of a
        client whose column is free.
      zero: uint32 [lanes].
    """
    _eliminate_window(size, memory, zero)
    for group in size.border_groups:
        _eliminate_across(size, memory, group, zero)
    _eliminate_border(size, memory)
    solve = partial(_solve, size, memory, free_elements())
    known = _Solved([zero] * size.border, [], zero, [zero] * size.client_words, zero)
    known = lax.fori_loop(0, size.border, partial(solve, size.clients - 1), known)
    known = known._replace(window=[zero] * size.window, border=known.window)
    known = lax.fori_loop(0, size.pivots, partial(solve, size.pivots - 1), known)
    total = jnp.where(known.total == 0, U32(1), U32(0))
    return Zeros(known.bits, total, known.rank, zero)


def _near(size: RingSize, memory: Memory, client: Index, distance: int) -> Array:
    """The Gram entry of a client and a later one: over rows that hold the other so many places on,
    or that go on around the ring to the first."""
    found = memory.read(memory.pair(client, distance))
    if size.clients - distance > size.reach:
        return found
    behind = memory.pair(around(size, client + distance), size.clients - distance)
    return size.field.add(found, memory.read(behind))


def _with_border(size: RingSize, memory: Memory, client: Array, place: int) -> Array:
    """The Gram entry of a client and a column of the border; zero where it is no client before."""
    column, reach = size.pivots + place, size.reach
    onwards = column - client
    back = size.clients - onwards
    places = [
        (onwards <= reach, memory.pair(client, jnp.minimum(onwards, reach))),
        (back <= reach, memory.pair(column, jnp.minimum(back, reach))),
    ]
    if 2 * reach < size.clients:  # one of them at most
        (near, first), (_, second) = places
        places = [(near | places[1][0], jnp.where(near, first, second))]
    before = client < size.pivots
    parts = [jnp.where(holds & before, memory.read(at), U32(0)) for holds, at in places]
    return size.field.total(parts)


def _entering(size: RingSize, memory: Memory, client: Array, before: int) -> Array:
    """The Gram entry of a client with the one so many before it; zero where there is none."""
    first = client - before
    holds = (first >= 0) & (client < size.pivots)
    return jnp.where(holds, _near(size, memory, jnp.maximum(first, 0), before), U32(0))


def _without(
    field: Arithmetic, factor: Array, entries: list[Array], own: Array, others: list[Array]
) -> list[Array]:
    """A row after a pivot: the entries by a factor, less its own entry by those of the pivot."""
    minus = field.minus(own)
    pairs = zip(entries, others, strict=True)
    return [field.products(factor, x, minus, other) for x, other in pairs]


def _pivot(field: Arithmetic, entry: Array) -> Array:
    """By what a pivot multiplies: one where its column is free."""
    return jnp.where(entry == 0, jnp.zeros_like(entry) + U32(field.unit), entry)


def _eliminate_window(size: RingSize, memory: Memory, zero: Array) -> None:
    """Take every column before the border out of those behind it, within the window."""
    near, width = partial(_entering, size, memory), size.window

    def enter(client: Array, inside: list[list[Array]]) -> list[list[Array]]:
        return [[*row, near(client, width - 1 - n)] for n, row in enumerate([*inside[1:], []])]

    inside = lax.fori_loop(0, width, enter, [[zero] * (width - n) for n in range(width)])
    _eliminate(size.field, memory, 0, size.pivots, inside, near)


def _eliminate(
    field: Arithmetic,
    memory: Memory,
    start: int,
    number: int,
    inside: list[list[Array]],
    near: Callable[[Array, int], Array] | None,
) -> None:
    """Take some columns out of those behind them, and write their rows into memory.

    Args:
      field, memory: of the kernel.
      start, number: of the columns.
      inside: by column that comes next, its entries from the diagonal on: a triangle.
      near: ``near(client, before)`` gives the entry of a column that comes into the triangle with
        the one so many before it; None where none comes.
    """
    width = len(inside)

    def eliminate(
        step: Array, state: tuple[list[list[Array]], Array]
    ) -> tuple[list[list[Array]], Array]:
        (row, *others), scale = state
        column, zero = start + step, jnp.zeros_like(scale)
        last = zero if near is None else field.products(scale, near(column + width, width))
        first, *row = [*row, last]
        for place, entry in enumerate([first, *row]):
            memory.write(memory.eliminated(column, place), entry)
        pivot = _pivot(field, first)
        scale = field.products(scale, pivot)
        updated = []
        for n, entries in enumerate([*others, []]):  # in the order in which registers become free
            new = [zero]
            if near is not None:
                entering = near(column + width, width - 1 - n)
                new = _without(field, scale, [entering], row[n], row[-1:])
            updated.append([*_without(field, pivot, entries, row[n], row[n:-1]), *new])
        return updated, scale

    unit = jnp.zeros_like(inside[0][0]) + U32(field.unit)
    lax.fori_loop(0, number, eliminate, (inside, unit))


def _eliminate_across(size: RingSize, memory: Memory, group: range, zero: Array) -> None:
    """The same of some columns of the border, once the window is done."""
    field, width = size.field, size.window
    first_place = 1 + width

    def entering(client: Array) -> list[Array]:
        return [_with_border(size, memory, client, k) for k in group]

    def enter(client: Array, across: list[list[Array]]) -> list[list[Array]]:
        return [*across[1:], entering(client)]

    def eliminate(
        column: Array, state: tuple[list[list[Array]], Array]
    ) -> tuple[list[list[Array]], Array]:
        (own, *others), scale = state
        for k, entry in zip(group, own, strict=True):
            memory.write(memory.eliminated(column, first_place + k), entry)
        pivot = _pivot(field, memory.read(memory.eliminated(column, 0)))
        scale = field.products(scale, pivot)
        updated = []
        for n in range(width):
            factor = memory.read(memory.eliminated(column, 1 + n))
            last = n + 1 == width
            entries = entering(column + width) if last else others[n]
            updated.append(_without(field, scale if last else pivot, entries, factor, own))
        return updated, scale

    across = lax.fori_loop(0, width, enter, [[zero] * len(group)] * width)
    lax.fori_loop(0, size.pivots, eliminate, (across, zero + U32(field.unit)))


def _eliminate_border(size: RingSize, memory: Memory) -> None:
    """Take the columns before the border out of the border, and then its own one by one."""
    first_place = 1 + size.window

    def take_out(column: Array, border: list[list[Array]]) -> list[list[Array]]:
        pivot = _pivot(size.field, memory.read(memory.eliminated(column, 0)))
        own = [memory.read(memory.eliminated(column, first_place + k)) for k in range(size.border)]
        return [
            _without(size.field, pivot, entries, own[k], own[k:])
            for k, entries in enumerate(border)
        ]

    border = [
        [_near(size, memory, size.pivots + k, n) for n in range(size.border - k)]
        for k in range(size.border)
    ]
    border = lax.fori_loop(0, size.pivots, take_out, border)
    _eliminate(size.field, memory, size.pivots, size.border, border, None)


def _solve(
    size: RingSize,
    memory: Memory,
    free_element: Callable[[Index], Array],
    last: int,
    step: Array,
    known: _Solved,
) -> _Solved:
    """One column more, from the last of some columns towards the first."""
    field, column = size.field, last - step
    width = len(known.window) + len(known.border)
    first, *row = (memory.read(memory.eliminated(column, n)) for n in range(1 + width))
    free, pivot = first == 0, _pivot(field, first)
    factors = zip(row, [*known.window, *known.border], strict=True)
    solved = negative(field, field.products(*(x for pair in factors for x in pair)))
    element = jnp.where(free, free_element(column), solved)
    window = [element, *(field.products(x, pivot) for x in known.window[:-1])]
    return _Solved(
        window,
        [field.products(x, pivot) for x in known.border],
        field.add(field.products(known.total, pivot), element),
        _shift_in(known.bits, element),
        jnp.where(free, known.rank, known.rank + U32(1)),
    )


def _shift_in(bits: list[Array], element: Array) -> list[Array]:
    """One bit more at the low end: whether an element is zero."""
    lowest = jnp.where(element == 0, U32(1), U32(0))
    above = [lowest, *(word >> U32(31) for word in bits[:-1])]
    return [word << U32(1) | x for word, x in zip(bits, above, strict=True)]
