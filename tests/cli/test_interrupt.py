"""Ctrl-C, with real signals to a real process."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.program import start_program
from tests.places import EXAMPLES

ENDLESS = ["outage", "--clients", "3", "--stragglers", "1", "--attempts", "1", "--trials", "1e13"]
FIRST = EXAMPLES / "studies" / "first.toml"


def _wait_for(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"the program ended without saying {words!r}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR2, 140)],
    ids=["INT", "TERM", "HUP", "USR2"],
)
def test_a_search_that_is_interrupted_says_so(
    number: signal.Signals, exit_code: int, tmp_path: Path
) -> None:
    """Compiling or counting: one line, nothing written."""
    arguments = ["--clients", "9", "--target", "0.1", "--trials", "1e9"]
    process = start_program("design", *arguments, "--json", str(tmp_path / "out.json"))
    _wait_for(process, "compiling")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == exit_code, err
    assert err.endswith("interrupted before the search was done; nothing written\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code", "name"),
    [
        (signal.SIGINT, 130, "-"),
        (signal.SIGTERM, 143, "out.json"),
        (signal.SIGHUP, 129, "out.json"),
        (signal.SIGUSR1, 138, "out.json"),
        (signal.SIGXCPU, 152, "out.json"),
    ],
    ids=["INT", "TERM", "HUP", "USR1", "XCPU"],
)
def test_first_signal_reports_what_was_counted(
    number: signal.Signals, exit_code: int, name: str, tmp_path: Path
) -> None:
    """The JSON on standard output and in a file."""
    target, picture = tmp_path / name, tmp_path / "out.png"
    process = start_program(
        *ENDLESS, "--json", "-" if name == "-" else str(target), "--plot", str(picture)
    )
    _wait_for(process, "compiled in")
    time.sleep(1.0)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == exit_code, err
    assert "gc_outage" in err
    assert "interrupted after" in err
    result = json.loads(out if name == "-" else target.read_text())
    assert result["interrupted"] is True
    assert 0 < result["trials"] < 1e13
    assert sum(result["num_recovered_pmf"]) == pytest.approx(1)
    low, high = result["gc_outage"]["low"], result["gc_outage"]["high"]
    assert low < result["gc_outage_closed_form"] < high
    assert {path.name for path in tmp_path.iterdir()} == {name, "out.png"} - {"-"}


@pytest.mark.slow
def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    process = start_program(*ENDLESS, "--json", str(target))
    _wait_for(process, "compiling")
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    started = time.perf_counter()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert time.perf_counter() - started < 5
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "number", "last_words"),
    [
        ("outage --json", signal.SIGINT, "before a trial was counted; nothing written"),
        ("outage --json", signal.SIGTERM, "before a trial was counted; nothing written"),
        ("outage --rare importance --json", signal.SIGHUP, "before a trial was counted"),
        (f"collect {FIRST} --store", signal.SIGTERM, "what was counted is in the store"),
        ("train --rounds 2 --out", signal.SIGTERM, "before a round was done"),
    ],
)
def test_signal_while_compiling(
    verb: str, number: signal.Signals, last_words: str, tmp_path: Path
) -> None:
    """Nothing was done, so nothing is lost: no compilation is waited for."""
    target = str(tmp_path / "out")
    process = start_program(*verb.split(), target, JAX_ENABLE_COMPILATION_CACHE="0")
    _wait_for(process, "compiling")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert last_words in err
    assert err.count("\n") == 1  # else it would also say what it finishes first
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "number", "exit_code"),
    [("importance", signal.SIGINT, 130), ("strata", signal.SIGTERM, 143)],
    ids=["importance", "strata"],
)
def test_weighted_trials_report_what_was_sampled(
    method: str, number: signal.Signals, exit_code: int, tmp_path: Path
) -> None:
    """A sample of its own right: the closed form is met, and what was too few is flagged."""
    target = tmp_path / "out.json"
    rare = "outage --clients 4 --stragglers 2 --attempts 2 --uplink-erasure 0.02"
    rare += f" --peer-erasure 0.03 --trials 1e9 --rare {method} --json {target}"
    process = start_program(*rare.split())
    _wait_for(process, "compiled in")
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == exit_code, err
    assert "interrupted after" in err
    result = json.loads(target.read_text())
    assert result["interrupted"] is True
    assert 0 < result["trials"] < 1e9
    outage, law = result["gc_outage"], result["gc_outage_closed_form"]
    assert outage["effective_sample_size"] > 100
    assert outage["flagged"] is False
    half = (outage["high"] - outage["low"]) / 2
    assert abs(outage["best"] - law) < 2.5 * half + (result["tail_bound"] or 0.0)
    assert half < 0.2 * law
