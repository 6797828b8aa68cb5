"""The mean mixing matrix against stored values and against every set of clients that is heard."""

import itertools
import json

import numpy as np
import pytest

from jaxcogc import Network, mean_mixing_matrix
from tests.places import SHARED


def with_uplinks(lost):
    return Network(lost, np.zeros((len(lost), len(lost))))


def mixing(heard):
    """W of one round."""
    heard = np.array(heard, bool)
    matrix = np.eye(len(heard))
    if heard.any():
        matrix[np.ix_(heard, heard)] = 1 / heard.sum()
    return matrix


def enumerated(lost):
    """E[W] and E[W^T W] over who is heard."""
    first, second = 0.0, 0.0
    for heard in itertools.product((0, 1), repeat=len(lost)):
        probability = np.prod(np.where(heard, 1 - np.array(lost), lost))
        matrix = mixing(heard)
        first = first + probability * matrix
        second = second + probability * matrix.T @ matrix
    return first, second


@pytest.mark.skipif(not SHARED.exists(), reason="no reference values here")
def test_values_of_an_independent_program():
    cases = json.loads((SHARED / "reference" / "extensions.json").read_text())["cases"]
    cases = [case for case in cases if case["topic"] == "C"]
    assert len(cases) == 2
    for case in cases:
        found = mean_mixing_matrix(with_uplinks(case["uplink_erasure"]))
        expected = case["expected"]
        np.testing.assert_allclose(found, expected["mean_mixing_matrix"], rtol=1e-12)
        contraction = np.linalg.eigvalsh(found)[-2]
        assert contraction == pytest.approx(expected["contraction"], rel=1e-12)


@pytest.mark.parametrize("clients", range(1, 8))
def test_mean_over_everybody_that_may_be_heard(clients):
    lost = np.random.default_rng(clients).uniform(size=clients)
    lost[clients // 2 :: 3] = clients % 2  # some links never fail, or always do
    found = mean_mixing_matrix(with_uplinks(lost))
    for expected in enumerated(lost):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_equal_links_contract_as_the_formula_says():
    for clients, p in ((2, 0.5), (10, 0.4), (200, 0.9), (1000, 1e-9)):
        matrix = mean_mixing_matrix(with_uplinks(np.full(clients, p)))
        expected = 1 - (clients * (1 - p) - 1 + p**clients) / (clients - 1)
        assert matrix[0, 0] - matrix[0, 1] == pytest.approx(expected, rel=1e-9, abs=1e-11)
        np.testing.assert_allclose(matrix.sum(axis=0), 1, rtol=1e-12)
    everybody = mean_mixing_matrix(with_uplinks(np.zeros(5)))
    np.testing.assert_allclose(everybody, np.full((5, 5), 0.2), rtol=1e-14)
    np.testing.assert_array_equal(mean_mixing_matrix(with_uplinks(np.ones(4))), np.eye(4))
