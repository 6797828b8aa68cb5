"""The options of a verb, declared once: a record of which every field is an option.

A field carries what the command line needs (flag, what stands for the value, help) and what its
value may be. From the record come the verb's command line, the typed values that its work gets, the
settings that its results repeat, and the file that says what a training run was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from jaxcogc.allowed import SWITCH, TEXT, Allowed, NotAllowed, choice
from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.files import PICTURES, File, NamedFile

Headings = tuple[tuple[str, str], ...]


class Option(NamedTuple):
    """What a field of a record tells of its option.

    Attributes:
      metavar: what stands for the value; None of a switch.
      help: a sentence.
      allowed: what the value may be.
      shown: the default in words; None where there is nothing to tell.
      repeated: the option may be given again and again; the value is a tuple.
      several: values after commas make a sweep; see `Options.each`.
      argument: it has no flag; its place tells.
      flag: with its dashes.
      file: what is done with the file that it names; None where it names none.
      echoed: the results repeat its value.
    """

    metavar: str | None
    help: str
    allowed: Allowed[Any]
    shown: str | None
    repeated: bool
    argument: bool
    flag: str
    file: File | None = None
    several: bool = False
    echoed: bool = False


def option(
    metavar: str | None,
    help: str,
    allowed: Allowed[Any] = TEXT,
    default: Any = None,
    *,
    shown: str | None = None,
    repeated: bool = False,
    several: bool = False,
    argument: bool = False,
    file: File | None = None,
    echoed: bool = False,
) -> Any:
    """A field of a record of options.

    Args:
      metavar: what stands for its value.
      help: a sentence.
      allowed: what the value may be.
      default: the value where the option is not given; `...` where it must be.
      shown: the default in words, where Python's own are not good.
      repeated: may be given again; the value is a tuple.
      several: may be given as values after commas; the value is the first of them.
      argument: has no flag.
      file: what is done with the file that it names.
      echoed: the results repeat its value.
    """
    words = str(default) if shown is None and default not in (None, ..., "") else shown
    told = Option(metavar, help, allowed, words, repeated, argument, "", file, several, echoed)
    return dataclasses.field(default=default, metadata={"option": told})


def named(
    help: str, choices: Iterable[str], default: str | None = None, *, echoed: bool = False
) -> Any:
    """A field whose value is one of a few words, which its help lists; by default the first."""
    words = tuple(choices)
    told = f"{help}: {', '.join(words)}."
    chosen = words[0] if default is None else default
    return option("NAME", told, choice(words), chosen, echoed=echoed)


def output(metavar: str, help: str, *endings: str, default: Any = None) -> Any:
    """A field that names a file to write, or, with a metavar in "|-", standard output."""
    return option(
        metavar,
        help,
        default=default,
        file=File(writes=True, endings=endings, stdout=metavar.endswith("|-")),
    )


def picture(help: str = "A picture (png, svg or pdf).", *, default: Any = None) -> Any:
    """A field that names a picture to draw."""
    return output("FILE.png", help, *PICTURES, default=default)


def switch(help: str, *, echoed: bool = False) -> Any:
    """A field that is False unless its flag is given."""
    told = Option(None, help, SWITCH, None, False, False, "", echoed=echoed)
    return dataclasses.field(default=False, metadata={"option": told})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What all records of options have.

    Attributes:
      verb_name: of the verb that they are of.
      headings: of `--help`: the first field below each, and its text.
      together: of fields that stand in this order, whatever records they come from: the others of
        each group in front of its last one.
      reworded: by field of a record that verbs share, the help of this one.
      given: the fields that the user gave, on the command line or in a config file.
      words: what he typed after the verb.
      lists: by field, the values of options that were given several; the field has the first.
    """

    verb_name: ClassVar[str] = ""
    headings: ClassVar[Headings] = ()
    together: ClassVar[tuple[tuple[str, ...], ...]] = ()
    reworded: ClassVar[Mapping[str, str]] = {}
    given: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    lists: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @classmethod
    def groups(cls) -> dict[str, list[str]]:
        """The headings of `--help`, and the fields below each."""
        begin = dict(pair for c in reversed(cls.__mro__) for pair in vars(c).get("headings", ()))
        found: dict[str, list[str]] = {}
        heading = "Options"
        for name, told in cls.options().items():
            heading = begin.get(name, heading)
            found.setdefault("Arguments" if told.argument else heading, []).append(name)
        return found

    @classmethod
    def options(cls) -> dict[str, Option]:
        """All options, by field, in the order of `--help`."""
        fields = {x.name: x.metadata["option"] for x in dataclasses.fields(cls) if x.metadata}
        names = list(fields)
        for *others, last in cls.together:
            names = [name for name in names if name not in others]
            place = names.index(last)
            names[place:place] = others
        found = {}
        for name in names:
            told: Option = fields[name]
            flag = told.metavar if told.argument else "--" + name.replace("_", "-")
            found[name] = told._replace(flag=str(flag), help=cls.reworded.get(name, told.help))
        return found

    @classmethod
    def flag(cls, name: str) -> str:
        """The flag of a field."""
        return cls.options()[name].flag

    @classmethod
    def read(cls, typed: Mapping[str, Any], written: Mapping[str, Any] | None = None) -> Self:
        """A record from what was typed, completed by the values of a file.

        Args:
          typed: texts (a list of texts where repeated, a bool of a switch) by field; None where
            not given.
          written: typed values by field, checked already.

        Raises:
          UserError: it names the option, its value and what is allowed.
        """
        values = dict(written or {})
        words: list[str] = []
        lists: list[tuple[str, tuple[Any, ...]]] = []
        for name, told in cls.options().items():
            text = typed[name]
            if text is not None and text is not False and text != []:
                values[name] = _read(told, text)
                words += _words(told, text)
                if told.several:
                    found, values[name] = values[name], values[name][0]
                    lists += [(name, found)] * (len(found) > 1)
        return cls(given=frozenset(values), words=tuple(words), lists=tuple(lists), **values)

    def each(self) -> Iterator[Self]:
        """One record for each combination of the values given in `lists`; the last runs fastest."""
        names = [name for name, _ in self.lists]
        for values in itertools.product(*(values for _, values in self.lists)):
            combination = dict(zip(names, values, strict=True))
            yield dataclasses.replace(self, lists=(), **combination)

    def made_by(self) -> dict[str, Any]:
        """What made a result: the version, the command, and the hashes of the files it read."""
        import jaxcogc

        hashes = {}
        for one in self.files():
            if one.file.reads and not one.file.writes and Path(one.text).is_file():
                hashes[one.text] = hashlib.sha256(Path(one.text).read_bytes()).hexdigest()
        return {
            "version": jaxcogc.__version__,
            "command": shlex.join(["jaxcogc", self.verb_name, *self.words]),
            "files_sha256": hashes,
        }

    @classmethod
    def may_be_left_open(cls, name: str) -> bool:
        """Whether a field may have no value; also of a name that is no field."""
        field = cls.__dataclass_fields__.get(name)
        return field is None or field.default is None

    def starts_jax(self) -> bool:
        """Whether the verb computes, alone in this process as far as is known."""
        return False

    def uses_jax(self) -> bool:
        """Whether the verb computes, alone or among other processes."""
        return self.starts_jax()

    def files(self) -> list[NamedFile]:
        """The files and folders that the options name."""
        named = []
        for name, told in self.options().items():
            value = getattr(self, name)
            if told.file is not None and value is not None:
                texts = value if told.repeated else [value]
                named += [NamedFile(told.flag, text, told.file) for text in texts]
        return named

    def differs(self, name: str) -> bool:
        """Whether a field has another value than by default."""
        return bool(getattr(self, name) != self.__dataclass_fields__[name].default)

    def echo(self) -> dict[str, Any]:
        """What the results repeat as it was asked for."""
        return self.plain(*(name for name, told in self.options().items() if told.echoed))

    def plain(self, *names: str) -> dict[str, Any]:
        """Some fields as a JSON object holds them, in the order of the record."""
        return {name: getattr(self, name) for name in self.options() if name in names}


