"""The picture of schemes beside each other: how far from the average, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.estimates import mark_scale
from jaxcogc.figures.look import FONT_SIZE, Look, Scale
from jaxcogc.figures.style import Figure, new_figure
from jaxcogc.names import hyphened
from jaxcogc.training.compared_schemes import SchemeErrors

__all__ = ["draw_link_uses", "draw_scheme_errors", "scheme_figure"]

_ITSELF = Look()


def scheme_figure(
    found: Mapping[str, SchemeErrors], *, title: str, caption: str, look: Look = _ITSELF
) -> Figure:
    """Errors of schemes, one line each, and what they cost.

    Args:
      found: by scheme, in the order from top to bottom.
      title: the network.
      caption: what the errors are.
      look: size, letters, words and axes.

    Returns:
      A figure of two panels: errors on a logarithmic axis, and uses of links a round.
    """
    across = look.across(2)
    row = 0.7 + 0.28 * max(4, len(_measured(found))) * look.points / FONT_SIZE
    height = row * (3 - across) + 0.9
    with new_figure(title, caption, height=height, look=look) as figure:
        left, right = figure.subplots(3 - across, across, sharey=True)
        draw_scheme_errors(left, found, xscale=look.xscale or "log")
        draw_link_uses(right, found)
    return figure


def _measured(found: Mapping[str, SchemeErrors]) -> dict[str, SchemeErrors]:
    return {name: row for name, row in found.items() if row.error_alike is not None}


def draw_scheme_errors(
    axes: Axes, found: Mapping[str, SchemeErrors], *, xscale: Scale = "log"
) -> Axes:
    """The mean squared distance of every scheme from the average, with intervals.

    Args:
      axes: to draw in.
      found: by scheme, in the order from top to bottom.
      xscale: of the errors.

    Returns:
      The axes, with their legend.
    """
    rows = _measured(found)
    places = list(range(len(rows), 0, -1))
    for kind, colour, marker, size in (
        ("error_orthogonal", COLOURS["gc"], "o", 7.0),
        ("error_alike", COLOURS["row_space"], "s", 4.0),
    ):
        values = [getattr(row, kind) for row in rows.values()]
        drawn = [
            (x, y)
            for x, y in zip(values, places, strict=True)
            if x is not None and (x > 0 or xscale == "linear")
        ]
        centre = [float(x) for x, _ in drawn]
        ends = [[x.best - x.low for x, _ in drawn], [x.high - x.best for x, _ in drawn]]
        where = [y for _, y in drawn]
        label = kind.replace("error_", "updates ")
        axes.errorbar(
            centre, where, xerr=ends, fmt=marker, color=colour, label=label, ms=size * mark_scale()
        )
    axes.set(xscale=xscale, xlabel="mean squared error")
    for place, row in zip(places, rows.values(), strict=True):
        errors = [float(x) for x in (row.error_orthogonal, row.error_alike) if x is not None]
        if xscale == "log" and not any(errors):
            axes.text(0.01, place, "0", transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks(places, [hyphened(name) for name in rows])
    axes.legend(loc="best", frameon=False)
    return axes


def draw_link_uses(axes: Axes, found: Mapping[str, SchemeErrors]) -> Axes:
    """How many messages every scheme sends in a round.

    Args:
      axes: to draw in.
      found: by scheme, in the order from top to bottom.

    Returns:
      The axes, with their legend.
    """
    rows = _measured(found)
    places = list(range(len(rows), 0, -1))
    uplinks = [row.uplink_uses for row in rows.values()]
    peers = [row.peer_uses for row in rows.values()]
    edge: Any = {"edgecolor": "white", "linewidth": 0}
    axes.barh(places, uplinks, color=COLOURS["other"], label="uplinks", **edge)
    axes.barh(
        places, peers, left=uplinks, color="#B5B5B5", label="between clients", hatch="///", **edge
    )
    axes.set_yticks(places, [hyphened(name) for name in rows])
    axes.set_xlabel("uses of links a round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.legend(loc="best", frameon=False)
    return axes
