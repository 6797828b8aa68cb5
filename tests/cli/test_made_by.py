"""A result file tells what made it, and that is enough to make it again."""

import hashlib
import json
import shlex

import pandas as pd
import pytest

import jaxcogc
from jaxcogc.cli.app import main

SMALL = "--clients 4 --stragglers 2 --attempts 1"
VERBS = {
    "outage": f"outage {SMALL} --uplink-erasure .25 --trials 3000 --redraw-code --plot x.png",
    "rare": f"outage {SMALL} --trials 3000 --rare importance --keep-heard",
    "sweep": "outage --clients 4 --attempts 1 --trials 3000 --stragglers 1,2 --csv x.csv",
    "bound": f"bound {SMALL} --scheme gc --heterogeneity .5",
    "schemes": "schemes --clients 3 --stragglers 1 --attempts 1 --trials 2000",
    "network": "network net.json",
    "design": "design --network net.json --target .3 --max-attempts 1 --trials 3000",
}
CHANGES = ("elapsed_seconds", "compile_seconds", "trials_per_second")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = jaxcogc.Network.homogeneous(3, uplink_erasure=0.3, peer_erasure=0.2)
    network.to_json(tmp_path / "net.json")
    return tmp_path


def made(command, capsys):
    assert main([*command, "--quiet", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    return found, [
        {name: value for name, value in row.items() if name not in CHANGES}
        for row in found.get("rows", [found])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_result_can_be_made_again(verb, folder, capsys):
    found, rows = made(shlex.split(VERBS[verb]), capsys)
    assert found["version"] == jaxcogc.__version__
    words = shlex.split(found["command"])
    assert words[0] == "jaxcogc"
    if "net.json" in VERBS[verb]:
        text = (folder / "net.json").read_bytes()
        assert found["files_sha256"] == {"net.json": hashlib.sha256(text).hexdigest()}
    else:
        assert found["files_sha256"] == {}
    quiet = words.index("--quiet")
    assert words[quiet:] == ["--quiet", "--json", "-"] or "--json" in words
    assert main(words[1:]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again.pop("command") == found.pop("command")
    assert [
        {name: value for name, value in row.items() if name not in (*CHANGES, "command")}
        for row in again.get("rows", [again])
    ] == [{name: value for name, value in row.items() if name != "command"} for row in rows]


@pytest.mark.slow
def test_lists_of_everything_are_rows(folder, capsys):
    """Erasures, attempts and stragglers: each row holds what a run of its own says."""
    command = "outage --clients 4 --trials 3000 --peer-erasure .1"
    lists = "--uplink-erasure .2,.3 --attempts 1,2 --stragglers 1,2"
    assert main([*command.split(), *lists.split(), "--plot", "x.png"]) == 2
    assert "--plot of 4 curves: allowed are at most 3" in capsys.readouterr().err
    lists = lists.replace("--stragglers 1,2", "--stragglers 1")
    both, rows = made(shlex.split(f"{command} {lists} --csv x.csv --plot x.png"), capsys)
    assert (folder / "x.png").exists()
    axes = ["uplink_erasure", "peer_erasure", "attempts", "stragglers"]
    found = [tuple(row[name] for name in axes) for row in rows]
    assert found == [(p, 0.1, a, 1) for p in (0.2, 0.3) for a in (1, 2)]
    assert list(pd.read_csv("x.csv").uplink_erasure) == [0.2, 0.2, 0.3, 0.3]
    assert len({row["compile_seconds"] for row in both["rows"]}) == 1
    single = f"{command} --uplink-erasure .3 --attempts 2 --stragglers 1"
    _, (row,) = made(shlex.split(single), capsys)
    assert {name: row[name] for name in rows[3]} == rows[3]


def test_the_table_and_title_of_a_sweep(folder, capsys):
    command = "outage --clients 4 --attempts 1 --stragglers 1 --trials 3000 --peer-erasure .25"
    assert main([*command.split(), "--uplink-erasure", ".1,.2,.3,.4,.5"]) == 0
    told = capsys.readouterr().err
    assert told.count("compiled in") == 1  # one program for all
    assert "uplink erasure 0.1, .., 0.5, peer erasure 0.25" in told
    cells = [line.split("│")[1].strip() for line in told.splitlines() if line.startswith("│")]
    assert [cell for cell in cells if cell] == ["0.1", "0.2", "0.3", "0.4", "0.5"]


def test_several_numbers_of_stragglers_are_rows(folder, capsys):
    """Each row holds what one run of its own says."""
    both, rows = made(shlex.split(VERBS["sweep"]), capsys)
    assert set(both) == {"version", "command", "files_sha256", "rows"}
    assert [row["stragglers"] for row in rows] == [1, 2]
    table = pd.read_csv("x.csv")
    assert list(table.stragglers) == [1, 2]
    assert list(table.gc_outage_low) == [row["gc_outage"]["low"] for row in rows]
    assert list(table.num_recovered_pmf_4) == [row["num_recovered_pmf"][4] for row in rows]
    assert table.memory.notna().all()
    assert set(table.keep_heard) == {False}
    _, (row,) = made(shlex.split(VERBS["sweep"].replace("1,2", "2")), capsys)
    for name in ("gc_outage", "row_space_exact", "gc_outage_closed_form", "num_recovered_pmf"):
        assert rows[1][name] == row[name]
