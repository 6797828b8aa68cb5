"""Schemes that a user writes, beside built-in ones in one program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc import Network, Scheme, make_scheme
from jaxcogc.federated import (
    Foreknowledge,
    LinkPolicy,
    RoundSettings,
    RoundSpan,
    coefficients_of,
    draw_round_links,
    training_program,
)
from jaxcogc.federated.aggregation.channel import channel
from jaxcogc.federated.rounds.experiment import Inputs
from jaxcogc.federated.rounds.run_axes import initial_state, seed_words
from tests.federated import problems
from tests.federated.problems import CLIENTS, made_up_data

NETWORK = Network([0.2, 0.5, 0.8], np.full((3, 3), 0.35) * (1 - np.eye(3)))
LOCAL = {"local_steps": 2, "batch_size": 4}
SEEDS, ROUNDS = (3, 4), 9


def counting():
    """Weighs everybody by the number of the round, which is its state."""

    def draw(key, state, network):
        weights = jnp.full(network.num_clients, state["round"] / 100.0)
        return coefficients_of(weights, uplink_uses=2), {"round": state["round"] + 1}

    return Scheme(lambda: {"round": jnp.zeros((), jnp.int32)}, draw)


def arrivals():
    def draw(key, state, network):
        heard = draw_round_links(key, network).uplink_delivered[0]
        weights = jnp.where(heard, 1 / jnp.maximum(heard.sum(), 1), 0.0)
        return coefficients_of(weights, uplink_uses=3, num_revealed=heard.sum()), state

    return Scheme(lambda: (), draw)


def train(schemes, own, blocks, code=True, **settings):
    """Ends [seeds, schemes, ..] and metrics of all rounds, in blocks of so many rounds."""
    asked = RoundSettings(schemes, own=own, block_rounds=8, deterministic=True, **LOCAL, **settings)
    task, words = problems.softmax_task(np.float32), seed_words(SEEDS)
    program = training_program(task, asked, network=NETWORK)
    data = made_up_data(np.float32)
    coding = problems.code() if code else None
    inputs = Inputs(data, data.examples, channel(NETWORK, None, Foreknowledge()), coding)
    state, rows, first = initial_state(task, asked, words, CLIENTS), [], 0
    for size in blocks:
        state, metrics = program(state, inputs, words, RoundSpan.of(first, size, sum(blocks)))
        rows.append(jax.tree.map(lambda x, n=size: np.asarray(x)[:, :, :n], metrics))
        first += size
    return state, jax.tree.map(lambda *x: np.concatenate(x, axis=2), *rows)


@pytest.fixture(scope="module")
def mixed():
    own = {
        "mine": arrivals(),
        "coded": make_scheme("gc_plus", problems.code(), num_attempts=2),
        "counting": counting(),
    }
    schemes = ("mine", "gc_plus", "counting", "intermittent", "coded", "gc_plus+memory")
    return train(schemes, own, (8, 1), policy=LinkPolicy(num_attempts=2))


@pytest.mark.slow
def test_a_copy_of_a_built_in_scheme_is_that_scheme(mixed):
    """Bit for bit, with the links of its round, beside a scheme that remembers clients."""
    state, metrics = mixed
    params = np.asarray(state.params)
    np.testing.assert_array_equal(params[:, 0], params[:, 3])
    np.testing.assert_array_equal(params[:, 4], params[:, 1])
    assert np.abs(params[:, 1] - params[:, 3]).max() > 1e-3
    for name in ("hold", "num_recovered", "num_revealed", "uplink_uses", "peer_uses"):
        values = getattr(metrics, name)
        np.testing.assert_array_equal(values[:, 4], values[:, 1], err_msg=name)
    np.testing.assert_array_equal(metrics.num_revealed[:, 0], metrics.num_revealed[:, 3])


@pytest.mark.slow
def test_state_goes_on_from_block_to_block(mixed):
    _, metrics = mixed
    expected = np.arange(ROUNDS) * 3 / 100
    np.testing.assert_allclose(metrics.coefficient_sum[:, 2], [expected] * 2, rtol=1e-6)
    assert metrics.hold[:, 2].tolist() == [[True] + [False] * 8] * 2
    other, same = train(("counting",), {"counting": counting()}, (2, 3, 4), code=False)
    np.testing.assert_array_equal(same.coefficient_sum[:, 0], metrics.coefficient_sum[:, 2])
    assert np.asarray(other.own["counting"]["round"]).tolist() == [ROUNDS] * 2
    np.testing.assert_array_equal(other.params[:, 0], mixed[0].params[:, 2])


def wrong_shape():
    bad = coefficients_of(jnp.ones(2), uplink_uses=1)
    return Scheme(lambda: (), lambda key, state, network: (bad, state))


@pytest.mark.parametrize(
    ("schemes", "own", "words"),
    [
        (("gc",), {"gc": counting()}, "'gc': allowed is a name that no other"),
        (("a,b",), {"a,b": counting()}, "without commas"),
        (("gc",), {"mine": counting()}, "'mine' is not among"),
        (("mine",), {"mine": 3}, r"Scheme\(init, draw\)"),
    ],
)
def test_bad_schemes_are_named(schemes, own, words):
    with pytest.raises(ValueError, match=words):
        RoundSettings(schemes, own=own)


def test_bad_draws_are_named():
    with pytest.raises(ValueError, match=r"'mine': weights has shape \(2,\): allowed is \(3,\)"):
        train(("mine",), {"mine": wrong_shape()}, (1,), code=False)
    scheme = Scheme(lambda: (), lambda key, state, network: (jnp.ones(3), state))
    with pytest.raises(ValueError, match="allowed is Coefficients"):
        train(("mine",), {"mine": scheme}, (1,), code=False)
    with pytest.raises(ValueError, match="drop_non_finite"):
        RoundSettings(("mine",), own={"mine": counting()}, drop_non_finite=True)
