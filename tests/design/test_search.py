"""Designs against trying everything, and the arithmetic of costs."""

import dataclasses
import itertools

import jax
import pytest

from jaxcogc.coding.codes import (
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    uncoded,
)
from jaxcogc.design import exact_outage
from jaxcogc.design.code_outage import Setting
from jaxcogc.design.configurations import CodeConfig
from jaxcogc.design.exact_outage import lowest_outage
from jaxcogc.design.search import design, evaluate
from jaxcogc.design.simulated_outage import compiled_counting, counted_on_host
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.laws.gc_outage import gc_outage_probability
from jaxcogc.outage.rare import weighted_sums as weighted
from tests.outage.test_agreement import random_network

KEY = jax.random.key(70)


def unequal(clients, seed, scale=0.5):
    network = random_network(clients, seed)
    return Network(scale * network.uplink_erasure, scale * network.peer_erasure)


def everything(network, most):
    """Codes of at most so many stragglers, one attempt, every order: (s, outages by decoder)."""
    clients = network.num_clients
    codes = [uncoded(clients), *(cyclic_code(KEY, clients, s) for s in range(1, most + 1))]
    codes += [fractional_repetition_code(clients, 1)]
    for code in codes:
        code = dataclasses.replace(code, family="custom")  # one program for all families
        for rest in itertools.permutations(range(1, clients)):
            outcomes = enumerate_outcomes(network.permuted((0, *rest)), code)
            yield (
                int(code.num_stragglers),
                {
                    "gc": float(outcomes.gc_outage),
                    "gc_plus": 1 - outcomes.gc_plus_full,
                    "row_space": 1 - outcomes.row_space_exact,
                },
            )


@pytest.fixture(scope="module")
def small():
    network = unequal(4, 1)
    return network, design(network, target=0.1, max_attempts=1)


@pytest.mark.slow
def test_the_true_optimum_is_found(small):
    """By enumeration: 16 random links at most, every order."""
    network, result = small
    chosen = result.chosen
    assert result.reached
    assert chosen.outage.method == "exact"
    # Fewest uplink uses, then fewest uses: the smallest s by which any decoder reaches the target.
    retransmission = [c for c in result.candidates if c.scheme == "retransmission" and c.reaches]
    assert min(c.uplink_uses for c in retransmission) > network.num_clients
    assert chosen.uplink_uses == network.num_clients
    truth = list(everything(network, chosen.stragglers))
    reaching = [s for s, outages in truth if min(outages.values()) <= 0.1]
    assert chosen.stragglers == min(reaching)
    assert chosen.stragglers >= 1
    # Of standard decoding, every order's law is known: the order found is the best.
    orders = [(0, *rest) for rest in itertools.permutations(range(1, 4))]
    for s in range(1, 4):
        laws = [float(gc_outage_probability(network.permuted(order), s)) for order in orders]
        found = [
            c for c in result.candidates if (c.scheme, c.code, c.stragglers) == ("gc", "cyclic", s)
        ]
        assert min(c.outage for c in found) == pytest.approx(min(laws), rel=1e-9)


@pytest.mark.slow
def test_decoders_are_ordered_and_the_order_is_not_worse(small):
    network, result = small
    by_code = {}
    for c in result.candidates:
        if c.order is not None:
            by_code.setdefault((c.code, c.stragglers, c.order), {})[c.scheme] = c
    for decoders in by_code.values():
        assert decoders["row_space"].outage <= decoders["gc_plus"].outage + 1e-12
        assert decoders["gc_plus"].outage <= decoders["gc"].outage + 1e-12
        assert len({(c.peer_uses, c.uplink_uses, c.revealed) for c in decoders.values()}) == 1
    if result.given_order is not None:
        assert result.chosen.outage <= result.given_order.outage
    for c in result.candidates:
        if c.scheme == "gc" and c.code == "cyclic":
            given = gc_outage_probability(network, c.stragglers, c.attempts)
            assert c.outage <= given * (1 + 1e-9)


