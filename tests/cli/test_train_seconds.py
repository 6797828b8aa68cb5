"""Seconds beside uses, in a run's table and picture."""

import csv
import itertools

import pytest

from jaxcogc.cli.app import main
from tests.cli.program import assert_one_line

RUN = ["train", "--rounds", "3", "--seeds", "2", "--local-steps", "1", "--model", "softmax"]
RUN += ["--clients", "4", "--stragglers", "2", "--evaluate-every", "1", "--quiet"]
RUN += ["--scheme", "gc", "--scheme", "retransmission", "--on-failure", "repeat"]


def test_seconds_add_up_use_by_use(tmp_path):
    seconds = {"compute": 2.0, "peer": 0.25, "uplink": 0.125}
    options = [text for name, t in seconds.items() for text in (f"--{name}-seconds", str(t))]
    assert main([*RUN, *options, "--out", str(tmp_path / "timed")]) == 0
    rows = list(csv.DictReader((tmp_path / "timed" / "metrics.csv").read_text().splitlines()))
    assert len(rows) == 12
    for _, run in itertools.groupby(rows, key=lambda row: (row["scheme"], row["seed"])):
        total = 0.0
        for row in run:
            total += 2.0 + 0.25 * int(row["peer_uses"]) + 0.125 * int(row["uplink_uses"])
            assert float(row["seconds"]) == pytest.approx(total, rel=1e-8)
    assert (tmp_path / "timed" / "accuracy.png").is_file()
    assert "uplink_seconds = 0.125" in (tmp_path / "timed" / "config.toml").read_text()


def test_uplinks_alone_and_nothing_asked(tmp_path):
    assert main([*RUN, "--uplink-seconds", "3", "--out", str(tmp_path / "a")]) == 0
    first = next(csv.DictReader((tmp_path / "a" / "metrics.csv").read_text().splitlines()))
    assert float(first["seconds"]) == 3 * int(first["uplink_uses"])
    assert main([*RUN, "--out", str(tmp_path / "b")]) == 0
    assert "seconds" not in (tmp_path / "b" / "metrics.csv").read_text()
    assert "seconds" not in (tmp_path / "b" / "config.toml").read_text()


@pytest.mark.parametrize("name", ["compute", "peer", "uplink"])
@pytest.mark.parametrize("value", ["-1", "nan", "soon"])
def test_wrong_seconds(capsys, name, value):
    assert main([*RUN, f"--{name}-seconds={value}"]) == 2
    assert_one_line(capsys, [f"--{name}-seconds", value])
