"""`jaxcogc train`: what it leaves, what it goes on from, and what it says of mistakes."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxcogc.cli.app import main
from tests.cli.program import run_program, start_program

SMALL = ["train", "--clients", "3", "--stragglers", "1", "--attempts", "1"]
SMALL += ["--model", "softmax", "--local-steps", "2", "--batch-size", "8"]
SMALL += ["--scheme", "intermittent", "--scheme", "gc", "--server-optimizer", "momentum"]
SMALL += ["--seeds", "2", "--seed", "7", "--evaluate-every", "5"]
ROUNDS = 40
COLUMNS = ("scheme", "seed", "round", "test_accuracy", "test_loss", "train_loss", "hold", "exact")
COLUMNS += ("num_recovered", "num_revealed", "coefficient_sum", "peer_uses", "uplink_uses")
COLUMNS += ("num_dimensions", "largest_share")
FILES = ["accuracy.png", "checkpoints", "config.toml", "metrics.csv", "partition.png"]
FILES += ["summary.json"]


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without interruption, in this process."""
    folder = tmp_path_factory.mktemp("train") / "run"
    target = folder.parent / "out.json"
    arguments = [*SMALL, "--rounds", str(ROUNDS), "--out", str(folder), "--json", str(target)]
    assert main([*arguments, "--quiet"]) == 0
    return folder


