"""What masks hide: stored values, the entropies of Gaussians by determinants, and the edges."""

import json
import math

import numpy as np
import pytest
from scipy.special import log_ndtr

from jaxcogc import leakage
from jaxcogc.federated.privacy.leakage import gaussian_epsilon, unit_mask_covariance
from tests.places import SHARED


def cases():
    path = SHARED / "reference" / "extensions.json"
    if not path.is_file():
        return []
    found = [case for case in json.loads(path.read_text())["cases"] if case["topic"] == "D"]
    return [
        pytest.param(case, id=case["name"].replace(" ", "-"))
        for case in found
        if "received_rows" in case
    ]


@pytest.mark.parametrize("case", cases())
def test_values_of_an_independent_program(case):
    found = leakage(
        case["received_rows"],
        update_sd=case["update_sd"],
        mask_sd=case["mask_sd_per_client"],
        key_window=case["key_window"],
        sensitivity=case["sensitivity"],
        delta=case["delta"],
    )
    expected = case["expected"]
    assert found.sum_recovered == expected["sum_recovered"]
    assert found.num_dimensions == expected["dimensions_beyond_sum"]
    assert found.bits_total == pytest.approx(expected["leak_bits_total"], rel=1e-12)
    np.testing.assert_allclose(found.bits_client, expected["leak_bits_client"], rtol=1e-12)
    bits_of_sum = expected["leak_bits_of_sum_itself_client"]
    assert found.bits_of_sum == pytest.approx(bits_of_sum, rel=1e-12)
    np.testing.assert_allclose(found.mu_client, expected["gaussian_dp_mu_client"], rtol=1e-12)
    assert found.epsilon == pytest.approx(expected["epsilon_of_largest_mu"], rel=1e-11)


def conditional_bits(about, seen, covariance):
    """I(about X; seen X) in bits of a Gaussian X; both matrices of independent rows."""

    def log_det(rows):
        return np.linalg.slogdet(rows @ covariance @ rows.T)[1] if len(rows) else 0.0

    both = log_det(np.concatenate([about, seen]))
    return (log_det(about) + log_det(seen) - both) / (2 * math.log(2))


@pytest.mark.parametrize(("clients", "window"), [(3, None), (5, 1), (6, 2), (6, None), (4, 2)])
def test_bits_are_mutual_informations_of_updates_and_rows(clients, window):
    """Of (updates, masked updates) as one Gaussian vector; the sum given by the chain rule."""
    random = np.random.default_rng(clients)
    update_sd, mask_sd = 0.7, 1.3
    rows = random.normal(size=(clients - 2, clients)) * (
        random.random((clients - 2, clients)) < 0.7
    )
    masks = mask_sd**2 * unit_mask_covariance(clients, window)
    np.testing.assert_allclose(np.diag(masks), mask_sd**2)
    np.testing.assert_allclose(masks.sum(axis=1), 0, atol=1e-15)
    updates = update_sd**2 * np.eye(clients)
    covariance = np.block([[updates, updates], [updates, updates + masks]])
    covariance += 1e-13 * np.eye(2 * clients)
    nothing = np.zeros_like
    ones = np.ones((1, clients))
    the_sum = np.concatenate([nothing(ones), ones], axis=1)
    view = np.concatenate([the_sum, np.concatenate([nothing(rows), rows], axis=1)])
    found = leakage(rows, update_sd=update_sd, mask_sd=mask_sd, key_window=window)
    assert not found.sum_recovered
    assert found.num_dimensions == clients - 2
    for client in range(clients):
        one = np.eye(2 * clients)[client : client + 1]
        of_sum = conditional_bits(one, the_sum, covariance)
        beyond = conditional_bits(one, view, covariance) - of_sum
        assert found.bits_of_sum == pytest.approx(of_sum, abs=1e-9)
        assert found.bits_client[client] == pytest.approx(beyond, abs=1e-9)
    # All updates, in coordinates in which the sum is one: the rest of the view, given it.
    rest = np.linalg.svd(ones)[2][1:]
    contrasts = np.concatenate([rest, nothing(rest)], axis=1)
    projected = rows - rows.mean(axis=1, keepdims=True)
    beyond = conditional_bits(
        contrasts, np.concatenate([nothing(projected), projected], axis=1), covariance
    )
    assert found.bits_total == pytest.approx(beyond, abs=1e-8)


def test_a_single_row_and_all_individuals_on_the_complete_graph():
    clients, update_sd, mask_sd = 6, 0.4, 3.0
    snr = update_sd**2 * (clients - 1) / (mask_sd**2 * clients)
    each = math.log2(1 + snr) / 2
    found = leakage(np.eye(clients), update_sd=update_sd, mask_sd=mask_sd, sensitivity=2.0)
    assert found.sum_recovered
    assert found.num_dimensions == clients - 1
    assert found.bits_total == pytest.approx((clients - 1) * each, rel=1e-13)
    np.testing.assert_allclose(found.bits_client, each, rtol=1e-12)
    row = np.array([[3.0, -1.0, 0.5, 0.0, 0.0, 0.0]])
    direction = row[0] - row.mean()
    shares = direction**2 / np.sum(direction**2)  # h_k
    found = leakage(row, update_sd=update_sd, mask_sd=mask_sd, sensitivity=2.0)
    top = 1 - 1 / clients
    bits = np.log2(top / (top - snr / (1 + snr) * shares)) / 2
    np.testing.assert_allclose(found.bits_client, bits, rtol=1e-10)
    assert found.bits_total == pytest.approx(each, rel=1e-13)
    mu = 2.0 * np.sqrt(shares * (clients - 1) / clients) / mask_sd
    np.testing.assert_allclose(found.mu_client, mu, rtol=1e-12)


