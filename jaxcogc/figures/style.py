"""What all pictures share: colours, style, marks, and the bytes of a file.

Figures are built without pyplot: no window system, and no state shared between two pictures.
"""

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure
from matplotlib.lines import Line2D

from jaxcogc.figures.colours import COLOURS
from jaxcogc.outage.intervals import Estimate
from jaxcogc.runtime.atomic_files import write_atomically

_STYLE: Any = {
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "svg.hashsalt": "jaxcogc",
    # Numbers on a logarithmic axis are mathematics, text is none: whatever a user has set.
    "text.parse_math": True,
    "text.usetex": False,
}


@contextmanager
def new_figure(title: str, caption: str, *, height: float) -> Iterator[Figure]:
    """An empty figure to draw in, in the style of all pictures.

    Args:
        title: stands above; text, in which a dollar sign is one.
        caption: stands below; likewise.
        height: in inches; the width is 11.5.

    >>> with new_figure("a title", "a caption", height=3.0) as figure:
    ...     figure.subplots().set_xlabel("attempts")
    Text(0.5, 0, 'attempts')
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11.5, height), layout="constrained")
        place: Any = {"x": 0.01, "ha": "left", "parse_math": False}
        figure.suptitle(title, fontsize=12.5, fontweight="bold", **place)
        figure.supxlabel(caption, fontsize=9, color=COLOURS["note"], **place)
        yield figure


def figure_bytes(figure: Figure, suffix: str) -> bytes:
    """The file of a figure; equal figures give equal bytes.

    Args:
        figure: as `new_figure` gave it.
        suffix: ".png", ".svg" or ".pdf".
    """
    kind = suffix.lower().lstrip(".")
    metadata: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    if kind not in metadata:
        raise ValueError(f"suffix = {suffix!r}: allowed are .png, .svg and .pdf")
    stream = io.BytesIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands in its place
        figure.savefig(stream, format=kind, dpi=150, metadata=metadata[kind])
    return stream.getvalue()


def write_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file, whole or not at all; its name ends in .png, .svg or .pdf."""
    write_atomically(Path(path), figure_bytes(figure, Path(path).suffix))


def plain(text: str) -> str:
    """A text whose dollar signs Matplotlib draws, instead of reading mathematics between them.

    >>> print(plain("run_$1_$2"))
    run_\\$1_\\$2
    """
    return text.replace("$", r"\$")


def draw_estimates(
    axes: Axes,
    x: np.ndarray,
    estimates: Sequence[Estimate],
    *,
    arrow: int,
    bars: bool = False,
    **line: Any,
) -> None:
    """Estimates along an axis, with a band from end to end of their intervals.

    Args:
        axes: linear or logarithmic; on the latter an estimate of 0 becomes an arrow down from the
            upper end of its interval.
        x: where the estimates stand.
        estimates: one for each place.
        arrow: how long an arrow is, in points.
        bars: draw each interval by itself too.
        line: colour and look of the line and its marks, as Matplotlib calls them.
    """
    best, low, high = (
        np.array([getattr(e, end) for e in estimates]) for end in ("best", "low", "high")
    )
    logarithmic = axes.get_yscale() == "log"
    seen = best > 0 if logarithmic else np.ones(len(x), bool)
    floor = np.where(low > 0, low, high * 1e-3) if logarithmic else low
    colour = line["color"]
    axes.fill_between(x, floor, high, where=seen, color=colour, alpha=0.2, lw=0)
    if bars:
        spread = [best[seen] - floor[seen], high[seen] - best[seen]]
        axes.errorbar(x[seen], best[seen], yerr=spread, fmt="none", ecolor=colour, elinewidth=1)
    axes.plot(x, np.where(seen, best, np.nan), **line)
    for where, bound in zip(x[~seen], high[~seen], strict=True):
        if bound > 0:
            draw_bound_arrow(axes, (where, bound), (0, -arrow), colour, "_")


def draw_bound_arrow(
    axes: Axes, end: tuple[float, float], way: tuple[int, int], colour: str, cap: str
) -> None:
    """An arrow from `end` (data) along `way` (points): the value lies somewhere there."""
    axes.plot(*end, marker=cap, color=colour, ms=9, mew=1.4)
    arrow = {"arrowstyle": "<-", "color": colour, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=way, textcoords="offset points", arrowprops=arrow)


def legend_entry(
    marker: str, colour: str, label: str, *, filled: bool = True, dashes: Any = "none"
) -> Line2D:
    """An entry of a legend; its label is text."""
    face = colour if filled else "white"
    look: dict[str, Any] = {"marker": marker, "color": colour, "mfc": face, "linestyle": dashes}
    return Line2D([], [], label=plain(label), **look)
