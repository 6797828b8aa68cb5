"""Blocks whose trials are decided in the order of their best turns, against those in their own.

False failures: below 1e-4, trials that one of the two programs misjudges.
"""

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import GradientCode, cyclic_code
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation import decided_tiles
from jaxcogc.outage.simulation.block_words import run_words
from jaxcogc.outage.simulation.kernels.choice import by_kernel, within_reach
from jaxcogc.outage.simulation.program import compiled_program
from jaxcogc.outage.simulation.program_inputs import Inputs, prepare_run, run_shape
from jaxcogc.runtime.random_words import seed_key

CODE = cyclic_code(jax.random.key(0), 26, 5)
LEVELS = ((0.4, 0.1), (0.02, 0.01), (0.9, 0.0))


def network(uplink, peer):
    return Network.homogeneous(26, uplink_erasure=uplink, peer_erasure=peer)


def small_field_code():
    """CODE's zeros in a field of 61 elements, where trials are misjudged all the time."""
    held = np.asarray(CODE.field_matrix) != 0
    field = np.random.default_rng(0).integers(1, 61, held.shape).astype(np.uint32) * held
    return GradientCode(field.astype(float), field, np.int32(5), "cyclic", 61)


def inputs(levels, first, blocks, full, last, code=CODE):
    run = prepare_run(run_words(seed_key(3)), network(*levels), code)
    return Inputs(run, *map(np.int32, (first, blocks, full, last)))


def programs(kept=0, code=CODE, tile=None):
    shape = run_shape(network(0.1, 0.1), code, num_attempts=1, redraw_code=False, tile=tile)
    shape = shape._replace(devices=shape.devices[:1], kept=kept)
    ordered = within_reach(shape, code)
    assert ordered.reach == 5
    return compiled_program(ordered), compiled_program(by_kernel(shape, "loops"))


@pytest.mark.slow
def test_counts_are_those_of_trials_in_their_own_order():
    """Whole blocks, one that counts in part, hardly a trial, and blocks beyond the last."""
    ordered, plain = programs()
    for levels in LEVELS:
        for call in ((0, 1, 1, 0), (4, 2, 5, 1000), (0, 1, 0, 1), (0, 3, 1, BLOCK_TRIALS - 1)):
            found, expected = (np.asarray(run(inputs(levels, *call))) for run in (ordered, plain))
            np.testing.assert_array_equal(found, expected)
            assert found.any()


@pytest.mark.slow
def test_single_blocks_and_trials_are_those_in_their_own_order():
    ordered, plain = programs(kept=2)
    for levels in LEVELS:
        call = inputs(levels, 3, 2, 5, 0)
        found, expected = (jax.tree.map(np.asarray, run(call)) for run in (ordered, plain))
        jax.tree.map(np.testing.assert_array_equal, found, expected)
        assert len(np.unique(found[1])) > 1 or levels == LEVELS[2]


@pytest.mark.slow
def test_misjudged_trials_are_the_same_whatever_the_tile_and_whatever_counts():
    code = small_field_code()
    flags = []
    for tile in (None, 128, 1024):
        ordered, plain = programs(1, code, tile)
        for call in ((0, 1, 1, 0), (0, 1, 0, 3000)):
            flags.append(np.asarray(ordered(inputs(LEVELS[0], *call, code))[1])[0, :3000])
        other = np.asarray(plain(inputs(LEVELS[0], 0, 1, 1, 0, code))[1])[0, :3000]
        assert 0 < np.mean(other != flags[0]) < 0.9
    for found in flags[1:]:
        np.testing.assert_array_equal(found, flags[0])


@pytest.mark.slow
def test_trials_that_change_places_are_noticed(monkeypatch):
    """The check of single trials, fed with a block in which every trial has moved by one."""

    drawn = decided_tiles._Trials._drawn

    def moved(self, *args):
        rows, order = drawn(self, *args)
        return jax.numpy.roll(rows, 1, axis=0), order

    monkeypatch.setattr(decided_tiles._Trials, "_drawn", moved)
    compiled_program.cache_clear()
    ordered, plain = programs(kept=2)
    call = inputs(LEVELS[0], 3, 2, 5, 0)
    (_, flags), (_, expected) = (jax.tree.map(np.asarray, run(call)) for run in (ordered, plain))
    compiled_program.cache_clear()
    assert not np.array_equal(flags, expected)
