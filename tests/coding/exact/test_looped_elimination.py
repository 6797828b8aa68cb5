"""The elimination by loops is the unrolled one, bit for bit."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import MERSENNE_31
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.coding.exact.looped_elimination import looped_null_vector
from jaxcogc.coding.exact.null_vector import null_vector
from jaxcogc.coding.exact.prime_field import random_elements
from tests.coding.stacks import random_links
from tests.quick import quick_jit

STACKS = 300
SIZES = [(1, 2), (2, 3), (4, 4), (9, 1), (17, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("modulus", [MERSENNE_31, 1009], ids=["mersenne", "montgomery"])
@pytest.mark.parametrize(("clients", "attempts"), SIZES)
def test_the_same_vectors_and_ranks(clients, attempts, modulus):
    """Any support, stacks from empty to complete, and a field where pivots vanish by chance."""
    source = np.random.default_rng(clients)
    shape = (attempts, clients, clients)
    coefficients = (source.uniform(size=shape) < 0.7) * source.integers(1, modulus, shape)
    level = np.linspace(0, 1, STACKS)
    links = random_links(
        source, (STACKS, attempts, clients), level[:, None, None], level[:, None, None, None] / 2
    )
    rows = pack_rows(*links)
    words = source.integers(0, 2**32, (clients, STACKS), dtype=np.uint32)
    random = random_elements(jnp.asarray(words), modulus)
    terms = gram_terms(jnp.asarray(coefficients.astype(np.uint32)), modulus)
    found, expected = (
        quick_jit(solve, static_argnums=3)(rows, terms, random, modulus)
        for solve in (looped_null_vector, null_vector)
    )
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert len(set(np.asarray(found[1]).tolist())) > min(clients, 3) - 1
