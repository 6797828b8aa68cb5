"""The picture of one trial: every attempt's links, and the rows that reached the server."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch, Rectangle

from jaxcogc.figures.look import Look
from jaxcogc.figures.style import Figure, legend_entry, new_figure, place_legend, plain
from jaxcogc.study.results.replay import Replay

_COLOURS = ("#F2F2F2", "#D55E00", "#56B4E9", "#FFFFFF")
_LONG = 2
"""Letters of a name that stand beside each other."""
_UNUSED, _LOST, _HEARD, _GAP = range(4)
_HATCH = "///"
_ITSELF = Look()


def plot_replay(
    replay: Replay, *, title: str, caption: str, names: Sequence[str], look: Look = _ITSELF
) -> Figure:
    """Draw a trial.

    Args:
      replay: the trial.
      title: of which point.
      caption: what was recovered.
      names: of the clients.
      look: size, letters and words.

    Returns:
      A figure with a panel for each attempt (the first twelve): a row for each client, a column for
      each client it should hear, and its uplink at the right.
    """
    attempts = min(len(replay.uplink_delivered), 12)
    across = look.across(attempts, most=4)
    down = -(-attempts // across)
    height = look.tall(3.4, down=down, across=across, rest=1.2)
    with new_figure(title, caption, height=height, look=look) as figure:
        grid = figure.subplots(down, across, squeeze=False)
        for attempt, axes in enumerate(grid.flat):
            if attempt < attempts:
                draw_replay(axes, replay, attempt, names)
            else:
                axes.set_visible(False)
        entries = ((_HEARD, "delivered"), (_LOST, "lost"), (_UNUSED, "not needed"))
        handles: list[Artist] = [
            Patch(fc=_COLOURS[what], ec="white", hatch=_HATCH * (what == _LOST), label=word)
            for what, word in entries
        ]
        handles.append(legend_entry("o", "black", "row arrived, complete"))
        handles.append(legend_entry("o", "black", "row arrived, incomplete", filled=False))
        place_legend(figure, handles, look)
    return figure


def draw_replay(
    axes: Axes, replay: Replay, attempt: int, names: Sequence[str] | None = None
) -> Axes:
    """Draw one attempt of a trial.

    Args:
      axes: to draw in.
      replay: the trial.
      attempt: from 0.
      names: of the clients; None: their numbers.

    Returns:
      The axes.
    """
    needed, heard = replay.support[attempt], replay.peer_delivered[attempt]
    uplink = replay.uplink_delivered[attempt]
    clients = len(uplink)
    cells = np.where(needed, np.where(heard, _HEARD, _LOST), _UNUSED)
    cells[np.eye(clients, dtype=bool)] = _UNUSED  # nobody needs to hear himself
    columns = np.where(uplink, _HEARD, _LOST)[:, None]
    picture = np.hstack([cells, np.full((clients, 1), _GAP), columns])
    axes.imshow(picture, cmap=ListedColormap(_COLOURS), vmin=0, vmax=3, aspect="auto")
    for receiver, sender in np.argwhere(picture == _LOST).tolist():  # seen without colours too
        corner = sender - 0.5, receiver - 0.5
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch=_HATCH, ec="white", lw=0))
    for client in np.flatnonzero(uplink):
        face = "black" if replay.complete[attempt, client] else "white"
        axes.plot(clients + 1, client, "o", ms=6, mec="black", mfc=face)
    step = max(1, clients // 12)
    numbers = list(range(0, clients, step))
    words = [plain(names[client]) if names else str(client) for client in numbers]
    long = max(map(len, words)) > _LONG
    axes.set_yticks(numbers, words)
    axes.set_xticks([*numbers, clients + 1], [*words, "server"], rotation=90 if long else 0)
    axes.set_xticks(np.arange(clients + 2) - 0.5, minor=True)
    axes.set_yticks(np.arange(clients) - 0.5, minor=True)
    axes.grid(visible=False, which="major")
    axes.grid(visible=True, which="minor", color="white", lw=1.2)
    axes.tick_params(which="both", length=0)
    axes.set_title(f"attempt {attempt + 1}")
    axes.set_xlabel("sender")
    axes.set_ylabel("receiver and its row")
    return axes
