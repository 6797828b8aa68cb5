"""Compiled programs kept between runs: a second run of the command line need not wait for them."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from pathlib import Path

import platformdirs

_MOST_BYTES = 2 * 10**9
"""Of all programs: beyond it JAX drops those used longest ago."""
_LEAST_SECONDS = 0.1
"""What compiles faster is not worth a file."""


def keep_programs() -> Path | None:
    """Let JAX keep compiled programs in the user's cache folder; before JAX is imported.

    A user's own settings of JAX's cache (``JAX_COMPILATION_CACHE_DIR``,
    ``JAX_ENABLE_COMPILATION_CACHE``) stay as they are. Two processes may share the folder: JAX
    locks it. Each kind of processor has a folder of its own, since machines that share a home may
    differ.

    Returns:
      The folder; None where nothing was set: JAX runs already, the user has chosen for himself,
      the folder cannot be written, or the user has no home.
    """
    told = {"JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"} & os.environ.keys()
    if told or "jax" in sys.modules:
        return None
    try:
        folder = platformdirs.user_cache_path("jaxcogc") / "programs" / _kind_of_processor()
        if not folder.is_absolute():  # "~", in older versions of platformdirs
            return None
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: no HOME, and a user that nobody knows
        return None
    if not os.access(folder, os.W_OK | os.X_OK):
        return None
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(_MOST_BYTES))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", str(_LEAST_SECONDS))
    return folder


def _kind_of_processor() -> str:
    """A name that differs where a compiled program might not run."""
    told = f"{platform.machine()} {platform.processor()}"
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith(("model name", "flags", "Features")):
            told += line
        elif not line.strip():
            break  # the first processor stands for all
    return hashlib.sha256(told.encode()).hexdigest()[:12]
