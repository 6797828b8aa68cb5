"""How pictures are to look: options of every verb that draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from jaxcogc.allowed import LENGTH, LETTERS, choice
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.files import PICTURES, NamedFile
from jaxcogc.cli.shared.options import Headings, Option, Options, option
from jaxcogc.figures.look import FONT_SIZE, WIDTH, Look

_KINDS = tuple(ending.removeprefix(".") for ending in PICTURES)
_SCALES = ("linear", "log")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PictureOptions(Options):
    """Size, letters and words of the pictures that a verb draws."""

    headings: ClassVar[Headings] = (("width", "Pictures"),)
    width: float | None = option("INCHES", "Of the picture; also 88mm.", LENGTH, shown=f"{WIDTH:g}")
    height: float | None = option("INCHES", "Likewise.", LENGTH, shown="what its panels need")
    font_size: float | None = option(
        "POINTS", "Of the letters in it.", LETTERS, shown=f"{FONT_SIZE:g}"
    )
    format: str | None = option(
        "NAME",
        f"{', '.join(_KINDS)}, whatever the picture's file is called.",
        choice(_KINDS),
        shown="as the file's name ends",
    )
    title: str | None = option("TEXT", "Above the picture, instead of its own; '' for none.")
    caption: str | None = option("TEXT", "Below the picture, likewise.")
    xlabel: str | None = option("TEXT", "Of the horizontal axis, likewise.")
    ylabel: str | None = option("TEXT", "Of the vertical axis, likewise.")

    @classmethod
    def options(cls) -> dict[str, Option]:
        """See `Options`; those of pictures come last."""
        found = super().options()
        return {name: told for name, told in found.items() if name not in PICTURE_NAMES} | {
            name: found[name] for name in PICTURE_NAMES if name in found
        }

    @classmethod
    def read(cls, typed: Mapping[str, Any], written: Mapping[str, Any] | None = None) -> Self:
        """See `Options`; a look without a picture is an error.

        Raises:
          UserError: also where no picture is asked for.
        """
        record = super().read(typed, written)
        given = [name for name in PICTURE_NAMES if name in record.given]
        if given and not record.draws():
            raise UserError(f"{cls.flag(given[0])} without {cls._picture_flag()}: nothing is drawn")
        return record

    @classmethod
    def _picture_flag(cls) -> str:
        """The flag of the option that names the picture, or the folder of several."""
        flags = [told.flag for told in cls.options().values() if _names_a_picture(told)]
        return flags[0] if flags else "--out"

    def draws(self) -> bool:
        """Whether a picture is asked for."""
        names = [name for name, told in self.options().items() if _names_a_picture(told)]
        return any(getattr(self, name) is not None for name in names or ["out"])

    def files(self) -> list[NamedFile]:
        """See `Options`; with a format the name of a picture may end as it likes."""
        found = super().files()
        if self.format is None:
            return found
        return [
            one._replace(file=one.file._replace(endings=()))
            if one.file.endings == PICTURES
            else one
            for one in found
        ]

    @property
    def look(self) -> Look:
        """What was asked for."""
        asked = {name: getattr(self, name, None) for name in Look._fields}
        return Look(**asked)

    def kind_of(self, path: str | Path) -> str:
        """The ending that says how a picture is written."""
        return Path(path).suffix if self.format is None else f".{self.format}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AxesOptions(PictureOptions):
    """The same where the axes are of numbers."""

    xscale: str | None = option(
        "NAME", f"Of the picture's horizontal axis: {', '.join(_SCALES)}.", choice(_SCALES)
    )
    yscale: str | None = option("NAME", "Of the vertical axis, likewise.", choice(_SCALES))


PICTURE_NAMES = tuple(
    field.name for field in dataclasses.fields(AxesOptions) if "option" in field.metadata
)


def _names_a_picture(told: Option) -> bool:
    return told.file is not None and told.file.endings == PICTURES
