"""Verbs: records of options made into commands, whose help lists the options in groups."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from jaxcogc.cli.shared.errors import UserError, blame
from jaxcogc.cli.shared.files import check_files, copy_of_pipe
from jaxcogc.cli.shared.options import Option, Options
from jaxcogc.runtime.start_check import CannotStart, check_start


class Verb(NamedTuple):
    """A verb of the command line.

    Attributes:
      record: its options.
      work: does what the verb does; its name is the verb's, its docstring the help.
      complete: from the texts by field to values that a file gives to fields not typed.
    """

    record: type[Options]
    work: Callable[[Any], int]
    complete: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None

    @property
    def sentence(self) -> str:
        """What the list of verbs says of it."""
        return " ".join((self.work.__doc__ or "").split("\n\n")[0].split())

    def add_to(self, app: typer.Typer) -> None:
        """Make it a command of a program."""
        app.command(cls=_GroupedCommand, short_help=self.sentence)(_command(self))


class _GroupedCommand(TyperCommand):
    """A command whose options stand under headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write every group; Typer calls a group a panel."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                heading = getattr(parameter, "rich_help_panel", None) or "Help"
                groups.setdefault(heading, []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def _command(verb: Verb) -> Callable[..., int]:
    """The function that Typer makes a command of: its parameters are the record's options."""
    record, work = verb.record, verb.work

    def run(**typed: Any) -> int:
        options = record.read(typed, verb.complete(typed) if verb.complete else None)
        check_files(options.files())
        with _pipes_copied(options) as options:
            return _done(work, options)

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for group, names in record.groups().items()
        for name in names
        for default, kind in [_parameter(record, name, record.options()[name], group)]
    ]
    run.__name__, run.__doc__ = work.__name__, work.__doc__
    run.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": int}
    return run


@contextmanager
def _pipes_copied(options: Options) -> Iterator[Options]:
    """The options, with copies of the files that are pipes, such as `--network <(command)`.

    Raises:
      UserError: a pipe that cannot be read, or no place for its copy.
    """
    copies: dict[str, Any] = {}
    with ExitStack() as stack:
        for name, told in options.options().items():
            text = getattr(options, name)
            if told.file is not None and told.file.again and text is not None:
                with blame(told.flag):
                    copy = stack.enter_context(copy_of_pipe(text))
                copies |= {} if copy is None else {name: copy}
        yield dataclasses.replace(options, **copies)


def _done(work: Callable[[Any], int], options: Options) -> int:
    """The exit code of the work, for which JAX is started where it is needed."""
    if not options.uses_jax():
        return work(options)
    try:
        if options.starts_jax():
            check_start()
    except CannotStart as error:
        raise UserError(str(error)) from error
    from jaxcogc.runtime.jax_settings import plain_settings  # imports JAX

    with plain_settings():
        return work(options)


def _parameter(record: type[Options], name: str, told: Option, group: str) -> tuple[Any, Any]:
    """Default and annotation of one parameter: texts, which the record reads itself."""
    required = record.__dataclass_fields__[name].default is ...
    note = "" if told.shown is None else f" [default: {told.shown}]"
    settings: dict[str, Any] = {
        "metavar": told.metavar,
        "help": told.help + note,
        "rich_help_panel": group,
    }
    info = (
        typer.Argument(**settings)
        if told.argument
        else typer.Option(told.flag, show_default=False, **settings)
    )
    if told.metavar is None:
        return False, Annotated[bool, info]
    kind: Any = list[str] if told.repeated else str
    if required:
        return inspect.Parameter.empty, Annotated[kind, info]
    return None, Annotated[kind | None, info]
