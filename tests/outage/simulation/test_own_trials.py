"""Link models and outcomes of a caller's own, in the Monte Carlo engine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc import (
    LinkDynamics,
    Links,
    Network,
    cyclic_code,
    cyclic_mds_code,
    simulate_outcomes,
)
from jaxcogc.coding.exact.bit_rows import links_from_offsets, offsets_from_links, pack_rows
from jaxcogc.links.packed_draws import blank_erased
from jaxcogc.links.thresholds import link_kind, link_law
from jaxcogc.outage.simulation.block_words import tile_links, trial_keys, trial_links
from jaxcogc.runtime.random_words import seed_key
from tests.quick import quick_jit

NETWORK = Network.homogeneous(5, uplink_erasure=0.4, peer_erasure=0.25)
CODE = cyclic_code(jax.random.key(0), 5, 2)
KEY = jax.random.key(7)


def bursty(key, trial):
    """Two attempts of hard two-state links with memory .6, as a user would write them."""
    first, stay, anew = (jax.random.uniform(k, (5, 5)) for k in jax.random.split(key, 3))
    mean = jnp.where(jnp.eye(5, dtype=bool), 0.4, 0.25)
    bad = first < mean
    later = jnp.where(stay < 0.6, bad, anew < mean)
    erased = jnp.stack([bad, later])
    uplink = ~jnp.diagonal(erased, axis1=1, axis2=2)
    return Links(uplink, ~erased | jnp.eye(5, dtype=bool))


def enough_rows(recovery, links):
    """Standard decoding, from the links alone."""
    peers = links.peer_delivered
    support = (jnp.arange(5) - jnp.arange(5)[:, None]) % 5 <= 2
    complete = (peers | ~support).all(-1) & links.uplink_delivered
    return complete.any(0).sum() >= 3


def apart(ours, theirs, trials: int) -> float:
    """Standard errors between two independent estimates of one probability."""
    both = (ours + theirs) / 2
    return abs(ours - theirs) / max(2 * both * (1 - both) / trials, 1e-12) ** 0.5


@pytest.mark.slow
def test_a_model_and_a_decoder_of_ones_own_agree_with_the_built_in_ones() -> None:
    """Five standard errors of nine estimates: fails by chance once in 200 000 seeds."""
    trials = 60_000
    options = {"num_trials": trials, "num_attempts": 2}
    own = simulate_outcomes(
        KEY, NETWORK, CODE, links=bursty, outcomes={"decoded": enough_rows}, **options
    )
    dynamics = LinkDynamics(memory=0.6)
    built_in = simulate_outcomes(jax.random.key(8), NETWORK, CODE, dynamics=dynamics, **options)
    for name, estimate in built_in.by_name().items():
        assert apart(getattr(own, name), estimate, trials) < 5, name
    assert float(own.custom["decoded"]) == pytest.approx(1 - own.gc_outage, abs=1e-15)
    assert own.custom["decoded"].method == "clopper-pearson"
    assert own.custom["decoded"].low < own.custom["decoded"] < own.custom["decoded"].high


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_attempts": 2, "redraw_code": True},
        {"num_attempts": 2, "dynamics": LinkDynamics(memory=0.5), "keep_heard": True},
    ],
)
def test_own_outcomes_are_counted_in_the_same_trials(options: dict) -> None:
    trials = 2**14 + 1000
    own = simulate_outcomes(
        KEY, NETWORK, CODE, num_trials=trials, outcomes={"gc": lambda r, _: r.gc}, **options
    )
    built_in = simulate_outcomes(KEY, NETWORK, CODE, num_trials=trials, **options)
    assert own.by_name() == built_in.by_name()
    assert own.trials == trials
    np.testing.assert_array_equal(own.gc_plus_weight, built_in.gc_plus_weight)
    assert float(own.custom["gc"]) == pytest.approx(1 - built_in.gc_outage, abs=1e-15)
    assert built_in.custom == {}


@pytest.mark.slow
def test_trials_are_numbered_through_the_run_and_have_keys_of_their_own() -> None:
    def none(key, trial):
        return Links(jnp.zeros((1, 5), bool), jnp.zeros((1, 5, 5), bool))

    def numbered(key, trial):
        late = trial >= 2**14
        return none(key, trial)._replace(uplink_delivered=jnp.full((1, 5), late))

    def random(key, trial):
        heard = jax.random.bernoulli(key, 0.5, (1, 5))
        return none(key, trial)._replace(uplink_delivered=heard)

    trials = 2**14 + 96
    heard = {"heard": lambda recovery, links: links.uplink_delivered[0, 0]}
    found = simulate_outcomes(KEY, NETWORK, CODE, num_trials=trials, links=numbered, outcomes=heard)
    assert found.custom["heard"] * trials == pytest.approx(96)
    found = simulate_outcomes(KEY, NETWORK, CODE, num_trials=trials, links=random, outcomes=heard)
    assert abs(found.custom["heard"] - 0.5) < 5 * 0.5 / trials**0.5
    # A client that hears nobody else still has its own update in its row.
    assert abs(found.client_recovered[0] - 0.5) < 5 * 0.5 / trials**0.5


@pytest.mark.parametrize(
    ("links", "line"),
    [
        (lambda key, trial: Links(jnp.ones((2, 5), bool), jnp.ones((2, 5, 5), bool)), "bool.2, 5"),
        (lambda key, trial: Links(jnp.ones((1, 5)), jnp.ones((1, 5, 5), bool)), "float32.1, 5."),
        (lambda key, trial: jnp.ones((1, 5), bool), "bool.1, 5.: allowed is Links of"),
        (lambda key, trial: None, "links returns NoneType: allowed is Links of"),
    ],
)
def test_links_of_wrong_shapes_are_refused(links, line: str) -> None:
    with pytest.raises(ValueError, match=line) as error:
        simulate_outcomes(KEY, NETWORK, CODE, num_trials=10, links=links)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "outcome",
    [
        lambda recovery, links: recovery.rank,
        lambda recovery, links: recovery.client_recovered,
        lambda recovery, links: (recovery.gc, recovery.gc),
        lambda recovery, links: None,
    ],
)
def test_an_outcome_that_is_no_boolean_scalar_is_refused(outcome) -> None:
    with pytest.raises(ValueError, match=r"outcomes\['mine'\] returns .*: allowed is a boolean"):
        simulate_outcomes(KEY, NETWORK, CODE, num_trials=10, outcomes={"mine": outcome})


def test_what_does_not_go_together_is_refused() -> None:
    options = {"num_trials": 10, "links": bursty, "num_attempts": 2}
    with pytest.raises(ValueError, match="dynamics beside links: allowed is one of them"):
        simulate_outcomes(KEY, NETWORK, CODE, dynamics=LinkDynamics(), **options)
    with pytest.raises(ValueError, match="keep_heard = True beside links"):
        simulate_outcomes(KEY, NETWORK, CODE, keep_heard=True, **options)
    with pytest.raises(ValueError, match="num_trials = 2147483648: allowed"):
        simulate_outcomes(KEY, NETWORK, CODE, **{**options, "num_trials": 2**31})


@pytest.mark.slow
def test_a_code_of_composite_size_takes_its_second_null_vector() -> None:
    code = cyclic_mds_code(6, 3)
    network = Network.homogeneous(6, uplink_erasure=0.4, peer_erasure=0.25)
    own = simulate_outcomes(
        KEY,
        network,
        code,
        num_trials=5000,
        outcomes={"some": lambda r, _: r.client_recovered.any()},
    )
    assert own.by_name() == simulate_outcomes(KEY, network, code, num_trials=5000).by_name()


@pytest.mark.slow
@pytest.mark.parametrize("clients", [1, 2, 5, 33])
def test_links_and_their_bits_by_offset_are_each_other(clients: int) -> None:
    source = np.random.default_rng(clients)
    uplinks = source.uniform(size=(2, clients, 7)) < 0.5
    peers = source.uniform(size=(2, clients, clients, 7)) < 0.5
    peers |= np.eye(clients, dtype=bool)[..., None]
    offsets = offsets_from_links(jnp.asarray(uplinks), jnp.asarray(peers))
    for again, first in zip(links_from_offsets(offsets), (uplinks, peers), strict=True):
        np.testing.assert_array_equal(again, first)
    packed = pack_rows(np.moveaxis(uplinks, -1, 0), np.moveaxis(peers, -1, 0))
    np.testing.assert_array_equal(blank_erased(offsets), packed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "dynamics", "keep_heard"),
    [
        (NETWORK, None, False),
        (Network.homogeneous(5, uplink_erasure=0.4, peer_erasure=0.25, reciprocal=True), None, 0),
        (NETWORK, LinkDynamics(memory=0.6, good_erasure=0.05, bad_erasure=0.8), True),
        (NETWORK, LinkDynamics(memory=0.6, block_probability=0.3, block_memory=0.5), False),
    ],
)
def test_outcomes_see_the_links_that_the_rows_are_drawn_from(network, dynamics, keep_heard) -> None:
    kind = link_kind(network, dynamics, keep_heard=bool(keep_heard))
    law, key = link_law(network, dynamics, kind), seed_key(3)
    trials = jnp.arange(300, dtype=jnp.uint32)
    found = tile_links(key, law, trials, num_attempts=3, kind=kind)
    for trial in (0, 17, 299):
        one = trial_links(key, law, trial, num_attempts=3, kind=kind)
        np.testing.assert_array_equal(found.uplink_delivered[..., trial], one.uplink_delivered)
        np.testing.assert_array_equal(found.peer_delivered[..., trial], one.peer_delivered)


@pytest.mark.slow
def test_keys_of_trials_draw_what_jax_draws() -> None:
    block = seed_key(9)
    keys = trial_keys(block, jnp.arange(3, dtype=jnp.uint32))
    plain = [jax.random.fold_in(jax.random.fold_in(block, 4), n) for n in range(3)]
    for ours, theirs in zip(keys, plain, strict=True):
        for draw in (
            lambda key: jax.random.bits(key, (3, 5)),
            lambda key: jax.random.bits(key, (7,), jnp.uint8),
            lambda key: jax.random.uniform(key, (4,)),
            lambda key: jax.random.normal(jax.random.fold_in(key, 2), (3,)),
            lambda key: jax.random.bernoulli(jax.random.split(key, (2, 2))[1, 0], 0.3, (9,)),
            lambda key: jax.random.key_data(jax.random.split(key)),
        ):
            np.testing.assert_array_equal(draw(ours), draw(theirs))
    numbers = (7, 8, 9, 64, 65, 129, 200)  # on a CPU: at once, in two steps, in more

    def draw_all(key):
        return [jax.random.bits(key, (number,)) for number in numbers]

    found, one = quick_jit(jax.vmap(draw_all))(keys), quick_jit(draw_all)
    for place, expected in enumerate(zip(*map(one, plain), strict=True)):
        np.testing.assert_array_equal(found[place], expected)
    np.testing.assert_array_equal(jax.random.bits(keys[0], (65,)), found[4][0])
    with jax.enable_x64(True):
        for number, kind in (
            (3, jnp.uint64),
            (200, jnp.uint64),
            (200, jnp.uint16),
            (70, jnp.uint8),
        ):
            ours, theirs = (jax.random.bits(k[0], (number,), kind) for k in (keys, plain))
            np.testing.assert_array_equal(ours, theirs)
