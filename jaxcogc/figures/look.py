"""How a picture is to look: size, letters, words and axes, as whoever prints it wants them."""

from __future__ import annotations

from typing import Literal, NamedTuple

Scale = Literal["linear", "log"]
"""Of an axis."""

WIDTH, FONT_SIZE = 11.5, 10.5
"""Of a picture of which nothing is said: inches, points."""
_NARROW, _PANEL = 9.5, 3.2
"""Inches, with letters of that size: a figure with no room for a legend at its side; a panel."""


class Look(NamedTuple):
    """What a picture may be asked for; None: as it is by itself.

    Attributes:
      width, height: in inches.
      font_size: of labels, in points; titles are a little larger, captions smaller.
      title, caption: the lines above and below; empty: none.
      xlabel, ylabel: of the first panel, and of those whose label is the same.
      xscale, yscale: linear or log.

    >>> Look(width=3.5, font_size=8, title="").across(2)
    1
    """

    width: float | None = None
    height: float | None = None
    font_size: float | None = None
    title: str | None = None
    caption: str | None = None
    xlabel: str | None = None
    ylabel: str | None = None
    xscale: Scale | None = None
    yscale: Scale | None = None

    @property
    def inches(self) -> float:
        """The width."""
        return self.width or WIDTH

    @property
    def points(self) -> float:
        """The size of letters."""
        return self.font_size or FONT_SIZE

    @property
    def narrow(self) -> bool:
        """Whether a legend has no room at the side."""
        return self.inches < _NARROW * self.points / FONT_SIZE

    def without_words(self) -> Look:
        """The same size and letters, for another picture than that which the words are of."""
        return Look(self.width, self.height, self.font_size)

    def across(self, panels: int, *, most: int = 3) -> int:
        """How many panels of so many stand side by side."""
        room = int(self.inches / (_PANEL * self.points / FONT_SIZE))
        return max(1, min(panels, most, room))

    def tall(self, row: float, *, down: int = 1, across: int = 1, rest: float = 0.9) -> float:
        """The height of a picture whose rows would be so high, in inches, if nobody said a width.

        Args:
          row: of a row of panels; one of a narrow picture is no higher than it is wide.
          down, across: rows and columns of panels.
          rest: of title and caption.
        """
        scale = self.points / FONT_SIZE
        row = row if self.width is None else min(row, 0.75 * self.inches / across + 0.6 * scale)
        return down * row + rest * scale
