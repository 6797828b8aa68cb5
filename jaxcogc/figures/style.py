"""What all pictures share: style, size, words, marks, and the bytes of a file.

Figures are built without pyplot: no window system, and no state shared between two pictures.
"""

import io
import os
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.figure
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.text import Text

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.estimates import mark_scale
from jaxcogc.figures.look import FONT_SIZE, Look
from jaxcogc.figures.ticks import part_ticks
from jaxcogc.runtime.atomic_files import write_atomically

_STYLE: Any = {
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "svg.hashsalt": "jaxcogc",
    # Publishers refuse fonts of Type 3, and text in a picture is to be found, read and edited.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # Numbers on a logarithmic axis are mathematics, text is none: whatever a user has set.
    "text.parse_math": True,
    "text.usetex": False,
}
_ITSELF = Look()
_PAD = 5.0
"""Between panels and what lies below them, in pixels of a hundredth of an inch."""


class Figure(matplotlib.figure.Figure):
    """Matplotlib's figure, which a notebook shows also where nothing has imported pyplot."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width, height = (round(72 * inches) for inches in self.get_size_inches())
        return figure_bytes(self, ".png"), {"width": width, "height": height}


@contextmanager
def figure_style(font_size: float = FONT_SIZE) -> Iterator[None]:
    """The style of all pictures, for axes of one's own.

    Args:
      font_size: of labels, in points.

    >>> with figure_style(8):
    ...     print(mpl.rcParams["font.size"], mpl.rcParams["pdf.fonttype"])
    8.0 42
    """
    sizes: Any = {"font.size": font_size, "axes.titlesize": 1.1 * font_size}
    if font_size < FONT_SIZE:  # lines and marks go with the letters
        scale = font_size / FONT_SIZE
        sizes |= {"lines.linewidth": 1.5 * scale, "axes.linewidth": 0.8 * scale}
    with mpl.rc_context(_STYLE | sizes):
        yield


@contextmanager
def new_figure(
    title: str, caption: str, *, height: float, look: Look = _ITSELF
) -> Iterator[Figure]:
    """An empty figure to draw in, in the style of all pictures.

    Args:
      title: stands above; text, in which a dollar sign is one.
      caption: stands below; likewise.
      height: in inches; the width is 11.5.
      look: what is asked for instead of these.

    >>> with new_figure("a title", "a caption", height=3.0) as figure:
    ...     figure.subplots().set_xlabel("attempts")
    Text(0.5, 0, 'attempts')
    """
    points = look.points
    with figure_style(points):
        size = look.inches, look.height or height
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        heading: Any = {"fontsize": 1.15 * points, "fontweight": "bold"}
        title, caption = _asked(look.title, title), _asked(look.caption, caption)
        if title:
            text = _wrapped(title, look, 1.15)
            figure.suptitle(text, x=0.01, ha="left", parse_math=False, **heading)
        note: Any = {"fontsize": 0.86 * points, "color": COLOURS["note"], "va": "bottom"}
        text, y = _wrapped(caption, look, 0.86), 0.05 / size[1]
        below = figure.supxlabel(text, x=0.01, y=y, ha="left", parse_math=False, **note)
        below.set_in_layout(False)  # which keeps no room for a legend above it
        yield figure
        _name_axes(figure, look)
        with _boxes_for_missing_glyphs():
            _make_room(figure, below)
            part_ticks(figure)
        figure.set_layout_engine("none")  # it is laid out: writing it need not do so again


def _asked(asked: str | None, own: str) -> str:
    return own if asked is None else asked


def _wrapped(text: str, look: Look, size: float) -> str:
    """In as many lines as it takes."""
    letters = max(20, int(72 * look.inches / (0.58 * size * look.points)))
    return "\n".join(textwrap.fill(line, letters) for line in text.split("\n"))


def _make_room(figure: Figure, caption: Text) -> None:
    """Below the panels for a caption, and for a legend over it."""
    height = figure.bbox.height
    taken = (caption.get_window_extent().y1 if caption.get_text() else 0.0) / height
    for legend in figure.legends:
        if not legend.get_in_layout():
            legend.set_bbox_to_anchor((0.5, taken), figure.transFigure)
            taken += (legend.get_window_extent().height + _PAD) / height
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0.0, taken, 1.0, 1.0 - taken))


def _name_axes(figure: Figure, look: Look) -> None:
    """The labels that were asked for: of the first panel, and where the same one stood."""
    for name, asked in (("xlabel", look.xlabel), ("ylabel", look.ylabel)):
        if asked is not None and figure.axes:
            named = [axes for axes in figure.axes if getattr(axes, f"get_{name}")()]
            own = getattr(named[0], f"get_{name}")() if named else ""
            for axes in named or figure.axes[:1]:
                if getattr(axes, f"get_{name}")() == own:
                    getattr(axes, f"set_{name}")(asked, parse_math=False)


def place_legend(figure: Figure, handles: Sequence[Any], look: Look = _ITSELF, **more: Any) -> None:
    """The legend of all panels: at the side, or below where there is no room.

    Args:
      figure: with its panels.
      handles: what is drawn, with labels.
      look: of the figure.
      more: as Matplotlib calls it.
    """
    if not look.narrow:
        figure.legend(handles=handles, loc="outside right upper", **more)
        return
    longest = max((len(str(handle.get_label())) for handle in handles), default=1)
    line = more.get("handlelength", 2.0)
    columns = int(72 * look.inches / (look.points * (0.55 * longest + 2 + line)))
    columns = max(1, min(columns, len(handles)))
    legend = figure.legend(handles=handles, loc="lower center", ncols=columns, **more)
    legend.set_in_layout(False)  # `new_figure` makes room for it


@contextmanager
def _boxes_for_missing_glyphs() -> Iterator[None]:
    """A box stands in the place of a letter that the font has not."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


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
    with figure_style(), _boxes_for_missing_glyphs():
        dots = 150 if figure.get_figwidth() > 8 else 300
        figure.savefig(stream, format=kind, dpi=dots, metadata=metadata[kind])
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


def legend_entry(
    marker: str,
    colour: str,
    label: str,
    *,
    filled: bool = True,
    dashes: Any = "none",
    size: float = 6.0,
    width: float = 1.5,
) -> Line2D:
    """An entry of a legend; its label is text."""
    face = colour if filled else "white"
    look: dict[str, Any] = {"marker": marker, "color": colour, "mfc": face, "linestyle": dashes}
    look |= {"ms": size * mark_scale(), "lw": width * mark_scale()}
    return Line2D([], [], label=plain(label), **look)
