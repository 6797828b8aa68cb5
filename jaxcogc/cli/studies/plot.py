"""`jaxcogc plot`: curves of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.options import Filter, StorePath, Text, option
from jaxcogc.cli.shared.outputs import PICTURES, check_suffix, check_target, write_file
from jaxcogc.cli.shared.store_errors import store_errors

Out = Annotated[str, option("--out", "FILE.png", "The picture (png, svg or pdf).")]
X = Annotated[Text, option("--x", "AXIS", "Axis of the grid along x.")]
Curves = Annotated[Text, option("--curves", "AXES", "Axes that tell curves apart: a,b.")]
Panels = Annotated[Text, option("--panels", "AXIS", "A panel for each value.")]
Outcomes = Annotated[Text, option("--outcome", "NAMES", "Such as gc_outage,gc_plus_none.")]
Linear = Annotated[bool, option("--linear", None, "No logarithmic axis.")]
Title = Annotated[Text, option("--title", "TEXT", "Instead of the study's.")]


def plot(
    store: StorePath,
    out: Out,
    x: X = None,
    curves: Curves = None,
    panels: Panels = None,
    outcome: Outcomes = None,
    filter: Filter = None,
    linear: Linear = False,
    title: Title = None,
) -> int:
    """Draw what a store holds: estimates with their bands, and the closed form.

    An estimate of zero events is an arrow down from the upper end of its interval. What is not said
    is chosen: the longest numeric axis along x, the others as curves, the watched outcome.
    """
    check_suffix("--out", out, PICTURES)
    check_target("--out", out)
    with store_errors():
        from jaxcogc.figures.study_curves import plot_study
        from jaxcogc.figures.style import figure_bytes
        from jaxcogc.study.results.records import records
        from jaxcogc.study.store.store import open_store

        with open_store(store) as opened:
            rows = records(opened)
            names = [name for (name,) in opened.rows("SELECT name FROM studies ORDER BY date")]
    from jaxcogc.cli.studies.show_run import select
    from jaxcogc.figures.curve_layout import layout_of

    rows = [row for row in select(rows, tuple(filter or ()), None) if row["trials"]]
    if not rows:
        raise UserError(f"--store: {store}: holds no counted point that meets the conditions")
    try:
        layout = layout_of(
            rows, x=x, curves=_split(curves), panels=panels, outcomes=_split(outcome)
        )
        figure = plot_study(rows, layout, title=title or " · ".join(names), linear=linear)
    except ValueError as error:
        raise UserError(f"--x, --curves, --panels, --outcome: {error}") from error
    write_file("--out", Path(out), figure_bytes(figure, Path(out).suffix))
    return 0


def _split(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",")]
