"""What can be asked of the verbs of studies: a record for each."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxcogc.allowed import DURATION, MAX_TRIALS, SHARD, TEXT, choice, whole
from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.options import Headings, Option, Options, option, output, picture, switch
from jaxcogc.cli.shared.picture_options import AxesOptions, PictureOptions
from jaxcogc.cli.shared.process_options import ProcessOptions
from jaxcogc.names import EVENTS

MADE_STORE = File(reads=True, writes=True)
"""A store that is made where there is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreOptions(Options):
    """A store that is there."""

    store: str = option("FILE", "The store that collect made.", default=..., file=File(reads=True))


def filter_option() -> tuple[str, ...]:
    """Conditions on the points; none unless asked for, which `--help` need not say."""
    told = Option("CONDITION", "Such as attempts=2; repeatable.", TEXT, None, True, False, "")
    found: tuple[str, ...] = dataclasses.field(default=(), metadata={"option": told})
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class CollectOptions(ProcessOptions):
    """Of `jaxcogc collect`."""

    headings: ClassVar[Headings] = (("study", "Options"),)
    study: str = option(
        "STUDY.toml", "The study file.", default=..., argument=True, file=File(reads=True)
    )
    store: str = option("FILE", "The store; made when there is none.", default=..., file=MADE_STORE)
    budget: float | None = option("TIME", "Stop after so long, such as 90s, 10m, 1h30m.", DURATION)
    shard: tuple[int, int] | None = option(
        "I/N", "Every N-th point alone, from the I-th on; merge puts the N stores together.", SHARD
    )
    client_order: str | None = option(
        "I,J,..", "Place i of the ring holds the client so numbered, from 0."
    )
    quiet: bool = switch("No progress.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShowOptions(StoreOptions):
    """Of `jaxcogc show`."""

    outcome: str | None = option("NAME", "Shown in the table, instead of the watched.")
    sort: str | None = option("COLUMN", "Order; -COLUMN for descending.")
    filter: tuple[str, ...] = filter_option()
    versus: str | None = option("POINT", "Add each point's difference from this one.")
    csv: str | None = output("FILE|-", "All columns as CSV.")
    parquet: str | None = output("FILE", "The same as Parquet.", ".parquet")
    json: str | None = output("FILE|-", "The same as JSON.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlotOptions(StoreOptions, AxesOptions):
    """Of `jaxcogc plot`."""

    out: str = picture("The picture (png, svg or pdf).", default=...)
    x: str | None = option("AXIS", "Axis of the grid along x.")
    curves: str | None = option("AXES", "Axes that tell curves apart: a,b.")
    panels: str | None = option("AXIS", "A panel for each value.")
    outcome: str | None = option("NAMES", "Such as gc_outage,gc_plus_none.")
    filter: tuple[str, ...] = filter_option()
    linear: bool = switch("No logarithmic axis: --yscale linear.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MergeOptions(Options):
    """Of `jaxcogc merge`."""

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplayOptions(StoreOptions, PictureOptions):
    """Of `jaxcogc replay`."""

    verb_name = "replay"
    point: str = option("ID", "The point, or how its identity begins.", default=...)
    trial: int = option("I", "Number of the trial, from 0.", whole(0, MAX_TRIALS), 0)
    next: str | None = option(
        "OUTCOME", "The first trial from I on with this outcome.", choice(tuple(EVENTS))
    )
    plot: str | None = picture()
    json: str | None = output("FILE|-", "The same for a program.")

    def starts_jax(self) -> bool:
        """See `Options`."""
        return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions(StoreOptions):
    """Of `jaxcogc report`."""

    out: str = output("FILE.html", "The page.", ".html", ".htm", default=...)
