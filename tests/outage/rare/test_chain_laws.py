"""Importance sampling of links in time, against enumeration and exact laws."""

import itertools

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code, fractional_repetition_code, redraw
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import OUTCOMES
from jaxcogc.outage.counts import outcomes_to_dict
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.laws.gc_outage import gc_outage_probability
from jaxcogc.outage.rare.chain_laws import ChainLaw, ChainLaws
from jaxcogc.outage.rare.chain_table import chain_table
from jaxcogc.outage.rare.failure_modes import failure_modes
from jaxcogc.outage.rare.link_laws import Drawn
from jaxcogc.outage.rare.rare_events import rare_outcomes
from tests.outage.rare.test_rare_events import assert_agree, standard_error

KEY = jax.random.key(71)
HARD = LinkDynamics(memory=0.6)
SOFT = LinkDynamics(memory=0.7, good_erasure=0.01, bad_erasure=0.9)
BLOCKED = LinkDynamics(memory=0.3, block_probability=[0.01, 0.0, 0.02])
CASES = {
    "hard": (HARD, False),
    "soft": (SOFT, False),
    "blocked": (BLOCKED, False),
    "kept": (None, True),
    "all": (LinkDynamics(memory=0.5, good_erasure=0.02, block_probability=0.05), True),
}


def unequal(clients=3, scale=1.0, reciprocal=False):
    """Of unequal links, one of which never fails."""
    generator = np.random.default_rng(3)
    peer = scale * generator.uniform(0.02, 0.12, (clients, clients))
    if reciprocal:
        peer = np.maximum(peer, peer.T)
    else:
        peer[0, 1] = 0.02
    np.fill_diagonal(peer, 0.0)
    return Network(scale * generator.uniform(0.02, 0.2, clients), peer, reciprocal)


@pytest.mark.slow
@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("kind", CASES)
def test_all_outcomes_against_enumeration(kind, reciprocal, repetitions):
    """11 estimates at 4 standard errors each of 10 cases: fails falsely once in 150 seeds."""
    dynamics, keep_heard = CASES[kind]
    network, code = unequal(reciprocal=reciprocal), cyclic_code(KEY, 3, 1)
    how = {"num_attempts": 2, "dynamics": dynamics, "keep_heard": keep_heard}
    exact = enumerate_outcomes(network, code, **how)
    trials = repetitions(20_000, 400_000)
    rare = rare_outcomes(KEY, network, code, num_trials=trials, **how)
    assert assert_agree(rare, exact) >= 6
    assert "gc_outage" not in rare.flagged


