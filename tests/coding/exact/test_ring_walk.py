"""The walk around the ring against Python integers and against general elimination.

False failures: as in `test_modular`, about 1e-4 for all stacks of `make test` together.
"""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcogc.coding.codes import cyclic_code, cyclic_mds_code, uncoded
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.decision import prepare_code
from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.coding.exact.null_vector import null_vector
from jaxcogc.coding.exact.prime_field import inverse, multiply
from jaxcogc.coding.exact.ring.null_vector import ring_null_vector
from jaxcogc.coding.exact.ring.terms import most_trajectories, ring_terms
from jaxcogc.coding.host_field import MERSENNE_31
from jaxcogc.coding.recovery import recover
from jaxcogc.links.draws import Links
from tests.coding.stacks import disagreements, field_code, oracle, random_links, recover_many
from tests.quick import quick_jit
from tests.reference import PRIME, RowSpace, cyclic_matrix

STACKS = 16
TRIALS = 256


def elements(source, shape, modulus=MERSENNE_31):
    return source.integers(0, modulus, shape, dtype=np.uint32)


walk = quick_jit(ring_null_vector, static_argnums=3)
eliminate = quick_jit(null_vector, static_argnums=3)
# One small program each in place of dozens.
prepare = jax.jit(prepare_code, static_argnums=2)
terms_of = jax.jit(ring_terms, static_argnums=1)
gram_terms_of = jax.jit(gram_terms, static_argnums=1)
pack = jax.jit(pack_rows)


@jax.jit
def ratios(vector, other):
    return multiply(vector, inverse(other, MERSENNE_31), MERSENNE_31)


def zeros(vector, modulus=MERSENNE_31):
    """Which clients, and whether the sum, a null vector says are recoverable."""
    vector = np.asarray(vector).astype(np.uint64)
    return np.vstack([vector == 0, vector.sum(axis=0) % modulus == 0])


@pytest.mark.slow
@pytest.mark.parametrize("clients", [24, 27])  # whole blocks of clients, and not
def test_equals_python_integers(clients):
    """Random supports within the reach, every erasure level, nothing and everything delivered."""
    level = st.sampled_from([0.0, 0.03, 0.1, 0.4, 0.8])
    most = most_trajectories(clients)
    longest = (most - 1) // 4 * 4 - (-clients % 4)

    @settings(derandomize=True, database=None)
    @given(st.integers(0, 2**32 - 1), st.integers(0, longest), st.booleans(), level, level)
    def check(seed, reach, full, uplink_erasure, peer_erasure):
        source = np.random.default_rng(seed)
        offset = (np.arange(clients) - np.arange(clients)[:, None]) % clients
        support = (offset <= reach) & (full | (source.random(offset.shape) < 0.7)) | (offset == 0)
        numbers = source.integers(1, 2**31 - 1, offset.shape) * support
        links = random_links(source, (STACKS, 1, clients), uplink_erasure, peer_erasure)
        links.uplink_delivered[0] = False
        code = field_code(numbers)
        assert prepare(code.field_matrix[None], 0, MERSENNE_31).ring.usable
        # The oracle's numbers are the same integers in another field: both are generic.
        expected = oracle([numbers.tolist()], links)
        assert not disagreements(recover_many(code, links), expected)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("stragglers", [1, 8, 12])
def test_cyclic_codes_equal_python_integers(stragglers, repetitions):
    """Here complete rows depend on each other; gc is decided by the walk as well."""
    clients, stacks = 24, repetitions(3, 30) * STACKS
    code = cyclic_code(jax.random.key(stragglers), clients, stragglers)
    source = np.random.default_rng(stragglers)
    parts = [
        random_links(source, (stacks, 1, clients), *levels)
        for levels in ((0.1, 0.0), (0.02, 0.02), (0.4, 0.1))
    ]
    links = Links(*map(np.concatenate, zip(*parts, strict=True)))
    expected = oracle([cyclic_matrix(clients, stragglers)], links)
    assert not disagreements(recover_many(field_code(code.field_matrix), links), expected)
    if stragglers == 8:  # the check, fed with something wrong: rows before the cut left out
        assert len(set(expected.rank)) > 3
        assert 0 < expected.client_recovered.mean() < 1
        forgetful = Links(links.uplink_delivered & (np.arange(clients) >= 8), links.peer_delivered)
        assert disagreements(recover_many(field_code(code.field_matrix), forgetful), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [cyclic_code(jax.random.key(0), 24, 7), cyclic_mds_code(24, 5), uncoded(24)],
    ids=["cyclic", "montgomery", "uncoded"],
)
def test_equals_general_elimination(code):
    """Also in a Montgomery field, and where no row reaches any other client."""
    clients, modulus = code.num_clients, code.modulus
    source = np.random.default_rng(clients)
    links = random_links(source, (TRIALS, 1, clients), 0.15, 0.03)
    coefficients = code.field_matrix
    terms = terms_of(coefficients, modulus)
    assert terms.usable
    random = elements(source, (clients, TRIALS), modulus)
    rows = pack(*links)
    vector, rank = walk(rows, terms, random, modulus)
    general, same_rank = eliminate(
        rows, gram_terms_of(coefficients[None], modulus), random, modulus
    )
    np.testing.assert_array_equal(rank, same_rank)
    np.testing.assert_array_equal(zeros(vector, modulus), zeros(general, modulus))
    assert len(np.unique(rank)) > 3


