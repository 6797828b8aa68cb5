"""`jaxcogc network`, and the way from a measured list of links to a trained model."""

import json

import pytest

from jaxcogc.cli.app import main
from jaxcogc.cli.outage.options import OutageOptions
from jaxcogc.cli.shared.network_options import read_network
from jaxcogc.links.network import Network
from tests.cli.program import assert_one_line
from tests.places import SHARED

FOUR = """receiver,sender,pdr
ps,a,0.9
ps,b,0.5
ps,c,0.6
ps,d,0.7
"""
PAIRS = {("a", "b"): 0.9, ("b", "c"): 0.9, ("c", "d"): 0.9, ("d", "a"): 0.3}


def four(tmp_path):
    path = tmp_path / "four.csv"
    rows = [f"{m},{k},{PAIRS.get((m, k), 0.55)}\n" for m in "abcd" for k in "abcd" if m != k]
    path.write_text(FOUR + "".join(rows))
    return path


def test_what_is_printed_drawn_and_written(tmp_path, capsys):
    path, out = four(tmp_path), tmp_path / "four.json"
    picture = tmp_path / "four.png"
    command = ["network", str(path), "--write-network", str(out), "--plot", str(picture)]
    assert main(command) == 0
    text = "".join(capsys.readouterr())
    for words in ("4 clients", "0.3 to 0.5", "never delivers", "The two directions"):
        assert words in text
    assert picture.stat().st_size > 10_000
    assert json.loads(out.read_text())["clients"] == ["a", "b", "c", "d"]
    assert main(["network", str(out), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["names"] == ["a", "b", "c", "d"]
    assert found["uplink_erasure"] == Network.from_csv(path).uplink_erasure.tolist()
    assert sum(found["histogram"]["peer"]) == 12
    assert found["silent"] == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("four.csv --server e", ["--network", "four.csv", "server = 'e'"]),
        ("four.csv --missing-links zero", ["--missing-links", "zero", "refuse, erased"]),
        ("four.json --percent", ["--percent", "four.json", "CSV"]),
        ("nowhere.csv", ["nowhere.csv"]),
        ("notes.txt", ["notes.txt", "JSON"]),
        ("four.csv --write-network four.csv", ["--write-network", ".json"]),
    ],
)
def test_one_line(arguments, parts, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Network.from_csv(four(tmp_path)).to_json(tmp_path / "four.json")
    (tmp_path / "notes.txt").write_text("my network")
    assert main(["network", *arguments.split()]) == 2
    assert_one_line(capsys, parts)


@pytest.mark.parametrize("order", ["1,2", "0,1,2,2", "0,1,2,4", "a,b,c,e", "a,b,c,c", ""])
def test_orders_that_are_none(order, tmp_path, capsys):
    assert main(["outage", "--network", str(four(tmp_path)), "--client-order", order]) == 2
    assert_one_line(capsys, ["--client-order", "every client 0 .. 3 once"])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("d,c,55\n", "percentages"),
        ("d,c,0.5\nd,c,0.5\n", "stands twice"),
        ("d,c,nan\n", "= nan: allowed"),
        ("", "receiver d, sender c is missing"),
    ],
)
def test_measured_files_with_mistakes(lines, words, tmp_path, capsys):
    path = four(tmp_path)
    path.write_text(path.read_text().replace("d,c,0.55\n", lines))
    for verb in (["network", str(path)], ["outage", "--network", str(path)]):
        assert main(verb) == 2
        assert_one_line(capsys, [words, path.name])


def test_an_order_by_names(tmp_path):
    path = four(tmp_path)
    named = read_network(OutageOptions(network=str(path), client_order="c,a,d,b"))
    assert named.network == Network.from_csv(path).permuted((2, 0, 3, 1))
    assert named.clients == ("c", "a", "d", "b")


