"""Counts of trials that were decided by `recover`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc import Network, Recovery, counts_from_recovery, cyclic_code, recover
from jaxcogc.outage.simulation.block_words import block_key, run_words, trial_links
from jaxcogc.outage.simulation.blocks import compile_blocks
from jaxcogc.outage.simulation.program_inputs import prepare_run, run_shape

NETWORK = Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.2)
CODE = cyclic_code(jax.random.key(0), 4, 2)


def decided(trials: int) -> Recovery:
    """The first trials of the first block of a run."""
    run = prepare_run(run_words(jax.random.key(1)), NETWORK, CODE)
    shape = run_shape(NETWORK, CODE, num_attempts=2, redraw_code=False)
    key = block_key(run.words, np.int32(0))
    links = jax.vmap(lambda n: trial_links(key, run.law, n, num_attempts=2, kind=shape.links))(
        jnp.arange(trials, dtype=jnp.uint32)
    )
    return jax.vmap(recover, (None, None, 0))(jax.random.key(2), CODE, links)


@pytest.mark.slow
def test_they_are_the_counts_of_a_block() -> None:
    simulation = compile_blocks(NETWORK, CODE, num_attempts=2)
    run = prepare_run(run_words(jax.random.key(1)), NETWORK, CODE)
    (expected,) = simulation.start(run, 0, 1)().counts
    found = counts_from_recovery(decided(2**14))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert all(type(a) is type(b) for a, b in zip(found, expected, strict=True))


@pytest.mark.slow
def test_more_axes_are_trials_and_counts_add() -> None:
    recovery = decided(600)
    once = counts_from_recovery(recovery)
    folded = jax.tree.map(lambda x: x.reshape(2, 300, *x.shape[1:]), recovery)
    jax.tree.map(np.testing.assert_array_equal, counts_from_recovery(folded), once)
    halves = [counts_from_recovery(jax.tree.map(lambda x, i=i: x[i], folded)) for i in (0, 1)]
    jax.tree.map(np.testing.assert_array_equal, halves[0] + halves[1], once)
    single = counts_from_recovery(jax.tree.map(lambda x: x[0], recovery))
    assert single.trials == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("rank", np.zeros(3, int), r"recovery.rank has shape \(3,\): allowed is one entry for"),
        ("client_recovered", np.zeros((3, 4), bool), r"client_recovered has shape \(3, 4\)"),
        ("gc", np.zeros(2), "recovery.gc has type float64: allowed is bool"),
        ("rank", np.zeros(2, bool), "recovery.rank has type bool: allowed is an integer"),
    ],
)
def test_fields_that_do_not_fit_are_named(field: str, value: np.ndarray, line: str) -> None:
    recovery = Recovery(*map(np.asarray, jax.tree.map(lambda x: x[:2], decided(2))))
    with pytest.raises(ValueError, match=line):
        counts_from_recovery(recovery._replace(**{field: value}))


def test_no_trial_is_refused() -> None:
    with pytest.raises(ValueError, match="recovery has no trial: allowed is at least one"):
        counts_from_recovery(jax.tree.map(lambda x: x[:0], decided(2)))
