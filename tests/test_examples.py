"""The examples run, and leave what they say."""

import ast
import csv
import json
import runpy
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxcogc
from tests.places import PROJECT

EXAMPLES = PROJECT / "examples"


@pytest.fixture(autouse=True)
def _examples_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_pictures_are_written_after_their_layout(path: Path) -> None:
    """`new_figure` lays out where its block ends: before, labels lie on each other."""
    for block in ast.walk(ast.parse(path.read_text())):
        if isinstance(block, ast.With) and "new_figure(" in ast.unparse(block.items[0]):
            assert not any("leave_picture(" in ast.unparse(line) for line in block.body)


def test_shipped_hall_is_what_the_script_makes() -> None:
    import hall_network

    shipped: dict[str, Any] = json.loads(hall_network.SHIPPED.read_text())
    made: dict[str, Any] = json.loads(hall_network.network_file())
    assert shipped.keys() == made.keys()
    for name, value in made.items():
        if isinstance(value, list):
            np.testing.assert_allclose(shipped[name], value, rtol=1e-12)
        else:
            assert shipped[name] == value
    network = jaxcogc.Network.from_json(hall_network.SHIPPED)
    assert network.num_clients == 12
    positions = np.array(shipped["positions_metres"])
    assert np.all((positions >= 0) & (positions <= shipped["hall_metres"]))
    assert 0.01 < network.uplink_erasure.min() < network.uplink_erasure.max() < 0.7
    assert 0.4 < network.peer_erasure.max() < 0.6


@pytest.mark.slow
def test_demo_ends_with_a_line_for_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of `make demo`, on small networks and with few trials."""
    import bursts
    import demo
    import digits_over_bad_links
    import outage_curves
    import outage_table

    network = tmp_path / "three.json"
    jaxcogc.Network.homogeneous(3, uplink_erasure=0.3, peer_erasure=0.1).to_json(network)
    folder = tmp_path / "results" / "demo"
    monkeypatch.setattr(demo, "PROJECT", tmp_path)
    monkeypatch.setattr(demo, "FOLDER", folder)
    monkeypatch.setattr(demo, "SHIPPED", network)
    monkeypatch.setattr(demo, "MEASURED", tmp_path / "not-there.json")
    monkeypatch.setattr(bursts, "NUM_ROUNDS", 50)
    monkeypatch.setattr(outage_table, "NUM_TRIALS", 2000)
    monkeypatch.setattr(outage_curves, "NUM_TRIALS", 2000)
    monkeypatch.setattr(outage_curves, "NUM_CLIENTS", 3)
    monkeypatch.setattr(outage_curves, "NUM_STRAGGLERS", 1)
    monkeypatch.setattr(digits_over_bad_links, "NUM_CLIENTS", 3)
    monkeypatch.setattr(digits_over_bad_links, "NUM_STRAGGLERS", 1)
    monkeypatch.setattr(digits_over_bad_links, "NUM_ATTEMPTS", 1)
    monkeypatch.setattr(digits_over_bad_links, "NUM_ROUNDS", 6)
    monkeypatch.setattr(digits_over_bad_links, "SEEDS", (0, 1))
    demo.main()
    lines = capsys.readouterr().out.split("What each file shows:\n")[1].splitlines()
    made = sorted(folder.iterdir())
    assert sorted(line.split()[0] for line in lines) == [f"results/demo/{p.name}" for p in made]
    assert {path.suffix for path in made} == {".csv", ".png"}

    with (folder / "outage-curves.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 38
    assert [float(row["peer_erasure"]) for row in rows[::18][:2]] == [0.0, 0.9]
    inside = [
        float(row["gc_outage_low"]) <= float(row["gc_outage_closed_form"])
        and float(row["gc_outage_closed_form"]) <= float(row["gc_outage_high"])
        for row in rows
    ]
    # Points share their random numbers, so that they miss together: no sharp test here.
    assert np.mean(inside) > 0.5
    with (folder / "three.csv").open() as stream:
        assert [(row["stragglers"], row["attempts"]) for row in csv.DictReader(stream)] == [
            ("1", "1"),
            ("1", "2"),
        ]


@pytest.mark.slow
def test_bursts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted lengths of runs follow the law; accuracy is there for either memory."""
    import bursts

    for memory in bursts.MEMORIES:
        lengths = bursts.run_lengths(bursts.held_rounds(memory))
        dynamics = jaxcogc.LinkDynamics(memory=memory)
        code = jaxcogc.cyclic_code(jax.random.key(0), 10, 7)
        law = jaxcogc.outage.successive_rounds(bursts.NETWORK, code, dynamics=dynamics)
        assert lengths.mean() == pytest.approx(law.mean_hold_run, rel=0.05)
    monkeypatch.setattr(bursts, "TRAINED_ROUNDS", 8)
    monkeypatch.setattr(bursts, "SEEDS", (0, 1))
    files = bursts.learning(tmp_path)
    assert all(path.stat().st_size > 100 for path, _ in files)
    with files[0][0].open() as stream:
        assert {row["memory"] for row in csv.DictReader(stream)} == {"0.0", "0.95"}


