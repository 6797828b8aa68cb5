"""Every mistake: one line that names the field, the value and what is allowed; exit code 2."""

import json
from pathlib import Path

import pytest

from jaxcogc.allowed import MAX_CLIENTS
from jaxcogc.cli.app import main
from tests.cli.program import assert_one_line, run_program

GOOD = {"uplink_erasure": [0.1, 0.2], "peer_erasure": [[0, 0.3], [0.3, 0]], "reciprocal": False}

# arguments after `jaxcogc outage`, and what the line must contain
OPTIONS = [
    ("--uplink-erasure 1.5", ["--uplink-erasure", "1.5", "[0, 1]"]),
    ("--uplink-erasure -0.1", ["--uplink-erasure", "-0.1", "[0, 1]"]),
    ("--uplink-erasure nan", ["--uplink-erasure", "nan", "[0, 1]"]),
    ("--peer-erasure inf", ["--peer-erasure", "inf", "[0, 1]"]),
    ("--peer-erasure 1e-400x", ["--peer-erasure", "1e-400x", "[0, 1]"]),
    ("--peer-erasure=", ["--peer-erasure", "''", "[0, 1]"]),
    ("--stragglers 10", ["--stragglers", "10", "0 to 9"]),
    ("--stragglers -1", ["--stragglers", "-1", "0 to 9"]),
    ("--stragglers 3,99", ["--stragglers", "3,99", "0 to 9"]),
    ("--stragglers 3,,5", ["--stragglers", "3,,5", "0 to 9"]),
    ("--stragglers 3,3", ["--stragglers", "3,3", "once"]),
    ("--uplink-erasure .1,.2,.1", ["--uplink-erasure", "each value once"]),
    ("--peer-erasure .1,two", ["--peer-erasure", "two", "probability"]),
    ("--attempts 1,,2", ["--attempts", "''", "whole number"]),
    ("--attempts 1,2 --rare strata", ["--attempts", "1,2", "one number with --rare"]),
    ("--stragglers 2.5", ["--stragglers", "2.5", "whole"]),
    ("--clients 5", ["--stragglers", "7", "0 to 4"]),
    ("--clients 0", ["--clients", "0", f"1 to {MAX_CLIENTS}"]),
    ("--clients 1e9", ["--clients", "1e9", f"1 to {MAX_CLIENTS}"]),
    ("--attempts 0", ["--attempts", "0", "1 to"]),
    ("--attempts 1.5", ["--attempts", "1.5", "whole"]),
    ("--trials 0", ["--trials", "0", "from 1 to"]),
    ("--trials -5", ["--trials", "-5", "from 1 to"]),
    ("--trials 10.5", ["--trials", "10.5", "whole"]),
    ("--trials 1e-3", ["--trials", "1e-3", "whole"]),
    ("--trials 1e999999999", ["--trials", "1e999999999", "whole"]),
    ("--trials many", ["--trials", "many", "1_000_000"]),
    ("--trials nan", ["--trials", "nan", "whole"]),
    ("--seed -1", ["--seed", "-1", "0 to 4,294,967,295"]),
    ("--seed 4294967296", ["--seed", "4294967296", "0 to 4,294,967,295"]),
    ("--level 0", ["--level", "0", "between 0 and 1"]),
    ("--level 1", ["--level", "1", "between 0 and 1"]),
    ("--level 95", ["--level", "95", "between 0 and 1"]),
    ("--level nan", ["--level", "nan", "between 0 and 1"]),
    ("--memory 1.1", ["--memory", "1.1", "correlation in [0, 1]"]),
    ("--memory .5 --burst-length 3", ["--burst-length 3 beside --memory 0.5", "one of the two"]),
    ("--burst-length .5", ["--burst-length", ".5", "at least 1"]),
    ("--burst-length 1.2", ["--burst-length 1.2", "at least 1.66667 attempts"]),
    ("--good-erasure .3", ["--good-erasure", "peer_erasure[0][1] = 0.25", "[0.3, 1]"]),
    ("--bad-erasure .3", ["--bad-erasure", "uplink_erasure[0] = 0.4", "[0, 0.3]"]),
    ("--good-erasure .6 --bad-erasure .5", ["--good-erasure 0.6", "less than bad_erasure = 0.5"]),
    ("--block-probability 2", ["--block-probability", "2", "[0, 1]"]),
    ("--block-memory -1", ["--block-memory", "-1", "[0, 1]"]),
    ("--rare strata --memory .5", ["--rare strata", "independent links"]),
    ("--rare strata --keep-heard", ["--rare strata", "--keep-heard"]),
    ("--interval wald", ["--interval", "wald", "clopper-pearson, wilson"]),
    ("--interval wilso", ["--interval", "wilso", "did you mean 'wilson'?"]),
    ("--code cylic", ["--code", "cylic", "fractional-repetition", "did you mean 'cyclic'?"]),
    ("--code fractional-repetition --stragglers 3", ["fractional-repetition", "3", "10"]),
    ("--code cyclic-mds --stragglers 2", ["cyclic-mds", "2", "odd"]),
    ("--code uncoded --stragglers 1", ["--stragglers", "1", "uncoded"]),
    ("--code uncoded --redraw-code", ["--redraw-code", "uncoded", "cyclic"]),
    ("--code cyclic-mds --redraw-code", ["--redraw-code", "cyclic-mds", "cyclic"]),
    ("--plot -", ["--plot", "-", ".png, .svg, .pdf"]),
    ("--plot out.gif", ["--plot", "out.gif", ".png, .svg, .pdf"]),
    ("--plot out", ["--plot", "out", ".png"]),
    ("--plot no/such/folder/out.png", ["--plot", "no/such/folder", "existing folder"]),
    ("--json no/such/folder/out.json", ["--json", "no/such/folder", "existing folder"]),
    ("--json .", ["--json", ".", "file name"]),
    ("--json=", ["--json", "''", "file name"]),
    ("--json same.png --plot same.png", ["--plot", "same.png", "--json"]),
    ("--trails 5", ["--trails", "--trials"]),
    ("--nonsense", ["--nonsense"]),
    ("--trials", ["--trials", "argument"]),
    ("--quiet=yes", ["--quiet"]),
    ("extra", ["extra"]),
    ("--network no-such-file.json", ["--network", "no-such-file.json", "No such file"]),
    ("--network .", ["--network", "directory"]),
]

