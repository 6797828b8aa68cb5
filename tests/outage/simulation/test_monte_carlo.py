"""Simulated outcomes against known probabilities, and the bookkeeping of trials.

Every number of a case is compared by an exact binomial test (means by Bernstein's inequality); a
correct program fails one case at a rate of 1e-7 (see `tests.checks`).
"""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from scipy import stats

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS, outcomes_from_counts
from jaxcogc.outage.simulation.monte_carlo import compile_simulation, simulate_outcomes
from tests.checks import (
    mean_p_value,
    outcome_p_values,
    same_counts,
    simulate_counts,
    surprises,
    two_sample_p_values,
)
from tests.reference import reference_cases

KEY = jax.random.key(20)
FIVE_SIGMA = 2 * stats.norm.sf(5)
ENUMERATED = reference_cases("enumeration")
SIMULATED = reference_cases("monte_carlo")


def simulate(case, num_trials, key=KEY, *, factor=1.0, redraw_code=None, code=None, fast=False):
    """By loops or, where told so, by the unrolled program that serves many trials."""
    network = Network(
        np.multiply(case.uplink_erasure, factor), np.multiply(case.peer_erasure, factor)
    )
    code = cyclic_code(jax.random.key(1), case.clients, case.stragglers) if code is None else code
    settings = {
        "num_attempts": case.attempts,
        "redraw_code": case.redraw_code if redraw_code is None else redraw_code,
    }
    if fast:
        return outcomes_from_counts(simulate_counts(key, network, code, num_trials, **settings))
    return simulate_outcomes(key, network, code, num_trials=num_trials, **settings)


@pytest.mark.parametrize("case", ENUMERATED)
def test_enumerated_cases(case, repetitions):
    outcomes = simulate(case, repetitions(200_000, 100_000_000))
    assert not surprises(outcome_p_values(outcomes, case.expected))


@pytest.mark.slow
@pytest.mark.parametrize("case", SIMULATED)
def test_simulated_cases(case, repetitions):
    """Within 5 combined standard errors; for rare events the same by exact probabilities."""
    ours, theirs = repetitions(500_000, 100_000_000), case.trials
    outcomes = simulate(case, ours, fast=True)
    p_values = two_sample_p_values(outcomes, case.expected, theirs)
    assert min(p_values.values()) > FIVE_SIGMA, surprises(p_values)
    for name in ("gc_plus_full", "row_space_exact", "all_individuals", "row_space_none"):
        p = case.expected[name]
        error = np.sqrt(p * (1 - p) * (1 / ours + 1 / theirs))
        assert abs(getattr(outcomes, name) - p) < 5 * error, name
    together = ours * theirs / (ours + theirs)
    for name in ("mean_rank", "gc_plus_weight", "row_space_weight"):
        largest = case.clients if name == "mean_rank" else 1.0
        for mine, known in np.nditer([getattr(outcomes, name), case.expected[name]]):
            assert mean_p_value(mine, together, float(known), largest) > FIVE_SIGMA, name


# --- the check can fail -------------------------------------------------------------------------


def case_of(clients, stragglers, attempts, redraw_code=False):
    wanted = (clients, stragglers, attempts, redraw_code)
    for parameters in ENUMERATED:
        (case,) = parameters.values
        if (case.clients, case.stragglers, case.attempts, case.redraw_code) == wanted:
            return case
    raise AssertionError(f"no reference case {wanted}")


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 1, 2), (4, 2, 1)])
def test_a_biased_sampler_is_rejected(shape):
    """Thresholds one percent too high are those of a network one percent worse."""
    case = case_of(*shape)
    wrong = surprises(outcome_p_values(simulate(case, 2_000_000, factor=1.01), case.expected))
    assert {"gc_recovered", "mean_rank"} & set(wrong)
    assert {f"num_recovered_pmf[{n}]" for n in range(case.clients)} & set(wrong)
    assert not surprises(outcome_p_values(simulate(case, 2_000_000), case.expected))


def test_a_decoder_that_ignores_shared_coefficients_is_rejected():
    case = case_of(3, 1, 2)
    wrong = surprises(outcome_p_values(simulate(case, 200_000, redraw_code=True), case.expected))
    assert {"gc_recovered", "all_individuals", "mean_rank", "gc_plus_full"} <= set(wrong)


