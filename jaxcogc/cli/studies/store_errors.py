"""What is wrong with a store, told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jaxcogc.cli.shared.errors import UserError


@contextmanager
def store_errors() -> Iterator[None]:
    """A store that cannot be used (or a full disk) is told in one line, with exit code 2."""
    from jaxcogc.study.store.store_file import StoreError

    try:
        yield
    except StoreError as error:
        raise UserError(f"--store: {error}") from error
