import dataclasses
import itertools
import pickle

import jax
import jax.numpy as jnp
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
from jaxcogc.coding.conditioning import condition_report
from jaxcogc.coding.host_field import MERSENNE_31, rank_mod, spans_ones_mod
from tests.coding.checked_codes import spans_ones, support, verify, with_matrix

SIZES = [(1, 0), (2, 0), (2, 1), (3, 1), (4, 2), (6, 3), (8, 1), (10, 7), (9, 4), (10, 3)]


@pytest.mark.parametrize(("clients", "stragglers"), SIZES)
def test_cyclic_identities(clients, stragglers):
    code = cyclic_code(jax.random.key(clients), clients, stragglers)
    np.testing.assert_array_equal(code.matrix != 0, support(clients, stragglers))
    np.testing.assert_array_equal(code.field_matrix != 0, support(clients, stragglers))
    np.testing.assert_array_equal(np.diagonal(code.matrix), 1.0)
    np.testing.assert_array_equal(np.diagonal(code.field_matrix), 1)
    needed = clients - stragglers
    singular = np.linalg.svd(code.matrix, compute_uv=False)
    assert (singular > 1e-9 * singular[0]).sum() == needed  # rows in null(H), of dimension M - s
    assert rank_mod(code.field_matrix, code.modulus) == needed
    for rows in itertools.combinations(range(clients), needed):
        assert spans_ones(code.matrix[list(rows)])
        assert spans_ones_mod(code.field_matrix[list(rows)], code.modulus)
    for rows in itertools.combinations(range(clients), needed - 1):
        if rows:
            assert not spans_ones(code.matrix[list(rows)])
            assert not spans_ones_mod(code.field_matrix[list(rows)], code.modulus)


def test_complete_cyclic_rows_alone_recover_no_client():
    code = cyclic_code(jax.random.key(0), 8, 3)
    for client in range(8):  # e_k would have to lie in null(H)
        unit = np.eye(8, dtype=np.uint64)[client]
        stacked = np.concatenate([code.field_matrix.astype(np.uint64), unit[None]])
        assert rank_mod(stacked, code.modulus) == 6
        weights = np.linalg.lstsq(code.matrix.T, np.eye(8)[client], rcond=None)[0]
        assert np.abs(weights @ code.matrix - np.eye(8)[client]).max() > 1e-3


@pytest.mark.parametrize("clients", [1, 2, 5, 32])
def test_cyclic_edges(clients):
    none = cyclic_code(jax.random.key(0), clients, 0)
    np.testing.assert_array_equal(none.matrix, np.eye(clients))
    np.testing.assert_array_equal(none.field_matrix, np.eye(clients))
    most = cyclic_code(jax.random.key(0), clients, clients - 1)
    np.testing.assert_array_equal(most.matrix, np.ones((clients, clients)))
    np.testing.assert_array_equal(most.field_matrix, np.ones((clients, clients)))


def test_larger_cyclic_codes_keep_their_dependencies():
    for clients, stragglers in [(32, 8), (64, 16), (60, 31), (64, 62)]:
        code = cyclic_code(jax.random.key(1), clients, stragglers)
        report = condition_report(code)
        assert report.null_residual < 1e-15
        assert report.decoding_residual < 1e-8
        assert report.max_coefficient < 1e3
        assert rank_mod(code.field_matrix, MERSENNE_31) == clients - stragglers


def test_cyclic_depends_on_the_key_alone():
    code = cyclic_code(jax.random.key(3), 7, 4)
    with jax.enable_x64(not jax.config.jax_enable_x64):
        other_mode = cyclic_code(jax.random.key(3), 7, 4)
        with_other_key = cyclic_code(jax.random.key(4), 7, 4)
    key = jax.random.key(3)
    inside = jax.jit(lambda: jnp.asarray(cyclic_code(key, 7, 4).field_matrix))()
    assert code == other_mode
    np.testing.assert_array_equal(code.field_matrix, inside)
    assert code != with_other_key
    assert (code.field_matrix != with_other_key.field_matrix).any()
    assert cyclic_code(jax.random.key(3, impl="rbg"), 7, 4) == code


def test_best_of_several_draws_is_smaller():
    largest = {
        draws: np.median(
            [
                np.abs(cyclic_code(jax.random.key(i), 10, 5, num_draws=draws).matrix).max()
                for i in range(15)
            ]
        )
        for draws in (1, 16)
    }
    assert largest[16] < largest[1] / 2


def test_the_field_code_is_uniform():
    # b_{m, m+1} of s = 1 is the quotient of two independent uniform elements.
    high = [
        cyclic_code(jax.random.key(i), 3, 1, num_draws=1).field_matrix[0, 1] / MERSENNE_31
        for i in range(200)
    ]
    counts = np.histogram(high, bins=5, range=(0, 1))[0]
    assert np.sum((counts - 40) ** 2 / 40) < 23.5  # chi-square, 4 degrees of freedom, 1e-4


