"""What all pictures share: colours, style, marks, and the bytes of a file.

Figures are built without pyplot: no window system, and no state shared between two pictures.
"""

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

GC, GC_PLUS, ROW_SPACE, OTHER = "#D55E00", "#0072B2", "#009E73", "#7A5195"
"""Colours of the three decoders (Okabe and Ito's, for any colour vision), and of the rest."""

GREY = "#555555"

STYLE: Any = {
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
}


def new_figure(title: str, caption: str, height: float) -> Figure:
    """An empty figure with its title above and its caption below."""
    figure = Figure(figsize=(11.5, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=9, color=GREY)
    return figure


def figure_bytes(figure: Figure, suffix: str) -> bytes:
    """The file of a figure; equal figures give equal bytes.

    Args:
        figure: a figure of this module.
        suffix: ".png", ".svg" or ".pdf".
    """
    kind = suffix.lower().lstrip(".")
    metadata: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    if kind not in metadata:
        raise ValueError(f"suffix = {suffix!r}: allowed are .png, .svg and .pdf")
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format=kind, dpi=150, metadata=metadata[kind])
    return stream.getvalue()


def upper_bound(
    axes: Axes, end: tuple[float, float], way: tuple[int, int], colour: str, cap: str
) -> None:
    """An arrow from `end` (data) along `way` (points): the value lies somewhere there."""
    axes.plot(*end, marker=cap, color=colour, ms=9, mew=1.4)
    arrow = {"arrowstyle": "<-", "color": colour, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=way, textcoords="offset points", arrowprops=arrow)


def mark(
    marker: str, colour: str, label: str, *, filled: bool = True, dashes: Any = "none"
) -> Line2D:
    """An entry of a legend."""
    face = colour if filled else "white"
    return Line2D([], [], marker=marker, color=colour, mfc=face, linestyle=dashes, label=label)


def digits(value: float) -> str:
    """A probability in four digits.

    >>> digits(0.12345), digits(2.5e-5), digits(0.0)
    ('0.1235', '2.50e-05', '0')
    """
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    return f"{value:.4f}" if value >= 0.001 else f"{value:.2e}"
