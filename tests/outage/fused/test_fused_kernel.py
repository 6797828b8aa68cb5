"""The kernel for GPUs, interpreted on the CPU: trial by trial what the ordinary program gives."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    all_ones_ring_code,
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    uncoded,
)
from jaxcogc.coding.exact.decision import recover_rows
from jaxcogc.links.network import Network
from jaxcogc.links.packed_draws import by_offset
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.fused import block_outcomes, kernel_inputs, machine_blocks, trial_kernel
from jaxcogc.outage.simulation import kernel_choice
from jaxcogc.outage.simulation.block_words import (
    block_key,
    redrawn_code,
    run_words,
    tile_rows,
    trial_vectors,
)
from jaxcogc.outage.simulation.kernel_choice import tying_law, why_rejected
from jaxcogc.outage.simulation.program import compiled_program, prepared
from jaxcogc.outage.simulation.program_inputs import prepare_run, run_shape
from tests.quick import quick_jit

KEY = jax.random.key(3)
CLIENTS, ATTEMPTS = 4, 2


def unequal(clients):
    """Links of many probabilities, some of them certain."""
    random = np.random.default_rng(clients)
    peers = random.choice([0.0, 1.0, 0.05, 0.5, 0.3], (clients, clients))
    np.fill_diagonal(peers, 0)
    return Network(random.choice([0.0, 0.3, 0.6], clients), peers)


def equal(uplink, peer, clients=CLIENTS):
    return Network.homogeneous(clients, uplink_erasure=uplink, peer_erasure=peer)


def shape_of(code, attempts=ATTEMPTS, redraw=False):
    """By the fused kernel, although this is no GPU."""
    clients = code.num_clients
    network = equal(0.4, 0.3, clients)
    shape = run_shape(
        network, code, num_attempts=attempts, redraw_code=redraw, devices=jax.devices()[:1]
    )
    return shape._replace(rule=shape.rule._replace(kernel="fused"))


@cache
def programs(shape):
    """Outcomes of a block of a run, by the kernel and by the ordinary program."""
    size = block_outcomes.kernel_size(shape)

    def fused(run, block):
        limit = jnp.full(1, BLOCK_TRIALS, jnp.int32)
        blocks = kernel_inputs.of_blocks(size.clients, size.modulus, run.words, block[None], limit)
        of_run = block_outcomes.of_all(size, run)
        return block_outcomes.fused_outcomes(size, blocks, of_run)[0]

    def ordinary(run, block):
        key, trials = block_key(run.words, block), jnp.arange(BLOCK_TRIALS, dtype=jnp.uint32)
        code, law = prepared(shape, run), by_offset(run.law, shape.attempts)
        draw = partial(tile_rows, num_attempts=shape.attempts, kind=shape.links)
        rows = draw(key, law, trials, code.gram.pairs)
        random = trial_vectors(key, shape.clients, trials, shape.rule.modulus)
        found = recover_rows(shape.rule._replace(kernel="loops"), code, random, rows)
        return found._replace(num_complete_rows=jnp.full(BLOCK_TRIALS, -1, jnp.int32))

    decode = partial(block_outcomes.recovery_of, size)
    return (*(quick_jit(f) for f in (fused, ordinary)), decode)


def compare(shape, run, block):
    """Trial by trial; returns what the ordinary program gave."""
    fused, ordinary, decode = programs(shape)
    expected = jax.tree.map(np.asarray, ordinary(run, np.int32(block)))
    found = jax.tree.map(np.asarray, decode(fused(run, np.int32(block))))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    return expected


def run_of(shape, code, network):
    if shape.rule.redrawn:
        code = redrawn_code(KEY, code, shape.attempts)
    return prepare_run(run_words(KEY), network, code, kind=shape.links)


CYCLIC = cyclic_code(jax.random.key(0), CLIENTS, 2)
TWO = cyclic_code(jax.random.key(0), 2, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "network"),
    [
        (CYCLIC, equal(0.4, 0.25)),
        (cyclic_code(jax.random.key(1), CLIENTS, 3), unequal(CLIENTS)),
        (cyclic_code(jax.random.key(2), CLIENTS, 1), equal(0.5, 0.1)),
        (uncoded(CLIENTS), equal(0.3, 0.3)),
    ],
    ids=["cyclic", "unequal-links", "one-straggler", "uncoded"],
)
def test_codes_whose_complete_rows_are_counted(code, network):
    shape = shape_of(CYCLIC)
    found = compare(shape, run_of(shape, code, network), 5)
    assert len(np.unique(found.rank)) > 3, "the trials do not exercise different ranks"
    assert 0 < found.gc.mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize(("uplink", "peer"), [(0.0, 0.0), (1.0, 0.3), (0.0, 1.0)])
def test_certain_links(uplink, peer):
    shape = shape_of(CYCLIC)
    found = compare(shape, run_of(shape, CYCLIC, equal(uplink, peer)), 1)
    assert found.gc.mean() == (uplink == peer == 0)
    assert len(np.unique(found.rank)) == 1


@pytest.mark.slow
def test_first_words_that_tie_with_their_thresholds():
    """Every link's threshold is a word of a trial: first word, and second word, which is kept."""
    shape = shape_of(CYCLIC)
    run = run_of(shape, CYCLIC, equal(0.4, 0.25))
    run = run._replace(law=tying_law(run, CLIENTS))
    compare(shape, run, 0)
    low = run.law.start.low + np.uint32(1)  # the tie is lost now, by one in 2^64
    lost = run._replace(law=run.law._replace(start=run.law.start._replace(low=low)))
    compare(shape, lost, 0)
    fused, _, _ = programs(shape)
    changed = np.asarray(fused(run, np.int32(0))) != np.asarray(fused(lost, np.int32(0)))
    assert 0 < changed.sum() <= CLIENTS**2, "no trial was decided by a second word"


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [CYCLIC, fractional_repetition_code(CLIENTS, 1), all_ones_ring_code(CLIENTS, 1)],
    ids=["redrawn", "fractional-repetition", "all-ones-ring"],
)
def test_codes_that_need_a_second_null_vector(code):
    shape = shape_of(CYCLIC, redraw=True)  # its program takes any code of this field
    of_code = shape if code is CYCLIC else shape._replace(rule=shape.rule._replace(redrawn=False))
    run = run_of(of_code, code, equal(0.3, 0.2))
    matrix = np.broadcast_to(run.field_matrix, (ATTEMPTS, CLIENTS, CLIENTS))
    found = compare(shape, run._replace(field_matrix=np.ascontiguousarray(matrix)), 2)
    assert 0 < found.gc.mean() < found.sum_recovered.mean() < 1


