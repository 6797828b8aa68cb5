"""Files that users wrote: with the mark that some editors put first, a key that stands twice."""

import json
import os
import threading
import tomllib
from pathlib import Path

import pytest

from jaxcogc import Network
from jaxcogc.cli.app import main
from jaxcogc.cli.train.config_file import config_text, read_config
from jaxcogc.study.specification.study_file import read_study
from tests.cli.program import assert_one_line

MARK = b"\xef\xbb\xbf"
NETWORK = '{"uplink_erasure": [0.1, 0.2], "peer_erasure": [[0, 0.3], [0.4, 0]]}'
STUDY = "[network]\nfiles = 'links.json'\n[stop]\nmax_trials = 1\n"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_byte_order_mark_means_nothing(tmp_path: Path, line_end: str) -> None:
    network = tmp_path / "links.json"
    study, config = tmp_path / "study.toml", tmp_path / "config.toml"

    def write(mark: bytes) -> None:
        texts = (network, NETWORK), (study, STUDY), (config, "rounds = 3\nmodel = 'mlp'\n")
        for path, text in texts:
            path.write_bytes(mark + text.replace("\n", line_end).encode())

    def read() -> tuple[object, ...]:
        options = read_config("--config", config)
        return Network.from_json(network), read_study(study), options

    write(b"")
    plain = read()
    write(MARK)
    assert read() == plain


def test_one_mark_alone_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "links.json").write_bytes(MARK)
    assert main(["outage", "--network", str(tmp_path / "links.json")]) == 2
    assert_one_line(capsys, ["links.json", "is not valid JSON"])
    (tmp_path / "links.json").write_bytes(NETWORK.encode("utf-16"))
    assert main(["outage", "--network", str(tmp_path / "links.json")]) == 2
    assert_one_line(capsys, ["links.json", "is not a JSON file (not UTF-8 text)"])


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["network {} --quiet", "bound --network {} --stragglers 1"])
def test_a_network_comes_through_a_pipe(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of `--network <(command)`: it can be read once, and is looked at more often."""
    pipe, results = tmp_path / "pipe", []
    os.mkfifo(pipe)
    (tmp_path / "links.json").write_text(NETWORK.replace("[0.4, 0]", "[0.3, 0]"))
    writer = threading.Thread(
        target=lambda: pipe.write_bytes((tmp_path / "links.json").read_bytes()), daemon=True
    )
    writer.start()
    for path in (pipe, tmp_path / "links.json"):
        assert main([*verb.format(path).split(), "--json", "-"]) == 0
        fields = json.loads(capsys.readouterr().out)
        machine = ("command", "files_sha256", "elapsed_seconds", "network")
        results.append({k: v for k, v in fields.items() if k not in machine})
    writer.join()
    assert results[0] == results[1]
    assert len(results[0]) > 3


TWICE = [
    ('{"uplink_erasure": [0.5, 0.5], ', '"uplink_erasure"'),
    ('{"reciprocal": false, "reciprocal": true, ', '"reciprocal"'),
    ('{"\\u0070eer_erasure": [[0, 0], [0, 0]], ', '"peer_erasure"'),
    ('{"source": {"by": "me", "by": "you"}, ', '"by"'),
]


@pytest.mark.parametrize(("beginning", "name"), TWICE)
@pytest.mark.parametrize("verb", ["outage", "train", "design", "collect"])
def test_a_key_that_stands_twice_is_one_line(
    beginning: str, name: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the two values one would be dropped, and nobody knows which was meant."""
    links = tmp_path / "links.json"
    links.write_text(NETWORK.replace("{", beginning, 1))
    (tmp_path / "study.toml").write_text(STUDY)
    arguments = {
        "train": ["--network", str(links), "--out", str(tmp_path / "run")],
        "design": ["--network", str(links), "--target", "0.1"],
        "collect": [str(tmp_path / "study.toml"), "--store", str(tmp_path / "s.db")],
    }.get(verb, ["--network", str(links)])
    before = sorted(tmp_path.iterdir())
    assert main([verb, *arguments]) == 2
    assert_one_line(capsys, ["links.json", f"has the field {name} twice: allowed is each once"])
    assert sorted(tmp_path.iterdir()) == before


def test_a_key_that_stands_twice_in_a_toml_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "links.json").write_text(NETWORK)
    (tmp_path / "study.toml").write_text(STUDY + "max_trials = 2\n")
    with pytest.raises(ValueError, match="is not valid TOML: Cannot overwrite") as caught:
        read_study(tmp_path / "study.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a b", 'a"b\\c', "ü", "\N{GRINNING FACE}", "a\x7fb", "$x_1$"])
def test_any_name_comes_back_from_the_file_of_options(name: str) -> None:
    config = {"network": f"{name}.json", "scheme": [name], "rounds": 3}
    assert tomllib.loads(config_text(config)) == config
    assert json.loads(json.dumps(config)) == config
