"""Which estimate and interval a point gets, by the way it stopped."""

import numpy as np
import pytest
from scipy import stats

from jaxcogc.names import GAINS
from jaxcogc.outage.anytime import METHOD as ANYTIME
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.intervals import clopper_pearson, negative_binomial
from jaxcogc.outage.outcomes import counted, gained
from jaxcogc.study.results.estimates import paired_difference, point_estimates
from jaxcogc.study.specification.stop_rules import Standing, StopRule, standing

COUNTS = {
    "trials": 3 * BLOCK_TRIALS,
    "gc": 1000,
    "gc_plus_full": 1800,
    "gc_plus_partial": 300,
    "row_space_exact": 2000,
    "row_space_partial": 200,
    "all_individuals": 1700,
    "rank_sum": 0,
}
RULE = StopRule("gc_plus_full", max_trials=3 * BLOCK_TRIALS)
N = COUNTS["trials"]


def estimates(rule, reason, trial=None):
    return point_estimates(rule, Standing(3, reason), COUNTS, trial)


def methods(found):
    return {estimate.method for estimate in found.values()}


def test_fixed_trials_are_clopper_pearson_throughout():
    found = estimates(RULE, "max-trials")
    assert methods(found) == {"clopper-pearson"}
    assert repr(found["gc_outage"]) == repr(clopper_pearson(N - 1000, N))
    assert repr(found["gc_plus_none"]) == repr(clopper_pearson(N - 2100, N))
    assert repr(found["gc_plus_over_gc"]) == repr(clopper_pearson(800, N))
    assert repr(found["row_space_over_gc_plus"]) == repr(clopper_pearson(200, N))
    assert found["gc_plus_some_over_gc"] == 1100 / N


def test_waiting_for_events_gives_the_unbiased_estimate_to_the_watched_outcome_only():
    rule = RULE._replace(max_trials=10**6, max_events=1750)
    found = estimates(rule, "max-events", trial=48_000)
    watched = found["gc_plus_full"]
    assert repr(watched) == repr(negative_binomial(1750, 48_000))
    assert float(watched) == 1749 / 47_999
    assert set(GAINS) < set(found)
    assert {e.method for name, e in found.items() if name != "gc_plus_full"} == {ANYTIME}
    assert float(found["gc_outage"]) == (N - 1000) / N
    # Not looked up yet: no more than k / N with an interval for any stop.
    pending = estimates(rule, "max-events")
    assert methods(pending) == {ANYTIME}
    assert float(pending["gc_plus_full"]) == 1800 / N


def test_where_the_events_did_not_come_the_plan_is_completed_by_clopper_pearson():
    found = estimates(RULE._replace(max_events=5000), "max-trials")
    assert repr(found["gc_plus_full"]) == repr(clopper_pearson(1800, N))
    assert found["gc_outage"].method == ANYTIME


@pytest.mark.parametrize(
    "reason", ["relative-width", "decided-below", "decided-above", "budget", "unfinished"]
)
def test_all_else_is_anytime(reason):
    rule = RULE._replace(relative_width=0.1, decide_below=0.5)
    assert methods(estimates(rule, reason)) == {ANYTIME}


@pytest.mark.slow
def test_events_beside_a_decision_are_not_estimated_as_if_they_alone_could_stop():
    """(k - 1) / (N - 1) is biased there: as high as the docs say where the events came first."""
    generator, true, most, ratios = np.random.default_rng(0), 1e-3, 100, {}
    rule = StopRule("gc_outage", most * BLOCK_TRIALS, max_events=50, decide_below=2e-3)
    covered, runs, looks = 0, 400, 60
    for run in range(runs):
        events = generator.binomial(BLOCK_TRIALS, true, most)
        where = standing(rule, events)
        trials, total = where.num_blocks * BLOCK_TRIALS, int(events[: where.num_blocks].sum())
        naive, trial = total / trials, None
        if where.reason == "max-events":
            last = int(events[where.num_blocks - 1])
            places = np.sort(generator.choice(BLOCK_TRIALS, last, replace=False)) + 1
            trial = trials - BLOCK_TRIALS + int(places[50 - (total - last) - 1])
            naive = 49 / (trial - 1)
        ratios.setdefault(where.reason, []).append(naive / true)
        if run >= looks:
            continue
        counts = {**COUNTS, "trials": trials, "gc": trials - total}
        counts |= dict.fromkeys(("gc_plus_full", "row_space_exact"), trials)
        counts |= dict.fromkeys(("gc_plus_partial", "row_space_partial"), 0)
        found = point_estimates(rule, where, counts, trial)["gc_outage"]
        assert (found.method, float(found)) == (ANYTIME, total / trials)
        covered += found.low <= true <= found.high
    assert np.mean(ratios["max-events"]) == pytest.approx(1.16, abs=0.04)
    assert np.mean(np.concatenate(list(ratios.values()))) == pytest.approx(0.95, abs=0.03)
    assert covered >= stats.binom.ppf(1e-6, looks, 0.95)


@pytest.mark.parametrize("beside", [{"relative_width": 0.1}, {"decide_below": 0.5}])
@pytest.mark.parametrize("outcome", ["gc_plus_full", "row_space_none"])
def test_events_beside_any_interval_get_the_anytime_estimate(beside, outcome):
    rule = StopRule(outcome, max_trials=10**6, max_events=100, **beside)
    found = estimates(rule, "max-events", trial=48_000)
    assert methods(found) == {ANYTIME}
    assert float(found[outcome]) == {"gc_plus_full": 1800, "row_space_none": N - 2200}[outcome] / N


def test_trials_are_not_fixed_where_an_interval_could_have_ended_them():
    assert methods(estimates(RULE._replace(decide_below=0.5), "max-trials")) == {ANYTIME}


def test_outcomes_of_one_decoder_are_all_there_is():
    for names in (
        ("gc_plus_full", "gc_plus_partial", "gc_plus_none"),
        ("row_space_exact", "row_space_partial", "row_space_none"),
    ):
        assert sum(counted(COUNTS).by_name()[name] for name in names) == N
    assert list(gained(COUNTS)) == list(GAINS)
    assert all(number >= 0 for number in gained(COUNTS).values())


def test_paired_differences_are_precise_and_cover():
    """Blocks of two points with common noise: the noise of the blocks drops out."""
    generator = np.random.default_rng(0)
    covered, true, widths, unpaired = [], 40 / BLOCK_TRIALS, [], []
    for _ in range(400):
        common = generator.poisson(1000, 12)
        events, others = common + generator.poisson(60, 12), common + generator.poisson(20, 12)
        found = paired_difference(events, others, 0.9)
        assert found is not None
        covered.append(found.low <= true <= found.high)
        widths.append(found.high - found.low)
        apart = paired_difference(events, generator.permutation(others), 0.9)
        assert apart is not None
        unpaired.append(apart.high - apart.low)
    low, high = stats.binom.interval(1 - 1e-6, 400, 0.9)
    assert low <= sum(covered) <= high
    assert np.mean(widths) < 0.4 * np.mean(unpaired)
    assert paired_difference([3], [4]) is None
    assert float(paired_difference([3, 3], [3, 3]) or 0) == 0.0
