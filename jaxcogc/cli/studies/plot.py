"""`jaxcogc plot`: curves of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.outputs import write_picture
from jaxcogc.cli.studies.options import PlotOptions
from jaxcogc.cli.studies.store_errors import store_errors

if TYPE_CHECKING:
    from jaxcogc.figures import Figure, Look


def plot(options: PlotOptions) -> int:
    """Draw what a store holds: estimates with their bands, and the closed form.

    An estimate of zero events is an arrow down from the upper end of its interval. What is not said
    is chosen: the longest numeric axis along x, the others as curves, the watched outcome.
    """
    if options.linear and options.yscale == "log":
        raise UserError("--linear beside --yscale log: allowed is one of the two")
    with store_errors():
        from jaxcogc.study.results.result_table import read_table
        from jaxcogc.study.store.store import open_store

        with open_store(options.store) as opened:
            table, studies = read_table(opened), opened.studies()
    from jaxcogc.cli.studies.show_run import select
    from jaxcogc.figures.studies.curve_layout import layout_of, panels_of

    table = select(table, options.filter, None).counted
    if not table.results:
        raise UserError(
            f"--store: {options.store}: holds no counted point that meets the conditions"
        )
    try:
        layout = layout_of(
            table,
            x=options.x,
            curves=_split(options.curves),
            panels=options.panels,
            outcomes=_split(options.outcome),
        )
        panels_of(table, layout)  # not more curves than can be told apart
        title = " · ".join(study.name for study in studies)
    except ValueError as error:
        raise UserError(f"--x, --curves, --panels, --outcome: {error}") from error

    def draw(look: Look) -> Figure:
        from jaxcogc.figures.studies.study_curves import plot_study

        return plot_study(table, layout, title=title, linear=options.linear, look=look)

    return int(not write_picture("--out", options.out, draw, options))


def _split(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",")]
