"""Codes of one's own in studies: identity by content, names, resumed stores, every verb."""

import json
import shutil

import jax
import numpy as np
import pytest

from jaxcogc import Network, cyclic_code, gc_outage_probability
from jaxcogc.cli.app import main
from jaxcogc.study import collect
from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.specification.study_file import parse_study, read_study
from jaxcogc.study.store.merging import merge_stores
from jaxcogc.study.store.store import open_store
from tests.study.fake import FakeEngine

STUDY = """
[network]
clients = 4
uplink_erasure = 0.4
peer_erasure = 0.25
[code]
file = {file}
{code}
[protocol]
attempts = 2
{protocol}
[stop]
outcome = "gc_outage"
max_trials = 30_000
"""
CODES = {name: cyclic_code(jax.random.key(n), 4, 2).matrix for n, name in enumerate("ab")}


def study(folder, file="a.npy", code="", protocol=""):
    text = STUDY.format(file=json.dumps(file), code=code, protocol=protocol)
    return parse_study(text, folder=folder)


def engine():
    return FakeEngine(lambda point, block: 100 * point.stragglers + 30)


@pytest.fixture
def folder(tmp_path):
    for name, matrix in CODES.items():
        np.save(tmp_path / f"{name}.npy", matrix)
    return tmp_path


def test_the_identity_is_that_of_the_coefficients(folder):
    np.savetxt(folder / "a.csv", CODES["a"], delimiter=",", fmt="%.17g")
    (folder / "a.json").write_text(json.dumps(CODES["a"].tolist()))
    ids = [study(folder, name).points[0].id for name in ("a.npy", "a.csv", "a.json", "b.npy")]
    assert len(set(ids[:3])) == 1
    assert ids[3] != ids[0]
    nearly = CODES["a"].copy()
    nearly[0, 1] = np.nextafter(nearly[0, 1], 9)
    np.save(folder / "n.npy", nearly)
    assert study(folder, "n.npy").points[0].id != ids[0]
    # What is promised is a number of the table; codes that do not keep it are left out.
    found = study(folder, ["a.npy", "b.npy"], "stragglers = [0, 2]").points
    assert [p.labels["code"] for p in found] == ["a.npy", "a.npy", "b.npy", "b.npy"]
    np.save(folder / "c.npy", np.eye(4))
    (left_out,) = study(folder, ["a.npy", "c.npy"], "stragglers = [0, 2]").skipped
    assert left_out.startswith("c.npy, 2 stragglers, 4 clients: rows")


def test_files_of_one_name_and_files_that_moved(folder):
    for day, name in (("day1", "a"), ("day2", "b")):
        (folder / day).mkdir()
        shutil.copy(folder / f"{name}.npy", folder / day / "mine.npy")
    files = ["day1/mine.npy", "day2/mine.npy"]
    assert collect(study(folder, files), folder / "s.db", engine=engine()).trials > 0
    with open_store(folder / "s.db") as opened:
        assert read_table(opened).values("code") == files
    shutil.move(folder / "day1" / "mine.npy", folder / "yours.npy")
    moved = study(folder, ["yours.npy", "day2/mine.npy"])
    assert collect(moved, folder / "s.db", engine=engine()).trials == 0
    shutil.rmtree(folder / "day2")  # the store has the codes itself
    merge_stores([folder / "s.db"], folder / "t.db")
    with open_store(folder / "t.db") as opened:
        assert read_table(opened).values("code") == ["yours.npy", "mine.npy"]
        codes = [stored.point.own_code.matrix() for stored in opened.points()]
    np.testing.assert_array_equal(codes, [CODES["a"], CODES["b"]])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"code": "family = 'cyclic'"}, r"code\.file beside code\.family"),
        ({"file": "none.npy"}, r"code\.file\[0\] = 'none\.npy': .*cannot be read"),
        (
            {"file": ["a.npy", "odd.csv"]},
            r"code\.file\[1\] = 'odd\.csv': matrix has shape \(1, 2\)",
        ),
        ({"file": "inf.csv"}, r"code\.file\[0\] = 'inf\.csv': .*finite"),
        ({"file": "five.csv"}, r"code\.file = 'five\.csv' fits no point.*a matrix of 5 clients"),
        ({"code": "stragglers = 3"}, r"code\.file = 'a\.npy' fits no point of the grid: rows"),
        ({"protocol": "redraw_code = true"}, r"code\.file = 'a\.npy' fits no point.*redraw_code"),
        ({"file": ["a.npy", "a.npy"]}, "each value once"),
    ],
)
def test_mistakes(folder, more, words):
    (folder / "odd.csv").write_text("1,1\n")
    (folder / "inf.csv").write_text("1,inf\n0,1\n")
    np.savetxt(folder / "five.csv", np.eye(5), delimiter=",")
    with pytest.raises(ValueError, match=words):
        study(folder, **more)


@pytest.mark.slow
def test_it_is_counted_shown_drawn_and_replayed(folder, capsys):
    (folder / "study.toml").write_text(STUDY.format(file='"a.npy"', code="", protocol=""))
    store = str(folder / "s.db")
    assert main(["collect", str(folder / "study.toml"), "--store", store, "--quiet"]) == 0
    assert main(["show", "--store", store, "--json", "-"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["points"]
    network = Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.25)
    law = float(gc_outage_probability(network, 2, 2))
    assert abs(row["gc_outage"] - law) < 5 * (law * (1 - law) / row["trials"]) ** 0.5
    assert (row["code"], row["gc_outage_closed_form"]) == ("a.npy", None)
    picture = str(folder / "p.png")
    assert main(["plot", "--store", store, "--out", picture, "--x", "code"]) == 0
    replay = ["replay", "--store", store, "--point", row["point"], "--next", "gc_outage"]
    assert main([*replay, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    again = json.loads(out)
    assert again["gc_outage"]
    assert "a.npy code" in err
    complete = np.any(np.array(again["row_complete"]) & again["uplink_delivered"], axis=0)
    assert complete.sum() < 2
    assert again["row_needs"][0] == (CODES["a"] != 0).tolist()
    (folder / "a.npy").rename(folder / "sub.npy")
    text = (folder / "study.toml").read_text().replace("a.npy", "sub.npy")
    (folder / "study.toml").write_text(text)
    assert collect(read_study(folder / "study.toml"), store).trials == 0
