"""Estimates along an axis, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from jaxcogc.figures.look import FONT_SIZE
from jaxcogc.outage.intervals import Estimate

LAW = "closed form"
"""What lines of exact probabilities are called (their `gid`)."""
FEWEST_SEEDS = 3
"""From fewer no band is drawn: it would tell next to nothing."""
_UNDER = 1.8
"""Where lines lie: over bands, under marks."""


def draw_estimates(
    axes: Axes,
    x: np.ndarray,
    estimates: Sequence[Estimate],
    *,
    arrow: int,
    bars: bool = False,
    band: bool = True,
    width: float = 1.5,
    **line: Any,
) -> Axes:
    """Estimates along an axis, with a band from end to end of their intervals.

    Args:
      axes: linear or logarithmic; on the latter an estimate of 0 becomes an arrow down from the
        upper end of its interval.
      x: where the estimates stand.
      estimates: one for each place.
      arrow: how long an arrow is, in points.
      bars: draw each interval by itself too.
      band: join the intervals.
      width: of the line, which lies under all marks, and under thinner lines: of equal curves
        each is seen.
      line: colour and look of the line and its marks, as Matplotlib calls them.

    Returns:
      The axes.
    """
    best, low, high = (
        np.array([getattr(e, end) for e in estimates]) for end in ("best", "low", "high")
    )
    logarithmic = axes.get_yscale() == "log"
    seen = best > 0 if logarithmic else np.ones(len(x), bool)
    floor = np.where(low > 0, low, high * 1e-3) if logarithmic else low
    colour = line["color"]
    if band:
        axes.fill_between(x, floor, high, where=seen, color=colour, alpha=0.2, lw=0)
    if bars:
        spread = [best[seen] - floor[seen], high[seen] - best[seen]]
        axes.errorbar(x[seen], best[seen], yerr=spread, fmt="none", ecolor=colour, elinewidth=1)
    drawn = np.where(seen, best, np.nan)
    style = line.pop("linestyle", "-")
    if style != "none":
        lower = _UNDER - 0.01 * width
        axes.plot(x, drawn, ls=style, color=colour, lw=width * mark_scale(), zorder=lower)
    axes.plot(x, drawn, linestyle="none", **line)
    for where, bound in zip(x[~seen], high[~seen], strict=True):
        if bound > 0:
            draw_bound_arrow(axes, (where, bound), (0, -arrow), colour, "_")
    return axes


def draw_law(
    axes: Axes, law: Sequence[tuple[float, float]], *, colour: str, dashes: Any = "-"
) -> None:
    """A line through exact probabilities, under the marks of the estimates beside them."""
    if law:
        x, y = zip(*law, strict=True)
        axes.plot(x, y, dashes, color=colour, lw=1.2, zorder=_UNDER, gid=LAW)


def mark_scale() -> float:
    """What marks are multiplied by, to go with small letters."""
    return min(1.0, float(mpl.rcParams["font.size"]) / FONT_SIZE)


def draw_bound_arrow(
    axes: Axes, end: tuple[float, float], way: tuple[int, int], colour: str, cap: str
) -> None:
    """An arrow from `end` (data) along `way` (points): the value lies somewhere there."""
    axes.plot(*end, marker=cap, color=colour, ms=9 * mark_scale(), mew=1.4)
    arrow = {"arrowstyle": "<-", "color": colour, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=way, textcoords="offset points", arrowprops=arrow)