def test_the_folder_holds_what_is_promised(whole: Path) -> None:
    assert sorted(p.name for p in whole.iterdir()) == FILES
    for name in ("accuracy.png", "partition.png"):
        assert (whole / name).read_bytes().startswith(b"\x89PNG")
    with (whole / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    places = [(row["scheme"], row["seed"], row["round"]) for row in rows]
    assert places == [
        (scheme, str(seed), str(r))
        for r in range(ROUNDS)
        for scheme in ("intermittent", "gc")
        for seed in (7, 8)
    ]
    for row in rows:
        assert (row["test_accuracy"] == "") == (row["test_loss"] == "")
        assert (row["test_accuracy"] != "") == (int(row["round"]) % 5 == 4)
        assert (row["hold"] == "1") == (float(row["coefficient_sum"]) == 0)
        assert int(row["uplink_uses"]) == 3
        assert int(row["peer_uses"]) == (3 if row["scheme"] == "gc" else 0)
    assert {row["hold"] for row in rows} == {"0", "1"}


@pytest.mark.slow
def test_devices_and_64_bits_change_nothing(whole: Path, tmp_path: Path) -> None:
    """A seed on each of two devices, 64-bit mode: integer columns equal, floats nearly so."""
    arguments = [*SMALL, "--rounds", str(ROUNDS), "--out", str(tmp_path / "run"), "--quiet"]
    devices = {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}
    run = run_program(*arguments, **devices)
    assert run.returncode == 0, run.stderr
    one, two = (
        list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
        for folder in (whole, tmp_path / "run")
    )
    for name in COLUMNS:
        columns = [[row[name] for row in rows] for rows in (one, two)]
        if name in ("test_accuracy", "test_loss", "train_loss", "coefficient_sum"):
            numbers = np.array([[float(x or "nan") for x in column] for column in columns])
            np.testing.assert_allclose(*numbers, rtol=1e-4, equal_nan=True)
        else:
            assert columns[0] == columns[1]


@pytest.mark.slow
def test_the_settings_of_a_user_change_nothing(whole: Path, tmp_path: Path) -> None:
    """All at once: other random numbers, less precision, nothing promoted, nothing transferred."""
    with ExitStack() as stack:
        for setting in (
            jax.default_prng_impl("rbg"),
            jax.threefry_partitionable(False),
            jax.default_matmul_precision("bfloat16"),
            jax.numpy_rank_promotion("raise"),
            jax.numpy_dtype_promotion("strict"),
            jax.transfer_guard("disallow"),
        ):
            stack.enter_context(setting)
        arguments = [*SMALL, "--rounds", str(ROUNDS), "--out", str(tmp_path / "run"), "--quiet"]
        assert main(arguments) == 0
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


def test_json_holds_exactly_what_is_promised(whole: Path) -> None:
    fields = json.loads((whole.parent / "out.json").read_text())
    made_by = ["version", "command", "files_sha256"]
    assert list(fields)[:6] == [*made_by, "schemes", "rounds", "seeds"]
    assert set(list(fields)[6:]) == {"elapsed_seconds", "compile_seconds", "rounds_per_second"}
    assert (fields["rounds"], fields["seeds"]) == (ROUNDS, 2)
    assert list(fields["schemes"]) == ["intermittent", "gc"]
    with (whole / "metrics.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["scheme"] == "gc"]
    gc = fields["schemes"]["gc"]
    last = [float(row["test_accuracy"]) for row in rows if row["round"] == str(ROUNDS - 1)]
    assert gc["test_accuracy"]["mean"] == pytest.approx(np.mean(last))
    assert gc["test_accuracy"]["low"] < np.mean(last) < gc["test_accuracy"]["high"]
    assert gc["hold_fraction"] == pytest.approx(np.mean([row["hold"] == "1" for row in rows]))
    assert list(gc) == [
        "test_accuracy",
        "test_loss",
        "hold_fraction",
        "exact_fraction",
        "mean_num_recovered",
        "uplink_uses",
        "peer_uses",
        "diverged",
    ]
    assert gc["diverged"] == []
    assert json.loads((whole / "summary.json").read_text())["schemes"] == fields["schemes"]


def wait_for_checkpoint(process: subprocess.Popen[str], folder: Path, rounds: int) -> None:
    """Until a checkpoint of so many rounds is whole."""
    for _ in range(12000):
        time.sleep(0.05)
        if process.poll() is not None:
            raise AssertionError(f"ended too soon: {finish(process)}")
        names = [p.name for p in (folder / "checkpoints").glob("*")]
        if any(name.isdigit() and int(name) >= rounds for name in names):
            return
    raise AssertionError("no checkpoint")


@pytest.mark.slow
def test_killed_and_interrupted_and_resumed_is_the_same_run(whole: Path, tmp_path: Path) -> None:
    """kill -9, then Ctrl-C, then to the end: the metrics are those of the run in one go."""
    folder = tmp_path / "run"
    one = {"JAX_NUM_CPU_DEVICES": "1"}  # as here: the program is compiled already
    first = start_program(*SMALL, "--rounds", str(ROUNDS), "--out", str(folder), **one)
    wait_for_checkpoint(first, folder, 1)
    os.kill(first.pid, signal.SIGKILL)
    finish(first)
    again = start_program("train", "--out", str(folder), "--resume", **one)
    assert again.stderr is not None
    for line in again.stderr:
        if "going on after" in line:
            break
    again.send_signal(signal.SIGINT)
    code, _, err = finish(again)
    assert code in (0, 130), err  # 0: the signal came after the last block
    assert "Traceback" not in err
    assert main(["train", "--out", str(folder), "--resume", "--quiet"]) == 0
    assert sorted(p.name for p in folder.iterdir()) == FILES
    assert (folder / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    assert (folder / "config.toml").read_bytes() == (whole / "config.toml").read_bytes()


def test_a_run_of_a_version_that_knew_less_is_told_from_another_setting(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older"
    shutil.copytree(whole, older)
    config = older / "config.toml"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("min_recovered")))
    before = sorted((p, p.stat().st_mtime_ns) for p in older.rglob("*"))
    assert main(["train", "--out", str(older), "--resume"]) == 2
    err = capsys.readouterr().err
    assert "written by a version without min_recovered" in err
    assert err.count("\n") == 1
    assert sorted((p, p.stat().st_mtime_ns) for p in older.rglob("*")) == before


def test_config_reruns_and_differences_are_named(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tomllib.loads((whole / "config.toml").read_text())
    assert config["scheme"] == ["intermittent", "gc"]
    before = sorted((p, p.stat().st_mtime_ns) for p in whole.rglob("*"))
    for extra in ["--learning-rate 1", "--seed 8", "--uplink-erasure 0.3", "--scheme gc"]:
        name = extra.split()[0].removeprefix("--").replace("-", "_")
        assert main(["train", "--out", str(whole), "--resume", *extra.split()]) == 2
        err = capsys.readouterr().err
        assert "another configuration" in err
        assert f" {name} (" in err
        assert err.count("\n") == 1
    assert main([*SMALL, "--out", str(whole)]) == 2
    assert "new or empty folder" in capsys.readouterr().err
    assert sorted((p, p.stat().st_mtime_ns) for p in whole.rglob("*")) == before
    (tmp_path / "bad.toml").write_text("rounds = 3\nlayers = 2\n")
    assert main(["train", "--config", str(tmp_path / "bad.toml")]) == 2
    assert "'layers' is no option" in capsys.readouterr().err


@pytest.mark.slow
def test_update_that_is_not_finite_stops_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    small = ["ideal" if word in ("intermittent", "gc") else word for word in SMALL]
    small = [*small[: small.index("--scheme")], *small[small.index("--scheme") + 2 :]]
    arguments = [*small, "--rounds", str(ROUNDS), "--learning-rate", "3e37"]
    assert main([*arguments, "--out", str(folder), "--quiet"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    for word in ("client ", "round ", "scheme ", "seed "):
        assert word in err
    stopped = int(err.split("in round ")[1].split()[0])
    with (folder / "metrics.csv").open() as stream:
        rounds = {int(row["round"]) for row in csv.DictReader(stream)}
    assert rounds == set(range(stopped))


@pytest.mark.slow
@pytest.mark.parametrize("extra", [[], ["--on-nan", "drop"]])
def test_a_run_that_diverged_is_named(
    extra: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Losses of 1e29, and clients that are all left out in the end."""
    target = tmp_path / "x.json"
    loud = [*SMALL, "--rounds", "4", "--json", str(target), *extra]
    assert main([*loud, "--learning-rate", "1e36" if extra else "1e28"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "error: diverged: intermittent (seed 7, 8), gc (seed " in err
    table = [line for line in err.splitlines() if "│" in line]
    assert all("diverged" in line for line in table)
    assert max(map(len, err.split("error:")[0].splitlines())) <= 120
    fields = json.loads(target.read_text())
    assert fields["schemes"]["intermittent"]["diverged"] == [7, 8]


def test_a_seed_has_its_partition_whatever_runs_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("jaxcogc.cli.train.run.run", lambda request: asked.append(request) or 0)
    main([*SMALL, "--seeds", "3", "--seed", "7"])
    main([*SMALL, "--seeds", "1", "--seed", "8"])
    many, one = (request.plan.partition for request in asked)
    np.testing.assert_array_equal(many.num_samples[1], one.num_samples[0])
    for row, other, size in zip(many.indices[1], one.indices[0], one.num_samples[0], strict=True):
        np.testing.assert_array_equal(row[:size], other[:size])
    assert (many.num_samples[0] != many.num_samples[1]).any()
