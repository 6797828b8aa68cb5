"""`recover` under every transformation, and what docs/mathematics tells of its answers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxcogc.coding import recovery
from jaxcogc.coding.codes import (
    GradientCode,
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    redraw,
    uncoded,
)
from jaxcogc.coding.decoding import real_recovery
from jaxcogc.coding.exact.decision import Recovery, decision_rule
from jaxcogc.coding.recovery import kernel_for, recover
from jaxcogc.links.draws import Links
from jaxcogc.runtime.devices import device_mesh
from tests.coding.stacks import (
    decode_many,
    disagreements,
    oracle,
    random_links,
    recover_many,
)
from tests.quick import quick_jit
from tests.reference import cyclic_matrix


def same(found, expected):
    return not disagreements(Recovery(*map(np.asarray, found)), expected)


def take(links, index):
    return Links(*(x[index] for x in links))


def as_custom(code):
    """The same coefficients, `gc` decided by a null vector of the complete rows."""
    return dataclasses.replace(code, family="custom")


# --- one trial, many trials ---------------------------------------------------------------------

CODE = cyclic_code(jax.random.key(0), 3, 1)
KEY = jax.random.key(1)
LINKS = random_links(np.random.default_rng(0), (24, 2, 3), 0.6, 0.4)


@pytest.fixture(scope="module")
def one_at_a_time():
    single = jax.jit(recover)
    found = [single(KEY, CODE, take(LINKS, trial)) for trial in range(24)]
    found = Recovery(*(np.stack(x) for x in zip(*found, strict=True)))
    assert same(found, oracle([cyclic_matrix(3, 1)] * 2, LINKS))
    dtypes = [x.dtype for x in found]
    assert dtypes == [bool, bool, bool, np.int32, np.int32]
    assert len(set(found.rank)) > 2
    return found


def folded(x):
    return x.reshape(4, 6, *x.shape[1:])


def unfolded(x):
    return np.asarray(x).reshape(24, *x.shape[2:])


KEYS = jax.random.split(KEY, 24)
PER_TRIAL = jax.tree.map(lambda x: np.stack([x] * 24), CODE)
TRANSFORMED = {
    "vmap": lambda: jax.vmap(recover, (None, None, 0))(KEY, CODE, LINKS),
    "vmap of jit": lambda: jax.vmap(jax.jit(recover), (None, None, 0))(KEY, CODE, LINKS),
    "a key each": lambda: quick_jit(jax.vmap(recover, (0, None, 0)))(KEYS, CODE, LINKS),
    "a code each": lambda: quick_jit(jax.vmap(recover, (None, 0, 0)))(KEY, PER_TRIAL, LINKS),
    "stacks on other axes": lambda: quick_jit(
        lambda uplinks, peers: jax.vmap(
            lambda uplink, peer: recover(KEY, CODE, Links(uplink, peer)), (1, 3)
        )(uplinks, peers)
    )(jnp.moveaxis(LINKS.uplink_delivered, 0, 1), jnp.moveaxis(LINKS.peer_delivered, 0, 3)),
    "nested vmap": lambda: jax.tree.map(
        unfolded,
        quick_jit(jax.vmap(jax.vmap(recover, (None, None, 0)), (None, None, 0)))(
            KEY, CODE, Links(*map(folded, LINKS))
        ),
    ),
    "nested vmap, keys outside, codes outside": lambda: jax.tree.map(
        unfolded,
        quick_jit(jax.vmap(jax.vmap(recover, (None, None, 0)), (0, 0, 0)))(
            KEYS[:4], jax.tree.map(lambda x: x[:4], PER_TRIAL), Links(*map(folded, LINKS))
        ),
    ),
    "scan": lambda: quick_jit(
        lambda: jax.lax.scan(lambda c, links: (c, recover(KEY, CODE, links)), 0, LINKS)[1]
    )(),
    "scan of vmap": lambda: jax.tree.map(
        unfolded,
        quick_jit(
            lambda: jax.lax.map(
                lambda links: jax.vmap(recover, (None, None, 0))(KEY, CODE, links),
                Links(*map(folded, LINKS)),
            )
        )(),
    ),
    "shard_map": lambda: quick_jit(
        jax.shard_map(
            lambda links: jax.vmap(recover, (None, None, 0))(KEY, CODE, links),
            mesh=device_mesh(jax.devices()[:1]),
            in_specs=PartitionSpec("devices"),
            out_specs=PartitionSpec("devices"),
        )
    )(Links(*map(jnp.asarray, LINKS))),
}


@pytest.mark.slow
@pytest.mark.parametrize("transformed", TRANSFORMED.values(), ids=TRANSFORMED)
def test_transformations_change_no_answer(transformed, one_at_a_time):
    assert same(transformed(), one_at_a_time)


def test_one_stack_and_many_keys(one_at_a_time):
    found = quick_jit(jax.vmap(recover, (0, None, None)))(KEYS, CODE, take(LINKS, 5))
    expected = Recovery(*(np.stack([x[5]] * 24) for x in one_at_a_time))
    assert same(found, expected)


@pytest.mark.slow
def test_batches_longer_than_a_tile(one_at_a_time):
    """Tiles and their padding do not show; 24 stacks again and again, 9000 in all."""
    again = np.arange(9000) % 24
    found = jax.jit(jax.vmap(recover, (None, None, 0)))(KEY, CODE, take(LINKS, again))
    assert same(found, Recovery(*(x[again] for x in one_at_a_time)))


def test_which_kernel_serves_a_call():
    sizes = [(2**13, 32), (2**13 + 1, 32), (2**12, 33), (2**12 + 1, 33)]
    assert [kernel_for(*size) for size in sizes] == ["loops", "xla", "loops", "walk"]


@pytest.mark.slow
@pytest.mark.parametrize(("stragglers", "attempts"), [(8, 1), (30, 1), (8, 2)])
def test_many_clients_walk_where_they_can(stragglers, attempts, monkeypatch):
    """A code that the walk serves, one that reaches too far, and two attempts: all as by loops."""
    code = cyclic_code(KEY, 40, stragglers)
    links = random_links(np.random.default_rng(3), (2**12 + 100, attempts, 40), 0.2, 0.02)
    walked = jax.jit(jax.vmap(recover, (None, None, 0)))(KEY, code, links)
    monkeypatch.setattr(recovery, "kernel_for", lambda *_: "loops")
    looped = quick_jit(jax.vmap(lambda *x: recover(*x), (None, None, 0)))(KEY, code, links)
    assert same(walked, looped)
    assert 0 < np.mean(walked.client_recovered) < 1


def test_shapes_that_do_not_fit_are_refused():
    links = take(LINKS, 0)
    with pytest.raises(ValueError, match=r"links of shapes .* must be"):
        recover(KEY, uncoded(4), links)
    with pytest.raises(ValueError, match=r"links of shapes .* must be"):
        recover(KEY, CODE, links._replace(peer_delivered=links.peer_delivered[:1]))
    with pytest.raises(ValueError, match="redrawn for 3 attempts, links have 2"):
        recover(KEY, redraw(KEY, CODE, 3), links)


# --- facts --------------------------------------------------------------------------------------


def certain(shape, delivered_peers=True):
    stacks, attempts, clients = shape
    peers = np.full((stacks, attempts, clients, clients), delivered_peers)
    return Links(np.ones(shape, bool), peers | np.eye(clients, dtype=bool))


@pytest.mark.slow
@pytest.mark.parametrize("stragglers", range(6))
def test_facts_of_one_cyclic_code(stragglers):
    code = cyclic_code(jax.random.key(stragglers), 6, stragglers)
    source = np.random.default_rng(stragglers)
    everything = recover_many(code, certain((1, 1, 6)))
    assert everything.gc.all()
    assert everything.sum_recovered.all()
    assert everything.rank == 6 - stragglers
    # Complete rows alone: they live in null(H), so nobody is recovered, and counting decides.
    uplink = source.uniform(size=(64, 1, 6)) < 0.6
    found = recover_many(code, certain(uplink.shape)._replace(uplink_delivered=uplink))
    arrived = uplink.sum(axis=(1, 2))
    np.testing.assert_array_equal(found.num_complete_rows, arrived)
    np.testing.assert_array_equal(found.rank, np.minimum(arrived, 6 - stragglers))
    np.testing.assert_array_equal(found.gc, arrived >= 6 - stragglers)
    np.testing.assert_array_equal(found.sum_recovered, found.gc)
    if stragglers:
        assert not found.client_recovered.any()
    else:
        np.testing.assert_array_equal(found.client_recovered, uplink[:, 0])
    # No peer link works: whoever is heard is recovered alone, and gc never succeeds.
    alone = certain(uplink.shape, delivered_peers=False)._replace(uplink_delivered=uplink)
    found = recover_many(code, alone)
    np.testing.assert_array_equal(found.client_recovered, uplink[:, 0])
    np.testing.assert_array_equal(found.sum_recovered, arrived == 6)
    if stragglers:
        assert not found.gc.any()
        assert not found.num_complete_rows.any()


@pytest.mark.slow
@pytest.mark.parametrize("stragglers", [0, 1, 3, 5])
def test_counting_complete_rows_equals_a_null_vector_of_them(stragglers):
    code = cyclic_code(jax.random.key(stragglers), 6, stragglers)
    assert decision_rule(code).counted
    assert not decision_rule(as_custom(code)).counted
    links = random_links(
        np.random.default_rng(stragglers), (300, 1, 6), 0.2 + 0.08 * stragglers, 0.05
    )
    counted = recover_many(code, links)
    assert 0 < counted.gc.sum() < 300
    assert same(recover_many(as_custom(code), links), counted)


def test_how_gc_is_decided():
    counted = {"cyclic": True, "uncoded": True, "cyclic-mds": False}
    counted |= {"fractional-repetition": False, "custom": False}
    codes = [CODE, uncoded(4), cyclic_mds_code(4, 1), fractional_repetition_code(4, 1)]
    codes.append(GradientCode.from_matrix(np.eye(4)))
    assert {code.family: decision_rule(code).counted for code in codes} == counted
    assert not decision_rule(redraw(KEY, CODE, 2)).counted


@pytest.mark.slow
def test_fewer_rows_may_do_for_a_cyclic_mds_code_of_composite_size():
    """(4, 1): rows 0 and 2, or 1 and 3, add up to the sum; no other pair does."""
    code = cyclic_mds_code(4, 1)
    subsets = (np.arange(16)[:, None] >> np.arange(4) & 1).astype(bool)
    links = certain((16, 1, 4))._replace(uplink_delivered=subsets[:, None])
    found = recover_many(code, links)
    np.testing.assert_array_equal(found.num_complete_rows, subsets.sum(axis=1))
    matrix = [[round(x) for x in row] for row in code.matrix.tolist()]
    assert same(found, oracle([matrix], links))
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert [bool(found.gc[2**a + 2**b]) for a, b in pairs] == [0, 1, 0, 0, 1, 0]
    assert found.gc[subsets.sum(axis=1) >= 3].all()


@pytest.mark.slow
@pytest.mark.parametrize("stragglers", [1, 2])
def test_fractional_repetition_needs_one_complete_row_a_block(stragglers):
    """Over all attempts together."""
    code, size = fractional_repetition_code(6, stragglers), stragglers + 1
    links = random_links(np.random.default_rng(stragglers), (300, 2, 6), 0.5, 0.3)
    block = np.arange(6) // size
    needed = block[:, None] == block
    complete = (links.peer_delivered | ~needed).all(axis=3) & links.uplink_delivered
    found = recover_many(code, links)
    by_block = complete.any(axis=1).reshape(300, 6 // size, size).any(axis=2)
    np.testing.assert_array_equal(found.gc, by_block.all(axis=1))
    np.testing.assert_array_equal(found.num_complete_rows, complete.any(axis=1).sum(axis=1))
    assert 0 < found.gc.sum() < 300


@pytest.mark.slow
def test_redrawn_codes_are_independent_attempts():
    code = redraw(jax.random.key(4), cyclic_code(KEY, 4, 2), 3)
    links = random_links(np.random.default_rng(4), (500, 3, 4), 0.4, 0.3)
    found = recover_many(code, links)
    expected = oracle([cyclic_matrix(4, 2, seed) for seed in range(3)], links)
    assert same(found, expected)
    same_code = oracle([cyclic_matrix(4, 2)] * 3, links)
    assert not same(found, same_code)
    assert found.client_recovered.sum() > same_code.client_recovered.sum()


# --- real numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clients", "stragglers", "attempts"),
    [(6, 3, 1), (10, 7, 2), pytest.param(16, 5, 2, marks=pytest.mark.soak)],
)
def test_real_numbers_decide_alike(clients, stragglers, attempts, repetitions):
    """In float64, by the criterion of docs/mathematics/null_vector.md."""
    code = cyclic_code(jax.random.key(clients), clients, stragglers)
    source, stacks = np.random.default_rng(clients), repetitions(10_000, 200_000)
    peer_erasure = source.choice([0.05, 0.25, 0.4], (stacks, 1, 1, 1))
    links = random_links(source, (stacks, attempts, clients), 0.4, peer_erasure)
    real = decode_many(real_recovery, code, links)
    custom = as_custom(code) if clients < 16 else code
    exact = recover_many(custom, links)
    for name in ("gc", "sum_recovered", "client_recovered", "rank"):
        ours, theirs = np.asarray(getattr(real, name)), getattr(exact, name)
        assert int((ours != theirs).sum()) == 0, name
    assert len(set(exact.rank)) > 4
    assert 0 < exact.client_recovered.mean() < 1
