"""One set of numbers: 32 and 64 bits, 1 and 8 devices, 1 and 2 processes."""

import json
import os
import subprocess
import sys
from functools import cache

import jax
import pytest

from tests.cli.program import free_address
from tests.outage.everywhere import counted, drawn_and_decided, in_64_bits
from tests.places import PROJECT


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


@pytest.fixture(scope="module")
def processes():
    """All of them at once; whatever still runs at the end is stopped."""
    coordinator = free_address()
    started = {
        "64 bits": start(1, x64=not in_64_bits()),
        "8 devices": start(8),
        "process 0": start(2, coordinator, 2, 0),
        "process 1": start(2, coordinator, 2, 1),
    }
    yield started
    for process in started.values():
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def found(processes):
    """What a process printed."""

    @cache
    def finish(name):
        output, errors = processes[name].communicate(timeout=300)
        assert processes[name].returncode == 0, errors[-3000:]
        return json.loads(output.splitlines()[-1])

    return finish


@pytest.fixture(scope="module")
def here(processes):  # the others work meanwhile
    """This process, on one device."""
    return {"drawn and decided": drawn_and_decided(), "counted": counted(devices=jax.devices()[:1])}


@pytest.mark.slow
def test_the_trials_asked_for(here):
    assert here["drawn and decided"]["sharded recovery"] == here["drawn and decided"]["recovery"]
    for num_trials, counts in here["counted"].items():
        assert counts[0] == int(num_trials)
        assert sum(counts[8]) == int(num_trials)


@pytest.mark.slow
def test_64_bit_mode_changes_nothing(found, here):
    there = found("64 bits")
    assert there["x64"] != in_64_bits()
    assert there["drawn and decided"] == here["drawn and decided"]
    assert there["counted"] == here["counted"]


@pytest.mark.slow
def test_eight_devices_count_the_same(found, here):
    there = found("8 devices")
    assert there["devices"] == 8
    assert there["drawn and decided"] == here["drawn and decided"]
    assert there["counted"] == here["counted"]


@pytest.mark.slow
def test_two_processes_of_two_devices_count_the_same(found, here):
    for there in map(found, ("process 0", "process 1")):
        assert (there["devices"], there["processes"]) == (4, 2)
        assert there["counted"] == here["counted"]


@pytest.mark.slow
def test_another_key_counts_otherwise(here):
    """The comparison can fail."""
    assert counted(jax.random.key(6)) != here["counted"]
    assert counted() == here["counted"]
