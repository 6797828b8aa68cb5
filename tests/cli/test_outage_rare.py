"""`jaxcogc outage --rare`: what it prints, and what it refuses."""

import json

import pytest

from jaxcogc.cli.app import main
from jaxcogc.names import OUTCOMES
from tests.cli.program import assert_one_line

SMALL = "outage --clients 4 --uplink-erasure 1e-3 --peer-erasure 1e-3 --stragglers 2 --attempts 1"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["importance", "strata"])
def test_json_table_and_picture(method, capsys, tmp_path):
    picture = tmp_path / "rare.png"
    asked = ["--trials", "2e4", "--rare", method, "--json", "-", "--plot", str(picture)]
    asked += ["--csv", str(tmp_path / "rare.csv")]
    assert main([*SMALL.split(), *asked]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["method"] == method
    assert found["interval"] == "normal"
    assert (found["tail_bound"] is None) == (method == "importance")
    law = found["gc_outage_closed_form"]
    assert found["gc_outage"]["best"] == pytest.approx(law, rel=0.1)
    for name in OUTCOMES:
        assert {"low", "best", "high", "effective_sample_size", "flagged"} == set(found[name])
    assert found["flagged"] == any(found[name]["flagged"] for name in OUTCOMES)
    sizes = [found[name]["effective_sample_size"] for name in OUTCOMES]
    if method == "importance":
        assert found["effective_sample_size"] == min(sizes)
        assert found["trials"] == 20_000
    else:
        assert found["effective_sample_size"] is None  # every stratum was enumerated
        assert found["trials"] == 0
    assert len(found["num_recovered_pmf"]) == 5
    table = (tmp_path / "rare.csv").read_text().splitlines()
    assert len(table) == 2
    assert "gc_outage_effective_sample_size" in table[0]
    assert "row_space_none" in err
    assert "1.074e-07" in err


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--memory .6", "--keep-heard --block-probability 1e-6"])
def test_importance_on_links_in_time(how, capsys):
    command = SMALL.replace("attempts 1", "attempts 2").replace("1e-3", "1e-4")
    command += f" --trials 2e4 --rare importance --json - {how}"
    assert main(command.split()) == 0
    found = json.loads(capsys.readouterr().out)
    law = found["gc_outage_closed_form"]
    assert 0 < law < 1e-5
    assert found["gc_outage"]["best"] == pytest.approx(law, rel=0.15)
    assert not found["gc_outage"]["flagged"]
    success = found["row_space_exact"]
    assert found["row_space_outage"]["best"] == pytest.approx(1 - success["best"], rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("--rare luck", ["--rare", "luck", "importance, strata"]),
        ("--rare strata --interval wilson", ["--interval", "--rare strata"]),
        ("--rare strata --tile 64", ["--tile", "--rare"]),
        ("--rare strata --kernel xla", ["--kernel", "--rare"]),
        ("--rare strata --distributed", ["--distributed", "--rare"]),
        ("--rare importance --stragglers 1,2", ["--stragglers", "1,2", "--rare"]),
    ],
)
def test_one_line(arguments, parts, capsys):
    assert main(["outage", *arguments.split()]) == 2
    assert_one_line(capsys, parts)