def test_fractional_repetition_and_uncoded():
    code = fractional_repetition_code(6, 2)
    expected = np.kron(np.eye(2), np.ones((3, 3)))
    np.testing.assert_array_equal(code.matrix, expected)
    np.testing.assert_array_equal(code.field_matrix, expected)
    for rows in itertools.product(range(3), range(3, 6)):
        np.testing.assert_array_equal(code.matrix[list(rows)].sum(axis=0), 1.0)
    np.testing.assert_array_equal(uncoded(5).matrix, np.eye(5))
    assert (uncoded(5).family, int(uncoded(5).num_stragglers)) == ("uncoded", 0)


def test_old_keys_make_the_codes_of_the_new():
    old, new = jax.random.PRNGKey(3), jax.random.key(3)
    assert cyclic_code(old, 5, 2) == cyclic_code(new, 5, 2)
    assert redraw(old, cyclic_code(old, 5, 2), 2) == redraw(new, cyclic_code(new, 5, 2), 2)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: cyclic_code(jax.random.key(0), 10, 10), ["num_stragglers = 10", "0..9"]),
        (lambda: cyclic_code(jax.random.key(0), 10, -1), ["num_stragglers = -1", "0..9"]),
        (lambda: cyclic_code(jax.random.key(0), 10, 2.5), ["num_stragglers = 2.5", "integer"]),
        (lambda: cyclic_code(jax.random.key(0), 0, 0), ["num_clients = 0"]),
        (lambda: cyclic_code(jax.random.key(0), "a", 0), ["num_clients = a"]),
        (lambda: cyclic_code(jax.random.key(0), 5, 2, num_draws=0), ["num_draws = 0"]),
        (lambda: cyclic_code(7, 5, 2), ["key = 7", "jax.random.key"]),
        (lambda: cyclic_code(jax.random.split(jax.random.key(0)), 5, 2), ["key", "one key"]),
        (lambda: jax.jit(lambda k: cyclic_code(k, 5, 2).matrix)(jax.random.key(0)), ["traced"]),
        (lambda: cyclic_mds_code(10, 4), ["num_stragglers = 4", "0, 1, 3, 5, 7, 9", "odd"]),
        (lambda: cyclic_mds_code(5, 1), ["num_stragglers = 1", "allowed are 0, 2, 4 "]),
        (lambda: cyclic_mds_code(5, 5), ["num_stragglers = 5", "0..4"]),
        (lambda: fractional_repetition_code(10, 3), ["num_stragglers = 3", "0, 1, 4, 9"]),
        (lambda: fractional_repetition_code(10, 10), ["num_stragglers = 10"]),
        (lambda: uncoded(0), ["num_clients = 0"]),
        (lambda: uncoded(True), ["num_clients = True"]),
        (lambda: redraw(jax.random.key(0), uncoded(3), 2), ["uncoded", "cyclic"]),
        (lambda: redraw(jax.random.key(0), cyclic_mds_code(4, 1), 2), ["cyclic-mds"]),
        (lambda: redraw(jax.random.key(0), fractional_repetition_code(4, 1), 2), ["fractional"]),
        (lambda: redraw(jax.random.key(0), GradientCode.from_matrix([[1]]), 2), ["custom"]),
        (lambda: redraw(jax.random.key(0), cyclic_code(jax.random.key(0), 4, 1), 0), ["attempts"]),
        (lambda: redraw(0, cyclic_code(jax.random.key(0), 4, 1), 2), ["key = 0"]),
    ],
)
def test_wrong_arguments_are_named_in_one_line(build, words):
    with pytest.raises(ValueError) as error:
        build()
    for word in words:
        assert word in str(error.value)


def test_redraw():
    code = cyclic_code(jax.random.key(0), 6, 3)
    drawn = redraw(jax.random.key(1), code, 3)
    assert drawn.redrawn
    assert not code.redrawn
    assert drawn.matrix.shape == drawn.field_matrix.shape == (3, 6, 6)
    assert (drawn.num_clients, int(drawn.num_stragglers), drawn.family) == (6, 3, "cyclic")
    assert len({matrix.tobytes() for matrix in drawn.matrix}) == 3
    for matrix, field_matrix in zip(drawn.matrix, drawn.field_matrix, strict=True):
        verify(dataclasses.replace(code, matrix=matrix, field_matrix=field_matrix))
    # Their row spaces, of dimension M - s = 3, share the all-one vector alone.
    assert rank_mod(drawn.field_matrix[:2].reshape(12, 6), MERSENNE_31) == 5
    assert rank_mod(drawn.field_matrix.reshape(18, 6), MERSENNE_31) == 6
    assert redraw(jax.random.key(1), drawn, 1).matrix.shape == (1, 6, 6)


