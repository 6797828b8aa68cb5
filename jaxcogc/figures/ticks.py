"""Labels of ticks that do not run into each other."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis, Tick
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

_PIXELS = 100 / 72
"""A point, in the pixels of a figure."""
_OVER = 1.0
"""How much wider than its panel a title may be."""
_GAP = 3.0
"""Between two labels at least, in pixels of a hundredth of an inch."""


def part_ticks(figure: Figure) -> None:
    """Turn words that collide, and hide labels that still do; their ticks stay. Fold long titles.

    Args:
      figure: all drawn, with a canvas.
    """
    _lay_out(figure)
    seen = [axes for axes in figure.axes if axes.get_visible()]
    changed = [change(axes) for change in (_turn_words, _fold_title) for axes in seen]
    if any(changed):
        _lay_out(figure)
    for axes in seen:
        for axis in (axes.xaxis, axes.yaxis):
            _hide_colliding(axis)


def _lay_out(figure: Figure) -> None:
    """Everything to its place, without drawing it."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)


def _shown(ticks: Sequence[Tick]) -> list[Tick]:
    return [tick for tick in ticks if tick.label1.get_visible() and tick.label1.get_text()]


def _turn_words(axes: Axes) -> bool:
    """Whether words below an axis were turned, for want of room."""
    ticks = _shown(axes.xaxis.get_major_ticks())
    words = [tick for tick in ticks if not _is_number(tick.label1.get_text())]
    if not words or ticks[0].label1.get_rotation() or not _collisions(ticks, axes.xaxis):
        return False
    for tick in ticks:
        tick.label1.set(rotation=30, ha="right", rotation_mode="anchor")
    return True


def _fold_title(axes: Axes) -> bool:
    """Whether a title was wider than its panel, and has more lines now."""
    title, room = axes.get_title(loc="left"), axes.bbox.width * _OVER
    if not title or (wide := axes._left_title.get_window_extent().width) <= room:  # type: ignore[attr-defined]
        return False
    letters = max(map(len, title.split("\n"))) * room / wide
    lines = [textwrap.fill(line, max(8, int(letters))) for line in title.split("\n")]
    axes.set_title("\n".join(lines))
    return True


def _is_number(text: str) -> bool:
    return not any(letter.isalpha() for letter in text) or "$" in text


def _hide_colliding(axis: Axis) -> None:
    """Where two labels collide the later one goes, and one between the decades first."""
    for tick in _collisions(_shown(axis.get_major_ticks()), axis):
        tick.label1.set_visible(False)
    taken = [_box(tick) for tick in _shown(axis.get_major_ticks())]
    for tick in _shown(axis.get_minor_ticks()):
        if any(_meet(_box(tick), box) for box in taken):
            tick.label1.set_visible(False)
        else:
            taken.append(_box(tick))


def _collisions(ticks: Sequence[Tick], axis: Axis) -> list[Tick]:
    """Those that would touch one before them that stays."""
    low, high = sorted(axis.get_view_interval())
    inside = [tick for tick in ticks if low <= tick.get_loc() <= high]
    kept: list[Tick] = []
    gone: list[Tick] = []
    for tick in sorted(inside, key=lambda tick: tick.get_loc()):
        (gone if kept and _meet(_box(kept[-1]), _box(tick)) else kept).append(tick)
    return gone


def _box(tick: Tick) -> Bbox:
    """The room of a label; of a turned one, that of its lines across the axis."""
    label = tick.label1
    box = label.get_window_extent()
    if 0 < label.get_rotation() < 90:
        height = _PIXELS * float(label.get_fontsize())
        return Bbox.from_bounds(box.x1 - 1.5 * height, box.y0, 1.5 * height, box.height)
    return box


def _meet(one: Bbox, other: Bbox) -> bool:
    grown = Bbox.from_extents(one.x0 - _GAP, one.y0 - _GAP, one.x1 + _GAP, one.y1 + _GAP)
    # Labels one above the other may stand close.
    if one.x0 < other.x1 and other.x0 < one.x1:
        grown = Bbox.from_extents(one.x0, one.y0, one.x1, one.y1)
    return bool(grown.overlaps(other))
