"""`jaxcogc doctor`: all is well here, and what is not well is seen."""

import json
import subprocess

import pytest

from jaxcogc.cli.app import main
from jaxcogc.outage.simulation import self_check as selfcheck


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(selfcheck, "_SPEED_SECONDS", 0.1)


@pytest.mark.slow
def test_all_is_well(quick, capsys):
    assert main(["doctor", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    verdicts = {check["name"]: check["ok"] for check in found["checks"]}
    assert [name for name, ok in verdicts.items() if ok] == [
        "erasure 0",
        "erasure 1",
        "closed form",
        "determinism",
    ]


@pytest.mark.slow
def test_a_wrong_engine_is_seen(quick, monkeypatch, capsys):
    """Links a little worse than asked for: the control by the closed form fails."""
    network = selfcheck._network
    monkeypatch.setattr(selfcheck, "_network", lambda p: network(min(1.0, p * 1.03)))
    law = selfcheck.gc_outage_probability
    monkeypatch.setattr(
        selfcheck, "gc_outage_probability", lambda _, *rest: law(network(0.3), *rest)
    )
    there = json.dumps({"devices": 4, "digest": "0123456789abcdef"})
    other = subprocess.CompletedProcess([], 0, stdout=there, stderr="")
    monkeypatch.setattr(selfcheck.subprocess, "run", lambda *_, **__: other)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "FAIL closed form" in out
    assert "FAIL determinism" in out
    assert "ok   erasure 0" in out
