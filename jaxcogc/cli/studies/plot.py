"""`jaxcogc plot`: curves of a study."""

from __future__ import annotations

import dataclasses
from functools import partial

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.options import option, picture, switch
from jaxcogc.cli.shared.outputs import write_picture
from jaxcogc.cli.studies.store_options import StoreOptions, filter_option, store_errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlotOptions(StoreOptions):
    """What can be asked."""

    out: str = picture("The picture (png, svg or pdf).", default=...)
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
    with store_errors():
        from jaxcogc.figures.study_curves import plot_study
        from jaxcogc.study.results.records import records
        from jaxcogc.study.store.store import open_store

        with open_store(options.store) as opened:
            rows = records(opened)
            names = [name for (name,) in opened.rows("SELECT name FROM studies ORDER BY date")]
    from jaxcogc.cli.studies.show_run import select
    from jaxcogc.figures.curve_layout import layout_of, panels_of

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
        panels_of(rows, layout)  # not more curves than can be told apart
        title = options.title or " · ".join(names)
        draw = partial(plot_study, rows, layout, title=title, linear=options.linear)
    except ValueError as error:
        raise UserError(f"--x, --curves, --panels, --outcome: {error}") from error
    return int(not write_picture("--out", options.out, draw))


def _split(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",")]
