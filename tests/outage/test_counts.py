import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.outage.counts import (
    OutcomeCounts,
    mean_weight,
    outcomes_from_counts,
    outcomes_to_dict,
)
from jaxcogc.outage.intervals import clopper_pearson, wilson
from jaxcogc.outage.outcomes import CONTRARIES

# Ten trials of two clients, listed one by one: (gc, exact, K, rank).
TRIALS = [
    *[(True, True, {0, 1}, 2)] * 3,
    *[(True, True, set(), 1)] * 2,
    (False, True, {0, 1}, 2),  # exact for gc_plus too: |K| = M
    (False, True, set(), 1),  # exact for row_space alone
    (False, False, {0}, 1),
    (False, False, {1}, 1),
    (False, False, set(), 0),
]


def count(trials, num_clients=2):
    """Counts of listed trials, by the definitions."""
    counts = dict.fromkeys(OutcomeCounts._fields[:8], 0) | {"trials": len(trials)}
    histogram, recovered = np.zeros(num_clients + 1, int), np.zeros(num_clients, int)
    gc_plus, row_space = np.zeros((2, num_clients, num_clients + 1), int)
    for gc, exact, clients, rank in trials:
        size = len(clients)
        full = gc or size == num_clients
        counts["gc"] += gc
        counts["gc_plus_full"] += full
        counts["gc_plus_partial"] += not full and size > 0
        counts["row_space_exact"] += exact
        counts["row_space_partial"] += not exact and size > 0
        counts["all_individuals"] += size == num_clients
        counts["rank_sum"] += rank
        histogram[size] += 1
        for k in clients:
            recovered[k] += 1
            gc_plus[k, size] += not full
            row_space[k, size] += not exact
    return OutcomeCounts(*counts.values(), histogram, recovered, gc_plus, row_space)


def test_rates_weights_and_their_polarity():
    outcomes = outcomes_from_counts(count(TRIALS))
    assert outcomes.gc_outage == 0.5
    assert (outcomes.gc_plus_full, outcomes.gc_plus_partial, outcomes.gc_plus_none) == (
        0.6,
        0.2,
        0.2,
    )
    rates = (outcomes.row_space_exact, outcomes.row_space_partial, outcomes.row_space_none)
    assert rates == (0.7, 0.2, 0.1)
    assert outcomes.all_individuals == 0.4
    assert outcomes.mean_rank == 1.3
    assert outcomes.trials == 10
    np.testing.assert_allclose(outcomes.num_recovered_pmf, [0.4, 0.2, 0.4], rtol=1e-15)
    np.testing.assert_allclose(outcomes.client_recovered, [0.5, 0.5], rtol=1e-15)
    np.testing.assert_allclose(outcomes.gc_plus_weight, [0.4, 0.4], rtol=1e-15)
    np.testing.assert_allclose(outcomes.row_space_weight, [0.45, 0.45], rtol=1e-15)
    for array in (outcomes.num_recovered_pmf, outcomes.gc_plus_weight):
        assert isinstance(array, np.ndarray)
        assert array.dtype == np.float64


def test_complementary_events_are_counted_themselves():
    counts = count(TRIALS)
    for name, method in (("clopper-pearson", clopper_pearson), ("wilson", wilson)):
        outcomes = outcomes_from_counts(counts, level=0.9, interval=name)
        assert repr(outcomes.gc_outage) == repr(method(5, 10, 0.9))
        assert repr(outcomes.gc_plus_none) == repr(method(2, 10, 0.9))
        assert repr(outcomes.row_space_none) == repr(method(1, 10, 0.9))
    # One outage in 1e10 trials: a complement of 1 - 1e-10 would have lost the lower end.
    rare = OutcomeCounts.zero(2)._replace(trials=10**10, gc=10**10 - 1)
    assert outcomes_from_counts(rare).gc_outage.low == clopper_pearson(1, 10**10).low


def test_partial_weights_divide_by_the_number_recovered():
    partial = np.zeros((3, 4), int)
    partial[0, 1] = 4  # four trials with K = {0}
    partial[[0, 2], 2] = 6  # six with K = {0, 2}
    np.testing.assert_allclose(mean_weight(30, partial), [10 + 4 + 3, 10, 10 + 3], rtol=1e-15)


def test_addition_is_counting_together_and_stays_on_the_host():
    total = count(TRIALS[:4]) + count(TRIALS[4:]) + OutcomeCounts.zero(2)
    for ours, expected in zip(total, count(TRIALS), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert type(total.trials) is int
    assert total.num_recovered.dtype == np.int64
    large = jnp.int32(2**31 - 1)
    block = OutcomeCounts(
        *[large] * 8, *(jnp.full(x.shape, large) for x in OutcomeCounts.zero(2)[8:])
    )
    for leaf in jax.tree.leaves(block + block):
        assert np.all(np.asarray(leaf) == 2**32 - 2)
    assert len(block + block) == len(block)  # no concatenation of tuples


def test_addition_refuses_what_does_not_match():
    with pytest.raises(ValueError, match=r"num_recovered has shapes \(3,\) and \(4,\)"):
        OutcomeCounts.zero(2) + OutcomeCounts.zero(3)
    with pytest.raises(TypeError, match="only OutcomeCounts add"):
        sum([OutcomeCounts.zero(2), (1, 2)], OutcomeCounts.zero(2))


def test_no_trial_is_no_result():
    with pytest.raises(ValueError, match="num_trials = 0"):
        outcomes_from_counts(OutcomeCounts.zero(2))
    with pytest.raises(ValueError, match="level = 2"):
        outcomes_from_counts(count(TRIALS), level=2)
    with pytest.raises(ValueError, match="interval = 'wald'"):
        outcomes_from_counts(count(TRIALS), interval="wald")


def test_the_json_ready_result():
    result = outcomes_to_dict(outcomes_from_counts(count(TRIALS)))
    assert list(result) == [
        "gc_outage",
        "gc_plus_outage",
        "row_space_outage",
        "gc_plus_full",
        "gc_plus_partial",
        "gc_plus_none",
        "row_space_exact",
        "row_space_partial",
        "row_space_none",
        "all_individuals",
        "mean_rank",
        "num_recovered_pmf",
        "client_recovered",
        "gc_plus_weight",
        "row_space_weight",
        "trials",
    ]
    assert json.loads(json.dumps(result)) == result
    assert list(result["gc_outage"]) == ["low", "best", "high"]
    assert result["gc_outage"]["best"] == 0.5
    for outage, contrary in CONTRARIES.items():
        assert result[outage]["low"] == 1 - result[contrary]["high"]
    assert result["num_recovered_pmf"] == [0.4, 0.2, 0.4]
    assert result["trials"] == 10
