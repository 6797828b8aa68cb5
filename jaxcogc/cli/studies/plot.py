"""`jaxcogc plot`: curves of a study."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.options import option, switch
from jaxcogc.cli.shared.outputs import PICTURES, check_suffix, check_target, write_file
from jaxcogc.cli.studies.store_options import StoreOptions, filter_option, store_errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlotOptions(StoreOptions):
    """What can be asked."""

    out: str = option("FILE.png", "The picture (png, svg or pdf).", default=...)
    x: str | None = option("AXIS", "Axis of the grid along x.")
    curves: str | None = option("AXES", "Axes that tell curves apart: a,b.")
    panels: str | None = option("AXIS", "A panel for each value.")
    outcome: str | None = option("NAMES", "Such as gc_outage,gc_plus_none.")
    filter: tuple[str, ...] = filter_option()
    linear: bool = switch("No logarithmic axis.")
    title: str | None = option("TEXT", "Instead of the study's.")


def plot(options: PlotOptions) -> int:
    """Draw what a store holds: estimates with their bands, and the closed form.

    An estimate of zero events is an arrow down from the upper end of its interval. What is not said
    is chosen: the longest numeric axis along x, the others as curves, the watched outcome.
    """
    check_suffix("--out", options.out, PICTURES)
    check_target("--out", options.out)
    with store_errors():
        from jaxcogc.figures.study_curves import plot_study
        from jaxcogc.figures.style import figure_bytes
        from jaxcogc.study.results.records import records
        from jaxcogc.study.store.store import open_store

        with open_store(options.store) as opened:
            rows = records(opened)
            names = [name for (name,) in opened.rows("SELECT name FROM studies ORDER BY date")]
    from jaxcogc.cli.studies.show_run import select
    from jaxcogc.figures.curve_layout import layout_of

    rows = [row for row in select(rows, options.filter, None) if row["trials"]]
    if not rows:
        raise UserError(
            f"--store: {options.store}: holds no counted point that meets the conditions"
        )
    try:
        layout = layout_of(
            rows,
            x=options.x,
            curves=_split(options.curves),
            panels=options.panels,
            outcomes=_split(options.outcome),
        )
        figure = plot_study(
            rows, layout, title=options.title or " · ".join(names), linear=options.linear
        )
    except ValueError as error:
        raise UserError(f"--x, --curves, --panels, --outcome: {error}") from error
    write_file("--out", Path(options.out), figure_bytes(figure, Path(options.out).suffix))
    return 0


def _split(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",")]