@pytest.mark.slow
@pytest.mark.parametrize("keep_heard", [False, True])
@pytest.mark.parametrize("memory", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("erasure", [1e-2, 1e-4])
def test_rare_failures_of_standard_decoding(erasure, memory, keep_heard):
    """Down to 1e-20, by client tilts: to 5 % with 2e4 trials."""
    network = Network.homogeneous(6, uplink_erasure=erasure, peer_erasure=erasure / 2)
    how = {
        "num_attempts": 2,
        "dynamics": LinkDynamics(memory=memory),
        "keep_heard": keep_heard,
    }
    law = gc_outage_probability(network, 2, **how)
    rare = rare_outcomes(KEY, network, cyclic_code(KEY, 6, 2), num_trials=20_000, **how)
    found = rare.outcomes.gc_outage
    assert "gc_outage" not in rare.flagged
    assert standard_error(found) < 0.08 * law
    assert abs(found - law) < 4 * standard_error(found)


@pytest.mark.slow
def test_blocked_clients_and_certain_links():
    """A link that never fails by itself does when an end is blocked."""
    network = Network.homogeneous(4, uplink_erasure=1e-3, peer_erasure=0.0)
    dynamics = LinkDynamics(memory=0.5, block_probability=[1e-3, 1e-4, 0.0, 1e-3])
    code = fractional_repetition_code(4, 1)
    exact = enumerate_outcomes(network, code, num_attempts=2, dynamics=dynamics)
    rare = rare_outcomes(KEY, network, code, num_trials=20_000, num_attempts=2, dynamics=dynamics)
    assert assert_agree(rare, exact) >= 5
    always = LinkDynamics(block_probability=[0.0, 1.0, 0.0, 0.0])
    rare = rare_outcomes(KEY, network, code, num_trials=5_000, dynamics=always)
    assert rare.outcomes.row_space_exact == 0.0


@pytest.mark.slow
def test_redrawn_codes_on_links_with_memory():
    code = redraw(KEY, cyclic_code(KEY, 3, 1), 2)
    exact = enumerate_outcomes(unequal(), code, num_attempts=2, dynamics=HARD)
    rare = rare_outcomes(KEY, unequal(), code, num_trials=20_000, num_attempts=2, dynamics=HARD)
    assert assert_agree(rare, exact) >= 6


def small_laws(kind):
    dynamics, keep_heard = CASES[kind]
    code = cyclic_code(KEY, 3, 1)
    table = chain_table(unequal(scale=3.0), code, 2, dynamics)
    return table, ChainLaws(table, keep_heard=keep_heard)


def every_trial(table):
    """All erasures of all chains, and all blocked sets."""
    shape = (*table.bad.shape, table.num_attempts)
    patterns = np.array(list(itertools.product([False, True], repeat=int(np.prod(shape)))))
    return patterns.reshape(-1, *shape)


def tilted(table, laws):
    generator = np.random.default_rng(8)
    bad = generator.uniform(0.1, 0.9, (len(table.bad), 2))
    blocking = np.where(table.blocking > 0, 0.4, 0.0)
    return [
        laws.plain(),
        ChainLaw(bad, blocking),
        ChainLaw(laws.plain().bad, blocking, np.array([0.5, 0.9, 0.2])),
    ]


@pytest.mark.parametrize("kind", CASES)
def test_laws_add_up_and_are_what_is_drawn(kind):
    """Densities over all trials add to 1; draws follow them, trial by trial, within 5 sigma."""
    table, laws = small_laws(kind)
    erased = every_trial(table)
    blocked = np.array(list(itertools.product([False, True], repeat=3)))
    weights = 2 ** np.arange(erased[0].size)
    chain_words = erased.reshape(len(erased), -1) @ weights
    no_one = np.zeros((len(erased), 3), bool)
    seen = laws.seen(Drawn(erased, no_one), None)
    generator = np.random.default_rng(5)
    for law in tilted(table, laws):
        ratio = np.exp(
            laws.log_ratios([law], seen)[:, 0]
            - laws.log_ratios([laws.plain()._replace(blocking=law.blocking)], seen)[:, 0]
        )
        expected = np.zeros(len(erased))
        expected[chain_words] = np.exp(seen.plain) * ratio
        assert expected.sum() == pytest.approx(1.0, rel=1e-10)
        drawn = laws.draw(generator, law, 100_000)
        counts = np.bincount(drawn.erased.reshape(100_000, -1) @ weights, minlength=len(expected))
        spread = np.sqrt(1e5 * expected * (1 - expected)) + 1.0
        assert np.abs((counts - 1e5 * expected) / spread).max() < 6
        np.testing.assert_allclose(drawn.blocked.mean(axis=0), law.blocking, atol=0.01)
        if law.blocking.any():
            none = np.zeros((8, *erased.shape[1:]), bool)
            both = laws.seen(Drawn(none, blocked), None)
            plain = np.where(blocked, table.blocking, 1 - table.blocking).prod(axis=1)
            logs = laws.log_ratios([laws.plain()._replace(blocking=law.blocking)], both)
            assert plain @ np.exp(logs[:, 0]) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("keep_heard", [False, True])
@pytest.mark.parametrize("attempts", [1, 3])
def test_a_row_fails_exactly_if_it_shows_a_mode(attempts, keep_heard):
    code = cyclic_code(KEY, 4, 2)
    table = chain_table(unequal(4), code, attempts, HARD)
    modes = failure_modes(table, keep_heard)
    erased = np.random.default_rng(1).random((400, len(table.bad), attempts)) < 0.5
    counts = modes.counts(table, erased)
    support = np.asarray(code.field_matrix) != 0
    number = {tuple(end): c for c, end in enumerate(table.ends.tolist())}
    for trial in range(400):
        for m in range(4):
            peers = [number[m, k] for k in range(4) if k != m and support[m, k]]
            found = []
            for a in range(attempts):
                earlier = 0 if keep_heard else a
                heard = all((~erased[trial, c, earlier : a + 1]).any() for c in peers)
                found.append(heard and not erased[trial, number[m, m], a])
            assert (counts[trial, m] == 0) == any(found)
            shown = sum(
                all(c < 0 or erased[trial, c, a] for a, c in enumerate(mode))
                for mode in modes.chains[m].tolist()
            )
            assert counts[trial, m] == shown


@pytest.mark.slow
def test_a_wrong_memory_in_the_weights_is_seen(monkeypatch):
    """Weights of chains that forget, trials of chains that do not."""
    network, code = unequal(), cyclic_code(KEY, 3, 1)
    exact = enumerate_outcomes(network, code, num_attempts=2, dynamics=HARD)
    right = ChainLaws._log_density

    def forgets(self, bad, erased):
        table, self.table = self.table, self.table._replace(memory=0 * self.table.memory)
        logs = right(self, bad, erased)
        self.table = table
        return logs

    monkeypatch.setattr(ChainLaws, "_log_density", forgets)
    rare = rare_outcomes(KEY, network, code, num_trials=40_000, num_attempts=2, dynamics=HARD)
    errors = [
        abs(getattr(rare.outcomes, name) - float(getattr(exact, name)))
        / standard_error(getattr(rare.outcomes, name))
        for name in OUTCOMES
        if name not in rare.flagged
    ]
    assert max(errors) > 6


@pytest.mark.slow
def test_strata_are_of_independent_links():
    network, code = unequal(), cyclic_code(KEY, 3, 1)
    for how in ({"dynamics": HARD}, {"keep_heard": True}, {"dynamics": BLOCKED}):
        with pytest.raises(ValueError, match="allowed are independent links"):
            rare_outcomes(KEY, network, code, num_trials=10, method="strata", **how)
    plain = rare_outcomes(KEY, network, code, num_trials=2000, dynamics=LinkDynamics())
    same = rare_outcomes(KEY, network, code, num_trials=2000)
    assert outcomes_to_dict(plain.outcomes) == outcomes_to_dict(same.outcomes)
