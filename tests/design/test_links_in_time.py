"""Designs for links that remember, blocked clients, and clients that keep what they heard."""

import itertools
from functools import partial

import jax
import numpy as np
import pytest

from jaxcogc.design.code_outage import Setting
from jaxcogc.design.configurations import CodeConfig, code_configs
from jaxcogc.design.exact_outage import lowest_outage
from jaxcogc.design.link_uses import never_heard, peer_uses
from jaxcogc.design.ring_order import RANDOM
from jaxcogc.design.search import design, evaluate
from jaxcogc.design.simulated_outage import compiled_counting, counted_on_host, weighted
from jaxcogc.links.draws import draw_links
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.laws.gc_outage import gc_outage_probability
from tests.design.test_random_placement import unequal

KEY = jax.random.key(90)
BLOCKED = LinkDynamics(memory=0.5, block_probability=[0.02, 0.2, 0.1])
SOFT = LinkDynamics(memory=0.7, good_erasure=0.0, bad_erasure=0.95, block_probability=0.05)
OWN = (0, 1, 2)


def exactly(setting, config, order):
    placed = config._replace(order=order)
    dynamics = setting.dynamics.permuted(order)
    outcomes = enumerate_outcomes(
        setting.network.permuted(order),
        setting.code(placed),
        num_attempts=config.attempts,
        dynamics=dynamics,
        keep_heard=config.keep_heard,
    )
    return {decoder: float(outage) for decoder, outage in outcomes.outages().items()}


CASES = [
    *((counted_on_host, order, d) for order in ((2, 0, 1), RANDOM) for d in (BLOCKED, SOFT)),
    *((weighted, (2, 0, 1), d) for d in (BLOCKED, SOFT)),
    ("compiled", (2, 0, 1), SOFT),
]


@pytest.mark.slow
@pytest.mark.parametrize(("sample", "order", "dynamics"), CASES)
@pytest.mark.parametrize("keep_heard", [False, True])
def test_trials_against_enumeration(dynamics, order, sample, keep_heard, monkeypatch):
    """3 decoders, 5 standard errors, 14 cases: fails falsely once in 40 000 seeds."""
    setting = Setting.from_key(KEY, unequal(3, 5), 0.95, dynamics)
    config = CodeConfig("cyclic", 1, 2, False, order, keep_heard)
    orders = list(itertools.permutations(OWN)) if order == RANDOM else [order]
    each = [exactly(setting, config, o) for o in orders]
    if sample == "compiled":
        monkeypatch.setattr("jaxcogc.design.exact_outage._MOST_PATTERNS", 1)
        sample = compiled_counting(setting, [config], links_by_host=False)
    trials = 40_000
    found = sample(setting, config, trials, lambda done: None)
    for decoder in each[0]:
        truth = float(np.mean([outages[decoder] for outages in each]))
        outage = found.decoders[decoder].outage
        spread = max((outage.high - outage.low) / 3.92, 1e-4)
        assert abs(outage.best - truth) < 5 * spread, decoder


@pytest.mark.slow
@pytest.mark.parametrize("keep_heard", [False, True])
@pytest.mark.parametrize("dynamics", [BLOCKED, SOFT], ids=["blocked", "soft"])
def test_what_is_known_without_trials(dynamics, keep_heard):
    """Enumerated, over placements too; and no outage is below the lowest one."""
    setting = Setting.from_key(KEY, unequal(3, 5), 0.95, dynamics)
    for order in (RANDOM, (2, 0, 1)):
        config = CodeConfig("cyclic", 1, 2, False, order, keep_heard)
        found = evaluate(setting, counted_on_host, config, 1, lambda done: None)
        orders = list(itertools.permutations(OWN)) if order == RANDOM else [order]
        each = [exactly(setting, config, o) for o in orders]
        for decoder, known in found.decoders.items():
            mean = np.mean([outages[decoder] for outages in each])
            assert known.outage.method == "exact"
            assert float(known.outage) == pytest.approx(mean, abs=1e-7)
        assert lowest_outage(setting, config) <= each[0]["row_space"] + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("broadcast", [False, True])
