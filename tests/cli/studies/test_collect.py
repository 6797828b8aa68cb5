"""`jaxcogc collect` as a program: signals, several processes, a full disk."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jaxcogc.cli.app import main
from jaxcogc.study import load
from jaxcogc.study.collection import scheduler
from jaxcogc.study.store.store import StoreError, open_store
from tests.cli.program import COMMAND, environment, free_address, start_program

SMALL = """
[network]
clients = 3
uplink_erasure = [0.1, 0.3]
peer_erasure = 0.1
[code]
stragglers = 1
[stop]
outcome = "gc_outage"
max_trials = {trials}
max_events = {events}
"""
ENDLESS = SMALL.format(trials="1e13", events="1e12")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(ENDLESS)
    return path


def num_blocks(path: Path) -> int:
    try:
        with open_store(path) as store:
            return sum(store.num_blocks().values())
    except StoreError:
        return 0


def wait_for_blocks(process: subprocess.Popen[str], path: Path) -> None:
    while num_blocks(path) == 0:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def check_interrupted(study: Path, store: Path, errors: str) -> None:
    assert "0 of 2 points done" in errors
    assert f"interrupted; to go on: jaxcogc collect {study} --store {store}" in errors
    assert "Traceback" not in errors
    table = load(store)
    assert set(table["reason"]) <= {"unfinished", "not-run"}
    assert set(table["gc_outage_method"].dropna()) == {"anytime-beta-mixture"}
    assert sorted(p.name for p in store.parent.iterdir()) == ["s.db", "study.toml"]


@pytest.mark.slow
def test_ctrl_c_in_the_background_finishes_the_blocks(study: Path, tmp_path: Path) -> None:
    """A shell's `&` starts a program with SIGINT ignored; it counts all the same."""
    store = tmp_path / "s.db"
    process = subprocess.Popen(
        [*COMMAND, "collect", str(study), "--store", str(store)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    wait_for_blocks(process, store)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    check_interrupted(study, store, errors)


@pytest.mark.slow
def test_sigterm_finishes_the_blocks(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "s.db"

    def terminate() -> None:
        while num_blocks(store) == 0:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate)
    thread.start()
    assert main(["collect", str(study), "--store", str(store)]) == 143
    thread.join()
    check_interrupted(study, store, capsys.readouterr().err)


@pytest.mark.slow
def test_a_second_signal_ends_at_once(study: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    process = start_program("collect", str(study), "--store", str(store), "--quiet")
    wait_for_blocks(process, store)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    started = time.perf_counter()
    output, errors = process.communicate(timeout=60)
    assert process.returncode in (130, 143)
    assert time.perf_counter() - started < 10
    assert (output, errors) == ("", "")
    with open_store(store) as opened:
        for point, number in opened.num_blocks().items():
            assert opened.total(point, number).trials == number * 2**14


@pytest.mark.slow
def test_a_budget_ends_the_run_and_is_the_reason(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "s.db"
    assert main(["collect", str(study), "--store", str(store), "--budget", "2s"]) == 0
    assert "the budget is spent; to go on: jaxcogc collect" in capsys.readouterr().err
    assert "budget" in set(load(store)["reason"]) <= {"budget", "not-run"}


@pytest.mark.slow
def test_two_processes_count_what_one_counts(tmp_path: Path) -> None:
    study, alone, together = (tmp_path / name for name in ("study.toml", "one.db", "two.db"))
    study.write_text(SMALL.format(trials="3e5", events="20_000"))
    arguments = ["collect", str(study), "--store", str(together), "--distributed"]
    arguments += ["--coordinator", free_address(), "--num-processes", "2", "--process-id"]
    changes = {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "2"}
    pair = [start_program(*arguments, number, **changes) for number in "01"]
    try:
        assert main(["collect", str(study), "--store", str(alone), "--quiet"]) == 0
        for process in pair:
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
    finally:
        for process in pair:
            process.kill()
            process.wait()
    one, two = load(alone), load(together)
    assert two["device"].tolist() == ["4 x cpu"] * 2
    for column in ("point", "reason", "trials", "gc_outage", "gc_outage_low", "row_space_exact"):
        assert one[column].tolist() == two[column].tolist()
    assert "max-events" in set(one["reason"])


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real full file system, where mounting is allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        print("no file system may be mounted here: only PRAGMA max_page_count is tested")
        return
    # Blocks of several seconds at once may be more than there is room for: then none is there.
    monkeypatch.setattr(scheduler, "_COMMIT_SECONDS", 0.0)
    try:
        study, store = tmp_path / "study.toml", folder / "s.db"
        study.write_text(ENDLESS)
        assert main(["collect", str(study), "--store", str(store), "--quiet"]) == 2
        errors = capsys.readouterr().err
        assert errors.count("\n") == 1
        assert "the disk is full; blocks committed before are safe" in errors
        with open_store(store) as opened:
            blocks = opened.num_blocks()
            assert blocks
            for point, number in blocks.items():
                assert opened.total(point, number).trials == number * 2**14
    finally:
        subprocess.run(["umount", str(folder)], check=True)