@pytest.mark.slow
def test_offsets_beyond_the_first_word():
    """Rows that reach further than a word has bits: annihilated by every row, and of full rank."""
    clients, stragglers, trials = 96, 36, 4
    code = cyclic_code(jax.random.key(5), clients, stragglers)
    source = np.random.default_rng(5)
    links = random_links(source, (trials, 1, clients), 0.2, 0.1)
    terms = terms_of(code.field_matrix, MERSENNE_31)
    assert terms.usable
    vector, rank = walk(pack(*links), terms, elements(source, (clients, trials)), MERSENNE_31)
    held = links.peer_delivered[:, 0] & links.uplink_delivered[:, 0, :, None]
    received = held * code.field_matrix.astype(object)
    products = received * np.asarray(vector).T[:, None].astype(object)
    assert not (products.sum(axis=2) % MERSENNE_31).any()
    assert np.asarray(vector).any(axis=0).all()
    assert [RowSpace(matrix.tolist(), MERSENNE_31).rank for matrix in received] == rank.tolist()


@pytest.mark.slow
def test_a_vector_does_not_depend_on_the_batch():
    """Alone, it may need fewer groups of trajectories than its neighbours make it walk."""
    clients, stragglers = 24, 8
    code = cyclic_code(jax.random.key(1), clients, stragglers)
    source = np.random.default_rng(1)
    links = random_links(source, (TRIALS, 1, clients), 0.05, 0.0)
    links.uplink_delivered[0] = True  # all constraints are there
    links.uplink_delivered[1, 0, 3] = False
    terms = terms_of(code.field_matrix, MERSENNE_31)
    random, rows = elements(source, (clients, TRIALS)), pack(*links)
    together, _ = walk(rows, terms, random, MERSENNE_31)
    for trial in (0, 1):
        alone = np.full(TRIALS, trial)
        vector, _ = walk(rows[..., alone], terms, random[:, alone], MERSENNE_31)
        ratio = ratios(np.asarray(vector)[:, 0], np.asarray(together)[:, trial])
        known = np.asarray(together[:, trial]) != 0
        np.testing.assert_array_equal(np.asarray(vector)[:, 0] != 0, known)
        assert len(np.unique(np.asarray(ratio)[known])) == 1, "not the same but for its scale"


@pytest.mark.slow
def test_a_code_each_where_some_are_walked_and_some_eliminated():
    clients = 24
    codes = [cyclic_code(jax.random.key(i), clients, s) for i, s in enumerate((4, 12, 13))]
    links = random_links(np.random.default_rng(4), (3, 1, clients), 0.1, 0.02)
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *codes)
    found = jax.jit(jax.vmap(recover, (None, 0, 0)))(jax.random.key(0), together, links)
    for i, code in enumerate(codes):
        alone = recover_many(code, jax.tree.map(lambda x, i=i: x[i : i + 1], links))
        jax.tree.map(lambda x, y, i=i: np.testing.assert_array_equal(x[i], y[0]), found, alone)


@pytest.mark.slow
def test_codes_that_reach_too_far_are_left_to_elimination():
    clients = 24
    for stragglers, usable in ((12, True), (13, False)):
        code = cyclic_code(jax.random.key(2), clients, stragglers)
        assert bool(terms_of(code.field_matrix, MERSENNE_31).usable) == usable
    without_own = np.roll(np.eye(clients, dtype=np.uint32), 1, axis=1)
    assert not terms_of(without_own, MERSENNE_31).usable
    links = random_links(np.random.default_rng(3), (STACKS, 1, clients), 0.2, 0.2)
    found = recover_many(field_code(without_own), links)
    assert not disagreements(found, oracle([without_own.tolist()], links, PRIME))
