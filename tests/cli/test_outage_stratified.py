"""`jaxcogc outage --estimator stratified`: what it prints, and what it refuses."""

import json

import pytest

from jaxcogc.cli.app import main
from jaxcogc.names import OUTCOMES
from tests.cli.program import assert_one_line

SMALL = "outage --clients 4 --stragglers 2 --trials 20000"


def outage(capsys, *arguments):
    assert main([*SMALL.split(), *arguments, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), " ".join(err.split())


@pytest.mark.slow
def test_json_table_and_picture(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    plain, told = outage(capsys)
    assert (plain["estimator"], plain["interval"]) == ("counted", "clopper-pearson")
    assert "plain_trials_worth" not in plain
    assert "worth plain" not in told
    path = tmp_path / "x.png"
    found, told = outage(capsys, "--estimator", "stratified", "--plot", str(path))
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert (found["estimator"], found["interval"]) == ("stratified", "stratified clopper-pearson")
    assert "95 % Stratified Clopper-Pearson intervals; 20,000 trials" in told
    assert "worth plain" in told
    assert found["trials"] == 20_000
    assert found["gc_outage"]["best"] == pytest.approx(found["gc_outage_closed_form"], rel=1e-12)
    assert list(found["plain_trials_worth"]) == list(OUTCOMES)
    assert found["plain_trials_worth"]["gc_outage"] is None
    assert found["plain_trials_worth"]["gc_plus_full"] > 1.5
    assert f"{found['plain_trials_worth']['gc_plus_full']:.1f}" in told
    for name in ("gc_plus_full", "row_space_exact", "all_individuals"):
        assert set(found[name]) == {"low", "best", "high"}
        ours, theirs = found[name], plain[name]
        assert ours["high"] - ours["low"] < theirs["high"] - theirs["low"]
        assert abs(ours["best"] - theirs["best"]) < 2.5 * (theirs["high"] - theirs["low"])
    assert found["row_space_outage"]["best"] == pytest.approx(1 - found["row_space_exact"]["best"])


@pytest.mark.slow
def test_a_line_for_each_number_of_stragglers(capsys):
    arguments = "outage --clients 4 --stragglers 2,1,0 --trials 5000 --estimator stratified"
    assert main(arguments.split()) == 0
    assert "Stratified Clopper-Pearson" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_links_that_remember(capsys):
    found, _ = outage(capsys, "--estimator", "stratified", "--memory", ".6")
    assert found["gc_outage"]["best"] == pytest.approx(found["gc_outage_closed_form"], rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("--estimator luck", ["--estimator", "luck", "counted, stratified"]),
        ("--estimator stratified --redraw-code", ["--redraw-code", "--estimator stratified"]),
        ("--estimator stratified --keep-heard", ["--keep-heard", "--estimator stratified"]),
        ("--estimator stratified --interval wilson", ["--interval", "--estimator stratified"]),
        ("--estimator stratified --rare strata", ["--estimator", "--rare strata"]),
        (
            "--estimator stratified --reciprocal",
            ["--estimator stratified", "reciprocal", "2 s < M"],
        ),
        ("--estimator stratified --block-probability .1", ["--estimator", "block_probability"]),
        (
            "--estimator stratified --code fractional-repetition --stragglers 4",
            ["--estimator stratified", "fractional-repetition", "cyclic-mds"],
        ),
    ],
)
def test_one_line(arguments, parts, capsys):
    assert main(["outage", *arguments.split()]) == 2
    assert_one_line(capsys, parts)
