"""Networks in JSON files."""

import json
import os
import stat

import jax
import numpy as np
import pytest

from jaxcogc.links.network import Network
from jaxcogc.runtime.atomic_files import write_atomically


def test_json_round_trip_is_exact(tmp_path):
    rng = np.random.default_rng(0)
    for clients in (1, 2, 7):
        peer = rng.random((clients, clients)) ** 40 * ~np.eye(clients, dtype=bool)
        for reciprocal in (False, True):
            peer = np.maximum(peer, peer.T) if reciprocal else peer
            network = Network(rng.random(clients), peer, reciprocal)
            path = tmp_path / "network.json"
            text = network.to_json(path)
            assert Network.from_json(path) == network
            assert path.read_text() == text + "\n"
            assert json.loads(text)["peer_erasure"] == network.peer_erasure.tolist()
    smallest = Network([5e-324, 1 - 2.0**-53], [[0, 2.0**-1074], [1, 0]])
    smallest.to_json(path)
    assert Network.from_json(str(path)) == smallest


def test_json_ignores_other_keys_and_defaults_reciprocal(tmp_path):
    path = tmp_path / "network.json"
    fields = {"source": "a testbed", "clients": ["a"], "uplink_erasure": [0], "peer_erasure": [[0]]}
    path.write_text(json.dumps(fields))
    assert Network.from_json(path) == Network([0.0], [[0.0]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["not valid JSON", "line 1"]),
        ("{", ["not valid JSON"]),
        ('{"uplink_erasure": [0.1], "peer_erasure": [[0]]', ["not valid JSON"]),
        ("[" * 100_000, ["nested"]),
        ("[]", ["an empty list", "object"]),
        ("3", ["number", "object"]),
        ("{}", ['no field "uplink_erasure"']),
        ('{"uplink_erasure": [0.1]}', ['no field "peer_erasure"']),
        ('{"uplink_erasure": 0.1, "peer_erasure": []}', ["uplink_erasure", "list of numbers"]),
        ('{"uplink_erasure": [], "peer_erasure": []}', ["uplink_erasure", "empty"]),
        ('{"uplink_erasure": [0.1, "x"], "peer_erasure": []}', ["uplink_erasure[1]", "string"]),
        ('{"uplink_erasure": [null], "peer_erasure": []}', ["uplink_erasure[0]", "null"]),
        ('{"uplink_erasure": [true], "peer_erasure": []}', ["uplink_erasure[0]", "true"]),
        ('{"uplink_erasure": [0.1], "peer_erasure": {}}', ["peer_erasure", "object", "1 rows"]),
        ('{"uplink_erasure": [0.1], "peer_erasure": []}', ["peer_erasure has 0 rows", "1"]),
        (
            '{"uplink_erasure": [0, 0], "peer_erasure": [[0, 0], [0]]}',
            ["peer_erasure[1]", "1", "2"],
        ),
        ('{"uplink_erasure": [0, 0], "peer_erasure": [[0, 0], 0]}', ["peer_erasure[1]", "number"]),
        ('{"uplink_erasure": [0], "peer_erasure": [[0.5]]}', ["peer_erasure[0, 0] = 0.5"]),
        ('{"uplink_erasure": [2], "peer_erasure": [[0]]}', ["uplink_erasure[0] = 2"]),
        ('{"uplink_erasure": [NaN], "peer_erasure": [[0]]}', ["uplink_erasure[0] = nan"]),
        ('{"uplink_erasure": [1e999], "peer_erasure": [[0]]}', ["uplink_erasure[0] = inf"]),
        ('{"uplink_erasure": [1' + "0" * 400 + '], "peer_erasure": [[0]]}', ["uplink_erasure[0]"]),
        ('{"uplink_erasure": [1' + "0" * 9999 + '], "peer_erasure": [[0]]}', ["network.json"]),
        ('{"uplink_erasure": [0], "peer_erasure": [[0]], "reciprocal": 1}', ["reciprocal = 1"]),
    ],
)
def test_wrong_files_are_named_in_one_line(tmp_path, text, words):
    path = tmp_path / "network.json"
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        Network.from_json(path)
    assert "\n" not in str(error.value)
    for word in [str(path), *words]:
        assert word in str(error.value)


def test_unreadable_files_are_value_errors(tmp_path):
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(ValueError, match=f"{path}: cannot be read"):
            Network.from_json(path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match=r"binary\.json: .*UTF-8"):
        Network.from_json(tmp_path / "binary.json")


def test_a_traced_network_has_no_json():
    with pytest.raises(ValueError, match="traced"):
        jax.jit(lambda network: network.to_json() and 0)(Network(np.zeros(3), np.zeros((3, 3))))


def test_atomic_writing(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    mask = os.umask(0o027)
    try:
        write_atomically(path, "é\n")
    finally:
        os.umask(mask)
    assert path.read_bytes() == "é\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write_atomically(path, b"\x00new")
    assert path.read_bytes() == b"\x00new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    link = tmp_path / "link.json"
    link.symlink_to(path)
    write_atomically(link, "through")
    assert link.is_symlink()
    assert path.read_text() == "through"
    write_atomically(os.devnull, "nothing")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "half")
    assert path.read_text() == "through"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.json", "result.json"]
    with pytest.raises(OSError, match="absent"):
        write_atomically(tmp_path / "absent" / "result.json", "")
