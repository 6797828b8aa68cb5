"""Real decoders: modes, gradients, edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    GradientCode,
    cyclic_code,
    cyclic_mds_code,
    uncoded,
)
from jaxcogc.coding.decoding import (
    gc_plus_weights,
    gc_weights,
    real_recovery,
    row_space_weights,
)
from jaxcogc.coding.encoding import encode
from jaxcogc.links.draws import Links
from tests.coding.stacks import CODE, DECODERS, decode_many, random_links


@pytest.mark.slow
def test_same_results_in_either_mode():
    links = random_links(np.random.default_rng(11), (50, 2, 6), 0.2, 0.2)
    for decoder in DECODERS:
        results = []
        for mode in (False, True):
            with jax.enable_x64(mode):
                results.append(np.asarray(jax.jit(jax.vmap(decoder, (None, 0)))(CODE, links)))
        np.testing.assert_array_equal(*results)


@pytest.mark.slow
def test_weights_are_constants_of_a_gradient():
    links = random_links(np.random.default_rng(12), (1, 2, 6), 0.1, 0.1)
    one = jax.tree.map(lambda x: jnp.asarray(x[0]), links)
    updates = jnp.asarray(np.random.default_rng(12).normal(size=(6, 3)), jnp.float32)

    def average(updates):
        weights = row_space_weights(CODE, one).astype(jnp.float32)
        return jnp.sum(weights @ encode(CODE, one, updates)) / 6

    np.testing.assert_allclose(jax.grad(average)(updates), 1 / 6, rtol=1e-3)
    with jax.enable_x64(True):  # with respect to the coefficients: no path

        def of_coefficients(matrix):
            code = GradientCode(matrix, CODE.field_matrix, CODE.num_stragglers, "custom")
            return jnp.sum(row_space_weights(code, one)) + jnp.sum(gc_plus_weights(code, one))

        assert not np.asarray(jax.grad(of_coefficients)(jnp.asarray(CODE.matrix))).any()


@pytest.mark.slow
def test_edges():
    def links(uplink, peer, clients=6):
        peers = np.full((1, 1, clients, clients), peer) | np.eye(clients, dtype=bool)
        return Links(np.full((1, 1, clients), uplink), peers)

    for code in (CODE, uncoded(6), cyclic_code(jax.random.key(0), 6, 5), cyclic_mds_code(6, 3)):
        nothing = [
            np.asarray(decode_many(decoder, code, links(False, True))) for decoder in DECODERS
        ]
        assert not any(x.any() for x in nothing)
        recovery = decode_many(real_recovery, code, links(False, True))
        assert not any(np.asarray(x).any() for x in recovery)
        recovery = decode_many(real_recovery, code, links(True, True))
        assert recovery.gc[0]
        assert recovery.sum_recovered[0]
        assert int(recovery.rank[0]) == 6 - int(code.num_stragglers)
        full = int(code.num_stragglers) == 0
        assert np.asarray(recovery.client_recovered[0]).tolist() == [full] * 6
        alone = decode_many(real_recovery, code, links(True, False))
        assert np.asarray(alone.client_recovered).all()
        assert bool(alone.gc[0]) == full
    single = uncoded(1)
    np.testing.assert_array_equal(decode_many(gc_weights, single, links(True, True, 1)), [[1.0]])
    np.testing.assert_array_equal(decode_many(gc_weights, single, links(False, True, 1)), [[0.0]])


@pytest.mark.slow
def test_dominance():
    """gc, then gc_plus, then row_space: each recovers wherever the one before does."""
    links = random_links(np.random.default_rng(13), (5000, 2, 6), 0.3, 0.2)
    gc, total, clients, rank = map(np.asarray, decode_many(real_recovery, CODE, links))
    assert not (gc & ~total).any()
    assert not (clients.all(axis=1) & ~total).any()
    assert ((rank == 6) == clients.all(axis=1)).all()
    assert (total & ~gc & ~clients.all(axis=1)).any()
    assert (gc & ~clients.any(axis=1)).any()  # complete rows alone reveal nobody


def test_links_that_do_not_fit_are_named():
    one = Links(np.ones((1, 5), bool), np.ones((1, 5, 5), bool))
    for decoder in [*DECODERS, real_recovery]:
        with pytest.raises(ValueError, match="6 clients"):
            decoder(CODE, one)
