"""Enumeration against the reference values, Python integers and the closed form."""

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    GradientCode,
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    redraw,
    uncoded,
)
from jaxcogc.links.network import Network
from jaxcogc.outage import enumeration
from jaxcogc.outage.enumeration import can_enumerate, enumerate_outcomes, num_random_links
from jaxcogc.outage.laws.gc_outage import gc_outage_probability
from jaxcogc.outage.pattern_probabilities import link_histories, pattern_probabilities
from jaxcogc.outage.random_links import random_links
from tests.reference import ARRAYS, SCALARS, cyclic_matrix, enumerate_reference, reference_cases

KEY = jax.random.key(7)


def largest_difference(outcomes, expected):
    """Over all fields of a reference case."""
    ours = {name: getattr(outcomes, name) for name in (*SCALARS, *ARRAYS) if name != "gc_recovered"}
    ours["gc_recovered"] = 1.0 - outcomes.gc_outage
    return max(np.max(np.abs(np.subtract(ours[name], expected[name]))) for name in ours)


def random_network(clients, seed, reciprocal=False, low=0.05, high=0.8):
    values = np.random.default_rng([clients, seed]).uniform(low, high, (clients, clients))
    peer = values * ~np.eye(clients, dtype=bool)
    return Network(np.diagonal(values), (peer + peer.T) / 2 if reciprocal else peer, reciprocal)


def enumerate_case(case):
    code = cyclic_code(KEY, case.clients, case.stragglers)
    return enumerate_outcomes(
        Network(case.uplink_erasure, case.peer_erasure),
        code,
        num_attempts=case.attempts,
        redraw_code=case.redraw_code,
        key=KEY,
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", reference_cases("enumeration"))
def test_reference_cases(case):
    outcomes = enumerate_case(case)
    assert largest_difference(outcomes, case.expected) < 1e-9
    assert outcomes.trials is None
    assert (outcomes.gc_outage.low, outcomes.gc_outage.high) == (outcomes.gc_outage,) * 2
    assert outcomes.gc_outage.method == "exact"


def test_a_wrong_decoder_is_rejected(monkeypatch):
    """The check above can fail: a decoder content with one row less than it needs."""
    case = reference_cases("enumeration")[0].values[0]
    decide = enumeration._decide

    def wrong(key, code, *rest):
        recovery = decide(key, code, *rest)
        enough = code.num_clients - int(code.num_stragglers) - 1
        return recovery._replace(gc=recovery.num_complete_rows >= enough)

    monkeypatch.setattr(enumeration, "_decide", wrong)
    assert largest_difference(enumerate_case(case), case.expected) > 1e-3


@pytest.mark.parametrize(
    ("clients", "stragglers", "attempts", "reciprocal"),
    [(3, 1, 1, False), (3, 2, 1, True), (4, 2, 1, True), (3, 1, 2, True), (4, 0, 1, False)],
)
def test_python_integers_agree(clients, stragglers, attempts, reciprocal):
    network = random_network(clients, stragglers, reciprocal)
    outcomes = enumerate_outcomes(
        network, cyclic_code(KEY, clients, stragglers), num_attempts=attempts
    )
    matrices = [cyclic_matrix(clients, stragglers)] * attempts
    expected = enumerate_reference(
        matrices, network.uplink_erasure, network.peer_erasure, reciprocal
    )
    assert largest_difference(outcomes, expected) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        fractional_repetition_code(4, 1),
        cyclic_mds_code(4, 1),
        cyclic_mds_code(4, 3),
        uncoded(4),
        GradientCode.from_matrix([[2, 1, 0, 0], [0, 1, 3, 0], [-1, 0, 1, 1], [1, 1, 1, 1]]),
    ],
    ids=lambda code: f"{code.family}-s{code.num_stragglers}",
)
def test_python_integers_agree_for_other_codes(code):
    matrix = [[int(entry) for entry in row] for row in code.field_matrix]
    network = random_network(4, 1)
    expected = enumerate_reference(
        [matrix], network.uplink_erasure, network.peer_erasure, prime=code.modulus
    )
    assert largest_difference(enumerate_outcomes(network, code), expected) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("low", "high"), [(0.05, 0.8), (1e-6, 1e-4), (0.9, 0.9999)])
@pytest.mark.parametrize(("clients", "stragglers", "attempts"), [(4, 1, 2), (4, 3, 1), (5, 3, 1)])
def test_the_closed_form_agrees(clients, stragglers, attempts, low, high):
    network = random_network(clients, 3, low=low, high=high)
    outcomes = enumerate_outcomes(
        network, cyclic_code(KEY, clients, stragglers), num_attempts=attempts
    )
    law = gc_outage_probability(network, stragglers, attempts)
    assert outcomes.gc_outage == pytest.approx(law, rel=1e-12)
    assert outcomes.num_recovered_pmf.sum() == pytest.approx(1.0, abs=1e-13)


def test_reciprocal_links_do_not_obey_the_closed_form():
    network = random_network(4, 3, reciprocal=True)
    outage = enumerate_outcomes(network, cyclic_code(KEY, 4, 3)).gc_outage
    assert abs(outage - gc_outage_probability(network, 3)) > 1e-3


@pytest.mark.parametrize("stragglers", range(4))
def test_perfect_links_are_exact_always(stragglers):
    network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    outcomes = enumerate_outcomes(network, cyclic_code(KEY, 4, stragglers))
    assert outcomes.gc_outage == 0.0
    assert outcomes.gc_plus_full == outcomes.row_space_exact == 1.0
    assert outcomes.mean_rank == 4 - stragglers
    assert outcomes.all_individuals == (stragglers == 0)
    np.testing.assert_array_equal(outcomes.gc_plus_weight, np.full(4, 0.25))


