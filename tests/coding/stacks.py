"""Many stacks of received rows at once, and what the Python integers of the oracle say of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxcogc.coding.codes import GradientCode, cyclic_code
from jaxcogc.coding.decoding import (
    gc_plus_weights,
    gc_weights,
    least_squares_coefficients,
    row_space_weights,
)
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.coding.host_field import MERSENNE_31
from jaxcogc.coding.recovery import recover
from jaxcogc.links.draws import Links
from tests.quick import quick_jit
from tests.reference import PRIME, decide_links

# Decoders over the reals, and a code for them.
DECODERS = [gc_weights, row_space_weights, gc_plus_weights, least_squares_coefficients]
CODE = cyclic_code(jax.random.key(0), 6, 3)
CHUNK = 64  # one batch size, so that all tests share the compiled programs
DECODED = 256  # the same for decoders over the reals
_recover_chunk = quick_jit(jax.vmap(recover, (None, None, 0)))


@partial(quick_jit, static_argnums=0)
def decode_at_once(decoder: Callable[..., Any], code: GradientCode, links: Links) -> Any:
    """A decoder over the reals under `jit` and `vmap`, with a program for this number of stacks."""
    return jax.vmap(decoder, (None, 0))(code, links)


def decode_many(decoder: Callable[..., Any], code: GradientCode, links: Links) -> Any:
    """The same, for any number of stacks; NumPy arrays."""
    # These decoders read the matrix alone: families of one size share a program.
    code = dataclasses.replace(code, family="custom", modulus=MERSENNE_31)
    stacks: int = len(links.uplink_delivered)
    found: list[Any] = []
    for start in range(0, stacks, DECODED):
        part: list[Any] = [np.asarray(x)[start : start + DECODED] for x in links]
        length = len(part[0])
        missing = DECODED - length
        padded: list[Any] = [np.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1)) for x in part]
        decoded = decode_at_once(decoder, code, Links(padded[0], padded[1]))
        found.append(jax.tree.map(lambda x, length=length: np.asarray(x)[:length], decoded))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)


def recover_many(code: GradientCode, links: Links, key: jax.Array | None = None) -> Recovery:
    """`recover` under `jit` and `vmap`, for any number of stacks; NumPy arrays."""
    key = jax.random.key(0) if key is None else key
    stacks: int = len(links.uplink_delivered)
    found: list[Any] = []
    for start in range(0, stacks, CHUNK):
        part: list[Any] = [np.asarray(x)[start : start + CHUNK] for x in links]
        missing = CHUNK - len(part[0])
        padded: list[Any] = [np.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1)) for x in part]
        recovery = _recover_chunk(key, code, Links(padded[0], padded[1]))
        found.append([np.asarray(x)[: len(part[0])] for x in recovery])
    fields: Any = map(np.concatenate, zip(*found, strict=True))
    return Recovery(*fields)


def random_links(
    source: np.random.Generator,
    shape: tuple[int, int, int],
    uplink_erasure: Any = 0.4,
    peer_erasure: Any = 0.25,
) -> Links:
    """Independent links of [stacks, attempts, clients]; probabilities broadcast against links."""
    stacks, attempts, clients = shape
    uplink = source.uniform(size=shape) >= uplink_erasure
    peer = source.uniform(size=(stacks, attempts, clients, clients)) >= peer_erasure
    return Links(uplink, peer | np.eye(clients, dtype=bool))


def field_code(field_matrix: Any, family: str = "custom", num_stragglers: int = 0) -> GradientCode:
    """A code by its coefficients over GF(2^31 - 1) alone; the real ones are not looked at."""
    field_matrix = np.asarray(field_matrix, np.int64) % MERSENNE_31
    stragglers = np.int32(num_stragglers)
    field_words = field_matrix.astype(np.uint32)
    return GradientCode(field_matrix.astype(float), field_words, stragglers, family)


def oracle(matrices: Sequence[Any], links: Links, prime: int = PRIME) -> Recovery:
    """Every stack by elimination over GF(2^61 - 1): one integer matrix an attempt."""
    decided = [decide_links(matrices, *stack, prime) for stack in zip(*links, strict=True)]
    fields: Any = map(np.array, zip(*decided, strict=True))
    return Recovery(*fields)


def disagreements(found: Recovery, expected: Recovery) -> dict[str, int]:
    """Stacks on which a decoder differs from the oracle, by field; empty when it never does."""
    differ = {}
    for name in Recovery._fields:
        ours, theirs = (np.asarray(getattr(recovery, name)) for recovery in (found, expected))
        assert ours.shape == theirs.shape, name
        wrong = (ours != theirs).reshape(len(theirs), -1).any(axis=1)
        if wrong.any():
            differ[name] = int(wrong.sum())
    return differ


def dependent_rows(number, one):
    """Rows 0, 1, 2 depend on each other, though their four clients leave room for three; rows 0, 3
    and 4 add up to 1."""
    first, second, dense = number(0, 4), number(4, 4), number(8, 5)
    a, b, c, d = number(13, 4)
    r0, r1 = (np.append(x, 0) for x in (first, second))
    return [r0, r1, a * r0 + b * r1, dense, one - c * r0 - d * dense]


def rows_of_roots():
    """They are so only up to rounding: no prime field has them."""
    roots = np.sqrt(np.arange(2.0, 40.0))
    return np.array(dependent_rows(lambda n, size: roots[n : n + size], 1.0))
