"""One set of numbers: 32 and 64 bits, 1 and 8 devices, 1 and 2 processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from tests.outage.everywhere import everything

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def here():
    """This process, on its first device."""
    if jax.device_count() > 1:
        return run(1)
    return everything()


def start(devices, *arguments, x64=False):
    """Another process with so many virtual CPU devices of its own."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES", "JAX_ENABLE_X64")
    }
    environment |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)}
    environment |= {"JAX_ENABLE_X64": str(int(x64))}
    command = [sys.executable, "-m", "tests.outage.everywhere", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, **pipes)


def finish(process):
    try:
        output, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])


def run(devices, **settings):
    return finish(start(devices, **settings))


def test_counts_are_those_of_the_trials(here):
    for num_trials, counts in here["counted"].items():
        assert counts[0] == int(num_trials)
        assert 0 < sum(counts[8])


def test_64_bit_mode_changes_nothing(here):
    there = run(1, x64=True)
    assert there["x64"]
    assert there["drawn and decided"] == here["drawn and decided"]
    assert there["counted"] == here["counted"]


def test_eight_devices_count_the_same(here):
    there = run(8)
    assert there["devices"] == 8
    assert there["drawn and decided"] == here["drawn and decided"]
    assert there["counted"] == here["counted"]


def test_two_processes_of_two_devices_count_the_same(here):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [start(2, coordinator, 2, number) for number in range(2)]
    try:
        found = [finish(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for there in found:
        assert (there["devices"], there["processes"]) == (4, 2)
        assert there["drawn and decided"].items() <= here["drawn and decided"].items()
        assert there["counted"] == here["counted"]
