"""Counting a scripted decoder, trial by trial in Python."""

import jax
import numpy as np
import pytest

from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.outage.simulation.count_table import counts_from_table, empty_table, outcome_table
from tests.checks import same_counts


def scripted(clients, trials, seed):
    """Answers that follow no law of coding, but the one that gc implies the exact sum."""
    source = np.random.default_rng(seed)
    gc = source.uniform(size=trials) < 0.3
    members = source.uniform(size=(clients, trials)) < source.choice([0.0, 0.2, 0.9, 1.0], trials)
    exact = gc | members.all(axis=0) | (source.uniform(size=trials) < 0.2)
    rank = source.integers(0, clients + 1, trials, dtype=np.int32)
    return Recovery(gc, exact, members, rank, np.zeros(trials, np.int32))


def one_by_one(recovery, counted):
    clients, trials = recovery.client_recovered.shape
    total = OutcomeCounts.zero(clients)
    for t in range(trials):
        if not counted[t]:
            continue
        members = recovery.client_recovered[:, t]
        size, everyone = int(members.sum()), bool(members.all())
        full = bool(recovery.gc[t]) or everyone
        exact = bool(recovery.sum_recovered[t])
        cell = np.zeros((clients, clients + 1), np.int64)
        cell[members, size] = 1
        total += OutcomeCounts(
            trials=1,
            gc=int(recovery.gc[t]),
            gc_plus_full=int(full),
            gc_plus_partial=int(not full and size > 0),
            row_space_exact=int(exact),
            row_space_partial=int(not exact and size > 0),
            all_individuals=int(everyone),
            rank_sum=int(recovery.rank[t]),
            num_recovered=np.eye(clients + 1, dtype=np.int64)[size],
            client_recovered=members.astype(np.int64),
            gc_plus_partial_recovered=cell * (not full),
            row_space_partial_recovered=cell * (not exact),
        )
    return total


@pytest.mark.parametrize("clients", [1, 2, 5])
def test_counts_of_a_scripted_decoder(clients):
    recovery = scripted(clients, 512, clients)
    counted = np.random.default_rng(0).uniform(size=512) < 0.8
    table = jax.jit(outcome_table)(recovery, counted)
    assert table.shape == empty_table(clients).shape
    assert table.dtype == empty_table(clients).dtype == np.int32
    assert same_counts(counts_from_table(np.asarray(table), clients), one_by_one(recovery, counted))
    nothing = outcome_table(recovery, np.zeros(512, bool))
    assert same_counts(counts_from_table(np.asarray(nothing), clients), OutcomeCounts.zero(clients))
    assert not same_counts(
        counts_from_table(np.asarray(table), clients), one_by_one(recovery, ~counted)
    )
