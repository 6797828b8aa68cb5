"""Schemes that remember: what the server knows of clients, or their own models, is resumed too."""

from pathlib import Path

import pytest

from jaxcogc.cli.app import main

SMALL = "train --clients 3 --stragglers 1 --attempts 1 --uplink-erasure 0.5 --model softmax"
SMALL += " --local-steps 1 --batch-size 8 --seeds 1 --evaluate-every 4 --quiet"
for _name in ("gc-plus+memory", "implicit-gossip"):
    SMALL += f" --scheme {_name}"


@pytest.mark.slow
def test_a_run_that_goes_on_remembers(tmp_path: Path) -> None:
    """Bit for bit the run in one go; a run that forgot would differ from its ninth round on."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main([*SMALL.split(), "--rounds", "16", "--out", str(whole)]) == 0
    assert main([*SMALL.split(), "--rounds", "8", "--out", str(parts)]) == 0
    assert main(["train", "--out", str(parts), "--resume", "--rounds", "16", "--quiet"]) == 0
    metrics = [(folder / "metrics.csv").read_bytes() for folder in (whole, parts)]
    assert metrics[0] == metrics[1]
