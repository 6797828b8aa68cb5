"""The sections of a study file, checked: one line names the key, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from jaxcogc import allowed
from jaxcogc.allowed import Allowed, NotAllowed
from jaxcogc.names import EVENTS, FAMILIES

T = TypeVar("T")


class _NotAllowedInList(NotAllowed):
    """An entry of a list is not allowed."""

    def __init__(self, index: int, value: object, words: str) -> None:
        super().__init__(value, words)
        self.index = index


def _axis(entry: Allowed[T]) -> BeforeValidator:
    """A value or a list of values, each once: an axis of the grid."""

    def check(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            return (entry.check(value),)
        if not value:
            raise NotAllowed(value, "a value, or a list of at least one")
        found: list[T] = []
        for index, item in enumerate(value):
            try:
                found.append(entry.check(item))
            except NotAllowed as error:
                raise _NotAllowedInList(index, item, error.allowed) from None
            if found[-1] in found[:-1]:
                raise _NotAllowedInList(index, item, "each value once")
        return tuple(found)

    return BeforeValidator(check)


def _one(kind: Allowed[Any]) -> BeforeValidator:
    return BeforeValidator(kind.check)


_Numbers = Annotated[tuple[float, ...], _axis(allowed.POSITIVE)]
_Probabilities = Annotated[tuple[float, ...], _axis(allowed.PROBABILITY)]
_Correlations = Annotated[tuple[float, ...], _axis(allowed.CORRELATION)]
_Switches = Annotated[tuple[bool, ...], _axis(allowed.SWITCH)]
_Text = Annotated[str, _one(allowed.TEXT)]
_Inside = Annotated[float, _one(allowed.INSIDE)]
_Number = Annotated[float, _one(allowed.POSITIVE)]


def _permutation(value: object) -> list[int] | None:
    if not isinstance(value, list) or any(type(client) is not int for client in value):
        return None
    return value if sorted(value) == list(range(len(value))) else None


CLIENT_ORDER = Allowed("a list of every client once, such as [1, 0, 2]", _permutation)
"""Which client stands at each place of the ring."""


class Section(BaseModel):
    """A table of the file; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StudySection(Section):
    """`[study]`: words for titles."""

    name: _Text = ""
    description: _Text = ""


class NetworkSection(Section):
    """`[network]`: homogeneous networks, files, or positions; every list but positions an axis."""

    clients: Annotated[tuple[int, ...], _axis(allowed.CLIENTS)] | None = None
    uplink_erasure: _Probabilities | None = None
    peer_erasure: _Probabilities | None = None
    files: Annotated[tuple[str, ...], _axis(allowed.TEXT)] | None = None
    positions: list[list[float]] | None = None
    server: list[float] | None = None
    snr_at_reference: _Numbers | None = None
    path_loss_exponent: _Numbers | None = None
    rate: _Numbers | None = None
    reference_distance: _Number = 1.0
    reciprocal: _Switches | None = None
    memory: _Correlations | None = None
    burst_length: Annotated[tuple[float, ...], _axis(allowed.BURST)] | None = None
    good_erasure: _Probabilities | None = None
    bad_erasure: _Probabilities | None = None
    block_probability: _Probabilities | None = None
    client_order: Annotated[list[int], _one(CLIENT_ORDER)] | None = None


class CodeSection(Section):
    """`[code]`: families, cyclic where nothing is said, or files of one's own codes."""

    family: Annotated[tuple[str, ...], _axis(allowed.choice(FAMILIES))] | None = None
    file: Annotated[tuple[str, ...], _axis(allowed.TEXT)] | None = None
    stragglers: Annotated[tuple[int, ...], _axis(allowed.whole(0, allowed.MAX_CLIENTS - 1))] = (0,)


class ProtocolSection(Section):
    """`[protocol]`."""

    attempts: Annotated[tuple[int, ...], _axis(allowed.ATTEMPTS)] = (1,)
    redraw_code: _Switches = (False,)
    keep_heard: _Switches | None = None


class StopSection(Section):
    """`[stop]`: whichever comes first."""

    outcome: Annotated[str, _one(allowed.choice(tuple(EVENTS)))] = "gc_plus_none"
    max_trials: Annotated[int, _one(allowed.TRIALS)]
    max_events: Annotated[int, _one(allowed.whole(2, allowed.MAX_TRIALS))] | None = None
    relative_width: _Number | None = None
    decide_below: _Inside | None = None
    budget: Annotated[float, _one(allowed.DURATION)] | None = None


class RunSection(Section):
    """`[run]`."""

    seed: Annotated[tuple[int, ...], _axis(allowed.SEED)] = (0,)
    level: _Inside = 0.95


class Specification(Section):
    """The whole file."""

    study: StudySection = StudySection()
    network: NetworkSection
    code: CodeSection = CodeSection()
    protocol: ProtocolSection = ProtocolSection()
    stop: StopSection
    run: RunSection = RunSection()


def check_sections(found: Mapping[str, Any]) -> Specification:
    """The sections that a file holds.

    Raises:
      ValueError: one line about the first mistake.
    """
    try:
        return Specification.model_validate(found)
    except ValidationError as error:
        raise ValueError(_first_mistake(error)) from None


def _first_mistake(error: ValidationError) -> str:
    mistakes = error.errors(include_url=False)
    unknown = [mistake for mistake in mistakes if mistake["type"] == "extra_forbidden"]
    first = (unknown or mistakes)[0]  # a misspelt key is also missing
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{path} is missing"
    if first["type"] == "extra_forbidden":
        return _unknown_key(first["loc"])
    reason = first.get("ctx", {}).get("error")
    if isinstance(reason, NotAllowed):
        place = f"[{reason.index}]" if isinstance(reason, _NotAllowedInList) else ""
        return f"{path}{place} = {_shown(reason.value)}: allowed is {reason.allowed}"
    if first["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return f"{path} = {_shown(first['input'])}: allowed is a section [{path}]"
    return f"{path} = {_shown(first['input'])}: {first['msg']}"


def _unknown_key(place: Sequence[int | str]) -> str:
    section = Specification.model_fields[str(place[0])].annotation if len(place) > 1 else None
    inner = section if isinstance(section, type) and issubclass(section, Section) else Specification
    known = list(inner.model_fields)
    near = get_close_matches(str(place[-1]), known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{'.'.join(map(str, place))} is no known key: allowed are {', '.join(known)}{hint}"


def _shown(value: object) -> str:
    text = " ".join(repr(value).split()) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."
