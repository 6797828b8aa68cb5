"""What all verbs that read a store share: its option, and its errors in one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.options import Options, option

MADE_STORE = File(reads=True, writes=True)
"""A store that is made where there is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreOptions(Options):
    """A store that is there."""

    store: str = option("FILE", "The store that collect made.", default=..., file=File(reads=True))


def filter_option() -> tuple[str, ...]:
    """Conditions on the points."""
    found: tuple[str, ...] = option(
        "CONDITION", "Such as attempts=2; repeatable.", default=(), repeated=True
    )
    return found


@contextmanager
def store_errors() -> Iterator[None]:
    """A store that cannot be used (or a full disk) is told in one line, with exit code 2."""
    from jaxcogc.study.store.store_file import StoreError

    try:
        yield
    except StoreError as error:
        raise UserError(f"--store: {error}") from error
