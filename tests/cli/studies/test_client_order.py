"""Studies of measured networks: clients by their names, in another order on the ring."""

import json

import pytest

from jaxcogc import Network
from jaxcogc.cli.app import main
from jaxcogc.study.collection.collect import collect
from jaxcogc.study.specification.study_file import read_study
from jaxcogc.study.store.store import open_store
from tests.cli.program import assert_one_line
from tests.study.fake import FakeEngine

STUDY = """
[network]
files = "links.csv"
[code]
stragglers = 1
[stop]
max_trials = 1
"""
NAMES = ("roof", "yard", "gate")
LINKS = [
    ("hub", "roof", 0.9),
    ("hub", "yard", 0.8),
    ("hub", "gate", 0.7),
    ("roof", "yard", 0.65),
    ("roof", "gate", 0.6),
    ("yard", "roof", 0.55),
    ("yard", "gate", 0.5),
    ("gate", "roof", 0.45),
    ("gate", "yard", 0.4),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["receiver,sender,pdr", *(",".join(map(str, link)) for link in LINKS)]
    (tmp_path / "links.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def test_an_order_is_that_of_the_permuted_network(folder):
    order = [2, 0, 1]
    (point,) = read_study("study.toml", client_order=order).points
    network = Network.from_csv("links.csv")
    assert point.network() == network.permuted(order)
    assert point.client_names == ("gate", "roof", "yard")
    assert point.labels["client_order"] == "2-0-1"
    network.permuted(order).to_json(folder / "links.json")
    text = STUDY.replace("links.csv", "links.json")
    (folder / "study.toml").write_text(text)
    (same,) = read_study("study.toml").points
    assert (same.id, same.client_names) == (point.id, None)
    key = text.replace("[network]", "[network] # measured\nclient_order = [1, 2, 0]")
    (folder / "study.toml").write_text(key)
    (back,) = read_study("study.toml").points
    assert back.network() == network


@pytest.mark.slow
def test_names_come_back_in_replay(folder, capsys):
    study = read_study("study.toml", client_order=[2, 0, 1])
    assert "client_order = [2, 0, 1]" in study.text  # which makes the same points again
    collect(study, "s.db", engine=FakeEngine(lambda point, block: 1))
    (point,) = study.points
    replay = ["replay", "--store", "s.db", "--point", point.id[:6]]
    assert main([*replay, "--json", "-", "--plot", "x.svg"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["client_names"] == ["gate", "roof", "yard"]
    rows = [line.split("│")[1].strip() for line in err.splitlines() if line.startswith("│")]
    assert rows[:3] == ["gate", "roof", "yard"]
    with open_store("s.db") as store:  # one that was made before stores had names
        store.rows("UPDATE points SET labels = json_remove(labels, '$.client_names')")
    assert main([*replay, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["client_names"] is None


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("0,0,1", "--client-order = 0,0,1: allowed is every client once"),
        ("roof,yard,gate", "--client-order = roof,yard,gate: allowed is every client once"),
        ("1,0", "network.client_order of 2 clients: allowed is every client of links once, 0 .. 2"),
    ],
)
def test_orders_that_are_none(order, words, folder, capsys):
    collecting = ["collect", "study.toml", "--store", "s.db", "--client-order", order]
    assert main(collecting) == 2
    assert_one_line(capsys, [words])
    assert not (folder / "s.db").exists()
