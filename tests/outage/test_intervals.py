import copy
import json
import math
import pickle

import numpy as np
import pytest
from scipy import stats

from jaxcogc.outage.intervals import Estimate, clopper_pearson, estimate, wilson

COUNTS = [(0, 1), (1, 1), (0, 20), (1, 20), (7, 20), (19, 20), (20, 20), (3, 10**4), (5000, 10**4)]
LARGE = [(0, 10**10), (1, 10**10), (3, 10**10), (10**10 - 2, 10**10), (5 * 10**9, 10**10)]


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(("events", "trials"), COUNTS)
def test_both_methods_equal_scipy_at_ordinary_counts(events, trials, level):
    test = stats.binomtest(events, trials)
    for ours, theirs in (
        (clopper_pearson(events, trials, level), test.proportion_ci(level, "exact")),
        (wilson(events, trials, level), test.proportion_ci(level, "wilson")),
    ):
        # SciPy searches for the exact interval with an absolute tolerance of about 1e-12.
        assert ours.low == pytest.approx(theirs.low, rel=1e-9, abs=1e-11)
        assert ours.high == pytest.approx(theirs.high, rel=1e-9, abs=1e-11)
        assert ours.best == events / trials


@pytest.mark.parametrize(("events", "trials"), COUNTS + LARGE)
def test_clopper_pearson_ends_leave_equal_binomial_tails(events, trials):
    interval = clopper_pearson(events, trials, 0.9)
    if events > 0:
        assert stats.binom.sf(events - 1, trials, interval.low) == pytest.approx(0.05, rel=1e-6)
    if events < trials:
        # From the other end: 1 - p keeps its digits where p is near 1.
        missed = clopper_pearson(trials - events, trials, 0.9).low
        tail = stats.binom.sf(trials - events - 1, trials, missed)
        assert tail == pytest.approx(0.05, rel=1e-6)
        assert interval.high == pytest.approx(1.0 - missed, rel=1e-14)


def test_few_events_in_many_trials_keep_their_digits():
    # At one event the lower end is 1 - (1 - tail)^(1/N), at none the upper one 1 - tail^(1/N).
    assert clopper_pearson(1, 10**10).low == pytest.approx(-math.log1p(-0.025) / 1e10, rel=1e-9)
    assert clopper_pearson(0, 10**10).high == pytest.approx(-math.log(0.025) / 1e10, rel=1e-9)
    z = stats.norm.isf(0.025)
    for events in (1, 3):
        # For a rare event Wilson's ends are those of the Poisson score interval.
        ends = [events + z * z / 2 + sign * z * math.sqrt(events + z * z / 4) for sign in (-1, 1)]
        interval = wilson(events, 10**10)
        assert interval.low == pytest.approx(ends[0] / 1e10, rel=1e-8)
        assert interval.high == pytest.approx(ends[1] / 1e10, rel=1e-8)


@pytest.mark.parametrize("method", [clopper_pearson, wilson])
@pytest.mark.parametrize("trials", [1, 17, 10**6, 10**10])
def test_ends_are_exact_where_nothing_or_everything_happened(method, trials):
    assert method(0, trials).low == 0.0
    assert method(trials, trials).high == 1.0
    for events in {0, 1, trials // 2, trials - 1, trials}:
        interval = method(events, trials)
        mirrored = method(trials - events, trials)
        assert 0.0 <= interval.low <= interval.best <= interval.high <= 1.0
        assert interval.low == pytest.approx(1.0 - mirrored.high, rel=1e-9, abs=1e-15)


def coverage(method, trials, level, probabilities):
    """P(interval holds p), summed exactly over all counts; [probabilities]."""
    intervals = [method(events, trials, level) for events in range(trials + 1)]
    low = np.array([interval.low for interval in intervals])
    high = np.array([interval.high for interval in intervals])
    p = probabilities[:, None]
    weights = stats.binom.pmf(np.arange(trials + 1), trials, p)
    return np.sum(weights * ((low <= p) & (p <= high)), axis=1)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("trials", [5, 30, 100])
def test_clopper_pearson_covers_with_at_least_its_level(trials, level):
    probabilities = np.linspace(0.0, 1.0, 997)
    assert coverage(clopper_pearson, trials, level, probabilities).min() >= level - 1e-9
    # The check can fail: Wilson does not promise as much.
    assert coverage(wilson, trials, level, probabilities).min() < level


def test_an_estimate_is_the_float_in_its_middle():
    interval = estimate(3, 10, level=0.9, interval="wilson")
    assert interval == 0.3
    assert 1 - interval == 0.7
    assert isinstance(interval, float)
    assert f"{interval:.3f} {interval}" == "0.300 0.3"
    assert json.dumps([interval]) == "[0.3]"
    assert np.asarray([interval]).dtype == np.float64
    assert (interval.method, interval.level) == ("wilson", 0.9)
    for copied in (copy.deepcopy(interval), pickle.loads(pickle.dumps(interval))):
        assert repr(copied) == repr(interval)
    exact = Estimate.exact(0.25)
    assert (exact.low, exact.best, exact.high) == (0.25, 0.25, 0.25)
    assert (exact.method, exact.level) == ("exact", 1.0)


@pytest.mark.parametrize("level", [0, 1, -0.1, 1.5, math.nan, 95])
@pytest.mark.parametrize("method", [clopper_pearson, wilson])
def test_a_wrong_level_is_named(method, level):
    with pytest.raises(ValueError, match=r"^level = .*: allowed .*between 0 and 1$"):
        method(1, 2, level)


@pytest.mark.parametrize(
    ("events", "trials", "words"),
    [
        (0, 0, "num_trials = 0"),
        (0, -1, "num_trials = -1"),
        (1, 2.5, "num_trials = 2.5"),
        (-1, 5, "num_events = -1"),
        (6, 5, r"num_events = 6: .* 0\.\.5"),
        (0.5, 5, "num_events = 0.5"),
    ],
)
def test_wrong_counts_are_named(events, trials, words):
    for method in (clopper_pearson, wilson):
        with pytest.raises(ValueError, match=words):
            method(events, trials)


def test_other_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="interval = 'wald': allowed are clopper-pearson, wilson"):
        estimate(1, 2, interval="wald")
    with pytest.raises(ValueError, match="ascending"):
        Estimate(0.3, 0.2, 0.4, method="exact", level=1.0)
    with pytest.raises(ValueError, match="ascending"):
        Estimate(math.nan, 0.2, 0.4, method="exact", level=1.0)
