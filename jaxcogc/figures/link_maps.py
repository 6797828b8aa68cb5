"""Maps of links, receivers by senders: how bad each is, and which to repair first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxcogc.design.link_sensitivity import Sensitivity
from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.style import new_figure, plain
from jaxcogc.links.network import Network

__all__ = ["plot_network", "plot_sensitivity"]

_MOST_WRITTEN = 12


def plot_sensitivity(
    found: Sensitivity, *, title: str, caption: str, names: Sequence[str] | None = None
) -> Figure:
    """A heat map: receivers (the server on top) by senders; how much a repair helps.

    Args:
        found: the sensitivities.
        title: which network, code and attempts.
        caption: what the reader must know beside.
        names: of the clients; None: their numbers.

    Returns:
        A figure of one panel: for every link the share of outages that its repair would remove.
    """
    repaired = np.vstack([found.repaired_uplink, found.repaired_peer])
    removed = 1.0 - repaired / found.outage if found.outage else np.zeros_like(repaired)
    used = np.vstack([found.uplink != 0.0, found.peer != 0.0])
    names = names or [str(client) for client in range(len(found.uplink))]
    with new_figure(title, caption, height=7.5) as figure:
        axes = figure.subplots()
        image = axes.imshow(
            np.ma.masked_where(~used, 100.0 * removed), cmap="YlOrRd", vmin=0.0, aspect="auto"
        )
        axes.set_facecolor("#F2F2F2")
        axes.grid(visible=False)
        _name_both_axes(axes, names)
        axes.set_xlabel("client that sends")
        axes.set_ylabel("who receives")
        figure.colorbar(image, ax=axes, label="outages that a repair of the link removes, %")
    return figure


def plot_network(network: Network, *, names: Sequence[str], title: str) -> Figure:
    """A heat map: receivers (the server on top) by senders.

    Args:
        network: its values are on the host.
        names: of the clients.
        title: of the picture.

    Returns:
        A figure of one panel; up to twelve clients the numbers stand in the cells.
    """
    erasure = np.vstack([network.uplink_erasure, network.peer_erasure])
    itself = np.eye(network.num_clients + 1, network.num_clients, k=-1, dtype=bool)
    caption = "erasure probability of every link; dark: hardly anything arrives"
    with new_figure(title, caption, height=7.5) as figure:
        axes = figure.subplots()
        image = axes.imshow(
            np.ma.masked_where(itself, erasure), cmap="YlGnBu", vmin=0.0, vmax=1.0, aspect="auto"
        )
        axes.set_facecolor("#F2F2F2")
        axes.grid(visible=False)
        _name_both_axes(axes, names)
        axes.set_xlabel("who sends")
        axes.set_ylabel("who receives")
        if network.num_clients <= _MOST_WRITTEN:
            for m, k in np.argwhere(~itself).tolist():
                shade = "white" if erasure[m, k] > 0.55 else "black"
                axes.text(
                    k, m, f"{erasure[m, k]:.2f}", ha="center", va="center", color=shade, size=8
                )
        figure.colorbar(image, ax=axes, label="erasure probability")
    return figure


def _name_both_axes(axes: Axes, names: Sequence[str]) -> None:
    """Senders below, receivers at the left, the server on top of them and apart."""
    turn = 90 if max(map(len, names)) > 4 else 0
    axes.set_xticks(range(len(names)), [plain(name) for name in names], rotation=turn)
    axes.set_yticks(range(len(names) + 1), ["server", *(plain(name) for name in names)])
    axes.axhline(0.5, color=COLOURS["note"], lw=1)
