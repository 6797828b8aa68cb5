"""The reference, made from the code: a page of each folder's public names, and one of all verbs.

The public names are those of the `__init__.pyi` files, the options those of the verbs' records, so
that a page is never behind the code.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "jaxcogc"


class PublicName(NamedTuple):
    """A name that users may import.

    Attributes:
      path: from where, such as "jaxcogc.links.Network".
      home: the module below that folder in which it is written; empty of a module.
    """

    path: str
    home: str


def public_names(package: str) -> list[PublicName]:
    """The public names of "jaxcogc" or of a folder of it, in the order of its stub."""
    stub = PROJECT.joinpath(*package.split(".")) / "__init__.pyi"
    return [
        PublicName(f"{package}.{alias.asname or alias.name}", node.module or "")
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]


def folders() -> list[str]:
    """The folders of the package that have public names, such as "jaxcogc.links"."""
    stubs = sorted(PACKAGE.glob("*/__init__.pyi"))
    return [f"jaxcogc.{stub.parent.name}" for stub in stubs]


def value_of(path: str) -> Any:
    """What a dotted public name is."""
    package, _, name = path.rpartition(".")
    return getattr(importlib.import_module(package), name)


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


def _heading(text: str, line: str) -> list[str]:
    return [text, line * len(text), ""]


def _directive(name: PublicName) -> list[str]:
    """What documents one name: a class with its methods, a function, or a constant."""
    value = value_of(name.path)
    if inspect.isclass(value) and not value.__module__.startswith("jaxcogc"):
        return [
            f".. py:class:: {name.path}",
            "",
            f"   ``{value.__module__}.{value.__name__}``.",
            "",
        ]
    if inspect.isclass(value):
        return [f".. autoclass:: {name.path}", "   :members:", ""]
    if callable(value):
        return [f".. autofunction:: {name.path}", ""]
    return [f".. py:data:: {name.path}", "", f"   {_constant_doc(name)}", ""]


def _constant_doc(name: PublicName) -> str:
    """The text that follows a constant in its module."""
    package, _, constant = name.path.rpartition(".")
    source = inspect.getsource(importlib.import_module(f"{package}.{name.home}"))
    body = ast.parse(source).body
    for statement, after in pairwise(body):
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if not isinstance(after, ast.Expr) or not isinstance(after.value, ast.Constant):
            continue
        if constant in [ast.unparse(target) for target in targets]:
            return _first_sentence(str(after.value.value))
    return "A constant."


def _by_home(names: list[PublicName]) -> dict[str, list[PublicName]]:
    """The names by the module they are written in: what belongs together stands together."""
    found: dict[str, list[PublicName]] = {}
    for name in names:
        found.setdefault(name.home, []).append(name)
    return found


def folder_page(package: str) -> str:
    """The page of a folder: its names, a section for each of its modules."""
    told = _first_sentence(importlib.import_module(package).__doc__)
    lines = [*_heading(package, "="), told, ""]
    for home, names in _by_home(public_names(package)).items():
        module = importlib.import_module(f"{package}.{home}".rstrip("."))
        subject = home.split(".")[-1].replace("_", " ").capitalize()
        lines += [*_heading(subject, "-"), _first_sentence(module.__doc__), ""]
        for name in names:
            lines += _directive(name)
    return "\n".join(lines)


def names_module_page() -> str:
    """The page of `jaxcogc.names`: the words that options, files and results use."""
    names = importlib.import_module("jaxcogc.names")
    lines = [*_heading("jaxcogc.names", "="), _first_sentence(names.__doc__), ""]
    for name, value in vars(names).items():
        if name.isupper() and isinstance(value, tuple):
            words = ", ".join(f"``{word}``" for word in value)
            lines += [f"``{name}``", f"   {words}", ""]
    return "\n".join(lines)


def everyday_page() -> str:
    """The page of what `import jaxcogc` brings: a line a name, which leads to its description."""
    lines = [*_heading("jaxcogc", "="), "What ``import jaxcogc`` brings along at once.", ""]
    for name in public_names("jaxcogc"):
        value = value_of(name.path)
        if not inspect.ismodule(value):
            folder = f"jaxcogc.{name.home}.{name.path.rpartition('.')[2]}"
            told = _first_sentence(inspect.getdoc(value)).replace("*", r"\*").replace("|", r"\|")
            lines += [f":py:obj:`{name.path} <{folder}>`", f"   {told}", ""]
    return "\n".join(lines)


def _option_rows(record: Any) -> Iterator[str]:
    """The options of a verb: a table a group."""
    options = record.options()
    for group, fields in record.groups().items():
        yield from (f"**{group}**", "", ".. list-table::", "   :widths: 30 70", "")
        for field in fields:
            told = options[field]
            flag = (
                told.flag
                if told.argument or told.metavar is None
                else (f"{told.flag} {told.metavar}")
            )
            note = "" if told.shown is None else f" Default: {told.shown}."
            allowed = "" if told.metavar is None else f" Allowed: {told.allowed.words}."
            text = (told.help + note + allowed).replace("*", r"\*").replace("|", r"\|")
            yield from (f"   * - ``{flag}``", f"     - {text}")
        yield ""


def verbs_page() -> str:
    """Every verb of the command line: its help, its options in groups, what they may be."""
    from jaxcogc.cli.app import VERBS

    lines = _heading("The verbs of the command line", "=")
    lines += ["Made from the records that the program itself reads its options with.", ""]
    for one in VERBS:
        name = one.work.__name__
        lines += [f".. _verb-{name}:", ""]
        lines += _heading(f"jaxcogc {name}", "-")
        lines += [inspect.cleandoc(one.work.__doc__ or ""), "", *_option_rows(one.record)]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """All pages of the reference, by the names of their files."""
    found = {"jaxcogc.rst": everyday_page(), "names.rst": names_module_page()}
    for package in folders():
        found[package.rpartition(".")[2] + ".rst"] = folder_page(package)
    return found | {"verbs.rst": verbs_page()}


def write_pages(folder: Path, others: dict[str, str]) -> None:
    """Write the pages that changed and other texts, and remove what is none of them any more."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages() | others
    for old in set(folder.iterdir()) - {folder / name for name in made}:
        old.unlink()
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
