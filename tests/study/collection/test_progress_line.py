"""The line that tells how far a collection is, without a terminal."""

from pathlib import Path

import pytest

import jaxcogc.study
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.study.collection import progress_line
from jaxcogc.study.collection.progress import Progress, Summary
from jaxcogc.study.collection.scheduler import PointState
from jaxcogc.study.specification.stop_rules import standing
from tests.study.fake import FakeEngine, small_study


def _lines(text: str) -> list[str]:
    """What stood in the line, one after the other."""
    assert text.startswith("\r")
    return [line.rstrip(" ") for line in text.split("\r")[1:]]


def test_a_collection_is_told_from_its_first_point_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_line, "_PAUSE_SECONDS", 0.0)
    study, engine = small_study("max_trials = 16_384"), FakeEngine(lambda point, block: 0)
    listener = jaxcogc.study.ProgressLine()
    jaxcogc.study.collect(study, tmp_path / "s.db", engine=engine, listener=listener)
    lines = _lines(capsys.readouterr().out)
    assert lines[0] == "[###.................] 1 of 6 points, 16,384 trials"
    assert [line.split("]")[1].split(",")[0] for line in lines[:-1]] == [
        f" {done} of 6 points" for done in range(1, 7)
    ]
    longest = max(len(line.rstrip()) for line in lines)  # the last line covers it
    assert lines[-1] == f"[{'#' * 20}] 6 of 6 points, 98,304 trials in 0 s".ljust(longest) + "\n"
    jaxcogc.study.collect(study, tmp_path / "s.db", engine=engine, listener=listener)
    (line,) = _lines(capsys.readouterr().out)  # nothing is left to count
    assert line.startswith(f"[{'#' * 20}] 6 of 6 points, 0 trials")


def test_compilation_is_no_part_of_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = small_study("max_trials = 16_384")
    clock = [100.0]
    monkeypatch.setattr(progress_line.time, "monotonic", lambda: clock[0])
    state = PointState(study.points[0], events=None, standing=standing(study.rule, ()))  # type: ignore[arg-type]
    line = jaxcogc.study.ProgressLine()
    line.compiling(study.points[0])
    line.compiled(5.0)
    clock[0] += 2
    line.counted(Progress(state, 4 * BLOCK_TRIALS, 1, 6, 10))
    line.counted(Progress(state, 5 * BLOCK_TRIALS, 2, 6, 9))  # too soon for another line
    clock[0] += 30
    line.compiled(30.0)
    clock[0] += 2
    line.counted(Progress(state, 8 * BLOCK_TRIALS, 3, 6, 6))
    line.waiting()
    line.ended(Summary(3, 6, 8 * BLOCK_TRIALS, 35.0, 39.0, True))
    assert [told.rstrip() for told in _lines(capsys.readouterr().out)] == [
        "[....................] compiling for 4 clients, 1 attempt, cyclic code",
        "[###.................] 1 of 6 points, 65,536 trials, at most 5 s left",
        "[##########..........] 3 of 6 points, 131,072 trials, at most 3 s left",
        "[##########..........] waiting for what other processes count",
        "[##########..........] 3 of 6 points, 131,072 trials in 39 s",
    ]
