"""A replayed trial is the trial that was counted."""

import jax
import numpy as np
import pytest

from jaxcogc.coding.encoding import received_matrix
from jaxcogc.figures.replay import plot_replay
from jaxcogc.links.draws import Links
from jaxcogc.names import EVENTS
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.study.collection.simulation_engine import SimulationEngine, code_for_run, setting_of
from jaxcogc.study.results.replay import replay
from jaxcogc.study.specification.study_file import parse_study

BASE = """
[network]
clients = 3
uplink_erasure = 0.3
peer_erasure = 0.2
reciprocal = {reciprocal}
[code]
stragglers = 1
[protocol]
attempts = 2
redraw_code = {redraw}
[stop]
max_trials = 1e5
"""


@pytest.fixture(scope="module", params=[("false", "false"), ("true", "true")], ids=str)
def point(request):
    reciprocal, redraw = request.param
    (point,) = parse_study(BASE.format(reciprocal=reciprocal, redraw=redraw)).points
    return point


@pytest.fixture(scope="module")
def happened(point):
    """Of block 3, in which trials each outcome happened, as the compiled program counts it."""
    engine = SimulationEngine()
    return {outcome: engine.events(point, 3, outcome) for outcome in EVENTS}


@pytest.mark.slow
def test_a_counted_outcome_happens_again(point, happened):
    """The outage trial of a store gives an outage, and so on for all outcomes."""
    for outcome, trials in happened.items():
        for place in np.flatnonzero(trials)[:2]:
            found = replay(point, 3 * BLOCK_TRIALS + int(place))
            assert found.outcomes() == {name: seen[place] for name, seen in happened.items()}
            assert found.outcomes()[outcome]


@pytest.mark.slow
def test_another_block_is_another_trial(point, happened):
    """The comparison can fail: of twelve trials of block 4 not all have block 3's outcomes."""
    same = [
        replay(point, 4 * BLOCK_TRIALS + n).outcomes()
        == {name: bool(seen[n]) for name, seen in happened.items()}
        for n in range(12)
    ]
    assert not all(same)


@pytest.mark.slow
def test_rows_and_rank_are_those_of_the_links(point):
    found = replay(point, 12_345)
    code = setting_of(point).code
    links = Links(found.uplink_delivered, found.peer_delivered)
    with jax.enable_x64(True):
        matrix = np.asarray(received_matrix(code_for_run(point, code), links))
    assert np.linalg.matrix_rank(matrix) == found.recovery.rank
    held = found.held.reshape(-1, 3) & found.uplink_delivered.reshape(-1, 1)
    np.testing.assert_array_equal(matrix != 0, held)


@pytest.mark.slow
def test_the_picture_has_a_panel_for_each_attempt(point):
    figure = plot_replay(
        replay(point, 7), title="a trial", caption="something", names=("a", "$b", "c")
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["attempt 1", "attempt 2"]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["a", r"\$b", "c"]
