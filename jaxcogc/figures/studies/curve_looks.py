"""How curves of a study are told apart: a colour for each s, a mark for each setting, a dash for
each outcome. No colour has to be seen: up to 16 curves differ in mark, filling or dashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from jaxcogc.figures.colours import COLOURS, CURVE_COLOURS
from jaxcogc.figures.labels import outcome_label, setting_label
from jaxcogc.figures.studies.curve_layout import Panel
from jaxcogc.study.specification.point import Value

_Setting: TypeAlias = tuple[tuple[str, Value], ...]
MARKERS = "os^Dv<>P"
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
_LARGEST, _SMALLEST = 8.5, 5.5
"""Sizes of marks, of one outcome; those on top are smaller, so that equal curves all show."""
_OF_OUTCOMES = ((6.0, True, 1.5), (8.5, False, 2.6), (3.8, True, 3.4), (11.0, False, 4.2))
"""Size of marks, whether they are filled, width of the line: of several outcomes, a dot lies in a
ring, and a line upon wider ones with gaps."""
_MOST_SHAPES = len(MARKERS)


class CurveLook(NamedTuple):
    """Colour, mark and line of a curve.

    Attributes:
      colour, marker, dashes: as Matplotlib calls them.
      size: of the mark, in points.
      filled: or a ring.
      width: of the line, in points.
      clear: marks of other outcomes are seen through a ring, else it is white.
    """

    colour: str
    marker: str
    dashes: Any
    size: float
    filled: bool
    width: float = 1.5
    clear: bool = False

    @property
    def face(self) -> str:
        """The colour inside of the mark."""
        return self.colour if self.filled else "none" if self.clear else "white"


class Entry(NamedTuple):
    """A line of a legend: what it says, and how that is drawn."""

    label: str
    look: CurveLook


def looks_of(panels: Sequence[Panel]) -> dict[str, CurveLook]:
    """The look of every curve, by its label."""
    curves = {curve.label: curve for panel in panels for curve in panel.curves}
    outcomes = list(dict.fromkeys(curve.outcome for curve in curves.values()))
    settings = list(dict.fromkeys(curve.setting for curve in curves.values()))
    colours, marks = _colours(settings), _marks(settings)
    found = {}
    for number, (label, curve) in enumerate(curves.items()):
        again, dash = divmod(outcomes.index(curve.outcome), len(_DASHES))
        mark, width = marks[curve.setting], 1.5
        filled = mark < _MOST_SHAPES
        size = _LARGEST - number / max(1, len(curves) - 1) * (_LARGEST - _SMALLEST)
        if len(outcomes) > 1:  # rings tell outcomes, shapes alone settings; more dashes are none
            mark = settings.index(curve.setting) + again * len(settings)
            size, filled, width = _OF_OUTCOMES[dash]
        found[label] = CurveLook(
            CURVE_COLOURS[colours[curve.setting] % len(CURVE_COLOURS)],
            MARKERS[mark % _MOST_SHAPES],
            _shortened(_DASHES[dash], width),
            size,
            filled,
            width,
            clear=len(outcomes) > 1,
        )
    return found


def _colours(settings: Sequence[_Setting]) -> dict[_Setting, int]:
    """A colour for each s, whatever the rest; for each setting where those are too many."""
    first = list(dict.fromkeys(map(_main, settings)))
    rest = list(dict.fromkeys(map(_rest, settings)))
    shared = 1 < len(rest) <= _MOST_SHAPES and len(first) <= len(CURVE_COLOURS)
    return {
        setting: first.index(_main(setting)) if shared else which
        for which, setting in enumerate(settings)
    }


def _marks(settings: Sequence[_Setting]) -> dict[_Setting, int]:
    """A mark for each setting: shapes first filled, then as rings.

    Where one axis has two values, rings are those of its second one, and a shape stands for s.
    """
    first = list(dict.fromkeys(map(_main, settings)))
    rest = list(dict.fromkeys(map(_rest, settings)))
    marks = {}
    for which, setting in enumerate(settings):
        one, other = first.index(_main(setting)), rest.index(_rest(setting))
        marks[setting] = which
        if len(first) <= _MOST_SHAPES and len(rest) <= 2:
            marks[setting] = one + other * _MOST_SHAPES
        elif len(rest) <= _MOST_SHAPES and len(first) <= 2:
            marks[setting] = other + one * _MOST_SHAPES
    return marks


def _shortened(dashes: Any, width: float) -> Any:
    """Dashes that are as long on a wide line as on a thin one."""
    return dashes if dashes == "-" else (0, tuple(part * 1.5 / width for part in dashes[1]))


def _main(setting: _Setting) -> Value:
    """The value that a colour stands for: of s, else of the first axis."""
    return dict(setting).get("stragglers", setting[0][1] if setting else None)


def _rest(setting: _Setting) -> _Setting:
    values = dict(setting)
    values.pop("stragglers" if "stragglers" in values else next(iter(values), ""), None)
    return tuple(values.items())


def entries_of(panels: Sequence[Panel], looks: dict[str, CurveLook]) -> list[Entry]:
    """The lines of a legend: settings, then outcomes, where the curves are all pairs of them."""
    curves = {curve.label: curve for panel in panels for curve in panel.curves}
    outcomes = {curve.outcome: looks[label] for label, curve in curves.items()}
    settings: dict[_Setting, CurveLook] = {}
    for label, curve in curves.items():
        settings.setdefault(curve.setting, looks[label])
    if min(len(outcomes), len(settings)) < 2 or len(outcomes) > len(_DASHES):
        return [Entry(label, looks[label]) for label in curves]
    found = [
        Entry(_words(setting), look._replace(dashes="none", size=6.0, filled=True))
        for setting, look in settings.items()
    ]
    for outcome, look in outcomes.items():
        plain = look._replace(colour=COLOURS["note"], marker="o")
        found.append(Entry(outcome_label(outcome), plain))
    return found


def _words(setting: _Setting) -> str:
    return ", ".join(setting_label(name, value) for name, value in setting)
