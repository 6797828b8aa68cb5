"""The competitor's whole pipeline: own generator, draw, decode and count, in Numba.

Every trial has a SplitMix64 stream of its own, so counts do not depend on the number of threads. A
link takes one 32-bit word against a 32-bit threshold (ours is exact to 2^-64); uplinks are drawn
first, and links between clients only for rows that arrived and only on the support of the code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit, prange

from benchmarks.numba_kernels import (
    GOLDEN,
    MODULUS,
    STREAM,
    eliminate_kernel,
    is_zero,
    null_vector_kernel,
    splitmix,
)
from jaxcogc import GradientCode, Network, OutcomeCounts

_CHUNKS, _SMALLEST_CHUNK = 64, 1024
_MASK = np.uint64(MODULUS)
_TRIALS, _GC, _FULL, _PARTIAL, _EXACT, _AVERAGED, _ALL, _RANK = range(8)


def simulate(
    network: Network, code: GradientCode, num_attempts: int, num_trials: int, seed: int = 0
) -> OutcomeCounts:
    """Draw and count, on all cores: the same counts as ours, other random numbers.

    Args:
      network: erasure probabilities below 1, not reciprocal.
      code: a cyclic code, the same in all attempts.
      num_attempts: attempts.
      num_trials: trials.
      seed: another seed gives other trials.
    """
    matrix = np.ascontiguousarray(code.field_matrix, np.uint32)
    clients = len(matrix)
    senders, coefficients, thresholds = _support(network, matrix)
    uplinks = np.asarray(network.uplink_erasure * 2.0**32, np.uint32)
    tables = pipeline_kernel(clients)(
        np.diagonal(matrix).copy(),
        senders,
        coefficients,
        thresholds,
        uplinks,
        num_attempts,
        int(code.num_stragglers),
        num_trials,
        np.uint64((seed + 1) * 0xD6E8FEB86659FD93 % 2**64),
    )
    scalars, histogram, partial = (table.sum(axis=0) for table in tables)
    recovered = scalars[_ALL] + partial[2].sum(axis=1)
    numbers: list[Any] = [*map(int, scalars), histogram, recovered, *partial[:2]]
    return OutcomeCounts(*numbers)


def _support(network: Network, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every row the other clients in it, their coefficients and thresholds, side by side."""
    clients = len(matrix)
    used = (matrix != 0) & ~np.eye(clients, dtype=bool)
    senders = [np.flatnonzero(row) for row in used]
    assert len({len(row) for row in senders}) == 1, "rows of different weight"
    assert np.diagonal(matrix).all(), "a client that leaves out its own update"
    index = np.stack(senders)
    receiver = np.arange(clients)[:, None]
    thresholds = np.asarray(network.peer_erasure * 2.0**32, np.uint32)
    return index.astype(np.uint32), matrix[receiver, index], thresholds[receiver, index]


@lru_cache
def _draw_kernel(num_clients: int) -> Any:
    clients = num_clients

    @njit
    def draw(own, senders, coefficients, thresholds, uplinks, rows, complete, words, halves, state):
        """Draw the rows that arrive; ``halves`` are the 32-bit halves of ``words``."""
        degree = senders.shape[1]
        attempts = len(rows) // clients
        num_rows, used = 0, (attempts * clients + 1) // 2
        receivers = np.empty(attempts * clients, np.uint32)
        for i in range(used):
            words[i] = splitmix(state + np.uint64(i) * GOLDEN)
        for attempt in range(attempts):
            for client in range(clients):
                if halves[attempt * clients + client] >= uplinks[client]:
                    receivers[num_rows] = client
                    num_rows += 1
        state += np.uint64(used) * GOLDEN
        used = (num_rows * degree + 1) // 2
        for i in range(used):
            words[i] = splitmix(state + np.uint64(i) * GOLDEN)
        entries = np.empty(clients, np.uint32)
        for row in range(num_rows):
            client, missing, first = receivers[row], 0, row * degree
            for k in range(clients):
                rows[row, k] = 0
            for k in range(degree):
                heard = halves[first + k] >= thresholds[client, k]
                entries[k] = coefficients[client, k] if heard else np.uint32(0)
                missing += not heard
            for k in range(degree):
                rows[row, senders[client, k]] = entries[k]
            rows[row, client] = own[client]
            complete[client] |= np.uint8(missing == 0)
        return num_rows, state + np.uint64(used) * GOLDEN

    return draw


@lru_cache
def _tally_kernel(num_clients: int) -> Any:
    clients = num_clients

    @njit
    def tally(scalars, histogram, partial, rank, gc, vector):
        scalars[_TRIALS] += 1
        scalars[_GC] += gc
        scalars[_RANK] += rank
        if rank == clients:
            scalars[_FULL] += 1
            scalars[_EXACT] += 1
            scalars[_ALL] += 1
            histogram[clients] += 1
            return
        total, size = np.uint64(0), 0
        for k in range(clients):
            total += np.uint64(vector[k])
            size += is_zero(vector[k])
        exact = total % _MASK == 0
        histogram[size] += 1
        scalars[_FULL] += gc
        scalars[_PARTIAL] += (not gc) & (size > 0)
        scalars[_EXACT] += exact
        scalars[_AVERAGED] += (not exact) & (size > 0)
        for k in range(clients):
            found = is_zero(vector[k])
            partial[0, k, size] += found & (not gc)
            partial[1, k, size] += found & (not exact)
            partial[2, k, size] += found

    return tally


@lru_cache
def pipeline_kernel(num_clients: int) -> Any:
    """The compiled program for a number of clients; compiled at its first call."""
    clients = num_clients
    draw, tally = _draw_kernel(clients), _tally_kernel(clients)
    eliminate, null_vector = eliminate_kernel(clients), null_vector_kernel(clients)

    @njit(parallel=True)
    def run(
        own, senders, coefficients, thresholds, uplinks, attempts, stragglers, trials, seed
    ):  # fmt: skip
        length = max(_SMALLEST_CHUNK, (trials + _CHUNKS - 1) // _CHUNKS)
        num_chunks = (trials + length - 1) // length
        scalars = np.zeros((num_chunks, 8), np.int64)
        histogram = np.zeros((num_chunks, clients + 1), np.int64)
        partial = np.zeros((num_chunks, 3, clients, clients + 1), np.int64)
        for chunk in prange(num_chunks):
            rows = np.zeros((clients * attempts, clients), np.uint32)
            pivots, vector = np.zeros(clients, np.int64), np.zeros(clients, np.uint32)
            complete = np.zeros(clients, np.uint8)
            words = np.zeros(clients * clients * attempts // 2 + 1, np.uint64)
            halves = words.view(np.uint32)
            for trial in range(chunk * length, min(trials, (chunk + 1) * length)):
                complete[:] = 0
                state = splitmix(seed + np.uint64(trial) * STREAM)
                num_rows, state = draw(
                    own, senders, coefficients, thresholds, uplinks,
                    rows, complete, words, halves, state,
                )  # fmt: skip
                gc = complete.sum() >= clients - stragglers
                rank = eliminate(rows, num_rows, pivots)
                if rank < clients:
                    null_vector(rows, pivots, vector, state)
                tally(scalars[chunk], histogram[chunk], partial[chunk], rank, gc, vector)
        return scalars, histogram, partial

    return run
