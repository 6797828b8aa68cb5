"""What `jaxcogc outage` tells: JSON, CSV, a table, a picture."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from jaxcogc import figures
from jaxcogc.cli.outage.request import OutageRequest, Setting
from jaxcogc.cli.outage.sweep import Axis, along
from jaxcogc.cli.outage.tables import EXPENDABLE, outcome_table, sweep_table
from jaxcogc.cli.shared.code_options import code_words
from jaxcogc.cli.shared.link_options import time_text
from jaxcogc.cli.shared.outputs import Measured, write_csv, write_json, write_picture
from jaxcogc.cli.shared.printed_tables import print_table
from jaxcogc.names import EVENTS, OUTAGES
from jaxcogc.number_text import count_text, level_text
from jaxcogc.outage.counts import (
    OutcomeCounts,
    outcomes_from_counts,
    outcomes_to_dict,
)
from jaxcogc.outage.laws.closed_form import (
    ClosedForm,
    SuccessiveRounds,
    closed_form,
    successive_rounds,
)
from jaxcogc.outage.outage_point import OutagePoint
from jaxcogc.outage.stratified.stratified_counts import StratifiedCounts, stratified_outcomes
from jaxcogc.runtime.signals import Interruption

if TYPE_CHECKING:
    from jaxcogc.figures import Figure, Look

Counts = OutcomeCounts | StratifiedCounts
_UNQUALIFIED = (
    "mean_rank",
    "num_recovered_pmf",
    "client_recovered",
    "gc_plus_weight",
    "row_space_weight",
    "plain_trials_worth",
)
"""Numbers without an interval; the last where trials were sorted into strata."""


class Counted(NamedTuple):
    """What was counted.

    Attributes:
      counts: of the settings in their order, those that were begun.
      first_law: of the first setting.
      seconds: that counting took.
      compile_seconds: before it.
      device: on which.
    """

    counts: list[Counts]
    first_law: ClosedForm
    seconds: float
    compile_seconds: float
    device: str

    @property
    def trials(self) -> int:
        """Of all settings."""
        return sum(each.trials for each in self.counts)


def report(
    request: OutageRequest, counted: Counted, interruption: Interruption, console: Console
) -> bool:
    """Write and print what was found; whether all of it could be written."""
    begun = request.settings[: len(counted.counts)]
    laws = [counted.first_law, *map(law_of, begun[1:])]
    found = enumerate(zip(counted.counts, laws, strict=True))
    points = [_point(request, place, *each) for place, each in found]
    measured = Measured(
        device=counted.device,
        elapsed_seconds=time.perf_counter() - request.started,
        compile_seconds=counted.compile_seconds,
        per_second=counted.trials / max(counted.seconds, 1e-9),
        interrupted=counted.trials < request.asked.trials * len(request.settings),
    )
    title = network_title(request)
    caption = _caption(request, counted, interrupted=measured.interrupted)
    # Numbers first: a terminal that is gone, or a picture that fails, takes nothing with it.
    if request.asked.json is not None or request.asked.csv is not None:
        rows = [
            _json_fields(request, setting, point, measured)
            for setting, point in zip(request.settings, points, strict=False)
        ]
        with interruption.shield:
            write_rows(request, rows)
    if not request.asked.quiet:
        cost = f"{measured.per_second:,.0f} trials/s on {measured.device}"
        table = _table(request, points, title, f"{caption}; {cost}", console.width)
        print_table(console, table, *EXPENDABLE)
    if request.asked.plot is None:
        return True
    with interruption.shield:
        draw = partial(_draw, request, points, caption)
        return write_picture("--plot", request.asked.plot, draw, request.asked)


def write_rows(request: OutageRequest, rows: Sequence[Mapping[str, Any]]) -> None:
    """The numbers of every setting, as JSON and as CSV, where they are asked for."""
    if request.asked.json is not None:
        several = len(request.settings) > 1
        write_json(request.asked.json, {"rows": rows} if several else rows[0], request.asked)
    if request.asked.csv is not None:
        write_csv(request.asked.csv, rows)


def law_of(setting: Setting) -> ClosedForm:
    """The closed form of a setting."""
    return closed_form(setting.network, setting.code, **setting.protocol)


def _point(request: OutageRequest, place: int, counts: Counts, law: ClosedForm) -> OutagePoint:
    setting, level = request.settings[place], request.asked.level
    if isinstance(counts, StratifiedCounts):
        outcomes = stratified_outcomes(counts, level=level)
    else:
        outcomes = outcomes_from_counts(counts, level=level, interval=request.asked.interval)
    return OutagePoint(
        x=along(request.axes).places[place] if request.axes else 0.0,
        outcomes=outcomes,
        closed_form=law,
        rounds=_successive_rounds(setting),
    )


def network_title(request: OutageRequest) -> str:
    """The network, the code and the attempts of a run, in words."""
    setting, varied = request.settings[0], {axis.name: axis for axis in request.axes}
    source = setting.source
    if "uplink_erasure" in varied or "peer_erasure" in varied:
        source = ", ".join(
            f"{name.replace('_', ' ')} {varied[name].text() if name in varied else f'{value:g}'}"
            for name, value in setting.asked.erasures().items()
        )
    parts = [f"{setting.network.num_clients} clients", source]
    if setting.network.reciprocal:
        parts.append("reciprocal links")
    parts += time_text(setting.dynamics, keep_heard=request.asked.keep_heard)
    parts.append(code_words(request.asked))
    silent = request.asked.code == "uncoded" or (
        request.asked.code_file is not None and request.asked.stragglers is None
    )
    if "stragglers" not in varied and not silent:
        parts[-1] += ", " + count_text(int(setting.code.num_stragglers), "straggler")
    attempts = count_text(request.asked.attempts, "attempt")
    if "attempts" in varied:
        attempts = f"{varied['attempts'].text()} attempts"
    parts.append(attempts + ", code redrawn" * request.asked.redraw_code)
    return " · ".join(parts)


def _caption(request: OutageRequest, counted: Counted, *, interrupted: bool) -> str:
    each = " each" if len(request.settings) > 1 else ""
    trials = f"{counted.counts[0].trials:,} trials{each}"
    if interrupted:
        trials = f"interrupted after {counted.trials:,} trials"
    level, name = level_text(request.asked.level), request.interval.title()
    return f"{level} {name} intervals; {trials}; seed {request.asked.seed}"


def _table(
    request: OutageRequest, points: list[OutagePoint], title: str, caption: str, width: int
) -> Table:
    if len(points) == 1:
        return outcome_table(points[0], title=title, caption=caption, width=width)
    axes = {axis.heading: axis.places for axis in request.axes}
    return sweep_table(points, axes, title=title, caption=caption)


def _draw(request: OutageRequest, points: list[OutagePoint], caption: str, look: Look) -> Figure:
    title = network_title(request)
    if len(points) == 1:
        return figures.plot_outcomes(points[0], title=title, caption=caption, look=look)
    across = along(request.axes)
    others = [axis for axis in request.axes if axis is not across]
    curves: dict[str, list[tuple[OutagePoint, Setting]]] = {}
    for place, point in enumerate(points):
        words = [axis.told(axis.places[place]) for axis in others]
        label = ", ".join(words) or count_text(request.asked.attempts, "attempt")
        curves.setdefault(label, []).append((point, request.settings[place]))
    return figures.plot_outage_curves(
        [_curve(label, found, across) for label, found in curves.items()],
        x_label=across.label,
        title=title,
        caption=caption,
        look=look,
    )


def _curve(
    label: str, found: Sequence[tuple[OutagePoint, Setting]], axis: Axis
) -> figures.OutageCurve:
    ascending = sorted(found, key=lambda pair: pair[0].x)
    points = [point for point, _ in ascending]
    law = _law_between(points, ascending[0][1], axis) if "erasure" in axis.name else []
    return figures.OutageCurve(label, points, law)


def _law_between(
    points: Sequence[OutagePoint], setting: Setting, axis: Axis
) -> list[tuple[float, float]]:
    """The closed form of standard decoding at the points and between them, where no line joins it.

    Probabilities are inputs of the law's program: what the points have compiled serves here too.
    """
    from jaxcogc.links.network import Network
    from jaxcogc.study.results.law_between import law_at, places_between

    clients, reciprocal = setting.network.num_clients, setting.network.reciprocal
    laws = [(point.x, point.closed_form.gc_outage) for point in points]
    known = [(x, float(law)) for x, law in laws if law is not None]
    found = list(known)
    for (low, _), (high, _) in itertools.pairwise(known):
        for x in places_between(low, high, len(known) - 1):
            erasures: Any = setting.asked.erasures() | {axis.name: x}
            network = Network.homogeneous(clients, reciprocal=reciprocal, **erasures)
            law = law_at(network, setting.code, setting.protocol)
            found += [] if law is None else [(x, law)]
    return sorted(found)


def _json_fields(
    request: OutageRequest, setting: Setting, point: OutagePoint, measured: Measured
) -> dict[str, Any]:
    numbers = outcomes_to_dict(point.outcomes)
    return {
        **setting.echo(numbers["trials"]),
        "interval": request.interval,
        "estimator": request.asked.estimator,
        **measured_fields(measured),
        **{name: numbers[name] for name in EVENTS},
        **closed_form_fields(point.closed_form),
        **_rounds_fields(point.rounds),
        **{name: numbers[name] for name in _UNQUALIFIED if name in numbers},
    }


def _successive_rounds(setting: Setting) -> SuccessiveRounds | None:
    dynamics, asked = setting.dynamics, setting.asked
    if dynamics is None or asked.keep_heard or asked.redraw_code:
        return None
    attempts = asked.attempts
    return successive_rounds(
        setting.network, setting.code, num_attempts=attempts, dynamics=dynamics
    )


def _rounds_fields(rounds: SuccessiveRounds | None) -> dict[str, float | None]:
    """How failures of successive rounds hang together; null where links do not remember."""
    names = ("gc_outage_two_rounds", "mean_hold_run", "failure_correlation")
    known = rounds or SuccessiveRounds(None, None, None)
    finite = (None if x is None or not math.isfinite(x) else x for x in known)
    return dict(zip(names, finite, strict=True))


def measured_fields(measured: Measured) -> dict[str, Any]:
    """The keys of a result file for how the run went."""
    return {
        "device": measured.device,
        **measured.times("trials"),
        "interrupted": measured.interrupted,
    }


def closed_form_fields(laws: ClosedForm) -> dict[str, Any]:
    """The keys of a result file for the exact laws; null where none is known."""
    found = {name: getattr(laws, name) for name in dict.fromkeys([*OUTAGES, *ClosedForm._fields])}
    return {
        f"{name}_closed_form": None if law is None else np.asarray(law, np.float64).tolist()
        for name, law in found.items()
    }
