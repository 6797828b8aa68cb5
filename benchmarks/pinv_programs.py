"""The obvious ways to decide with a pseudo-inverse, in float64.

P = R^+ R projects onto the row space. With rows scaled to unit norm and singular values cut at 1e-9
of the largest, e_k counts as recovered when its distance ||(I - P) e_k|| is at most 1e-8, and the
sum when that of the all-one vector, divided by its norm, is (docs/mathematics/null_vector.md).
The code is cyclic and the same in all attempts, so gc counts complete rows.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.decisions import Decisions
from jaxcogc import GradientCode, Links
from jaxcogc.runtime import compiler_options

CUT, DISTANCE = 1e-9, 1e-8
_SLICE = 2048


def decide(matrix: Any, stragglers: Any, uplink: Any, peer: Any, xp: Any) -> Decisions:
    """Decide stacks given as [..., attempts, clients] and [..., attempts, clients, clients].

    Args:
      matrix: float64 [clients, clients].
      stragglers: s.
      uplink, peer: bool, what was delivered.
      xp: numpy or jax.numpy.
    """
    clients = matrix.shape[-1]
    heard = uplink[..., None] & peer
    received = xp.where(heard, matrix, 0.0)
    received = received.reshape(*received.shape[:-3], -1, clients)
    norm = xp.sqrt(xp.sum(received * received, axis=-1, keepdims=True))
    scaled = received / xp.where(norm == 0, 1.0, norm)
    cut = {"rcond": CUT} if xp is np else {"rtol": CUT}
    projector = xp.linalg.pinv(scaled, **cut) @ scaled
    rest = xp.eye(clients) - projector
    distance = xp.sqrt(xp.sum(rest * rest, axis=-2))
    sum_distance = xp.sqrt(xp.sum(xp.sum(rest, axis=-1) ** 2, axis=-1) / clients)
    rank = xp.round(xp.trace(projector, axis1=-2, axis2=-1))
    complete = uplink & xp.all(peer | (matrix == 0), axis=-1)
    distinct = xp.sum(xp.any(complete, axis=-2), axis=-1)
    return Decisions(
        sum_distance <= DISTANCE,
        distance <= DISTANCE,
        rank.astype(xp.int32),
        distinct >= clients - stragglers,
    )


def numpy_loop(code: GradientCode, links: Links) -> Decisions:
    """A Python loop, one pseudo-inverse at a time."""
    one_by_one = [
        decide(code.matrix, int(code.num_stragglers), uplink, peer, np)
        for uplink, peer in zip(*links, strict=True)
    ]
    return Decisions(*(np.stack(column) for column in zip(*one_by_one, strict=True)))


def numpy_batched(code: GradientCode, links: Links) -> Decisions:
    """NumPy's pseudo-inverse of a whole slice of stacks, slices that fit the cache."""
    slices = range(0, len(links.uplink_delivered), _SLICE)
    matrix, stragglers = code.matrix, int(code.num_stragglers)
    parts = []
    for i in slices:
        uplink, peer = (x[i : i + _SLICE] for x in links)
        parts.append(decide(matrix, stragglers, uplink, peer, np))
    return Decisions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def jax_vmapped(code: GradientCode, links: Links) -> Decisions:
    """``jit(vmap(...))`` around ``jnp.linalg.pinv``, in float64; waits for the result."""
    with jax.enable_x64(True):
        found = _jax_vmapped(jnp.asarray(code.matrix), code.num_stragglers, *links)
        return jax.block_until_ready(found)


@partial(jax.jit, compiler_options=compiler_options(jax.default_backend()))
def _jax_vmapped(matrix, stragglers, uplink, peer):
    def one(uplink, peer):
        return decide(matrix, stragglers, uplink, peer, jnp)

    return jax.vmap(one)(uplink, peer)
