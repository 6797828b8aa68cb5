import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    redraw,
    uncoded,
)
from jaxcogc.coding.encoding import encode, received_matrix
from jaxcogc.links.draws import Links
from tests.coding.stacks import random_links

CODE = cyclic_code(jax.random.key(0), 6, 3)
CODES = [
    CODE,
    cyclic_mds_code(6, 3),
    fractional_repetition_code(6, 1),
    uncoded(6),
    redraw(jax.random.key(1), CODE, 2),
]


def one(seed, attempts=2, clients=6, **erasure):
    links = random_links(np.random.default_rng(seed), (1, attempts, clients), **erasure)
    return Links(links.uplink_delivered[0], links.peer_delivered[0])


def obvious_matrix(code, links):
    """Row by row, as docs/mathematics/rounds.md writes it."""
    rows = []
    for a, (heard, peers) in enumerate(zip(*links, strict=True)):
        matrix = code.matrix[a] if code.redrawn else code.matrix
        for m in range(code.num_clients):
            rows.append([float(b * t * heard[m]) for b, t in zip(matrix[m], peers[m], strict=True)])
    return np.array(rows)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.family)
def test_received_matrix(code):
    for seed in range(5):
        links = one(seed)
        received = received_matrix(code, links)
        assert received.dtype == np.float64
        np.testing.assert_array_equal(received, obvious_matrix(code, links))


def test_received_matrix_under_transformations():
    links = random_links(np.random.default_rng(1), (4, 2, 6))
    expected = [obvious_matrix(CODE, Links(*stack)) for stack in zip(*links, strict=True)]

    def function(code, links):
        return received_matrix(code, links)

    for batched in (
        jax.vmap(function, (None, 0)),
        jax.jit(jax.vmap(function, (None, 0))),  # the code as an argument of a 32-bit trace
        jax.vmap(jax.jit(function), (None, 0)),
        lambda code, links: jax.lax.map(lambda links: function(code, links), links),
    ):
        received = batched(CODE, jax.tree.map(jnp.asarray, links))
        assert received.dtype == np.float64
        np.testing.assert_array_equal(received, expected)


def test_encode_an_arbitrary_tree():
    links = one(3)
    rng = np.random.default_rng(3)
    updates = {
        "weights": rng.normal(size=(6, 3, 2)).astype(np.float32),
        "bias": [rng.normal(size=6), jnp.asarray(rng.normal(size=(6, 4)), jnp.bfloat16)],
    }
    payload = encode(CODE, links, updates)
    assert jax.tree.structure(payload) == jax.tree.structure(updates)
    matrix = obvious_matrix(CODE, links)
    erased = ~matrix.any(axis=1)
    assert erased.any()
    tolerances = {"float32": 1e-6, "float64": 1e-14, "bfloat16": 3e-2}
    for update, rows in zip(jax.tree.leaves(updates), jax.tree.leaves(payload), strict=True):
        assert rows.shape == (12, *update.shape[1:])
        assert rows.dtype == update.dtype  # float64 stays so in either mode
        rows = np.asarray(rows).astype(np.float64)
        expected = np.tensordot(matrix, np.asarray(update).astype(np.float64), 1)
        np.testing.assert_allclose(rows, expected, atol=8 * tolerances[str(update.dtype)])
        assert not rows[erased].any()


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_stays_in_the_rows_that_hold_it(spoilt, dtype):
    links = one(5)
    matrix = obvious_matrix(CODE, links)
    updates = np.random.default_rng(5).normal(size=(6, 4)).astype(dtype)
    clean = np.asarray(encode(CODE, links, updates))
    for client in range(6):
        poisoned = updates.copy()
        poisoned[client, 1:3] = spoilt
        rows = np.asarray(encode(CODE, links, poisoned))
        spoils = np.zeros((12, 4), bool)
        spoils[matrix[:, client] != 0, 1:3] = True
        np.testing.assert_array_equal(np.isnan(rows), spoils)
        np.testing.assert_allclose(
            rows[~spoils], clean[~spoils], rtol=1e-5 if dtype == np.float32 else 1e-14
        )


def test_a_product_would_have_spread_it():
    """The check above can fail: a plain product does not pass it."""
    matrix = obvious_matrix(CODE, one(5))
    updates = np.zeros((6, 4))
    updates[2] = np.nan
    assert np.isnan(matrix @ updates).all()
    assert not (matrix[:, 2] != 0).all()


@pytest.mark.slow
def test_encode_under_vmap_over_trials_and_updates():
    links = jax.tree.map(jnp.asarray, random_links(np.random.default_rng(6), (3, 2, 6)))
    updates = jnp.asarray(np.random.default_rng(6).normal(size=(3, 6, 5)), jnp.float32)
    updates = updates.at[1, 2].set(jnp.nan)
    rows = jax.jit(jax.vmap(encode, (None, 0, 0)))(CODE, links, updates)
    for t in range(3):
        alone = encode(CODE, jax.tree.map(lambda x, t=t: x[t], links), updates[t])
        np.testing.assert_allclose(rows[t], alone, rtol=1e-5, atol=1e-6)
    assert not np.isnan(rows[0]).any()
    assert np.isnan(rows[1]).any()


def test_encode_is_linear_in_the_updates_and_differentiable():
    links = one(7)
    updates = jnp.asarray(np.random.default_rng(7).normal(size=(6, 2)), jnp.float32)
    gradient = jax.grad(lambda updates: jnp.sum(encode(CODE, links, updates)))(updates)
    expected = np.broadcast_to(obvious_matrix(CODE, links).sum(axis=0)[:, None], (6, 2))
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        ({"a": np.zeros((5, 2))}, ["updates['a']", "(5, 2)", "(6, ...)"]),
        ([np.float32(1)], ["updates[0]", "()"]),
        (np.zeros((6, 2), np.int32), ["int32", "floating"]),
        (np.zeros((6, 2), complex), ["complex128"]),
    ],
)
def test_encode_names_what_is_wrong(updates, words):
    with pytest.raises(ValueError) as error:
        encode(CODE, one(0), updates)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("links", "words"),
    [
        (one(0, clients=5), ["uplink_delivered", "(2, 5)", "6 clients"]),
        (Links(np.ones(6, bool), np.ones((6, 6), bool)), ["uplink_delivered", "(6,)"]),
        (Links(np.ones((2, 6), bool), np.ones((1, 6, 6), bool)), ["peer_delivered", "(1, 6, 6)"]),
        (Links(np.ones((2, 6)), np.ones((2, 6, 6), bool)), ["uplink_delivered", "float64", "bool"]),
    ],
)
def test_links_that_do_not_fit_are_named(links, words):
    with pytest.raises(ValueError) as error:
        received_matrix(CODE, links)
    for word in words:
        assert word in str(error.value)


def test_a_redrawn_code_needs_its_attempts():
    with pytest.raises(ValueError, match="redrawn for 2 attempts: allowed is 3"):
        received_matrix(CODES[-1], one(0, attempts=3))
