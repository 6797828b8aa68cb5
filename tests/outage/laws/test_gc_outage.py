"""The laws against exact dyadic arithmetic, subsets of clients, and the reference values."""

import itertools
import math
import random

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    GradientCode,
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    uncoded,
)
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.laws.closed_form import closed_form
from jaxcogc.outage.laws.gc_outage import (
    classes_outage_probability,
    fractional_repetition_outage_probability,
    gc_outage_probability,
    log_gc_outage_probability,
)
from tests.outage.dyadic import (
    ONE,
    Dyadic,
    exact_cyclic,
    missing_probabilities,
    product,
    random_network,
)
from tests.reference import cyclic_matrix, decide, enumerate_reference, reference_cases


def accuracy(network, stragglers, attempts):
    """Relative errors of the probability and of its logarithm; None where there is none."""
    exact = exact_cyclic(network, stragglers, attempts)
    ours = gc_outage_probability(network, stragglers, attempts)
    logarithm = log_gc_outage_probability(network, stragglers, attempts)
    if exact.digits == 0:
        assert ours == 0.0
        assert logarithm == -math.inf
        return None, None
    success = ONE - exact
    likely = (success + success - ONE).digits < 0
    expected = math.log1p(-(success / ONE)) if likely else exact.log()
    log_error = abs(float(logarithm) - expected) / max(abs(expected), 5e-324)
    if exact.log() < math.log(1e-300):
        return None, log_error
    difference = Dyadic.of(ours) - exact
    return abs(Dyadic(abs(difference.digits), difference.exponent) / exact), log_error


