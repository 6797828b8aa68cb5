"""Pictures of schemes: how they learn, and how far what they add is from the average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.style import new_figure
from jaxcogc.names import hyphened
from jaxcogc.training.compared_schemes import SchemeErrors
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.seconds import seconds_so_far
from jaxcogc.training.summary import SeedInterval, seed_interval
from jaxcogc.training.task import fractions
from jaxcogc.training.trained import Trained

__all__ = ["accuracy_figure", "scheme_figure"]

_LOOKS = {
    "ideal": ("black", "-", 1.4),
    "intermittent": (COLOURS["other"], "-", 1.6),
    "intermittent_blind": (COLOURS["other"], "--", 1.6),
    "inverse_probability": (COLOURS["other"], ":", 1.6),
    "retransmission": (COLOURS["note"], "-", 1.6),
    "replicated_gc": (COLOURS["gc"], "--", 1.6),
    "gc": (COLOURS["gc"], "-", 1.6),
    "gc_plus": (COLOURS["gc_plus"], "-", 3.0),
    "row_space": (COLOURS["row_space"], "-", 1.2),
    "least_squares": (COLOURS["row_space"], "--", 1.2),
}
"""Colour, line and width; of different widths where equal curves must both show."""
_OTHER_LOOK = (COLOURS["note"], "-.", 1.6)
"""Of schemes that nobody gave a look of their own."""


def accuracy_figure(plan: TrainingPlan, trained: Trained, *, title: str, caption: str) -> Figure:
    """Mean test accuracy over seeds with its band, for every scheme.

    A plan with other metrics has the first one drawn in the place of the accuracy, one without any
    the loss on the test data.

    Args:
      plan: what was run.
      trained: where it stands.
      title: what was trained.
      caption: network, partition, what the band is.

    Returns:
      A figure of two panels: against rounds, and against uplink uses so far (mean over seeds), or
      against seconds so far where the plan says what messages take.
    """
    measured = next(iter(plan.metrics), "loss")
    fraction = measured in fractions(plan)
    seconds = seconds_so_far(plan, trained.metrics)
    uses = np.asarray(trained.metrics.uplink_uses).cumsum(axis=-1)
    clock = uses if seconds is None else seconds
    with new_figure(title, caption, height=4.9) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        faint = 0.8 / max(6, len(plan.settings.schemes) ** 1.3)  # many bands lie over each other
        for number, scheme in enumerate(plan.settings.schemes):
            values = np.asarray(trained.metrics.test[measured])[:, number, : trained.round_index]
            where = np.flatnonzero(np.isfinite(values).all(axis=0))
            spent = clock[:, number].mean(axis=0)[where]
            ends = [seed_interval(column, fraction=fraction) for column in values[:, where].T]
            _draw_scheme(left, scheme, where + 1, ends, faint)
            _draw_scheme(right, scheme, spent, ends, faint)
        left.set_ylabel(f"test {measured}")
        left.set_xlabel("rounds")
        right.set_xlabel("uplink uses so far, per seed" if seconds is None else "seconds so far")
        for axes in (left, right):
            axes.set_xlim(left=0)
            if fraction:
                axes.yaxis.set_major_formatter(PercentFormatter(1.0))
                axes.set_ylim(0, 1)
        figure.legend(*left.get_legend_handles_labels(), loc="outside right upper")
    return figure


def _draw_scheme(
    axes: Axes, scheme: str, x: np.ndarray, ends: Sequence[SeedInterval], faint: float
) -> None:
    colour, line, width = _LOOKS.get(scheme, _OTHER_LOOK)
    marker = "o" if len(x) == 1 else ""
    mean = np.array([end.mean for end in ends], float)
    axes.plot(x, mean, linestyle=line, color=colour, marker=marker, lw=width, label=scheme)
    if any(end.low is not None for end in ends):
        low = np.array([end.low for end in ends], float)
        high = np.array([end.high for end in ends], float)
        axes.fill_between(x, low, high, color=colour, alpha=faint, lw=0)


def scheme_figure(found: Mapping[str, SchemeErrors], *, title: str, caption: str) -> Figure:
    """Errors of schemes, one line each, and what they cost.

    Args:
      found: by scheme, in the order from top to bottom.
      title: the network.
      caption: what the errors are.

    Returns:
      A figure of two panels: errors on a logarithmic axis, and uses of links a round.
    """
    rows = {name: row for name, row in found.items() if row.error_alike is not None}
    places = range(len(rows), 0, -1)
    with new_figure(title, caption, height=1.6 + 0.28 * max(4, len(rows))) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for kind, colour, marker in (
            ("error_orthogonal", COLOURS["gc"], "o"),
            ("error_alike", COLOURS["row_space"], "s"),
        ):
            values = [getattr(row, kind) for row in rows.values()]
            drawn = [(x, y) for x, y in zip(values, places, strict=True) if x is not None and x > 0]
            centre = [float(x) for x, _ in drawn]
            ends = [[x.best - x.low for x, _ in drawn], [x.high - x.best for x, _ in drawn]]
            where = [y for _, y in drawn]
            label = kind.replace("error_", "updates ")
            left.errorbar(centre, where, xerr=ends, fmt=marker, color=colour, label=label, ms=4)
        left.set_xscale("log")
        left.set_xlabel("mean squared error")
        left.set_yticks(list(places), [hyphened(name) for name in rows])
        left.legend(loc="best", frameon=False)
        uplinks = [row.uplink_uses for row in rows.values()]
        peers = [row.peer_uses for row in rows.values()]
        right.barh(list(places), uplinks, color=COLOURS["other"], label="uplinks")
        right.barh(
            list(places), peers, left=uplinks, color=COLOURS["note"], label="between clients"
        )
        right.set_xlabel("uses of links a round")
        right.legend(loc="best", frameon=False)
    return figure