@pytest.mark.slow
def test_another_field_and_an_odd_number_of_clients():
    code = cyclic_mds_code(3, 2)
    shape = shape_of(code, attempts=3)
    found = compare(shape, run_of(shape, code, equal(0.6, 0.4, 3)), 2)
    assert len(np.unique(found.rank)) > 2
    assert 0 < found.gc.mean() < found.sum_recovered.mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 2], ids=["summed", "kept-apart"])
def test_counts_of_whole_and_part_blocks(kept):
    """The comparison that a process makes before it trusts the kernel."""
    assert why_rejected(shape_of(TWO, 1)._replace(kept=kept), TWO) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_SECOND_WORDS", np.uint32(2**30)),
        ("product_block", lambda modulus, pairs: machine_blocks.product_block(modulus - 2, pairs)),
    ],
    ids=["second-words", "modulus"],
)
def test_a_kernel_with_a_wrong_constant_is_rejected(name, wrong, monkeypatch):
    def compile_anew(shape):
        fused = shape.rule.kernel == "fused"
        return (compiled_program.__wrapped__ if fused else compiled_program)(shape)

    monkeypatch.setattr(kernel_choice, "compiled_program", compile_anew)
    monkeypatch.setattr(trial_kernel, name, wrong)
    reason = why_rejected(shape_of(TWO, 1), TWO)
    assert reason == "counts otherwise than the ordinary program here"
