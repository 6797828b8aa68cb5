"""Results must arrive, or one line says that they did not; a log that goes away ends nothing."""

import errno
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jaxcogc.cli.app import main
from jaxcogc.runtime.standard_streams import Talk
from jaxcogc.study import load
from tests.cli.program import COMMAND, environment, run_program

SMALL = "outage --clients 3 --stragglers 1 --attempts 1 --trials 1000"
BOUND = "bound --clients 3 --stragglers 1"  # a closed form: no compilation


def in_shell(command: str, redirection: str, **changes: str) -> subprocess.CompletedProcess[str]:
    words = shlex.join([*COMMAND, *command.split()])
    return subprocess.run(
        ["bash", "-c", f"{words} {redirection}"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**changes),
    )


@pytest.mark.slow
@pytest.mark.parametrize("log", ["2> /dev/full", "2>&-", "2> >(exec <&-)", "2>&1 | head -1"])
def test_a_log_that_goes_away_takes_nothing_with_it(log: str, tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    run = in_shell(f"{SMALL} --json {target}", log)
    assert json.loads(target.read_text())["trials"] == 1000
    assert run.returncode == 0
    assert "Traceback" not in run.stderr + run.stdout


class Gone(io.StringIO):
    """A log whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


STUDY = """
[network]
clients = 3
uplink_erasure = 0.1
peer_erasure = 0.1
[code]
stragglers = 1
[stop]
max_trials = 16384
"""
TINY = "train --clients 3 --stragglers 1 --attempts 1 --scheme intermittent --model softmax"


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "collect"])
def test_what_lasts_longest_outlives_its_log_too(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, study, store = tmp_path / "run", tmp_path / "study.toml", tmp_path / "s.db"
    study.write_text(STUDY)
    monkeypatch.setattr(sys, "stderr", Talk(Gone()))
    if verb == "train":
        assert main([*TINY.split(), "--rounds", "2", "--seeds", "1", "--out", str(folder)]) == 0
        assert {"metrics.csv", "summary.json", "accuracy.png"} <= {p.name for p in folder.iterdir()}
    else:
        assert main(["collect", str(study), "--store", str(store)]) == 0
        assert load(store)["trials"].tolist() == [16384]


@pytest.mark.slow
@pytest.mark.parametrize("out", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("command", [f"{BOUND} --quiet --json -", "--version"])
def test_output_that_is_lost_is_one_line(command: str, out: str) -> None:
    run = in_shell(command, out)
    assert run.returncode == 1
    assert run.stderr.startswith("error: standard output cannot be written: ")
    assert run.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_reader_that_leaves_is_told_in_one_line() -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [*COMMAND, *BOUND.split(), "--quiet", "--json", "-"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=environment(),
    )
    os.close(write)
    assert run.returncode == 1
    assert run.stderr == "error: standard output cannot be written: broken pipe\n"


def test_warnings_that_are_errors_show_none_of_ours() -> None:
    run = run_program("--version", PYTHONWARNINGS="error", PYTHONDEVMODE="1")
    assert run.stdout.startswith("jaxcogc ")
    assert (run.returncode, run.stderr) == (0, "")


DEVICES = [
    ("doctor", {"JAX_PLATFORMS": "cuda"}, ["JAX_PLATFORMS=cuda"]),
    (BOUND, {"JAX_PLATFORMS": "cuda"}, ["JAX_PLATFORMS=cuda"]),
    (BOUND, {"JAX_PLATFORMS": "nonsense"}, ["nonsense", "known backends"]),
    (BOUND, {"JAX_NUM_CPU_DEVICES": "abc"}, ["JAX_NUM_CPU_DEVICES=abc", "jax_num_cpu_devices"]),
    (BOUND, {"JAX_ENABLE_X64": "maybe"}, ["JAX_ENABLE_X64=maybe"]),
    (BOUND, {"XLA_FLAGS": "--nonsense"}, ["XLA_FLAGS=--nonsense", "Unknown flag"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "settings", "words"), DEVICES)
def test_jax_that_cannot_start_is_one_line(
    verb: str, settings: dict[str, str], words: list[str]
) -> None:
    run = in_shell(verb, "", **settings)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("error: JAX finds no device")
    assert run.stderr.count("\n") == 1
    for word in words:
        assert word in run.stderr


def test_too_little_memory_is_one_line() -> None:
    words = shlex.join([*COMMAND, *BOUND.split()])
    run = subprocess.run(
        ["bash", "-c", f"ulimit -v 1500000; exec {words}"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "ulimit -v" in run.stderr
