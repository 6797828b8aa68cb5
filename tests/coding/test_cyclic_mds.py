"""Cyclic MDS codes."""

import itertools

import numpy as np
import pytest

from jaxcogc.coding.codes import (
    cyclic_mds_code,
)
from jaxcogc.coding.host_field import rank_mod, spans_ones_mod
from tests.coding.checked_codes import spans_ones, support


@pytest.mark.parametrize(
    ("clients", "stragglers"), [(1, 0), (4, 1), (4, 3), (7, 2), (10, 7), (6, 0)]
)
def test_cyclic_mds_identities(clients, stragglers):
    code = cyclic_mds_code(clients, stragglers)
    np.testing.assert_array_equal(code.matrix != 0, support(clients, stragglers))
    first = (clients - stragglers + 1) // 2
    zeros = np.exp(2j * np.pi * np.arange(first, first + stragglers) / clients)
    polynomial = np.atleast_1d(np.poly(zeros)).real[::-1]
    np.testing.assert_allclose(code.matrix[0, : stragglers + 1], polynomial, rtol=1e-12)
    for m in range(clients):
        np.testing.assert_array_equal(np.roll(code.matrix[0], m), code.matrix[m])
        np.testing.assert_array_equal(np.roll(code.field_matrix[0], m), code.field_matrix[m])
    for rows in itertools.combinations(range(clients), clients - stragglers):
        rows = list(rows)
        assert np.linalg.matrix_rank(code.matrix[rows]) == clients - stragglers
        assert rank_mod(code.field_matrix[rows], code.modulus) == clients - stragglers
        assert spans_ones(code.matrix[rows])
        assert spans_ones_mod(code.field_matrix[rows], code.modulus)


def test_cyclic_mds_over_the_field_is_the_same_code():
    code = cyclic_mds_code(10, 7)
    assert code.modulus % 10 == 1
    assert code.modulus < 2**31
    assert not any(code.modulus % d == 0 for d in range(2, 46341))
    # c_1 of (10, 7) is 1 + phi, the golden ratio or, for another root of unity, its conjugate.
    np.testing.assert_allclose(code.matrix[0, 1], 1 + (1 + 5**0.5) / 2, rtol=1e-15)
    phi = int(code.field_matrix[0, 1]) - 1
    assert phi * phi % code.modulus == (phi + 1) % code.modulus


def test_fewer_cyclic_mds_rows_may_span_the_sum():
    code = cyclic_mds_code(4, 1)
    assert spans_ones(code.matrix[[0, 2]])
    assert not spans_ones(code.matrix[[0, 1]])
    code = cyclic_mds_code(10, 7)
    pairs = [list(pair) for pair in itertools.combinations(range(10), 2)]
    real = [pair for pair in pairs if spans_ones(code.matrix[pair])]
    assert len(real) == 5
    exact = [pair for pair in pairs if spans_ones_mod(code.field_matrix[pair], code.modulus)]
    assert exact == real
