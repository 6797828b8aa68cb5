"""Rounds that are repeated until something is recovered."""

import sys

import jax
import numpy as np
import pytest

from jaxcogc import Network, cyclic_code, gc_outage_probability
from jaxcogc.coding.codes import redraw
from tests.checks import mean_p_value, surprises
from tests.federated.aggregation.drawn_rounds import NUM_ROUNDS, draw_many, of
from tests.places import EXAMPLES

sys.path.append(str(EXAMPLES))
from round_by_hand import Round, known_clients, received_rows


@pytest.mark.slow
def test_repeats_go_on_until_something_is_recovered():
    network = Network.homogeneous(3, uplink_erasure=0.6, peer_erasure=0.3)
    code = cyclic_code(jax.random.key(1), 3, 1)
    names = ("intermittent", "gc")
    drawn = draw_many(names, network, code, max_repeats=2)
    rates = {"intermittent": 0.6**3, "gc": float(gc_outage_probability(network, 1))}
    for name, rate in rates.items():
        found = of(name, drawn, names)
        held, tries = found.hold.mean(), found.uplink_uses // 3
        p_values = {
            "held": mean_p_value(held, NUM_ROUNDS, rate**3, 1.0),
            "tries": mean_p_value(tries.mean(), NUM_ROUNDS, 1 + rate + rate**2, 3.0),
        }
        assert not surprises(p_values)
        assert set(tries[found.hold]) == {3}
        np.testing.assert_array_equal(found.peer_uses, 0 if name == "intermittent" else 3 * tries)
    assert_revealed_by_hand(of("gc", drawn, names), network, code, repeats=3)


def assert_revealed_by_hand(found, network, code, repeats):
    """Revealed of all that was received in all repeats, of some held rounds of seed 5."""
    attempts = len(code.matrix) if code.redrawn else 1
    for number in np.flatnonzero(found.hold)[:8]:
        rows = []
        for repeat in range(repeats):
            sent = Round(5, number, network, code, attempts, attempts, repeat)
            rows += received_rows(sent)
        known = known_clients([row for row, _ in rows], network.num_clients)
        assert found.num_revealed[number] == len(known)


@pytest.mark.slow
def test_a_repeat_sends_with_the_redrawn_codes_of_the_round():
    network = Network.homogeneous(3, uplink_erasure=0.6, peer_erasure=0.3)
    code = redraw(jax.random.key(2), cyclic_code(jax.random.key(1), 3, 1), 2)
    drawn = draw_many(("gc",), network, code, 400, num_attempts=2, max_repeats=1)
    assert 10 < drawn.hold.sum() < 390
    assert_revealed_by_hand(of("gc", drawn, ("gc",)), network, code, repeats=2)


def test_repeated_codes_are_whole_codes():
    """Both matrices, on the host and traced: no object with one that is made up."""
    code = redraw(jax.random.key(2), cyclic_code(jax.random.key(1), 4, 1), 2)
    traced = jax.jit(lambda code: code.repeated(3))(code)
    for found in (code.repeated(3), traced):
        np.testing.assert_array_equal(found.matrix, np.tile(code.matrix, (3, 1, 1)))
        np.testing.assert_array_equal(found.field_matrix, np.tile(code.field_matrix, (3, 1, 1)))
        assert (found.family, found.redrawn, int(found.num_stragglers)) == ("cyclic", True, 1)
