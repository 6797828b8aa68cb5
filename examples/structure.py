"""What does the server hold? Rank, complete rows and recovered clients, against erasure.

    python examples/structure.py [FOLDER]

leaves a picture (PNG) and a table (CSV) in FOLDER (default: results).
"""

from functools import partial
from pathlib import Path

import jax
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from points import leave_picture, leave_results, write_csv

from jaxcogc import Network, cyclic_code
from jaxcogc.figures import COLOURS, Figure, new_figure
from jaxcogc.outage import Structure, structure_by_attempts

NUM_CLIENTS, NUM_STRAGGLERS = 8, 5
ERASURES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
ATTEMPTS = (1, 2, 3, 4)
SHOWN = 2
NUM_TRIALS = 20_000
SEED = 0
Results = dict[tuple[float, int, bool], Structure]


def simulate() -> Results:
    """Every erasure probability, number of attempts, with and without redrawing."""
    code_key, key = jax.random.split(jax.random.key(SEED))
    code = cyclic_code(code_key, NUM_CLIENTS, NUM_STRAGGLERS)
    found: Results = {}
    for redraw in (False, True):
        for erasure in ERASURES:
            network = Network.homogeneous(NUM_CLIENTS, uplink_erasure=erasure, peer_erasure=erasure)
            results = structure_by_attempts(
                key,
                network,
                code,
                num_trials=NUM_TRIALS,
                attempts=ATTEMPTS,
                redraw_code=redraw,
            )
            for attempts, result in zip(ATTEMPTS, results, strict=True):
                found[erasure, attempts, redraw] = result
    return found


def draw_distributions(axes: Axes, found: Results, name: str, colour: str) -> None:
    """Mean and the middle 80 % of a distribution, against erasure."""
    laws = [getattr(found[e, SHOWN, False], name) for e in ERASURES]
    means = [law @ np.arange(law.size) for law in laws]
    low, high = (
        [int(np.searchsorted(np.cumsum(law) + 1e-12, q)) for law in laws] for q in (0.1, 0.9)
    )
    axes.fill_between(ERASURES, low, high, color=colour, alpha=0.2, lw=0)
    axes.plot(ERASURES, means, "o-", color=colour, ms=4)
    axes.set_ylim(-0.2, None)
    axes.set_xlabel("erasure probability of every link")


def draw_full_rank(axes: Axes, found: Results) -> None:
    """P(full rank) against attempts, dashed when the code is redrawn."""
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.85, 4))
    for erasure, shade in zip((0.1, 0.3, 0.5, 0.7), shades, strict=True):
        for redraw in (False, True):
            values = [float(found[erasure, a, redraw].full_rank) for a in ATTEMPTS]
            label = f"erasure {erasure:g}" if not redraw else None
            style = "s--" if redraw else "o-"
            axes.plot(ATTEMPTS, values, style, color=shade, ms=4, label=label)
    axes.plot([], [], "s--", color="grey", ms=4, label="code redrawn")
    axes.set_xticks(ATTEMPTS)
    axes.set_xlabel("attempts")
    axes.legend(fontsize=8.5)


def structure_picture(folder: Path) -> list[tuple[Path, str]]:
    """Simulate, write the picture and the table; returns the files and what they show."""
    found = simulate()
    picture, table = folder / "structure.png", folder / "structure.csv"
    places = np.arange(NUM_CLIENTS + 1)
    rows = [
        {
            "erasure": erasure,
            "attempts": attempts,
            "redrawn": redraw,
            "full_rank": float(result.full_rank),
            "mean_rank": float(result.rank_pmf @ places),
            "mean_recovered": float(result.num_recovered_pmf @ places),
        }
        for (erasure, attempts, redraw), result in found.items()
    ]
    write_csv(table, rows)
    leave_picture(picture, partial(draw, found))
    return [
        (picture, "rank, complete rows and recovered clients against erasure and attempts"),
        (table, "the same as numbers"),
    ]


def draw(found: Results) -> Figure:
    """The four panels."""
    with new_figure(
        f"What the server holds: {NUM_CLIENTS} clients, cyclic code, s = {NUM_STRAGGLERS}",
        f"{NUM_TRIALS:,} rounds a point; bands: the middle 80 % of the rounds; "
        f"first three panels: {SHOWN} attempts of one code; seed {SEED}",
        height=7.2,
    ) as figure:
        panels = figure.subplots(2, 2).ravel()
        for axes, name, colour, title in (
            (panels[0], "rank_pmf", COLOURS["row_space"], "Rank of the rows that arrived"),
            (panels[1], "complete_pmf", COLOURS["gc"], "Clients with a complete row"),
            (
                panels[2],
                "num_recovered_pmf",
                COLOURS["gc_plus"],
                "Clients recovered one by one, |K|",
            ),
        ):
            axes.set_title(title)
            draw_distributions(axes, found, name, colour)
        panels[3].set_title("Probability of full rank")
        draw_full_rank(panels[3], found)
    return figure


if __name__ == "__main__":
    leave_results(structure_picture)
