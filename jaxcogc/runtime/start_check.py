"""Can JAX start here? Asked before any work: its own errors fill a screen, or end the process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

_LEAST_MEMORY = 2 * 10**9
"""Bytes of address space: with 1.5e9 the process is ended from within, with 2e9 it runs."""
_KINDS = ("JAX_", "XLA_")


class CannotStart(RuntimeError):
    """JAX does not start on this machine with these settings; one line."""


def check_start() -> None:
    """Start JAX and find its devices.

    Raises:
      CannotStart: with what was looked for and why it failed, in one line.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_MEMORY:
        raise CannotStart(
            f"the limit of address space (ulimit -v) is {limit / 1e9:.1f} GB: JAX needs at least "
            f"{_LEAST_MEMORY / 1e9:.0f} GB"
        )
    if os.environ.get("XLA_FLAGS"):
        _check_flags()
    try:
        import jax

        jax.devices()
    # JAX asserts where a platform is known to it, but nothing of it is there.
    except (RuntimeError, ValueError, AssertionError, ImportError) as error:
        lines = str(error).splitlines() or ["there is no such device here"]
        raise CannotStart(f"JAX finds no device{_settings()}: {lines[0]}") from error


def _check_flags() -> None:
    """XLA ends the process that has a wrong flag, so another one tries first."""
    run = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"],
        capture_output=True,
        text=True,
        check=False,
    )
    fatal = [line.partition("] ")[2] for line in run.stderr.splitlines() if line.startswith("F")]
    if run.returncode < 0 or (run.returncode and fatal):
        reason = fatal[0] if fatal else "the process was ended from within"
        raise CannotStart(f"JAX finds no device{_settings()}: {reason}")


def _settings() -> str:
    """What the user's environment says of devices."""
    found = [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(_KINDS)]
    wanted = [text for text in found if "CACHE" not in text]
    return f" with {', '.join(wanted)}" if wanted else ""
