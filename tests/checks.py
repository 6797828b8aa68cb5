"""Checks of random numbers that say how often they fail by chance.

`FALSE_FAILURE_RATE` is the chance that a correct program fails one call of `surprises` under fresh
random numbers. All seeds are fixed, so a check that passes goes on passing; the rate says how much
its first pass was worth. The tests also feed every check something wrong, which it must reject.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from jaxcogc.outage.counts import OutcomeCounts, Outcomes
from jaxcogc.outage.simulation.monte_carlo import compile_simulation

FALSE_FAILURE_RATE = 1e-7
FEWEST_TRIALS = 10_000

PROBABILITIES = [f"gc_plus_{kind}" for kind in ("full", "partial", "none")]
PROBABILITIES += [f"row_space_{kind}" for kind in ("exact", "partial", "none")]
PROBABILITIES += ["gc_recovered", "all_individuals", "num_recovered_pmf", "client_recovered"]
MEANS = {"mean_rank": None, "gc_plus_weight": 1.0, "row_space_weight": 1.0}


def surprises(p_values: Mapping[str, float], rate: float = FALSE_FAILURE_RATE) -> dict[str, float]:
    """Which p-values are too small, when one of all may be so by chance at this rate."""
    assert p_values, "nothing was compared"
    return {name: p for name, p in p_values.items() if not p >= rate / len(p_values)}


def binomial_p_value(num_events: int, num_trials: int, probability: float) -> float:
    """Exact, two-sided; `probability` may be off by rounding (1e-11) at 0 and 1."""
    if probability < 1e-11 or probability > 1 - 1e-11:
        return float(num_events == round(probability) * num_trials)
    return float(stats.binomtest(num_events, num_trials, probability).pvalue)


def mean_p_value(mean: float, num_trials: int, expected: float, largest: float) -> float:
    """At most this (Bernstein's inequality) for a mean of numbers in [0, largest]."""
    distance = abs(mean - expected)
    variance = max(expected * (largest - expected), 0.0)  # no law on [0, largest] has more
    if distance <= 1e-11 * largest:  # the rounding of stored values
        return 1.0
    exponent = num_trials * distance**2 / (2 * variance + 2 * largest * distance / 3)
    return min(1.0, 2 * math.exp(-exponent))


def chi_square_p_value(squares: Any) -> float:
    """Two-sided, of squares of (nearly) independent standard normal numbers."""
    squares = np.asarray(squares)
    law = stats.chi2(squares.size)
    return min(1.0, 2 * min(law.sf(squares.sum()), law.cdf(squares.sum())))


def numbers(outcomes: Outcomes) -> dict[str, Any]:
    """The fields by the names of the reference file."""
    fields = {name: getattr(outcomes, name) for name in [*PROBABILITIES, *MEANS] if name != _GC}
    return {**fields, _GC: 1.0 - outcomes.gc_outage}


_GC = "gc_recovered"


def outcome_p_values(outcomes: Outcomes, expected: Mapping[str, Any]) -> dict[str, float]:
    """Simulated outcomes against known probabilities: one p-value for every number."""
    trials = outcomes.trials
    assert trials is not None, "exact outcomes have no p-values"
    assert trials >= FEWEST_TRIALS, f"{trials} trials decide nothing"
    found, p_values = numbers(outcomes), {}
    clients = len(outcomes.client_recovered)
    for name in PROBABILITIES:
        for index, (ours, theirs) in _pairs(found[name], expected[name]):
            events = round(float(ours) * trials)
            assert abs(events - float(ours) * trials) < 1e-6, f"{name} is not a rate of trials"
            p_values[f"{name}{index}"] = binomial_p_value(events, trials, float(theirs))
    for name, largest in MEANS.items():
        for index, (ours, theirs) in _pairs(found[name], expected[name]):
            p_values[f"{name}{index}"] = mean_p_value(
                float(ours), trials, float(theirs), largest or clients
            )
    return p_values


def two_sample_p_values(
    outcomes: Outcomes, expected: Mapping[str, Any], num_expected: int
) -> dict[str, float]:
    """Simulated outcomes against another simulation's, of `num_expected` trials.

    Events given their total number are hypergeometric when both have the same probability.
    """
    trials = outcomes.trials
    assert trials is not None
    assert min(trials, num_expected) >= FEWEST_TRIALS
    found, p_values = numbers(outcomes), {}
    for name in PROBABILITIES:
        for index, (ours, theirs) in _pairs(found[name], expected[name]):
            events, others = round(float(ours) * trials), round(float(theirs) * num_expected)
            law = stats.hypergeom(trials + num_expected, events + others, trials)
            p = 2 * min(law.sf(events - 1), law.cdf(events))
            p_values[f"{name}{index}"] = min(1.0, float(p))
    return p_values


def _pairs(ours: Any, theirs: Any) -> list[tuple[str, tuple[Any, Any]]]:
    if np.ndim(ours) == 0:
        return [("", (ours, theirs))]
    pairs = zip(ours, theirs, strict=True)
    return [(f"[{index}]", pair) for index, pair in enumerate(pairs)]


def simulate_counts(key, network, code, num_trials, **settings) -> OutcomeCounts:
    """The raw counts behind `simulate_outcomes`."""
    compiled = {name: settings.pop(name) for name in ("tile", "devices") if name in settings}
    simulation = compile_simulation(network, code, **settings, **compiled)
    total = OutcomeCounts.zero(network.num_clients)
    for counts in simulation.counts(key, network, code, num_trials):
        total = total + counts
    return total


def same_counts(one: OutcomeCounts, other: OutcomeCounts) -> bool:
    """Equal to the last event in every field."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
