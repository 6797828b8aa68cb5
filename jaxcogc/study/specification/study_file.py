"""A study file: a grid of points, what to watch, when to stop."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from jaxcogc.study.specification.grid import expand
from jaxcogc.study.specification.point import Point
from jaxcogc.study.specification.sections import check_sections
from jaxcogc.study.specification.stop_rules import StopRule


@dataclasses.dataclass(frozen=True)
class Study:
    """A study that can be collected.

    Attributes:
      name, description: words for titles.
      text: the study file as it was read.
      points: the grid, in the order in which it is collected.
      rule: when a point is done, and the confidence level of every interval.
      skipped: combinations of the grid for which there is no code, in words.
    """

    name: str
    description: str
    text: str
    points: tuple[Point, ...]
    rule: StopRule
    skipped: tuple[str, ...]


def check_shard(study: Study, shard: tuple[int, int]) -> None:
    """Raise ValueError where (I, N) is no part of a study's points."""
    part, parts = shard
    if not 1 <= part <= parts <= len(study.points):
        raise ValueError(
            f"shard = {part}/{parts}: allowed is I/N with I from 1 to N, and N at most the study's "
            f"{len(study.points)} points"
        )


def read_study(path: str | os.PathLike[str], *, client_order: Sequence[int] | None = None) -> Study:
    """Read and check a study file; paths in it are relative to its folder.

    Args:
      path: of the file.
      client_order: for ``network.client_order``, which the file then must not have; the study's
        text has it.

    Raises:
      ValueError: one line that names the file, the key, the value and what is allowed.
    """
    name = os.fspath(path)
    try:
        # A byte-order mark, as some editors put one before every text, means nothing.
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{name}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: is not a TOML file (not UTF-8 text)") from None
    try:
        text = text if client_order is None else _in_order(text, client_order)
        return parse_study(text, folder=Path(path).parent, name=Path(path).stem)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _in_order(text: str, order: Sequence[int]) -> str:
    """A study's text with an order of the clients."""
    if re.search(r"^\s*client_order\s*=", text, re.MULTILINE):
        raise ValueError("client_order beside network.client_order: allowed is one of the two")
    section = re.compile(r"^\s*\[network\].*$", re.MULTILINE)
    found, number = section.subn(rf"\g<0>\nclient_order = {list(order)}", text, count=1)
    if number == 0:
        raise ValueError("client_order: allowed for a study with a section [network]")
    return found


def parse_study(text: str, *, folder: Path = Path(), name: str = "study") -> Study:
    """The study that a TOML text describes (ValueError as in `read_study`).

    >>> study = parse_study('''
    ... [network]
    ... clients = 4
    ... uplink_erasure = [0.1, 0.2]
    ... peer_erasure = 0.1
    ... [code]
    ... stragglers = [1, 2]
    ... [stop]
    ... max_trials = 1e5
    ... ''')
    >>> len(study.points), study.rule.max_blocks
    (4, 7)
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not valid TOML: {error}") from None
    specification = check_sections(found)
    points, skipped = expand(specification, folder)
    words, stop = specification.study, specification.stop
    return Study(
        name=words.name or name,
        description=words.description,
        text=text,
        points=points,
        rule=StopRule(
            stop.outcome,
            stop.max_trials,
            stop.max_events,
            stop.relative_width,
            stop.decide_below,
            stop.budget,
            specification.run.level,
        ),
        skipped=skipped,
    )
