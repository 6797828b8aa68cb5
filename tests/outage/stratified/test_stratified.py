"""Trials sorted into strata of known probability: the same trials, sharper estimates."""

import dataclasses
from functools import reduce
from operator import add

import jax
import numpy as np
import pytest
from scipy import stats

from jaxcogc import (
    LinkDynamics,
    Network,
    cyclic_code,
    cyclic_mds_code,
    enumerate_outcomes,
    gc_outage_probability,
    outcomes_from_counts,
    simulate_outcomes,
    uncoded,
)
from jaxcogc.names import OUTCOMES
from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.outage.simulation.monte_carlo import compile_simulation
from jaxcogc.outage.stratified.known_strata import MOST_STRATA, Strata, heavy_enough, merged
from jaxcogc.outage.stratified.stratified_counts import StratifiedCounts, stratified_outcomes
from jaxcogc.outage.stratified.stratified_runs import compile_stratified
from tests.checks import same_counts

KEY = jax.random.key(5)
TEN = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
TEN_CODE = cyclic_code(jax.random.key(0), 10, 7)
SMALL = Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.25)
SMALL_CODE = cyclic_code(jax.random.key(0), 3, 1)


def counted(network, code, trials: int, key=KEY, **options) -> StratifiedCounts:
    simulation = compile_stratified(network, code, num_trials=trials, **options)
    return reduce(add, simulation.counts(key, network, code, trials))


@pytest.fixture(scope="module")
def ten() -> StratifiedCounts:
    return counted(TEN, TEN_CODE, 60_000, num_attempts=2)


def weight_p_value(counts: StratifiedCounts) -> float:
    """Of the trials in each stratum, by the chi-square test of their probabilities."""
    places = heavy_enough(counts.strata, counts.trials)
    expected = counts.trials * merged(counts.strata, places).weights
    found = np.bincount(places, [each.trials for each in counts.counts])
    return float(stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue)


def with_weights(counts: StratifiedCounts, weights: np.ndarray) -> StratifiedCounts:
    return dataclasses.replace(counts, strata=counts.strata._replace(weights=weights))


@pytest.mark.slow
def test_the_trials_are_those_of_the_plain_estimate(ten: StratifiedCounts) -> None:
    plain = compile_simulation(TEN, TEN_CODE, num_attempts=2, num_trials=60_000)
    assert same_counts(ten.total, reduce(add, plain.counts(KEY, TEN, TEN_CODE, 60_000)))
    assert ten.trials == 60_000
    assert len(ten.counts) == len(ten.strata.weights) == MOST_STRATA


@pytest.mark.slow
def test_the_two_programs_and_any_tile_sort_alike() -> None:
    few = counted(SMALL, SMALL_CODE, 2**14, num_attempts=2)
    fast = compile_stratified(SMALL, SMALL_CODE, num_attempts=2, tile=256)
    again = reduce(add, fast.counts(KEY, SMALL, SMALL_CODE, 2**14))
    assert all(map(same_counts, few.counts, again.counts))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "code", "options"),
    [
        (TEN, TEN_CODE, {"num_attempts": 2}),
        (TEN, TEN_CODE, {"num_attempts": 2, "dynamics": LinkDynamics(memory=0.6)}),
        (TEN, cyclic_mds_code(10, 7), {"num_attempts": 1}),
        (TEN, uncoded(10), {"num_attempts": 1}),
    ],
)
def test_strata_have_their_probabilities_and_wrong_ones_are_rejected(
    network: Network, code, options: dict
) -> None:
    counts = counted(network, code, 60_000, **options)
    assert counts.strata.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weight_p_value(counts) > 1e-6
    heavy = int(np.argmax(counts.strata.weights))
    wrong = counts.strata.weights.copy()
    wrong[heavy] *= 1.15
    assert weight_p_value(with_weights(counts, wrong / wrong.sum())) < 1e-6
    assert weight_p_value(with_weights(counts, np.roll(counts.strata.weights, 1))) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("stragglers", [0, 1, 2])
def test_estimates_are_those_of_the_enumeration(stragglers: int, attempts: int) -> None:
    """Five standard errors of the stratified estimate, which are smaller than the plain ones."""
    code = cyclic_code(jax.random.key(0), 3, stragglers)
    exact = enumerate_outcomes(SMALL, code, num_attempts=attempts)
    trials = 50_000
    found = simulate_outcomes(
        KEY, SMALL, code, num_attempts=attempts, num_trials=trials, estimator="stratified"
    )
    for name, p in exact.by_name().items():
        worth = (found.plain_trials_worth or {})[name] or 1.0
        error = (p * (1 - p) / trials / worth) ** 0.5
        assert abs(getattr(found, name) - p) <= 5 * error + 1e-12, name
        assert worth > 0.98, name
    assert float(found.gc_outage) == pytest.approx(exact.gc_outage, rel=1e-12)
    assert found.gc_outage.low == found.gc_outage.high == found.gc_outage
    error = 5 / trials**0.5
    for name in ("num_recovered_pmf", "client_recovered", "gc_plus_weight", "row_space_weight"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=error / 2)
    assert found.mean_rank == pytest.approx(exact.mean_rank, abs=error * 3)


