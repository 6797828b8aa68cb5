"""Maps of links, receivers by senders: how bad each is, and which to repair first."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from jaxcogc.design.link_sensitivity import Sensitivity
from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.look import Look
from jaxcogc.figures.style import Figure, new_figure, plain
from jaxcogc.links.network import Network

__all__ = ["draw_network", "draw_sensitivity", "plot_network", "plot_sensitivity"]

_ITSELF = Look()
_MOST_WRITTEN = 12


def plot_sensitivity(
    found: Sensitivity,
    *,
    title: str,
    caption: str,
    names: Sequence[str] | None = None,
    look: Look = _ITSELF,
) -> Figure:
    """A heat map: receivers (the server on top) by senders; how much a repair helps.

    Args:
      found: the sensitivities.
      title: which network, code and attempts.
      caption: what the reader must know beside.
      names: of the clients; None: their numbers.
      look: size, letters and words.

    Returns:
      A figure of one panel: for every link the share of outages that its repair would remove.
    """
    caption += "; hatched: not used"
    with new_figure(title, caption, height=look.tall(6.6), look=look) as figure:
        draw_sensitivity(figure.subplots(), found, names)
    return figure


def draw_sensitivity(axes: Axes, found: Sensitivity, names: Sequence[str] | None = None) -> Axes:
    """For every link the share of outages that its repair would remove.

    Args:
      axes: to draw in; a colour bar takes a part of them.
      found: the sensitivities.
      names: of the clients; None: their numbers.

    Returns:
      The axes.
    """
    repaired = np.vstack([found.repaired_uplink, found.repaired_peer])
    removed = 1.0 - repaired / found.outage if found.outage else np.zeros_like(repaired)
    used = np.vstack([found.uplink != 0.0, found.peer != 0.0])
    image = _map_links(axes, np.ma.masked_where(~used, 100.0 * removed), names, "YlOrRd")
    axes.set_xlabel("who sends")
    _figure_of(axes).colorbar(image, ax=axes, label="outages that a repair of the link removes, %")
    return axes


def plot_network(
    network: Network, *, names: Sequence[str], title: str, look: Look = _ITSELF
) -> Figure:
    """A heat map: receivers (the server on top) by senders.

    Args:
      network: its values are on the host.
      names: of the clients.
      title: of the picture.
      look: size, letters and words.

    Returns:
      A figure of one panel; up to twelve clients the numbers stand in the cells.
    """
    caption = "erasure probability of every link; dark: hardly anything arrives"
    with new_figure(title, caption, height=look.tall(6.6), look=look) as figure:
        draw_network(figure.subplots(), network, names)
    return figure


def draw_network(axes: Axes, network: Network, names: Sequence[str] | None = None) -> Axes:
    """The erasure probability of every link.

    Args:
      axes: to draw in; a colour bar takes a part of them.
      network: its values are on the host.
      names: of the clients; None: their numbers.

    Returns:
      The axes; where the cells have room the numbers stand in them.
    """
    erasure = np.vstack([network.uplink_erasure, network.peer_erasure])
    itself = np.eye(network.num_clients + 1, network.num_clients, k=-1, dtype=bool)
    image = _map_links(axes, np.ma.masked_where(itself, erasure), names, "YlGnBu", most=1.0)
    axes.set_xlabel("who sends")
    size = min(8.0, 0.8 * mpl.rcParams["font.size"])
    width = 72 * _figure_of(axes).get_figwidth() * axes.get_position().width
    if network.num_clients <= _MOST_WRITTEN and width > 3.2 * size * network.num_clients:
        for m, k in np.argwhere(~itself).tolist():
            shade = "white" if erasure[m, k] > 0.55 else "black"
            axes.text(
                k, m, f"{erasure[m, k]:.2f}", ha="center", va="center", color=shade, size=size
            )
    _figure_of(axes).colorbar(image, ax=axes, label="erasure probability")
    return axes


def _figure_of(axes: Axes) -> mpl.figure.Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _map_links(
    axes: Axes,
    values: np.ma.MaskedArray,
    names: Sequence[str] | None,
    cmap: str,
    *,
    most: float | None = None,
) -> AxesImage:
    """Senders below, receivers at the left, the server on top of them and apart."""
    image = axes.imshow(values, cmap=cmap, vmin=0.0, vmax=most, aspect="auto")
    names = names or [str(client) for client in range(values.shape[1])]
    axes.patch.set(facecolor="#F2F2F2", edgecolor="#D4D4D4", hatch="////", linewidth=0)
    axes.grid(visible=False)
    room = 72 * _figure_of(axes).get_figwidth() * axes.get_position().width / len(names)
    turn = 90 if 0.7 * mpl.rcParams["font.size"] * max(map(len, names)) > room else 0
    axes.set_xticks(range(len(names)), [plain(name) for name in names], rotation=turn)
    axes.set_yticks(range(len(names) + 1), ["server", *(plain(name) for name in names)])
    axes.axhline(0.5, color=COLOURS["note"], lw=1)
    axes.set_ylabel("who receives")
    return image
