"""`jaxcogc outage --plot` along an axis: the closed form between the points."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxcogc import LinkDynamics, Network, gc_outage_probability
from jaxcogc import figures as jaxcogc_figures
from jaxcogc.cli.app import main

SMALL = ["outage", "--clients", "4", "--stragglers", "2", "--attempts", "1", "--trials", "500"]
Drawn = tuple[list[Any], Any]


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the verb with more arguments: the curves that it drew, and the figure."""
    draw, seen = jaxcogc_figures.plot_outage_curves, []

    def spy(curves: Any, **more: Any) -> Any:
        seen.append((curves, draw(curves, **more)))
        return seen[-1][1]

    monkeypatch.setattr(jaxcogc_figures, "plot_outage_curves", spy)

    def run(arguments: str) -> Drawn:
        plot = ["--plot", str(tmp_path / "p.png")]
        assert main([*SMALL, "--quiet", *arguments.split(), *plot]) == 0
        return seen[-1]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["uplink_erasure", "peer_erasure"])
def test_the_law_is_exact_between_erasures(axis: str, drawn: Any) -> None:
    other = {"uplink_erasure": "peer_erasure", "peer_erasure": "uplink_erasure"}[axis]
    flags = [f"--{name.replace('_', '-')}" for name in (axis, other)]
    curves, figure = drawn(f"{flags[0]} .6,.1,.3 {flags[1]} .2 --stragglers 1,2")
    assert [curve.label for curve in curves] == ["1 straggler", "2 stragglers"]
    for stragglers, curve in enumerate(curves, 1):
        assert len(curve.law) > 50
        places, laws = np.array(curve.law).T
        assert list(places) == sorted(set(places))
        for middle in (0.2, 0.45):
            erasures: Any = {axis: middle, other: 0.2}
            network = Network.homogeneous(4, **erasures)
            exact = float(gc_outage_probability(network, stragglers))
            near = np.abs(places - middle).argmin()
            assert places[near] == pytest.approx(middle, abs=1e-12)
            assert laws[near] == pytest.approx(exact, rel=1e-12)
        line = np.sqrt(laws[places == 0.1] * laws[places == 0.3])  # on a logarithmic axis
        assert line < 0.98 * laws[np.abs(places - 0.2).argmin()]
    for axes in figure.axes:
        lines = [line for line in axes.lines if line.get_gid() == "closed form"]
        assert [len(line.get_xdata()) for line in lines] == [len(curve.law) for curve in curves]


@pytest.mark.slow
def test_whole_numbers_have_no_law_between_them(drawn: Any) -> None:
    curves, figure = drawn("--stragglers 0,1,3")
    assert [list(curve.law) for curve in curves] == [[]]
    line = next(line for line in figure.axes[0].lines if line.get_gid() == "closed form")
    assert list(line.get_xdata()) == [0, 1, 3]


@pytest.mark.slow
def test_links_that_remember_and_bursts_that_do_not_fit(drawn: Any) -> None:
    """Bursts of four are too short for links that lose .8, but all is lost where they lose all."""
    ((curve,), _) = drawn("--uplink-erasure .5,1 --peer-erasure .2 --burst-length 4")
    places = [x for x, _ in curve.law]
    assert {0.5, 1.0} < set(places)
    assert not any(0.8 < x < 1 for x in places)
    x, law = curve.law[10]
    network = Network.homogeneous(4, uplink_erasure=x, peer_erasure=0.2)
    exact = gc_outage_probability(network, 2, dynamics=LinkDynamics(burst_length=4.0))
    assert law == pytest.approx(float(exact), rel=1e-12)
