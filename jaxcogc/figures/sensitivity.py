"""The picture of which link to repair first."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from jaxcogc.design.link_sensitivity import Sensitivity
from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.style import new_figure

__all__ = ["plot_sensitivity"]


def plot_sensitivity(found: Sensitivity, *, title: str, caption: str) -> Figure:
    """A heat map: receivers (the server on top) by senders; how much a repair helps.

    Args:
        found: the sensitivities.
        title: which network, code and attempts.
        caption: what the reader must know beside.

    Returns:
        A figure of one panel: for every link the share of outages that its repair would remove.
    """
    repaired = np.vstack([found.repaired_uplink, found.repaired_peer])
    removed = 1.0 - repaired / found.outage if found.outage else np.zeros_like(repaired)
    used = np.vstack([found.uplink != 0.0, found.peer != 0.0])
    clients = len(found.uplink)
    with new_figure(title, caption, height=7.5) as figure:
        axes = figure.subplots()
        image = axes.imshow(
            np.ma.masked_where(~used, 100.0 * removed), cmap="YlOrRd", vmin=0.0, aspect="auto"
        )
        axes.set_facecolor("#F2F2F2")
        axes.grid(visible=False)
        axes.set_xticks(range(clients))
        axes.set_yticks(range(clients + 1), ["server", *map(str, range(clients))])
        axes.axhline(0.5, color=COLOURS["note"], lw=1)
        axes.set_xlabel("client that sends")
        axes.set_ylabel("who receives")
        figure.colorbar(image, ax=axes, label="outages that a repair of the link removes, %")
    return figure