@pytest.mark.slow
def test_keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first case's laws are those of the documentation; keeping never adds to gc's outages."""
    import keeping

    monkeypatch.setattr(keeping, "NUM_TRIALS", 4096)
    monkeypatch.setattr(keeping, "CASES", (keeping.Case(10, 7, 2, 0.4, 0.25),))
    ((table, _),) = keeping.keeping(tmp_path)
    with table.open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["gc_outage"]) == pytest.approx(0.8103, abs=1e-4)
    assert float(row["gc_outage_kept"]) == pytest.approx(0.1459, abs=1e-4)
    assert float(row["row_space_outage"]) == pytest.approx(0.1124, abs=0.03)
    assert float(row["row_space_outage_kept"]) == pytest.approx(0.0435, abs=0.02)


@pytest.mark.slow
def test_first_steps(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "first_steps.py"), run_name="__main__")
    out = capsys.readouterr().out
    for words in ("rows that arrived", "outage of standard decoding", "row_space_exact", "exactly"):
        assert words in out


@pytest.mark.slow
def test_round_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    import round_by_hand

    round_by_hand.main()
    lines = capsys.readouterr().out.splitlines()
    accuracy = {line.split()[0]: float(line.split()[2]) for line in lines}
    assert list(accuracy) == ["ideal", "intermittent", "gc", "gc_plus", "row_space"]
    assert min(accuracy.values()) > 0.85


@pytest.mark.slow
def test_schemes_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    import schemes_by_hand

    schemes_by_hand.main()
    lines = capsys.readouterr().out.splitlines()
    accuracy = {line.split()[0]: float(line.split()[2]) for line in lines}
    assert len(accuracy) == 6
    assert min(accuracy.values()) > 0.5


@pytest.mark.slow
def test_own_scheme(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import digits_over_bad_links
    import own_scheme

    for name, value in {"NUM_CLIENTS": 3, "NUM_STRAGGLERS": 1, "SEEDS": (0,)}.items():
        monkeypatch.setattr(digits_over_bad_links, name, value)
    monkeypatch.setattr(own_scheme, "NUM_ROUNDS", 4)
    own_scheme.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("making_up")
    assert len(lines) == 4


@pytest.mark.slow
def test_structure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import structure

    settings = {"NUM_CLIENTS": 3, "NUM_STRAGGLERS": 1, "ERASURES": (0.1, 0.3, 0.5, 0.7)}
    for name, value in {**settings, "ATTEMPTS": (1, 2), "NUM_TRIALS": 200}.items():
        monkeypatch.setattr(structure, name, value)
    files = structure.structure_picture(tmp_path)
    assert [path.name for path, _ in files] == ["structure.png", "structure.csv"]
    with files[1][0].open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4 * 2 * 2
    assert float(rows[0]["mean_rank"]) > float(rows[-1]["mean_rank"])


@pytest.mark.slow
def test_bound_beside_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import bound_beside_training

    settings = {"NUM_CLIENTS": 3, "NUM_STRAGGLERS": 1, "NUM_ROUNDS": 5, "NUM_DRAWN": 500}
    schemes = ("ideal", "intermittent")  # without a code: a short compilation
    for name, value in {**settings, "SEEDS": (0,), "SCHEMES": schemes}.items():
        monkeypatch.setattr(bound_beside_training, name, value)
    [(picture, _)] = bound_beside_training.bound_picture(tmp_path)
    assert picture.stat().st_size > 0
    assert tuple(line.split()[0] for line in capsys.readouterr().out.splitlines()) == schemes


@pytest.mark.slow
def test_payload_errors() -> None:
    import payload_errors

    lines = payload_errors.error_table([jaxcogc.cyclic_code(payload_errors.KEY, 8, 3)])
    assert len(lines) == 3
    assert lines[2].startswith("| cyclic | 8, 3 |")


@pytest.mark.slow
def test_all_schemes_leave_two_tables_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few schemes and rounds of the study of all of them."""
    import schemes_on_digits

    monkeypatch.setattr(schemes_on_digits, "SCHEMES", ("ideal", "intermittent"))
    monkeypatch.setattr(schemes_on_digits, "FEWEST", ())
    monkeypatch.setattr(schemes_on_digits, "ROUNDS", 8)
    monkeypatch.setattr(schemes_on_digits, "SEEDS", (0, 1))
    files = [path for path, _ in schemes_on_digits.schemes_on_digits(tmp_path)]
    assert all(path.stat().st_size for path in files)
    with files[0].open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["scheme"] == "ideal"]
    assert [(int(row["round"]), float(row["uses"])) for row in rows] == [(4, 40.0), (8, 80.0)]
    assert float(rows[-1]["seconds"]) == pytest.approx(8 * (1 + 10 * 0.1))
