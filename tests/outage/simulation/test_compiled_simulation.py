"""One compiled program for a whole sweep, and what it refuses."""

import itertools

import jax
import pytest

from jaxcogc.coding.codes import cyclic_code, uncoded
from jaxcogc.links.network import Network
from jaxcogc.outage.simulation.monte_carlo import compile_simulation, simulate_outcomes
from tests.checks import simulate_counts

KEY = jax.random.key(20)
NETWORK = Network([0.4, 0.2, 0.6], [[0.0, 0.3, 0.5], [0.2, 0.0, 0.1], [0.7, 0.4, 0.0]])
CODE = cyclic_code(jax.random.key(2), 3, 1)


def test_one_program_serves_a_whole_sweep():
    """Any probabilities, any number of stragglers, any number of trials: nothing compiles."""
    simulate_counts(
        KEY, NETWORK, CODE, 2**20, num_attempts=2
    )  # compiles what is still missing, for long runs too
    compiled = []

    def listen(event, seconds, **kwargs):
        if "backend_compile" in event:
            compiled.append(event)

    codes = [cyclic_code(jax.random.key(s), 3, s) for s in range(3)]
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        found = set()
        for code, p in itertools.product(codes, (0.0, 1e-9, 0.1, 0.5, 1.0)):
            network = Network.homogeneous(3, uplink_erasure=p, peer_erasure=p)
            for num_trials in (1, 30_000):
                simulation = compile_simulation(network, code, num_attempts=2)
                assert simulation.compile_seconds < 1.0
                total = sum(c.gc for c in simulation.counts(KEY, network, code, num_trials))
                found.add((num_trials, total))
        assert not compiled
        jax.jit(lambda x: x + len(found))(0)
        assert compiled, "the listener hears nothing"
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert len(found) > 8


@pytest.mark.parametrize(
    ("num_trials", "message"),
    [
        (0, r"num_trials = 0: must lie in 1\.\."),
        (-1, r"num_trials = -1: must lie in 1\.\."),
        (1.5, r"num_trials = 1\.5: must be a whole number"),
        (True, r"num_trials = True: must be a whole number"),
    ],
)
def test_impossible_numbers_of_trials_are_refused(num_trials, message):
    with pytest.raises(ValueError, match=message):
        simulate_counts(KEY, NETWORK, CODE, num_trials, num_attempts=2)


def test_what_does_not_fit_is_refused():
    simulation = compile_simulation(NETWORK, CODE, num_attempts=2)
    four = Network.homogeneous(4, uplink_erasure=0.1, peer_erasure=0.1)
    other = cyclic_code(jax.random.key(0), 4, 1)
    symmetric = Network.homogeneous(3, uplink_erasure=0.1, peer_erasure=0.1, reciprocal=True)
    for network, code in [(four, CODE), (four, other), (NETWORK, other), (symmetric, CODE)]:
        with pytest.raises(ValueError, match="must have the shape"):
            next(simulation.counts(KEY, network, code, 10))
    with pytest.raises(ValueError, match="the code has 4 clients, the network 3"):
        compile_simulation(NETWORK, other)
    with pytest.raises(ValueError, match="tile = 100: must be"):
        compile_simulation(NETWORK, CODE, tile=100)
    with pytest.raises(ValueError, match="num_attempts = 0: must"):
        simulate_outcomes(KEY, NETWORK, CODE, num_trials=10, num_attempts=0)
    with pytest.raises(ValueError, match="redraw_code: code family 'uncoded'"):
        simulate_outcomes(KEY, NETWORK, uncoded(3), num_trials=10, redraw_code=True)
