"""The elimination by loops is the unrolled one, bit for bit; and which panels meet in it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import MERSENNE_31
from jaxcogc.coding.exact import panel_loops
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.coding.exact.null_vector import null_vector
from jaxcogc.coding.exact.panel_loops import coupling, looped_null_vector
from jaxcogc.coding.exact.prime_field import random_elements
from tests.coding.stacks import random_links
from tests.quick import quick_jit

STACKS = 300
MODULI = pytest.mark.parametrize("modulus", [MERSENNE_31, 1009], ids=["mersenne", "montgomery"])


def random_code(source, attempts, clients, modulus, reach=None):
    """Any support, or a band around the ring that some rows leave parts of."""
    shape = (attempts, clients, clients)
    offset = (np.arange(clients) - np.arange(clients)[:, None]) % clients
    held = (source.uniform(size=shape) < 0.7) & (offset <= (clients if reach is None else reach))
    return (held * source.integers(1, modulus, shape)).astype(np.uint32)


def found_and_expected(source, coefficients, modulus):
    """Vectors and ranks of stacks from empty to complete, by loops and unrolled."""
    attempts, clients, _ = coefficients.shape
    level = np.linspace(0, 1, STACKS)
    links = random_links(
        source, (STACKS, attempts, clients), level[:, None, None], level[:, None, None, None] / 2
    )
    words = source.integers(0, 2**32, (clients, STACKS), dtype=np.uint32)
    given = pack_rows(*links), random_elements(jnp.asarray(words), modulus)

    def by_loops(coefficients, rows, random):
        terms = gram_terms(coefficients, modulus)
        return looped_null_vector(rows, terms, coupling(coefficients), random, modulus)

    def unrolled(coefficients, rows, random):
        return null_vector(rows, gram_terms(coefficients, modulus), random, modulus)

    return [quick_jit(solve)(coefficients, *given) for solve in (by_loops, unrolled)]


def assert_equal(found, expected, clients):
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert len(set(np.asarray(found[1]).tolist())) > min(clients, 3) - 1


@pytest.mark.slow
@MODULI
@pytest.mark.parametrize(
    ("clients", "attempts"), [(1, 2), (2, 3), (4, 4), (9, 1), (16, 1), (17, 1), (25, 2)]
)
def test_the_same_vectors_and_ranks(clients, attempts, modulus):
    """Narrow and wide panels, the last one filled up; a field where pivots vanish by chance."""
    source = np.random.default_rng(clients)
    coefficients = random_code(source, attempts, clients, modulus)
    assert_equal(*found_and_expected(source, coefficients, modulus), clients)


@pytest.mark.slow
@MODULI
@pytest.mark.parametrize(("clients", "attempts", "reach"), [(13, 2, 2), (41, 1, 3), (48, 2, 9)])
def test_where_few_panels_meet(clients, attempts, reach, modulus):
    source = np.random.default_rng(clients)
    coefficients = random_code(source, attempts, clients, modulus, reach)
    meet = coupling(coefficients)
    panels = len(meet.later.num_needed)
    assert 2 * panels <= meet.later.num_needed.sum() < panels * (panels + 1) // 2
    assert_equal(*found_and_expected(source, coefficients, modulus), clients)


@pytest.mark.parametrize("reach", [1, 2, 5, 15])
def test_panels_that_meet_are_those_of_elimination_by_numbers(reach):
    """Positive numbers that do not cancel, eliminated in floats panel by panel, show who holds whom
    at the end: all of a ring's panels meet its last ones."""
    clients = 16
    source = np.random.default_rng(reach)
    coefficients = random_code(source, 2, clients, 1009, reach)
    held = np.any(coefficients != 0, axis=0)
    gram = held.T @ held.astype(float) + np.eye(clients)
    width, panels = panel_loops._sizes(clients)
    blocks = gram.reshape(panels, width, panels, width).max(axis=(1, 3))
    holds = []
    for panel in range(panels):
        holds.append(np.flatnonzero(blocks[panel, panel:]) + panel)
        blocks = blocks + np.outer(blocks[:, panel], blocks[panel])
    meet = jax.tree.map(np.asarray, coupling(coefficients))
    for panel, expected in enumerate(holds):
        later = meet.later.numbers[panel, : meet.later.num_needed[panel]]
        np.testing.assert_array_equal(later, expected)
        for other in expected:
            count = meet.earlier.num_needed[panel, other]
            earlier = meet.earlier.numbers[panel, other, :count].tolist()
            assert earlier == [p for p in range(panel) if {panel, other} <= set(holds[p])]


def test_panels_are_alike_and_narrow_for_few_clients():
    sizes = [panel_loops._sizes(clients) for clients in (1, 2, 9, 16, 17, 33, 64, 128)]
    expected = [(1, 1), (2, 1), (2, 5), (2, 8), (6, 3), (7, 5), (8, 8), (8, 16)]
    assert sizes == expected
