"""`jaxcogc outage` when all goes well."""

import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxcogc
from jaxcogc.cli.app import main
from jaxcogc.names import EVENTS, OUTAGES
from jaxcogc.runtime.random_words import seed_keys
from tests.cli.program import run_program

SMALL = ["outage", "--clients", "4", "--stragglers", "2", "--trials", "3000"]
KEYS = [
    "clients",
    "uplink_erasure",
    "peer_erasure",
    "reciprocal",
    "stragglers",
    "code",
    "attempts",
    "redraw_code",
    "keep_heard",
    "trials",
    "seed",
    "level",
    "interval",
    "memory",
    "burst_length",
    "round_memory",
    "good_erasure",
    "bad_erasure",
    "block_probability",
    "block_memory",
    "estimator",
    "device",
    "elapsed_seconds",
    "compile_seconds",
    "trials_per_second",
    "interrupted",
    "gc_outage",
    "gc_plus_outage",
    "row_space_outage",
    "gc_plus_full",
    "gc_plus_partial",
    "gc_plus_none",
    "row_space_exact",
    "row_space_partial",
    "row_space_none",
    "all_individuals",
    "gc_outage_closed_form",
    "gc_plus_outage_closed_form",
    "row_space_outage_closed_form",
    "gc_plus_full_closed_form",
    "gc_plus_none_closed_form",
    "row_space_exact_closed_form",
    "all_individuals_closed_form",
    "client_recovered_closed_form",
    "gc_outage_two_rounds",
    "mean_hold_run",
    "failure_correlation",
    "mean_rank",
    "num_recovered_pmf",
    "client_recovered",
    "gc_plus_weight",
    "row_space_weight",
]
PICTURE_STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def _outage(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*SMALL, *arguments, "--json", "-", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_json_holds_exactly_what_is_promised(capsys: pytest.CaptureFixture[str]) -> None:
    result = _outage(capsys)
    assert list(result) == ["version", "command", "files_sha256", *KEYS]
    assert (result["clients"], result["stragglers"], result["attempts"]) == (4, 2, 2)
    assert (result["code"], result["redraw_code"], result["interrupted"]) == (
        "cyclic",
        False,
        False,
    )
    assert (result["trials"], result["seed"]) == (3000, 0)
    assert (result["level"], result["interval"]) == (0.95, "clopper-pearson")
    for name in KEYS[KEYS.index("gc_outage") : KEYS.index("gc_outage_closed_form")]:
        assert set(result[name]) == {"low", "best", "high"}
        assert 0 <= result[name]["low"] <= result[name]["best"] <= result[name]["high"] <= 1
    assert 0 < result["compile_seconds"] < result["elapsed_seconds"]
    assert result["trials_per_second"] > 0
    assert isinstance(result["device"], str)
    assert len(result["num_recovered_pmf"]) == 5
    assert len(result["client_recovered"]) == 4
    assert math.isclose(sum(result["num_recovered_pmf"]), 1)
    for decoder in ("gc_plus", "row_space"):
        parts = ("full" if decoder == "gc_plus" else "exact", "partial", "none")
        assert math.isclose(sum(result[f"{decoder}_{part}"]["best"] for part in parts), 1)
        assert math.isclose(sum(result[f"{decoder}_weight"]), 1 - result[f"{decoder}_none"]["best"])


def test_the_verb_counts_what_the_library_counts(capsys: pytest.CaptureFixture[str]) -> None:
    result = _outage(capsys, "--seed", "5")
    code_key, trial_key = seed_keys(5)
    network = jaxcogc.Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.25)
    code = jaxcogc.cyclic_code(code_key, 4, 2)
    expected = jaxcogc.simulate_outcomes(trial_key, network, code, num_trials=3000, num_attempts=2)
    assert result["gc_outage"]["best"] == expected.gc_outage
    assert result["row_space_partial"]["high"] == expected.row_space_partial.high
    assert result["mean_rank"] == expected.mean_rank
    assert result["client_recovered"] == expected.client_recovered.tolist()
    law = jaxcogc.gc_outage_probability(network, 2, 2)
    assert result["gc_outage_closed_form"] == pytest.approx(float(law), rel=1e-12)
    assert result["row_space_exact_closed_form"] is None


