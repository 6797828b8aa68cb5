"""No output overwrites an input, another output or a store, by whatever path, link or spelling."""

import json
import os
from pathlib import Path

import pytest

from jaxcogc.cli.app import main
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.files import File, NamedFile, check_files
from tests.cli.program import assert_one_line
from tests.places import somebody_else

NETWORK = {"uplink_erasure": [0.1, 0.2], "peer_erasure": [[0, 0.3], [0.3, 0]], "reciprocal": False}
STUDY = "[network]\nclients = 3\nuplink_erasure = 0.1\npeer_erasure = 0.1\n[stop]\nmax_trials = 1\n"

MISTAKES = [
    ("outage --network n.json --json n.json", ["--json", "--network"]),
    ("outage --network n.json --json ./sub/../n.json", ["--json", "--network"]),
    ("outage --network n.json --json symbolic.json", ["--json", "--network"]),
    ("outage --network n.json --json hard.json", ["--json", "--network"]),
    ("outage --network symbolic.json --json n.json", ["--json", "--network"]),
    ("outage --json new.png --plot sub/../new.png", ["--plot", "--json"]),
    ("bound --network n.json --json n.json", ["--json", "--network"]),
    ("design --network n.json --json hard.json", ["--json", "--network"]),
    ("show --store s.db --csv s.db", ["--csv", "--store"]),
    ("show --store s.db --json s.db-wal", ["--json", "--store"]),
    ("show --store s.db --csv a --json sub/../a", ["--json", "--csv"]),
    ("show --store s.db --csv - --json -", ["--json", "standard output"]),
    ("plot --store s.png --out s.png", ["--out", "--store"]),
    ("report --store s.html --out s.html", ["--out", "--store"]),
    ("replay --store s.db --point a --json s.db", ["--json", "--store"]),
    ("replay --store s.db --point a --json x.png --plot x.png", ["--json", "--plot"]),
    ("train --network n.json --json n.json", ["--json", "--network"]),
    ("train --config c.toml --json c.toml", ["--json", "--config"]),
    ("train --out sub --json sub/metrics.csv", ["--json", "--out"]),
    ("train --data-dir sub --json sub/x.json", ["--json", "--data-dir"]),
]


UNREACHABLE = [
    ("bound --json {}", "--json"),
    ("bound --network n.json --json {}", "--json"),
    ("plot --store s.db --out {}.png", "--out"),
    ("show --store {}", "--store"),
    ("merge --store {} s.db", "--store"),
    ("merge --store new.db {}", "--store"),
    ("collect c.toml --store {}", "--store"),
    ("design --write-network {}", "--write-network"),
    ("train --out {} --resume", "--out"),
    ("train --out {}", "--out"),
]
"""With a place of a file of which nobody can tell whether it is there."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    Path("n.json").write_text(json.dumps(NETWORK))
    Path("c.toml").write_text("rounds = 3\n")
    os.symlink("n.json", "symbolic.json")
    os.link("n.json", "hard.json")
    for name in ("s.db", "s.png", "s.html"):
        Path(name).write_bytes(b"a store")


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_files_are_kept_apart(
    text: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert main(text.split()) == 2
    assert_one_line(capsys, words)
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("text", "flag"), UNREACHABLE, ids=[text for text, _ in UNREACHABLE])
def test_a_path_that_cannot_be_looked_at_is_one_line(
    text: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    assert main(text.format("d" * 300).split()) == 2
    assert_one_line(capsys, [flag, "ddd"])
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


@pytest.mark.parametrize("text", [text for text, _ in UNREACHABLE if text != "train --out {}"])
def test_a_current_folder_that_is_gone_is_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(text.format("x").split()) == 2
    assert_one_line(capsys, [])


def test_a_folder_that_may_not_be_entered_is_one_line() -> None:
    """Looked at as somebody who is not root, who may enter everything."""
    Path("sub").chmod(0o700)
    with (
        somebody_else(),
        pytest.raises(UserError, match=r"--json = sub/x\.json: .*ermission denied"),
    ):
        check_files([NamedFile("--json", "sub/x.json", File(writes=True))])


TINY = "--network n.json --stragglers 1 --attempts 1 --scheme intermittent"
DRAWING = [
    "network n.json --plot x.png",
    f"schemes {TINY} --plot x.png",
    f"train {TINY} --model softmax --rounds 1 --seeds 1 --out run",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", DRAWING, ids=[text.split()[0] for text in DRAWING])
def test_no_picture_of_a_verb_takes_its_numbers_with_it(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("latex could\nnot be found")

    monkeypatch.setattr("jaxcogc.figures.figure_bytes", fails)
    assert main([*text.split(), "--json", "x.json", "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    pictures = 2 if text.startswith("train") else 1
    assert err.count("cannot be drawn: latex could not be found\n") == pictures
    assert err.count("\n") == pictures
    assert json.loads(Path("x.json").read_text())
    assert [path.name for path in Path().rglob("*.png")] == ["s.png"]  # which was there


@pytest.mark.slow
def test_a_picture_that_fails_takes_no_number_with_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("latex could\nnot be found")

    monkeypatch.setattr("jaxcogc.figures.plot_outcomes", fails)
    small = "outage --clients 3 --stragglers 1 --attempts 1 --trials 100 --quiet"
    assert main([*small.split(), "--json", "x.json", "--plot", "x.png"]) == 1
    assert_one_line(capsys, ["--plot", "cannot be drawn", "latex could not be found"])
    assert json.loads(Path("x.json").read_text())["trials"] == 100
    assert not Path("x.png").exists()
