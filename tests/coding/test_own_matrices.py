"""Codes made from a matrix of one's own."""

from fractions import Fraction

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    GradientCode,
)
from jaxcogc.coding.constructions import exact_residues
from jaxcogc.coding.gradient_code import IN_FLOATS
from jaxcogc.coding.host_field import MERSENNE_31, rank_mod
from jaxcogc.coding.recovery import recover
from jaxcogc.links.draws import Links


def test_from_matrix_takes_coefficients_exactly():
    q = MERSENNE_31
    code = GradientCode.from_matrix([[1, -3, 0], [1 / 3, 0.1, 2.0**-60], [0, np.pi, 1e17]])
    field = code.field_matrix.astype(object)
    assert field[0].tolist() == [1, q - 3, 0]
    assert field[1, 0] * 3 % q == 1
    assert field[1, 1] * 10 % q == 1
    assert field[1, 2] * 2**60 % q == 1
    numerator, denominator = np.pi.as_integer_ratio()
    assert field[2, 1] * denominator % q == numerator % q
    assert field[2, 2] == 10**17 % q
    assert code.family == "custom"
    assert code.modulus == q
    tandon = GradientCode.from_matrix([[0.5, 1, 0], [0, 1, -1], [0.5, 0, 1]], num_stragglers=1)
    assert int(tandon.num_stragglers) == 1
    assert rank_mod(tandon.field_matrix, q) == 2


@pytest.mark.parametrize(
    ("first", "second", "factor"),
    [(np.pi * 1e8, np.e * 1e8, 2), (np.pi * 1e9, -np.e * 1e8, 4), (2**0.5 * 1e9, 1e8 / 7, 0.5)],
)
def test_large_numbers_keep_their_dependencies(first, second, factor):
    """Most doubles above 2^22 are the nearest ones to some fraction, which doubling may change."""
    rows = [[first, second, 0, 0], [factor * first, factor * second, 0, 0], [0, 0, 1, 1]]
    code = GradientCode.from_matrix([*rows, [1, 1, 1, 1]])
    assert rank_mod(code.field_matrix[:2], MERSENNE_31) == 1
    near = [x.limit_denominator(4096) for x in map(Fraction, (first, second))]
    assert any(float(x) == y for x, y in zip(near, (first, second), strict=True))


def test_fractions_of_usual_size_are_meant():
    values = np.array([[1 / 3, 1e5 / 3], [-7 / 4096, 0.1 + 1000]])
    residues = exact_residues(values, MERSENNE_31).astype(object)
    scaled = residues * [[3, 3], [4096, 10]] % MERSENNE_31
    assert scaled.tolist() == [[1, 10**5], [MERSENNE_31 - 7, 10_001]]


# Rows 0 and 1 add up to 1, and so do rows 2 and 3, by numbers that are no fractions.
SPECIAL = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]]) * np.pi
SPECIAL[:, 1] *= np.e
SPECIAL[1] = np.e - SPECIAL[0]
SPECIAL[3] = np.e - SPECIAL[2]


@pytest.mark.slow
def test_dependencies_of_their_own_are_decided_in_floats():
    """Rows 0 and 1 decode, and so do 2 and 3; 0 and 2 do not."""
    code = GradientCode.from_matrix(SPECIAL)
    assert code.modulus == IN_FLOATS
    np.testing.assert_array_equal(code.field_matrix, SPECIAL != 0)
    for rows, decode in (((0, 1), True), ((2, 3), True), ((0, 2), False), ((1, 2), False)):
        heard = np.isin(np.arange(4), rows)[None]
        found = recover(jax.random.key(0), code, Links(heard, np.ones((1, 4, 4), bool)))
        assert bool(found.gc) == bool(found.sum_recovered) == decode
        assert (int(found.rank), bool(found.client_recovered.any())) == (2, False)


@pytest.mark.parametrize(
    ("matrix", "stragglers", "words"),
    [
        ([[1.0, 2.0]], 0, ["matrix", "(1, 2)", "(clients, clients)"]),
        ([1.0, 2.0], 0, ["matrix", "(2,)", "2 axes"]),
        (np.zeros((0, 0)), 0, ["matrix", "(0, 0)"]),
        ([[1.0, np.nan], [0.0, 1.0]], 0, ["matrix[0, 1] = nan", "finite"]),
        ([[1.0, -np.inf], [0.0, 1.0]], 0, ["matrix[0, 1] = -inf"]),
        ([["x"]], 0, ["matrix", "numbers"]),
        ([[1, -1], [-1, 1]], 0, ["do not span"]),
        ([[0, 0], [0, 0]], 0, ["do not span"]),
        (np.eye(3), 1, ["any 2 rows"]),
        (np.eye(3), 3, ["num_stragglers = 3", "0..2"]),
        ([[2.0**31 - 1, 0], [0, 1]], 0, ["2147483647", "multiple"]),
    ],
)
def test_from_matrix_names_what_is_wrong(matrix, stragglers, words):
    with pytest.raises(ValueError) as error:
        GradientCode.from_matrix(matrix, stragglers)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)
