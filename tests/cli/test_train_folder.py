"""The folder of a training run: damaged, moved, made longer, killed at its birth, used twice."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jaxcogc.cli.app import main
from jaxcogc.runs import run_folder
from tests.cli.program import start_program
from tests.places import PROJECT

TINY = ["train", "--stragglers", "1", "--attempts", "1", "--model", "softmax", "--quiet"]
TINY += ["--local-steps", "1", "--batch-size", "4", "--scheme", "intermittent", "--seeds", "2"]
TINY += ["--evaluate-every", "4"]
ROUNDS = "9"
NETWORK = PROJECT / "examples" / "networks" / "hall-12.json"


def train(folder: Path, *arguments: str, network: Path = NETWORK) -> int:
    return main([*TINY, "--network", str(network), "--out", str(folder), *arguments])


def resume(folder: Path, *arguments: str) -> int:
    return main(["train", "--out", str(folder), "--resume", *arguments])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of nine rounds in one go: checkpoints after 7 and 9."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert train(folder, "--rounds", ROUNDS) == 0
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


def newest(folder: Path) -> Path:
    return folder / "checkpoints" / ROUNDS


def files_of(step: Path, pattern: str) -> list[Path]:
    found = [path for path in step.rglob(pattern) if path.is_file()]
    assert found
    return found


def without_manifest(step: Path) -> None:
    for path in files_of(step, "manifest.ocdbt"):
        path.unlink()


def cut(step: Path) -> None:
    for path in files_of(step, "d/*"):
        path.write_bytes(path.read_bytes()[:10])


def empty_metadata(step: Path) -> None:
    for path in files_of(step, "_METADATA"):
        path.write_bytes(b"")


def no_folder(step: Path) -> None:
    shutil.rmtree(step / "default")


def nothing_in_it(step: Path) -> None:
    shutil.rmtree(step)
    step.mkdir()


def zeros(step: Path) -> None:
    """What a disk gives back after a power cut: the length is right, the bytes are not."""
    for path in files_of(step, "d/*"):
        path.write_bytes(bytes(path.stat().st_size))


def of_another_run(step: Path) -> None:
    """An older checkpoint under the newest name: whole, but not what its name says."""
    older = max(p for p in step.parent.iterdir() if p.name != step.name)
    shutil.rmtree(step)
    shutil.copytree(older, step)


DAMAGES = [without_manifest, cut, empty_metadata, no_folder, nothing_in_it, zeros, of_another_run]


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_passed_over(
    damage: Callable[[Path], None],
    copy: Path,
    whole: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    damage(newest(copy))
    assert resume(copy, "--quiet") == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("warning: the checkpoint after 9 rounds is damaged"), err
    assert err.count("\n") == 1, err
    assert (copy / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    assert resume(copy, "--quiet") == 0  # it was made again
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_nothing_intact_is_one_line(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for step in (copy / "checkpoints").iterdir():
        without_manifest(step)
    assert resume(copy, "--quiet") == 2
    err = capfd.readouterr().err
    assert err.startswith("error: --resume: no checkpoint can be read"), err
    assert err.count("\n") == 1
    assert len(list((copy / "checkpoints").iterdir())) == 2  # none was removed


@pytest.mark.slow
def test_a_run_is_made_longer_and_shorter(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bit for bit the longer run, also where the last round alone was evaluated."""
    folder = tmp_path / "run"
    assert train(folder, "--rounds", "5") == 0
    assert resume(folder, "--rounds", ROUNDS, "--quiet") == 0
    for name in ("metrics.csv", "config.toml"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    before = sorted((p, p.stat().st_mtime_ns) for p in folder.rglob("*"))
    capsys.readouterr()
    assert resume(folder, "--rounds", "7") == 2
    err = capsys.readouterr().err
    assert "--rounds = 7" in err
    assert "more than the 9 that are done" in err
    assert err.count("\n") == 1
    assert sorted((p, p.stat().st_mtime_ns) for p in folder.rglob("*")) == before


@pytest.mark.slow
def test_moved_folders_and_files_make_no_difference(whole: Path, tmp_path: Path) -> None:
    network = Path(shutil.copy(NETWORK, tmp_path / "mine.json"))
    folder, elsewhere = tmp_path / "run", tmp_path / "a" / "b"
    assert train(folder, "--rounds", "5", network=network) == 0
    network.unlink()
    shutil.move(folder, elsewhere)
    assert resume(elsewhere, "--rounds", "7", "--quiet") == 0
    moved = Path(shutil.copy(NETWORK, tmp_path / "other name.json"))
    assert resume(elsewhere, "--rounds", ROUNDS, "--network", str(moved), "--quiet") == 0
    assert (elsewhere / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    again = ["--config", str(elsewhere / "config.toml"), "--out", str(tmp_path / "again")]
    assert main(["train", *again, "--quiet"]) == 0


@pytest.mark.slow
def test_another_network_is_no_moved_one(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = PROJECT / "examples" / "networks" / "hall-12.json"
    changed = copy.parent / other.name
    changed.write_text(other.read_text().replace("0.1", "0.2", 1))
    assert resume(copy, "--network", str(changed)) == 2
    err = capsys.readouterr().err
    assert "network_sha256" in err
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("left", [[], ["checkpoints"], ["network"], [".0123456789abcdef.tmp"]])
def test_a_folder_that_hardly_began_is_begun_anew(left: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in left:
        (folder / name).touch() if name.endswith(".tmp") else (folder / name).mkdir()
    assert train(folder, "--rounds", "1") == 0
    assert not list(folder.glob(".*.tmp"))


def test_a_folder_is_there_with_its_files_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended while it is made: nothing under its name, and nothing left beside it."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "write_atomically", end)
    assert train(tmp_path / "run") == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_second_process_is_told_at_once(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    descriptor = os.open(copy, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    before = sorted((p, p.stat().st_mtime_ns) for p in copy.rglob("*"))
    assert resume(copy) == 2
    err = capsys.readouterr().err
    assert "another process is training in this folder" in err
    assert err.count("\n") == 1
    assert sorted((p, p.stat().st_mtime_ns) for p in copy.rglob("*")) == before
    os.close(descriptor)
    assert resume(copy, "--quiet") == 0


@pytest.mark.slow
def test_a_run_holds_its_folder_until_it_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    first = start_program(*TINY, "--rounds", "100000", "--out", str(folder))
    while not (folder / "config.toml").is_file():
        assert first.poll() is None
    assert resume(folder) == 2
    assert "another process is training" in capsys.readouterr().err
    first.kill()
    first.communicate()
    assert resume(folder, "--rounds", "100000", "--seed", "1") == 2  # not held: its setting is read
    assert "another configuration" in capsys.readouterr().err


def test_two_that_begin_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name is taken while the other one makes its folder."""
    other = tmp_path / "run"
    make = run_folder._write

    def late(folder: Path, files: dict[str, bytes]) -> None:
        make(folder, files)
        other.mkdir()
        make(other, files)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "_write", late)
        assert train(other) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: --out")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_file_systems_without_locks_are_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    loud = [word for word in TINY if word != "--quiet"]
    network = ["--network", str(NETWORK)]
    assert main([*loud, *network, "--rounds", "1", "--out", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().err.count("cannot be locked here") == 1
