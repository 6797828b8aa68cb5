"""Many attempts go round a loop: the same Gram matrices and counts, no more memory or compiling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code, redraw
from jaxcogc.coding.exact import gram
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.decision import prepare_code
from jaxcogc.coding.recovery import tile_size
from jaxcogc.links.network import Network
from jaxcogc.outage.simulation.kernels.choice import by_kernel
from jaxcogc.outage.simulation.program import compiled_program
from jaxcogc.outage.simulation.program_inputs import run_shape
from jaxcogc.runtime.compute_once import as_xla_likes


@pytest.mark.slow
@pytest.mark.parametrize("redrawn", [False, True], ids=["one code", "redrawn"])
def test_the_loop_adds_up_what_the_unrolled_program_does(
    redrawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts, clients, trials = 11, 6, 32
    code = cyclic_code(jax.random.key(0), clients, 3)
    code = redraw(jax.random.key(1), code, attempts) if redrawn else code
    shape = (attempts, clients, clients)
    terms = prepare_code(jnp.broadcast_to(code.field_matrix, shape), 3, code.modulus).gram
    generator = np.random.default_rng(0)
    uplinks = generator.random((trials, attempts, clients)) < 0.2
    rows = pack_rows(uplinks, generator.random((trials, *shape)) < 0.7)
    found = [gram.gram_matrices(as_xla_likes, rows, terms, code.modulus)]
    monkeypatch.setattr(gram, "_UNROLLED_ATTEMPTS", attempts)
    found.append(gram.gram_matrices(as_xla_likes, rows, terms, code.modulus))
    np.testing.assert_array_equal(*map(np.asarray, found))
    assert np.asarray(found[0]).any()


@pytest.mark.slow
def test_the_program_of_4096_attempts_is_small() -> None:
    network = Network.homogeneous(4, uplink_erasure=0.9, peer_erasure=0.1)
    code = cyclic_code(jax.random.key(0), 4, 2)
    sizes = []
    for attempts in (64, 4096):
        shape = run_shape(network, code, num_attempts=attempts, redraw_code=False)
        memory = compiled_program(by_kernel(shape, "loops")).memory_analysis()
        sizes.append(memory.temp_size_in_bytes + memory.generated_code_size_in_bytes)
    assert sizes[1] < 4 * sizes[0] < 200e6


def test_tiles_shrink_where_attempts_grow() -> None:
    assert tile_size(10, 1) == tile_size(10, 16) > tile_size(10, 64) >= tile_size(10, 4096) >= 16
