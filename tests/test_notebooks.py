"""The notebooks run from top to bottom, and what they show is short."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from jaxcogc import GradientCode, Network, load_dataset
from jaxcogc.figures import Figure
from jaxcogc.outage.counts import OutcomeCounts, outcomes_from_counts
from tests.places import PROJECT

NOTEBOOKS = sorted((PROJECT / "docs" / "notebooks").glob("*.ipynb"))


def run_cells(path: Path) -> dict[int, Any]:
    """What the last expression of every code cell is, as a kernel would show it."""
    names: dict[str, Any] = {"__name__": "notebook"}
    shown = {}
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # made anew where the documentation is built
            body = ast.parse("".join(cell["source"])).body
            last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), str(path), "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), str(path), "eval"), names)
                shown[number] = value
    return shown


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run_cells(path)
    assert len(shown) >= 3
    for value in shown.values():
        assert hasattr(value, "_repr_html_") or len(repr(value)) < 250
    printed = capsys.readouterr().out
    if path.stem == "training_study":
        assert "[####################] 20 of 20 rounds, 0 s left; loss: ideal " in printed
    else:
        assert "closed form" in printed


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["outage_study", "training_study"]


def test_short_words_for_large_things() -> None:
    code = GradientCode.from_matrix([[1, 0], [0, 1]])
    assert repr(code) == "GradientCode(custom, 2 clients, s = 0)"
    network = Network.homogeneous(100, uplink_erasure=0.1, peer_erasure=0.25, reciprocal=True)
    told = "100 clients, uplink erasure 0.1, peer erasure 0.25, reciprocal"
    assert repr(network) == f"Network({told})"
    assert repr(load_dataset("digits")).startswith("Dataset('digits': ")
    assert len(repr(load_dataset("digits"))) < 80


def test_outcomes_as_a_table() -> None:
    outcomes = outcomes_from_counts(OutcomeCounts.zero(2)._replace(trials=4, gc=3))
    table = outcomes.to_pandas()
    assert table.loc["gc_outage", "best"] == 0.25
    assert table.loc["gc_outage", "low"] < 0.25 < table.loc["gc_outage", "high"]
    assert set(table["method"]) == {"clopper-pearson"}
    page = outcomes._repr_html_()
    assert "<table" in page
    assert "4 trials" in page


def test_a_notebook_shows_a_figure_without_pyplot() -> None:
    picture, size = Figure(figsize=(2, 1))._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert size == {"width": 144, "height": 72}
