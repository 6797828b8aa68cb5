"""Programs that know how far rows reach: the same vectors, bit for bit, as those that look."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.coding.exact.null_vector import _coupled, null_vector
from jaxcogc.coding.exact.ring.null_vector import ring_null_vector
from jaxcogc.coding.exact.ring.terms import ring_terms, walk_serves
from jaxcogc.coding.host_field import MERSENNE_31
from tests.coding.stacks import random_links
from tests.quick import quick_jit

TRIALS = 64


def stacks_of(clients, attempts, erasures):
    source = np.random.default_rng(clients)
    links = random_links(source, (TRIALS, attempts, clients), *erasures)
    random = source.integers(0, MERSENNE_31, (clients, TRIALS), dtype=np.uint32)
    return jax.jit(pack_rows)(*links), random


def code_of(clients, attempts, stragglers):
    """Of each attempt another one, so that neither may stand for both."""
    keys = jax.random.split(jax.random.key(stragglers), attempts)
    return np.stack([cyclic_code(key, clients, stragglers).field_matrix for key in keys])


@partial(quick_jit, static_argnums=3)
def eliminated(rows, coefficients, random, reach):
    terms = gram_terms(coefficients, MERSENNE_31, reach=reach)
    return null_vector(rows, terms, random, MERSENNE_31)


@partial(quick_jit, static_argnums=3)
def walked(rows, coefficients, random, reach):
    terms = ring_terms(coefficients[0], MERSENNE_31, reach=reach)
    return ring_null_vector(rows, terms, random, MERSENNE_31)


@pytest.mark.parametrize(
    ("clients", "attempts", "reach"),
    [
        (5, 2, 1),
        (6, 1, 4),  # rows meet around the ring on both sides
        pytest.param(18, 2, 3, marks=pytest.mark.slow),  # panels of six: not all are coupled
        pytest.param(33, 1, 2, marks=pytest.mark.slow),  # two words, a last panel that is narrower
    ],
)
def test_elimination(clients, attempts, reach):
    rows, random = stacks_of(clients, attempts, (0.6, 0.2))
    for stragglers in {reach, 1}:  # as far as is known, and less far
        coefficients = code_of(clients, attempts, stragglers)
        expected = eliminated(rows, coefficients, random, None)
        found = eliminated(rows, coefficients, random, reach)
        jax.tree.map(np.testing.assert_array_equal, found, expected)
        assert len(np.unique(expected[1])) > 1
    further = code_of(clients, attempts, min(reach + 1, clients - 1))
    if reach + 1 < clients:  # the check, fed with a code that the program does not serve
        found = eliminated(rows, further, random, reach)
        assert not np.array_equal(found[0], eliminated(rows, further, random, None)[0])


@pytest.mark.slow
@pytest.mark.parametrize(("clients", "reach"), [(24, 4), (26, 1)])  # whole blocks, and not
def test_walk(clients, reach):
    """Also where all constraints of a trial are there, which needs one trajectory more."""
    for erasures in ((0.3, 0.2), (0.02, 0.02), (0.9, 0.0)):
        rows, random = stacks_of(clients, 1, erasures)
        coefficients = code_of(clients, 1, reach)
        expected = walked(rows, coefficients, random, None)
        found = walked(rows, coefficients, random, reach)
        jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_walk_knows_by_its_sizes_whether_it_serves():
    for clients in (24, 26, 31, 64):
        for reach in (1, 7, 8, 9, 16, 23):
            looks = ring_terms(code_of(clients, 1, reach)[0], MERSENNE_31)
            assert walk_serves(clients, reach) == bool(looks.usable)


@pytest.mark.parametrize(
    ("clients", "width", "reach"), [(32, 8, 8), (33, 7, 3), (12, 6, 1), (9, 5, 8)]
)
def test_coupled_panels_against_elimination_of_their_columns(clients, width, reach):
    """By a symbolic elimination of single columns, all of whose entries are generic."""
    filled = np.zeros((clients, clients), bool)
    for sender in range(clients):
        held = (sender + np.arange(reach + 1)) % clients
        filled[np.ix_(held, held)] = True
    for column in range(clients):
        later = filled[column] & (np.arange(clients) > column)
        filled |= later[:, None] & later
    panel = np.arange(clients) // width
    for first in range(panel[-1] + 1):
        for second in range(first + 1, panel[-1] + 1):
            meet = filled[np.ix_(panel == first, panel == second)].any()
            assert _coupled(clients, width, reach)[first, second] == meet
    assert _coupled(clients, width, None).all()
