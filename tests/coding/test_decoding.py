"""Real-valued decoders against singular values, the exact decision, and explicit payloads."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxcogc.coding.codes import (
    GradientCode,
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    redraw,
    uncoded,
)
from jaxcogc.coding.decoding import (
    gc_plus_weights,
    gc_weights,
    least_squares_coefficients,
    real_recovery,
    row_space_weights,
)
from jaxcogc.coding.encoding import encode
from jaxcogc.links.draws import Links
from jaxcogc.runtime.devices import device_mesh
from tests.coding.stacks import (
    CODE,
    DECODERS,
    decode_at_once,
    decode_many,
    random_links,
    recover_many,
)
from tests.quick import quick_jit

SIZES = [(6, 3, 1), (10, 7, 2), (16, 5, 2)]


def matrices(code, links):
    """Received matrices and complete rows alone, [trials, rows, clients], in NumPy."""
    matrix = np.broadcast_to(code.matrix, links.peer_delivered.shape)
    complete = links.uplink_delivered & np.all(links.peer_delivered | (matrix == 0), axis=-1)
    received = np.where(links.uplink_delivered[..., None] & links.peer_delivered, matrix, 0.0)
    alone = np.where(complete[..., None], matrix, 0.0)
    return tuple(x.reshape(len(x), -1, x.shape[-1]) for x in (received, alone))


def reference(received):
    """Projectors, distances of the unit vectors, rank: rows of unit norm, singular values cut."""
    norms = np.linalg.norm(received, axis=-1, keepdims=True)
    unit_rows = received / np.where(norms == 0, 1, norms)
    _, singular, right = np.linalg.svd(unit_rows, full_matrices=False)
    kept = singular > 1e-9 * np.maximum(singular[:, :1], 1e-300)
    basis = np.where(kept[:, :, None], right, 0.0)
    projector = np.swapaxes(basis, 1, 2) @ basis
    distances = np.linalg.norm(np.eye(received.shape[-1]) - projector, axis=1)
    return projector, distances, kept.sum(axis=1)


def worst(found, expected):
    """Largest relative error of each trial, in the trial's own scale."""
    trials = len(expected)
    error = np.abs(np.asarray(found) - expected).reshape(trials, -1).max(axis=1)
    return error / np.maximum(np.abs(expected).reshape(trials, -1).max(axis=1), 1e-30)


@pytest.mark.slow
@pytest.mark.parametrize(("clients", "stragglers", "attempts"), SIZES)
def test_agreement_with_the_exact_decision(clients, stragglers, attempts, repetitions):
    """10 000 random realizations, decided over GF(2^31 - 1), by singular values, and by ours."""
    code = cyclic_code(jax.random.key(1), clients, stragglers)
    rng = np.random.default_rng(clients)
    decided = {"gc": set(), "sum": set(), "clients": set()}
    for _ in range(repetitions(1, 30)):
        links = random_links(rng, (10_000, attempts, clients))
        exact = recover_many(code, links)
        real = decode_many(real_recovery, code, links)
        projector, distances, rank = reference(matrices(code, links)[0])
        ones = np.linalg.norm(1 - projector.sum(axis=1), axis=1) / np.sqrt(clients)
        np.testing.assert_array_equal(real.client_recovered, exact.client_recovered)
        np.testing.assert_array_equal(real.sum_recovered, exact.sum_recovered)
        np.testing.assert_array_equal(real.rank, exact.rank)
        np.testing.assert_array_equal(real.gc, exact.gc)
        np.testing.assert_array_equal(distances <= 1e-8, exact.client_recovered)
        np.testing.assert_array_equal(ones <= 1e-8, exact.sum_recovered)
        np.testing.assert_array_equal(rank, exact.rank)
        decided["gc"] |= set(np.asarray(exact.gc).tolist())
        decided["sum"] |= set(np.asarray(exact.sum_recovered).tolist())
        decided["clients"] |= set(np.asarray(exact.client_recovered).sum(axis=1).tolist())
    assert decided["gc"] == decided["sum"] == {False, True}  # nothing was trivial
    assert len(decided["clients"]) > clients // 2