def test_a_decoder_content_with_too_few_rows_is_rejected():
    case = case_of(4, 2, 1)
    code = cyclic_code(jax.random.key(1), case.clients, case.stragglers)
    code = dataclasses.replace(code, num_stragglers=np.int32(case.stragglers + 1))
    wrong = surprises(outcome_p_values(simulate(case, 200_000, code=code), case.expected))
    assert {"gc_recovered", "gc_plus_full"} <= set(wrong)
    assert not {"mean_rank", "client_recovered[0]", "row_space_exact"} & set(wrong)


def test_a_wrong_reference_is_rejected_and_few_trials_decide_nothing():
    case = case_of(3, 1, 1)
    outcomes = simulate(case, 200_000)
    for name in ("row_space_exact", "gc_plus_partial", "client_recovered", "gc_plus_weight"):
        changed = {**case.expected, name: np.multiply(case.expected[name], 1.05)}
        wrong = surprises(outcome_p_values(outcomes, changed))
        assert wrong
        assert all(field.startswith(name) for field in wrong)
        if not name.endswith("weight"):  # a mean is compared in another way
            assert min(two_sample_p_values(outcomes, changed, 2_000_000).values()) < FIVE_SIGMA
    with pytest.raises(AssertionError, match="decide nothing"):
        outcome_p_values(simulate(case, 9_999), case.expected)


# --- trials -------------------------------------------------------------------------------------

NETWORK = Network(
    [0.4, 0.2, 0.6], [[0.0, 0.3, 0.5], [0.2, 0.0, 0.1], [0.7, 0.4, 0.0]]
)  # 3 clients, and everywhere below 2 attempts: one compiled program
CODE = cyclic_code(jax.random.key(2), 3, 1)


def count(num_trials, key=KEY, network=NETWORK, code=CODE, **settings):
    return simulate_counts(key, network, code, num_trials, num_attempts=2, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "num_trials", [1, BLOCK_TRIALS - 1, BLOCK_TRIALS, BLOCK_TRIALS + 1, 50_001, 2**20 + 3]
)
def test_exactly_the_asked_trials_are_counted(num_trials):
    counts = count(num_trials)
    assert counts.trials == num_trials
    assert isinstance(counts.trials, int)
    # One trial more adds one trial and leaves the others as they are.
    more = count(num_trials + 1)
    added = [np.asarray(b) - np.asarray(a) for a, b in zip(counts, more, strict=True)]
    assert all((difference >= 0).all() for difference in added)
    assert added[0] == 1
    assert added[counts._fields.index("num_recovered")].sum() == 1
    assert added[counts._fields.index("client_recovered")].max() <= 1
    if num_trials >= 10_000:
        outcomes = simulate_outcomes(KEY, NETWORK, CODE, num_trials=num_trials, num_attempts=2)
        assert outcomes.trials == num_trials
        assert outcomes.gc_plus_full == counts.gc_plus_full / num_trials


@pytest.mark.slow
def test_what_was_yielded_before_a_stop_is_complete():
    simulation = compile_simulation(NETWORK, CODE, num_attempts=2)
    iterator = simulation.counts(KEY, NETWORK, CODE, 10**9)  # hours, if it did not stop
    first, second = itertools.islice(iterator, 2)
    iterator.close()
    assert first.trials % BLOCK_TRIALS == second.trials % BLOCK_TRIALS == 0
    assert same_counts(first, count(first.trials))
    assert same_counts(first + second, count(first.trials + second.trials))
    assert simulation.device == "cpu" or jax.default_backend() != "cpu"


@pytest.mark.slow
@pytest.mark.parametrize("tile", [256, 1024, 2048])
def test_tiles_do_not_show(tile):
    assert same_counts(count(40_000, tile=tile), count(40_000))


def test_keys():
    assert same_counts(count(20_000), count(20_000))
    assert not same_counts(count(20_000), count(20_000, jax.random.key(21)))
    other_kind = jax.random.key(20, impl="rbg")
    assert same_counts(count(20_000, other_kind), count(20_000, other_kind))


