"""The files that a verb's options name: looked at before the work, so that none is lost by it."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from jaxcogc.cli.shared.errors import one_line, rejected
from jaxcogc.runtime.atomic_files import file_mode

STDOUT = "-"
PICTURES = (".png", ".svg", ".pdf")
_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside the file of a store."""


class File(NamedTuple):
    """What a verb does with the file that an option names.

    Attributes:
      reads, writes: what it does; a store is both read and written.
      endings: one of them must end its name; none is asked for where empty.
      folder: it is a folder, whose files are the verb's own: no other output may lie there.
      stdout: "-" stands for standard output.
      again: it is read more than once, which a pipe cannot be: of a pipe a copy is read.
    """

    reads: bool = False
    writes: bool = False
    endings: tuple[str, ...] = ()
    folder: bool = False
    stdout: bool = False
    again: bool = False


class NamedFile(NamedTuple):
    """A file that was named: by which option, and how."""

    flag: str
    text: str
    file: File


def check_files(named: Sequence[NamedFile]) -> None:
    """Every output can be written, and none is an input, another output or a file of a store.

    Nothing is left behind: the probe is an unnamed temporary file.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    for one in named:
        if one.file.writes and not one.file.folder:
            _check_output(one)
    for number, one in enumerate(named):
        if one.file.writes and not one.file.reads:
            others = [x for x in named if x.file.reads or x.file.folder] + list(named[:number])
            for other in others:
                if other is not one:
                    _check_apart(one, other)


@contextmanager
def copy_of_pipe(text: str) -> Iterator[str | None]:
    """A file, for a while, with what came through a pipe; None of what is no pipe.

    Raises:
      OSError: it cannot be read, or there is no place for the copy.
    """
    path = Path(text)
    try:
        piped = stat.S_ISFIFO(file_mode(path) or 0)
    except OSError:  # whoever reads it says why
        piped = False
    if not piped:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="jaxcogc-") as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(path.read_bytes())
        yield str(copy)


def _check_output(one: NamedFile) -> None:
    if one.text == STDOUT and one.file.stdout:
        return
    endings = one.file.endings
    if endings and Path(one.text).suffix.lower() not in endings:
        raise rejected(one.flag, one.text, f"a file name ending in {', '.join(endings)}")
    try:
        path = Path(os.path.realpath(one.text))  # a link is followed, as it will be when written
        mode = file_mode(path)
    except OSError as error:  # the current folder is gone, one may not be entered, too long a name
        allowed = f"a file that can be written ({one_line(error)})"
        raise rejected(one.flag, one.text, allowed) from error
    if one.text == "" or (mode is not None and stat.S_ISDIR(mode)):
        raise rejected(one.flag, one.text, "a file name, not a folder")
    if mode is not None and not stat.S_ISREG(mode):  # such as /dev/null: never replaced
        if not os.access(path, os.W_OK):
            raise rejected(one.flag, one.text, "a file that can be written")
        return
    if not path.parent.is_dir():
        allowed = f"a file in an existing folder ({path.parent} is none)"
        raise rejected(one.flag, one.text, allowed)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        allowed = f"a file in a folder that can be written ({path.parent}: {one_line(error)})"
        raise rejected(one.flag, one.text, allowed) from error


def _check_apart(one: NamedFile, other: NamedFile) -> None:
    """Raise UserError where an output would overwrite what the other option names."""
    if one.text == STDOUT or other.text == STDOUT:
        if one.text == other.text and one.file.stdout and other.file.stdout:
            raise rejected(one.flag, one.text, f"a file, as {other.flag} has standard output")
        return
    try:
        path, taken = (Path(os.path.realpath(x.text)) for x in (one, other))
    except OSError:  # the current folder is gone: whoever reads the other file will say so
        return
    if other.file.folder:
        if path.is_relative_to(taken):
            raise rejected(one.flag, one.text, f"a file outside the folder of {other.flag}")
        return
    beside = [Path(f"{taken}{ending}") for ending in _BESIDE if other.file.reads]
    if _same(path, taken) or path in beside:
        raise rejected(one.flag, one.text, f"another file than that of {other.flag}")


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, by any link or spelling."""
    try:
        return one == other or one.samefile(other)
    except OSError:  # one of them is not there yet
        return False
