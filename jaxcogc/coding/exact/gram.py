"""Weighted Gram matrices W = R^T diag(d) R of many received matrices over GF(q), batch axis last.

Entry (j, i) adds d_r b_rj b_ri over the rows r that arrived and hold both clients. A row that holds
client j reaches at most as far around the ring as its code's support, so W is formed diagonal by
diagonal, and of each only the offsets that the support uses: a cyclic code with s stragglers fills
(s + 1)(s + 2) / 2 of clients (clients + 1) / 2 (offset, diagonal) pairs.
"""

from __future__ import annotations

import operator
from functools import partial, reduce
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import AnyArray, Array, ArrayLike
from jaxcogc.coding.exact.prime_field import add, multiply, random_elements
from jaxcogc.links.packed_draws import Needed, needed
from jaxcogc.runtime.compute_once import Once, zeros_like_mesh
from jaxcogc.runtime.random_words import threefry

_GROUP = 4  # offsets that one pass over a diagonal adds
_UNROLLED_ATTEMPTS = 8  # more of them go round a loop, or compiling would take minutes


class GramTerms(NamedTuple):
    """The code's share of the Gram matrices of all trials, diagonal by diagonal around the ring.

    Attributes:
      terms: uint32 [diagonals, offsets, attempts, clients]; entry [d, o, a, j] is d_r b_rj b_ri for
        i = j + d and the row r of attempt a whose receiver stands o places before client j. Half
        of the ring is enough, as W is symmetric; zeros fill the last group of offsets. Where the
        program knows how far rows reach, only those offsets and diagonals.
      pairs: of offsets that the support uses, as `draw_rows` wants them.
      used: what of them the support uses; None where the program knows how far rows reach.
    """

    terms: Array
    pairs: Needed
    used: UsedTerms | None

    @property
    def reach(self) -> int | None:
        """How far rows reach at most, where the program knows it."""
        return None if self.used else self.terms.shape[1] - 1


class UsedTerms(NamedTuple):
    """Which terms the support of a code uses.

    Attributes:
      diagonals: those that are not zero.
      groups: of every diagonal, the groups of `_GROUP` offsets that it uses.
    """

    diagonals: Needed
    groups: Needed


