"""Collaborative relaying in the cost model of a design."""

import jax
import numpy as np
import pytest

from jaxcogc import colrel_weights
from jaxcogc.design.code_outage import Setting
from jaxcogc.design.ranking import ranked
from jaxcogc.design.relayed import relayed_candidates
from jaxcogc.design.rounds import Accuracy, rounds_with_holds, rounds_without_bias
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.laws.waiting_times import MessageSeconds

KEY = jax.random.key(3)
PEER = np.full((4, 4), 0.3) * (1 - np.eye(4))
NETWORK = Network([0.1, 0.5, 0.3, 0.8], PEER)


def found(network=NETWORK, attempts=2, broadcast=False, **fields):
    setting = Setting.from_key(KEY, network, 0.95)._replace(**fields)
    return relayed_candidates(setting, attempts, broadcast, Accuracy())


def test_costs_are_those_of_its_messages():
    seconds = MessageSeconds(2.0, 0.1, 1.0)
    once, twice = found(seconds=seconds)
    pairs = float((colrel_weights(NETWORK) > 0).sum() - 4)
    assert (once.peer_uses, once.uplink_uses, twice.peer_uses) == (pairs, 4.0, 2 * pairs)
    assert once.seconds == pytest.approx(2 + pairs * 0.1 + 4)
    assert twice.rounds < once.rounds  # half the variance
    assert once.outage.best == 1.0
    assert found(broadcast=True)[1].peer_uses <= min(8.0, 2 * pairs)
    assert ranked([once, twice], 0.1, "uplink")[0].reaches is False


def test_revealed_updates_where_nobody_passes_on_or_everybody_hears():
    deaf = Network([0.3, 0.6], [[0, 1.0], [1.0, 0]])
    assert found(deaf, 1)[0].revealed == pytest.approx(0.7 + 0.4, abs=0.06)
    assert found(deaf, 1)[0].peer_uses == 0.0
    weights = colrel_weights(NETWORK)
    assert 4 < (weights > 0).sum() < 16
    assert 0 < found(attempts=1)[0].revealed < 2.3  # who sends its own update: 2.3


def test_perfect_links_are_exact_and_hopeless_ones_no_candidate():
    assert found(Network(np.zeros(4), np.zeros((4, 4))), 1)[0].outage.best == 0.0
    assert not found(Network([0.1, 1.0], [[0, 1.0], [1.0, 0]]))
    assert not found(dynamics=LinkDynamics(memory=0.5))
    assert rounds_without_bias(0.0, 4, Accuracy()) == rounds_with_holds(0.0, 4, Accuracy())
