"""The picture of a convergence bound beside a measured training run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.style import new_figure
from jaxcogc.training.bound_and_run import BoundBeside

__all__ = ["bound_figure"]


def bound_figure(curves: Mapping[str, BoundBeside], *, title: str, caption: str) -> Figure:
    """The mean of ||grad F||^2 so far against rounds, measured and promised.

    Args:
        curves: by scheme, at most four.
        title: what was trained.
        caption: network, data, what the band is.

    Returns:
        A figure with a panel for each scheme: the measured mean over seeds with the range of the
        seeds, and the bound.
    """
    with new_figure(title, caption, height=4.6) as figure:
        panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
        for axes, (scheme, curve) in zip(panels, curves.items(), strict=True):
            rounds = np.arange(1, len(curve.bound) + 1)
            low, high = curve.measured.min(axis=0), curve.measured.max(axis=0)
            axes.fill_between(rounds, low, high, color=COLOURS["gc_plus"], alpha=0.25, lw=0)
            axes.plot(
                rounds, curve.measured.mean(axis=0), color=COLOURS["gc_plus"], label="measured"
            )
            axes.plot(rounds, curve.bound, color="black", lw=1.2, label="bound")
            axes.axhline(curve.floor, color="black", lw=1, ls=":", label="what stays of it")
            axes.set(xscale="log", yscale="log", xlabel="rounds")
            held = f"held {100 * curve.hold:.1f} %"
            rho = f", rho {curve.rho:.3g}" if curve.rho > 0 else ""
            axes.set_title(f"{scheme}: {held}{rho}")
        panels[0].set_ylabel("mean of ||grad F||² so far")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    return figure
