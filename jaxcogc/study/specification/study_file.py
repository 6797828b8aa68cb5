"""A study file: a grid of points, what to watch, when to stop."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jaxcogc.names import OUTCOMES
from jaxcogc.study.specification import fields
from jaxcogc.study.specification.fields import Section, told
from jaxcogc.study.specification.points import Point, expand
from jaxcogc.study.specification.stop_rules import StopRule


class StudySection(Section):
    """`[study]`: words for titles."""

    name: fields.Text = ""
    description: fields.Text = ""


class NetworkSection(Section):
    """`[network]`: homogeneous networks, files, or positions; every list but positions an axis."""

    clients: fields.Clients | None = None
    uplink_erasure: fields.Probabilities | None = None
    peer_erasure: fields.Probabilities | None = None
    files: fields.Texts | None = None
    positions: list[list[float]] | None = None
    server: list[float] | None = None
    snr_at_reference: fields.Positives | None = None
    path_loss_exponent: fields.Positives | None = None
    rate: fields.Positives | None = None
    reference_distance: fields.Positive = 1.0
    reciprocal: fields.Switches = (False,)


class CodeSection(Section):
    """`[code]`."""

    family: fields.Families = ("cyclic",)
    stragglers: fields.Stragglers = (0,)


class ProtocolSection(Section):
    """`[protocol]`."""

    attempts: fields.Attempts = (1,)
    redraw_code: fields.Switches = (False,)


class StopSection(Section):
    """`[stop]`: whichever comes first."""

    outcome: str = "gc_plus_none"
    max_trials: fields.Trials
    max_events: fields.Events | None = None
    relative_width: fields.Positive | None = None
    decide_below: fields.Inside | None = None
    budget: fields.Duration | None = None


class RunSection(Section):
    """`[run]`."""

    seed: fields.Seeds = (0,)
    level: fields.Inside = 0.95


class Specification(Section):
    """The whole file."""

    study: StudySection = StudySection()
    network: NetworkSection
    code: CodeSection = CodeSection()
    protocol: ProtocolSection = ProtocolSection()
    stop: StopSection
    run: RunSection = RunSection()


@dataclasses.dataclass(frozen=True)
class Study:
    """A study that can be collected.

    Attributes:
      name, description: words for titles.
      text: the study file as it was read.
      points: the grid, in the order in which it is collected.
      rule: when a point is done.
      level: confidence level of every interval.
      skipped: combinations of the grid for which there is no code, in words.
    """

    name: str
    description: str
    text: str
    points: tuple[Point, ...]
    rule: StopRule
    level: float
    skipped: tuple[str, ...]


def read_study(path: str | os.PathLike[str]) -> Study:
    """Read and check a study file; paths in it are relative to its folder.

    Raises:
      ValueError: one line that names the file, the key, the value and what is allowed.
    """
    name = os.fspath(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{name}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: is not a TOML file (not UTF-8 text)") from None
    try:
        return parse_study(text, folder=Path(path).parent, name=Path(path).stem)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


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
    try:
        specification = Specification.model_validate(found)
    except ValidationError as error:
        raise ValueError(told(error, Specification)) from None
    return _study(specification, text, folder, name)


def _study(specification: Specification, text: str, folder: Path, name: str) -> Study:
    stop = specification.stop
    if stop.outcome not in OUTCOMES:
        raise ValueError(f"stop.outcome = {stop.outcome!r}: allowed is {', '.join(OUTCOMES)}")
    points, skipped = expand(specification, folder)
    words = specification.study
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
        ),
        level=specification.run.level,
        skipped=skipped,
    )


def study_values(study: Study) -> dict[str, Any]:
    """The rule and level of a study as plain values, for the store."""
    return {**study.rule._asdict(), "level": study.level}
