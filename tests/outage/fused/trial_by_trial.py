"""The kernel for GPUs, interpreted, and the ordinary program: the same trials by both."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.coding.exact.decision import recover_rows
from jaxcogc.links.network import Network
from jaxcogc.links.packed_draws import by_offset
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.fused import block_outcomes, kernel_call, kernel_inputs, ring_blocks
from jaxcogc.outage.simulation.block_words import (
    block_key,
    redrawn_code,
    run_words,
    tile_rows,
    trial_vectors,
)
from jaxcogc.outage.simulation.decided_tiles import prepared
from jaxcogc.outage.simulation.kernels.reach import code_reach
from jaxcogc.outage.simulation.program_inputs import prepare_run, run_shape
from tests.quick import quick_jit

KEY = jax.random.key(3)
CLIENTS, ATTEMPTS = 4, 2
CYCLIC = cyclic_code(jax.random.key(0), CLIENTS, 2)
TWO = cyclic_code(jax.random.key(0), 2, 1)


def equal(uplink, peer, clients=CLIENTS, reciprocal=False):
    return Network.homogeneous(
        clients, uplink_erasure=uplink, peer_erasure=peer, reciprocal=reciprocal
    )


def shape_of(code, attempts=ATTEMPTS, redraw=False, network=None, **how):
    """By the fused kernel, although this is no GPU."""
    shape = run_shape(
        equal(0.4, 0.3, code.num_clients) if network is None else network,
        code,
        num_attempts=attempts,
        redraw_code=redraw,
        devices=jax.devices()[:1],
        **how,
    )
    return shape._replace(rule=shape.rule._replace(kernel="fused"))


def around(code, attempts=ATTEMPTS, redraw=False, reach=None):
    """By the fused kernel that eliminates around the ring, whatever the size."""
    reach = code_reach(code.field_matrix) if reach is None else reach
    return shape_of(code, attempts, redraw)._replace(reach=reach)


@cache
def programs(shape):
    """Outcomes of a block of a run, by the kernel and by the ordinary program."""
    if shape.reach:
        size = ring_blocks.ring_size(shape)
        of_run, decide = ring_blocks.run_of, ring_blocks.ring_outcomes
        decode = partial(ring_blocks.recovery_around, size)
    else:
        size = kernel_call.kernel_size(shape)
        of_run, decide = block_outcomes.of_all, block_outcomes.fused_outcomes
        decode = partial(block_outcomes.recovery_of, size)

    def fused(run, block):
        limit = jnp.full(1, BLOCK_TRIALS, jnp.int32)
        blocks = kernel_inputs.of_blocks(
            getattr(size, "plain", size), run.words, block[None], limit
        )
        return decide(size, blocks, of_run(size, run))[0]

    def ordinary(run, block):
        key, trials = block_key(run.words, block), jnp.arange(BLOCK_TRIALS, dtype=jnp.uint32)
        code, law = prepared(shape, run), by_offset(run.law, shape.attempts)
        draw = partial(tile_rows, num_attempts=shape.attempts, kind=shape.links)
        rows = draw(key, law, trials, code.gram.pairs)
        random = trial_vectors(key, shape.clients, trials, shape.rule.modulus)
        found = recover_rows(shape.rule._replace(kernel="loops"), code, random, rows)
        return found._replace(num_complete_rows=jnp.full(BLOCK_TRIALS, -1, jnp.int32))

    return (*(quick_jit(f) for f in (fused, ordinary)), decode)


def compare(shape, run, block):
    """Trial by trial; returns what the ordinary program gave."""
    fused, ordinary, decode = programs(shape)
    expected = jax.tree.map(np.asarray, ordinary(run, np.int32(block)))
    found = jax.tree.map(np.asarray, decode(fused(run, np.int32(block))))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    return expected


def run_of(shape, code, network, dynamics=None):
    if shape.rule.redrawn:
        code = redrawn_code(KEY, code, shape.attempts)
    return prepare_run(run_words(KEY), network, code, dynamics=dynamics, kind=shape.links)