@pytest.mark.slow
def test_counts_fit_together():
    """Also with the five clients at which row_space beats gc_plus, as it must somewhere."""
    fit_together(count(100_003), clients=3)
    network = Network.homogeneous(5, uplink_erasure=0.25, peer_erasure=0.2)
    code = cyclic_code(jax.random.key(2), 5, 2)
    counts = simulate_counts(KEY, network, code, 100_003)
    fit_together(counts, clients=5)
    assert counts.gc_plus_full < counts.row_space_exact
    fewer = counts.row_space_partial_recovered < counts.gc_plus_partial_recovered
    assert fewer.any()


def fit_together(counts, clients):
    sizes = np.arange(clients + 1)
    assert counts.num_recovered.sum() == counts.trials
    assert counts.client_recovered.sum() == (sizes * counts.num_recovered).sum()
    assert counts.all_individuals == counts.num_recovered[clients]
    assert counts.gc < counts.gc_plus_full < counts.trials
    assert counts.all_individuals <= counts.gc_plus_full <= counts.row_space_exact
    assert counts.rank_sum <= clients * counts.trials
    # Whoever recovers anybody has an exact or a partial average, whatever the decoder.
    some = counts.trials - counts.num_recovered[0]
    for exact, partial, table in (
        (counts.gc_plus_full, counts.gc_plus_partial, counts.gc_plus_partial_recovered),
        (counts.row_space_exact, counts.row_space_partial, counts.row_space_partial_recovered),
    ):
        assert exact + partial >= some
        assert table.shape == (clients, clients + 1)
        assert not table[:, [0, clients]].any()
        by_size = table.sum(axis=0)
        assert (by_size % np.maximum(sizes, 1) == 0).all()
        assert (by_size[1:] // sizes[1:]).sum() == partial
        assert (by_size <= sizes * counts.num_recovered).all()
        assert (table.sum(axis=1) <= counts.client_recovered).all()
    assert (counts.row_space_partial_recovered <= counts.gc_plus_partial_recovered).all()


def test_common_random_numbers():
    """Of one key: any member of a family gives the same counts; gc is monotone in every p."""
    other = cyclic_code(jax.random.key(3), 3, 1)
    assert (other.field_matrix != CODE.field_matrix).any()
    assert same_counts(count(100_000, code=other), count(100_000))
    recovered = []
    for factor in (0.0, 0.5, 0.99, 1.0, 1.3):
        worse = Network(NETWORK.uplink_erasure * factor, NETWORK.peer_erasure * factor)
        recovered.append(count(100_000, network=worse).gc)
    assert recovered == sorted(recovered, reverse=True)
    assert recovered[0] == 100_000
    uplinks = [
        count(100_000, network=Network(NETWORK.uplink_erasure * f, NETWORK.peer_erasure))
        for f in (0.0, 0.9, 1.0)
    ]
    for better, worse in itertools.pairwise(uplinks):
        assert better.row_space_exact > worse.row_space_exact
        assert (better.client_recovered > worse.client_recovered).all()


def test_certain_links_give_known_counts():
    """A scripted channel: what every trial recovers is known, so all counts are."""
    zero, one = np.zeros(3), np.ones((3, 3)) - np.eye(3)
    trials = 20_000
    perfect = count(trials, network=Network(zero, 0 * one))
    assert (perfect.gc, perfect.row_space_exact, perfect.rank_sum) == (trials, trials, 2 * trials)
    assert perfect.num_recovered.tolist() == [trials, 0, 0, 0]
    alone = count(trials, network=Network([0.0, 1.0, 0.0], one))
    assert (alone.gc, alone.gc_plus_full, alone.row_space_exact) == (0, 0, 0)
    assert alone.client_recovered.tolist() == [trials, 0, trials]
    assert alone.num_recovered.tolist() == [0, 0, trials, 0]
    expected = np.zeros((3, 4), int)
    expected[[0, 2], 2] = trials
    np.testing.assert_array_equal(alone.gc_plus_partial_recovered, expected)
    np.testing.assert_array_equal(alone.row_space_partial_recovered, expected)
    silent = count(trials, network=Network(zero + 1, 0 * one))
    assert silent.num_recovered.tolist() == [trials, 0, 0, 0]
    assert (silent.trials, silent.rank_sum, silent.row_space_exact) == (trials, 0, 0)
    assert not any(np.any(x) for x in silent[8:] if x is not silent.num_recovered)
