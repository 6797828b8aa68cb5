"""The competitors of the training benchmark compute the same, or their speed means nothing."""

import numpy as np
import pytest
from rich.console import Console

from benchmarks.decode import AnswersDiffer
from benchmarks.training import Runs, against_loops, largest_difference, make_starts
from benchmarks.training_case import Size, make_case, make_script

SIZE = Size(clients=4, hidden=8, local_steps=2, batch_size=8, rounds=5, stragglers=1)


@pytest.fixture(scope="module")
def case():
    return make_case(SIZE)


@pytest.mark.slow
def test_every_program_ends_with_the_same_parameters(case, capsys, monkeypatch) -> None:
    """In a case without a code, whose program compiles fast."""
    starts = make_starts(case, 1)
    ours = Runs(case, ("intermittent",), starts)
    console = Console()
    result = against_loops(case, console, 1, "intermittent", ours, starts)
    assert result["largest_difference"] < 1e-5
    assert set(result["programs"]) >= {"jaxcogc, one program", "loop over clients, jitted steps"}
    assert "the same parameters" in capsys.readouterr().out

    script = make_script(case, "intermittent")._replace(weights=np.zeros((5, 4), np.float32))
    monkeypatch.setattr("benchmarks.training.make_script", lambda *_: script)
    with pytest.raises(AnswersDiffer, match="parameters differ"):
        against_loops(case, console, 1, "intermittent", ours, starts)


def test_largest_difference() -> None:
    one, two = {"a": np.array([1.0, 2.0])}, {"a": np.array([1.0, 2.5])}
    assert largest_difference([one, one]) == 0
    assert largest_difference([one, one, two]) == 0.5