def test_verification_rejects_broken_codes():
    cyclic = cyclic_code(jax.random.key(0), 10, 7)
    mds = cyclic_mds_code(10, 7)
    blocks = fractional_repetition_code(6, 2)
    other_field = np.array(cyclic.field_matrix)
    other_field[2, 4] = other_field[2, 4] % MERSENNE_31 + 1
    broken = [
        with_matrix(cyclic, 3, 5, cyclic.matrix[3, 5] * (1 + 1e-5)),
        with_matrix(cyclic, 3, 5, 0.0),
        with_matrix(cyclic, 0, 8, 1.0),
        dataclasses.replace(cyclic, field_matrix=other_field),
        dataclasses.replace(cyclic, num_stragglers=np.int32(8)),
        dataclasses.replace(mds, family="cyclic"),  # 2 of its rows may span 1, not only 3
        with_matrix(mds, 3, 5, mds.matrix[3, 5] * (1 + 1e-5)),
        with_matrix(blocks, 1, 1, 2.0),
        dataclasses.replace(blocks, num_stragglers=np.int32(1)),
        with_matrix(uncoded(4), 1, 1, 2.0),
        dataclasses.replace(uncoded(4), field_matrix=np.diag([1, 2, 1, 1]).astype(np.uint32)),
    ]
    for code in broken:
        with pytest.raises(ValueError):
            verify(code)
    for code in (cyclic, mds, blocks, uncoded(4)):
        verify(code)


def test_condition_report():
    # Medians over random sets of M - s rows, as known for the two families.
    for clients, stragglers, median in [(10, 7, 1.4), (10, 3, 1.4), (30, 15, 11)]:
        report = condition_report(cyclic_mds_code(clients, stragglers))
        assert median / 1.5 < report.median_amplification < median * 1.5
        assert 1 <= report.median_amplification <= report.worst_amplification
    assert condition_report(cyclic_mds_code(10, 7)).num_sets == 120
    code = cyclic_code(jax.random.key(0), 10, 7)
    report = condition_report(code)
    assert report.max_coefficient == np.abs(code.matrix).max()
    assert report.decoding_residual < 1e-11
    assert report.null_residual < 1e-15
    assert report == condition_report(code)
    large = cyclic_code(jax.random.key(0), 20, 7)
    assert condition_report(large, jax.random.key(0)) != condition_report(large, jax.random.key(1))
    # Blocks of two: averaging both rows of a block halves the error power.
    assert condition_report(fractional_repetition_code(4, 3)).median_amplification == 1.0
    worse = condition_report(with_matrix(code, 3, 5, code.matrix[3, 5] * (1 + 1e-9)))
    assert worse.null_residual > 1e-12


def test_codes_cross_jit_bit_for_bit():
    """A 32-bit trace neither rounds the coefficients nor needs the caller's 64-bit mode."""
    code = cyclic_code(jax.random.key(0), 6, 3)

    def pass_through(code):
        assert code.matrix.dtype == np.float64
        assert code.matrix.shape[-2:] == (6, 6)
        assert code.num_clients == 6
        return code, code.matrix

    for function in (jax.jit(pass_through), pass_through):
        passed, matrix = function(code)
        np.testing.assert_array_equal(np.asarray(matrix), code.matrix)
        np.testing.assert_array_equal(np.asarray(passed.matrix), code.matrix)
        assert passed.matrix.dtype == np.float64
        np.testing.assert_array_equal(passed.field_matrix, code.field_matrix)
        assert (passed.family, passed.modulus) == (code.family, code.modulus)
    other = cyclic_code(jax.random.key(1), 6, 3)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), code, other)
    _, matrices = jax.jit(jax.vmap(pass_through))(stacked)
    np.testing.assert_array_equal(np.asarray(matrices)[1], other.matrix)


def test_one_trace_serves_every_number_of_stragglers():
    traces = []

    @jax.jit
    def size(code):
        traces.append(code.family)
        return jnp.sum(code.field_matrix != 0) - code.num_stragglers

    for stragglers in range(5):
        code = cyclic_code(jax.random.key(0), 5, stragglers)
        assert size(code) == 5 * (stragglers + 1) - stragglers
    assert traces == ["cyclic"]


def test_is_an_immutable_pytree_with_value_equality():
    code = cyclic_code(jax.random.key(0), 5, 2)
    for array in (code.matrix, code.field_matrix):
        assert isinstance(array, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 2
    leaves, structure = jax.tree.flatten(code)
    rebuilt = jax.tree.unflatten(structure, leaves)
    assert rebuilt == code
    assert hash(rebuilt) == hash(code)
    assert pickle.loads(pickle.dumps(rebuilt)) == pickle.loads(pickle.dumps(code)) == code
    assert code != cyclic_code(jax.random.key(0), 5, 3)
    assert code != "code"
    jax.tree.unflatten(structure, [object()] * 3)
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(code)]
    assert names == [".matrix", ".field_matrix", ".num_stragglers"]
    abstract = jax.eval_shape(lambda code: code, code)
    assert (abstract.num_clients, abstract.redrawn) == (5, False)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = rebuilt.nonsense
