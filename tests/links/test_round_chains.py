"""The links of a run's rounds: rebuilt anywhere, they are those of the chain walked in order."""

import itertools
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.federated.aggregation.channel import channel
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy, draw_round
from jaxcogc.federated.aggregation.link_history import run_start
from jaxcogc.federated.aggregation.round_keys import round_keys
from jaxcogc.links import round_chains
from jaxcogc.links.draws import streams
from jaxcogc.links.memory import LinkDynamics, link_chains
from jaxcogc.links.network import Network
from tests.links.words import delivered, uniform_words
from tests.quick import quick_jit

SEED, CLIENTS, ATTEMPTS, ROUNDS = jax.random.key(7), 4, 2, 40
CASES = {
    "hard": LinkDynamics(memory=0.9),
    "two clocks": LinkDynamics(memory=0.2, round_memory=0.95),
    "apart": LinkDynamics(memory=0.8, round_memory=0.0),
    "burst": LinkDynamics(burst_length=12.0),
    "one fade for ever": LinkDynamics(memory=1.0),
    "a fade a round": LinkDynamics(memory=1.0, round_memory=0.5),
    "soft": LinkDynamics(memory=0.9, good_erasure=0.1, bad_erasure=0.8),
    "blocked": LinkDynamics(block_probability=0.3, block_memory=0.9),
    "blocked apart": LinkDynamics(memory=0.5, block_probability=[0.3, 0.0, 1.0, 0.5]),
    "blocked for ever": LinkDynamics(block_probability=0.3, block_memory=1.0),
}


def some_network(reciprocal=False):
    values = np.random.default_rng(1).uniform(0.2, 0.6, (CLIENTS, CLIENTS))
    peer = values * ~np.eye(CLIENTS, dtype=bool)
    return Network(np.diagonal(values), (peer + peer.T) / 2 if reciprocal else peer, reciprocal)


@cache
def uniforms(number, repeat, stream, reciprocal):
    """Of a round's repeat: [3 attempts, clients, clients]."""
    words = streams(jax.random.fold_in(round_keys(SEED, number).links, repeat))[stream]
    first, second = uniform_words(None, CLIENTS, 3, 0, reciprocal, words)
    return (first.astype(object) * 2**32 + second) / 2**64


def in_order(network, dynamics, rounds, *, repeats=1, draws=ATTEMPTS, look_back=1.0):
    """All rounds of a run, bool [rounds, repeats, draws, ..], one state after another.

    ``look_back`` other than 1 multiplies the memories: a deliberately wrong chain.
    """
    chains, clients = link_chains(network, dynamics), CLIENTS
    beta = np.broadcast_to(dynamics.block_probability, clients)
    main, blocked = np.zeros((clients, clients), bool), np.zeros(clients, bool)
    found = np.empty((rounds, repeats, draws, clients, clients), bool)
    for r in range(rounds):
        state = main
        for repeat in range(repeats):
            u, v = (uniforms(r, repeat, stream, network.reciprocal) for stream in (0, 1))
            for a in range(draws):
                start = r == 0 and repeat == 0 and a == 0
                memory = chains.round_memory if repeat == 0 and a == 0 else chains.memory
                memory = memory * look_back
                lower = chains.bad if start else (1 - memory) * chains.bad
                upper = lower if start else lower + memory
                upper = np.where(chains.bad >= 1, 1, upper)
                state = (u[a] < lower) | ((u[a] < upper) & state)
                erasure = np.where(state, dynamics.bad_erasure, dynamics.good_erasure)
                found[r, repeat, a] = v[a] >= erasure if not dynamics.hard else ~state
                if a == ATTEMPTS - 1:
                    after = state
            state = after  # tries beyond the attempts are forgotten
            if repeat == 0:
                main = after
        b = np.diagonal(uniforms(r, 0, 2, False)[0])
        lower = beta if r == 0 else (1 - dynamics.block_memory) * beta
        upper = lower if r == 0 else np.where(beta >= 1, 1, lower + dynamics.block_memory)
        blocked = (b < lower) | ((b < upper) & blocked)
        found[r][..., blocked, :] = False
        found[r][..., :, blocked] = False
    return found


