"""Masks that add up to 0, what they leave to be seen, and schemes whose clients wear them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc import Network, cyclic_code, leakage, make_scheme
from jaxcogc.coding.decoding import row_space_weights
from jaxcogc.coding.encoding import encode, received_matrix
from jaxcogc.federated import LinkPolicy, RoundSettings, draw_round_links
from jaxcogc.federated.convergence.round_samples import enumerate_rounds, sample_rounds
from jaxcogc.federated.privacy.masks import (
    average_of_residues,
    field_step,
    largest_mu,
    leaked_bits,
    leaked_bits_of_client,
    masked_error,
    to_residues,
    zero_sum_masks,
    zero_sum_residues,
)
from jaxcogc.names import REFUSED_SCHEMES
from jaxcogc.training import scheme_errors
from tests.federated import problems
from tests.federated.problems import Trainer, made_up_data
from tests.quick import quick_jit

KEY = jax.random.key(4)
CODE = cyclic_code(KEY, 4, 2)
NETWORK = Network([0.2, 0.4, 0.5, 0.7], np.full((4, 4), 0.3) * (1 - np.eye(4)))


@pytest.mark.slow
@pytest.mark.parametrize("clients", [1, 2, 3, 4, 7])
def test_masks_add_up_to_zero_and_hide_all_clients_alike(clients):
    like = {"a": jnp.zeros((clients, 300, 100)), "b": jnp.zeros((clients, 5))}
    masks = zero_sum_masks(KEY, like, jnp.float32(0.37))
    for leaf in masks.values():
        values = np.asarray(leaf)
        assert values.dtype == np.float32
        total = values[0]
        for other in values[1:]:
            total = total + other
        assert not total.any()  # to the last bit, in single precision and in any order
        assert not values[::-1].sum(axis=0, dtype=np.float32).any()
    found = np.cov(np.asarray(masks["a"]).reshape(clients, -1))
    expected = 0.37**2 * clients / max(1, clients - 1) * (np.eye(clients) - 1 / clients)
    np.testing.assert_allclose(found, expected if clients > 1 else 0, atol=0.006)
    other = zero_sum_masks(jax.random.fold_in(KEY, 1), like, jnp.float32(0.37))
    assert clients == 1 or (np.asarray(other["a"]) != np.asarray(masks["a"])).mean() > 0.99
    nothing = zero_sum_masks(KEY, like, jnp.float32(0.0))
    assert not np.asarray(nothing["a"]).any()


@pytest.mark.slow
@pytest.mark.parametrize("attempts", [1, 2])
def test_leaks_of_a_round_are_those_of_its_rows(attempts):
    """Dimensions and shares that training reports, against `leakage` of the received matrix."""
    scheme = make_scheme("secure_row_space", CODE, num_attempts=attempts)
    draw = jax.jit(lambda key: scheme.draw(key, (), NETWORK)[0])
    seen = set()
    for number in range(25):
        key = jax.random.fold_in(KEY, number)
        found = draw(key)
        rows = np.asarray(received_matrix(CODE, draw_round_links(key, NETWORK, attempts)))
        law = leakage(rows, update_sd=1.0, mask_sd=3.0)
        assert bool(found.exact) == law.sum_recovered != bool(found.hold)
        dimensions = np.array([int(found.num_dimensions)])
        share = np.array([float(found.largest_share)])
        assert leaked_bits(dimensions, 3.0, 4)[0] == pytest.approx(law.bits_total, abs=1e-9)
        client = leaked_bits_of_client(share, 3.0, 4)[0]
        assert client == pytest.approx(max(law.bits_client), abs=1e-6)
        mu = largest_mu(share, 3.0, 4)[0]
        assert mu == pytest.approx(max(law.mu_client), abs=1e-4)
        assert int(found.num_revealed) == 0
        seen.add(int(found.num_dimensions))
    assert len(seen) > 2
    assert np.isinf(leaked_bits(np.array([1]), 0.0, 4)).all()


@pytest.mark.slow
def test_secure_schemes_are_exact_or_held():
    names = ("gc", "secure_gc", "row_space", "secure_row_space")
    every = enumerate_rounds(NETWORK, CODE, schemes=names).coefficients
    for plain, secure in ((0, 1), (2, 3)):
        np.testing.assert_array_equal(every.exact[:, plain], every.exact[:, secure])
        np.testing.assert_array_equal(every.hold[:, secure], ~every.exact[:, secure])
        for name in ("uplink_uses", "peer_uses", "num_dimensions"):
            values = getattr(every, name)
            np.testing.assert_array_equal(values[:, plain], values[:, secure])
    np.testing.assert_array_equal(every.weights[:, 0], every.weights[:, 1])
    assert every.num_revealed[:, 2].any()
    assert not every.num_revealed[:, [1, 3]].any()


@pytest.mark.slow
def test_repeats_never_report_less_than_their_rows_tell():
    settings = {"schemes": ("secure_gc",), "num_trials": 500}
    once = sample_rounds(KEY, NETWORK, CODE, **settings)
    again = sample_rounds(KEY, NETWORK, CODE, **settings, max_repeats=2)
    assert (again.num_dimensions >= once.num_dimensions).all()
    assert (again.largest_share >= once.largest_share - 1e-6).all()


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.0, 100.0, 1e4])
def test_rounding_is_as_predicted(ratio):
    """The decoded average of masked updates, within three times the predicted error."""
    code, clients, size = cyclic_code(KEY, 10, 7), 10, 4000
    network = Network.homogeneous(clients, uplink_erasure=0.2, peer_erasure=0.05)
    updates = jax.random.normal(jax.random.key(1), (clients, size))
    masks = zero_sum_masks(jax.random.key(2), updates, jnp.float32(ratio))
    exact = np.asarray(updates, np.float64).mean(axis=0)
    ratios = []
    for number in range(20):
        links = draw_round_links(jax.random.fold_in(KEY, number), network)
        rows = np.asarray(received_matrix(code, links))
        weights = np.asarray(row_space_weights(code, links))
        if np.abs(weights @ rows - 1).max() > 1e-6:
            continue
        payload = encode(code, links, updates + masks)
        decoded = np.asarray(weights.astype(np.float32) @ payload, np.float64) / clients
        measured = np.sqrt(np.square(decoded - exact).mean())
        ratios.append(measured / masked_error(weights, rows, ratio))
    assert len(ratios) > 5
    assert max(ratios) < 3
    assert min(ratios) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("clients", [2, 5])
def test_masks_over_the_field_add_up_to_zero(clients):
    q = 2**31 - 1
    masks = np.asarray(zero_sum_residues(KEY, jnp.zeros((clients, 20_000)), q))
    assert masks.dtype == np.uint32
    assert masks.max() < q
    assert not (masks.astype(np.int64).sum(axis=0) % q).any()
    spread = masks.mean(axis=1) / q, masks.std(axis=1) / q  # each is uniform
    np.testing.assert_allclose(spread, [[0.5] * clients, [12**-0.5] * clients], atol=0.01)
    together = np.abs(np.corrcoef(masks.astype(float)[: max(1, clients - 1)]))
    assert clients == 2 or np.abs(together - np.eye(clients - 1)).max() < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-30, 1.0, 3e7])
def test_updates_over_the_field_are_rounded_and_no_more(scale):
    q, clients = 2147483171, 10
    updates = scale * jax.random.normal(KEY, (clients, 500))
    step = field_step(updates, q)
    residues = to_residues(updates, step, q)
    multiples = np.rint(np.asarray(updates, np.float64) / float(step)).astype(np.int64)
    np.testing.assert_array_equal(np.asarray(residues), multiples % q)
    assert q / 8 < np.abs(multiples).max() * clients < q / 2
    total = (multiples.sum(axis=0) % q).astype(np.uint32)
    average = average_of_residues(jnp.asarray(total), step, q, clients)
    exact = np.asarray(updates, np.float64).mean(axis=0)
    np.testing.assert_allclose(average, exact, rtol=3e-7, atol=1e-8 * scale)
    assert float(field_step(jnp.zeros((3, 2)), q)) == 1.0


NAMES = ("gc", "secure_gc", "secure_row_space")
SETTINGS = {"local_steps": 2, "batch_size": 4, "block_rounds": 8}


def trained(masks, names=NAMES, **policy):
    """Models [schemes, params] of one seed after 8 rounds, and metrics [schemes, rounds]."""
    policy = LinkPolicy(num_attempts=2, **policy)
    aggregation = "coefficients" if masks is None else "payload"
    own = {"masks": masks or "real", "aggregation": aggregation, "policy": policy}
    trainer = Trainer(names, (3,), **own, **SETTINGS)
    trainer.program = quick_jit(trainer.program.__wrapped__, donate_argnums=0)
    state, metrics = trainer(problems.network(0.3, 0.2), made_up_data(np.float32), num=8)
    return np.asarray(state.params)[0], jax.tree.map(lambda x: np.asarray(x)[0], metrics)


@pytest.mark.slow
def test_training_with_masks_is_training_without():
    plain, metrics = trained(None)
    assert metrics.exact[1:].any()
    assert np.isnan(metrics.mask_error).all()  # nobody wears any
    np.testing.assert_array_equal(plain[0], plain[1])
    assert np.abs(plain[2]).max() > 0.05
    for masks in ("real", "field"):
        ends, metrics = trained(masks)
        np.testing.assert_allclose(ends, plain, atol=1e-4 if masks == "real" else 1e-6)
        assert np.abs(ends[0] - ends[1]).max() > 0  # masks were there
        measured, predicted = metrics.mask_error, metrics.mask_error_predicted
        unknown = metrics.hold | (np.arange(3) == 0)[:, None]
        np.testing.assert_array_equal(np.isnan(measured), unknown)
        np.testing.assert_array_equal(np.isnan(predicted), unknown)
        assert (measured[~unknown] <= 3 * predicted[~unknown]).all()
        assert (predicted[~unknown] < 3e-5).all()
        assert (predicted[~unknown] > 1e-9).all()


@pytest.mark.slow
def test_partial_averages_keep_masks_where_they_are_asked_for():
    name = "secure_row_space"
    ends, metrics = trained("real", (name, "row_space"), masked_partials=True)
    count, noise = metrics.num_recovered[0], metrics.mask_error[0]
    np.testing.assert_array_equal(metrics.hold[0], metrics.hold[1])
    np.testing.assert_array_equal(count, metrics.num_recovered[1])
    partial = ~metrics.hold[0] & ~metrics.exact[0]
    assert partial.any()
    expected = 10 * np.sqrt((3 - count) / (2 * np.maximum(count, 1)))
    np.testing.assert_allclose(noise[partial], expected[partial], rtol=0.6)
    np.testing.assert_allclose(metrics.mask_error_predicted[0][partial], expected[partial], 1e-5)
    assert (noise[metrics.exact[0]] < 1e-4).all()
    assert np.abs(ends[0] - ends[1]).max() > 0.1
    assert not metrics.num_revealed[0].any()


@pytest.mark.parametrize("settings", [{"masks": "field", "aggregation": "payload"}, {}])
def test_partial_averages_with_masks_need_real_payloads(settings):
    policy = LinkPolicy(masked_partials=True)
    with pytest.raises(ValueError, match=r"masked_partials with masks = '(field|real)'"):
        RoundSettings(("secure_row_space",), policy=policy, **settings)
    with pytest.raises(ValueError, match="masked_partials = True"):
        scheme_errors(KEY, NETWORK, ("secure_row_space",), CODE, masked_partials=True)


@pytest.mark.parametrize("name", list(REFUSED_SCHEMES))
def test_pairs_without_sense_are_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=REFUSED_SCHEMES[name][:20]):
        make_scheme(name, CODE)