@pytest.mark.parametrize("dynamics", [None, BLOCKED, SOFT], ids=["plain", "blocked", "soft"])
def test_what_is_sent_to_clients_that_keep(dynamics, broadcast):
    """Against messages counted in drawn rounds: a link is used while somebody still needs it."""
    setting = Setting.from_key(KEY, unequal(3, 5), 0.95, dynamics)
    order = (1, 2, 0)
    config = CodeConfig("cyclic", 1, 3, False, order, keep_heard=True)
    place = setting.placed(config)
    draw = partial(draw_links, num_attempts=3, dynamics=setting.link_use(config)["dynamics"])
    links = jax.vmap(draw, (0, None))(jax.random.split(KEY, 20_000), place)
    peers = np.asarray(links.peer_delivered)  # [trials, attempts, receivers, senders]
    support = np.asarray(setting.code(config).field_matrix[0]) != 0
    used = np.zeros(len(peers))
    for k in range(3):
        listeners = [m for m in range(3) if m != k and support[m, k]]
        heard = np.zeros((len(peers), len(listeners)), bool)
        for a in range(3):
            used += (~heard.all(axis=1)) if broadcast else (~heard).sum(axis=1)
            heard |= peers[:, a, listeners, k]
    expected = peer_uses(setting, config, broadcast)
    assert abs(used.mean() - expected) < 5 * used.std() / len(used) ** 0.5
    forgets = config._replace(keep_heard=False)
    assert peer_uses(setting, forgets, broadcast) == 9.0 > expected


def test_a_client_that_sends_without_a_code():
    setting = Setting.from_key(KEY, unequal(3, 5), 0.95, BLOCKED)
    unheard = never_heard(setting, 2)
    w, blocked = setting.network.uplink_erasure, np.array([0.02, 0.2, 0.1])
    stays = 0.5 + 0.5 * w
    np.testing.assert_allclose(unheard[1], 1 - (1 - w) * (1 - blocked), rtol=1e-12)
    np.testing.assert_allclose(unheard[2], 1 - (1 - w * stays) * (1 - blocked), rtol=1e-12)
    plain = Setting.from_key(KEY, unequal(3, 5), 0.95)
    np.testing.assert_allclose(never_heard(plain, 3)[3], w**3, rtol=1e-14)


@pytest.mark.slow
def test_keeping_is_compared_and_chosen():
    """At ten clients standard decoding has .146 outages instead of .810; laws are in the answer."""
    network = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
    configs = code_configs(network, 2, "fixed", keep_heard=True)
    assert CodeConfig("cyclic", 7, 2, False, tuple(range(10)), True) in configs
    assert not any(c.keep_heard for c in configs if c.attempts == 1 or c.stragglers == 0)
    assert len(set(configs)) == len(configs)
    small = Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.25)
    how = {"target": 0.5, "max_attempts": 2, "order": "fixed", "keep_heard": True}
    result = design(small, dynamics=LinkDynamics(memory=0.3), **how)
    for kept in (False, True):
        for stragglers in (1, 2):
            (found,) = (
                c
                for c in result.candidates
                if (c.code, c.scheme, c.keep_heard) == ("cyclic", "gc", kept)
                and (c.stragglers, c.attempts, c.redraw_code) == (stragglers, 2, False)
            )
            law = gc_outage_probability(
                small, stragglers, 2, dynamics=LinkDynamics(memory=0.3), keep_heard=kept
            )
            assert float(found.outage) == pytest.approx(law, rel=1e-12)
    best = min((c for c in result.candidates if c.scheme == "gc"), key=lambda c: float(c.outage))
    assert best.keep_heard


def test_rounds_that_hang_together_have_no_bound_for_partial_averages():
    network = Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.25)
    config = CodeConfig("cyclic", 1, 2, False, RANDOM)
    for dynamics, apart in (
        (None, True),
        (LinkDynamics(memory=0.5), False),
        (LinkDynamics(memory=0.5, round_memory=0.0), True),
        (LinkDynamics(block_probability=0.1), True),
        (LinkDynamics(block_probability=0.1, block_memory=0.5), False),
    ):
        assert Setting.from_key(KEY, network, 0.95, dynamics).averages_fairly(config) == apart
