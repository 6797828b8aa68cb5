"""Files of numbers: a matrix as JSON, CSV or NPY; and the JSON text of other files.

* `.json`: a list of rows, each a list of numbers.
* `.csv`: a row a line, numbers apart by commas, no header; blank lines mean nothing.
* `.npy`: as `numpy.save` writes it; objects are refused, as reading them would run their code.
"""

from __future__ import annotations

import csv
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.links.checks import number_array

__all__ = ["MATRIX_ENDINGS", "composed", "json_kind", "read_json", "read_matrix", "read_text"]

_MOST = 2**12
"""Rows or columns; more are a mistake, and would fill the memory."""


def read_matrix(path: str | os.PathLike[str]) -> HostFloats:
    """Read a matrix; its values are not checked, nor whether it is square.

    Args:
      path: of a file ending in .json, .csv or .npy.

    Returns:
      float64 [rows, columns], whatever they are.

    Raises:
      ValueError: the file cannot be read or holds something else; the line names the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "code.csv")
    ...     _ = path.write_text("1, 0.5\\n0, 1\\n")
    ...     read_matrix(path)
    array([[1. , 0.5],
           [0. , 1. ]])
    """
    name = os.fspath(path)
    read = _READERS.get(Path(path).suffix.lower())
    if read is None:
        raise ValueError(f"{name}: allowed is a file ending in {', '.join(MATRIX_ENDINGS)}")
    found = read(path)
    try:
        return number_array("matrix", found, num_axes=2)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file holds; a key that stands twice is a mistake.

    Raises:
      ValueError: the file cannot be read, or is no JSON; the line names the file.
    """
    text = read_text(path, "JSON")
    try:
        return json.loads(text, object_pairs_hook=_each_key_once)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{os.fspath(path)}: is not valid JSON: {error.msg} ({where})") from None
    except RecursionError:
        raise ValueError(f"{os.fspath(path)}: holds no numbers: nested too deeply") from None
    except ValueError as error:  # a key twice, an endless number
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the field {json.dumps(twice)[:60]} twice: allowed is each once")
    return fields


def read_text(path: str | os.PathLike[str], kind: str) -> str:
    """The text of a file of a kind, such as "CSV"; a ValueError names the file."""
    try:
        return composed(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"{os.fspath(path)}: cannot be read: {reason}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{os.fspath(path)}: is not a {kind} file (not UTF-8 text)") from None


def composed(text: str) -> str:
    """A text with one letter for what may be a letter and its accent: they read the same.

    >>> composed("cafe\N{COMBINING ACUTE ACCENT}") == "café"
    True
    """
    return unicodedata.normalize("NFC", text)


def json_kind(value: Any) -> str:
    """What JSON calls the type of a value."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list) and not value:
        return "an empty list"
    names = {dict: "object", list: "list", str: "string", int: "number", float: "number"}
    return names[type(value)]


def _from_json(path: str | os.PathLike[str]) -> list[list[float]]:
    rows = read_json(path)
    for m, row in enumerate(rows if isinstance(rows, list) else ()):
        for k, value in enumerate(row if isinstance(row, list) else ()):
            if isinstance(value, bool) or not isinstance(value, int | float):
                where = f"row {m + 1}, number {k + 1}"
                raise ValueError(
                    f"{os.fspath(path)}: {where} is {json_kind(value)}: allowed is a number"
                )
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ValueError(f"{os.fspath(path)}: allowed is a list of rows, each a list of numbers")
    return _even(path, rows)


def _from_csv(path: str | os.PathLike[str]) -> list[list[float]]:
    rows: list[list[float]] = []
    try:
        for cells in csv.reader(read_text(path, "CSV").splitlines()):
            if any(cell.strip() for cell in cells):
                rows.append([_number(path, len(rows), k, cell) for k, cell in enumerate(cells)])
    except csv.Error as error:
        raise ValueError(f"{os.fspath(path)}: is not valid CSV: {error}") from None
    return _even(path, rows)


def _number(path: str | os.PathLike[str], row: int, column: int, cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        shown = cell.strip()[:30]
        where = f"row {row + 1}, number {column + 1} is {shown!r}"
        raise ValueError(f"{os.fspath(path)}: {where}: allowed is a number") from None


def _even(path: str | os.PathLike[str], rows: list[list[float]]) -> list[list[float]]:
    for m, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"{os.fspath(path)}: row {m + 1} has {len(row)} numbers: allowed is {len(rows[0])},"
                " as in the first"
            )
    _check_size(path, (len(rows), len(rows[0]) if rows else 0))
    return rows


def _from_npy(path: str | os.PathLike[str]) -> np.ndarray:
    try:
        found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"{os.fspath(path)}: cannot be read: {reason}") from None
    except (ValueError, EOFError, SyntaxError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{os.fspath(path)}: is no NPY file of numbers: {reason}") from None
    if not isinstance(found, np.ndarray):
        raise ValueError(f"{os.fspath(path)}: is no NPY file of numbers: holds several arrays")
    _check_size(path, found.shape)
    return found


def _check_size(path: str | os.PathLike[str], shape: tuple[int, ...]) -> None:
    if not shape or max(shape) > _MOST or min(shape) < 1:
        raise ValueError(
            f"{os.fspath(path)}: holds an array of shape {shape}: allowed are 1 to {_MOST} rows and"
            " columns"
        )


_READERS: dict[str, Callable[[str | os.PathLike[str]], Any]] = {
    ".json": _from_json,
    ".csv": _from_csv,
    ".npy": _from_npy,
}
MATRIX_ENDINGS = tuple(_READERS)
"""Of files that hold a matrix."""
