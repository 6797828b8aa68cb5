"""Public signatures keep their word: types and shapes are checked while the tests run.

A function that `__init__.pyi` of one of `ROOMS` lists, or a method of a class it lists, is wrapped
when its module is imported. After every call its arguments and its result must be what the
annotations say: beartype looks at the types, jaxtyping at dtypes and shapes, where a dimension
("clients") has one length throughout the call. Of a named tuple or dataclass the fields are looked
at too. A call that raises has refused its arguments itself: nothing is checked then.
"""

from __future__ import annotations

import ast
import functools
import importlib.abc
import importlib.machinery
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from beartype.door import die_if_unbearable
from beartype.roar import BeartypeDoorHintViolation
from jaxtyping import TypeCheckError, jaxtyped

ROOMS = ("links", "coding", "outage", "federated", "design", "training", "study", "runs")
PACKAGE = Path(__file__).resolve().parent.parent / "jaxcogc"


def check_public_signatures() -> None:
    """From now on, wrap what is public in modules of the rooms as they are imported."""
    sys.meta_path.insert(0, _Finder())


def public_names() -> dict[str, list[str]]:
    """Of every module of the rooms, the names that the room's stub lists."""
    found: dict[str, list[str]] = {}
    for room in ROOMS:
        for node in ast.parse((PACKAGE / room / "__init__.pyi").read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [alias.name for alias in node.names]
                found.setdefault(f"jaxcogc.{room}.{node.module}", []).extend(names)
    return found


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the rooms as Python does; they are wrapped once they have run."""

    public = public_names()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname not in self.public:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.loader is not None
        run = spec.loader.exec_module

        def run_and_wrap(module: types.ModuleType) -> None:
            run(module)
            for name in self.public[fullname]:
                value = getattr(module, name)
                if inspect.isfunction(value):
                    setattr(module, name, checked(value))
                elif inspect.isclass(value):
                    _check_methods(value)

        spec.loader.exec_module = run_and_wrap  # type: ignore[method-assign]
        return spec


def _check_methods(cls: type) -> None:
    for name, value in list(vars(cls).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(value) and value.__module__ == cls.__module__:
            # A constructor that `dataclass` made has the annotations of the fields.
            made = name == "__init__" and getattr(cls, "__dataclass_params__", None)
            setattr(cls, name, checked(value, cls if made and made.init else None))
        elif isinstance(value, classmethod):
            setattr(cls, name, classmethod(checked(value.__func__)))
        elif isinstance(value, property) and value.fget:
            setattr(cls, name, property(checked(value.fget)))


def _late() -> dict[str, Any]:
    """What annotations name although a function imports it only when it is called."""
    return {name: sys.modules[name] for name in ("pandas",) if name in sys.modules}


def _hints(function: Callable[..., Any], annotated: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(annotated, localns=_late(), include_extras=True)
    made_of = inspect.unwrap(function)
    if made_of is not function and inspect.isgeneratorfunction(made_of):
        del hints["return"]  # a context manager: the annotation is that of its generator
    return hints


def checked(function: Callable[..., Any], annotated: type | None = None) -> Callable[..., Any]:
    """The function, checked after each call by its annotations (or by those of a class)."""
    signature, check = inspect.signature(function), _check_call
    hints = functools.cache(functools.partial(_hints, function, annotated or function))

    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        check(function, hints(), signature.bind(*args, **kwargs).arguments, result)
        return result

    # With the globals of its module: doctest asks for them before it reads a docstring.
    wrapper = types.FunctionType(
        call.__code__, function.__globals__, function.__name__, None, call.__closure__
    )
    return functools.wraps(function)(wrapper)


def _check_call(
    function: Callable[..., Any],
    hints: Mapping[str, Any],
    arguments: Mapping[str, Any],
    result: Any,
) -> None:
    parameters = inspect.signature(function).parameters
    values = [(f"argument {name}", hints.get(name), value) for name, value in arguments.items()]
    values.append(("the result", hints.get("return"), result))
    with jaxtyped("context"):
        for what, hint, value in sorted(values, key=lambda item: _is_sum(item[1])):
            kind = parameters.get(what.removeprefix("argument "))
            if hint is None or (kind and kind.kind in (kind.VAR_POSITIONAL, kind.VAR_KEYWORD)):
                continue
            where = what
            try:
                die_if_unbearable(value, hint)
                for field, field_hint, part in _fields(value, hint):
                    where = f"{what}.{field}"
                    die_if_unbearable(part, field_hint)
            except BeartypeDoorHintViolation as error:
                raise TypeCheckError(f"{function.__qualname__}: {where}: {error}") from None


def _is_sum(hint: Any) -> bool:
    """A shape such as "clients+1": checked when the word in it has a length already."""
    return "+" in str(hint)


def _fields(value: Any, hint: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, annotation and value of every field of a record that the annotation names."""
    cls = type(value)
    if cls is not hint and cls not in typing.get_args(hint):
        return
    if not (hasattr(cls, "_fields") or hasattr(cls, "__dataclass_fields__")):
        return
    hints = typing.get_type_hints(cls, include_extras=True).items()
    for name, field_hint in sorted(hints, key=lambda item: _is_sum(item[1])):
        # Of a code under a trace the coefficients are made when asked for: not for us.
        if hasattr(cls, "_fields") or name in vars(value):
            yield name, field_hint, getattr(value, name)
