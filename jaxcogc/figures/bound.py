"""The picture of a convergence bound beside a measured training run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.estimates import FEWEST_SEEDS
from jaxcogc.figures.look import Look
from jaxcogc.figures.style import Figure, new_figure, place_legend
from jaxcogc.training.bound_and_run import BoundBeside

__all__ = ["bound_figure", "draw_bound"]

_ITSELF = Look()


def bound_figure(
    curves: Mapping[str, BoundBeside], *, title: str, caption: str, look: Look = _ITSELF
) -> Figure:
    """The mean of ||grad F||^2 so far against rounds, measured and promised.

    Args:
      curves: by scheme, at most four.
      title: what was trained.
      caption: network, data, what the band is.
      look: size, letters, words and axes.

    Returns:
      A figure with a panel for each scheme: the measured mean over seeds with the range of the
      seeds, and the bound.
    """
    across = look.across(len(curves), most=4)
    down = -(-len(curves) // across)
    height = look.tall(3.7, down=down, across=across)
    with new_figure(title, caption, height=height, look=look) as figure:
        panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
        for axes, (scheme, curve) in zip(panels, curves.items(), strict=False):
            draw_bound(axes, curve)
            axes.set(xscale=look.xscale or "log", yscale=look.yscale or "log")
            held = f"held {100 * curve.hold:.1f} %"
            rho = f", rho {curve.rho:.3g}" if curve.rho > 0 else ""
            axes.set_title(f"{scheme}: {held}{rho}")
            axes.label_outer()
        for axes in panels[len(curves) :]:
            axes.set_visible(False)
        place_legend(figure, panels[0].get_legend_handles_labels()[0], look)
    return figure


def draw_bound(axes: Axes, curve: BoundBeside) -> Axes:
    """A bound beside the run that it is of; both axes logarithmic.

    Args:
      axes: to draw in.
      curve: measured and promised.

    Returns:
      The axes, whose legend names what is drawn.
    """
    rounds = np.arange(1, len(curve.bound) + 1)
    low, high = curve.measured.min(axis=0), curve.measured.max(axis=0)
    colour = COLOURS["gc_plus"]
    if len(curve.measured) >= FEWEST_SEEDS:
        axes.fill_between(rounds, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(rounds, curve.measured.mean(axis=0), color=colour, lw=1.8, label="measured")
    axes.plot(rounds, curve.bound, "--", color="black", lw=1.2, label="bound")
    axes.axhline(curve.floor, color="black", lw=1, ls=":", label="what stays of it")
    axes.set(xscale="log", yscale="log", xlabel="rounds", ylabel="mean of ||grad F||² so far")
    return axes