@pytest.mark.slow
def test_objectives_and_a_target_that_nobody_reaches():
    network = unequal(3, 2, 0.8)
    private = design(network, target=0.3, objective="privacy", max_attempts=1)
    reaching = [c for c in private.candidates if c.reaches]
    assert private.chosen.revealed == min(c.revealed for c in reaching)
    cheap = design(network, target=0.3, objective="total", max_attempts=1)
    uses = [c.uplink_uses + c.peer_uses for c in cheap.candidates if c.reaches]
    assert cheap.chosen.uplink_uses + cheap.chosen.peer_uses == min(uses)
    silent = Network.homogeneous(3, uplink_erasure=1.0, peer_erasure=0.0)
    answer = design(silent, target=1e-3, max_attempts=1)
    assert answer.reached is False
    assert answer.chosen.outage == 1.0
    assert answer.chosen.rounds is None


@pytest.mark.slow
def test_one_program_for_all_families_counts_what_each_family_counts():
    """Simulated, with coefficients over another field: against each family's own program."""
    network = unequal(4, 3)
    setting = Setting.from_key(KEY, network, 0.95)
    configs = [
        CodeConfig("cyclic", 2, 1, False, (0, 1, 2, 3)),
        CodeConfig("cyclic-mds", 1, 1, False, (0, 1, 2, 3)),
        CodeConfig("fractional-repetition", 1, 1, False, (2, 0, 3, 1)),
    ]
    exact = [evaluate(setting, counted_on_host, config, 1, lambda done: None) for config in configs]
    families = [cyclic_code(KEY, 4, 2), cyclic_mds_code(4, 1), fractional_repetition_code(4, 1)]
    for config, found, code in zip(configs, exact, families, strict=True):
        truth = enumerate_outcomes(network.permuted(config.order), code)
        assert found.trials is None
        assert found.decoders["gc"].outage == pytest.approx(float(truth.gc_outage), abs=1e-12)
        assert found.decoders["row_space"].outage == pytest.approx(
            1 - truth.row_space_exact, abs=1e-12
        )
        assert found.decoders["gc_plus"].outage == pytest.approx(1 - truth.gc_plus_full, abs=1e-12)


@pytest.mark.slow
def test_simulated_where_enumeration_is_too_long(monkeypatch):
    monkeypatch.setattr(exact_outage, "_MOST_PATTERNS", 3)
    network = unequal(4, 3)
    setting = Setting.from_key(KEY, network, 0.95)
    config = CodeConfig("cyclic", 2, 1, False, (1, 0, 2, 3))
    counted = compiled_counting(setting, [config], links_by_host=False)
    done = []
    found = evaluate(setting, counted, config, 50_000, done.append)
    truth = enumerate_outcomes(network.permuted(config.order), cyclic_code(KEY, 4, 2))
    assert sum(done) == found.trials == 50_000
    assert found.decoders["gc"].outage.method == "exact"
    for decoder, value in (
        ("gc_plus", 1 - truth.gc_plus_full),
        ("row_space", 1 - truth.row_space_exact),
    ):
        estimate = found.decoders[decoder].outage
        slack = 1.5 * (estimate.high - estimate.low) / 2
        assert abs(estimate - value) < slack


@pytest.fixture(scope="module")
def rare():
    """A target between what gc and what row_space reach with the cyclic code, s = 2."""
    network = unequal(4, 1, 0.01)
    order = next(
        c.order
        for c in design(network, target=0.1, max_attempts=1).candidates
        if (c.scheme, c.code, c.stragglers) == ("gc", "cyclic", 2)
    )
    truth = enumerate_outcomes(network.permuted(order), cyclic_code(KEY, 4, 2))
    return network, (float(truth.gc_outage) * float(1 - truth.row_space_exact)) ** 0.5


