"""Checked values of a study file: one line that names the key, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from jaxcogc.allowed import MAX_SEED
from jaxcogc.names import FAMILIES
from jaxcogc.study.specification.stop_rules import parse_duration


class Section(BaseModel):
    """A table of the file; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Wrong(ValueError):
    """A value that is not allowed: its place below the key, the value, what is allowed."""

    def __init__(self, place: str, value: Any, allowed: str) -> None:
        super().__init__(allowed)
        self.place, self.value, self.allowed = place, value, allowed


def _checked(convert: Callable[[Any], Any], allowed: str) -> Callable[[Any], Any]:
    """`convert` with every failure told in one form; it returns None for what is not allowed."""

    def check(value: Any) -> Any:
        found = convert(value)
        if found is None:
            raise Wrong("", value, allowed)
        return found

    return check


def _axis(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A value or a list of values, each once: an axis of the grid."""

    def check_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            return (check(value),)
        if not value:
            raise Wrong("", value, "a value, or a list of at least one")
        found = []
        for index, item in enumerate(value):
            try:
                found.append(check(item))
            except Wrong as error:
                raise Wrong(f"[{index}]{error.place}", error.value, error.allowed) from None
            if found[-1] in found[:-1]:
                raise Wrong(f"[{index}]", item, "each value once")
        return tuple(found)

    return check_all


def _number(low: float, high: float, *, open_ends: bool = False) -> Callable[[Any], Any]:
    def convert(value: Any) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        inside = low < value < high if open_ends else low <= value <= high
        return float(value) + 0.0 if inside else None  # -0.0 becomes 0.0: they are one point

    return convert


def _whole(low: int, high: int) -> Callable[[Any], Any]:
    def convert(value: Any) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return int(value) if low <= value <= high and value == int(value) else None

    return convert


def _choice(choices: Iterable[str]) -> Callable[[Any], Any]:
    return lambda value: value if value in choices and isinstance(value, str) else None


def _of(kind: type) -> Callable[[Any], Any]:
    return lambda value: value if type(value) is kind else None


def _duration(value: Any) -> float | None:
    try:
        seconds = parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return seconds or None


def whole(low: int, high: int) -> Callable[[Any], Any]:
    """Check of a whole number in low .. high; 1e6 is one."""
    return _checked(_whole(low, high), f"a whole number from {low} to {high:,}")


def positive(name: str) -> Callable[[Any], Any]:
    """Check of a positive finite number."""
    return _checked(_number(0.0, float("inf"), open_ends=True), name)


def choice(choices: Iterable[str]) -> Callable[[Any], Any]:
    """Check of one of a few words."""
    return _checked(_choice(choices), ", ".join(choices))


probability = _checked(_number(0.0, 1.0), "a probability in [0, 1]")
inside = _checked(_number(0.0, 1.0, open_ends=True), "a number strictly between 0 and 1")

Probabilities = Annotated[tuple[float, ...], BeforeValidator(_axis(probability))]
Inside = Annotated[float, BeforeValidator(inside)]
Positives = Annotated[tuple[float, ...], BeforeValidator(_axis(positive("a positive number")))]
Positive = Annotated[float, BeforeValidator(positive("a positive number"))]
Clients = Annotated[tuple[int, ...], BeforeValidator(_axis(whole(1, 128)))]
Stragglers = Annotated[tuple[int, ...], BeforeValidator(_axis(whole(0, 127)))]
Attempts = Annotated[tuple[int, ...], BeforeValidator(_axis(whole(1, 4096)))]
Families = Annotated[tuple[str, ...], BeforeValidator(_axis(choice(FAMILIES)))]
Switches = Annotated[
    tuple[bool, ...], BeforeValidator(_axis(_checked(_of(bool), "true and false")))
]
Switch = Annotated[bool, BeforeValidator(_checked(_of(bool), "true and false"))]
Texts = Annotated[tuple[str, ...], BeforeValidator(_axis(_checked(_of(str), "a text")))]
Text = Annotated[str, BeforeValidator(_checked(_of(str), "a text"))]
Seeds = Annotated[tuple[int, ...], BeforeValidator(_axis(whole(0, MAX_SEED)))]
Trials = Annotated[int, BeforeValidator(whole(1, 10**13))]
Events = Annotated[int, BeforeValidator(whole(2, 10**13))]
Duration = Annotated[
    float, BeforeValidator(_checked(_duration, "a duration such as 90s, 10m, 1h30m"))
]


def told(error: ValidationError, model: type[BaseModel]) -> str:
    """The first mistake that pydantic found, in one line."""
    mistakes = error.errors(include_url=False)
    unknown = [mistake for mistake in mistakes if mistake["type"] == "extra_forbidden"]
    first = (unknown or mistakes)[0]  # a misspelt key is also missing
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{path} is missing"
    if first["type"] == "extra_forbidden":
        return _unknown(first["loc"], model)
    wrong = first.get("ctx", {}).get("error")
    if isinstance(wrong, Wrong):
        return f"{path}{wrong.place} = {_shown(wrong.value)}: allowed is {wrong.allowed}"
    if first["type"] == "model_type" or "dict" in first["type"]:
        return f"{path} = {_shown(first['input'])}: allowed is a section [{path}]"
    return f"{path} = {_shown(first['input'])}: {first['msg']}"


def _unknown(place: tuple[Any, ...], model: type[BaseModel]) -> str:
    for part in place[:-1]:
        inner = model.model_fields[str(part)].annotation
        options = [kind for kind in getattr(inner, "__args__", [inner]) if isinstance(kind, type)]
        model = next(kind for kind in options if issubclass(kind, BaseModel))
    known = list(model.model_fields)
    near = get_close_matches(str(place[-1]), known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{'.'.join(map(str, place))} is no known key: allowed are {', '.join(known)}{hint}"


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split()) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."