@pytest.mark.slow
@pytest.mark.parametrize("attempts", [1, 4])
@pytest.mark.parametrize("clients", [1, 5, 40])
@pytest.mark.parametrize("kind", ["tiny", "one-scale", "near-one", "any"])
def test_relative_error_is_below_1e_12(kind, clients, attempts):
    largest = 4 if clients * attempts > 40 else clients - 1  # exact numbers grow long
    stragglers = sorted({0, 1 % clients, largest // 2, min(largest, clients - 1)})
    for seed, s in enumerate(stragglers):
        for error in accuracy(random_network(clients, seed, kind), s, attempts):
            assert error is None or error < 1e-12


@pytest.mark.parametrize(("clients", "stragglers"), [(1, 0), (12, 3), (40, 19), (40, 39)])
def test_outages_of_any_rarity(clients, stragglers):
    source = np.random.default_rng(clients)
    for exponent in (10, 100, 200, 280, 340, 900, 2000, 5000):
        p = 10.0 ** (-exponent / (stragglers + 1))
        if p < 1e-300:
            continue  # not among float64 numbers
        network = Network(p * source.uniform(0.8, 1.0, clients), np.zeros((clients, clients)))
        error, log_error = accuracy(network, stragglers, 1)
        assert (error is None) == (exponent > 320)
        assert error is None or error < 1e-12
        assert log_error < 1e-12
        assert log_gc_outage_probability(network, stragglers) < -exponent * math.log(10.0) + 40


@pytest.mark.slow
def test_a_sum_over_subsets_of_clients_agrees():
    """P(outage) summed over which clients have a complete row: no recursion, no exponents."""
    for clients, s, attempts in [(1, 0, 1), (3, 1, 2), (6, 2, 1), (8, 4, 3)]:
        network = random_network(clients, 1, "any")
        missing = [float(q / ONE) for q in missing_probabilities(network, s, attempts)]
        expected = math.fsum(
            math.prod(1.0 - q if arrives else q for arrives, q in zip(subset, missing, strict=True))
            for subset in itertools.product((False, True), repeat=clients)
            if sum(subset) <= clients - s - 1
        )
        assert gc_outage_probability(network, s, attempts) == pytest.approx(expected, rel=1e-12)
        # The check can fail: the law that asks for one row less is rejected.
        if s + 1 < clients:
            wrong = gc_outage_probability(network, s + 1, attempts)
            assert wrong != pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("case", reference_cases())
def test_reference_values(case):
    network = Network(case.uplink_erasure, case.peer_erasure)
    code = cyclic_code(jax.random.key(0), case.clients, case.stragglers)
    ours = closed_form(
        network, code, num_attempts=case.attempts, redraw_code=case.redraw_code
    ).gc_outage
    if case.redraw_code and case.attempts * (case.clients - case.stragglers - 1) >= case.clients:
        assert ours is None
        return
    expected = case.expected.get("gc_outage_closed_form")
    if expected is not None:
        assert ours == pytest.approx(expected, abs=1e-11)
    if case.method == "enumeration":
        assert ours == pytest.approx(1.0 - case.expected["gc_recovered"], abs=1e-11)


def test_certain_links():
    perfect = Network.homogeneous(5, uplink_erasure=0.0, peer_erasure=0.0)
    deaf = Network.homogeneous(5, uplink_erasure=0.0, peer_erasure=1.0)
    silent = Network.homogeneous(5, uplink_erasure=1.0, peer_erasure=0.0)
    for s in range(5):
        assert gc_outage_probability(perfect, s, 2) == 0.0
        assert log_gc_outage_probability(perfect, s, 2) == -math.inf
        assert gc_outage_probability(silent, s, 2) == 1.0
        assert log_gc_outage_probability(silent, s, 2) == 0.0
        assert gc_outage_probability(deaf, s, 2) == (0.0 if s == 0 else 1.0)


def test_near_certain_outages_keep_the_digits_of_the_logarithm():
    # One client in a thousand must arrive, and hardly ever does: log P = log1p(-success).
    network = Network.homogeneous(10, uplink_erasure=1.0 - 2.0**-40, peer_erasure=0.0)
    expected = math.log1p(-(2.0**-40))
    assert log_gc_outage_probability(network, 9) == pytest.approx(10 * expected, rel=1e-13)
    alone = log_gc_outage_probability(network, 0)
    assert alone == pytest.approx(-(2.0**-400), rel=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize(("clients", "stragglers"), [(4, 1), (6, 2), (6, 0), (5, 4), (12, 2)])
def test_fractional_repetition_law(clients, stragglers, attempts):
    for seed, kind in enumerate(("tiny", "near-one", "any", "one-scale")):
        network = random_network(clients, seed, kind)
        missing = missing_probabilities(network, stragglers, attempts, "blocks")
        size = stragglers + 1
        blocks = [product(missing[i : i + size]) for i in range(0, clients, size)]
        exact = ONE - product(ONE - empty for empty in blocks)
        ours = fractional_repetition_outage_probability(network, stragglers, attempts)
        assert ours == pytest.approx(exact / ONE, rel=1e-12, abs=1e-300)
        code = fractional_repetition_code(clients, stragglers)
        assert closed_form(network, code, num_attempts=attempts).gc_outage == float(ours)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["any", "tiny"])
@pytest.mark.parametrize(("clients", "stragglers", "attempts"), [(6, 2, 1), (6, 1, 2), (8, 3, 3)])
def test_the_rows_of_one_class_decode(clients, stragglers, attempts, kind):
    network = random_network(clients, 5, kind)
    missing = missing_probabilities(network, stragglers, attempts, "cyclic")
    size = stragglers + 1
    classes = [product(ONE - m for m in missing[first::size]) for first in range(size)]
    exact = product(ONE - complete for complete in classes)
    ours = classes_outage_probability(network, stragglers, attempts)
    assert ours == pytest.approx(exact / ONE, rel=1e-12, abs=1e-300)
    if stragglers == 1:
        code = cyclic_mds_code(clients, 1)
        assert closed_form(network, code, num_attempts=attempts).gc_outage == ours


@pytest.mark.slow
def test_cyclic_mds_with_one_straggler_by_enumeration():
    network = random_network(4, 2, "any")
    exact = enumerate_outcomes(network, cyclic_mds_code(4, 1), num_attempts=1).gc_outage.best
    assert closed_form(network, cyclic_mds_code(4, 1)).gc_outage == pytest.approx(exact, abs=1e-7)
    assert abs(gc_outage_probability(network, 1) - exact) > 1e-3  # the cyclic law is a bound


@pytest.mark.slow
def test_results_do_not_depend_on_the_callers_mode():
    network = random_network(7, 3, "tiny")
    laws = (
        gc_outage_probability,
        log_gc_outage_probability,
        lambda n, s, a: fractional_repetition_outage_probability(n, 6, a),
    )
    for law in laws:
        values = []
        for mode in (False, True):
            with jax.enable_x64(mode):
                value = law(network, 2, 3)
                assert isinstance(value, np.float64)
                values.append(value)
        assert values[0] == values[1]


def test_where_no_exact_law_is_known():
    key = jax.random.key(0)
    network = random_network(4, 1, "any")
    reciprocal = Network.homogeneous(4, uplink_erasure=0.2, peer_erasure=0.3, reciprocal=True)
    cyclic = cyclic_code(key, 4, 2)
    assert closed_form(reciprocal, cyclic).gc_outage is None
    assert closed_form(reciprocal, fractional_repetition_code(4, 1)).gc_outage is None
    lone = closed_form(reciprocal, uncoded(4)).gc_outage
    assert lone == pytest.approx(1.0 - 0.8**4, rel=1e-14)
    assert closed_form(network, GradientCode.from_matrix(np.eye(4))).gc_outage is None
    assert closed_form(random_network(6, 1, "any"), cyclic_mds_code(6, 3)).gc_outage is None
    assert closed_form(network, cyclic_mds_code(4, 3)).gc_outage == gc_outage_probability(
        network, 3
    )
    assert closed_form(network, cyclic_mds_code(4, 0)).gc_outage == gc_outage_probability(
        network, 0
    )
    prime = random_network(5, 1, "any")
    assert closed_form(prime, cyclic_mds_code(5, 2)).gc_outage == gc_outage_probability(prime, 2)


def test_the_law_of_redrawn_codes():
    network = random_network(4, 1, "any")
    twice = gc_outage_probability(network, 2) ** 2
    code = cyclic_code(jax.random.key(0), 4, 2)
    ours = closed_form(network, code, num_attempts=2, redraw_code=True).gc_outage
    assert ours == pytest.approx(twice, rel=1e-14)
    assert closed_form(network, code, num_attempts=4, redraw_code=True).gc_outage is None
    with pytest.raises(ValueError, match="redraw_code"):
        closed_form(network, uncoded(4), num_attempts=2, redraw_code=True)


@pytest.mark.parametrize(("clients", "stragglers", "exact"), [(3, 1, True), (4, 1, False)])
def test_redrawn_codes_obey_the_law_only_where_it_is_given(clients, stragglers, exact):
    source = random.Random(clients)
    uplinks = [source.uniform(0.1, 0.6) for _ in range(clients)]
    peers = np.full((clients, clients), 0.3) * ~np.eye(clients, dtype=bool)
    matrices = [cyclic_matrix(clients, stragglers, seed) for seed in range(2)]
    outage = 1.0 - enumerate_reference(matrices, uplinks, peers)["gc_recovered"]
    law = gc_outage_probability(Network(uplinks, peers), stragglers) ** 2
    if exact:
        assert law == pytest.approx(outage, abs=1e-12)
    else:
        assert law > outage + 1e-3


@pytest.mark.parametrize(("clients", "stragglers", "exact"), [(5, 2, True), (4, 1, False)])
def test_cyclic_mds_codes_obey_the_law_only_where_it_is_given(clients, stragglers, exact):
    code = cyclic_mds_code(clients, stragglers)
    matrix = [[int(entry) for entry in row] for row in code.field_matrix]
    network = random_network(clients, 2, "one-scale")
    missing = [q / ONE for q in missing_probabilities(network, stragglers, 1)]
    outage = 0.0
    for subset in itertools.product((False, True), repeat=clients):
        state = tuple(frozenset(range(clients)) if arrives else None for arrives in subset)
        if not decide([matrix], [state], code.modulus).gc:
            outage += math.prod(
                1.0 - q if arrives else q for arrives, q in zip(subset, missing, strict=True)
            )
    law = gc_outage_probability(network, stragglers)
    if exact:
        assert law == pytest.approx(outage, rel=1e-12)
    else:
        assert law > outage * (1 + 1e-6)


def test_wrong_arguments_are_named():
    network = random_network(4, 0, "any")
    for law in (gc_outage_probability, log_gc_outage_probability):
        for stragglers in (-1, 4, 1.5):
            with pytest.raises(ValueError, match=f"num_stragglers = {stragglers}: .* 0..3"):
                law(network, stragglers)
        with pytest.raises(ValueError, match="num_attempts = 0"):
            law(network, 1, 0)
    with pytest.raises(ValueError, match=r"num_stragglers = 2: .* dividing the 4 clients"):
        fractional_repetition_outage_probability(network, 2)
    with pytest.raises(ValueError, match="num_attempts = 0"):
        closed_form(network, uncoded(4), num_attempts=0)
