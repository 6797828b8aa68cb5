"""Each tile with a trial that counts is decided once, and no device has much more than another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation import decided_tiles, program
from jaxcogc.outage.simulation.program_inputs import run_shape

NETWORK = Network.homogeneous(3, uplink_erasure=0.3, peer_erasure=0.2)
SHAPE = run_shape(
    NETWORK, cyclic_code(jax.random.key(0), 3, 1), num_attempts=1, redraw_code=False, tile=2**12
)
TILES = BLOCK_TRIALS // SHAPE.tile


@pytest.mark.parametrize("devices", [1, 2, 3, 7])
def test_tiles_that_count_are_shared_out(devices):
    """Against a look at every tile of the call, before, around and after the run's last trial."""
    blank = program.blank_inputs(SHAPE)

    def share(inputs):
        def of_device(_):
            return jnp.stack(decided_tiles._share_of_parts(SHAPE.tile, "device", inputs))

        return jax.vmap(of_device, axis_name="device")(jnp.arange(devices))

    shares = jax.jit(share)
    for first, blocks, full in [(0, 1, 0), (0, 2, 3), (5, 3, 4), (5, 3, 5), (9, 1, 11), (2, 2, 50)]:
        for last in (0, 1, SHAPE.tile, SHAPE.tile + 1, BLOCK_TRIALS - 1):
            numbers = map(np.int32, (first, blocks, full, last))
            found = np.asarray(shares(type(blank)(blank.run, *numbers)))
            left = full * BLOCK_TRIALS + last - first * BLOCK_TRIALS
            counted = [tile for tile in range(devices * blocks * TILES) if tile * SHAPE.tile < left]
            decided = [tile for start, number in found for tile in range(start, start + number)]
            assert decided == counted
            assert np.ptp(found[:, 1]) <= 1