@partial(quick_jit, static_argnums=(1, 2, 3))
def rebuilt(inputs, policy, draws, reciprocal, numbers):
    def one(number):
        start = run_start(
            SEED, number, inputs, num_attempts=policy.num_attempts, reciprocal=reciprocal
        )
        keys = round_keys(SEED, number)
        links = round_chains.draw_repeats(
            keys.links,
            inputs.law,
            num_repeats=policy.max_repeats + 1,
            num_attempts=policy.num_attempts,
            num_draws=draws,
            kind=inputs.law.kind(reciprocal=reciprocal, keeps=policy.keep_heard),
            start=start,
        )
        own = jnp.eye(CLIENTS, dtype=bool)
        return jnp.where(own, links.uplink_delivered[..., None], links.peer_delivered)

    return jax.vmap(one)(numbers)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_any_round_rebuilt_is_the_one_met_in_order(name):
    network, dynamics = some_network(), CASES[name]
    numbers = np.array([0, 1, 2, 16, 17, 33, ROUNDS - 1], np.uint32)
    found = rebuilt(channel(network, dynamics), LinkPolicy(num_attempts=2), 2, False, numbers)
    expected = in_order(network, dynamics, ROUNDS)
    np.testing.assert_array_equal(found, expected[numbers])


@pytest.mark.slow
def test_a_wrong_look_back_is_rejected():
    network, dynamics = some_network(), CASES["hard"]
    numbers = np.arange(ROUNDS, dtype=np.uint32)
    found = rebuilt(channel(network, dynamics), LinkPolicy(num_attempts=2), 2, False, numbers)
    assert (found != in_order(network, dynamics, ROUNDS, look_back=0.97)).any()
    # One that stops early: the state of long ago is taken to be good.
    stopped = in_order(network, LinkDynamics(memory=0.9, round_memory=0.0), ROUNDS)
    assert (found != stopped).any()


@pytest.mark.slow
@pytest.mark.parametrize("reciprocal", [False, True])
def test_repeats_and_tries_go_on_and_change_no_later_round(reciprocal):
    network, dynamics = some_network(reciprocal), CASES["two clocks"]
    inputs, numbers = channel(network, dynamics), np.arange(20, dtype=np.uint32)
    policy = LinkPolicy(num_attempts=ATTEMPTS, max_repeats=2)
    found = rebuilt(inputs, policy, 3, reciprocal, numbers)
    expected = in_order(network, dynamics, 20, repeats=3, draws=3)
    np.testing.assert_array_equal(found, expected)
    alone = rebuilt(inputs, LinkPolicy(num_attempts=ATTEMPTS), 2, reciprocal, numbers)
    np.testing.assert_array_equal(found[:, :1, :2], alone)


@pytest.mark.slow
def test_keeping_goes_through_attempts_and_repeats():
    network, numbers = some_network(), np.arange(10, dtype=np.uint32)
    policy = {"num_attempts": ATTEMPTS, "max_repeats": 2}
    inputs = channel(network)
    forget = np.asarray(rebuilt(inputs, LinkPolicy(**policy), 2, False, numbers))
    keep = np.asarray(rebuilt(inputs, LinkPolicy(**policy, keep_heard=True), 2, False, numbers))
    own = np.eye(CLIENTS, dtype=bool)
    flat = forget.reshape(len(numbers), -1, CLIENTS, CLIENTS)
    heard = np.logical_or.accumulate(flat, axis=1).reshape(forget.shape)
    np.testing.assert_array_equal(keep, np.where(own, forget, heard))


@pytest.mark.slow
def test_without_memory_the_words_are_those_of_independent_links():
    network, policy = some_network(), LinkPolicy(num_attempts=2)
    keys = round_keys(SEED, 5)
    plain, same = (
        draw_round(keys, channel(network, dynamics).law, policy, num_tries=1, reciprocal=False)
        for dynamics in (None, LinkDynamics(memory=0.0))
    )
    for one, other in itertools.zip_longest(jax.tree.leaves(plain), jax.tree.leaves(same)):
        np.testing.assert_array_equal(one, other)
    remembering = LinkDynamics(memory=0.5, round_memory=0.0)
    start = run_start(
        SEED, np.uint32(5), channel(network, remembering), num_attempts=2, reciprocal=False
    )
    first = delivered(jax.tree.map(lambda x: x[0], plain.shared["links"]))[0]
    np.testing.assert_array_equal(~np.asarray(start.bad), first)
