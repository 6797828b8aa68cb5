"""Pictures as a publisher wants them: size, letters, fonts, words, scales, ticks."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxcogc import Network
from jaxcogc.cli.app import main
from jaxcogc.federated.data.partitions import make_partition
from jaxcogc.figures import (
    Look,
    draw_network,
    draw_num_recovered,
    draw_outage_curves,
    draw_outcomes,
    draw_partition,
    figure_bytes,
    figure_style,
    new_figure,
    plot_network,
    plot_outage_curves,
    plot_outcomes,
)
from jaxcogc.figures.outage_curves import OutageCurve
from tests.figures.test_outage_curves import points

PAPER = Look(width=3.5, font_size=8, title="", caption="", xlabel="s", ylabel="$P$")
LABELS = np.random.default_rng(0).integers(0, 10, 1000)
CURVES = [OutageCurve("1 attempt", points())]


def _curves(look: Look) -> Figure:
    return plot_outage_curves(CURVES, x_label="stragglers", title="a title", caption="c", look=look)


@pytest.mark.slow
def test_fonts_are_true_type_and_text_is_text() -> None:
    figure = _curves(PAPER)
    pdf = figure_bytes(figure, ".pdf")
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf
    texts = {e.text for e in ElementTree.fromstring(figure_bytes(figure, ".svg")).iter()}
    assert {"No exact average", "s", "$P$", "closed form of gc"} <= texts


def test_a_picture_is_as_it_was_asked_for() -> None:
    figure = _curves(PAPER._replace(xscale="log", yscale="linear"))
    assert figure.get_size_inches()[0] == 3.5
    upper, lower = figure.axes  # one below the other: there is no room beside
    assert upper.get_position().y0 > lower.get_position().y1
    assert (upper.get_xscale(), upper.get_yscale()) == ("log", "linear")
    assert [axes.get_xlabel() for axes in figure.axes] == ["s", "s"]
    assert upper.yaxis.label.get_fontsize() == 8
    drawn = [text.get_text() for text in figure.findobj() if hasattr(text, "get_text")]
    assert "a title" not in drawn
    assert _curves(Look(height=2.5)).get_size_inches().tolist() == [11.5, 2.5]
    own = _curves(Look(title="mine", caption="below"))
    assert (own._suptitle.get_text(), own._supxlabel.get_text()) == ("mine", "below")


@pytest.mark.parametrize("look", [PAPER, Look(width=7.16, font_size=9)])
def test_nothing_lies_on_anything(look: Look) -> None:
    """Legend, caption and panels each have their room."""
    figure = _curves(look._replace(caption="a caption that is rather long " * 4))
    legend = figure.legends[0].get_window_extent()
    caption = figure._supxlabel.get_window_extent()
    assert not legend.overlaps(caption)
    for axes in figure.axes:
        room = axes.get_tightbbox()
        assert not room.overlaps(legend)
        assert not room.overlaps(caption)
    assert figure.bbox.padded(1).fully_containsx(legend.x0)
    assert figure.bbox.padded(1).fully_containsx(legend.x1)


@pytest.mark.parametrize("width", [3.0, 11.5])
def test_labels_of_ticks_never_collide(width: float) -> None:
    places = [0.0, 0.01, 0.02, 0.021, 0.5, *np.linspace(0.6, 1, 30)]
    words = [f"fractional-repetition {n}" for n in range(6)]
    with new_figure("t", "", height=3.0, look=Look(width=width)) as figure:
        numbers, names = figure.subplots(1, 2)
        numbers.set_xticks(places, [f"{x:.3g}" for x in places])
        numbers.set(yscale="log", ylim=(0.2, 0.9))
        names.set_xticks(range(6), words)
    for axis in (numbers.xaxis, numbers.yaxis):
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        shown = [t.label1 for t in ticks if t.label1.get_visible() and t.label1.get_text()]
        boxes = [label.get_window_extent() for label in shown]
        assert len(boxes) >= 2
        for n, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:n])
    turned = {label.get_rotation() for label in names.get_xticklabels()}
    assert turned == {30.0}


@pytest.mark.filterwarnings("error")
def test_drawing_into_axes_of_ones_own() -> None:
    """Every function takes axes and returns them."""
    network = Network.homogeneous(3, uplink_erasure=0.1, peer_erasure=0.2)
    outcomes = points()[0].outcomes
    with figure_style(8):
        grid = Figure(figsize=(9, 5)).subplots(2, 3).ravel()
        drawn = (
            draw_outcomes(grid[0], outcomes, xscale="linear"),
            draw_num_recovered(grid[1], outcomes),
            draw_outage_curves(grid[2], CURVES, "nothing recovered"),
            draw_network(grid[3], network),
            draw_partition(grid[4], make_partition(0, LABELS, 5, kind="shards"), LABELS, 10),
        )
    for axes, found in zip(grid, drawn, strict=False):
        assert found is axes
        assert axes.get_ylabel() or axes.get_title(loc="left")
    assert len(grid[2].get_legend().get_texts()) == 5


def test_other_pictures_fit_a_column() -> None:
    network = Network.homogeneous(6, uplink_erasure=0.1, peer_erasure=0.2)
    names = [f"client {n}" for n in range(6)]
    for figure in (
        plot_outcomes(points()[0], title="t", caption="c", look=PAPER),
        plot_network(network, names=names, title="t", look=PAPER),
    ):
        assert figure.get_size_inches()[0] == 3.5
        width = figure.bbox.width
        for axes in figure.axes:
            room = axes.get_tightbbox()
            assert room.x0 > -2
            assert room.x1 < width + 2


def test_the_command_line_draws_so(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "n.json"
    Network.homogeneous(3, uplink_erasure=0.1, peer_erasure=0.2).to_json(file)
    verb = ["network", str(file), "--quiet"]
    look = ["--width", "88mm", "--font-size", "8", "--title", "", "--format", "pdf"]
    assert main([*verb, *look, "--plot", str(tmp_path / "picture")]) == 0
    pdf = (tmp_path / "picture").read_bytes()
    (box,) = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ", pdf)
    assert float(box) == pytest.approx(88 / 25.4 * 72, abs=0.01)
    assert main([*verb, *look]) == 2
    assert "--width without --plot: nothing is drawn" in capsys.readouterr().err
    for wrong in (["--width", "9ft"], ["--font-size", "0"], ["--format", "gif"]):
        assert main([*verb, "--plot", str(tmp_path / "p.png"), *wrong]) == 2
        assert f"{wrong[0]} = {wrong[1]}: allowed is" in capsys.readouterr().err
