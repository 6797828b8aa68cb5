"""The command line as a program of its own, also where the package is not installed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.places import PROJECT

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
    """Start `jaxcogc`, to be interrupted; it minds hang-ups, also where these tests ignore them."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**changes),
        )
    finally:
        signal.signal(signal.SIGHUP, before)


def free_address() -> str:
    """HOST:PORT of this machine, where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def assert_one_line(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> None:
    """A mistake was told in one line that has all the words; nothing else was printed."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: "), err
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    for word in words:
        assert word in err, err