@pytest.mark.slow
def test_targets_too_rare_to_count(rare, monkeypatch, repetitions):
    """Weighted trials find the design that enumeration finds, with its outage."""
    network, target = rare
    assert target < 1e-5
    exact = design(network, target=target, max_attempts=1)
    outages = {(c.code, c.stragglers, c.order, c.scheme): c.outage for c in exact.candidates}
    monkeypatch.setattr(exact_outage, "_MOST_PATTERNS", 3)
    stages = []
    found = design(
        network,
        target=target,
        max_attempts=1,
        num_trials=repetitions(60_000, 400_000),
        advance=lambda stage, share: stages.append(stage),
    )
    assert exact.reached
    assert found.reached
    names = ("code", "stragglers", "scheme", "order", "peer_uses")
    assert [getattr(found.chosen, n) for n in names] == [getattr(exact.chosen, n) for n in names]
    chosen = found.chosen
    assert chosen.outage.method == "importance"
    assert chosen.trials is not None
    assert not chosen.flagged
    half = (chosen.outage.high - chosen.outage.low) / 2
    assert 0 < half < 0.2 * chosen.outage
    assert abs(chosen.outage - exact.chosen.outage) < 2 * half
    assert {"rare events: short runs", "rare events: long runs"} <= set(stages)
    for c in found.candidates:
        truth = outages.get((c.code, c.stragglers, c.order, c.scheme))
        if c.order is None or truth is None:
            continue
        if c.trials is None:
            assert c.outage == pytest.approx(float(truth), rel=1e-9)
        else:  # the bounds that need no trial hold in any case
            slack = 2 * (c.outage.high - c.outage.low)
            assert c.outage.low - slack <= truth <= c.outage.high + slack


@pytest.mark.slow
def test_a_flagged_estimate_decides_nothing(rare, monkeypatch):
    network, target = rare
    monkeypatch.setattr(exact_outage, "_MOST_PATTERNS", 3)
    monkeypatch.setattr(weighted, "ENOUGH", 1e12)
    found = design(network, target=target, max_attempts=1, num_trials=20_000)
    flagged = [c for c in found.candidates if c.flagged]
    assert flagged
    assert all(c.outage.method == "importance" for c in flagged)
    gc = {(c.code, c.stragglers, c.order): c for c in found.candidates if c.scheme == "gc"}
    for c in flagged:
        standard = gc[c.code, c.stragglers, c.order].outage
        assert c.outage.high == (standard.best if standard.method == "exact" else 1.0)
    # What standard decoding reaches is known without a trial: that costs more, but it is sure.
    assert found.reached
    assert found.chosen.stragglers > 2


@pytest.mark.slow
def test_no_decoder_falls_below_the_lowest_outage():
    for seed in (1, 2):
        network = unequal(4, seed, 0.4)
        setting = Setting.from_key(KEY, network, 0.95)
        for config in (
            CodeConfig("cyclic", 2, 1, False, (0, 2, 1, 3)),
            CodeConfig("fractional-repetition", 1, 1, False, (0, 1, 2, 3)),
            CodeConfig("uncoded", 0, 1, False, (0, 1, 2, 3)),
        ):
            place, code = network.permuted(config.order), setting.code(config)
            truth = 1 - float(enumerate_outcomes(place, code).row_space_exact)
            lowest = lowest_outage(setting, config)
            assert 0.02 * truth < lowest <= truth + 1e-12
        assert lowest == pytest.approx(network.uplink_erasure.max())


def test_wrong_arguments_are_named():
    network = unequal(3, 4)
    for settings, words in (
        ({"target": 0.0}, "target = 0.0"),
        ({"objective": "speed"}, "uplink, total, privacy"),
        ({"order": "best"}, "fixed, random, optimised"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_tries": 0}, "max_tries"),
        ({"num_trials": 0}, "num_trials"),
    ):
        with pytest.raises(ValueError, match=words):
            design(network, **settings)