def test_deaf_clients_average_what_arrived():
    uplinks = np.array([0.3, 0.5, 0.1, 0.8])
    network = Network(uplinks, 1.0 - np.eye(4))
    outcomes = enumerate_outcomes(network, cyclic_code(KEY, 4, 2))
    assert outcomes.gc_outage == 1.0
    np.testing.assert_allclose(outcomes.client_recovered, 1.0 - uplinks, rtol=1e-13)
    assert outcomes.gc_plus_none == pytest.approx(uplinks.prod(), rel=1e-13)
    assert outcomes.row_space_exact == pytest.approx((1.0 - uplinks).prod(), rel=1e-13)
    # Unequal uplinks bias the partial averages towards the client that gets through.
    assert np.argmax(outcomes.row_space_weight) == 2


@pytest.mark.slow
def test_links_that_cost_nothing():
    """Many links, few open ones: certain, off the support, or to a client that is never heard."""
    network = random_network(5, 0)
    uplink = np.where(np.arange(5) < 3, 1.0, 0.2)
    silent = Network(uplink, network.peer_erasure)  # two clients with three peer links each
    outcomes = enumerate_outcomes(silent, cyclic_code(KEY, 5, 3))
    assert outcomes.mean_rank == pytest.approx(2 * 0.8, rel=1e-12)
    assert outcomes.gc_outage == pytest.approx(gc_outage_probability(silent, 3), rel=1e-12)
    np.testing.assert_array_equal(outcomes.num_recovered_pmf[3:], 0.0)
    with pytest.raises(ValueError, match=r"^25 random links in 1 attempts: .* at most 22"):
        enumerate_outcomes(network, cyclic_code(KEY, 5, 4))
    with pytest.raises(ValueError, match=r"^25 random links in 5 attempts"):
        enumerate_outcomes(network, uncoded(5), num_attempts=5)
    assert num_random_links(network, uncoded(5), num_attempts=5) == 25
    assert not can_enumerate(network, uncoded(5), num_attempts=5)
    assert can_enumerate(network, uncoded(5), num_attempts=4)
    assert can_enumerate(silent, cyclic_code(KEY, 5, 3))


def test_one_pattern_stands_for_all_that_differ_where_nobody_looks():
    # A row is erased, or it arrived and its two peer links are open: 1 + 2^2 states each.
    network = random_network(3, 0)
    links, where = random_links(network, cyclic_code(KEY, 3, 2), 2)
    histories = link_histories(network, links, None)
    patterns, probabilities = pattern_probabilities(links, where, histories)
    assert len(links) == 18
    assert len(patterns) == len(set(patterns.tolist())) == 5**6
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-14)
    # Reciprocal pairs are one link: looked at where either end's uplink works.
    reciprocal = random_network(3, 0, reciprocal=True)
    links, where = random_links(reciprocal, cyclic_code(KEY, 3, 2), 1)
    histories = link_histories(reciprocal, links, None)
    patterns, probabilities = pattern_probabilities(links, where, histories)
    assert len(links) == 6
    assert len(patterns) == 1 + 3 * 2**2 + 3 * 2**3 + 2**3
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-14)


def test_results_do_not_depend_on_mode_or_key():
    network, code = random_network(3, 2), cyclic_code(KEY, 3, 1)
    results = [enumerate_outcomes(network, code, key=key) for key in (None, jax.random.key(3))]
    for mode in (False, True):
        with jax.enable_x64(mode):
            results.append(enumerate_outcomes(network, code))
    for other in results[1:]:
        assert other.gc_plus_partial == results[0].gc_plus_partial
        np.testing.assert_array_equal(other.gc_plus_weight, results[0].gc_plus_weight)


def test_a_code_that_was_redrawn_beforehand():
    network, code = random_network(3, 4), cyclic_code(KEY, 3, 1)
    first = enumerate_outcomes(network, redraw(KEY, code, 2), num_attempts=2)
    second = enumerate_outcomes(network, code, num_attempts=2, redraw_code=True, key=KEY)
    assert first.gc_outage == pytest.approx(second.gc_outage, abs=1e-13)
    np.testing.assert_allclose(first.client_recovered, second.client_recovered, atol=1e-13)
    with pytest.raises(ValueError, match=r"^num_attempts = 1: allowed is 2"):
        enumerate_outcomes(network, redraw(KEY, code, 2))


def test_wrong_arguments_are_named():
    network = random_network(4, 0)
    for key in (KEY, None):
        with pytest.raises(ValueError, match=r"redraw_code.*'uncoded'"):
            enumerate_outcomes(network, uncoded(4), num_attempts=2, redraw_code=True, key=key)
    with pytest.raises(ValueError, match=r"^key = None: .* redraw_code"):
        enumerate_outcomes(network, cyclic_code(KEY, 4, 2), redraw_code=True)
    with pytest.raises(ValueError, match=r"^num_attempts = 0"):
        enumerate_outcomes(network, uncoded(4), num_attempts=0)
    for function in (enumerate_outcomes, can_enumerate, num_random_links):
        with pytest.raises(ValueError, match=r"^the code has 3 clients, the network 4"):
            function(network, uncoded(3))
        with pytest.raises(ValueError, match=r"^num_attempts = 0"):
            function(network, uncoded(4), num_attempts=0)
