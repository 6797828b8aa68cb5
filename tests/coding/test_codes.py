import dataclasses
import itertools
import pickle
from fractions import Fraction

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
from jaxcogc.coding.constructions import exact_residues
from jaxcogc.coding.gradient_code import IN_FLOATS
from jaxcogc.coding.host_field import MERSENNE_31, rank_mod, spans_ones_mod
from jaxcogc.coding.recovery import recover
from jaxcogc.coding.verification import verify_code
from jaxcogc.links.draws import Links

SIZES = [(1, 0), (2, 0), (2, 1), (3, 1), (4, 2), (6, 3), (8, 1), (10, 7), (9, 4), (10, 3)]


def spans_ones(rows, tolerance=1e-9):
    """An independent check: the least-squares residual of 1."""
    weights = np.linalg.lstsq(rows.T, np.ones(rows.shape[1]), rcond=None)[0]
    return np.abs(weights @ rows - 1).max() < tolerance


def verify(code):
    verify_code(
        code.matrix,
        code.field_matrix,
        num_stragglers=int(code.num_stragglers),
        family=code.family,
        modulus=code.modulus,
    )


def support(num_clients, num_stragglers):
    offset = (np.arange(num_clients) - np.arange(num_clients)[:, None]) % num_clients
    return offset <= num_stragglers


def with_matrix(code, m, k, value):
    matrix = np.array(code.matrix)
    matrix[m, k] = value
    return dataclasses.replace(code, matrix=matrix)


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


@pytest.mark.parametrize(
    ("clients", "stragglers"), [(1, 0), (4, 1), (4, 3), (7, 2), (10, 7), (6, 0)]
)
def test_cyclic_mds_identities(clients, stragglers):
    code = cyclic_mds_code(clients, stragglers)
    np.testing.assert_array_equal(code.matrix != 0, support(clients, stragglers))
    first = (clients - stragglers + 1) // 2
    zeros = np.exp(2j * np.pi * np.arange(first, first + stragglers) / clients)
    polynomial = np.atleast_1d(np.poly(zeros)).real[::-1]
    np.testing.assert_allclose(code.matrix[0, : stragglers + 1], polynomial, rtol=1e-12)
    for m in range(clients):
        np.testing.assert_array_equal(np.roll(code.matrix[0], m), code.matrix[m])
        np.testing.assert_array_equal(np.roll(code.field_matrix[0], m), code.field_matrix[m])
    for rows in itertools.combinations(range(clients), clients - stragglers):
        rows = list(rows)
        assert np.linalg.matrix_rank(code.matrix[rows]) == clients - stragglers
        assert rank_mod(code.field_matrix[rows], code.modulus) == clients - stragglers
        assert spans_ones(code.matrix[rows])
        assert spans_ones_mod(code.field_matrix[rows], code.modulus)


def test_cyclic_mds_over_the_field_is_the_same_code():
    code = cyclic_mds_code(10, 7)
    assert code.modulus % 10 == 1
    assert code.modulus < 2**31
    assert not any(code.modulus % d == 0 for d in range(2, 46341))
    # c_1 of (10, 7) is 1 + phi, the golden ratio or, for another root of unity, its conjugate.
    np.testing.assert_allclose(code.matrix[0, 1], 1 + (1 + 5**0.5) / 2, rtol=1e-15)
    phi = int(code.field_matrix[0, 1]) - 1
    assert phi * phi % code.modulus == (phi + 1) % code.modulus


def test_fewer_cyclic_mds_rows_may_span_the_sum():
    code = cyclic_mds_code(4, 1)
    assert spans_ones(code.matrix[[0, 2]])
    assert not spans_ones(code.matrix[[0, 1]])
    code = cyclic_mds_code(10, 7)
    pairs = [list(pair) for pair in itertools.combinations(range(10), 2)]
    real = [pair for pair in pairs if spans_ones(code.matrix[pair])]
    assert len(real) == 5
    exact = [pair for pair in pairs if spans_ones_mod(code.field_matrix[pair], code.modulus)]
    assert exact == real


def test_fractional_repetition_and_uncoded():
    code = fractional_repetition_code(6, 2)
    expected = np.kron(np.eye(2), np.ones((3, 3)))
    np.testing.assert_array_equal(code.matrix, expected)
    np.testing.assert_array_equal(code.field_matrix, expected)
    for rows in itertools.product(range(3), range(3, 6)):
        np.testing.assert_array_equal(code.matrix[list(rows)].sum(axis=0), 1.0)
    np.testing.assert_array_equal(uncoded(5).matrix, np.eye(5))
    assert (uncoded(5).family, int(uncoded(5).num_stragglers)) == ("uncoded", 0)


