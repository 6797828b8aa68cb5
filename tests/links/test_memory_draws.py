"""Links that remember, soft states, blocked clients, keeping: draws against the chain by hand."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.links.draws import draw_links, streams
from jaxcogc.links.memory import LinkDynamics, link_chains
from jaxcogc.links.network import Network
from jaxcogc.links.packed_draws import Needed, by_offset, draw_rows
from jaxcogc.links.thresholds import link_kind, link_law
from tests.links.words import delivered, uniform_words, unpack
from tests.quick import quick_jit

ATTEMPTS = 4


def some_network(clients, *, reciprocal=False, seed=0, low=0.2, high=0.6):
    source = np.random.default_rng(seed)
    peer = source.uniform(low, high, (clients, clients)) * (1 - np.eye(clients))
    peer = np.tril(peer) + np.tril(peer).T if reciprocal else peer
    return Network(source.uniform(low, high, clients), peer, reciprocal)


def uniform(key, clients, stream, trial=0, reciprocal=False, attempts=ATTEMPTS):
    """Numbers in [0, 1) as Python integers over 2^64."""
    first, second = uniform_words(key, clients, attempts, trial, reciprocal, stream)
    return first.astype(object) * 2**32 + second


def by_hand(key, network, dynamics, *, keep_heard=False, trial=0):
    """The links of a trial, one at a time: bool [attempts, clients, clients], uplinks on the
    diagonal."""
    clients, words = network.num_clients, streams(key)
    chains = link_chains(network, dynamics)
    states = uniform(key, clients, words.links, trial, network.reciprocal)
    noise = uniform(key, clients, words.erasures, trial, network.reciprocal)
    block = np.diagonal(uniform(key, clients, words.blocking, trial)[0])
    found = np.empty(states.shape, bool)
    for m, k in itertools.product(range(clients), repeat=2):
        bad, w, memory = False, chains.bad[m, k], chains.memory[m, k]
        for a in range(ATTEMPTS):
            u = states[a, m, k] / 2**64
            becomes_bad = w if a == 0 else (1 - memory) * w
            if u < becomes_bad:
                bad = True
            elif a == 0 or u >= becomes_bad + memory:
                bad = False
            erasure = dynamics.bad_erasure if bad else dynamics.good_erasure
            soft = noise[a, m, k] / 2**64
            found[a, m, k] = soft >= erasure if not dynamics.hard else not bad
    if keep_heard:
        own = np.eye(clients, dtype=bool)
        found = np.where(own, found, np.logical_or.accumulate(found))
    for c in range(clients):
        # The words of blocking stand at offset 0 of the client's place.
        if block[c] / 2**64 < np.broadcast_to(dynamics.block_probability, clients)[c]:
            found[:, c, :] = found[:, :, c] = False
    return found


@partial(quick_jit, static_argnums=(3, 4))
def rows_of(key, law, trials, attempts, kind):
    clients = law.num_clients
    pairs = -(-clients // 2)
    every = Needed(jnp.arange(pairs, dtype=jnp.int32), jnp.int32(pairs))
    return draw_rows(streams(key), by_offset(law, attempts), trials, every, attempts, kind)


CASES = {
    "hard": LinkDynamics(memory=0.6),
    "burst": LinkDynamics(burst_length=4),
    "soft": LinkDynamics(memory=0.7, good_erasure=0.1, bad_erasure=0.8),
    "one-fade": LinkDynamics(memory=1.0),
    "blocked": LinkDynamics(block_probability=[0.3, 0.0, 0.5, 1.0, 0.1][:5]),
    "all": LinkDynamics(memory=0.5, good_erasure=0.15, bad_erasure=0.9, block_probability=0.2),
}


@pytest.mark.slow
@pytest.mark.parametrize("keep_heard", [False, True])
@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_one_trial_and_many_are_the_chain_by_hand(name, reciprocal, keep_heard):
    network, dynamics = some_network(5, reciprocal=reciprocal), CASES[name]
    kind = link_kind(network, dynamics, keep_heard=keep_heard)
    law, key = link_law(network, dynamics, kind), jax.random.key(3)
    trials = np.array([0, 1, 77, 16383], np.uint32)
    rows = unpack(np.asarray(rows_of(key, law, trials, ATTEMPTS, kind)))
    for number, trial in enumerate(trials):
        expected = by_hand(key, network, dynamics, keep_heard=keep_heard, trial=int(trial))
        uplinks = np.diagonal(expected, axis1=1, axis2=2)[..., None]
        np.testing.assert_array_equal(rows[..., number], expected & uplinks)
    links = draw_links(key, network, ATTEMPTS, dynamics=dynamics, keep_heard=keep_heard)
    np.testing.assert_array_equal(
        delivered(links),
        by_hand(key, network, dynamics, keep_heard=keep_heard),
    )


@pytest.mark.slow
def test_another_look_back_is_rejected():
    """A chain that forgets, and one that never does, differ from the draw."""
    network, key = some_network(5), jax.random.key(3)
    found = delivered(draw_links(key, network, ATTEMPTS, dynamics=LinkDynamics(memory=0.6)))
    for wrong in (0.0, 0.3, 0.65, 1.0):
        assert (found != by_hand(key, network, LinkDynamics(memory=wrong))).any()


@pytest.mark.slow
@pytest.mark.parametrize("dynamics", [None, LinkDynamics(), LinkDynamics(memory=0.0)])
def test_no_memory_is_the_draw_of_independent_links(dynamics):
    network = some_network(7)
    assert link_kind(network, dynamics) == link_kind(network)
    kind = link_kind(network, LinkDynamics(memory=0.5))
    law = link_law(network, LinkDynamics(), kind)  # through the chain all the same
    key, trials = jax.random.key(1), np.arange(300, dtype=np.uint32)
    plain = rows_of(key, link_law(network, None, link_kind(network)), trials, 3, link_kind(network))
    np.testing.assert_array_equal(rows_of(key, law, trials, 3, kind), plain)


def pattern_probabilities(p, memory, good, bad, attempts):
    """P(x_1 .. x_A) of one link, by the product of matrices; 1 = erased."""
    w = (p - good) / (bad - good)
    v = np.array([1 - w, w])
    step = memory * np.eye(2) + (1 - memory) * np.ones((2, 1)) * v
    found = {}
    for pattern in itertools.product((0, 1), repeat=attempts):
        row = v
        for a, erased in enumerate(pattern):
            row = row if a == 0 else row @ step
            row = row * (np.array([good, bad]) if erased else 1 - np.array([good, bad]))
        found[pattern] = row.sum()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hard", "soft", "one-fade"])
def test_patterns_have_their_probabilities(name):
    """Of 10 clients' uplinks in 2^14 trials; 5 standard errors, 24 comparisons: 2e-5 by chance."""
    dynamics, clients, attempts = CASES[name], 10, 3
    network = Network.homogeneous(clients, uplink_erasure=0.3, peer_erasure=0.3)
    kind = link_kind(network, dynamics)
    trials = np.arange(2**14, dtype=np.uint32)
    rows = rows_of(jax.random.key(9), link_law(network, dynamics, kind), trials, attempts, kind)
    erased = (np.asarray(rows)[0] & 1 == 0).reshape(attempts, -1)
    number = erased.shape[1]
    expected = pattern_probabilities(
        0.3, dynamics.memory, dynamics.good_erasure, dynamics.bad_erasure, attempts
    )
    assert sum(expected.values()) == pytest.approx(1)
    for pattern, p in expected.items():
        seen = (erased == np.array(pattern)[:, None]).all(axis=0).mean()
        assert abs(seen - p) <= 5 * np.sqrt(p * (1 - p) / number) + 1e-15


