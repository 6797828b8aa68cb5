"""The null vector against Python-integer elimination, on stacks of every kind.

The oracle works over GF(2^61 - 1), for random supports with coefficients of its own. Both codes
are generic members of one family, so they agree but for a chance of about 4 (4 clients + 2) / 2^31
a stack: below 1e-3 for all stacks of `make test` together.
"""

import jax
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
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.coding.exact.null_vector import null_vector
from jaxcogc.links.draws import Links
from tests.coding.stacks import (
    disagreements,
    field_code,
    oracle,
    random_links,
    recover_many,
)
from tests.quick import quick_jit
from tests.reference import PRIME, RowSpace, cyclic_matrix, unit

SHAPES = [(1, 2), (2, 3), (4, 4), (6, 1), (10, 2)]  # clients, attempts
STACKS = 24


def random_integers(source, shape, modulus):
    """Uniform integers below a modulus of up to 61 bits, as Python integers."""
    return (source.integers(0, 2**62, shape) % (modulus - 1) + 1).astype(object)


class Drawn(list):
    """What hypothesis drew, without pages of numbers when it reports."""

    def __repr__(self):
        return f"Drawn(of shapes {[np.shape(x) for x in self]})"


@st.composite
def codes(draw, clients):
    """The same code over both fields: [clients, clients] for the kernel and for the oracle."""
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = ["random support", "small integers", "uncoded", "all ones", "blocks"]
    kind = draw(st.sampled_from(kinds))
    event(kind)
    if kind == "random support":
        support = draw(arrays(bool, (clients, clients)))
        matrices = [
            support * random_integers(source, support.shape, q) for q in (MERSENNE_31, PRIME)
        ]
    elif kind == "small integers":
        matrices = [draw(arrays(np.int64, (clients, clients), elements=st.integers(-2, 2)))] * 2
    elif kind == "uncoded":
        matrices = [np.eye(clients, dtype=np.int64)] * 2
    elif kind == "all ones":
        matrices = [np.ones((clients, clients), np.int64)] * 2
    else:
        sizes = [size for size in range(1, clients + 1) if clients % size == 0]
        block = draw(st.sampled_from(sizes))
        matrices = [
            np.kron(np.eye(clients // block, dtype=np.int64), np.ones((block,) * 2, int))
        ] * 2
    if draw(st.booleans()):  # some rows repeat others
        rows = draw(arrays(np.int64, clients, elements=st.integers(0, clients - 1)))
        matrices = [matrix[rows] for matrix in matrices]
    return Drawn([matrices[0], [[int(x) for x in row] for row in matrices[1]]])


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
    return Drawn(links)


@pytest.mark.slow
@pytest.mark.parametrize(("clients", "attempts"), SHAPES)
def test_equals_python_integers(clients, attempts):
    @settings(derandomize=True, database=None)
    @given(codes(clients), stacks(clients, attempts))
    def check(code, drawn_links):
        (ours, theirs), links = code, Links(*drawn_links)
        found = recover_many(field_code(ours), links)
        assert not disagreements(found, oracle([theirs] * attempts, links))

    check()


@pytest.mark.slow
def test_redrawn_codes_equal_python_integers():
    clients, attempts = 4, 3

    @settings(derandomize=True, database=None)
    @given(
        st.lists(codes(clients), min_size=attempts, max_size=attempts), stacks(clients, attempts)
    )
    def check(drawn, drawn_links):
        (ours, theirs), links = zip(*drawn, strict=True), Links(*drawn_links)
        found = recover_many(field_code(np.stack(ours)), links)
        # A row counts every time, even where two attempts happen to have the same code.
        expected = oracle([[list(row) for row in matrix] for matrix in theirs], links)
        assert not disagreements(found, expected)

    check()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "prime"),
    [(cyclic_mds_code(8, s), None) for s in (1, 3, 5)]
    + [(fractional_repetition_code(6, s), PRIME) for s in (1, 2)],
    ids=lambda value: f"{value.family}-{value.num_stragglers}" if hasattr(value, "family") else "",
)
def test_fixed_codes_equal_python_integers(code, prime):
    """Integer codes over the large field; the cyclic MDS code over its own, a Montgomery one."""
    assert (code.modulus == MERSENNE_31) == (prime is PRIME)
    clients = code.num_clients
    links = random_links(np.random.default_rng(5), (150, 2, clients), 0.4, 0.15)
    matrix = [[int(x) for x in row] for row in code.field_matrix]
    expected = oracle([matrix] * 2, links, prime or code.modulus)
    assert len(set(expected.rank)) > 3
    assert not disagreements(recover_many(code, links), expected)


# --- the check can fail -------------------------------------------------------------------------


