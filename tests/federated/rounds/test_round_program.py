"""The compiled rounds against the round by hand, and what must not move."""

import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
from jaxcogc.federated.rounds.experiment import RoundSettings, Task
from jaxcogc.federated.rounds.local_steps import ClientData
from jaxcogc.links.network import Network
from jaxcogc.names import BASIC_SCHEMES
from tests.federated import problems
from tests.federated.problems import CLASSES, CLIENTS, Trainer, made_up_data, network
from tests.places import EXAMPLES

sys.path.append(str(EXAMPLES))
from round_by_hand import train

ROUNDS, SEED = 5, 3
LOCAL = {"local_steps": 2, "batch_size": 4}
TARGETS = np.array([0.2, 0.3, 0.5])
EVERY_OPTION = {
    "num_attempts": 2,
    "num_tries": 3,
    "partial_normalisation": "clients",
    "placement": "random",
    "max_repeats": 1,
}


def by_hand(scheme, links, **options):
    start = np.zeros(problems.FEATURES * CLASSES)
    settings = {"rounds": ROUNDS, "num_classes": CLASSES, **LOCAL, **options}
    return train(scheme, SEED, start, made_up_data(), links, problems.code(), **settings)


@pytest.fixture(scope="module")
def plain():
    with jax.enable_x64(True):
        return Trainer(
            BASIC_SCHEMES,
            (SEED,),
            problems.softmax_task(),
            policy=LinkPolicy(num_attempts=2),
            block_rounds=ROUNDS,
            **LOCAL,
        )


def run(trainer, links, **settings):
    """Parameters [rounds, schemes, params] and metrics [schemes, rounds] of one seed, 64 bits."""
    with jax.enable_x64(True):
        states, metrics = trainer.trail(links, made_up_data(), **settings)
    return np.stack([s.params[0] for s in states]), jax.tree.map(lambda x: x[0], metrics)


@pytest.mark.slow
def test_every_scheme_is_the_round_by_hand(plain):
    trails, metrics = run(plain, network())
    assert trails.dtype == np.float64
    for number, scheme in enumerate(BASIC_SCHEMES):
        np.testing.assert_allclose(trails[:, number], by_hand(scheme, network()), atol=1e-10)
    other = by_hand("gc_plus", network(), learning_rate=0.1001)  # the comparison can fail
    assert np.abs(trails[-1, BASIC_SCHEMES.index("gc_plus")] - other[-1]).max() > 1e-6
    assert metrics.hold[BASIC_SCHEMES.index("gc")].any()
    moved = np.diff(trails, axis=0, prepend=0.0).any(axis=2).T
    np.testing.assert_array_equal(moved, ~metrics.hold)


@pytest.mark.slow
def test_payloads_and_every_option_are_the_round_by_hand():
    """Real encoding and decoding, repeats, places, target weights, FedProx: all at once."""
    with jax.enable_x64(True):
        trainer = Trainer(
            BASIC_SCHEMES,
            (SEED,),
            problems.softmax_task(),
            policy=LinkPolicy(**EVERY_OPTION),
            aggregation="payload",
            proximal=0.5,
            block_rounds=ROUNDS,
            **LOCAL,
        )
    trails, _ = run(trainer, network(), scale=TARGETS * CLIENTS)
    options = {
        "num_tries": 3,
        "by_clients": True,
        "random_places": True,
        "max_repeats": 1,
        "target_weights": TARGETS,
        "proximal": 0.5,
    }
    for number, scheme in enumerate(BASIC_SCHEMES):
        expected = by_hand(scheme, network(), **options)
        np.testing.assert_allclose(trails[:, number], expected, atol=1e-8, err_msg=scheme)


@pytest.mark.slow
def test_nothing_lost_is_ideal(plain):
    trails, metrics = run(plain, network(0.0, 0.0))
    np.testing.assert_allclose(
        trails, np.repeat(trails[:, :1], len(BASIC_SCHEMES), axis=1), atol=1e-14
    )
    assert np.all(metrics.coefficient_sum == 1)
    assert metrics.exact.all()