@pytest.mark.slow
def test_wrong_decisions_are_seen():
    """Decoders that cut corners do not pass the check above."""
    code = cyclic_code(jax.random.key(1), 10, 7)
    links = random_links(np.random.default_rng(10), (10_000, 2, 10), 0.4, 0.4)
    exact = np.asarray(recover_many(code, links).client_recovered)
    received, _ = matrices(code, links)
    _, distances, _ = reference(received.astype(np.float32).astype(np.float64))
    assert ((distances <= 1e-8) != exact).any(), "coefficients rounded to float32"
    projector, _, _ = reference(received)
    loose = 1 - np.diagonal(projector, axis1=1, axis2=2) <= 1e-9  # the square of the distance
    assert (loose != exact).any(), "the diagonal of the projector at the distance's tolerance"
    random = GradientCode.from_matrix(
        np.where(code.matrix != 0, np.random.default_rng(0).normal(size=(10, 10)), 0.0)
    )
    generic = np.asarray(decode_many(real_recovery, random, links).client_recovered)
    assert (generic != exact).any(), "the support alone"  # 3e-4 of the decisions here


@pytest.mark.slow
@pytest.mark.parametrize(("clients", "stragglers", "attempts"), SIZES)
def test_weights_are_those_of_the_pseudo_inverse(clients, stragglers, attempts, repetitions):
    code = cyclic_code(jax.random.key(1), clients, stragglers)
    rng = np.random.default_rng(clients)
    for uplink_erasure, peer_erasure in [(0.4, 0.4), (0.4, 0.1)] * repetitions(1, 20):
        links = random_links(rng, (10_000, attempts, clients), uplink_erasure, peer_erasure)
        received, complete = matrices(code, links)
        inverse = np.linalg.pinv(received, rcond=1e-13)
        expected_gc = np.linalg.pinv(complete, rcond=1e-13).sum(axis=1)
        known = np.asarray(decode_many(real_recovery, code, links).client_recovered)
        found = [np.asarray(decode_many(decoder, code, links)) for decoder in DECODERS]
        assert all(x.dtype == np.float64 for x in found)
        expected = [
            expected_gc,
            inverse.sum(axis=1),
            np.where(known[:, :, None], inverse, 0.0),
            (inverse @ received).sum(axis=1) / clients,
        ]
        for x, y in zip(found, expected, strict=True):
            error = worst(x, y)
            assert np.median(error) < 1e-14
            assert np.quantile(error, 0.99) < 2e-12
            assert error.max() < 1e-7  # as ill-conditioned as one in 10 000 is
        erased = ~links.uplink_delivered.reshape(len(inverse), -1)
        for weights in (found[0], found[1], np.swapaxes(found[2], 1, 2)):
            assert not weights[erased].any()
        assert not found[0][~complete.any(axis=2)].any()
        assert not found[2][~known].any()


@pytest.mark.slow
def test_decoding_the_payload(repetitions):
    """Encode, erase, decode float64 vectors: updates and average to 1e-8 of the true ones."""
    codes = [
        cyclic_code(jax.random.key(1), 4, 2),
        cyclic_mds_code(4, 1),
        fractional_repetition_code(4, 1),
        redraw(jax.random.key(2), cyclic_code(jax.random.key(1), 4, 2), 2),
        uncoded(4),
    ]
    rng = np.random.default_rng(0)
    trials = repetitions(2000, 100_000)
    for code in codes:
        links = random_links(rng, (trials, 2, 4), 0.3, 0.2)
        updates = rng.normal(size=(4, 20))
        payload = np.asarray(jax.vmap(lambda links: encode(code, links, updates))(links))  # noqa: B023
        assert payload.dtype == np.float64
        exact = recover_many(code, links)
        for decoder, recovered in (
            (gc_weights, exact.gc),
            (row_space_weights, exact.sum_recovered),
        ):
            weights = np.asarray(decode_many(decoder, code, links))
            average = np.einsum("tr,trd->td", weights, payload) / 4
            error = np.abs(average - updates.mean(axis=0)).max(axis=1)
            recovered = np.asarray(recovered)
            assert recovered.any()
            assert error[recovered].max() < 1e-8 * np.abs(updates).max()
            assert not recovered.all()
            assert error[~recovered].min() > 1e-6  # the check can fail
        weights = np.asarray(decode_many(gc_plus_weights, code, links))
        single = np.einsum("tkr,trd->tkd", weights, payload)
        error = np.abs(single - updates).max(axis=2)
        known = np.asarray(exact.client_recovered)
        assert error[known].max() < 1e-8 * np.abs(updates).max()
        assert not single[~known].any()