def test_a_link_that_is_certain_stays_so_under_any_memory():
    network = Network([0.0, 1.0, 0.5], [[0, 1, 0], [0, 0, 1], [0.5, 1, 0]])
    trials = np.arange(4096, dtype=np.uint32)
    for memory in (0.1, 0.7, 1 - 2**-53, 1.0):
        dynamics = LinkDynamics(memory=memory)
        kind = link_kind(network, dynamics)
        law = link_law(network, dynamics, kind)
        rows = unpack(np.asarray(rows_of(jax.random.key(0), law, trials, 9, kind)))
        assert rows[:, 0, 0].all()
        assert not rows[:, 1, 1].any()
        assert not rows[:, 0, 1].any()
        assert rows[:, 0, 2].all()


def test_links_are_monotone_at_one_memory():
    """Common random numbers: at fixed memory a higher mean erasure only ever erases more."""
    key, trials = jax.random.key(4), np.arange(2000, dtype=np.uint32)
    dynamics = LinkDynamics(memory=0.8)
    kind, before = link_kind(some_network(4), dynamics), None
    for p in (0.1, 0.3, 0.31, 0.9):
        network = Network.homogeneous(4, uplink_erasure=p, peer_erasure=p)
        rows = np.asarray(rows_of(key, link_law(network, dynamics, kind), trials, 5, kind))
        assert before is None or (rows & ~before == 0).all()
        before = rows


@pytest.mark.slow
def test_more_attempts_change_no_earlier_one():
    network, dynamics = some_network(5), CASES["all"]
    long, short = (draw_links(jax.random.key(1), network, n, dynamics=dynamics) for n in (5, 2))
    np.testing.assert_array_equal(long.peer_delivered[:2], short.peer_delivered)


@pytest.mark.slow
def test_under_transformations_and_of_traced_dynamics():
    network, keys = some_network(4), jax.random.split(jax.random.key(2), 5)

    def draw(key, memory):
        return draw_links(key, network, 3, dynamics=LinkDynamics(memory=memory))

    with jax.enable_x64(True):
        traced = jax.jit(jax.vmap(draw, (0, None)))(keys, 0.6)
    for number, key in enumerate(keys):
        alone = draw(key, 0.6)
        np.testing.assert_array_equal(traced.peer_delivered[number], alone.peer_delivered)


@pytest.mark.parametrize(
    ("dynamics", "line"),
    [
        (LinkDynamics(burst_length=1.1), r"burst_length is too short .* at least 2\.5 attempts"),
        (LinkDynamics(good_erasure=0.3), r"uplink_erasure\[0\] = 0\.2: .* in \[0\.3, 1\]"),
        (LinkDynamics(block_probability=[0.1, 0.2]), "block_probability has shape"),
    ],
)
def test_dynamics_that_do_not_fit_are_refused(dynamics, line):
    network = Network.homogeneous(3, uplink_erasure=0.2, peer_erasure=0.6)
    with pytest.raises(ValueError, match=line):
        draw_links(jax.random.key(0), network, 2, dynamics=dynamics)
