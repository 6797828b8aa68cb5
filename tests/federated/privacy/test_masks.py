"""Masks that add up to 0, what they leave to be seen, and schemes whose clients wear them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc import Network, cyclic_code, leakage, make_scheme
from jaxcogc.coding.decoding import row_space_weights
from jaxcogc.coding.encoding import encode, received_matrix
from jaxcogc.federated import LinkPolicy, draw_round_links
from jaxcogc.federated.convergence.round_samples import enumerate_rounds, sample_rounds
from jaxcogc.federated.privacy.masks import (
    largest_mu,
    leaked_bits,
    leaked_bits_of_client,
    masked_error,
    zero_sum_masks,
)
from jaxcogc.names import REFUSED_SCHEMES
from tests.federated import problems
from tests.federated.problems import Trainer, made_up_data

KEY = jax.random.key(4)
NETWORK = Network([0.2, 0.4, 0.5, 0.7], np.full((4, 4), 0.3) * (1 - np.eye(4)))


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


@pytest.mark.parametrize("attempts", [1, 2])
def test_leaks_of_a_round_are_those_of_its_rows(attempts):
    """Dimensions and shares that training reports, against `leakage` of the received matrix."""
    code = cyclic_code(KEY, 4, 2)
    scheme = make_scheme("secure_row_space", code, num_attempts=attempts)
    draw = jax.jit(lambda key: scheme.draw(key, (), NETWORK)[0])
    seen = set()
    for number in range(25):
        key = jax.random.fold_in(KEY, number)
        found = draw(key)
        rows = np.asarray(received_matrix(code, draw_round_links(key, NETWORK, attempts)))
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


def test_secure_schemes_are_exact_or_held():
    code = cyclic_code(KEY, 4, 2)
    names = ("gc", "secure_gc", "row_space", "secure_row_space")
    every = enumerate_rounds(NETWORK, code, schemes=names).coefficients
    for plain, secure in ((0, 1), (2, 3)):
        np.testing.assert_array_equal(every.exact[:, plain], every.exact[:, secure])
        np.testing.assert_array_equal(every.hold[:, secure], ~every.exact[:, secure])
        for name in ("uplink_uses", "peer_uses", "num_dimensions"):
            values = getattr(every, name)
            np.testing.assert_array_equal(values[:, plain], values[:, secure])
    np.testing.assert_array_equal(every.weights[:, 0], every.weights[:, 1])
    assert every.num_revealed[:, 2].any()
    assert not every.num_revealed[:, [1, 3]].any()


def test_repeats_never_report_less_than_their_rows_tell():
    code = cyclic_code(KEY, 4, 2)
    settings = {"schemes": ("secure_gc",), "num_trials": 500}
    once = sample_rounds(KEY, NETWORK, code, **settings)
    again = sample_rounds(KEY, NETWORK, code, **settings, max_repeats=2)
    assert (again.num_dimensions >= once.num_dimensions).all()
    assert (again.largest_share >= once.largest_share - 1e-6).all()


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


def test_training_with_masks_is_training_without():
    names = ("gc", "secure_gc", "secure_row_space")
    settings = {"local_steps": 2, "batch_size": 4, "policy": LinkPolicy(num_attempts=2)}
    ends = {}
    for aggregation in ("coefficients", "payload"):
        trainer = Trainer(names, (3,), aggregation=aggregation, block_rounds=8, **settings)
        state, metrics = trainer(problems.network(0.3, 0.2), made_up_data(np.float32), num=8)
        ends[aggregation] = np.asarray(state.params)[0]
        assert metrics.exact[0, 1:].any()
    np.testing.assert_array_equal(ends["coefficients"][0], ends["coefficients"][1])
    np.testing.assert_allclose(ends["payload"], ends["coefficients"], atol=1e-4)
    assert np.abs(ends["payload"][0] - ends["payload"][1]).max() > 0  # masks were there
    assert np.abs(ends["coefficients"][2]).max() > 0.05


@pytest.mark.parametrize("name", list(REFUSED_SCHEMES))
def test_pairs_without_sense_are_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=REFUSED_SCHEMES[name][:20]):
        make_scheme(name, cyclic_code(KEY, 4, 2))