def test_from_matrix_takes_coefficients_exactly():
    q = MERSENNE_31
    code = GradientCode.from_matrix([[1, -3, 0], [1 / 3, 0.1, 2.0**-60], [0, np.pi, 1e17]])
    field = code.field_matrix.astype(object)
    assert field[0].tolist() == [1, q - 3, 0]
    assert field[1, 0] * 3 % q == 1
    assert field[1, 1] * 10 % q == 1
    assert field[1, 2] * 2**60 % q == 1
    numerator, denominator = np.pi.as_integer_ratio()
    assert field[2, 1] * denominator % q == numerator % q
    assert field[2, 2] == 10**17 % q
    assert code.family == "custom"
    assert code.modulus == q
    tandon = GradientCode.from_matrix([[0.5, 1, 0], [0, 1, -1], [0.5, 0, 1]], num_stragglers=1)
    assert int(tandon.num_stragglers) == 1
    assert rank_mod(tandon.field_matrix, q) == 2


@pytest.mark.parametrize(
    ("first", "second", "factor"),
    [(np.pi * 1e8, np.e * 1e8, 2), (np.pi * 1e9, -np.e * 1e8, 4), (2**0.5 * 1e9, 1e8 / 7, 0.5)],
)
def test_large_numbers_keep_their_dependencies(first, second, factor):
    """Most doubles above 2^22 are the nearest ones to some fraction, which doubling may change."""
    rows = [[first, second, 0, 0], [factor * first, factor * second, 0, 0], [0, 0, 1, 1]]
    code = GradientCode.from_matrix([*rows, [1, 1, 1, 1]])
    assert rank_mod(code.field_matrix[:2], MERSENNE_31) == 1
    near = [x.limit_denominator(4096) for x in map(Fraction, (first, second))]
    assert any(float(x) == y for x, y in zip(near, (first, second), strict=True))


def test_fractions_of_usual_size_are_meant():
    values = np.array([[1 / 3, 1e5 / 3], [-7 / 4096, 0.1 + 1000]])
    residues = exact_residues(values, MERSENNE_31).astype(object)
    scaled = residues * [[3, 3], [4096, 10]] % MERSENNE_31
    assert scaled.tolist() == [[1, 10**5], [MERSENNE_31 - 7, 10_001]]


def test_old_keys_make_the_codes_of_the_new():
    old, new = jax.random.PRNGKey(3), jax.random.key(3)
    assert cyclic_code(old, 5, 2) == cyclic_code(new, 5, 2)
    assert redraw(old, cyclic_code(old, 5, 2), 2) == redraw(new, cyclic_code(new, 5, 2), 2)


# Rows 0 and 1 add up to 1, and so do rows 2 and 3, by numbers that are no fractions.
SPECIAL = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]]) * np.pi
SPECIAL[:, 1] *= np.e
SPECIAL[1] = np.e - SPECIAL[0]
SPECIAL[3] = np.e - SPECIAL[2]


def test_dependencies_of_their_own_are_decided_in_floats():
    """Rows 0 and 1 decode, and so do 2 and 3; 0 and 2 do not."""
    code = GradientCode.from_matrix(SPECIAL)
    assert code.modulus == IN_FLOATS
    np.testing.assert_array_equal(code.field_matrix, SPECIAL != 0)
    for rows, decode in (((0, 1), True), ((2, 3), True), ((0, 2), False), ((1, 2), False)):
        heard = np.isin(np.arange(4), rows)[None]
        found = recover(jax.random.key(0), code, Links(heard, np.ones((1, 4, 4), bool)))
        assert bool(found.gc) == bool(found.sum_recovered) == decode
        assert (int(found.rank), bool(found.client_recovered.any())) == (2, False)


@pytest.mark.parametrize(
    ("matrix", "stragglers", "words"),
    [
        ([[1.0, 2.0]], 0, ["matrix", "(1, 2)", "(clients, clients)"]),
        ([1.0, 2.0], 0, ["matrix", "(2,)", "2 axes"]),
        (np.zeros((0, 0)), 0, ["matrix", "(0, 0)"]),
        ([[1.0, np.nan], [0.0, 1.0]], 0, ["matrix[0, 1] = nan", "finite"]),
        ([[1.0, -np.inf], [0.0, 1.0]], 0, ["matrix[0, 1] = -inf"]),
        ([["x"]], 0, ["matrix", "numbers"]),
        ([[1, -1], [-1, 1]], 0, ["do not span"]),
        ([[0, 0], [0, 0]], 0, ["do not span"]),
        (np.eye(3), 1, ["any 2 rows"]),
        (np.eye(3), 3, ["num_stragglers = 3", "0..2"]),
        ([[2.0**31 - 1, 0], [0, 1]], 0, ["2147483647", "multiple"]),
    ],
)
def test_from_matrix_names_what_is_wrong(matrix, stragglers, words):
    with pytest.raises(ValueError) as error:
        GradientCode.from_matrix(matrix, stragglers)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


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
