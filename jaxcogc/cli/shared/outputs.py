"""Where results go: files written whole or not at all, or standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcogc.cli.shared.errors import UserError, one_line
from jaxcogc.cli.shared.files import STDOUT
from jaxcogc.runtime.atomic_files import write_atomically

if TYPE_CHECKING:
    from jaxcogc.cli.shared.options import Options
    from jaxcogc.figures import Figure


def write_json(target: str, fields: Mapping[str, Any], asked: Options) -> None:
    """Write one JSON object to standard output ("-") or to a file, with what made it.

    Errors: ValueError for a number that is not finite (JSON has none); UserError when the disk
    refuses.
    """
    write_text(
        "--json",
        target,
        json.dumps({**asked.made_by(), **fields}, indent=2, allow_nan=False) + "\n",
    )


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


def write_picture(flag: str, path: str, draw: Callable[[], Figure]) -> bool:
    """Draw and write a picture; one that cannot be drawn is told in one line, and no more.

    Returns:
        Whether the picture is there.

    Errors: UserError when the disk refuses.
    """
    try:
        from jaxcogc.figures import figure_bytes  # Matplotlib itself may not take a user's settings

        data = figure_bytes(draw(), Path(path).suffix)
    except Exception as error:  # whatever a user's own settings make Matplotlib do
        print(f"error: {flag}: cannot be drawn: {one_line(error)}", file=sys.stderr)
        return False
    write_file(flag, path, data)
    return True
