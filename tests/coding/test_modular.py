"""The null vector against Python-integer elimination, on stacks of every kind.

The oracle works over GF(2^61 - 1), for random supports with coefficients of its own. Both codes
are generic members of one family, so they agree but for a chance of about 4 (4 clients + 2) / 2^31
a stack: below 1e-3 for all stacks of `make test` together.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxcogc.coding.codes import (
    MERSENNE_31,
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
)
from jaxcogc.coding.field import random_elements
from jaxcogc.coding.modular import gram_terms, null_vector
from jaxcogc.coding.recovery import Recovery, pack_rows
from jaxcogc.links.sampling import Links
from tests.coding.stacks import disagreements, field_code, oracle, random_links, recover_many
from tests.reference import PRIME, cyclic_matrix

SHAPES = [(1, 2), (2, 3), (3, 1), (4, 4), (6, 2), (10, 2)]  # clients, attempts
STACKS = 24
KEY = jax.random.key(0)


def random_integers(source, shape, modulus):
    """Uniform integers below a modulus of up to 61 bits, as Python integers."""
    return (source.integers(0, 2**62, shape) % (modulus - 1) + 1).astype(object)


@st.composite
def codes(draw, clients):
    """The same code over both fields: [clients, clients] for the kernel and for the oracle."""
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = ["random support", "small integers", "uncoded", "all ones", "blocks"]
    kind = draw(st.sampled_from(kinds))
    event(kind)
    if kind == "random support":
        support = draw(arrays(bool, (clients, clients)))
        matrices = [support * random_integers(source, support.shape, q) for q in (MERSENNE_31, PRIME)]
    elif kind == "small integers":
        matrices = [draw(arrays(np.int64, (clients, clients), elements=st.integers(-2, 2)))] * 2
    elif kind == "uncoded":
        matrices = [np.eye(clients, dtype=np.int64)] * 2
    elif kind == "all ones":
        matrices = [np.ones((clients, clients), np.int64)] * 2
    else:
        sizes = [size for size in range(1, clients + 1) if clients % size == 0]
        block = draw(st.sampled_from(sizes))
        matrices = [np.kron(np.eye(clients // block, dtype=np.int64), np.ones((block,) * 2, int))] * 2
    if draw(st.booleans()):  # some rows repeat others
        rows = draw(arrays(np.int64, clients, elements=st.integers(0, clients - 1)))
        matrices = [matrix[rows] for matrix in matrices]
    return matrices[0], [[int(x) for x in row] for row in matrices[1]]


@st.composite
def stacks(draw, clients, attempts):
    """Links: from nothing to everything delivered, some attempts alike."""
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    level = st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0])
    links = random_links(source, (STACKS, attempts, clients), draw(level), draw(level))
    if draw(st.booleans()):  # what one attempt brought, another brings again
        same = draw(arrays(np.int64, attempts, elements=st.integers(0, attempts - 1)))
        links = Links(*(x[:, same] for x in links))
    links.uplink_delivered[0] = False  # an all-zero stack
    return links


@pytest.mark.parametrize(("clients", "attempts"), SHAPES)
def test_equals_python_integers(clients, attempts):
    @settings(derandomize=True, database=None)
    @given(codes(clients), stacks(clients, attempts))
    def check(code, links):
        ours, theirs = code
        found = recover_many(KEY, field_code(ours), links)
        assert not disagreements(found, oracle([theirs] * attempts, links))

    check()


@pytest.mark.parametrize(("clients", "attempts"), [(4, 4), (6, 2)])
def test_redrawn_codes_equal_python_integers(clients, attempts):
    @settings(derandomize=True, database=None)
    @given(st.lists(codes(clients), min_size=attempts, max_size=attempts), stacks(clients, attempts))
    def check(drawn, links):
        ours, theirs = zip(*drawn, strict=True)
        found = recover_many(KEY, field_code(np.stack(ours)), links)
        # Even the first code, seen again, is an attempt of its own: rows count every time.
        expected = oracle([[list(row) for row in matrix] for matrix in theirs], links)
        assert not disagreements(found, expected)

    check()


@pytest.mark.parametrize("stragglers", [0, 1, 4, 7, 9])
def test_cyclic_codes_equal_python_integers(stragglers, repetitions):
    code = cyclic_code(jax.random.key(stragglers), 10, stragglers)
    code = field_code(code.field_matrix)  # gc by a null vector, not by counting
    source = np.random.default_rng(stragglers)
    for peer_erasure in (0.05, 0.3):
        shape = (repetitions(10, 1000) * STACKS, 2, 10)
        links = random_links(source, shape, 0.4, peer_erasure)
        expected = oracle([cyclic_matrix(10, stragglers)] * 2, links)
        for part in range(0, len(links.uplink_delivered), STACKS):
            some = slice(part, part + STACKS)
            found = recover_many(KEY, code, Links(*(x[some] for x in links)))
            assert not disagreements(found, Recovery(*(x[some] for x in expected)))


@pytest.mark.parametrize(
    ("code", "prime"),
    [
        (cyclic_mds_code(6, 3), None),
        (cyclic_mds_code(6, 1), None),
        (fractional_repetition_code(6, 2), PRIME),
        (fractional_repetition_code(6, 1), PRIME),
    ],
    ids=lambda value: getattr(value, "family", ""),
)
def test_fixed_codes_equal_python_integers(code, prime):
    """Integer codes over the large field; the cyclic MDS code over its own."""
    links = random_links(np.random.default_rng(5), (200, 2, 6), 0.4, 0.15)
    matrix = [[int(x) for x in row] for row in code.field_matrix]
    expected = oracle([matrix] * 2, links, prime or code.modulus)
    assert len(set(expected.rank)) > 3
    assert not disagreements(recover_many(KEY, code, links), expected)
