"""The picture of training: how schemes learn, by rounds and by what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from jaxcogc.figures.colours import COLOURS, CURVE_COLOURS
from jaxcogc.figures.estimates import FEWEST_SEEDS, mark_scale
from jaxcogc.figures.look import Look
from jaxcogc.figures.style import Figure, new_figure, place_legend
from jaxcogc.names import hyphened
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.seconds import seconds_so_far
from jaxcogc.training.summary import SeedInterval, seed_interval
from jaxcogc.training.task import fractions
from jaxcogc.training.trained import Trained

__all__ = ["accuracy_figure", "draw_training"]

_ITSELF = Look()


class _Line(NamedTuple):
    """Colour, dashes, width and mark of a scheme; a ring where it is not filled."""

    colour: str
    dashes: Any
    width: float
    marker: str
    filled: bool = True


_LINES = {
    "ideal": _Line("black", "-", 1.4, ""),
    "intermittent": _Line(COLOURS["other"], "-", 1.6, "o"),
    "intermittent_blind": _Line(COLOURS["other"], "--", 1.6, "v"),
    "inverse_probability": _Line(COLOURS["other"], ":", 1.6, "P"),
    "retransmission": _Line(COLOURS["note"], "-", 1.6, "<"),
    "replicated_gc": _Line(COLOURS["gc"], "--", 1.6, ">"),
    "gc": _Line(COLOURS["gc"], "-", 1.6, "X"),
    "gc_plus": _Line(COLOURS["gc_plus"], "-", 3.0, "s"),
    "row_space": _Line(COLOURS["row_space"], "--", 1.4, "^"),
    "least_squares": _Line(COLOURS["row_space"], ":", 1.4, "D"),
    "projected_memory": _Line(COLOURS["row_space"], "-.", 1.6, "D", filled=False),
    "colrel": _Line(CURVE_COLOURS[5], "--", 1.6, "d"),
    "implicit_gossip": _Line(CURVE_COLOURS[3], "--", 1.6, "p"),
}
"""Of different widths and dashes where equal curves must both show; in grey no two are alike."""
_MADE_OF: dict[str, Any] = {"_unbiased": ":", "+memory": "-.", "secure_": (0, (2.5, 0.8))}
"""Dashes of a scheme that is made of another one, by what its name has more."""
_MARKS = "hdp8"
_ALONE = "H"
"""The mark of a scheme that has none on its line, where there is no line."""
_LEGEND_LINE = 3.5
"""Letters long: dashes and dots are told apart there too."""
_MOST_MARKS = 8
"""On a line, about; those of another scheme stand beside them."""


def scheme_line(name: str) -> _Line:
    """The look of a scheme: a ring in place of the mark of the one that it is made of.

    >>> scheme_line("gc_plus+memory").colour == scheme_line("gc_plus").colour
    True
    """
    if name in _LINES:
        return _LINES[name]
    for more, dashes in _MADE_OF.items():
        base = name.replace(more, "")
        if base in _LINES and base != name:
            return _LINES[base]._replace(dashes=dashes, width=1.6, filled=False)
    place = sum(map(ord, name))
    colour = CURVE_COLOURS[3:7][place % 4]
    return _Line(colour, "-.", 1.6, _MARKS[place // 4 % len(_MARKS)])


def accuracy_figure(
    plan: TrainingPlan, trained: Trained, *, title: str, caption: str, look: Look = _ITSELF
) -> Figure:
    """Mean test accuracy over seeds with its band, for every scheme.

    A plan with other metrics has the first one drawn in the place of the accuracy, one without any
    the loss on the test data.

    Args:
      plan: what was run.
      trained: where it stands.
      title: what was trained.
      caption: network, partition, what the band is.
      look: size, letters, words and axes.

    Returns:
      A figure of two panels: against rounds, and against uplink uses so far (mean over seeds), or
      against seconds so far where the plan says what messages take. Fewer than three seeds have no
      band.
    """
    if 1 < len(plan.seeds) < FEWEST_SEEDS:
        caption += f"; no bands from fewer than {FEWEST_SEEDS} seeds"
    across = look.across(2)
    height = look.tall(4.0, down=3 - across, across=across)
    with new_figure(title, caption, height=height, look=look) as figure:
        panels = figure.subplots(3 - across, across, sharey=True, squeeze=False).ravel()
        for axes, against in zip(panels, _AGAINST, strict=True):
            draw_training(axes, plan, trained, against)
            if look.xscale == "log":
                axes.set(xscale="log", xlim=(None, None))
                axes.autoscale(axis="x")
            if look.yscale is not None:
                axes.set_yscale(look.yscale)
        if across == 2:
            panels[1].set_ylabel("")
        handles = panels[0].get_legend_handles_labels()[0]
        place_legend(figure, handles, look, handlelength=_LEGEND_LINE)
    return figure


Against = Literal["rounds", "cost"]
_AGAINST: tuple[Against, Against] = ("rounds", "cost")


def draw_training(
    axes: Axes, plan: TrainingPlan, trained: Trained, against: Against = "rounds"
) -> Axes:
    """How every scheme learns: the first metric of the plan, or the loss; means over seeds.

    Args:
      axes: to draw in.
      plan: what was run.
      trained: where it stands.
      against: rounds, or the cost so far: seconds where the plan knows them, else uplink uses.

    Returns:
      The axes, whose legend names the schemes.
    """
    measured = next(iter(plan.metrics), "loss")
    fraction = measured in fractions(plan)
    seconds = seconds_so_far(plan, trained.metrics)
    uses = np.asarray(trained.metrics.uplink_uses).cumsum(axis=-1)
    cost = uses if seconds is None else seconds
    schemes = plan.settings.schemes
    faint = 0.8 / max(6, len(schemes) ** 1.3)  # many bands lie over each other
    for number, scheme in enumerate(schemes):
        values = np.asarray(trained.metrics.test[measured])[:, number, : trained.round_index]
        where = np.flatnonzero(np.isfinite(values).all(axis=0))
        x = where + 1 if against == "rounds" else cost[:, number].mean(axis=0)[where]
        ends = [seed_interval(column, fraction=fraction) for column in values[:, where].T]
        faded = faint if len(values) >= FEWEST_SEEDS else 0.0
        _draw_scheme(axes, scheme, x, ends, band=faded, place=number / len(schemes))
    spent = "uplink uses so far, per seed" if seconds is None else "seconds so far"
    axes.set(ylabel=f"test {measured}", xlabel="rounds" if against == "rounds" else spent)
    axes.set_xlim(left=0)
    if against == "rounds":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if fraction:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylim(0, 1)
    return axes


def _draw_scheme(
    axes: Axes,
    scheme: str,
    x: np.ndarray,
    ends: Sequence[SeedInterval],
    *,
    band: float,
    place: float,
) -> None:
    """A line with its band; `place` in [0, 1) moves its marks away from those of others."""
    line = scheme_line(scheme)
    mean = np.array([end.mean for end in ends], float)
    gap = max(1, -(-len(x) // _MOST_MARKS))
    axes.plot(
        x,
        mean,
        linestyle=line.dashes,
        color=line.colour,
        lw=line.width,
        marker=line.marker or (_ALONE if len(x) == 1 else ""),
        ms=5.5 * mark_scale(),
        mfc=line.colour if line.filled else "white",
        mec="white" if line.filled else line.colour,
        mew=0.7,
        markevery=(int(place * gap), gap),
        label=hyphened(scheme),
    )
    if band and any(end.low is not None for end in ends):
        low = np.array([end.low for end in ends], float)
        high = np.array([end.high for end in ends], float)
        axes.fill_between(x, low, high, color=line.colour, alpha=band, lw=0)