def outage(capsys, *arguments):
    assert main(["outage", *arguments, "--trials", "20000", "--quiet", "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_an_order_is_that_of_the_network_and_of_who_is_blocked(tmp_path, capsys):
    network = Network.from_csv(four(tmp_path))
    order = (2, 0, 3, 1)
    files = {}
    blocked = [0.1, 0.0, 0.2, 0.3]
    for name, those, at in (
        ("own", network, blocked),
        ("moved", network.permuted(order), [blocked[i] for i in order]),
    ):
        files[name] = tmp_path / f"{name}.json"
        content = json.loads(those.to_json()) | {"block_probability": at}
        files[name].write_text(json.dumps(content))
    code = ("--stragglers", "1")
    by_option = outage(capsys, "--network", str(files["own"]), "--client-order", "2,0,3,1", *code)
    by_file = outage(capsys, "--network", str(files["moved"]), *code)
    assert by_option["gc_outage"] == by_file["gc_outage"]
    assert by_option["gc_outage_closed_form"] == by_file["gc_outage_closed_form"]
    own = outage(capsys, "--network", str(files["own"]), *code)
    assert own["gc_outage_closed_form"] != by_file["gc_outage_closed_form"]


def run_commands(commands, capsys, expected):
    """The commands that design told: the outage is the promised one, and training runs."""
    for command in commands:
        words = command.split()[1:]
        if words[0] == "outage":
            found = outage(capsys, *words[1:])
            low, high = (found["row_space_outage"][end] for end in ("low", "high"))
            assert low - 0.01 < expected < high + 0.01
        else:
            extra = ["--rounds", "2", "--seeds", "1", "--model", "softmax", "--quiet"]
            extra += ["--partition", "iid", "--json", "-"]
            assert main([*words, *extra]) == 0
            assert json.loads(capsys.readouterr().out)


def chosen_of(capsys, *arguments):
    assert main(["design", *arguments, "--quiet", "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_from_a_list_of_links_to_training(tmp_path, capsys):
    """The best order is found, written with names, and what design says is what outage finds."""
    out = tmp_path / "chosen.json"
    common = ["--network", str(four(tmp_path)), "--target", "0.2", "--max-attempts", "1"]
    common += ["--max-tries", "1"]
    found = chosen_of(capsys, *common, "--write-network", str(out))
    written = json.loads(out.read_text())
    order = found["chosen"]["order"]
    assert written["clients"] == ["abcd"[i] for i in order]
    assert written["uplink_erasure"] == [[0.1, 0.5, 0.4, 0.3][i] for i in order]
    assert all(str(out) in command for command in found["commands"])
    run_commands(found["commands"], capsys, found["chosen"]["outage"]["best"])
    again = chosen_of(capsys, *common)
    text = ",".join(map(str, order))
    assert ("--client-order" in again["commands"][0]) == (order != [0, 1, 2, 3])
    assert order == [0, 1, 2, 3] or text in again["commands"][0]
    run_commands(again["commands"][:1], capsys, again["chosen"]["outage"]["best"])


@pytest.mark.slow
def test_commands_of_other_answers(tmp_path, capsys):
    network = ["--network", str(four(tmp_path)), "--max-attempts", "1"]
    found = chosen_of(capsys, *network, "--order", "random", "--target", "0.3")
    assert "--placement random" in found["commands"][-1] or not found["chosen"]["code"]
    total = ["--target", "0.0001", "--objective", "total", "--max-tries", "30"]
    alone = chosen_of(capsys, *network, *total)
    assert alone["chosen"]["scheme"] == "retransmission"
    tries = alone["chosen"]["attempts"]
    assert alone["commands"][0].endswith(f"--scheme retransmission --retransmissions {tries}")


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the measured network is not beside this checkout")
def test_a_measured_testbed_by_commands_alone(tmp_path, capsys):
    source = json.loads((SHARED / "networks" / "grenoble-16.json").read_text())
    names, lines = source["clients"], ["receiver,sender,pdr"]
    for m, name in enumerate(names):
        lines.append(f"ps,{name},{1 - source['uplink_erasure'][m]:.4f}")
        for k, other in enumerate(names):
            if k != m:
                lines.append(f"{name},{other},{1 - source['peer_erasure'][m][k]:.4f}")
    measured, made = tmp_path / "testbed.csv", tmp_path / "testbed.json"
    measured.write_text("\n".join(lines) + "\n")
    assert main(["network", str(measured), "--write-network", str(made), "--quiet"]) == 0
    network = Network.from_json(made)
    assert network == Network(source["uplink_erasure"], source["peer_erasure"])
    out = tmp_path / "chosen.json"
    found = chosen_of(
        capsys,
        *["--network", str(made), "--target", "0.05", "--max-attempts", "1"],
        *["--trials", "20000", "--write-network", str(out)],
    )
    assert sorted(json.loads(out.read_text())["clients"]) == sorted(names)
    run_commands(found["commands"], capsys, found["chosen"]["outage"]["best"])