@pytest.mark.slow
def test_without_peer_links(plain):
    """GC+ averages what arrived in either attempt: two tries; gc never moves."""
    trails, metrics = run(plain, network(0.5, 1.0))
    of = BASIC_SCHEMES.index
    np.testing.assert_array_equal(trails[:, of("gc_plus")], trails[:, of("retransmission")])
    assert not trails[:, of("gc")].any()
    assert metrics.hold[of("gc")].all()


@pytest.mark.slow
def test_held_rounds_move_nothing():
    """Neither the parameters nor what Adam and momentum remember."""
    server = optax.chain(optax.scale_by_adam(), optax.trace(0.9), optax.scale(-0.01))
    task = problems.softmax_task(np.float32, server)
    trainer = Trainer(("intermittent",), (0,), task, evaluate_every=3, **LOCAL)
    states, metrics = trainer.trail(network(0.8), made_up_data(np.float32), 12)
    hold = metrics.hold[0, 0]
    assert 2 < hold.sum() < 10
    for before, after, held in zip(states, states[1:], hold[1:], strict=False):
        same = [
            np.array_equal(a, b)
            for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True)
        ]
        assert all(same) if held else not all(same)
    evaluated = ~np.isnan(metrics.test["loss"][0, 0])
    np.testing.assert_array_equal(np.flatnonzero(evaluated), [2, 5, 8, 11])


PAIR = ("intermittent", "inverse_probability")


def small(seeds, schemes=PAIR, **settings):
    return Trainer(schemes, seeds, block_rounds=4, **LOCAL, **settings)


def of_run(seed, scheme, trees):
    return jax.tree.map(lambda x: x[seed, scheme], trees)


@pytest.mark.slow
def test_one_trace_serves_all_blocks_networks_and_data():
    trainer = small((3,), ("gc",))
    chex.clear_trace_counter()
    trainer.program = jax.jit(chex.assert_max_traces(trainer.program.__wrapped__, n=1))
    data = made_up_data(np.float32)
    state, _ = trainer(network(0.3, 0.2), data, num=4)
    turned = data._replace(indices=data.indices[::-1], num_samples=data.num_samples[::-1])
    trainer(network(0.0, 0.9), turned, state, first=4, num=1)
    with pytest.raises(AssertionError, match="traced"):  # the check can fail
        trainer(network(0.3, 0.2), data._replace(indices=data.indices[:, :9]))


