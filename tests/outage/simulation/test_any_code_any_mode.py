"""The compiled program for supports of any shape, and in both modes of JAX."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxcogc import GradientCode, Network, enumerate_outcomes, simulate_outcomes
from tests.cli.program import environment
from tests.places import PROJECT

TRIALS = 2**14
OUTCOMES = ("gc_outage", "gc_plus_full", "gc_plus_none", "row_space_exact", "all_individuals")


def shifted(clients: int, *offsets: int) -> GradientCode:
    """Row m holds the updates of the clients m + offset."""
    rows = sum(np.roll(np.eye(clients), offset, axis=1) for offset in offsets)
    return GradientCode.from_matrix(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clients", "offsets"), [(4, (2,)), (4, (3,)), (5, (2, 3)), (4, (1, 3)), (4, (0, 2, 3))]
)
def test_rows_need_not_hold_their_own_client(clients: int, offsets: tuple[int, ...]) -> None:
    """Within 5 standard errors of enumeration: fails by chance in 1 of 60 000 runs a case."""
    network = Network.homogeneous(clients, uplink_erasure=0.1, peer_erasure=0.2)
    code = shifted(clients, *offsets)
    exact = enumerate_outcomes(network, code)
    counted = simulate_outcomes(jax.random.key(3), network, code, num_trials=TRIALS)
    for name in OUTCOMES:
        p = float(getattr(exact, name))
        error = np.sqrt(max(p * (1 - p), 1e-12) / TRIALS)
        assert abs(float(getattr(counted, name)) - p) <= 5 * error + 1e-9, name


PROGRAM = """
import json, jax, jaxcogc
sizes = ((5, 2, 2, 0.5, 0.3), (33, 3, 1, 0.05, 0.01))
for num_trials in (None, 3000):
  for clients, stragglers, attempts, uplink, peer in sizes:
    network = jaxcogc.Network.homogeneous(clients, uplink_erasure=uplink, peer_erasure=peer)
    code = jaxcogc.cyclic_code(jax.random.key(0), clients, stragglers)
    simulation = jaxcogc.compile_simulation(
        network, code, num_attempts=attempts, num_trials=num_trials
    )
    (counts,) = simulation.counts(jax.random.key(1), network, code, 3000)
    print(json.dumps([counts.gc, counts.rank_sum, counts.client_recovered.tolist()]))
"""


@pytest.mark.slow
def test_every_size_class_counts_the_same_in_64_bit_mode() -> None:
    """One word of offsets and two, elimination, the walk around the ring, and plain loops."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            check=True,
            cwd=PROJECT,
            env=environment(JAX_ENABLE_X64=mode),
        )
        for mode in "01"
    ]
    one, other = ([json.loads(line) for line in run.stdout.splitlines()] for run in runs)
    assert one == other
    assert one[:2] == one[2:], "the program for few trials counts otherwise"
    assert len(one) == 4
    assert all(0 < recovered < 3000 for recovered, *_ in one)
