"""The picture of schemes on a network: errors against uses."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.style import new_figure
from jaxcogc.names import hyphened
from jaxcogc.training.compared_schemes import SchemeErrors

__all__ = ["scheme_figure"]


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
