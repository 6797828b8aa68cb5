"""`--code-file`: a code of one's own for the verbs."""

import json

import jax
import numpy as np
import pytest

from jaxcogc import Network, cyclic_code, gc_outage_probability
from jaxcogc.cli.app import main
from tests.cli.program import assert_one_line
from tests.coding.stacks import rows_of_roots

CODE = cyclic_code(jax.random.key(1), 10, 7)
NETWORK = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
TRAIN = ["train", "--rounds", "2", "--seeds", "1", "--local-steps", "1", "--scheme", "gc-plus"]
TRAIN += ["--model", "softmax", "--evaluate-every", "1", "--quiet"]


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "mine.npy", CODE.matrix)
    return tmp_path / "mine.npy"


@pytest.mark.slow
def test_a_family_read_back_has_its_outage(path, capsys):
    arguments = ["outage", "--code-file", str(path), "--trials", "20000"]
    assert main([*arguments, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    law = float(gc_outage_probability(NETWORK, 7, 2))
    assert abs(found["gc_outage"]["best"] - law) < 5 * (law * (1 - law) / 20_000) ** 0.5
    assert (found["code"], found["stragglers"], found["clients"]) == ("custom", 0, 10)
    assert found["gc_outage_closed_form"] is None
    assert "mine.npy code · 2 attempts" in " ".join(err.split())
    assert main([*arguments, "--stragglers", "7", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    promised = json.loads(out)
    assert promised["stragglers"] == 7
    assert "mine.npy code, 7 stragglers" in " ".join(err.split())
    assert promised["gc_outage"] == found["gc_outage"]


@pytest.mark.slow
def test_its_size_is_that_of_the_file(tmp_path, capsys):
    (tmp_path / "three.csv").write_text("1,1,0\n0,1,1\n1,0,1\n")
    arguments = ["outage", "--code-file", str(tmp_path / "three.csv"), "--trials", "100", "--quiet"]
    assert main([*arguments, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["clients"] == 3
    assert main([*arguments, "--clients", "4"]) == 2
    assert_one_line(capsys, ["--code-file", "three.csv (3 clients)", "4 clients"])


@pytest.mark.parametrize("verb", ["outage", "train", "bound"])
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("--code cyclic", ["--code with --code-file"]),
        ("--redraw-code", ["--redraw-code with --code-file"]),
        ("--stragglers 8", ["--code-file", "any 2 rows"]),
        ("--stragglers 10", ["--stragglers", "0 to 9"]),
    ],
)
def test_what_does_not_go_together(path, capsys, verb, arguments, parts):
    assert main([verb, "--code-file", str(path), *arguments.split()]) == 2
    assert_one_line(capsys, parts)


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("none.npy", None, ["--code-file", "none.npy", "cannot be read"]),
        ("a.csv", "1,2\n3,4\n5,6\n", ["a.csv", "(3, 2)", "(clients, clients)"]),
        ("a.json", "[[1, NaN], [0, 1]]", ["a.json", "nan", "finite"]),
        ("a.json", "[[1, -1], [-1, 1]]", ["a.json", "do not span"]),
    ],
)
def test_wrong_files(tmp_path, capsys, name, text, parts):
    if text is not None:
        (tmp_path / name).write_text(text)
    assert main(["outage", "--code-file", str(tmp_path / name)]) == 2
    assert_one_line(capsys, parts)


@pytest.mark.parametrize("verb", ["train", "schemes"])
def test_masks_over_a_field_that_is_not_there_are_refused(tmp_path, capsys, verb):
    np.save(tmp_path / "roots.npy", rows_of_roots())
    arguments = [verb, "--scheme", "secure-gc", "--code-file", str(tmp_path / "roots.npy")]
    assert main([*arguments, "--masks", "field"]) == 2
    assert_one_line(capsys, ["--masks field", "no prime field", "'real'"])


@pytest.mark.slow
def test_a_run_keeps_its_code(path, tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*TRAIN, "--code-file", str(path), "--out", str(out)]) == 0
    path.unlink()
    assert (out / "code" / "mine.npy").is_file()
    assert main(["train", "--resume", "--out", str(out), "--rounds", "3", "--quiet"]) == 0
    again = tmp_path / "again"
    assert main(["train", "--config", str(out / "config.toml"), "--out", str(again)]) == 0
    first, second = (folder / "metrics.csv" for folder in (out, again))
    assert first.read_text() == second.read_text()
    capsys.readouterr()
    np.save(out / "code" / "mine.npy", cyclic_code(jax.random.key(2), 10, 7).matrix)
    assert main(["train", "--resume", "--out", str(out), "--rounds", "4"]) == 2
    assert_one_line(capsys, ["--resume", "code_sha256"])
