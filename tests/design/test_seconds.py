"""Designs by the clock: expected seconds of a round, and of an exact one."""

import jax
import numpy as np
import pytest

from jaxcogc.design.candidates import uncoded_candidates
from jaxcogc.design.code_outage import Setting
from jaxcogc.design.rounds import Accuracy
from jaxcogc.design.search import design
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.laws.waiting_times import MessageSeconds, retransmission_slots

KEY = jax.random.key(3)
NETWORK = Network([0.1, 0.5, 0.3], [[0, 0.2, 0.1], [0.3, 0, 0.2], [0.1, 0.4, 0]])
COSTS = {"target": 0.6, "max_attempts": 2, "max_tries": 3, "order": "fixed"}


@pytest.mark.parametrize("dynamics", [None, LinkDynamics(memory=0.5)])
@pytest.mark.parametrize("channel", ["parallel", "shared"])
def test_clients_that_send_until_heard_against_drawn_tries(channel, dynamics):
    """The largest number of tries, or all of them, counted in drawn rounds."""
    seconds = MessageSeconds(2.0, 5.0, 0.5, channel)
    setting = Setting.from_key(KEY, NETWORK, 0.95, dynamics)._replace(seconds=seconds)
    found = {(c.scheme, c.attempts): c for c in uncoded_candidates(setting, 1e-9, 3, Accuracy())}
    generator, trials = np.random.default_rng(2), 100_000
    memory = 0.0 if dynamics is None else dynamics.memory
    bad = np.asarray(NETWORK.uplink_erasure)
    state = generator.random((trials, 3)) < bad
    waiting, tries = np.ones((trials, 3), bool), np.zeros((trials, 3))
    for _ in range(3):
        tries += waiting
        waiting &= state
        anew = generator.random((trials, 3)) >= memory
        state = np.where(anew, generator.random((trials, 3)) < bad, state)
    used = tries.max(axis=1) if channel == "parallel" else tries.sum(axis=1)
    drawn = 2.0 + 0.5 * used
    error = 5 * drawn.std() / trials**0.5
    assert abs(found["retransmission", 3].seconds - drawn.mean()) < error
    often = 3 if channel == "parallel" else 9
    assert found["intermittent", 3].seconds == pytest.approx(2.0 + 0.5 * often)
    if dynamics is None:
        slots = getattr(retransmission_slots(NETWORK, 3), channel)
        assert found["retransmission", 3].seconds == pytest.approx(2.0 + 0.5 * slots, rel=1e-12)


@pytest.mark.slow
def test_coded_rounds_and_the_choice():
    """C + A (t_p + t_u) at once, or C + uses; the choice takes the least for an exact round."""
    for channel in ("parallel", "shared"):
        seconds = MessageSeconds(1.0, 0.25, 0.5, channel)
        result = design(NETWORK, seconds=seconds, objective="seconds", **COSTS)
        for c in result.candidates:
            if c.code is None:
                continue
            peers = 0.25 * c.attempts * (c.stragglers > 0)
            expected = 1.0 + peers + 0.5 * c.attempts
            if channel == "shared":
                expected = 1.0 + 0.25 * c.peer_uses + 0.5 * c.uplink_uses
            assert c.seconds == pytest.approx(expected)
        reach = [c for c in result.candidates if c.reaches]
        each = [c.seconds / (1 - float(c.outage)) for c in reach]
        assert result.chosen is reach[int(np.argmin(each))]
    plain = design(NETWORK, **COSTS)
    assert {c.seconds for c in plain.candidates} == {None}


def test_seconds_must_be_told():
    with pytest.raises(ValueError, match='objective = "seconds" without seconds'):
        design(NETWORK, objective="seconds", **COSTS)
