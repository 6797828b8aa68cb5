"""show, plot, merge, report and the mistakes a user can make with studies."""

import csv
import io
import json
import re
from pathlib import Path

import pandas
import pytest

from jaxcogc.cli.app import main
from jaxcogc.study.collection.collect import collect
from jaxcogc.study.specification.study_file import read_study
from tests.places import EXAMPLES
from tests.study.fake import FakeEngine, small_study

STUDIES = sorted((EXAMPLES / "studies").glob("*.toml"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verbs") / "study.db"
    engine = FakeEngine(lambda point, block: 50 * (1 - point.stragglers) + block % 3)
    collect(small_study("max_trials = 50_000"), path, engine=engine)
    return path


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_has_a_line_for_each_point(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "--store", str(store), "--sort", "-gc_plus_none"]) == 0
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if "clopper-pearson" in line]
    assert len(lines) == 6
    assert all("max-trials" in line and "65,536" in line for line in lines)
    assert "95 % interval" in out
    shown = [float(re.findall(r"([\d.e-]+) +│ +[\d.e-]+ –", line)[0]) for line in lines]
    assert shown == sorted(shown, reverse=True)


def test_csv_has_no_quotes_and_all_columns(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--store", str(store), "--csv", "-", "--filter", "stragglers=1"]) == 0
    out = capsys.readouterr().out
    assert '"' not in out
    rows = rows_of(out)
    assert len(rows) == 3
    assert {len(line.split(",")) for line in out.splitlines()} == {len(rows[0])}
    assert {row["watched"] for row in rows} == {"gc_plus_none"}
    assert [float(row["gc_plus_none"]) for row in rows] == [3 / 65_536] * 3
    assert rows[0]["gc_outage_closed_form"] == "0.25"


def test_json_and_parquet_say_the_same(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "t.parquet"
    arguments = ["--json", "-", "--parquet", str(target), "--filter", "uplink_erasure<0.12"]
    assert main(["show", "--store", str(store), *arguments]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    table = pandas.read_parquet(target)
    assert len(points) == len(table) == 4
    assert table["gc_outage_high"].tolist() == [point["gc_outage_high"] for point in points]
    assert [p["gc_outage_closed_form"] for p in points if p["stragglers"] == 0] == [None] * 2


def test_differences_between_points_are_paired(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "--store", str(store), "--csv", "-"]) == 0
    first = rows_of(capsys.readouterr().out)[0]["point"]
    assert main(["show", "--store", str(store), "--versus", first[:6], "--csv", "-"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert {row["difference_method"] for row in rows} == {"paired-blocks-t"}
    assert [float(row["difference"]) for row in rows] == [0, -50 / 2**14] * 3
    # Both points have the same noise: nothing of it is left in their difference. But a difference
    # of nothing in 65,536 trials may still be one of some of them.
    for row in rows:
        width = float(row["difference_high"]) - float(row["difference_low"])
        assert 2 * 3.6 / 65_536 < width < 150 / 65_536


@pytest.mark.parametrize(
    "arguments",
    [[], ["--x", "stragglers", "--panels", "uplink_erasure", "--linear"], ["--x", "code"]],
    ids=["chosen", "panels", "words"],
)
def test_pictures(store: Path, tmp_path: Path, arguments: list[str]) -> None:
    for suffix, beginning in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        target = tmp_path / f"picture{suffix}"
        assert main(["plot", "--store", str(store), "--out", str(target), *arguments]) == 0
        assert target.read_bytes().startswith(beginning)


def test_merge_and_report(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, page = tmp_path / "all.db", tmp_path / "page.html"
    assert main(["merge", "--store", str(target), str(store), str(store)]) == 0
    assert "24 blocks added, 24 were there; 6 points" in capsys.readouterr().out
    assert main(["report", "--store", str(target), "--out", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")


MISTAKES = [
    (["show", "--store", "none.db"], "none.db: there is no such file; jaxcogc collect makes one"),
    (["show", "--store", "bad.toml"], "bad.toml: is not a store of jaxcogc"),
    (["show", "--store", "STORE", "--filter", "stragler=1"], "'stragler' is no column"),
    (["show", "--store", "STORE", "--filter", "stragglers"], "allowed is COLUMN=VALUE"),
    (["show", "--store", "STORE", "--filter", "stragglers<x"], "allowed is a number"),
    (["show", "--store", "STORE", "--sort", "speed"], "--sort: 'speed' is no column"),
    (["show", "--store", "STORE", "--outcome", "gc"], "--outcome = gc: allowed is gc_outage"),
    (["show", "--store", "STORE", "--versus", "zz"], "'zz' is the beginning of no point"),
    (["show", "--store", "STORE", "--parquet", "t.csv"], "ending in .parquet"),
    (
        ["show", "--store", "STORE", "--csv", "-", "--json", "-"],
        "a file, as --csv has standard output",
    ),
    (["plot", "--store", "STORE", "--out", "t.gif"], "ending in .png, .svg, .pdf"),
    (["plot", "--store", "STORE", "--out", "t.png", "--x", "zeal"], "'zeal' is no axis"),
    (["plot", "--store", "STORE", "--out", "t.png", "--x", "seed", "--panels", "seed"], "once"),
    (["plot", "--store", "STORE", "--out", "t.png", "--curves", "code"], "the points differ in"),
    (["plot", "--store", "STORE", "--out", "t.png", "--outcome", "gc"], "'gc' is no outcome"),
    (["replay", "--store", "STORE", "--point", "zz"], "is the beginning of no point"),
    (["replay", "--store", "STORE", "--point", "zz", "--trial", "-1"], "--trial = -1"),
    (["replay", "--store", "STORE", "--point", "zz", "--next", "x"], "--next = x"),
    (["report", "--store", "STORE", "--out", "t.pdf"], "ending in .html"),
    (["collect", "none.toml", "--store", "s.db"], "none.toml: cannot be read"),
    (["collect", "bad.toml", "--store", "s.db"], "bad.toml: stop.max_trails is no known key"),
    (["collect", "good.toml", "--store", "bad.toml"], "is not a store of jaxcogc"),
    (["collect", "good.toml", "--store", "s.db", "--budget", "10"], "--budget = 10: allowed is"),
    (["collect", "good.toml", "--store", "no/s.db"], "a file in an existing folder"),
    (["collect", "good.toml"], "--store"),
    (["merge", "--store", "s.db", "none.db"], "there is no such file"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=lambda x: None)
def test_mistakes_are_one_line(
    arguments: list[str],
    words: str,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    good = "[network]\nclients=3\nuplink_erasure=0.1\npeer_erasure=0.1\n[stop]\nmax_trials=1\n"
    Path("good.toml").write_text(good)
    Path("bad.toml").write_text(good.replace("max_trials", "max_trails"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main([str(store) if word == "STORE" else word for word in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_are_small_and_plain(path: Path) -> None:
    study, text = read_study(path), path.read_text()
    assert study.rule.budget_seconds is None
    assert "\n[network]" in text
    assert "\n[stop]" in text
    assert study.name != path.stem
    assert study.description
    assert study.rule.max_blocks * 2**14 * len(study.points) <= 3e7
    assert not study.skipped or "families" in path.stem


def test_there_are_shipped_studies() -> None:
    assert len(STUDIES) >= 3
