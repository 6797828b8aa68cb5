"""How curves of a study are told apart: a colour for each s, a mark for each setting of the rest,
a dash for each outcome. No colour has to be seen: marks or dashes differ as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxcogc.figures.colours import COLOURS, CURVE_COLOURS
from jaxcogc.figures.labels import outcome_label, setting_label
from jaxcogc.figures.studies.curve_layout import Panel

MARKERS = "os^Dv<>P"
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
_LARGEST, _SMALLEST = 7.5, 4.5
"""Sizes of marks, of one outcome; those on top are smaller, so that equal curves all show."""
_OF_OUTCOMES = ((6.0, True, 1.5), (8.5, False, 2.6), (3.8, True, 3.4), (11.0, False, 4.2))
"""Size of marks, whether they are filled, width of the line: of several outcomes, a dot lies in a
ring, and a line upon wider ones with gaps."""


class CurveLook(NamedTuple):
    """Colour, mark and line of a curve.

    Attributes:
      colour, marker, dashes: as Matplotlib calls them.
      size: of the mark, in points.
      filled: or a ring.
      width: of the line, in points.
    """

    colour: str
    marker: str
    dashes: Any
    size: float
    filled: bool
    width: float = 1.5


class Entry(NamedTuple):
    """A line of a legend: what it says, and how that is drawn."""

    label: str
    look: CurveLook


def looks_of(panels: Sequence[Panel]) -> dict[str, CurveLook]:
    """The look of every curve, by its label."""
    curves = {curve.label: curve for panel in panels for curve in panel.curves}
    outcomes = list(dict.fromkeys(curve.outcome for curve in curves.values()))
    settings = list(dict.fromkeys(curve.setting for curve in curves.values()))
    first = list(dict.fromkeys(_main(setting) for setting in settings))
    rest = list(dict.fromkeys(_rest(setting) for setting in settings))
    in_two = 1 < len(rest) <= len(MARKERS) and len(first) <= len(CURVE_COLOURS)
    found = {}
    for number, (label, curve) in enumerate(curves.items()):
        which = settings.index(curve.setting)
        again = which // len(CURVE_COLOURS)
        colour, marker = which, which + again
        if in_two:
            colour, marker = first.index(_main(curve.setting)), rest.index(_rest(curve.setting))
        dash = outcomes.index(curve.outcome) % len(_DASHES)
        size = _LARGEST - number / max(1, len(curves) - 1) * (_LARGEST - _SMALLEST)
        filled, width = True, 1.5
        if len(outcomes) > 1:
            size, filled, width = _OF_OUTCOMES[dash]
        found[label] = CurveLook(
            CURVE_COLOURS[colour % len(CURVE_COLOURS)],
            MARKERS[marker % len(MARKERS)],
            _shortened(_DASHES[dash], width),
            size,
            filled,
            width,
        )
    return found


def _shortened(dashes: Any, width: float) -> Any:
    """Dashes that are as long on a wide line as on a thin one."""
    return dashes if dashes == "-" else (0, tuple(part * 1.5 / width for part in dashes[1]))


def _main(setting: tuple[tuple[str, Any], ...]) -> Any:
    """The value that a colour stands for: of s, else of the first axis."""
    return dict(setting).get("stragglers", setting[0][1] if setting else None)


def _rest(setting: tuple[tuple[str, Any], ...]) -> Any:
    values = dict(setting)
    values.pop("stragglers" if "stragglers" in values else next(iter(values), ""), None)
    return tuple(values.items())


def entries_of(panels: Sequence[Panel], looks: dict[str, CurveLook]) -> list[Entry]:
    """The lines of a legend: settings, then outcomes, where the curves are all pairs of them."""
    curves = {curve.label: curve for panel in panels for curve in panel.curves}
    outcomes = {curve.outcome: looks[label] for label, curve in curves.items()}
    settings: dict[tuple[tuple[str, Any], ...], CurveLook] = {}
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


def _words(setting: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(setting_label(name, value) for name, value in setting)
