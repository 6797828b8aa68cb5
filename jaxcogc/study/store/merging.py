"""One store from several: all blocks of all points, each once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxcogc.study.store.store import insert_blocks, insert_rows, open_store

_TABLES = ("studies", "networks", "points", "laws", "sessions", "event_trials")


class Merged(NamedTuple):
    """What a merge came to.

    Attributes:
      new: blocks added.
      known: blocks that were there.
      points: of the store after it.
    """

    new: int
    known: int
    points: int


def merge_stores(
    sources: Sequence[str | os.PathLike[str]], target: str | os.PathLike[str]
) -> Merged:
    """Add the stores `sources` to the store `target`, which is made when there is none.

    All in one transaction: what cannot be united (blocks of the same point with other counts, a
    full disk) changes nothing. A point that is in several keeps the target's stop rule and labels,
    or the first source's.

    Raises:
      StoreError: a file that is no store, other random words, or counts that contradict each
        other.
    """
    opened = [open_store(Path(source)) for source in sources]  # all of them, before a file is made
    try:
        for source in opened:
            source.check_words_format()
        with open_store(Path(target), make=True) as store:
            num_new = num_rows = 0
            with store.transaction() as connection:
                for source in opened:
                    for table in _TABLES:
                        insert_rows(connection, table, source.rows(f"SELECT * FROM {table}"))
                    for (point,) in source.rows("SELECT DISTINCT point FROM blocks"):
                        rows = source.rows("SELECT * FROM blocks WHERE point = ?", (point,))
                        num_rows += len(rows)
                        num_new += insert_blocks(store.path, connection, rows)
            ((num_points,),) = store.rows("SELECT count(*) FROM points")
            return Merged(num_new, num_rows - num_new, num_points)
    finally:
        for source in opened:
            source.close()
