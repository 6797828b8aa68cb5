"""`jaxcogc schemes`: its object, its picture, its mistakes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxcogc import Network, colrel_variance, colrel_weights
from jaxcogc.cli.app import main
from jaxcogc.names import SCHEMES
from tests.cli.program import assert_one_line
from tests.places import PROJECT

SMALL = ["schemes", "--clients", "3", "--stragglers", "1", "--attempts", "1"]


@pytest.mark.slow
def test_one_row_a_scheme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, lines, plot = (tmp_path / name for name in ("x.json", "x.csv", "x.png"))
    outputs = ["--json", str(target), "--csv", str(lines), "--plot", str(plot)]
    assert main([*SMALL, *outputs]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "colrel" in err
    fields = json.loads(target.read_text())
    assert tuple(fields["schemes"]) == SCHEMES
    rows = fields["schemes"]
    network = Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.25)
    law = colrel_variance(network, colrel_weights(network))
    assert rows["colrel"]["error_alike"]["best"] == pytest.approx(law.total / 9)
    assert rows["implicit_gossip"]["error_alike"] is None
    assert rows["gc"]["leak_bits"] is None  # nothing hides what it shows
    assert 0 < rows["secure_gc"]["leak_bits"] < 0.1
    assert rows["gc_plus_unbiased"]["largest_inverse_probability"] > 1
    assert fields["left_out"] == {}
    table = pd.read_csv(lines, index_col="scheme")
    assert tuple(table.index) == SCHEMES
    assert table.error_alike_best["colrel"] == rows["colrel"]["error_alike"]["best"]
    assert np.isnan(table.error_alike_best["implicit_gossip"])
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_what_does_not_fit_is_left_out_of_all(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    dead = tmp_path / "dead.json"
    links = {"uplink_erasure": [0, 1, 1], "peer_erasure": [[0, 1, 1], [1, 0, 1], [1, 1, 0]]}
    dead.write_text(json.dumps(links))
    arguments = ["schemes", "--network", str(dead), "--stragglers", "1", "--attempts", "1"]
    assert main([*arguments, "--json", str(target), "--quiet"]) == 0
    fields = json.loads(target.read_text())
    assert "client 1 has no relay" in fields["left_out"]["colrel"]
    assert "colrel" not in fields["schemes"]
    assert fields["schemes"]["gc_plus_unbiased"]["largest_inverse_probability"] is None
    assert fields["schemes"]["gc"]["hold"] == 1


@pytest.mark.slow
def test_masks_over_the_field_show_nothing_beyond_the_sum(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    names = ["--scheme", "secure-gc", "--scheme", "secure-row-space", "--scheme", "gc"]
    assert main([*SMALL, *names, "--masks", "field", "--json", str(target), "--quiet"]) == 0
    fields = json.loads(target.read_text())
    assert (fields["masks"], fields["mask_ratio"]) == ("field", None)
    assert [row["leak_bits"] for row in fields["schemes"].values()] == [0, 0, None]
    assert fields["schemes"]["secure_gc"]["dimensions"] > 0


MISTAKES = [
    ("--scheme gcplus", ["--scheme", "gcplus", "did you mean 'gc-plus'?"]),
    ("--scheme gc --scheme gc", ["--scheme", "gc", "once"]),
    ("--min-recovered 11", ["--min-recovered", "11", "at most 10"]),
    ("--relay-window 10", ["--relay-window", "10", "at most 9"]),
    ("--scheme colrel --keep-heard", ["--scheme colrel", "--keep-heard"]),
    ("--scheme colrel --block-probability .1", ["--scheme colrel", "blocked"]),
    ("--scheme colrel --uplink-erasure 1", ["--scheme colrel", "client 0", "no relay"]),
    ("--mask-ratio -1", ["--mask-ratio", "-1", "at least 0"]),
    ("--mask-ratio 3 --scheme gc", ["--mask-ratio", "3", "nothing without a secure scheme"]),
    ("--relay-window 2 --scheme gc", ["--relay-window", "2", "nothing without --scheme colrel"]),
    ("--relay-objective trace --scheme gc", ["--relay-objective", "trace", "--scheme colrel"]),
    ("--scheme secure-least-squares", ["secure-least-squares", "keeps masks", "secure-row-space"]),
    ("--scheme gc+memory", ["--scheme gc+memory", "gc-plus+memory"]),
    ("--masks fields", ["--masks", "did you mean 'field'?"]),
    ("--masks field --mask-ratio 5", ["--mask-ratio", "nothing with --masks field"]),
    ("--masks field --scheme gc", ["--masks", "nothing without a secure scheme"]),
    ("--trials 0", ["--trials", "0", "from 1"]),
    ("--json no/such/folder/x.json", ["--json", "existing folder"]),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_mistakes_are_one_line(
    text: str, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    assert main(["schemes", *text.split()]) == 2
    assert_one_line(capsys, words)
