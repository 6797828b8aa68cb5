"""Which compiled programs an engine keeps for the points of a study."""

import pytest

from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.kernels import reach
from jaxcogc.study.collection import simulation_engine
from jaxcogc.study.collection.simulation_engine import SimulationEngine
from jaxcogc.study.specification.study_file import parse_study

STUDY = """
[network]
clients = 24
uplink_erasure = [0.1, 0.2]
peer_erasure = 0.05
[code]
stragglers = [2, 1, 3, 4]
[stop]
max_trials = 1
"""


def test_a_program_serves_all_points_whose_codes_it_serves(monkeypatch):
    compiled = []

    class Program:
        def __init__(self, network, code, **protocol):
            self.most = code.num_stragglers
            compiled.append(self.most)

        def serves(self, code):
            return code.num_stragglers <= self.most

    monkeypatch.setattr(simulation_engine, "compile_blocks", Program)
    engine = SimulationEngine()
    by_stragglers = {}
    for point in parse_study(STUDY).points:
        by_stragglers.setdefault(point.stragglers, []).append(point)
    for stragglers in (2, 1, 3, 4, 1, 2):
        for point in by_stragglers[stragglers]:
            assert engine.is_ready(point) == (stragglers <= max(compiled, default=0))
            assert engine._program(point).most >= stragglers
            assert engine.is_ready(point)
    assert compiled == [2, 3, 4]


@pytest.mark.slow
def test_counts_of_a_code_that_reaches_further(monkeypatch):
    """By a program of its own, equal to that of a fresh engine."""
    monkeypatch.setattr(reach, "_reaches", {})
    one, _, further, _ = (p for p in parse_study(STUDY.replace("[0.1, 0.2]", "0.1")).points)
    engine = SimulationEngine()
    assert not engine.is_ready(one)
    engine.prepare(one)
    assert engine.is_ready(one)
    assert not engine.is_ready(further)
    (counts,) = engine.start(further, 5, 1)()
    assert engine.is_ready(further)
    assert 0 < counts.gc < counts.trials == BLOCK_TRIALS
    monkeypatch.setattr(reach, "_MOST_REACHES", 0)  # the program for any reach
    (expected,) = SimulationEngine().start(further, 5, 1)()
    assert str(counts) == str(expected)
