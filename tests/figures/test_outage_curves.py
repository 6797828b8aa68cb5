"""The pictures: right numbers in the right places, also where an event was never seen."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from jaxcogc.figures.outage_curves import (
    OutageCurve,
    plot_outage_curves,
    plot_outcomes,
)
from jaxcogc.figures.style import figure_bytes
from jaxcogc.outage.counts import OutcomeCounts, Outcomes, outcomes_from_counts
from jaxcogc.outage.laws.closed_form import ClosedForm
from jaxcogc.outage.outage_point import OutagePoint

TEXT = {"title": "the title", "caption": "the caption"}


def _outcomes(trials: int, gc_failures: int, partial: int, held: int) -> Outcomes:
    """Outcomes of 3 clients in which `held` trials recover nothing and GC+ equals row space."""
    full = trials - partial - held
    table = np.zeros((3, 4), np.int64)
    table[0, 1] = partial
    return outcomes_from_counts(
        OutcomeCounts(
            trials=trials,
            gc=trials - gc_failures,
            gc_plus_full=full,
            gc_plus_partial=partial,
            row_space_exact=full,
            row_space_partial=partial,
            all_individuals=full,
            rank_sum=3 * full + partial,
            num_recovered=np.array([held, partial, 0, full]),
            client_recovered=np.array([full + partial, full, full]),
            gc_plus_partial_recovered=table,
            row_space_partial_recovered=table,
        )
    )


def points() -> list[OutagePoint]:
    return [
        OutagePoint(1, _outcomes(1000, 500, 90, 10), ClosedForm(0.48)),
        OutagePoint(3, _outcomes(1000, 50, 0, 0), ClosedForm(0.05)),
        OutagePoint(5, _outcomes(1000, 0, 0, 0), ClosedForm(1e-5)),
    ]


def _texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj() if hasattr(text, "get_text"))


def test_outcomes_show_estimates_interval_and_law() -> None:
    figure = plot_outcomes(points()[0], **TEXT)
    text = _texts(figure)
    for words in ("the title", "the caption", "gc: no exact average", "0.5000", "0.0900"):
        assert words in text
    assert "closed form" in text
    left, right = figure.axes
    marks = [line.get_xdata() for line in left.lines if line.get_marker() == "D"]
    assert [list(x) for x in marks] == [[0.48]]
    assert left.get_xscale() == right.get_yscale() == "log"
    heights = {round(bar.get_x() + 0.4): bar.get_height() for bar in right.patches}
    assert heights == {0: 0.01, 1: 0.09, 3: 0.9}  # no bar where nothing was seen


def test_outcomes_without_a_law() -> None:
    figure = plot_outcomes(points()[0]._replace(closed_form=ClosedForm(None)), **TEXT)
    assert "closed form" not in _texts(figure)


def test_common_events_stand_on_a_linear_axis() -> None:
    figure = plot_outcomes(OutagePoint(0, _outcomes(1000, 500, 300, 200), ClosedForm(0.5)), **TEXT)
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "linear"]


def test_curves_hold_points_bands_and_law() -> None:
    curves = [OutageCurve("1 attempt", points()), OutageCurve("2 attempts", points())]
    figure = plot_outage_curves(curves, x_label="stragglers", **TEXT)
    text = _texts(figure)
    for words in ("1 attempt", "2 attempts", "closed form of gc", "stragglers", "GC+", "row space"):
        assert words in text
    for axes in figure.axes:
        assert axes.get_yscale() == "log"
        law = next(line for line in axes.lines if line.get_gid() == "closed form")
        np.testing.assert_allclose(law.get_ydata(), [0.48, 0.05, 1e-5])
        gc = next(line for line in axes.lines if line.get_marker() == "o")
        np.testing.assert_allclose(gc.get_ydata(), [0.5, 0.05, np.nan])
        bands = [c for c in axes.collections if isinstance(c, PolyCollection)]
        assert len(bands) == 6
    exact = next(line for line in figure.axes[0].lines if line.get_marker() == "s")
    held = next(line for line in figure.axes[1].lines if line.get_marker() == "s")
    np.testing.assert_allclose(exact.get_ydata(), [0.1, np.nan, np.nan])
    np.testing.assert_allclose(held.get_ydata(), [0.01, np.nan, np.nan])


def test_beside_a_law_between_the_points_intervals_are_bars() -> None:
    law = [(1, 0.48), (2, 0.1), (3, 0.05), (4, 1e-3), (5, 1e-5)]
    figure = plot_outage_curves([OutageCurve("", points(), law)], x_label="s", **TEXT)
    for axes in figure.axes:
        line = next(line for line in axes.lines if line.get_gid() == "closed form")
        assert list(zip(*line.get_data(), strict=True)) == law
        assert len([c for c in axes.collections if isinstance(c, PolyCollection)]) == 2
        (bars,) = [c for c in axes.collections if isinstance(c, LineCollection)]
        assert [path.vertices[0, 0] for path in bars.get_paths()] == [1, 3]


def test_an_event_never_seen_is_an_arrow_from_its_upper_bound() -> None:
    figure = plot_outage_curves([OutageCurve("", points())], x_label="s", **TEXT)
    bound = points()[2].outcomes.gc_outage.high
    assert 0.003 < bound < 0.004
    for axes in figure.axes:
        ends = [a.xy for a in axes.texts if a.get_text() == ""]
        assert (5, bound) in [(x, pytest.approx(y)) for x, y in ends]
        assert axes.get_ylim()[0] < bound  # the arrow has room


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_equal_figures_give_equal_files(suffix: str) -> None:
    first, second = (figure_bytes(plot_outcomes(points()[0], **TEXT), suffix) for _ in range(2))
    assert first == second
    assert len(first) > 1000


def test_unknown_kind_of_file() -> None:
    with pytest.raises(ValueError, match=r"suffix = '.gif': allowed are"):
        figure_bytes(Figure(), ".gif")


def test_lines_of_equal_values_are_both_seen() -> None:
    """Here GC+ and row space have the same values: the wider line lies under the thinner one."""
    figure = plot_outage_curves([OutageCurve("1 attempt", points())], x_label="s", **TEXT)
    for axes in figure.axes[:2]:
        joined = [line for line in axes.lines if len(line.get_xdata()) == len(points())]
        lines = [line for line in joined if line.get_linestyle() == "-" and not line.get_gid()]
        wide, thin = sorted(lines, key=lambda line: -line.get_linewidth())
        assert np.array_equal(wide.get_ydata(), thin.get_ydata(), equal_nan=True)
        assert wide.get_linewidth() > thin.get_linewidth() + 1.5
        assert wide.get_zorder() < thin.get_zorder()
        assert wide.get_color() != thin.get_color()