# what the network file holds, more options, and what the line must contain
NETWORKS = [
    ("", "", ["JSON"]),
    ("[1, 2", "", ["JSON"]),
    ("[1, 2]", "", ["allowed"]),
    ("{}", "", ["uplink_erasure"]),
    ({**GOOD, "uplink_erasure": [0.1, 1.2]}, "", ["uplink_erasure[1]", "1.2", "[0, 1]"]),
    ({**GOOD, "uplink_erasure": [0.1, float("nan")]}, "", ["uplink_erasure[1]", "nan", "[0, 1]"]),
    ({**GOOD, "uplink_erasure": [0.1]}, "", ["peer_erasure", "2", "1"]),
    ({**GOOD, "uplink_erasure": "x"}, "", ["uplink_erasure"]),
    ({**GOOD, "peer_erasure": [[0, 0.3]]}, "", ["peer_erasure", "1", "2"]),
    ({**GOOD, "peer_erasure": [[0, 0.3], [0.3]]}, "", ["peer_erasure[1]", "1", "2"]),
    ({**GOOD, "peer_erasure": [[0.1, 0.3], [0.3, 0]]}, "", ["peer_erasure[0, 0]", "0.1"]),
    ({**GOOD, "peer_erasure": [[0, -1], [0.3, 0]]}, "", ["peer_erasure[0, 1]", "-1", "[0, 1]"]),
    ({**GOOD, "reciprocal": "yes"}, "", ["reciprocal", "yes"]),
    (
        {**GOOD, "peer_erasure": [[0, 0.3], [0.4, 0]], "reciprocal": True},
        "",
        ["peer_erasure", "0.3", "0.4"],
    ),
    (
        {**GOOD, "peer_erasure": [[0, 0.3], [0.4, 0]]},
        "--reciprocal",
        ["--reciprocal", "0.3", "0.4"],
    ),
    (GOOD, "--clients 3", ["--clients", "3", "2"]),
    (GOOD, "--uplink-erasure 0.1", ["--uplink-erasure", "0.1", "--network"]),
    (GOOD, "--peer-erasure 0.1", ["--peer-erasure", "0.1", "--network"]),
    (GOOD, "--stragglers 2", ["--stragglers", "2", "0 to 1"]),
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("arguments", "parts"), OPTIONS, ids=[a for a, _ in OPTIONS])
def test_options(arguments: str, parts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outage", *arguments.split()]) == 2
    assert_one_line(capsys, parts)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(("content", "arguments", "parts"), NETWORKS)
def test_network_files(
    content: object, arguments: str, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    Path("network.json").write_text(text)
    assert (
        main(["outage", "--network", "network.json", "--json", "x.json", *arguments.split()]) == 2
    )
    assert_one_line(capsys, parts)
    assert [path.name for path in Path.cwd().iterdir()] == ["network.json"]


def test_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("/proc/self")  # not even for root
    if not folder.is_dir():
        pytest.skip("needs a folder that nobody can write")
    assert main(["outage", "--json", str(folder / "x.json")]) == 2
    assert_one_line(capsys, ["--json", str(folder / "x.json"), "can be written"])


def test_unknown_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outtage"]) == 2
    assert_one_line(capsys, ["outtage"])


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["--trials 0", "--trails 5", "--network nowhere.json"])
def test_the_program_itself(arguments: str) -> None:
    run = run_program("outage", *arguments.split())
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert "Traceback" not in run.stderr