@pytest.mark.slow
def test_least_squares_is_the_closest_combination():
    links = random_links(np.random.default_rng(4), (300, 2, 6), 0.6, 0.4)
    found = np.asarray(decode_many(least_squares_coefficients, CODE, links))
    received, _ = matrices(CODE, links)
    for rows, coefficients in zip(received, found, strict=True):
        best = np.linalg.lstsq(rows.T, np.full(6, 1 / 6), rcond=1e-12)[0] @ rows
        np.testing.assert_allclose(coefficients, best, atol=1e-9)
    recovered = np.asarray(decode_many(real_recovery, CODE, links).sum_recovered)
    np.testing.assert_allclose(found[recovered], 1 / 6, rtol=1e-9)
    assert np.abs(found[~recovered] - 1 / 6).max(axis=1).min() > 1e-6
    nothing = ~received.any(axis=(1, 2))
    assert not found[nothing].any()


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.__name__)
def test_one_trial_alone_and_under_every_transformation(decoder):
    code = cyclic_code(jax.random.key(0), 4, 2)
    links = random_links(np.random.default_rng(7), (6, 1, 4), 0.2, 0.2)
    expected = np.asarray(decode_many(decoder, code, links))
    on_device = jax.tree.map(jnp.asarray, links)
    each = [jax.tree.map(lambda x, t=t: x[t], on_device) for t in range(6)]
    pairs = jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), on_device)
    alone = partial(decoder, code)
    jitted = quick_jit(alone)
    results = {
        "eager": [alone(links) for links in each],
        "jit": [jitted(links) for links in each],
        "vmap": jax.vmap(alone)(on_device),
        "vmap of jit": jax.vmap(jax.jit(alone))(on_device),
        "map": quick_jit(partial(jax.lax.map, alone))(on_device),
        "vmap of map": jax.vmap(partial(jax.lax.map, alone))(pairs),
        "map of vmap": quick_jit(partial(jax.lax.map, jax.vmap(alone)))(pairs),
        "nested vmap": quick_jit(jax.vmap(jax.vmap(alone)))(pairs),
        "shard_map": quick_jit(
            jax.shard_map(
                jax.vmap(alone),
                mesh=device_mesh(jax.devices()[:1]),
                in_specs=PartitionSpec("devices"),
                out_specs=PartitionSpec("devices"),
            )
        )(on_device),
    }
    for name, result in results.items():
        result = np.asarray(result).reshape(expected.shape)
        assert result.dtype == np.float64, name
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-13, err_msg=name)


@pytest.mark.slow
def test_many_codes_at_once():
    codes = [cyclic_code(jax.random.key(i), 6, 3) for i in range(3)]
    stacked = jax.tree.map(lambda *x: np.stack(x), *codes)
    links = random_links(np.random.default_rng(8), (3, 2, 6), 0.2, 0.2)
    one = Links(links.uplink_delivered[0], links.peer_delivered[0])
    both = jax.vmap(row_space_weights)(stacked, links)
    crossed = jax.vmap(jax.vmap(row_space_weights, (None, 0)), (0, None))(stacked, links)
    fixed = jax.jit(jax.vmap(row_space_weights, (0, None)))(stacked, one)
    for i, code in enumerate(codes):
        expected = np.asarray(decode_many(row_space_weights, code, links))
        np.testing.assert_allclose(both[i], expected[i], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(crossed[i], expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(fixed[i], expected[0], rtol=1e-12, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("trials", [1, 127, 128, 129, 300])
def test_tiles_do_not_show(trials):
    links = random_links(np.random.default_rng(9), (300, 2, 6), 0.2, 0.2)
    expected = np.asarray(decode_at_once(row_space_weights, CODE, links))[:trials]
    some = Links(*(x[:trials] for x in links))
    np.testing.assert_array_equal(decode_at_once(row_space_weights, CODE, some), expected)
