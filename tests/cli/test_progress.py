"""Progress: alive in a log, not a flood; a bar on a terminal; silent when quiet."""

import io

import pytest
from rich.console import Console

from jaxcogc.cli.shared import progress
from jaxcogc.cli.shared.progress import CountDisplay, Display, StageDisplay
from jaxcogc.cli.studies.collect_display import CollectDisplay
from tests.study.fake import small_study


def _run(console: Console, *, quiet: bool, parts: int) -> str:
    with CountDisplay(console, parts * 100, quiet=quiet) as display:
        display.compiling()
        display.counting(1.25, "a device")
        for _ in range(parts):
            display.advance(100)
    return console.file.getvalue()  # type: ignore[attr-defined]


def _clock(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    """Every look at the clock finds it `step` seconds later."""
    seconds = iter(step * n for n in range(10**6))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(seconds))


def test_fast_runs_say_little(monkeypatch: pytest.MonkeyPatch) -> None:
    _clock(monkeypatch, 1e-4)
    text = _run(Console(file=io.StringIO(), width=80), quiet=False, parts=1000)
    assert text.splitlines() == ["compiling", "compiled in 1.2 s for a device"]


def test_long_compilation_tells_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LONG_SECONDS", 0.0)
    console = Console(file=io.StringIO(), width=80)
    with CountDisplay(console, 100, quiet=False) as display:
        display.compiling()
        _end_of(display)
        display.counting(60.0, "a device")
    first, still, compiled = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert first == "compiling"
    assert still.startswith("still preparing: ")
    assert compiled.startswith("compiled in 60")


def _end_of(display: Display) -> None:
    """Of the pause before it tells why compiling takes long."""
    assert display._reason is not None
    display._reason.join()


def test_long_compilation_of_a_stage_tells_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of another stage, which tells how far it is."""
    monkeypatch.setattr(progress, "_LONG_SECONDS", 0.0)
    console = Console(file=io.StringIO(), width=80)
    with StageDisplay(console, "compiling", quiet=False) as display:
        display.advance("ordering", 0.0)
        assert display._reason is None
        display.advance("compiling", 0.0)
        _end_of(display)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[:2] == ["ordering", "compiling"]
    assert lines[2].startswith("still preparing: ")


def test_long_compilation_of_a_point_tells_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LONG_SECONDS", 0.0)
    console, study = Console(file=io.StringIO(), width=80), small_study("max_trials = 16_384")
    with CollectDisplay(console, study, quiet=False) as display:
        display.compiling(study.points[0])
        _end_of(display)
        display.compiled(60.0)
    asked, still, compiled = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert asked == "compiling for 4 clients, 1 attempt, cyclic code"
    assert still.startswith("still preparing: ")
    assert compiled == "compiled in 60.0 s"


def test_long_runs_say_something_every_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    _clock(monkeypatch, 10.0)
    text = _run(Console(file=io.StringIO(), width=80), quiet=False, parts=1000)
    lines = text.splitlines()[2:]
    assert len(lines) == 9
    assert lines[0] == "10,000 of 100,000 trials (10%), 10 trials/s, 2.5 h left"


def test_stages_tell_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a stage that begins again begins anew."""
    _clock(monkeypatch, 10.0)
    console = Console(file=io.StringIO(), width=80)
    with StageDisplay(console, "compiling", quiet=False) as display:
        display.advance("compiling", 0.0)
        for run in range(2):
            for share in (0.05, 0.15, 0.25, 0.5, 1.0)[run:]:
                display.advance("screening", share)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "compiling",
        "screening",
        "screening (15%), 57 s left",
        "screening (25%), 60 s left",
        "screening (50%), 30 s left",
        "screening (25%), 30 s left",
        "screening (50%), 20 s left",
    ]


def test_a_terminal_gets_a_bar() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    text = _run(console, quiet=False, parts=3)
    assert "100%" in text
    assert "━" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_is_silent(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal)
    assert _run(console, quiet=True, parts=3) == ""