def test_complete_rows_of_the_longest_code_are_the_sum():
    """s = M - 1: nothing beyond the sum, however a row is scaled or rounded."""
    for rows in (
        np.ones((3, 5)),
        np.outer([1e-9, 1.0, 1e9], np.ones(5)),
        np.ones((2, 5)) * (1 + 1e-15 * np.random.default_rng(0).normal(size=(2, 5))),
    ):
        found = leakage(rows, update_sd=1.0, mask_sd=1e-3)
        assert found.sum_recovered
        assert found.num_dimensions == 0
        assert found.bits_total == found.epsilon == 0
        assert not found.bits_client.any()
        assert not found.mu_client.any()


def test_erased_rows_tell_nothing():
    for rows in (np.zeros((0, 4)), np.zeros((3, 4))):
        found = leakage(rows, update_sd=1.0, mask_sd=0.5)
        assert found[:3] == (False, 0, 0.0)
        assert found.epsilon == 0
    some = [[1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0]]
    plain = leakage(some, update_sd=1.0, mask_sd=0.5)
    padded = leakage([some[0], [0.0] * 4, some[1], some[0]], update_sd=1.0, mask_sd=0.5)
    for one, other in zip(plain, padded, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_without_masks_what_is_seen_is_known():
    found = leakage(np.eye(3), update_sd=1.0, mask_sd=0.0)
    assert found.bits_total == found.epsilon == math.inf
    assert np.isinf(found.bits_client).all()
    assert np.isinf(found.mu_client).all()
    found = leakage([[1.0, -1.0, 0.0]], update_sd=1.0, mask_sd=0.0)
    assert found.bits_total == math.inf
    # A difference: it leaves a quarter of the rest of clients 0 and 1, and nothing of client 2.
    np.testing.assert_allclose(found.bits_client, [1.0, 1.0, 0.0], atol=1e-14)
    assert found.mu_client.tolist() == [math.inf, math.inf, 0.0]
    alone = leakage([[2.0]], update_sd=1.0, mask_sd=1.0)  # of one client the sum tells all
    assert (alone.bits_total, alone.bits_client.tolist(), alone.bits_of_sum) == (0, [0], math.inf)


def test_a_wide_window_is_the_complete_graph():
    rows = np.random.default_rng(1).normal(size=(2, 6))
    whole = leakage(rows, update_sd=1.0, mask_sd=2.0)
    for window in (3, 5, 100):
        found = leakage(rows, update_sd=1.0, mask_sd=2.0, key_window=window)
        np.testing.assert_allclose(found.mu_client, whole.mu_client, rtol=1e-12)
    narrow, whole = (
        leakage(np.eye(6), update_sd=1.0, mask_sd=2.0, key_window=window) for window in (1, None)
    )
    assert narrow.bits_total > whole.bits_total


@pytest.mark.parametrize("mu", [1e-4, 0.03, 1.0, 7.0, 200.0])
@pytest.mark.parametrize("delta", [1e-12, 1e-5, 0.3])
def test_epsilon_solves_its_equation(mu, delta):
    """From logarithms of Phi, another way to form the same."""

    def reached(eps):
        first = log_ndtr(mu / 2 - eps / mu)
        second = eps + log_ndtr(-mu / 2 - eps / mu)
        return -math.exp(first) * math.expm1(second - first)

    found = gaussian_epsilon(mu, delta)
    if found == 0:
        assert reached(0.0) <= delta
    else:
        step = 1e-9 * found + 1e-12
        assert reached(found + step) < delta < reached(found - step)


def test_epsilon_never_overflows():
    assert gaussian_epsilon(0.0, 1e-5) == 0
    assert gaussian_epsilon(1e100, 1e-5) == pytest.approx(5e199)
    assert gaussian_epsilon(1e300, 1e-5) == gaussian_epsilon(math.inf, 1e-5) == math.inf


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"received_matrix": [1.0]}, "one axis|2 axes"),
        ({"received_matrix": [[math.nan]]}, r"received_matrix\[0, 0\] = nan"),
        ({"update_sd": 0.0}, "update_sd = 0.0: allowed is a finite number above 0"),
        ({"mask_sd": -1.0}, "mask_sd = -1.0"),
        ({"mask_sd": math.inf}, "mask_sd = inf"),
        ({"sensitivity": -1.0}, "sensitivity = -1.0"),
        ({"delta": 0.0}, "delta = 0.0"),
        ({"delta": 1.0}, "delta = 1.0"),
        ({"key_window": 0}, "key_window = 0"),
    ],
)
def test_bad_arguments_are_named(change, words):
    arguments = {"received_matrix": np.eye(3), "update_sd": 1.0, "mask_sd": 1.0} | change
    with pytest.raises(ValueError, match=words):
        leakage(**arguments)
