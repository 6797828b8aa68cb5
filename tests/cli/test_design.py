"""`jaxcogc design`: what it prints, and what it refuses."""

import json
from pathlib import Path

import pandas as pd
import pytest

from jaxcogc.cli.app import main
from tests.cli.program import assert_one_line

SMALL = "design --clients 3 --uplink-erasure 0.2 --peer-erasure 0 --max-attempts 1"
FIELDS = {"code", "stragglers", "attempts", "scheme", "order", "outage", "peer_uses"}
FIELDS |= {"uplink_uses", "rounds", "revealed"}


@pytest.mark.slow
def test_json_table_and_heat_map(tmp_path, capsys):
    picture, lines = tmp_path / "links.png", tmp_path / "all.csv"
    arguments = [*SMALL.split(), "--target", "0.2", "--sensitivity", "--plot", str(picture)]
    assert main([*arguments, "--json", "-", "--csv", str(lines)]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["chosen"].keys() >= FIELDS
    assert found["chosen"] == found["candidates"][0]
    assert set(found["chosen"]["outage"]) == {"low", "best", "high"}
    assert found["reached"] is True
    table = pd.read_csv(lines)
    assert list(table.outage_best) == [c["outage"]["best"] for c in found["candidates"]]
    assert list(table.chosen) == [True] + [False] * (len(table) - 1)
    assert found["chosen"]["outage"]["high"] <= 0.2
    assert len(found["sensitivity"]["uplink"]) == 3
    assert found["sensitivity"]["links"][0]["repaired"] <= found["sensitivity"]["outage"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    for words in ("Chosen: ", "Which link to repair first", "retransmission"):
        assert words in err


@pytest.mark.slow
def test_random_placement(tmp_path, capsys):
    """Every coded candidate says so, and links are judged by their mean over placements."""
    network = tmp_path / "network.json"
    peers = [[0, 0.1, 0.4], [0.2, 0, 0.3], [0.1, 0.2, 0]]
    network.write_text(json.dumps({"uplink_erasure": [0.4, 0.5, 0.45], "peer_erasure": peers}))
    arguments = f"design --network {network} --max-attempts 1 --target 0.7 --order random"
    arguments += " --objective total --max-tries 1"
    assert main([*arguments.split(), "--sensitivity", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["order"] == "random"
    assert {c["order"] for c in found["candidates"]} == {"random", None}
    assert found["chosen"]["order"] == "random"
    assert found["given_order"] is None
    assert found["chosen"]["flagged"] is False
    assert "every client at another place in every round" in err
    assert ("placements" in found["sensitivity"]["law"]) == (found["chosen"]["stragglers"] == 1)


@pytest.mark.slow
def test_a_target_that_nobody_reaches_is_an_answer(capsys):
    arguments = "design --clients 3 --uplink-erasure 1 --peer-erasure 0 --max-attempts 1"
    assert main(arguments.split()) == 0
    assert "Best found: " in capsys.readouterr().err


@pytest.mark.slow
def test_where_nothing_fails(tmp_path, capsys):
    """No outage at all: infinite slopes are null, and the picture is drawn."""
    picture = tmp_path / "links.svg"
    arguments = "design --clients 2 --uplink-erasure 0 --peer-erasure 0 --max-attempts 1"
    arguments += f" --sensitivity --json - --quiet --plot {picture}"
    assert main(arguments.split()) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["chosen"]["outage"] == {"low": 0.0, "best": 0.0, "high": 0.0}
    assert found["sensitivity"]["uplink"] == [None, None]
    assert "-0.0" not in str([c["outage"] for c in found["candidates"]])
    assert picture.is_file()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("--target 0", ["--target", "0"]),
        ("--target 1", ["--target", "between 0 and 1"]),
        ("--target x", ["--target", "x"]),
        ("--objective speed", ["--objective", "uplink, total, privacy"]),
        ("--order best", ["--order", "fixed, random, optimised"]),
        ("--max-attempts 0", ["--max-attempts", "1 to 8"]),
        ("--trials 0", ["--trials"]),
        ("--smoothness 0", ["--smoothness"]),
        ("--plot x.png", ["--plot", "--sensitivity"]),
        ("--sensitivity --plot x.gif", ["--plot", ".png, .svg, .pdf"]),
        ("--sensitivity --reciprocal", ["--sensitivity", "reciprocal"]),
        ("--sensitivity --memory .5", ["--sensitivity", "independent links"]),
        ("--sensitivity --keep-heard", ["--sensitivity", "independent links"]),
        ("--memory .5 --burst-length 3", ["--burst-length 3", "--memory 0.5"]),
        ("--burst-length 1.2", ["--burst-length", "1.66667"]),
        ("--block-probability 1.5", ["--block-probability", "[0, 1]"]),
        ("--objective seconds", ["--objective seconds", "--uplink-seconds"]),
        ("--channel parallel", ["--channel parallel", "--uplink-seconds"]),
        ("--channel both --uplink-seconds 1", ["--channel", "both", "parallel, shared"]),
        ("--uplink-seconds -1", ["--uplink-seconds", "-1"]),
        ("--network nowhere.json", ["--network", "nowhere.json"]),
        ("--clients 65", ["--clients", "64"]),
        ("--stragglers 3", ["--stragglers"]),
    ],
)
def test_one_line(arguments, parts, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["design", *arguments.split()]) == 2
    assert_one_line(capsys, parts)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.slow
def test_orders_by_a_law_that_is_only_a_bound_are_named(capsys):
    """Of 6 clients two rows may suffice where three are counted; of 5, a prime, never."""
    arguments = "design --clients 6 --uplink-erasure 0.2 --peer-erasure 0 --max-attempts 1"
    assert main([*arguments.split(), "--trials", "1"]) == 0
    assert "cyclic-mds codes minimise the cyclic law, an upper bound" in capsys.readouterr().err
    assert main([*arguments.split(), "--trials", "1", "--order", "fixed"]) == 0
    assert "upper bound" not in capsys.readouterr().err
