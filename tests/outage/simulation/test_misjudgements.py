"""Misjudgements come one by one, shown in a field so small that they happen all the time."""

import jax
import numpy as np

from jaxcogc import GradientCode, Network, compile_simulation
from jaxcogc.outage.counts import BLOCK_TRIALS

CLIENTS, MODULUS = 4, 61


def small_field_code() -> GradientCode:
    field = np.random.default_rng(0).integers(1, MODULUS, (CLIENTS, CLIENTS)).astype(np.uint32)
    return GradientCode(field.astype(float), field, np.int32(0), "custom", MODULUS)


def test_a_chance_hits_no_whole_block() -> None:
    """Nothing arrives; a client counts as recovered by a chance of 1/61 of each trial alone.

    Within 5 standard deviations in each of 3 blocks: fails by chance in 1 of 100 000 runs. One
    vector for a block would give 0 or 16 384.
    """
    network = Network.homogeneous(CLIENTS, uplink_erasure=1.0, peer_erasure=0.5)
    code = small_field_code()
    trials = 3 * BLOCK_TRIALS
    simulation = compile_simulation(network, code, num_trials=trials, devices=jax.devices()[:1])
    expected = BLOCK_TRIALS / MODULUS
    spread = 5 * np.sqrt(expected * (1 - 1 / MODULUS))
    whole = np.zeros(CLIENTS)
    for counts in simulation.counts(jax.random.key(0), network, code, trials):
        blocks = counts.trials / BLOCK_TRIALS
        assert np.all(np.abs(counts.client_recovered - blocks * expected) < spread * blocks**0.5)
        whole += counts.client_recovered
    assert np.all(whole > 0)
