"""The code of every page runs: programs, and what is typed at the command line, on small sizes.

Blocks with ``>>>`` are doctests, which pytest collects from the pages themselves; the program of
`docs/guide/own_model.md` runs in `tests/runs`. A block below a comment `<!-- not run: why -->` is
read to its last option and not run: it needs several hosts, or compiles many programs even at small
sizes (the tests of the verbs run these options).
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from jaxcogc.cli.app import VERBS, app, main
from jaxcogc.study.specification.study_file import parse_study
from tests.places import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
FEW = "--clients 4 --stragglers 1"
TRAINED = "--rounds 2 --seeds 1 --scheme intermittent --model softmax"
"""What makes a command quick: typed after what the page says, of two values the last one counts."""
PROMPT = re.compile(r"(?:host-\w)?\$ (.*)")
OTHERS = {"make", "pip", "python", "source"}
"""Commands that pages show and this test leaves to others."""


class Block(NamedTuple):
    """Code of a page."""

    language: str
    text: str
    runs: bool

    def commands(self) -> Iterator[list[str]]:
        """The words after each prompt, without comments."""
        for line in self.text.splitlines():
            if typed := PROMPT.match(line):
                yield shlex.split(typed[1], comments=True)


def _blocks(page: Path) -> list[Block]:
    found = re.findall(
        r"(<!-- not run: [^>]+ -->\n)?^```(\w+)\n(.*?)^```", page.read_text(), re.DOTALL | re.M
    )
    return [Block(language, text, not note) for note, language, text in found]


def _small(words: list[str]) -> list[str]:
    """What is typed after a command so that it is quick."""
    few = "" if "--network" in words else FEW
    sizes = {
        "outage": f"{few} --trials 1e3",
        "bound": f"{few} --trials 1e3",
        "schemes": f"{few} --scheme gc-plus --trials 1e3",
        "train": f"{few} {TRAINED}",
    }
    return sizes.get(words[0], "").split()


def _name(page: Path) -> str:
    return str(page.relative_to(PROJECT))


TYPED = [page for page in PAGES if any(list(block.commands()) for block in _blocks(page))]


@pytest.mark.parametrize("page", TYPED, ids=_name)
def test_what_is_typed_is_understood(page: Path) -> None:
    """Every option is one of the verb's, and its value is allowed."""
    group, records = typer.main.get_command(app), {v.work.__name__: v.record for v in VERBS}
    for block in _blocks(page):
        for program, *words in block.commands():
            if program != "jaxcogc":
                assert program in OTHERS, program
                continue
            verb, *arguments = words
            if not arguments or "--help" not in arguments:
                context = group.commands[verb].make_context(verb, arguments)  # type: ignore[attr-defined]
                records[verb].read(context.params)


RUN = [page for page in TYPED if any(b.runs and "$ jaxcogc" in b.text for b in _blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=_name)
def test_what_is_typed_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command after the other, in a folder in which the examples lie."""
    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    monkeypatch.chdir(tmp_path)
    for block in _blocks(page):
        for program, *words in block.commands():
            if program == "jaxcogc" and block.runs:
                assert main([*words, *_small(words)]) == 0, capsys.readouterr().err


def test_the_commands_of_every_host_are_read() -> None:
    block = Block("console", "host-a$ jaxcogc outage\nwords\n$ make demo  # once\n", True)
    assert list(block.commands()) == [["jaxcogc", "outage"], ["make", "demo"]]
    cluster = _blocks(PROJECT / "docs" / "guide" / "cluster.md")
    assert sum("--coordinator" in words for b in cluster for words in b.commands()) == 2


STUDIES = [
    pytest.param(block.text, id=_name(page))
    for page in PAGES
    for block in _blocks(page)
    if block.language == "toml"
]


@pytest.mark.parametrize("text", STUDIES)
def test_studies_are_understood(text: str) -> None:
    assert parse_study(text).points


def _own_programs() -> dict[str, str]:
    """The program of the start page, and what the page makes of it next."""
    page = PROJECT / "docs" / "start.md"
    (code,) = [block.text for block in _blocks(page) if block.language == "python"]
    words = " ".join(page.read_text().split())
    said = re.search(
        r"Replace the network by `([^`]+)` .* add `([^`]+)` after the partition, "
        r"take `([^`]+)`, `([^`]+)`",
        words,
    )
    assert said is not None
    network, classes, stragglers, rounds = said.groups()
    unlike = code.replace("Network.homogeneous(6, uplink_erasure=0.4, peer_erasure=0.2)", network)
    unlike = unlike.replace('partition="shards",', f'partition="shards", {classes},')
    unlike = unlike.replace("num_stragglers=3", stragglers).replace("num_rounds=30", rounds)
    return {"links alike": code, "unlike links": unlike}


SMALLER = {
    "links alike": {"num_rounds=30": "num_rounds=6", "(6": "(3", "=3)": "=1)"},
    "unlike links": {
        "num_rounds=100": "num_rounds=6",
        "[0.1, 0.1, 0.3, 0.5, 0.7, 0.9]": "[0.1, 0.5, 0.9]",
        "eye(6)": "eye(3)",
        "=4)": "=1)",
        "classes_per_client=1": "classes_per_client=1",
    },
}
"""What makes a program quick; each change must be there to be made."""


@pytest.mark.slow
@pytest.mark.parametrize("which", SMALLER)
def test_programs_of_ones_own_run(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = _own_programs()[which]
    monkeypatch.chdir(tmp_path)
    for large, small in {"range(8)": "range(3)", "=6": "=3", **SMALLER[which]}.items():
        assert large in code
        code = code.replace(large, small)
    exec(compile(code, "start.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    printed = ["ideal", "intermittent", "intermittent+memory", "gc", "gc_plus"]
    assert [line.split()[0] for line in lines[-5:]] == printed
    assert (tmp_path / "own-run" / "accuracy.png").is_file()


def test_pages_are_short_enough_to_read() -> None:
    for page in PAGES:
        assert len(page.read_text().splitlines()) <= 300, page


def test_every_fence_has_a_language_that_is_known() -> None:
    """A block without one would be run by nobody."""
    known = {"python", "console", "text", "toml", ""}
    for page in PAGES:
        fences = re.findall(r"^```(\S*)", page.read_text(), re.M)
        assert len(fences) % 2 == 0, page
        directives = {fence for fence in fences if fence.startswith("{")}
        assert set(fences) - directives <= known, page