@pytest.mark.slow
def test_a_wrong_weight_makes_wrong_estimates() -> None:
    """Without this the comparison above could pass whatever the weights are."""
    counts = counted(SMALL, SMALL_CODE, 50_000, num_attempts=2)
    exact = enumerate_outcomes(SMALL, SMALL_CODE, num_attempts=2)
    flat = counts.strata.weights > 0
    found = stratified_outcomes(with_weights(counts, flat / flat.sum()))
    assert abs(found.row_space_exact - exact.row_space_exact) > 0.05


@pytest.mark.slow
def test_what_belongs_together_stays_together(ten: StratifiedCounts) -> None:
    found = stratified_outcomes(ten)
    plain = outcomes_from_counts(ten.total)
    assert found.gc_plus_full + found.gc_plus_partial + found.gc_plus_none == pytest.approx(1.0)
    assert found.num_recovered_pmf.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.num_recovered_pmf[10] == pytest.approx(found.all_individuals, abs=1e-12)
    assert found.gc_plus_weight.sum() == pytest.approx(1 - found.gc_plus_none, abs=1e-12)
    assert found.row_space_weight.sum() == pytest.approx(1 - found.row_space_none, abs=1e-12)
    assert float(found.gc_outage) == pytest.approx(
        float(gc_outage_probability(TEN, 7, 2)), rel=1e-12
    )
    worth = found.plain_trials_worth
    assert worth is not None
    assert worth["gc_outage"] is None
    assert list(worth) == list(OUTCOMES)
    for name in OUTCOMES:
        estimate, ordinary = getattr(found, name), getattr(plain, name)
        assert (estimate.method, estimate.level) == ("stratified clopper-pearson", 0.95)
        error = (ordinary * (1 - ordinary) / ten.trials) ** 0.5
        assert abs(estimate - ordinary) < 5 * error
        if name != "gc_outage":  # the variance within the strata is never the larger one
            assert worth[name] >= 1.0
            assert estimate.high - estimate.low < 1.1 * (ordinary.high - ordinary.low)
    full, ordinary = found.gc_plus_full, plain.gc_plus_full
    assert full.high - full.low < 0.5 * (ordinary.high - ordinary.low)


@pytest.mark.slow
def test_strata_of_few_trials_are_merged_by_the_law_alone(ten: StratifiedCounts) -> None:
    for trials in (1, 100, 10_000):
        places = heavy_enough(ten.strata, trials)
        assert (np.diff(places) >= 0).all()
        assert (np.diff(places) <= 1).all()
        weights = merged(ten.strata, places).weights
        assert len(weights) == 1 or weights.min() * trials >= 20
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert 20 <= heavy_enough(ten.strata, 10**6).max() < 60
    strata = Strata(np.array([0.1, 0.2, 0.0, 0.7]), np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0]))
    both = merged(strata, np.array([0, 0, 1, 1]))
    assert both.decoded.tolist() == [0, 1]  # what cannot happen takes no certainty away
    assert merged(strata, np.array([0, 1, 1, 1])).decoded.tolist() == [0, -1]


@pytest.mark.slow
def test_few_trials_and_a_stratum_without_any() -> None:
    one = simulate_outcomes(KEY, TEN, TEN_CODE, num_trials=1, estimator="stratified")
    assert one.gc_plus_full.low < 1e-12
    assert one.gc_plus_none.high > 0.9
    everything = OutcomeCounts.zero(2)._replace(
        trials=50, gc_plus_full=50, row_space_exact=50, num_recovered=np.array([50, 0, 0])
    )
    strata = Strata(np.array([0.5, 0.5]), np.array([-1, -1]), np.array([False, False]))
    counts = StratifiedCounts(strata, (everything, OutcomeCounts.zero(2)), True)
    found = stratified_outcomes(counts)
    assert float(found.gc_plus_full) == 0.75
    assert found.gc_plus_full.high == 1.0
    assert found.gc_plus_full.low < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certain_links(p: float) -> None:
    network = Network.homogeneous(4, uplink_erasure=p, peer_erasure=p)
    code = cyclic_code(jax.random.key(0), 4, 2)
    found = simulate_outcomes(KEY, network, code, num_trials=100, estimator="stratified")
    assert float(found.gc_outage) == p
    assert found.row_space_exact.low == found.row_space_exact.high == 1 - p or p == 1.0
    assert float(found.row_space_exact) == 1 - p
    assert set((found.plain_trials_worth or {}).values()) == {None}


