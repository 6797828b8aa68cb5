"""Trials whose links the caller chooses: patterns of erased links, decided on the device.

A pattern is decided by two independent null vectors, which err together with about the square of
the chance of one (`coding.double_recovery`). Probabilities of 1e-9 and far below can be told.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.double_recovery import recover_twice
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.links.draws import Links
from jaxcogc.outage.random_links import DELIVERED, LinkTable
from jaxcogc.runtime.devices import jit_by_backend

__all__ = ["BATCH_TRIALS", "DecidedPatterns", "decide_patterns"]

BATCH_TRIALS = 2**13
"""Trials decided in one call; shorter ones are padded, so that one program serves all."""


class DecidedPatterns(NamedTuple):
    """Some trials, on the host.

    Attributes:
      erased: bool [trials, links], of the random links.
      looked_at: bool [trials, links]; False where the server hears no row that the link feeds in
        the same attempt.
      recovery: Recovery of NumPy arrays, [trials] leading.
    """

    erased: np.ndarray
    looked_at: np.ndarray
    recovery: Recovery


def decide_patterns(
    key: Key,
    code: GradientCode,
    table: LinkTable,
    erased: np.ndarray,
    *,
    keep_heard: bool = False,
) -> DecidedPatterns:
    """What given patterns of links recover.

    Args:
      key: feeds the two null vectors.
      code: the code; redrawn for the attempts of the table, or one for all of them.
      table: the random links.
      erased: bool [trials, links], at most `BATCH_TRIALS` trials; links beyond the table's are
        padding.
      keep_heard: clients keep what they heard in earlier attempts.

    Returns:
      DecidedPatterns.
    """
    trials, links = len(erased), len(table.erasure)
    padded = np.zeros((BATCH_TRIALS, len(table.gates)), bool)
    padded[:trials, : erased.shape[1]] = erased
    looked_at, recovery = _decide(key, code, table.where, table.gates, padded, keep_heard)
    return DecidedPatterns(
        erased[:, :links],
        np.asarray(looked_at)[:trials, :links],
        jax.tree.map(lambda field: np.asarray(field)[:trials], recovery),
    )


@partial(jit_by_backend, static_argnums=5)
def _decide(
    key: Key, code: GradientCode, where: Array, gates: Array, erased: Array, keep_heard: bool
) -> tuple[Array, Recovery]:
    attempts, clients, _ = where.shape
    chex.assert_shape(gates, (attempts * clients**2, 2))
    chex.assert_shape(erased, (BATCH_TRIALS, len(gates)))
    open_state = ~erased[:, jnp.maximum(where, 0)]
    delivered = jnp.where(where < 0, where == DELIVERED, open_state)
    uplinks = jnp.diagonal(delivered, axis1=-2, axis2=-1)
    heard = uplinks.reshape(len(erased), attempts * clients)
    heard = jnp.pad(heard, ((0, 0), (0, 2))).at[:, -2].set(True)
    looked_at = heard[:, gates[:, 0]] | heard[:, gates[:, 1]]
    peers = delivered | jnp.eye(clients, dtype=bool)
    if keep_heard:
        peers = lax.associative_scan(jnp.logical_or, peers, axis=1)
    links = Links(uplinks, peers)
    return looked_at, recover_twice(key, code, links)
