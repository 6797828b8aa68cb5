"""Curves of a study are told apart without their colours."""

import itertools

import pytest

from jaxcogc.figures.studies.curve_layout import Curve, Panel
from jaxcogc.figures.studies.curve_looks import looks_of
from jaxcogc.names import EVENTS

ONE = ["gc_plus_none"]


def looks(outcomes, **axes):
    """The looks of a whole grid, by outcome and setting."""
    settings = [
        tuple(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())
    ]
    curves = [
        Curve(outcome, setting, f"{outcome} {setting}", ())
        for outcome in outcomes
        for setting in settings
    ]
    found = looks_of([Panel("", tuple(curves))])
    return {(curve.outcome, curve.setting): found[curve.label] for curve in curves}


@pytest.mark.parametrize(
    ("outcomes", "axes"),
    [
        (ONE, {"stragglers": range(8), "attempts": (1, 2)}),
        (ONE, {"attempts": (1, 2), "stragglers": range(8)}),
        (ONE, {"stragglers": (1, 2), "attempts": range(1, 9)}),
        (ONE, {"stragglers": range(4), "attempts": range(1, 5)}),
        (ONE, {"stragglers": range(4), "attempts": (1, 2), "code": ("cyclic", "uncoded")}),
        (ONE, {"peer_erasure": (0.1, 0.2, 0.3, 0.4, 0.5), "attempts": (1, 2, 3)}),
        (ONE, {"peer_erasure": range(16)}),
        (ONE, {"stragglers": range(16)}),
        (["gc_outage", "gc_plus_none"], {"stragglers": (1, 3), "attempts": (1, 2)}),
        (["gc_outage", "gc_plus_none"], {"stragglers": range(8)}),
        (list(EVENTS)[:5], {"stragglers": (1, 2, 3)}),
        (list(EVENTS), {"stragglers": (1,)}),
    ],
)
def test_no_two_look_alike_in_grey(outcomes, axes):
    found = looks(outcomes, **axes)
    grey = {(look.marker, look.filled, look.dashes) for look in found.values()}
    assert len(grey) == len(found) > 1


@pytest.mark.parametrize("turned", [False, True])
def test_a_colour_and_a_shape_for_each_s_and_rings_for_two_attempts(turned):
    axes = {"stragglers": range(8), "attempts": (1, 2)}
    found = looks(ONE, **dict(reversed(axes.items())) if turned else axes)
    seen = {}
    for (_, setting), look in found.items():
        values = dict(setting)
        assert look.filled == (values["attempts"] == 1)
        assert look.face == (look.colour if look.filled else "white")
        seen.setdefault(values["stragglers"], set()).add((look.colour, look.marker))
    assert [len(pairs) for pairs in seen.values()] == [1] * 8
    assert len(set.union(*seen.values())) == 8


def test_dashes_are_those_of_outcomes():
    found = looks(["gc_outage", "gc_plus_none"], stragglers=(1, 3), attempts=(1, 2))
    dashes = {(outcome, look.dashes) for (outcome, _), look in found.items()}
    assert len(dashes) == 2
    assert {look.clear for look in found.values()} == {True}
    assert len({look.dashes for look in looks(ONE, stragglers=range(16)).values()}) == 1