@pytest.mark.slow
def test_runs_do_not_depend_on_what_runs_beside_them():
    links, data = network(), made_up_data(np.float32)
    together, table = small((3, 4, 5))(links, data, num=4)
    mapped, same = small((3, 4, 5), deterministic=True)(links, data, num=4)
    alone, row = small((4,), PAIR[1:], deterministic=True)(links, data, num=4)
    chex.assert_trees_all_equal(of_run(0, 0, (alone, row)), of_run(1, 1, (mapped, same)))
    compared = {**table._asdict(), **table.test}, {**same._asdict(), **same.test}
    for name in compared[0].keys() - {"test"}:
        fast, slow = (metrics[name] for metrics in compared)
        if fast.dtype.kind == "f":
            np.testing.assert_allclose(fast, slow, rtol=1e-4, equal_nan=True, err_msg=name)
        else:
            np.testing.assert_array_equal(fast, slow, err_msg=name)
    np.testing.assert_allclose(together.params, mapped.params, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_seed_alone_is_bit_for_bit_the_same_with_a_code_and_its_own_partition():
    data = made_up_data(np.float32)
    turned = data._replace(indices=data.indices[::-1], num_samples=data.num_samples[::-1])
    both = ClientData(data.examples, *map(np.stack, zip(data[1:], turned[1:], strict=True)))
    schemes = ("intermittent", "gc_plus")
    together, table = small((3, 4), schemes, deterministic=True)(network(), both, num=4)
    single = small((4,), schemes[1:], deterministic=True)
    alone, row = single(network(), turned, num=4)
    chex.assert_trees_all_equal(of_run(0, 0, (alone, row)), of_run(1, 1, (together, table)))
    other, _ = single(network(), data, num=4)
    assert np.abs(other.params - alone.params).max() > 1e-3  # the partition matters


@pytest.mark.slow
def test_silent_client_is_an_erased_one():
    """Its update is not finite: dropped, as if every link that carries it had failed."""
    trainer = small((3,), ("intermittent", "gc", "gc_plus"), drop_non_finite=True)
    data = made_up_data(np.float32)
    inputs = data.examples[0].copy()
    inputs[data.indices[1]] = np.nan
    spoilt = ClientData((inputs, data.examples[1]), data.indices, data.num_samples)
    found, metrics = trainer(network(0.3, 0.2), spoilt, num=4)
    assert not metrics.finite[..., 1].any()
    assert metrics.finite[..., [0, 2]].all()
    chex.assert_tree_all_finite(found.params)
    uplink, peer = np.full(CLIENTS, 0.3), np.full((CLIENTS, CLIENTS), 0.2)
    uplink[1], peer[:, 1] = 1.0, 1.0
    np.fill_diagonal(peer, 0.0)
    expected, clean = trainer(Network(uplink, peer), data, num=4)
    assert clean.finite.all()
    np.testing.assert_array_equal(found.params, expected.params)
    np.testing.assert_array_equal(metrics.num_revealed, clean.num_revealed)
    assert found.params.any()
    assert set(np.unique(metrics.uplink_uses)) == {2}
    np.testing.assert_array_equal(np.unique(metrics.peer_uses[0], axis=1)[:, 0], [0, 2, 2])
    np.testing.assert_array_equal(np.unique(clean.peer_uses[0], axis=1)[:, 0], [0, 3, 3])


@pytest.mark.slow
def test_quadratics_end_where_the_mean_coefficients_say():
    """x -> x + eta sum_k c_k (b_k - x) stays around the mean of b weighted by E[c | not held]."""
    targets = np.array([0.0, 1.0, 5.0], np.float32)
    data = ClientData(targets[:, None], np.arange(3, dtype=np.int32)[:, None], np.ones(3, np.int32))

    def loss(params, batch, key):
        noise = 0.1 * jax.random.normal(key, ())
        return 0.5 * jnp.sum((params - batch.examples) ** 2) + noise * jnp.sum(params)

    task = Task(
        lambda key: jnp.full(1, 2.5, jnp.float32),
        loss,
        lambda params, test: {"loss": params[0]},
        optax.sgd(0.02),
        optax.sgd(1.0),
    )
    rounds, seeds = 1500, range(24)
    schemes = ("ideal", "intermittent", "inverse_probability", "gc")
    trainer = Trainer(schemes, seeds, task, block_rounds=rounds)
    uplink = np.array([0.1, 0.4, 0.8])
    links = Network(uplink, np.full((3, 3), 0.1) * (1 - np.eye(3)))
    _, metrics = trainer(links, data, num=rounds, num_rounds=rounds)
    ends = np.asarray(metrics.test["loss"])[:, :, 500:].mean(axis=2)
    mean, error = ends.mean(axis=0), ends.std(axis=0, ddof=1) / np.sqrt(len(seeds))
    heard = (np.arange(8)[:, None] >> np.arange(3)) & 1
    chance = np.prod(np.where(heard, 1 - uplink, uplink), axis=1)
    weights = chance[1:] @ (heard[1:] / heard[1:].sum(axis=1, keepdims=True))
    biased = weights @ targets / weights.sum()
    for found, spread, expected in zip(mean, error, (2.0, biased, 2.0, 2.0), strict=True):
        assert abs(found - expected) < 5 * spread + 1e-4
    assert biased < 1.2  # and not the optimum
    assert error.max() < 0.05


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schemes": ()}, "each once"),
        ({"schemes": ("gc", "gc")}, "each once"),
        ({"schemes": ("gc",), "local_steps": 0}, "local_steps"),
        ({"schemes": ("gc",), "batch_size": 0}, "batch_size"),
        ({"schemes": ("gc",), "proximal": -1.0}, "proximal"),
        ({"schemes": ("gc",), "aggregation": "sum"}, "aggregation"),
    ],
)
def test_bad_settings_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        RoundSettings(**settings)
