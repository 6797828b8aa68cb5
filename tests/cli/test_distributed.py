"""`jaxcogc outage --distributed`: two processes of two devices each, on loopback."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jaxcogc.cli.app import main
from tests.cli.program import (
    assert_one_line,
    environment,
    free_address,
    run_program,
    start_program,
)

SMALL = ["outage", "--clients", "3", "--stragglers", "1"]
Pair = tuple[subprocess.Popen[str], subprocess.Popen[str]]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes; those still running at the end are killed."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start_pair(started: list[subprocess.Popen[str]], *arguments: str) -> Pair:
    where = ["--distributed", "--coordinator", free_address(), "--num-processes", "2"]
    for process_id in "01":
        process = start_program(
            *arguments,
            *where,
            "--process-id",
            process_id,
            JAX_PLATFORMS="cpu",
            JAX_NUM_CPU_DEVICES="2",
        )
        started.append(process)
    return started[0], started[1]


def numbers(text: str) -> dict[str, object]:
    """Of a result, what does not depend on the machine."""
    result = json.loads(text)
    for machine in ("command", "device", "elapsed_seconds", "compile_seconds", "trials_per_second"):
        del result[machine]
    return result


@pytest.mark.slow
def test_two_processes_report_what_one_reports(
    started: list[subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*SMALL, "--trials", "150_001", "--json", "-"]
    first, second = start_pair(started, *arguments)
    assert main(arguments) == 0
    alone = capsys.readouterr().out
    output, errors = first.communicate(timeout=300)
    assert first.returncode == 0, errors
    assert "gc_outage" in errors
    assert json.loads(output)["device"] == "4 x cpu"
    assert numbers(output) == numbers(alone)
    silent, errors = second.communicate(timeout=60)
    assert (second.returncode, silent) == (0, ""), errors
    assert "gc_outage" not in errors


@pytest.mark.slow
def test_interrupting_one_process_stops_both(
    started: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    target = tmp_path / "out.json"
    first, second = start_pair(started, *SMALL, "--trials", "1e13", "--json", str(target))
    assert first.stderr is not None
    assert any("compiled in" in line for line in first.stderr)
    time.sleep(5)
    second.send_signal(signal.SIGINT)
    for process in (first, second):
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
    if "before a trial was counted" in errors:  # a slow machine
        assert list(tmp_path.iterdir()) == []
        return
    result = json.loads(target.read_text())
    assert result["interrupted"] is True
    assert 0 < result["trials"] < 1e13
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.slow
def test_a_cluster_that_tells_who_they_are(started: list[subprocess.Popen[str]]) -> None:
    """The one that came says so; when the other comes too they are two of one run."""
    _, _, port = free_address().rpartition(":")
    cluster = {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "JAX_COORDINATOR_PORT": port,
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "1",
    }
    arguments = [*SMALL, "--trials", "1000", "--distributed", "--json", "-"]
    for number in "01":
        here = {**cluster, "SLURM_PROCID": number, "SLURM_LOCALID": "0"}
        started.append(start_program(*arguments, **here))
        if number == "0":
            errors = started[0].stderr
            assert errors is not None
            assert any("waiting for 1 of 2 processes" in line for line in errors)
    output, _ = [process.communicate(timeout=300)[0] for process in started]
    assert json.loads(output)["device"] == "2 x cpu"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--coordinator", "localhost:1"], "--coordinator = localhost:1: allowed is"),
        (["--process-id", "0"], "--process-id = 0: allowed is"),
        (["--distributed", "--process-id", "0"], "--coordinator, --num-processes missing"),
        (
            ["--distributed", "--coordinator", "here", "--num-processes", "2", "--process-id", "0"],
            "--coordinator = here: allowed is HOST:PORT",
        ),
        (
            ["--distributed", "--coordinator", "a:1", "--num-processes", "0", "--process-id", "0"],
            "--num-processes = 0: allowed is",
        ),
        (
            ["--distributed", "--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"],
            "--process-id = 2: allowed is a whole number from 0 to 1",
        ),
        (["--kernel", "cuda"], "--kernel = cuda: allowed is auto, xla, fused"),
        (["--tile", "100"], "--tile = 100: allowed is a power of two"),
    ],
)
def test_mistakes(arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outage", *arguments]) == 2
    assert_one_line(capsys, [named])


@pytest.mark.slow
def test_nothing_tells_which_processes_they_are() -> None:
    """By then JAX has started, and standard output is for results alone: a process of its own."""
    finished = run_program("outage", "--distributed")
    assert finished.returncode == 2
    assert "cannot join the processes: nothing here tells which they are" in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert finished.stdout == ""


@pytest.mark.slow
def test_kernel_and_tile_change_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*SMALL, "--trials", "50_000", "--quiet", "--json", "-"]
    assert main(arguments) == 0
    plain = capsys.readouterr().out
    assert main([*arguments, "--tile", "512", "--kernel", "xla"]) == 0
    assert numbers(capsys.readouterr().out) == numbers(plain)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process_id", "missing"),
    [("0", "waiting for 1 of 2 processes"), ("1", "waiting for process 0 at")],
    ids=["first", "second"],
)
def test_a_process_that_never_comes(process_id: str, missing: str) -> None:
    """Short of patience here: in the program it is five minutes."""
    impatient = (
        "import sys; from jaxcogc.runtime import rendezvous; from jaxcogc.cli.app import main;"
        "rendezvous._FIRST_WORD = 0.1; rendezvous.meet.__kwdefaults__['seconds'] = 1.0;"
        "sys.exit(main(sys.argv[1:]))"
    )
    where = ["--distributed", "--coordinator", free_address(), "--num-processes", "2"]
    finished = subprocess.run(
        [sys.executable, "-c", impatient, *SMALL, *where, "--process-id", process_id],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert finished.returncode == 2
    words, error = finished.stderr.splitlines()
    assert words.startswith(missing)
    assert error.startswith(f"error: --distributed: cannot join the processes: {missing}")
    assert finished.stdout == ""
