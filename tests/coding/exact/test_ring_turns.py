"""Walks from any turn of the ring, with few trajectories or many, against general elimination.

False failures: as in `test_ring_walk`, below 1e-5 for all stacks of this file together.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code, cyclic_mds_code
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.coding.exact.null_vector import null_vector
from jaxcogc.coding.exact.ring import turns
from jaxcogc.coding.exact.ring.null_vector import ring_null_vector
from jaxcogc.coding.exact.ring.terms import ring_terms
from jaxcogc.coding.exact.ring.turns import MOST_TURNS, best_turns, sizes
from tests.coding.stacks import random_links
from tests.quick import quick_jit

TRIALS = 192


@partial(quick_jit, static_argnums=(4, 5))
def walk_from(rows, coefficients, random, turn, reach, modulus):
    terms = ring_terms(coefficients, modulus, reach=reach)
    return ring_null_vector(rows, terms._replace(turn=turn), random, modulus)


@partial(quick_jit, static_argnums=3)
def eliminate(rows, coefficients, random, modulus):
    return null_vector(rows, gram_terms(coefficients[None], modulus), random, modulus)


def zeros(vector, modulus):
    vector = np.asarray(vector).astype(np.uint64)
    return np.vstack([vector == 0, vector.sum(axis=0) % modulus == 0])


def rows_of(clients, uplink_erasure, peer_erasure, seed):
    links = random_links(
        np.random.default_rng(seed), (TRIALS, 1, clients), uplink_erasure, peer_erasure
    )
    return jax.jit(pack_rows)(*links)


def disagree(code, reach, rows, turn):
    """In how many trials the walk says otherwise than general elimination."""
    modulus, clients = code.modulus, code.num_clients
    random = np.random.default_rng(7).integers(0, modulus, (clients, TRIALS), dtype=np.uint32)
    vector, rank = walk_from(rows, code.field_matrix, random, np.int32(turn), reach, modulus)
    general, same_rank = eliminate(rows, code.field_matrix, random, modulus)
    other = np.any(zeros(vector, modulus) != zeros(general, modulus), axis=0)
    return int(np.sum(other | (np.asarray(rank) != np.asarray(same_rank))))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "reach"),
    [(cyclic_code(jax.random.key(0), 24, 5), 5), (cyclic_mds_code(26, 5), 5)],
    ids=["whole blocks", "nobody in the first block, montgomery"],
)
def test_every_turn_finds_what_elimination_finds(code, reach):
    """Few and many constraints, and all of them; the last turn is no multiple of a block."""
    for turn in (0, 4, 20, code.num_clients - 1):
        for erasures in ((0.7, 0.1), (0.15, 0.03), (0.0, 0.05)):
            rows = rows_of(code.num_clients, *erasures, seed=turn)
            assert disagree(code, reach, rows, turn) == 0, (turn, erasures)


@pytest.mark.slow
def test_one_trajectory_less_is_noticed(monkeypatch):
    """The check, fed with walks that have no trajectory to spare."""
    code = cyclic_code(jax.random.key(1), 24, 7)
    rows = rows_of(24, 0.5, 0.2, seed=3)
    together = turns.together
    monkeypatch.setattr(turns, "sizes", lambda cut: (cut, cut + 2))
    assert disagree(code, 7, rows, 8) == 0

    def short(ring, size):
        number = jnp.minimum(ring.number, 2)  # as if the others asked for no trajectory
        return together(ring._replace(number=number), size)

    monkeypatch.setattr("jaxcogc.coding.exact.ring.null_vector.together", short)
    jax.clear_caches()
    assert disagree(code, 7, rows, 8) > TRIALS // 2
    jax.clear_caches()


@pytest.mark.parametrize(("clients", "cut"), [(24, 8), (26, 8), (64, 16), (128, 48)])
def test_best_turns_equal_plain_loops(clients, cut):
    source = np.random.default_rng(clients)
    arrived = source.random((clients, 500)) < source.choice([0.4, 0.6, 0.9], 500)
    window, (few, _) = cut - -clients % 4, sizes(cut)
    expected = []
    for trial in arrived.T:
        number = [
            sum(trial[(turn + i) % clients] for i in range(window)) for turn in range(0, clients, 4)
        ]
        expected.append(next((4 * i for i, n in enumerate(number) if n < few), MOST_TURNS))
    found = jax.jit(best_turns, static_argnums=1)(arrived.astype(np.uint32), cut)
    np.testing.assert_array_equal(found, expected)
    assert len(set(expected)) > 3


def test_rows_that_are_there_close_up():
    source = np.random.default_rng(0)
    for size in (1, 8, 13):
        present = source.random((size, 300)) < 0.6
        rows = source.integers(1, 2**31, (size, 2, 300), dtype=np.uint32) * present[:, None]
        moved = jnp.asarray(rows)
        for places, moves in turns._moves(jnp.asarray(present)).items():
            moved = turns._moved(places, moves, moved)
        for trial in range(300):
            there = rows[present[:, trial], :, trial]
            np.testing.assert_array_equal(moved[: len(there), :, trial], there)
            assert not np.any(moved[len(there) :, :, trial])
