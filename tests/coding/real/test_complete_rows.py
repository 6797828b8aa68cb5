"""The packed decoder of complete rows against pseudo-inverses and against all rows."""

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    GradientCode,
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    redraw,
    uncoded,
)
from jaxcogc.coding.decoding import gc_weights, row_space_weights
from jaxcogc.links.draws import Links

CYCLIC = cyclic_code(jax.random.key(0), 6, 3)
CODES = {
    "cyclic": CYCLIC,
    "redrawn": redraw(jax.random.key(1), CYCLIC, 3),
    "cyclic MDS": cyclic_mds_code(6, 3),
    "fractional repetition": fractional_repetition_code(6, 2),
    "uncoded": uncoded(6),
    "wide": cyclic_code(jax.random.key(2), 18, 4),
    "custom": GradientCode.from_matrix(
        np.random.default_rng(0).normal(size=(6, 6)) * np.tri(6)[:, ::-1]
    ),
    "equal rows": GradientCode.from_matrix(np.ones((6, 6))),
    "a row of zeros": GradientCode(
        np.diag([1.0, 2, 3, 0, 5, 6]), CYCLIC.field_matrix, CYCLIC.num_stragglers, "custom"
    ),
}

gc_many = jax.jit(jax.vmap(gc_weights, (None, 0)))
all_many = jax.jit(jax.vmap(row_space_weights, (None, 0)))


def complete_alone(code, complete):
    """Links that deliver nothing but the complete rows of [trials, attempts, clients]."""
    clients = code.num_clients
    return Links(complete, np.ones((*complete.shape, clients), bool))


def rows_of(code, complete):
    rows = np.where(complete[..., None], np.asarray(code.matrix), 0.0)
    return rows.reshape(len(complete), -1, code.num_clients)


@pytest.mark.slow
@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("attempts", [1, 3])
def test_no_row_to_all_rows(name, attempts):
    code = CODES[name]
    if code.redrawn and attempts == 1:
        pytest.skip("redrawn for 3 attempts")
    clients, rng = code.num_clients, np.random.default_rng(5)
    rows = attempts * clients
    counts = np.repeat(np.arange(rows + 1), 12)  # tiles of few rows, and of more than clients
    ranks = np.argsort(rng.uniform(size=(len(counts), rows)), axis=1)
    complete = (ranks < counts[:, None]).reshape(-1, attempts, clients)
    for order in (np.arange(len(counts)), rng.permutation(len(counts))):  # and tiles of both
        links = complete_alone(code, complete[order])
        expected = np.linalg.pinv(rows_of(code, complete[order]), rcond=1e-12).sum(axis=1)
        found = np.asarray(gc_many(code, links))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        assert not found[~complete[order].reshape(len(found), -1)].any()
        np.testing.assert_allclose(found, all_many(code, links), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_repeated_rows_share_their_weight():
    complete = np.zeros((1, 3, 6), bool)
    complete[:, :, [1, 2, 4]] = True
    once = complete & (np.arange(3) == 1)[:, None]
    found, alone = (
        np.asarray(gc_many(CYCLIC, complete_alone(CYCLIC, x))) for x in (complete, once)
    )
    shared = np.tile(alone.reshape(1, 3, 6)[:, 1] / 3, 3)
    np.testing.assert_allclose(found, shared, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.reshape(3, 6).sum(axis=0) @ CYCLIC.matrix, 1, rtol=1e-12)


@pytest.mark.slow
def test_a_tile_of_few_rows_and_one_of_many_agree():
    """A trial's weights depend on its tile only in rounding."""
    rng = np.random.default_rng(6)
    few = rng.uniform(size=(64, 2, 10)) < 0.15
    many = rng.uniform(size=(64, 2, 10)) < 0.9
    code = cyclic_code(jax.random.key(3), 10, 7)
    among_few = np.asarray(gc_many(code, complete_alone(code, few)))[:32]
    mixed = complete_alone(code, np.concatenate([few[:32], many[:32]]))
    assert few.sum(axis=(1, 2)).max() <= 10 < many.sum(axis=(1, 2)).max()
    np.testing.assert_allclose(gc_many(code, mixed)[:32], among_few, rtol=1e-12, atol=1e-13)


@pytest.mark.slow
def test_a_code_for_every_trial():
    codes = [cyclic_code(jax.random.key(i), 6, 3) for i in range(40)]
    stacked = jax.tree.map(lambda *x: np.stack(x), *codes)
    complete = np.random.default_rng(7).uniform(size=(40, 2, 6)) < 0.3
    links = complete_alone(CYCLIC, complete)
    found = jax.jit(jax.vmap(gc_weights))(stacked, links)
    pairs = jax.tree.map(lambda x: np.asarray(x).reshape(8, 5, *np.shape(x)[1:]), (stacked, links))
    nested = jax.jit(jax.vmap(jax.vmap(gc_weights)))(*pairs)
    mapped = jax.jit(lambda both: jax.lax.map(lambda x: jax.vmap(gc_weights)(*x), both))(pairs)
    for i, code in enumerate(codes):
        expected = np.linalg.pinv(rows_of(code, complete[i : i + 1]), rcond=1e-12)[0].sum(axis=0)
        for result in (found, nested, mapped):
            result = np.asarray(result).reshape(40, -1)
            np.testing.assert_allclose(result[i], expected, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
def test_many_clients():
    """64 clients, where neighbouring rows are nearly dependent."""
    code = cyclic_code(jax.random.key(0), 64, 16)
    rng = np.random.default_rng(8)
    complete = rng.uniform(size=(200, 1, 64)) < np.linspace(0, 1, 200)[:, None, None]
    found = np.asarray(gc_many(code, complete_alone(code, complete)))
    rows = rows_of(code, complete)
    rest = 1 - np.einsum("tr,trk->tk", found, rows)
    exact = complete.sum(axis=(1, 2)) >= 48
    assert exact.any()
    assert np.abs(rest[exact]).max() < 1e-7
    assert np.abs(rest[~exact]).max(axis=1).min() > 1e-6
    inner = np.abs(np.einsum("tk,trk->tr", rest, rows)).max(axis=1)
    assert (inner <= 1e-10 * np.abs(rows).max()).all()
