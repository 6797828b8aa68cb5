"""Schemes that remember clients, relay or weigh: against rounds by hand, and their own laws."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc import Network, colrel_weights
from jaxcogc.coding.decoding import least_squares_coefficients, row_space_projector
from jaxcogc.coding.encoding import received_matrix
from jaxcogc.federated import Foreknowledge, LinkPolicy, RoundSettings, RoundSpan
from jaxcogc.federated.aggregation.channel import channel
from jaxcogc.federated.aggregation.client_states import StateChange, refreshed
from jaxcogc.federated.rounds.experiment import Inputs
from jaxcogc.federated.rounds.run_axes import initial_state, seed_words
from jaxcogc.links.draws import draw_links
from jaxcogc.names import MEMORY_SCHEMES, SECURE_SCHEMES, UNBIASED_SCHEMES
from jaxcogc.training import gather_foreknowledge
from tests.federated import problems
from tests.federated.problems import CLASSES, CLIENTS, Trainer, made_up_data
from tests.places import EXAMPLES

sys.path.append(str(EXAMPLES))
from schemes_by_hand import train

SEED, ROUNDS = 5, 20
LOCAL = {"local_steps": 3, "batch_size": 4}
NEW = ("colrel", *UNBIASED_SCHEMES, *MEMORY_SCHEMES, "implicit_gossip")
NETWORK = Network([0.2, 0.5, 0.8], np.full((3, 3), 0.35) * (1 - np.eye(3)))
KEY = jax.random.key(2)


@pytest.fixture(scope="module")
def known():
    return gather_foreknowledge(KEY, NETWORK, NEW, problems.code(), num_attempts=2)


def trainer_of(schemes, **settings):
    with jax.enable_x64(True):
        policy = LinkPolicy(num_attempts=2)
        task = problems.softmax_task()
        return Trainer(schemes, (SEED,), task, policy=policy, block_rounds=8, **LOCAL, **settings)


def run(trainer, links, known, num=ROUNDS, data=None):
    """Models [rounds, schemes, params], metrics [schemes, rounds] and the end of one seed."""
    with jax.enable_x64(True):
        data = made_up_data() if data is None else data
        inputs = Inputs(data, data.examples, channel(links, None, known), problems.code())
        state, models, rows = trainer.start(), [], []
        for first in range(num):
            span = RoundSpan.of(first, 1, num)
            state, metrics = trainer.program(state, inputs, trainer.words, span)
            models.append(np.array(state.params[0]))
            rows.append(jax.tree.map(lambda x: np.array(x[0, :, 0]), metrics))
        return np.stack(models), jax.tree.map(lambda *x: np.stack(x, axis=1), *rows), state


def by_hand(scheme, known):
    told = known.relay_weights
    if scheme in UNBIASED_SCHEMES:
        told = known.recovery_probability[scheme.removesuffix("_unbiased")]
    start = np.zeros(problems.FEATURES * CLASSES)
    settings = {"rounds": ROUNDS, "num_classes": CLASSES, "told": told, **LOCAL}
    return train(scheme, SEED, start, made_up_data(), NETWORK, problems.code(), **settings)


@pytest.fixture(scope="module")
def plain():
    return trainer_of(NEW)


@pytest.mark.slow
def test_every_scheme_is_the_round_by_hand(plain, known):
    models, metrics, _ = run(plain, NETWORK, known)
    for number, scheme in enumerate(NEW):
        expected = by_hand(scheme, known)
        np.testing.assert_allclose(models[:, number], expected, atol=1e-6, err_msg=scheme)
    remembering = [NEW.index(name) for name in MEMORY_SCHEMES]
    assert not metrics.hold[remembering].any()
    assert metrics.hold[NEW.index("gc_plus_unbiased")].any()
    distinct = {tuple(np.round(models[-1, n], 6)) for n in range(len(NEW))}
    assert len(distinct) == len(NEW) - 2  # with s = 1 gc_plus and row_space are one


@pytest.mark.slow
def test_masks_over_the_field_are_the_round_by_hand(known):
    """Rounded, masked, coded, lost and decoded in Python's integers; exact where plain ones are."""
    trainer = trainer_of(SECURE_SCHEMES, masks="field", aggregation="payload")
    models, metrics, _ = run(trainer, NETWORK, known)
    for number, scheme in enumerate(SECURE_SCHEMES):
        expected = by_hand(scheme, known)
        np.testing.assert_allclose(models[:, number], expected, atol=1e-6, err_msg=scheme)
    assert 0 < metrics.exact.sum() < metrics.exact.size
    np.testing.assert_array_equal(metrics.hold, ~metrics.exact)


