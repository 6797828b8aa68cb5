"""The folder of a run: made in one step, held by one process at a time."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from jaxcogc.runtime.atomic_files import is_unfinished, remove_unfinished, write_atomically

CONFIG_NAME = "config.toml"
COPIED = {"network": "network", "code_file": "code"}
"""Options that name a file of which a run keeps a copy, and the folder where."""
CHECKPOINTS = "checkpoints"


def rounds_kept(folder: Path) -> list[int]:
    """After how many rounds the checkpoints in a folder were made, the newest first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def is_new(out: Path) -> bool:
    """Whether a run can begin there: nothing, or what is left of one that had hardly begun."""
    if not out.exists():
        return True
    return all(
        is_unfinished(path)
        or path.name in COPIED.values()
        or (path.name == CHECKPOINTS and not rounds_kept(path))
        for path in out.iterdir()
    )


@contextmanager
def held_folder(
    out: Path, files: Mapping[str, bytes], *, resume: bool, warn: Callable[[str], None]
) -> Iterator[None]:
    """Hold the folder of a run, which has the files from its first moment on.

    The kernel gives the lock back when the process ends, however it ends.

    Args:
      out: the folder.
      files: what must be in it, by path below it; the last one says that it is complete.
      resume: it is there already.
      warn: says where the file system knows no locks.

    Raises:
      ValueError: another process holds it, or began a run in it.
      OSError: the disk refuses.
    """
    with ExitStack() as stack:
        if not resume and not out.exists():
            _make(out, files, stack, warn)
        else:  # not replaced: it may be a mount point, or where we stand
            stack.enter_context(_lock(out, out, warn))
            if not resume and not is_new(out):
                raise ValueError(f"{out}: another run began in this folder")
            remove_unfinished(out)
            _write(out, files)
        yield


def _make(
    out: Path, files: Mapping[str, bytes], stack: ExitStack, warn: Callable[[str], None]
) -> None:
    """Under another name first: a folder without its files is never seen."""
    target = Path(os.path.realpath(out))
    new = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    new.mkdir(parents=True)
    try:
        _write(new, files)
        stack.enter_context(_lock(new, out, warn))
        new.rename(target)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files that are not there as they should be."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != data:
            write_atomically(path, data)


@contextmanager
def _lock(folder: Path, out: Path, warn: Callable[[str], None]) -> Iterator[None]:
    """Lock a folder, whatever its name becomes."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        warn(f"{out} cannot be locked here: see to it that no other run uses it")
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"{out}: another process is training in this folder") from error
        except OSError:  # some network file systems
            warn(f"{out} cannot be locked here: see to it that no other run uses it")
        yield
    finally:
        os.close(descriptor)