@pytest.mark.slow
def test_one_straggler_has_more_laws(capsys: pytest.CaptureFixture[str]) -> None:
    result = _outage(capsys, "--stragglers", "1", "--reciprocal")
    for name in (*OUTAGES, "gc_plus_full", "gc_plus_none", "row_space_exact", "all_individuals"):
        estimate = result[name]
        assert estimate["low"] < result[f"{name}_closed_form"] < estimate["high"]
    laws = result["client_recovered_closed_form"]
    assert laws == pytest.approx(result["client_recovered"], abs=0.04)
    assert len(laws) == 4


def test_counts_in_every_notation(capsys: pytest.CaptureFixture[str]) -> None:
    assert _outage(capsys, "--trials", "3e3")["trials"] == 3000
    assert _outage(capsys, "--trials", "1_234")["trials"] == 1234


@pytest.mark.slow
def test_options_change_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert _outage(capsys, "--interval", "wilson", "--level", "0.5")["interval"] == "wilson"
    redrawn = _outage(capsys, "--redraw-code")
    assert redrawn["redraw_code"] is True
    assert _outage(capsys, "--reciprocal")["gc_outage_closed_form"] is None
    uncoded = main(
        ["outage", "--clients", "4", "--code", "uncoded", "--trials", "500", "--json", "-"]
    )
    assert uncoded == 0
    assert json.loads(capsys.readouterr().out)["stragglers"] == 0


def test_network_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "network.json"
    network = jaxcogc.Network(np.zeros(4), np.zeros((4, 4)))
    network.to_json(path)
    for extra in ([], ["--clients", "4"]):
        arguments = ["--network", str(path), "--stragglers", "1", "--trials", "100", *extra]
        assert main(["outage", *arguments, "--json", "-"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["clients"] == 4
        assert result["gc_outage"]["best"] == 0  # nothing is ever lost


def test_table_and_progress_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    for name in EVENTS:
        assert name in err
    assert f"{result['gc_outage']['best']:.5f}" in err
    assert f"{result['gc_outage_closed_form']:.5f}" in err
    for words in ("95 % Clopper-Pearson", "3,000 trials", "seed 0", "compiled in", "trials/s"):
        assert words in err


def test_several_stragglers_make_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "sweep.png"
    arguments = ["--stragglers", "0,1,3", "--plot", str(picture)]
    assert main([*SMALL, *arguments]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("compiled in") == 1
    rows = [line for line in err.splitlines() if line.startswith(("│ 0 ", "│ 1 ", "│ 3 "))]
    assert len(rows) == 3
    assert picture.read_bytes().startswith(PICTURE_STARTS["png"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", PICTURE_STARTS)
def test_plot_by_suffix(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / f"out.{kind}"
    assert main([*SMALL, "--plot", str(picture), "--quiet"]) == 0
    assert picture.read_bytes().startswith(PICTURE_STARTS[kind])
    assert [path.name for path in tmp_path.iterdir()] == [picture.name]
    assert capsys.readouterr() == ("", "")


def test_json_file_replaces_an_older_one(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    assert main([*SMALL, "--json", str(target), "--quiet"]) == 0
    assert json.loads(target.read_text())["trials"] == 3000
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"jaxcogc {jaxcogc.__version__}\n"
    assert main([]) == main(["--help"]) == 0
    assert "outage" in capsys.readouterr().out
    assert main(["outage", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for default in ("10", "0.4", "0.25", "cyclic", "7", "2", "1e6", "0", "0.95"):
        assert f"[default: {default}]" in text


@pytest.mark.slow
def test_same_numbers_in_64_bit_mode(capsys: pytest.CaptureFixture[str]) -> None:
    other_mode = "0" if jax.config.jax_enable_x64 else "1"
    here = _outage(capsys, "--seed", "4294967295")
    run = run_program(
        *SMALL, "--seed", "4294967295", "--json", "-", "--quiet", JAX_ENABLE_X64=other_mode
    )
    assert run.returncode == 0, run.stderr
    there = json.loads(run.stdout)
    measured = ("device", "elapsed_seconds", "compile_seconds", "trials_per_second")
    assert {k: v for k, v in there.items() if k not in measured} == {
        k: v for k, v in here.items() if k not in measured
    }


def test_seed_keys_do_not_depend_on_64_bit_mode() -> None:
    narrow = [jax.random.key_data(key).tolist() for key in seed_keys(2**32 - 1)]
    with jax.enable_x64(True):
        wide = [jax.random.key_data(key).tolist() for key in seed_keys(2**32 - 1)]
    assert narrow == wide