@pytest.mark.slow
def test_nothing_lost_is_ideal(plain):
    network = problems.network(0.0, 0.0)
    whole = Foreknowledge(
        colrel_weights(network), dict.fromkeys(("gc_plus", "row_space"), np.ones(3))
    )
    models, metrics, _ = run(plain, network, whole, 5)
    ideal, _, _ = run(trainer_of(("ideal",)), network, Foreknowledge(), 5)
    expected = np.repeat(ideal, len(NEW), axis=1)
    np.testing.assert_allclose(models, expected, atol=1e-13)
    assert metrics.exact.all()


@pytest.mark.slow
def test_payloads_and_coefficients_agree(known):
    """Real encoding and decoding of the schemes that code."""
    names = ("colrel", *UNBIASED_SCHEMES, *MEMORY_SCHEMES)
    one, _, _ = run(trainer_of(names), NETWORK, known, 8)
    other, _, _ = run(trainer_of(names, aggregation="payload"), NETWORK, known, 8)
    np.testing.assert_allclose(one, other, atol=1e-8)
    assert np.abs(one[-1]).max() > 0.01


@pytest.mark.slow
def test_a_run_does_not_depend_on_schemes_beside_it(known):
    """A scheme without memory is bit for bit the same beside those with one."""
    few = run(trainer_of(("gc_plus",), deterministic=True), NETWORK, known, 6)[0]
    names = ("gc_plus", "projected_memory", "implicit_gossip")
    many, _, state = run(trainer_of(names, deterministic=True), NETWORK, known, 6)
    np.testing.assert_array_equal(few[:, 0], many[:, 0])
    assert not np.asarray(state.clients)[0, 0].any()
    assert np.asarray(state.clients).shape == (1, 3, CLIENTS, problems.FEATURES * CLASSES)


@pytest.mark.slow
def test_the_mean_model_of_gossip_moves_by_the_mean_update(plain, known):
    _, _, state = run(plain, NETWORK, known, 1)
    models = np.asarray(state.clients)[0, NEW.index("implicit_gossip")]
    ideal, _, _ = run(trainer_of(("ideal",)), NETWORK, known, 1)
    np.testing.assert_allclose(models.mean(axis=0), ideal[0, 0], atol=1e-14)
    assert np.ptp(models, axis=0).max() > 1e-3


@pytest.mark.slow
def test_projected_memory_agrees_with_all_that_was_received():
    """R G = R Delta after a round, and from G = 0 the step is that of least squares."""
    code = problems.code()
    random = np.random.default_rng(0)
    updates, before = random.normal(size=(2, 3, 7))
    seen = 0
    with jax.enable_x64(True):
        for number in range(20):
            links = draw_links(jax.random.fold_in(KEY, number), NETWORK)
            rows = np.asarray(received_matrix(code, links))
            known = np.asarray(row_space_projector(code, links))
            np.testing.assert_allclose(known, known.T, atol=1e-14)
            np.testing.assert_allclose(known @ known, known, atol=1e-12)
            np.testing.assert_allclose(rows @ known, rows, atol=1e-12)
            least = least_squares_coefficients(code, links)
            np.testing.assert_allclose(known.sum(axis=1) / 3, least, atol=1e-12)
            change = StateChange(jnp.zeros(3), jnp.zeros(3, bool), jnp.asarray(known))
            after = np.asarray(refreshed(change, jnp.asarray(updates), jnp.asarray(before)))
            np.testing.assert_allclose(rows @ after, rows @ updates, atol=1e-12)
            assert np.linalg.matrix_rank(known) == np.linalg.matrix_rank(rows)
            seen += int(0 < np.linalg.matrix_rank(rows) < 3)
    assert seen > 5


@pytest.mark.slow
def test_memory_that_is_not_finite_is_refused(known):
    """What a client sends that is no number never enters what is remembered of it."""
    data = made_up_data()
    inputs = data.examples[0].copy()
    inputs[data.indices[1]] = np.nan
    spoilt = data._replace(examples=(inputs, data.examples[1]))
    trainer = trainer_of(("intermittent+memory",), drop_non_finite=True)
    models, metrics, state = run(trainer, NETWORK, known, 6, spoilt)
    assert not metrics.finite[..., 1].any()
    assert np.isfinite(models).all()
    assert not np.asarray(state.clients)[0, 0, 1].any()
    assert np.asarray(state.clients)[0, 0, 0].any()


def test_the_number_of_clients_must_be_told():
    with pytest.raises(ValueError, match="num_clients = None"):
        initial_state(problems.softmax_task(), RoundSettings(("gc_plus+memory",)), seed_words((0,)))
