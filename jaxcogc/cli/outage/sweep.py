"""In what the lines of a sweep differ: columns of its table, curves of its picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxcogc.cli.outage.options import OutageOptions
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.number_text import count_text

MOST_CURVES = 3
_HEADINGS = {
    "uplink_erasure": ("uplink\nerasure", "uplink erasure"),
    "peer_erasure": ("peer\nerasure", "peer erasure"),
    "attempts": ("\nA", "attempts A"),
    "stragglers": ("\ns", "stragglers s"),
}
"""Of each axis, the heading of its column and what is written along it in a picture."""
_FEW = 4


class Axis(NamedTuple):
    """An option that was given several values.

    Attributes:
      name: of the option's field.
      values: each once, as they were given.
      places: of each line of the sweep, its value.
    """

    name: str
    values: tuple[float, ...]
    places: tuple[float, ...]

    @property
    def heading(self) -> str:
        """Of its column."""
        return _HEADINGS[self.name][0]

    @property
    def label(self) -> str:
        """Along it, in a picture."""
        return _HEADINGS[self.name][1]

    def text(self) -> str:
        """The values in words."""
        texts = [f"{value:g}" for value in self.values]
        return ", ".join(texts) if len(texts) <= _FEW else f"{texts[0]}, .., {texts[-1]}"

    def told(self, value: float) -> str:
        """One value in words."""
        name = self.name.replace("_", " ")
        if "erasure" in name:
            return f"{name} {value:g}"
        return count_text(int(value), name.removesuffix("s"))


def axes_of(options: OutageOptions, stragglers: Sequence[int]) -> tuple[Axis, ...]:
    """The axes of a sweep, the slowest first; empty where everything has one value."""
    lines = [(asked, s) for asked in options.each() for s in stragglers]
    axes = [
        Axis(name, values, tuple(getattr(asked, name) for asked, _ in lines))
        for name, values in options.lists
    ]
    if len(stragglers) > 1:
        axes.append(Axis("stragglers", tuple(stragglers), tuple(s for _, s in lines)))
    return tuple(axes)


def along(axes: Sequence[Axis]) -> Axis:
    """The axis that a picture has along x: the longest, of equals the last."""
    return max(reversed(axes), key=lambda axis: len(axis.values))


def check_picture(axes: Sequence[Axis]) -> None:
    """Raise UserError where a picture would have more curves than can be told apart."""
    number = 1
    for axis in axes:
        number *= len(axis.values) if axis is not along(axes) else 1
    if number > MOST_CURVES:
        raise UserError(
            f"--plot of {number} curves: allowed are at most {MOST_CURVES} combinations of the "
            f"values beside those of {along(axes).name.replace('_', ' ')}"
        )
