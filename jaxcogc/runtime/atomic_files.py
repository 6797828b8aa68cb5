"""Files that are either whole or absent."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

__all__ = ["file_mode", "is_unfinished", "remove_unfinished", "write_atomically"]

_RANDOM_BYTES = 8
"""In the name of a file under way."""


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file so that no reader, and no crash, ever sees half of it.

    The content goes to a temporary name in the same folder, is flushed to the disk and then
    renamed over `path`. A new file gets the permissions the umask grants, an existing one keeps
    its own; a symbolic link is followed. Whatever is not a regular file (`/dev/stdout`, a pipe)
    cannot be renamed over and is written to directly.

    Args:
      path: where to write; its folder must exist.
      content: text (stored as UTF-8, line ends as they are) or bytes.

    Raises:
      OSError: the folder is missing or not writable, the disk is full, ... No temporary file
        stays behind, and an existing file is left as it was.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> target = Path(folder.name) / "result.json"
    >>> write_atomically(target, "{}")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('{}', 1)
    >>> folder.cleanup()
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    mode = file_mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(data)
        return
    temporary = target.with_name(f".{secrets.token_hex(_RANDOM_BYTES)}.tmp")
    # 0o666 less the umask, as open() itself would do (mkstemp would give 0o600).
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:  # a Ctrl-C must not leave it behind either
        temporary.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed `write_atomically` left; for whoever alone writes into a folder."""
    for path in folder.glob(".*.tmp"):
        if is_unfinished(path):
            path.unlink(missing_ok=True)


def is_unfinished(path: Path) -> bool:
    """Whether a file has the name of one that `write_atomically` has not finished."""
    return path.match(".*.tmp") and len(path.stem) == 1 + 2 * _RANDOM_BYTES


def file_mode(target: Path) -> int | None:
    """Mode of what lies at `target`, None when nothing does.

    Raises:
      OSError: nobody can tell: a folder on the way may not be entered, the name is too long, ...
    """
    try:
        return target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