def gram_terms(
    coefficients: Array, modulus: int, choice: ArrayLike = 0, reach: int | None = None
) -> GramTerms:
    """Prepare a code for ``null_vector``.

    Args:
      coefficients: uint32 [attempts, clients, clients], the code over GF(modulus).
      modulus: a prime below 2^31.
      choice: of the generic weights, uint32.
      reach: how far around the ring its rows reach at most, where that is known when the program
        is compiled; None looks.
    """
    attempts, clients, _ = coefficients.shape
    weighted = multiply(row_weights(attempts, clients, modulus, choice), coefficients, modulus)
    furthest = clients - 1 if reach is None else reach
    column, offset = np.arange(clients), np.arange(furthest + 1)[:, None]
    diagonal = np.arange(min(furthest, clients // 2) + 1)[:, None, None]
    receiver = (column - offset) % clients
    first = weighted[:, receiver, column]
    second = coefficients[:, receiver, (column + diagonal) % clients]
    terms = jnp.moveaxis(multiply(first[:, None], second, modulus), 0, 2)
    used = jnp.any(first != 0, axis=(0, 2))
    # Offset 0 carries the uplinks.
    pairs = needed(jnp.any(_cut(used.at[0].set(True), 2), axis=-1))
    if reach is not None:
        return GramTerms(terms, pairs, None)
    both = used & used[(column + diagonal[:, 0]) % clients]
    groups = jnp.any(_cut(both, _GROUP), axis=-1)
    padding = -clients % _GROUP
    return GramTerms(
        jnp.pad(terms, ((0, 0), (0, padding), (0, 0), (0, 0))),
        pairs,
        UsedTerms(needed(jnp.any(groups, axis=1)), needed(groups)),
    )


def row_weights(attempts: int, clients: int, modulus: int, choice: ArrayLike = 0) -> Array:
    """The generic weight of every row, not 0: uint32 [attempts, clients, 1]; ``choice`` of them."""
    rows = jnp.arange(attempts * clients, dtype=jnp.uint32)
    words, _ = threefry((jnp.uint32(0), jnp.uint32(0)), (rows, jnp.asarray(choice, jnp.uint32)))
    return (random_elements(words, modulus - 1) + 1).reshape(attempts, clients, 1)


def _cut(flags: Array, size: int) -> Array:
    """The last axis in groups of that size, False where there is nothing."""
    padding = [(0, 0)] * (flags.ndim - 1) + [(0, -flags.shape[-1] % size)]
    return jnp.pad(flags, padding).reshape(*flags.shape[:-1], -1, size)


def gram_matrices(once: Once, rows: Array, code: GramTerms, modulus: int) -> Array:
    """The Gram matrices of all trials, diagonal by diagonal around the ring.

    Args:
      once: from `in_branches`.
      rows, code, modulus: as in `null_vector.null_vector`.

    Returns:
      uint32 [diagonals, clients, trials]; [d, j] is entry (j, j + d).
    """
    if code.used is None:
        return _known_diagonals(once, rows, code.terms, modulus)
    return _used_diagonals(once, rows, code.terms, code.used, modulus)


def _known_diagonals(once: Once, rows: Array, terms: Array, modulus: int) -> Array:
    """Where the program knows which offsets meet in each diagonal."""
    num_words, clients, reach = len(rows), terms.shape[-1], terms.shape[1] - 1
    wrapped = once(lambda rows: jnp.concatenate([rows, rows], axis=2), rows)

    def add_all(diagonal: int, wrapped: Array, terms: Array) -> Array:
        total = jnp.zeros((clients, wrapped.shape[-1]), jnp.uint32)
        for offset in range(reach + 1):
            other = (offset + diagonal) % clients
            if other <= reach:
                bits = _bits(np.array(offset), num_words) | _bits(np.array(other), num_words)
                own = wrapped[:, :, clients - offset : 2 * clients - offset]
                total = _add_offset(total, own, terms[offset], bits, modulus)
        return total

    diagonals = [once(partial(add_all, d), wrapped, own) for d, own in enumerate(terms)]
    return jnp.stack(diagonals)


def _used_diagonals(
    once: Once, rows: Array, all_terms: Array, used: UsedTerms, modulus: int
) -> Array:
    """Where only the code tells, which the program gets when it runs."""
    num_words, attempts, clients, trials = rows.shape
    part = partial(lax.dynamic_slice_in_dim, allow_negative_indices=False)
    nobody = zeros_like_mesh(rows, (num_words, attempts, _GROUP - 1, trials), jnp.uint32)
    # Before the ring stands what the last group has beyond the last offset.
    wrapped = once(lambda *parts: jnp.concatenate(parts, axis=2), nobody, rows, rows)

    def add_some(total: Array, window: Array, terms: Array, bits: Array) -> Array:
        for place in range(_GROUP):
            start = _GROUP - 1 - place
            own = window[:, :, start : start + clients]
            total = _add_offset(total, own, terms[place], bits[:, place], modulus)
        return total

    def add_group(total: Array, window: Array, terms: Array, bits: Array) -> Array:
        if attempts <= _UNROLLED_ATTEMPTS:
            return once(add_some, total, window, terms, bits)

        def add_attempt(attempt: Array, total: Array) -> Array:
            own, own_terms = part(window, attempt, 1, axis=1), part(terms, attempt, 1, axis=1)
            return once(add_some, total, own, own_terms, bits)

        summed: Array = lax.fori_loop(0, attempts, add_attempt, total)
        return summed

    def fill(step: Array, gram: Array) -> Array:
        diagonal = used.diagonals.numbers[step]

        def add_next(number: Array, total: Array) -> Array:
            first = _GROUP * used.groups.numbers[diagonal, number]
            offset = first + np.arange(_GROUP)
            bits = _bits(offset, num_words) | _bits((offset + diagonal) % clients, num_words)
            window = part(wrapped, clients - first, clients + _GROUP - 1, axis=2)
            return add_group(total, window, part(all_terms[diagonal], first, _GROUP), bits)

        zeros = zeros_like_mesh(wrapped, gram.shape[1:], jnp.uint32)
        total = lax.fori_loop(0, used.groups.num_needed[diagonal], add_next, zeros)
        put: Array = lax.dynamic_update_index_in_dim(
            gram, total, diagonal, 0, allow_negative_indices=False
        )
        return put

    gram = zeros_like_mesh(wrapped, (len(all_terms), clients, trials), jnp.uint32)
    filled: Array = lax.fori_loop(0, used.diagonals.num_needed, fill, gram)
    return filled


def _add_offset(total: Array, rows: Array, terms: Array, bits: Array, modulus: int) -> Array:
    """Add the terms of the rows whose receivers stand so many places before each client.

    Args:
      total: uint32 [clients, trials].
      rows: uint32 [words, attempts, clients, trials], of those receivers.
      terms: uint32 [attempts, clients].
      bits: uint32 [words], those that a row must have to be added.
    """
    held = (x & bit == bit for x, bit in zip(rows, bits, strict=True))
    for both, term in zip(reduce(operator.and_, held), terms, strict=True):
        total = add(total, jnp.where(both, term[:, None], np.uint32(0)), modulus)
    return total


def _bits(offsets: AnyArray, num_words: int) -> Array:
    """uint32 [words, offsets]: the one bit of each offset is set."""
    bit = jnp.left_shift(np.uint32(1), (offsets % 32).astype(jnp.uint32))
    return jnp.where(np.arange(num_words)[:, None] == offsets // 32, bit, np.uint32(0))


def gram_panel(width: int, columns: AnyArray, gram: Array) -> Array:
    """Some columns of the Gram matrices next to each other, at these clients.

    Args:
      width: how many columns.
      columns: int [held], their clients first and all later ones whose entries matter, in order.
      gram: from `gram_matrices`.

    Returns:
      uint32 [width, held, trials]; left of the diagonal stands anything.
    """
    clients, start = gram.shape[1], int(columns[0])
    flat = gram.reshape(-1, gram.shape[-1])

    def row(column: int) -> Array:
        """Entries (column, i) for all i from the column on."""
        number = clients - column
        near = gram[:number, column]
        far = range(max(len(gram), clients - len(gram) + 1), number)  # i - column, of (i, column)
        between = jnp.zeros((number - len(near) - len(far), gram.shape[-1]), gram.dtype)
        parts = [near, between]
        if far:
            last = (clients - far[-1]) * clients + column + far[-1]
            end = (clients - far[0]) * clients + column + far[0]
            parts.append(jnp.flip(flat[last : end + 1 : clients - 1], axis=0))
        return jnp.concatenate(parts)

    rows = (row(start + c) for c in range(width))
    block = jnp.stack([jnp.pad(row, ((c, 0), (0, 0))) for c, row in enumerate(rows)])
    runs = np.split(columns - start, np.flatnonzero(np.diff(columns) > 1) + 1)
    return jnp.concatenate([block[:, run[0] : run[-1] + 1] for run in runs], axis=1)
