"""The results of a store for pandas."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.store.store import open_store

if TYPE_CHECKING:
    import pandas


def load(store: str | os.PathLike[str]) -> pandas.DataFrame:
    """The results of a store.

    Args:
      store: its path.

    Returns:
      One row for each point, in the order of the grid: its identity, its place on every axis of the
      grid, number of trials and reason for stopping; for every probability the estimate, both ends
      of its interval and the method; means; and what depends on the machine. Values that were not
      computed are null.

    Raises:
      ValueError: the file is no store, or a damaged one (one line).
    """
    import pandas

    with open_store(Path(store)) as opened:
        return pandas.DataFrame(read_table(opened).rows)
