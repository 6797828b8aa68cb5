"""The command line as a program of its own, also where the package is not installed."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "jaxcogc"]


def environment(**changes: str) -> dict[str, str]:
    """This process's environment, in which `python -m jaxcogc` finds the sources."""
    paths = [str(PROJECT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **changes}


def run_program(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `jaxcogc` to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**changes),
    )


def start_program(*arguments: str, **changes: str) -> subprocess.Popen[str]:
    """Start `jaxcogc`, to be interrupted."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**changes),
    )
