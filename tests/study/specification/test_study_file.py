"""Study files: grids, identities, and mistakes in one line."""

import json

import numpy as np
import pytest

from jaxcogc.links.network import Network
from jaxcogc.study.specification.study_file import parse_study, read_study

BASE = """
[network]
clients = 4
uplink_erasure = [0.1, 0.2]
peer_erasure = 0.1
[code]
stragglers = [1, 2]
[stop]
max_trials = 1e5
"""


def test_every_list_is_an_axis():
    study = parse_study(
        BASE.replace("clients = 4", "clients = [3, 4]").replace(
            "[stop]", "[protocol]\nattempts = [1, 2]\n[run]\nseed = [0, 1, 2]\n[stop]"
        )
    )
    assert len(study.points) == len({p.id for p in study.points}) == 2 * 2 * 2 * 2 * 3
    assert study.points[0].labels["clients"] == 3
    assert study.rule.max_blocks == 7


def test_the_identity_is_that_of_the_float64_bits(tmp_path):
    first = parse_study(BASE).points[0]
    assert first.id == parse_study(BASE + "# a comment\n[study]\nname = 'x'").points[0].id
    nearly = BASE.replace("[0.1, 0.2]", repr([float(np.nextafter(0.1, 1)), 0.2]))
    assert parse_study(nearly).points[0].id != first.id
    same = BASE.replace("[0.1, 0.2]", "[0.10000000000000001, 2e-1]")
    assert parse_study(same).points[0].id == first.id
    zero = [
        parse_study(BASE.replace("[0.1, 0.2]", text)).points[0].id for text in ("0", "0.0", "-0.0")
    ]
    assert len(set(zero)) == 1
    # A file with the same links is the same point.
    network = Network.homogeneous(4, uplink_erasure=0.1, peer_erasure=0.1)
    network.to_json(tmp_path / "links.json")
    text = "[network]\nfiles = 'links.json'\n[code]\nstragglers = 1\n[stop]\nmax_trials = 1\n"
    (tmp_path / "study.toml").write_text(text)
    (point,) = read_study(tmp_path / "study.toml").points
    assert point.id == first.id
    assert point.labels["network"] == "links"
    assert point.network() == network


def test_positions_are_a_grid_too():
    text = """
        [network]
        positions = [[0, 1], [1, 0], [2, 2]]
        server = [0, 0]
        snr_at_reference = [10.0, 100]
        path_loss_exponent = 3
        rate = 1.0
        [stop]
        max_trials = 1
    """
    points = parse_study(text).points
    expected = Network.from_positions(
        [[0, 1], [1, 0], [2, 2]],
        [0, 0],
        snr_at_reference=100.0,
        path_loss_exponent=3.0,
        rate=1.0,
    )
    assert points[1].network() == expected
    assert json.loads(points[1].links.text)["uplink_erasure"] == expected.uplink_erasure.tolist()


def test_codes_that_do_not_exist_are_left_out():
    study = parse_study(
        BASE.replace("[code]", "[code]\nfamily = ['cyclic', 'cyclic-mds', 'uncoded']")
    )
    found = {(p.family, p.stragglers) for p in study.points}
    assert found == {("cyclic", 1), ("cyclic", 2), ("cyclic-mds", 1), ("uncoded", 0)}
    assert len(study.points) == 8
    assert len(study.skipped) == 1
    assert study.skipped[0].startswith("cyclic-mds, 2 stragglers, 4 clients: num_stragglers = 2")


MISTAKES = [
    ("0.2]", "1.2]", "network.uplink_erasure[1] = 1.2: allowed is a probability in [0, 1]"),
    ("peer_erasure = 0.1", "peer_erasure = true", "network.peer_erasure = true: allowed is a prob"),
    ("max_trials = 1e5", "max_trails = 3", "stop.max_trails is no known key: allowed are outcome"),
    ("max_trials = 1e5", "", "stop.max_trials is missing"),
    ("max_trials = 1e5", "max_trials = 1.5", "stop.max_trials = 1.5: allowed is a whole number"),
    ("[1, 2]", "[1, 4]", "code.stragglers = 4 fits no point of the grid: num_stragglers = 4"),
    ("[1, 2]", "[]", "code.stragglers = []: allowed is a value, or a list of at least one"),
    ("[1, 2]", "[1, 1]", "code.stragglers[1] = 1: allowed is each value once"),
    ("clients = 4", "clients = 'x'", "network.clients = 'x': allowed is a whole number from 1"),
    ("clients = 4", "files = 'x'", "network.uplink_erasure beside network.files: allowed is one"),
    ("clients = 4", "", "network.clients is missing"),
    ("clients = 4", "clients = 4\nclient_order = [0, 0, 1, 2]", "network.client_order = [0, 0, 1"),
    ("clients = 4", "clients = 4\nclient_order = [1, 0]", "network.client_order of 2 clients"),
    ("clients = 4", "clients =", "is not valid TOML"),
    ("[stop]", "[stop]\noutcome = 'gc'", "stop.outcome = 'gc': allowed is gc_outage, gc_plus"),
    ("[stop]", "[stop]\nbudget = '3x'", "stop.budget = '3x': allowed is a duration such as 90s"),
    ("[stop]", "[stop]\nmax_events = 1", "stop.max_events = 1: allowed is a whole number from 2"),
    ("[stop]", "[stop]\ndecide_below = 0", "stop.decide_below = 0: allowed is a number strictly"),
    ("[stop]", "[run]\nseed = -1\n[stop]", "run.seed = -1: allowed is a whole number from 0"),
    ("[stop]", "[run]\nlevel = 95\n[stop]", "run.level = 95: allowed is a number strictly"),
    ("[code]", "[code]\nfamily = 'cyclc'", "code.family = 'cyclc': allowed is cyclic, cyclic-mds"),
    ("[code]", "[cod]", "cod is no known key: allowed are study, network, code"),
    ("[code]", "[protocol]\nredraw_code = 1\n[code]", "protocol.redraw_code = 1: allowed is true"),
]


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES, ids=lambda x: None)
def test_mistakes_name_key_value_and_what_is_allowed(old, new, words, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(BASE.replace(old, new))
    with pytest.raises(ValueError) as caught:
        read_study(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {words}")
    assert "\n" not in message


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        read_study(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_study(tmp_path / "bytes.toml")
    (tmp_path / "links.toml").write_text("[network]\nfiles = ['no.json']\n[stop]\nmax_trials = 1")
    with pytest.raises(ValueError, match=r"network.files\[0\] = 'no.json': .*cannot be read"):
        read_study(tmp_path / "links.toml")
