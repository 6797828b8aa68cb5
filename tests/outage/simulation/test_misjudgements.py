"""Misjudgements come one by one, shown in a field so small that they happen all the time."""

import jax
import numpy as np
import pytest

from jaxcogc import GradientCode, Links, Network, compile_simulation, recover
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.block_words import run_words
from jaxcogc.outage.simulation.blocks import compile_blocks
from jaxcogc.outage.simulation.program_inputs import prepare_run

CLIENTS, MODULUS = 4, 61


def small_field_code() -> GradientCode:
    field = np.random.default_rng(0).integers(1, MODULUS, (CLIENTS, CLIENTS)).astype(np.uint32)
    return GradientCode(field.astype(float), field, np.int32(0), "custom", MODULUS)


NETWORK = Network.homogeneous(CLIENTS, uplink_erasure=1.0, peer_erasure=0.5)
"""Nothing arrives: whoever counts as recovered is misjudged, by a chance of 1/61 of each trial."""
EXPECTED = BLOCK_TRIALS / MODULUS


def assert_one_by_one(recovered: np.ndarray, blocks: float) -> None:
    """At most 5 standard deviations more; one vector for a block would give 16 384 at once."""
    spread = 5 * np.sqrt(blocks * EXPECTED * (1 - 1 / MODULUS))
    assert np.all(recovered - blocks * EXPECTED < spread)


@pytest.mark.slow
@pytest.mark.parametrize("few", [True, False], ids=["few trials", "many trials"])
def test_a_chance_hits_no_whole_block(few: bool) -> None:
    """Both programs, 3 blocks: fails by chance in 1 of 100 000 runs."""
    code, trials = small_field_code(), 3 * BLOCK_TRIALS
    simulation = compile_simulation(
        NETWORK, code, num_trials=trials if few else None, devices=jax.devices()[:1]
    )
    whole = np.zeros(CLIENTS)
    for counts in simulation.counts(jax.random.key(0), NETWORK, code, trials):
        assert_one_by_one(counts.client_recovered, counts.trials / BLOCK_TRIALS)
        whole += counts.client_recovered
    assert np.all(whole > 0)


@pytest.mark.slow
def test_a_chance_hits_no_whole_block_of_a_study() -> None:
    code, key = small_field_code(), jax.random.key(1)
    blocks = compile_blocks(NETWORK, code, devices=jax.devices()[:1])
    counted, _ = blocks.start(prepare_run(run_words(key), NETWORK, code), 0, 3)()
    for counts in counted:
        assert_one_by_one(counts.client_recovered, 1)
    assert np.all(sum(counts.client_recovered for counts in counted) > 0)


@pytest.mark.slow
def test_trials_with_keys_of_their_own_are_misjudged_one_by_one() -> None:
    """As `recover` says; under one key all of these would be misjudged, or none."""
    silent = np.zeros((BLOCK_TRIALS, 1, CLIENTS), bool)
    links = Links(silent, np.zeros((*silent.shape, CLIENTS), bool))
    recover_all = jax.jit(jax.vmap(recover, (0, None, 0)))
    keys = jax.random.split(jax.random.key(0), BLOCK_TRIALS)
    found = recover_all(keys, small_field_code(), links)
    recovered = np.asarray(found.client_recovered).sum(axis=0)
    assert_one_by_one(recovered, 1)
    assert np.all(recovered > 0)
