"""Where results go: files written whole or not at all, or standard output."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxcogc.cli.shared.errors import UserError, one_line
from jaxcogc.cli.shared.files import STDOUT
from jaxcogc.runtime.atomic_files import write_atomically

if TYPE_CHECKING:
    from jaxcogc.cli.shared.options import Options
    from jaxcogc.cli.shared.picture_options import PictureOptions
    from jaxcogc.figures import Figure, Look


class Measured(NamedTuple):
    """How a run went.

    Attributes:
      device: on which.
      elapsed_seconds: of the verb, all of it.
      compile_seconds: of them, before the work itself.
      per_second: trials or rounds, in the time of the work itself.
      interrupted: less was done than was asked for.
    """

    device: str
    elapsed_seconds: float
    compile_seconds: float
    per_second: float
    interrupted: bool

    def times(self, unit: str) -> dict[str, float]:
        """Seconds and speed by the keys of a result; the unit is what was done so many of."""
        return {
            "elapsed_seconds": self.elapsed_seconds,
            "compile_seconds": self.compile_seconds,
            f"{unit}_per_second": self.per_second,
        }


def write_json(target: str, fields: Mapping[str, Any], asked: Options) -> None:
    """Write one JSON object to standard output ("-") or to a file, with what made it.

    Raises:
      ValueError: a number is not finite (JSON has none).
      UserError: the disk refuses.
    """
    write_text(
        "--json",
        target,
        json.dumps({**asked.made_by(), **fields}, indent=2, allow_nan=False) + "\n",
    )


def write_csv(target: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows of a result as CSV to standard output ("-") or to a file.

    What is an object or a list in JSON has a column for each of its parts: gc_outage_low,
    num_recovered_pmf_0. What is null is empty.

    Raises:
      UserError: the disk refuses.
    """
    flat = [dict(_columns("", row)) for row in rows]
    stream = io.StringIO()
    names = dict.fromkeys(name for row in flat for name in row)
    writer = csv.DictWriter(stream, list(names), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    write_text("--csv", target, stream.getvalue())


def _columns(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Columns of a value of JSON, and what stands in them."""
    if isinstance(value, Mapping):
        parts: Any = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        yield name, json.dumps(value) if isinstance(value, bool) else value
        return
    for key, part in parts:
        yield from _columns(f"{name}_{key}" if name else str(key), part)


def write_text(flag: str, target: str, text: str) -> None:
    """Write a text to standard output ("-") or to a file (UserError when that is refused)."""
    if target == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_file(flag, target, text.encode())


def write_file(flag: str, path: str | Path, data: bytes) -> None:
    """Write all of `data` or nothing."""
    try:
        write_atomically(path, data)
    except OSError as error:
        raise UserError(f"{flag}: cannot write {str(path)!r}: {one_line(error)}") from error


def write_picture(
    flag: str, path: str, draw: Callable[[Look], Figure], asked: PictureOptions
) -> bool:
    """Draw and write a picture; one that cannot be drawn is told in one line, and no more.

    Args:
      flag: the option that asked for it.
      path: its file.
      draw: makes it, in the look that was asked for.
      asked: the options.

    Returns:
      Whether the picture is there.

    Raises:
      UserError: the disk refuses.
    """
    try:
        from jaxcogc.figures import figure_bytes  # Matplotlib itself may not take a user's settings

        data = figure_bytes(draw(asked.look), asked.kind_of(path))
    except Exception as error:  # whatever a user's own settings make Matplotlib do
        print(f"error: {flag}: cannot be drawn: {one_line(error)}", file=sys.stderr)
        return False
    write_file(flag, path, data)
    return True
