"""Where results go: targets checked before the work, files written whole or not at all."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxcogc.cli.shared.errors import UserError, one_line, rejected
from jaxcogc.runtime.atomic_files import write_atomically

STDOUT = "-"
PICTURES = (".png", ".svg", ".pdf")


def check_target(field: str, text: str | None) -> Path | None:
    """The file that `text` names, after making sure that it can be written; None for None and "-".

    Nothing is left behind: the probe is an unnamed temporary file.
    """
    if text is None or text == STDOUT:
        return None
    path = Path(os.path.realpath(text))  # a link is followed, as it will be when written
    if text == "" or path.is_dir():
        raise rejected(field, text, "a file name, not a folder")
    if path.exists() and not path.is_file():  # such as /dev/null: written to, never replaced
        if not os.access(path, os.W_OK):
            raise rejected(field, text, "a file that can be written")
        return path
    if not path.parent.is_dir():
        raise rejected(field, text, f"a file in an existing folder ({path.parent} is none)")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        allowed = f"a file in a folder that can be written ({path.parent}: {one_line(error)})"
        raise rejected(field, text, allowed) from error
    return path


def check_suffix(field: str, text: str | None, suffixes: tuple[str, ...]) -> None:
    """Raise UserError unless the file's name ends in one of the suffixes."""
    if text is not None and Path(text).suffix.lower() not in suffixes:
        raise rejected(field, text, f"a file name ending in {', '.join(suffixes)}")


def read_targets(json: str | None, plot: str | None) -> Path | None:
    """Check the targets of --json and --plot, a picture; returns the file of --plot."""
    json_file = check_target("--json", json)
    if plot == STDOUT:
        raise rejected("--plot", plot, f"a file name ending in {', '.join(PICTURES)}")
    plot_file = check_target("--plot", plot)
    check_suffix("--plot", plot, PICTURES)
    if (
        json_file is not None
        and plot_file is not None
        and json_file.resolve() == plot_file.resolve()
    ):
        raise rejected("--plot", plot, "another file than that of --json")
    return plot_file


def write_json(target: str, fields: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output ("-") or to a file.

    Errors: ValueError for a number that is not finite (JSON has none); UserError when the disk
    refuses.
    """
    text = json.dumps(fields, indent=2, allow_nan=False) + "\n"
    if target == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_file("--json", Path(target), text.encode())


def write_file(field: str, path: Path, data: bytes) -> None:
    """Write all of `data` or nothing."""
    try:
        write_atomically(path, data)
    except OSError as error:
        raise UserError(f"{field}: cannot write {str(path)!r}: {one_line(error)}") from error
