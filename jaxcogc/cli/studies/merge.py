"""`jaxcogc merge`: one store from several."""

from __future__ import annotations

import dataclasses

from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.options import Options, option
from jaxcogc.cli.studies.store_options import MADE_STORE, store_errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class MergeOptions(Options):
    """What can be asked."""

    sources: tuple[str, ...] = option(
        "FILE...",
        "Stores to take blocks from.",
        default=...,
        repeated=True,
        argument=True,
        file=File(reads=True),
    )
    store: str = option(
        "FILE", "The store to add to; made if need be.", default=..., file=MADE_STORE
    )


def merge(options: MergeOptions) -> int:
    """Unite stores of several machines: every block of every point, each once.

    A block that two stores hold must have the same counts in both; nothing is added otherwise.
    """
    with store_errors():
        from jaxcogc.study.store.merging import merge_stores

        new, known, points = merge_stores(options.sources, options.store)
    print(f"{options.store}: {new:,} blocks added, {known:,} were there; {points:,} points")
    return 0
