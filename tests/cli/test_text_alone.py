"""Verbs that print text alone load no library that draws; those that read a store load no JAX."""

import subprocess
import sys
from pathlib import Path

import pytest

from jaxcogc.study.collection.collect import collect
from tests.cli.program import PROJECT
from tests.study.fake import FakeEngine, small_study


def heavy_modules(*arguments: str) -> str:
    """What a verb has loaded of the libraries that are slow to import."""
    code = (
        "import sys; from jaxcogc.cli.app import main; assert main(sys.argv[1:]) == 0; "
        "print(sorted({'jax', 'matplotlib', 'plotly'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT).stderr


@pytest.mark.slow
def test_only_pictures_load_a_library_that_draws(tmp_path: Path) -> None:
    store = str(tmp_path / "s.db")
    collect(small_study("max_trials = 1"), store, engine=FakeEngine(lambda point, block: 7))
    small = ["--clients", "3", "--stragglers", "1", "--attempts", "1", "--trials", "100", "--quiet"]
    assert heavy_modules("show", "--store", store) == "[]\n"
    assert heavy_modules("outage", *small, "--json", "-") == "['jax']\n"
    # The check can fail.
    picture = ["--out", str(tmp_path / "p.png"), "--curves", "stragglers"]
    assert heavy_modules("plot", "--store", store, *picture) == "['matplotlib']\n"
