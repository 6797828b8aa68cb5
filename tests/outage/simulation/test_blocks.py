"""Blocks counted one by one add up to a whole run, and their flags tell the events."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.links.network import Network
from jaxcogc.names import OUTCOMES
from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts, outcomes_from_counts
from jaxcogc.outage.simulation.block_words import run_words
from jaxcogc.outage.simulation.blocks import compile_blocks
from jaxcogc.outage.simulation.count_table import outcomes_from_flags
from jaxcogc.outage.simulation.program_inputs import prepare_run
from tests.checks import same_counts, simulate_counts
from tests.outage.everywhere import NETWORK
from tests.places import PROJECT

KEY = jax.random.key(5)
CODE = cyclic_code(jax.random.key(2), 3, 1)
RUN = prepare_run(run_words(KEY), NETWORK, CODE)


@pytest.fixture(scope="module")
def blocks():
    return compile_blocks(NETWORK, CODE, num_attempts=2)


@pytest.mark.slow
def test_blocks_add_up_to_a_run(blocks):
    apart = [
        counts
        for first, num in ((0, 1), (1, 3), (4, 1))
        for counts in blocks.start(RUN, first, num)().counts
    ]
    assert [counts.trials for counts in apart] == [BLOCK_TRIALS] * 5
    total = sum(apart, start=OutcomeCounts.zero(3))
    whole = simulate_counts(KEY, NETWORK, CODE, 5 * BLOCK_TRIALS, num_attempts=2)
    assert same_counts(total, whole)
    assert not same_counts(apart[0], apart[1])  # the comparison can fail
    (again,), _ = blocks.start(RUN, 2, 1)()
    assert same_counts(again, apart[2])


@pytest.mark.slow
def test_flags_are_the_counted_events(blocks):
    (counts,), flags = blocks.start(RUN, 7, 1)()
    assert flags.shape == (BLOCK_TRIALS,)
    outcomes = outcomes_from_counts(counts)
    happened = outcomes_from_flags(flags).by_name()
    assert list(happened) == list(OUTCOMES)
    for outcome in OUTCOMES:
        assert happened[outcome].sum() == round(getattr(outcomes, outcome) * BLOCK_TRIALS)


@pytest.mark.slow
def test_flags_stand_at_their_trials(blocks):
    """The first n flags hold the events of a run of n trials."""
    _, flags = blocks.start(RUN, 0, 1)()
    for num_trials in (1, 100, 9_999):
        outcomes = outcomes_from_counts(
            simulate_counts(KEY, NETWORK, CODE, num_trials, num_attempts=2)
        )
        for outcome in OUTCOMES:
            seen = outcomes_from_flags(flags[:num_trials]).by_name()[outcome].sum()
            assert seen == round(getattr(outcomes, outcome) * num_trials)


@pytest.mark.slow
def test_what_does_not_fit_is_refused(blocks):
    with pytest.raises(ValueError, match="num_blocks = 0"):
        blocks.start(RUN, 0, 0)
    network = Network.homogeneous(4, uplink_erasure=0.1, peer_erasure=0.1)
    with pytest.raises(ValueError, match="the code has 3 clients, the network 4"):
        compile_blocks(network, CODE)


@pytest.mark.slow
def test_eight_devices_count_the_same(blocks):
    inherited = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS",)}
    program = (
        "import jax, json; from tests.outage.simulation.test_blocks import *;"
        "b = compile_blocks(NETWORK, CODE, num_attempts=2);"
        "found, flags = b.start(RUN, 3, 11)();"
        "print(json.dumps([jax.device_count(), [[c.trials, c.gc, c.rank_sum,"
        " c.num_recovered.tolist()] for c in found]]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
        env={**inherited, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"},
    )
    devices, there = json.loads(run.stdout)
    here, _ = blocks.start(RUN, 3, 11)()
    assert devices == 8
    assert there == [[c.trials, c.gc, c.rank_sum, c.num_recovered.tolist()] for c in here]


@pytest.mark.slow
def test_the_last_device_without_work_is_not_counted(blocks):
    """A call asks every device for the same number of blocks; those past the end do not count."""
    found, _ = blocks.start(RUN, 0, blocks.most_blocks)()
    assert len(found) == blocks.most_blocks
    assert np.all([counts.trials == BLOCK_TRIALS for counts in found])