def by_support_alone(links, stragglers):
    """Structural rank: every received entry a generic number of its own."""
    source, recovered = np.random.default_rng(0), []
    clients = links.uplink_delivered.shape[-1]
    offset = (np.arange(clients) - np.arange(clients)[:, None]) % clients
    for uplinks, peers in zip(*links, strict=True):
        held = (peers & (offset <= stragglers) & uplinks[..., None]).reshape(-1, clients)
        space = RowSpace(held * random_integers(source, held.shape, PRIME))
        complete = (peers | (offset > stragglers)).all(axis=2) & uplinks
        num_complete = int(complete.any(axis=0).sum())
        clients_in = tuple(unit(clients, k) in space for k in range(clients))
        gc = num_complete >= clients - stragglers
        recovered.append((gc, [1] * clients in space, clients_in, space.rank, num_complete))
    return Recovery(*map(np.array, zip(*recovered, strict=True)))


def in_float32(code, links, expected):
    """Pseudo-inverses in float32 with the tolerance that agrees best; gc and counts given."""
    clients = code.num_clients
    held = links.peer_delivered & links.uplink_delivered[..., None]
    rows = (held * code.matrix).reshape(len(held), -1, clients).astype(np.float32)
    _, values, basis = np.linalg.svd(rows, full_matrices=False)
    found = []
    for cut, tolerance in [(1e-6, 1e-3), (1e-5, 1e-3), (1e-5, 1e-2), (1e-4, 1e-2)]:
        kept = values > cut * values.max(axis=1, keepdims=True)
        projector = np.einsum("tij,ti,tik->tjk", basis, kept, basis)
        residual = np.eye(clients) - projector
        clients_in = np.linalg.norm(residual, axis=2) < tolerance
        total = np.linalg.norm(residual.sum(axis=2), axis=1) < tolerance * clients
        found.append(
            expected._replace(
                sum_recovered=total, client_recovered=clients_in, rank=kept.sum(axis=1)
            )
        )
    return min(found, key=lambda recovery: sum(disagreements(recovery, expected).values()))


@pytest.mark.slow
@pytest.mark.parametrize("stragglers", [0, 4, 7, 9])
def test_cyclic_codes_equal_python_integers_and_wrong_decoders_do_not(stragglers, repetitions):
    code = cyclic_code(jax.random.key(stragglers), 10, stragglers)
    source = np.random.default_rng(stragglers)
    shape = (repetitions(20, 1000) * STACKS, 2, 10)
    links = random_links(source, shape, 0.4, 0.25)
    reference = cyclic_matrix(10, stragglers)
    expected = oracle([reference] * 2, links)
    custom = field_code(code.field_matrix)  # gc by a null vector, not by counting
    assert not disagreements(recover_many(custom, links), expected)
    if stragglers == 7:  # the same check, fed with decoders that are wrong
        wrong = disagreements(by_support_alone(links, stragglers), expected)
        assert wrong["client_recovered"] > 20
        another_code_each_time = oracle([reference, cyclic_matrix(10, stragglers, 1)], links)
        assert disagreements(another_code_each_time, expected)["client_recovered"] > 10
        assert disagreements(in_float32(code, links, expected), expected)


# --- the vector itself --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("clients", "attempts"), [(5, 2), (33, 1)])
def test_the_vector_is_annihilated_by_every_row(clients, attempts):
    """Also with more clients than a word has bits."""
    source = np.random.default_rng(clients)
    shape = (attempts, clients, clients)
    support = source.uniform(size=shape) < 0.8
    coefficients = (support * source.integers(1, MERSENNE_31, shape)).astype(np.uint32)
    links = random_links(source, (STACKS, attempts, clients), 0.3, 0.5)
    rows = jax.jit(pack_rows)(*links)
    solve = quick_jit(null_vector, static_argnums=3)
    code = jax.jit(gram_terms, static_argnums=1)(coefficients, MERSENNE_31)
    random, others = source.integers(0, MERSENNE_31, (2, clients, STACKS), dtype=np.uint32)
    vector, rank = solve(rows, code, random, MERSENNE_31)
    held = links.peer_delivered & links.uplink_delivered[..., None]
    received = (held * coefficients).reshape(STACKS, -1, clients)
    products = received.astype(object) * np.asarray(vector).T[:, None].astype(object)
    assert not (products.sum(axis=2) % MERSENNE_31).any()
    spaces = [RowSpace(matrix.tolist(), MERSENNE_31) for matrix in received]
    assert [space.rank for space in spaces] == rank.tolist()
    assert min(rank) > 0
    for k in range(clients):
        inside = [unit(clients, k) in space for space in spaces]
        assert inside == (np.asarray(vector)[k] == 0).tolist()
    # Other random numbers: another vector, the same rank, the same zeros.
    again, same_rank = solve(rows, code, others, MERSENNE_31)
    np.testing.assert_array_equal(np.asarray(again) == 0, np.asarray(vector) == 0)
    np.testing.assert_array_equal(same_rank, rank)
    assert (np.asarray(again) != vector)[np.asarray(vector) != 0].all()
    # Nothing random, nothing missed: what is recoverable is zero for every choice.
    assert not np.asarray(solve(rows, code, np.zeros_like(random), MERSENNE_31)[0]).any()
