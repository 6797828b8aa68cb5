"""Links of every kind in the kernel for GPUs: link by link, and trial by trial, as elsewhere."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.links.draws import streams
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.links.packed_draws import Needed, by_offset, draw_offsets
from jaxcogc.links.thresholds import ALL_ONES, LinkThresholds
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.fused.block_outcomes import kernel_size, of_all
from jaxcogc.outage.fused.link_draws import LinkKeys, arrived
from jaxcogc.outage.simulation.block_words import block_key
from jaxcogc.outage.simulation.kernels.checked_programs import why_rejected
from jaxcogc.outage.simulation.kernels.tying_law import tying_law
from tests.outage.fused.trial_by_trial import (
    CLIENTS,
    CYCLIC,
    TWO,
    compare,
    run_of,
    shape_of,
)
from tests.quick import quick_jit

HARD = LinkDynamics(memory=0.6)
SOFT = LinkDynamics(memory=0.6, good_erasure=0.1, bad_erasure=0.8)
BLOCKED = LinkDynamics(block_probability=(0.1, 0.0, 0.5, 1.0))
EVERYTHING = LinkDynamics(
    memory=0.3, good_erasure=0.05, bad_erasure=0.9, block_probability=(0.1, 0.0, 0.5, 0.2)
)
KINDS = {
    "memory": {"dynamics": HARD},
    "soft": {"dynamics": SOFT},
    "blocked": {"dynamics": BLOCKED},
    "kept": {"keep_heard": True},
    "reciprocal": {"reciprocal": True},
    "everything": {"dynamics": EVERYTHING, "keep_heard": True, "reciprocal": True},
}


def unlike(clients, reciprocal):
    """Links of many probabilities that lie between those of soft states."""
    random = np.random.default_rng(clients)
    uplink, peer = (random.uniform(0.15, 0.75, size) for size in (clients, (clients, clients)))
    if reciprocal:
        peer = np.triu(peer, 1) + np.triu(peer, 1).T
    np.fill_diagonal(peer, 0)
    return Network(uplink, peer, reciprocal)


def case(code, attempts, network, **how):
    """The shape and the run of a case."""
    shape = shape_of(code, attempts, network=network, **how)
    return shape, run_of(shape, code, network, how.get("dynamics"))


@cache
def of_kind(name, code=CYCLIC, attempts=2):
    """The same, of a kind of links."""
    how = dict(KINDS[name])
    network = unlike(code.num_clients, how.pop("reciprocal", False))
    return case(code, attempts, network, **how)


@cache
def draws(shape):
    """Links by offset of a block of a run, as bits [offset, trial]: the kernel's, and others'."""
    size = kernel_size(shape)
    trials = jnp.arange(BLOCK_TRIALS, dtype=jnp.uint32)

    def fused(run, block):
        words, kind = streams(block_key(run.words, block)), shape.links
        keys = LinkKeys(
            words.links,
            words.erasures if kind.soft else None,
            words.blocking if kind.blocks else None,
        )
        spread = jnp.zeros_like(trials).__add__
        return jnp.stack(arrived(size, keys, of_all(size, run), trials, spread))

    def ordinary(run, block):
        number = -(-shape.clients // 2)
        pairs = Needed(jnp.arange(number, dtype=jnp.int32), jnp.int32(number))
        law, words = by_offset(run.law, shape.attempts), streams(block_key(run.words, block))
        return draw_offsets(words, law, trials, pairs, shape.attempts, shape.links)[0]

    return quick_jit(fused), quick_jit(ordinary)


def links(shape, run, block=0):
    """Which links of all offsets delivered, bool [offset, attempt, client, trial], by both."""
    fused, ordinary = (np.asarray(draw(run, np.int32(block))) for draw in draws(shape))
    size, offset = kernel_size(shape), np.arange(shape.clients)[:, None, None, None]
    places = np.array(
        [[size.place(m, a) for m in range(shape.clients)] for a in range(shape.attempts)]
    )
    return fused[:, None, None] >> places[..., None] & 1, ordinary >> offset & 1


def compare_links(shape, run, block=0):
    """Link by link, at the offsets of the code; returns what the ordinary draw gave."""
    found, expected = links(shape, run, block)
    used = int(run.num_stragglers) + 1
    np.testing.assert_array_equal(found[:used], expected[:used])
    return expected[:used]


FULL = cyclic_code(jax.random.key(0), CLIENTS, CLIENTS - 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in KINDS if name != "everything"])
def test_links_of_every_kind(name):
    shape, run = of_kind(name, FULL, attempts=3)
    delivered = compare_links(shape, run, 5).mean(axis=-1)
    assert ((delivered > 0) & (delivered < 1)).mean() > 0.4, "most links are certain"


@pytest.mark.slow
@pytest.mark.parametrize("memory", [0.0, 1.0])
def test_links_that_always_remember_and_that_never_do(memory):
    shape, _ = of_kind("memory", FULL, attempts=3)
    network = unlike(CLIENTS, False)
    run = run_of(shape, FULL, network, LinkDynamics(memory=memory))
    found = compare_links(shape, run)
    assert (found[:, 1:] == found[:, :1]).all() == (memory == 1)


@pytest.mark.slow
@pytest.mark.parametrize("stragglers", [1, 4])
def test_reciprocal_links_of_an_odd_number_of_clients(stragglers):
    """The words of one offset are those of another, whether the code uses that or not."""
    full = cyclic_code(jax.random.key(1), 5, 4)
    shape = shape_of(full, 2, network=unlike(5, True))
    code = cyclic_code(jax.random.key(1), 5, stragglers)
    compare_links(shape, run_of(shape, code, unlike(5, True)))


def with_level(run, ties, level, added=0):
    """The run with the thresholds of one level from a law that ties there.

    They are higher by ``added`` in 2^64. Where states tie, client 0's uplink is in that state.
    """
    first, *second = level.split(".")
    limits = getattr(ties, first)
    if second:
        limits = getattr(limits, *second)
    limits = limits._replace(low=limits.low + np.uint32(added))
    law = run.law
    if second:
        limits = getattr(law, first)._replace(**{second[0]: limits})
    law = law._replace(**{first: limits})
    if first == "states":
        certain = np.full_like(law.start.high, ALL_ONES if level == "states.bad" else 0)
        law = law._replace(start=LinkThresholds(certain, certain))
    return run._replace(law=law)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("memory", "start"),
        ("memory", "step.bad"),
        ("memory", "step.kept"),
        ("soft", "states.good"),
        ("soft", "states.bad"),
        ("blocked", "blocked"),
        ("reciprocal", "start"),
    ],
)
def test_ties_at_one_level_alone(name, level):
    """A number that equals its threshold is not below it; one in 2^64 more, and it is."""
    shape, run = of_kind(name, FULL, attempts=3)
    ties = tying_law(run, CLIENTS, 3, shape.links)
    kept = compare_links(shape, with_level(run, ties, level))
    lost = compare_links(shape, with_level(run, ties, level, added=1))
    assert (kept != lost).any(), "no link was decided by a second word"


@pytest.mark.slow
def test_trials_over_links_of_all_kinds_at_once():
    shape, run = of_kind("everything")
    found = compare(shape, run, 5)
    assert len(np.unique(found.rank)) > 3, "the trials do not exercise different ranks"
    assert 0 < found.gc.mean() < 1
    compare(shape, run._replace(law=tying_law(run, CLIENTS, 2, shape.links)), 0)


@pytest.mark.slow
def test_the_comparison_of_a_process_has_links_with_memory_and_blocked_clients():
    dynamics = LinkDynamics(memory=0.6, block_probability=0.1)
    shape = shape_of(TWO, 2, dynamics=dynamics)
    assert why_rejected(shape, TWO) is None
