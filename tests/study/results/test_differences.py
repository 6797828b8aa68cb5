"""How often the interval of a difference between two points misses it."""

import numpy as np
import pytest
from scipy import stats

from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.study.results.estimates import paired_difference

PAIRS = 200
MOST_MISSES = 1e-6
"""How likely more misses than allowed are, if the interval misses as often as its level says."""


def drawn(generator, more, fewer, blocks):
    """Events of two points in each block, if so many trials are expected to differ in all."""
    common = generator.poisson(30, blocks)
    counts = (common + generator.poisson(mean / blocks, blocks) for mean in (more, fewer))
    return tuple(counts)


@pytest.mark.parametrize("blocks", [2, 7, 62])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(
    ("more", "fewer"), [(0, 0), (0.3, 0), (0, 3.6), (10, 0), (3, 10), (30, 30), (400, 100)]
)
def test_the_interval_misses_no_more_often_than_its_level_says(blocks, level, more, fewer):
    """Also where one trial in a hundred thousand differs, and where nothing differs."""
    generator, missed = np.random.default_rng(7), 0
    true = (more - fewer) / (blocks * BLOCK_TRIALS)
    for _ in range(PAIRS):
        found = paired_difference(*drawn(generator, more, fewer, blocks), level)
        assert found.low < found < found.high
        missed += not found.low <= true <= found.high
    assert missed <= stats.binom.isf(MOST_MISSES, PAIRS, 1 - level)


def test_a_difference_that_all_blocks_share_has_a_width_too():
    """50 trials more in each of 4 blocks: 200 differ, by luck in equal parts."""
    found = paired_difference([50] * 4, [0] * 4)
    spread = stats.poisson.std(200) / (4 * BLOCK_TRIALS)
    assert found.low < found - 1.96 * spread < found + 1.96 * spread < found.high


def test_all_trials_differing_is_no_more_than_all():
    found = paired_difference([BLOCK_TRIALS] * 3, [0] * 3)
    assert found.low < found == found.high == 1.0


@pytest.mark.parametrize(("more", "fewer"), [(0.03, 0), (3, 3)])
def test_looked_at_after_every_block_it_is_seldom_ever_wrong(more, fewer):
    """Numbers of trials that differ in a block; a third would be wrong once by Student."""
    generator, runs, wrong = np.random.default_rng(8), 24, 0
    for _ in range(runs):
        ours, theirs = drawn(generator, 40 * more, 40 * fewer, 40)
        looks = (paired_difference(ours[:n], theirs[:n], 0.9, looked=True) for n in range(2, 41, 3))
        true = (more - fewer) / BLOCK_TRIALS
        wrong += any(not found.low <= true <= found.high for found in looks)
    assert wrong <= stats.binom.isf(1e-4, runs, 0.1)