def resampled(counts: StratifiedCounts, trials: int, source: np.random.Generator):
    """Counts as another run of so many trials might find them; scalars alone."""
    strata = []
    draws = source.multinomial(trials, counts.strata.weights).tolist()
    for n, each in zip(draws, counts.counts, strict=True):
        names = ("gc", "gc_plus_full", "gc_plus_partial", "row_space_exact", "row_space_partial")
        rates = {name: getattr(each, name) / max(each.trials, 1) for name in names}
        rates["all_individuals"] = each.all_individuals / max(each.trials, 1)
        drawn = {name: int(source.binomial(n, rate)) for name, rate in rates.items()}
        drawn["gc_plus_partial"] = min(drawn["gc_plus_partial"], n - drawn["gc_plus_full"])
        drawn["row_space_partial"] = min(drawn["row_space_partial"], n - drawn["row_space_exact"])
        strata.append(each._replace(trials=n, **drawn))
    return dataclasses.replace(counts, counts=tuple(strata))


@pytest.mark.slow
def test_intervals_cover(repetitions) -> None:
    """93 % of intervals at 95 %, where the truth is what the counts are drawn from."""
    counts = counted(TEN, TEN_CODE, 200_000, num_attempts=2)
    names = ("gc_plus_full", "row_space_exact", "all_individuals", "gc_plus_none")
    truth = dict.fromkeys(names, 0.0)
    for weight, each in zip(counts.strata.weights, counts.counts, strict=True):
        rates = outcomes_from_counts(each) if each.trials else None
        for name in names:
            truth[name] += weight * float(getattr(rates, name)) if rates else 0.0
    source = np.random.default_rng(3)
    number = repetitions(100, 1000)
    misses = dict.fromkeys(names, 0)
    for _ in range(number):
        found = stratified_outcomes(resampled(counts, 10_000, source))
        for name in names:
            estimate = getattr(found, name)
            misses[name] += not estimate.low <= truth[name] <= estimate.high
    for name in ("gc_plus_full", "row_space_exact", "all_individuals"):
        assert misses[name] <= 0.07 * number, (name, misses)
    assert sum(misses.values()) > 0  # intervals that never miss would be of no use


@pytest.mark.soak
def test_a_trial_is_worth_five_plain_ones() -> None:
    """The variance over seeds; it is known to 3 % of itself."""
    seeds, trials = 2000, 2**14
    simulation = compile_stratified(TEN, TEN_CODE, num_attempts=2)
    found = [
        stratified_outcomes(
            reduce(add, simulation.counts(jax.random.key(seed), TEN, TEN_CODE, trials))
        )
        for seed in range(seeds)
    ]
    for name in ("gc_plus_full", "row_space_exact"):
        values = np.array([float(getattr(one, name)) for one in found])
        p = values.mean()
        assert p * (1 - p) / trials / values.var() >= 5, name
        told = np.mean([(one.plain_trials_worth or {})[name] for one in found])
        assert told == pytest.approx(p * (1 - p) / trials / values.var(), rel=0.2)


@pytest.mark.soak
def test_intervals_of_whole_runs_cover() -> None:
    simulation = compile_stratified(TEN, TEN_CODE, num_attempts=2)
    options = {"num_trials": 10**7, "num_attempts": 2}
    truth = simulate_outcomes(
        jax.random.key(10**6), TEN, TEN_CODE, estimator="stratified", **options
    )
    names = ("gc_plus_full", "row_space_exact", "all_individuals")
    hits = dict.fromkeys(names, 0)
    for seed in range(1000):
        key = jax.random.key(seed)
        found = stratified_outcomes(reduce(add, simulation.counts(key, TEN, TEN_CODE, 10_000)))
        for name in names:
            estimate = getattr(found, name)
            hits[name] += estimate.low <= getattr(truth, name) <= estimate.high
    assert min(hits.values()) >= 930, hits


@pytest.mark.slow
def test_an_unknown_estimator_and_counts_of_other_strata(ten: StratifiedCounts) -> None:
    with pytest.raises(ValueError, match=r"estimator = 'stratifed': allowed are counted, .*mean"):
        simulate_outcomes(KEY, SMALL, SMALL_CODE, num_trials=10, estimator="stratifed")
    other = with_weights(ten, np.roll(ten.strata.weights, 1))
    with pytest.raises(ValueError, match="counts of different strata do not add"):
        ten + other
