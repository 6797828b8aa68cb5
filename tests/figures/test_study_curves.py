"""The picture of a study: laws between the points, families apart, looks, thresholds."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from jaxcogc import LinkDynamics, Network, gc_outage_probability
from jaxcogc.cli.app import main
from jaxcogc.figures import draw_study, figure_style
from jaxcogc.figures.studies.curve_layout import layout_of, panels_of
from jaxcogc.figures.studies.curve_looks import looks_of
from jaxcogc.figures.studies.study_curves import plot_study
from jaxcogc.study import collect
from jaxcogc.study.results.law_between import law_between
from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.specification.study_file import parse_study
from jaxcogc.study.store.store import open_store
from tests.study.fake import FakeEngine

STUDY = """
[network]
clients = 4
uplink_erasure = [0.1, 0.5]
peer_erasure = 0.1
[code]
family = ["cyclic", "uncoded"]
stragglers = [1, 3]
[stop]
max_trials = 1
decide_below = 0.002
outcome = "gc_outage"
"""


class LawEngine(FakeEngine):
    """Nothing is drawn; the law is the true one."""

    def closed_form(self, point):
        time = {"num_attempts": point.attempts, "dynamics": point.time.dynamics()}
        return float(gc_outage_probability(point.network(), point.stragglers, **time))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("curves") / "s.db"
    collect(parse_study(STUDY), path, engine=LawEngine(lambda point, block: 300))
    return path


@pytest.fixture(scope="module")
def table(store):
    with open_store(store) as opened:
        return read_table(opened).where("code=cyclic")


def test_the_law_is_exact_between_the_points(table):
    chosen = table.where("stragglers=1").results
    law = law_between(chosen, "uplink_erasure")
    assert len(law) > 50
    assert [x for x, _ in law] == sorted({x for x, _ in law})
    for x, value in law[::20]:
        network = Network.homogeneous(4, uplink_erasure=x, peer_erasure=0.1)
        assert value == pytest.approx(float(gc_outage_probability(network, 1)), rel=1e-12)
    x, middle = law[len(law) // 2]
    chord = np.interp(x, [0.1, 0.5], [law[0][1], law[-1][1]])
    assert abs(chord - middle) > 0.005  # what a line from point to point would have drawn


@pytest.mark.slow
@pytest.mark.parametrize(
    ("axis", "values", "other"),
    [
        ("memory", [0, 1], {"block_probability": 0.1}),
        ("block_probability", [0, 0.5], {}),
        ("burst_length", [2, 6], {}),
    ],
)
def test_the_law_is_exact_between_memories_and_blocked_clients(tmp_path, axis, values, other):
    lines = [f"{name} = {value}" for name, value in {axis: values, **other}.items()]
    text = "[network]\nclients = 4\nuplink_erasure = 0.3\npeer_erasure = 0.2\n" + "\n".join(lines)
    text += "\n[code]\nstragglers = 1\n[protocol]\nattempts = 2\n[stop]\nmax_trials = 1"
    path = tmp_path / "s.db"
    collect(parse_study(text), path, engine=LawEngine(lambda point, block: 300))
    with open_store(path) as opened:
        law = law_between(read_table(opened).results, axis)
    assert len(law) > 50
    network = Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.2)
    for x, value in law[::20]:
        dynamics = LinkDynamics(**other | {axis: x})
        exact = gc_outage_probability(network, 1, num_attempts=2, dynamics=dynamics)
        assert value == pytest.approx(float(exact), rel=1e-12)
    (x, middle), ends = law[len(law) // 2], (law[0], law[-1])
    assert abs(np.interp(x, *zip(*ends, strict=True)) - middle) > 0.001


@pytest.mark.slow
def test_between_points_that_have_a_law_there_may_be_none(tmp_path):
    """Bursts of four are too short for links that lose .8, but all is lost where they lose all."""
    text = (
        "[network]\nclients = 3\nuplink_erasure = [0.5, 1.0]\npeer_erasure = 0.2\nburst_length = 4"
    )
    text += "\n[code]\nstragglers = 1\n[stop]\nmax_trials = 1"
    path = tmp_path / "s.db"
    collect(parse_study(text), path, engine=LawEngine(lambda point, block: 300))
    with open_store(path) as opened:
        law = law_between(read_table(opened).results, "uplink_erasure")
    places = [x for x, _ in law]
    assert {0.5, 1.0} < set(places)
    assert any(0.5 < x < 0.75 for x in places)
    assert not any(0.8 < x < 1 for x in places)


def test_the_law_of_whole_numbers_and_of_words(table):
    law = law_between(table.where("uplink_erasure=0.5").results, "stragglers")
    assert [x for x, _ in law] == [1, 2, 3]
    network = Network.homogeneous(4, uplink_erasure=0.5, peer_erasure=0.1)
    assert law[1][1] == pytest.approx(float(gc_outage_probability(network, 2)), rel=1e-12)
    assert law_between(table.results[:1], "code") == []


@pytest.mark.slow
def test_colours_tell_s_and_dashes_outcomes(table):
    outcomes = ["gc_outage", "gc_plus_none"]
    layout = layout_of(table, x="uplink_erasure", outcomes=outcomes)
    panels = panels_of(table, layout)
    looks = {(c.outcome, c.setting): looks_of(panels)[c.label] for c in panels[0].curves}
    for outcome in outcomes:
        one, other = (looks[outcome, (("stragglers", s),)] for s in (1, 3))
        assert one.colour != other.colour
        assert one.marker != other.marker  # seen in grey too
        assert one.dashes == other.dashes
    for s in (1, 3):
        one, other = (looks[outcome, (("stragglers", s),)] for outcome in outcomes)
        assert (one.colour, one.marker) == (other.colour, other.marker)
        assert (one.dashes, one.filled) != (other.dashes, other.filled)
        assert one.width < other.width  # equal lines lie upon each other, the thin one on top
    figure = plot_study(table, layout, title="t")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [
        *("s = 1", "s = 3", "standard decoding: nothing recovered", "GC+: nothing recovered"),
        *("closed form", "to decide: below 0.002?"),
    ]
    (axes,) = figure.axes
    assert axes.get_xlabel() == "erasure probability of uplinks"
    laws = [line for line in axes.lines if line.get_gid() == "closed form"]
    assert [line.get_color() for line in laws] == [looks["gc_outage", s].colour for s in SETTINGS]
    marks = next(line for line in axes.lines if line.get_marker() == "o")
    assert all(line.get_zorder() < marks.get_zorder() for line in laws)
    assert [0.002, 0.002] in [list(line.get_ydata()) for line in axes.lines]


SETTINGS = ((("stragglers", 1),), (("stragglers", 3),))


def test_families_stand_side_by_side_and_no_line_joins_them(store):
    with figure_style():
        axes = Figure().subplots()
        where = ["uplink_erasure=0.5", "stragglers!=3"]
        found = draw_study(axes, store, x="code", conditions=where, yscale="linear")
    assert found is axes
    assert axes.get_yscale() == "linear"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cyclic", "uncoded"]
    estimates = [line for line in axes.lines if line.get_marker() in "os"]
    assert len(estimates) == 2
    assert {line.get_linestyle() for line in estimates} == {"None"}
    places = sorted(x for line in estimates for x in line.get_xdata())
    assert np.diff(places).min() > 0.2
    assert not [c for c in axes.collections if isinstance(c, PolyCollection)]
    with pytest.raises(ValueError, match="no counted point"):
        draw_study(axes, store, conditions=["stragglers=9"])


@pytest.mark.slow
def test_the_command_line_asks_for_both_scales(store, tmp_path, capsys):
    out = ["plot", "--store", str(store), "--out", str(tmp_path / "p.pdf")]
    assert main([*out, "--linear", "--yscale", "log"]) == 2
    assert "--linear beside --yscale log" in capsys.readouterr().err
    some = ["--filter", "code=cyclic", "--xscale", "log", "--yscale", "linear"]
    assert main([*out, *some, "--width", "3.5", "--font-size", "8", "--title", ""]) == 0
    assert b"/Type3" not in (tmp_path / "p.pdf").read_bytes()
