"""The structure of the received matrix: its rank, its complete rows, and whom it reveals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from jaxcogc._types import Array, HostInts, Key
from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.coding.recovery import recover
from jaxcogc.links.checks import check_count
from jaxcogc.links.draws import Links, draw_links
from jaxcogc.links.network import Network
from jaxcogc.outage.intervals import Estimate, clopper_pearson
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import fold_in, split

__all__ = ["Structure", "structure", "structure_by_attempts"]

_BATCH_TRIALS = 2**12


class Structure(NamedTuple):
    """Distributions over rounds, each of `trials` trials.

    Attributes:
      rank_pmf: float64 [clients + 1], of the rank of all rows that arrived.
      complete_pmf: float64 [rows + 1], of the number of complete rows; with one code for all
        attempts a client's row counts once.
      num_recovered_pmf: float64 [clients + 1], of |K|.
      client_recovered: float64 [clients], P(k in K).
      full_rank: probability of rank M: every update can be computed.
      trials: trials counted.
    """

    rank_pmf: Float64[np.ndarray, "clients+1"]
    complete_pmf: Float64[np.ndarray, "_outcomes"]
    num_recovered_pmf: Float64[np.ndarray, "clients+1"]
    client_recovered: Float64[np.ndarray, "clients"]
    full_rank: Estimate
    trials: int


@under_plain_settings
def structure(
    key: Key,
    network: Network,
    code: GradientCode,
    *,
    num_trials: int,
    num_attempts: int = 1,
    redraw_code: bool = False,
    level: float = 0.95,
) -> Structure:
    """Simulate the structure of the received matrix of a round.

    Args:
      key: one typed key.
      network: erasure probabilities.
      code: the code of every attempt, or one that was redrawn for ``num_attempts`` attempts.
      num_trials: trials, counted exactly.
      num_attempts: attempts, at least 1.
      redraw_code: another code of the same random family in every attempt.
      level: confidence level of the interval of ``full_rank``.

    Returns:
      Structure.

    Raises:
      ValueError: a count out of range, or ``redraw_code`` with a family that is not random.

    >>> import jax
    >>> from jaxcogc import Network, cyclic_code
    >>> network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    >>> code = cyclic_code(jax.random.key(0), 4, 1)
    >>> structure(jax.random.key(1), network, code, num_trials=10).rank_pmf
    array([0., 0., 0., 1., 0.])
    """
    return structure_by_attempts(
        key,
        network,
        code,
        num_trials=num_trials,
        attempts=(num_attempts,),
        redraw_code=redraw_code,
        level=level,
    )[0]


@under_plain_settings
def structure_by_attempts(
    key: Key,
    network: Network,
    code: GradientCode,
    *,
    num_trials: int,
    attempts: Sequence[int],
    redraw_code: bool = False,
    level: float = 0.95,
) -> list[Structure]:
    """`structure` for several numbers of attempts, of the same rounds: later attempts only add.

    Args:
      attempts: numbers of attempts.
      key, network, code, num_trials, redraw_code, level: as in `structure`.

    Returns:
      One Structure for each number; all from one compiled program.
    """
    trials, most = check_count("num_trials", num_trials), max(attempts)
    for number in attempts:
        check_count("num_attempts", number)
    code_key, key = split(key)
    if redraw_code and not code.redrawn:
        code = redraw(code_key, code, most)
    clients = network.num_clients
    totals = [_Totals.zero(clients, most * clients) for _ in attempts]
    decisions = fold_in(key, 2**31)
    for batch, start in enumerate(range(0, trials, _BATCH_TRIALS)):
        counted = min(_BATCH_TRIALS, trials - start)
        links = _draw(fold_in(key, batch), network, most)
        decision = fold_in(decisions, batch)
        for index, number in enumerate(attempts):
            found = _decide(decision, code, links, np.int32(number))
            totals[index] = totals[index].plus(found, counted)
    return [
        Structure(
            total.rank / trials,
            total.complete[: number * clients + 1] / trials,
            total.num_recovered / trials,
            total.client_recovered / trials,
            clopper_pearson(int(total.rank[clients]), trials, level),
            trials,
        )
        for number, total in zip(attempts, totals, strict=True)
    ]


class _Decided(NamedTuple):
    """Of each trial of a batch: [trials], and K [trials, clients]."""

    rank: Array
    complete: Array
    recovered: Array


class _Totals(NamedTuple):
    """Trials counted, by what `Structure` has distributions of."""

    rank: HostInts
    complete: HostInts
    num_recovered: HostInts
    client_recovered: HostInts

    @classmethod
    def zero(cls, clients: int, rows: int) -> _Totals:
        lengths = (clients + 1, rows + 1, clients + 1, clients)
        return cls(*(np.zeros(length, np.int64) for length in lengths))

    def plus(self, found: _Decided, counted: int) -> _Totals:
        """With the first trials of a batch."""
        rank, complete, recovered = (np.asarray(values)[:counted] for values in found)
        return _Totals(
            self.rank + np.bincount(rank, minlength=len(self.rank)),
            self.complete + np.bincount(complete, minlength=len(self.complete)),
            self.num_recovered
            + np.bincount(recovered.sum(axis=1), minlength=len(self.num_recovered)),
            self.client_recovered + recovered.sum(axis=0),
        )


def _draw(key: Key, network: Network, attempts: int) -> Links:
    """A batch of trials; in 64-bit mode, where a traced network keeps its digits."""
    with jax.enable_x64(True):
        links: Links = _draw_batch(split(key, _BATCH_TRIALS), network, attempts)
    return links


@partial(jax.jit, static_argnums=2)
def _draw_batch(keys: Array, network: Network, attempts: int) -> Links:
    return jax.vmap(lambda key: draw_links(key, network, attempts))(keys)


@jax.jit
def _decide(key: Array, code: GradientCode, links: Links, attempts: Array) -> _Decided:
    """Rank, complete rows and K of each trial when only the first attempts are made."""
    made = jnp.arange(links.uplink_delivered.shape[1]) < attempts
    links = links._replace(uplink_delivered=links.uplink_delivered & made[:, None])
    keys = split(key, len(links.uplink_delivered))  # no chance hits all trials at once
    found = jax.vmap(recover, (0, None, 0))(keys, code, links)
    return _Decided(found.rank, found.num_complete_rows, found.client_recovered)