def _words(told: Option, given: Any) -> list[str]:
    """What was typed of one option."""
    if told.metavar is None:
        return [told.flag]
    texts = given if told.repeated else [given]
    flag = [] if told.argument else [told.flag]
    return [word for text in texts for word in (*flag, str(text))]


def _read(told: Option, given: Any) -> Any:
    """The value of one option, from its text or texts."""
    if told.metavar is None:
        return given
    values: list[Any] = []
    many = told.repeated or told.several
    for text in given.split(",") if told.several else given if told.repeated else [given]:
        try:
            values.append(told.allowed.read(text.strip() if told.several else text))
        except NotAllowed as error:
            raise rejected(told.flag, text, error.allowed) from None
        if told.several and values[-1] in values[:-1]:
            raise rejected(told.flag, given, "each value once")
    return tuple(values) if many else values[0]


def check_written(record: type[Options], name: str, value: Any, file: str) -> Any:
    """The value that a file gives to a field.

    Raises:
      UserError: it names the file, the key, the value and what is allowed.
    """
    told = record.options()[name]
    many = told.repeated and isinstance(value, list)
    try:
        values = [told.allowed.check(item) for item in (value if many else [value])]
        if told.repeated and not many:
            raise NotAllowed(value, "a list")
    except NotAllowed as error:
        raise UserError(f"{file}: {name} = {_shown(value)}: allowed is {error.allowed}") from None
    return tuple(values) if told.repeated else values[0]


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
