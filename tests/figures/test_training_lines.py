"""Schemes in the picture of training are told apart without their colours."""

from jaxcogc.figures.training import scheme_line
from jaxcogc.names import SCHEMES


def test_no_two_schemes_look_alike_in_grey():
    lines = {name: scheme_line(name) for name in SCHEMES}
    assert len({(line.marker, line.dashes) for line in lines.values()}) == len(SCHEMES)


def test_a_scheme_that_is_made_of_another_has_its_colour_and_a_ring():
    for name, base in (
        ("secure_row_space", "row_space"),
        ("row_space+memory", "row_space"),
        ("gc_plus_unbiased", "gc_plus"),
        ("projected_memory", "least_squares"),
    ):
        line, other = scheme_line(name), scheme_line(base)
        assert (line.colour, line.marker) == (other.colour, other.marker)
        assert (line.filled, other.filled) == (False, True)


def test_a_scheme_of_ones_own_has_a_line_that_no_other_has():
    known = {(line.marker, line.dashes) for line in map(scheme_line, SCHEMES)}
    for name in ("mine", "yours", "theirs"):
        line = scheme_line(name)
        assert (line.marker, line.dashes) not in known
