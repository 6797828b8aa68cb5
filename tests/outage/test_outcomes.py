"""The classification of trials against the definitions, for every combination of answers."""

import itertools
import operator

import jax
import numpy as np

from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.names import DECODERS, EVENTS, GAINS, OUTCOMES
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.outcomes import EXACT_OUTCOMES, ByOutcome, classify, counted_events, gained
from jaxcogc.outage.rare.weighted_sums import FAILURES

CLIENTS = 3
ANSWERS = [
    (gc, exact, members)
    for gc, exact in [(True, True), (False, True), (False, False)]
    for members in itertools.product((False, True), repeat=CLIENTS)
    if exact or not all(members)
]


def recovery_of(answers):
    gc, exact, members = (np.array(column) for column in zip(*answers, strict=True))
    return Recovery(gc, exact, members, members.sum(axis=1), gc.astype(np.int32))


def one_by_one(gc, exact, members):
    """By decoder: the exact average, one of some clients, none."""
    some = any(members)
    return {
        "gc": "exact" if gc else "none",
        "gc_plus": "exact" if gc or all(members) else "partial" if some else "none",
        "row_space": "exact" if exact else "partial" if some else "none",
    }


def test_every_combination():
    happened = classify(recovery_of(ANSWERS)).by_name()
    assert list(happened) == list(OUTCOMES)
    for place, answer in enumerate(ANSWERS):
        found = one_by_one(*answer)
        expected = {
            "gc_outage": found["gc"] == "none",
            **{f"gc_plus_{k}": found["gc_plus"] == k for k in ("partial", "none")},
            "gc_plus_full": found["gc_plus"] == "exact",
            **{f"row_space_{k}": found["row_space"] == k for k in ("exact", "partial", "none")},
            "all_individuals": all(answer[2]),
        }
        assert {name: bool(seen[place]) for name, seen in happened.items()} == expected


def test_one_trial_and_clients_first_and_a_trace_say_the_same():
    recovery = recovery_of(ANSWERS)
    whole = classify(recovery).by_name()
    turned = recovery._replace(client_recovered=recovery.client_recovered.T)
    traced = jax.jit(lambda r: classify(r, clients_axis=0).by_name())(turned)
    for name, seen in whole.items():
        assert traced[name].dtype == seen.dtype == bool
        np.testing.assert_array_equal(traced[name], seen)
        for place in range(len(ANSWERS)):
            one = classify(Recovery(*(field[place] for field in recovery))).by_name()
            assert one[name] == seen[place]


def test_failures_of_each_decoder():
    happened = classify(recovery_of(ANSWERS))
    no_exact, nothing = happened.no_exact_average(operator.invert), happened.nothing_recovered()
    assert list(no_exact) == list(nothing) == list(EXACT_OUTCOMES) == list(DECODERS)
    for place, answer in enumerate(ANSWERS):
        found = one_by_one(*answer)
        assert {d: bool(x[place]) for d, x in no_exact.items()} == {
            d: kind != "exact" for d, kind in found.items()
        }
        assert {d: bool(x[place]) for d, x in nothing.items()} == {
            d: kind == "none" for d, kind in found.items()
        }


def test_events_are_the_outages_and_the_outcomes():
    happened = classify(recovery_of(ANSWERS))
    events = happened.events(operator.invert)
    assert list(events) == list(EVENTS)
    for decoder, seen in happened.no_exact_average(operator.invert).items():
        np.testing.assert_array_equal(events[f"{decoder}_outage"], seen)
    counts = {name: int(seen.sum()) for name, seen in happened.by_name().items()}
    counts |= {"trials": len(ANSWERS), "gc": len(ANSWERS) - counts["gc_outage"]}
    assert counted_events(counts) == {name: int(seen.sum()) for name, seen in events.items()}


def test_gains_count_what_they_say():
    happened = classify(recovery_of(ANSWERS))
    counts = {name: int(seen.sum()) for name, seen in happened.by_name().items()}
    counts |= {"trials": len(ANSWERS), "gc": len(ANSWERS) - counts["gc_outage"]}
    kinds = [one_by_one(*answer) for answer in ANSWERS]
    assert gained(counts) == {
        "gc_plus_over_gc": sum(k["gc"] == "none" and k["gc_plus"] == "exact" for k in kinds),
        "row_space_over_gc_plus": sum(
            k["gc_plus"] != "exact" and k["row_space"] == "exact" for k in kinds
        ),
        "row_space_over_gc": sum(k["gc"] == "none" and k["row_space"] == "exact" for k in kinds),
        "gc_plus_some_over_gc": sum(k["gc"] == "none" and k["gc_plus"] != "none" for k in kinds),
    }
    assert list(gained(counts)) == list(GAINS)


def test_what_cannot_fail_where_standard_decoding_succeeds():
    where_it_does = classify(recovery_of([answer for answer in ANSWERS if answer[0]]))
    seen = np.array(list(where_it_does.by_name().values()))
    np.testing.assert_array_equal(FAILURES, [~seen.any(axis=1), seen.all(axis=1)])


def test_probabilities_have_the_names_of_the_outcomes():
    half = Estimate(0.25, 0.5, 1.0, method="wilson", level=0.9)
    outcomes = Outcomes(*[half] * 8, 1.0, np.zeros(3), *[np.zeros(2)] * 3, trials=4)
    assert isinstance(outcomes, ByOutcome)
    assert list(outcomes.by_name()) == list(OUTCOMES)
    assert repr(outcomes.outages()["gc"]) == repr(half)
    turned = Estimate(0.0, 0.5, 0.75, method="wilson", level=0.9)
    assert repr(outcomes.outages()["row_space"]) == repr(turned) == repr(half.complement())
