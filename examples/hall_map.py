"""A map of the hall: who stands where, how bad each uplink is, and which clients hear each other.

python examples/hall_map.py [FOLDER]
"""

import json
from pathlib import Path

import numpy as np
from hall_network import SHIPPED
from points import leave_picture, leave_results

from jaxcogc import Network
from jaxcogc.figures import COLOURS, new_figure


def hall_map(folder: Path) -> list[tuple[Path, str]]:
    """Draw hall-12-map.png; returns the file and what it shows."""
    network = Network.from_json(SHIPPED)
    fields = json.loads(SHIPPED.read_text())
    positions = np.array(fields["positions_metres"])
    x_access, y_access = fields["access_point_metres"]
    x, y = positions.T
    with new_figure(
        "hall-12: twelve clients and one access point",
        "Made by examples/hall_network.py; every parameter was chosen for this example. "
        "Lines: the darker, the better two clients hear each other.",
        height=6.2,
    ) as figure:
        axes = figure.subplots()
        axes.grid(visible=False)
        for m, k in zip(*np.triu_indices(len(positions), 1), strict=True):
            erasure = (network.peer_erasure[m, k] + network.peer_erasure[k, m]) / 2
            axes.plot(
                *positions[[m, k]].T, color=COLOURS["note"], alpha=0.55 * (1 - erasure) ** 6, lw=1.2
            )
        spots = axes.scatter(
            x, y, c=network.uplink_erasure, cmap="cividis_r", vmin=0, s=330, zorder=3
        )
        for client, place in enumerate(positions):
            bright = network.uplink_erasure[client] < 0.5 * network.uplink_erasure.max()
            colour = "black" if bright else "white"
            axes.annotate(
                str(client), tuple(place), ha="center", va="center", color=colour, zorder=4
            )
        axes.plot(x_access, y_access, "s", ms=13, color=COLOURS["gc"], clip_on=False, zorder=5)
        axes.annotate(
            "access point",
            (x_access, y_access),
            xytext=(14, 8),
            textcoords="offset points",
            color=COLOURS["gc"],
        )
        figure.colorbar(spots, label="uplink erasure probability", shrink=0.9)
        width, depth = fields["hall_metres"]
        axes.set(xlim=(0, width), ylim=(0, depth), aspect="equal", xlabel="metres", ylabel="metres")
    picture = folder / "hall-12-map.png"
    leave_picture(picture, lambda: figure)
    return [(picture, "the hall: where clients stand, their uplinks, and who hears whom")]


if __name__ == "__main__":
    leave_results(hall_map)
