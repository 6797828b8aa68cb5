"""The picture of one trial: every attempt's links, and the rows that reached the server."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from jaxcogc.figures.style import legend_entry, new_figure, plain
from jaxcogc.study.results.replay import Replay

_COLOURS = ("#F2F2F2", "#D55E00", "#56B4E9", "#FFFFFF")
_LONG = 2
"""Letters of a name that stand beside each other."""
_UNUSED, _LOST, _HEARD, _GAP = range(4)


def plot_replay(replay: Replay, *, title: str, caption: str, names: Sequence[str]) -> Figure:
    """Draw a trial.

    Args:
      replay: the trial.
      title: of which point.
      caption: what was recovered.
      names: of the clients.

    Returns:
      A figure with a panel for each attempt (the first twelve): a row for each client, a column for
      each client it should hear, and its uplink at the right.
    """
    attempts = min(len(replay.uplink_delivered), 12)
    across = min(attempts, 4)
    down = -(-attempts // across)
    with new_figure(title, caption, height=1.2 + 3.4 * down) as figure:
        grid = figure.subplots(down, across, squeeze=False)
        for attempt, axes in enumerate(grid.flat):
            if attempt < attempts:
                _draw(axes, replay, attempt, names)
            else:
                axes.set_visible(False)
        entries = (("#56B4E9", "delivered"), ("#D55E00", "lost"), ("#F2F2F2", "not needed"))
        handles = [legend_entry("s", colour, label) for colour, label in entries]
        handles.append(legend_entry("o", "black", "row arrived, complete"))
        handles.append(legend_entry("o", "black", "row arrived, incomplete", filled=False))
        figure.legend(handles=handles, loc="outside right upper")
    return figure


def _draw(axes: Axes, replay: Replay, attempt: int, names: Sequence[str]) -> None:
    needed, heard = replay.support[attempt], replay.peer_delivered[attempt]
    uplink = replay.uplink_delivered[attempt]
    clients = len(uplink)
    cells = np.where(needed, np.where(heard, _HEARD, _LOST), _UNUSED)
    cells[np.eye(clients, dtype=bool)] = _UNUSED  # nobody needs to hear himself
    columns = np.where(uplink, _HEARD, _LOST)[:, None]
    picture = np.hstack([cells, np.full((clients, 1), _GAP), columns])
    axes.imshow(picture, cmap=ListedColormap(_COLOURS), vmin=0, vmax=3, aspect="auto")
    for client in np.flatnonzero(uplink):
        face = "black" if replay.complete[attempt, client] else "white"
        axes.plot(clients + 1, client, "o", ms=6, mec="black", mfc=face)
    step = max(1, clients // 12)
    numbers = list(range(0, clients, step))
    words = [plain(names[client]) for client in numbers]
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
