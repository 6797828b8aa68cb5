"""Which scheme learns most over links from good to bad, a round, a use and a second?

    python examples/schemes_on_digits.py [FOLDER]

Ten clients with one digit each, uplinks that lose 10 to 90 % of all messages, two attempts a round
of a code that repairs every third one: most other averages are over one or two clients. Every
scheme that matters, and every cure for such averages, from the same start over the same links.
Takes some minutes; leaves two tables and a picture in FOLDER (default: results).
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from digits_over_bad_links import train, training_plan
from points import leave_picture, leave_results, write_csv

from jaxcogc import Network, cyclic_code
from jaxcogc.figures import CURVE_COLOURS, Figure, new_figure
from jaxcogc.training import TrainingPlan

NUM_CLIENTS, NUM_STRAGGLERS, NUM_ATTEMPTS = 10, 3, 2
NETWORK = Network(
    np.linspace(0.1, 0.9, NUM_CLIENTS), np.where(np.eye(NUM_CLIENTS, dtype=bool), 0.0, 0.25)
)
ROUNDS, SEEDS = 200, tuple(range(4))
SCHEMES = (
    *("ideal", "intermittent", "intermittent+memory", "inverse_probability", "colrel"),
    *("implicit_gossip", "gc_plus", "gc_plus_unbiased", "gc_plus+memory", "row_space"),
    *("row_space_unbiased", "row_space+memory", "projected_memory", "secure_row_space"),
)
FEWEST = (3, 5)
"""Clients in an average, at least: `gc_plus` and `row_space` hold below it."""
DRAWN = {
    "ideal": ("black", "-", ""),
    "intermittent": (CURVE_COLOURS[1], "--", "o"),
    "intermittent+memory": (CURVE_COLOURS[1], "-", "s"),
    "colrel": (CURVE_COLOURS[4], "-", "^"),
    "implicit_gossip": (CURVE_COLOURS[5], "-", "v"),
    "row_space": (CURVE_COLOURS[2], "--", "D"),
    "row_space, at least 5": (CURVE_COLOURS[2], ":", "P"),
    "row_space+memory": (CURVE_COLOURS[2], "-", "X"),
    "projected_memory": (CURVE_COLOURS[0], "-", "*"),
    "secure_row_space": (CURVE_COLOURS[3], "-.", "<"),
}
"""Colour, line and mark of the curves in the picture; the table has all."""
COMPUTE_SECONDS, PEER_SECONDS, UPLINK_SECONDS = 1.0, 0.02, 0.1
"""Of a client's steps, a message between clients, one to the server: on one shared channel."""


class Curve(NamedTuple):
    """A scheme, evaluated after some rounds; means over seeds but for `accuracy`."""

    rounds: np.ndarray
    uses: np.ndarray
    seconds: np.ndarray
    accuracy: np.ndarray  # [seeds, evaluations]
    held: float
    recovered: float


def curves() -> dict[str, Curve]:
    """Train everything."""
    code = cyclic_code(jax.random.key(0), NUM_CLIENTS, NUM_STRAGGLERS)
    base = training_plan(NETWORK, code, classes_per_client=1)
    base = replace(base, rounds=ROUNDS, seeds=SEEDS)
    found = {}
    for fewest in (1, *FEWEST):
        policy = replace(base.settings.policy, num_attempts=NUM_ATTEMPTS, min_recovered=fewest)
        names = SCHEMES if fewest == 1 else ("gc_plus", "row_space")
        settings = replace(base.settings, schemes=names, policy=policy)
        for name, curve in _trained(replace(base, settings=settings)):
            found[name if fewest == 1 else f"{name}, at least {fewest}"] = curve
    return found


def _trained(plan: TrainingPlan) -> Iterator[tuple[str, Curve]]:
    metrics = train(plan).metrics
    for number, name in enumerate(plan.settings.schemes):
        peer, uplink, held, count = (
            np.asarray(x, float)[:, number].mean(axis=0)
            for x in (metrics.peer_uses, metrics.uplink_uses, metrics.hold, metrics.num_recovered)
        )
        accuracy = np.asarray(metrics.test["accuracy"])[:, number]
        done = np.flatnonzero(np.isfinite(accuracy[0]))
        seconds = COMPUTE_SECONDS + PEER_SECONDS * peer + UPLINK_SECONDS * uplink
        yield (
            name,
            Curve(
                done + 1,
                (peer + uplink).cumsum()[done],
                seconds.cumsum()[done],
                accuracy[:, done],
                float(held.mean()),
                float(count.mean()),
            ),
        )


def schemes_on_digits(folder: Path) -> list[tuple[Path, str]]:
    """The whole study; returns the files and what they show."""
    found = curves()
    table, summary = folder / "schemes-on-digits.csv", folder / "schemes-on-digits-summary.csv"
    picture = folder / "schemes-on-digits.png"
    rows = [
        {"scheme": name, "round": r, "uses": u, "seconds": s, "accuracy": a}
        for name, x in found.items()
        for r, u, s, a in zip(x.rounds, x.uses, x.seconds, x.accuracy.mean(axis=0), strict=True)
    ]
    write_csv(table, rows)
    write_csv(summary, [_summary(name, curve) for name, curve in found.items()])
    leave_picture(picture, partial(_draw, found))
    return [
        (table, "accuracy of every scheme against rounds, uses and seconds"),
        (summary, "every scheme in a few numbers"),
        (picture, "accuracy against rounds, uses and seconds"),
    ]


def _summary(name: str, curve: Curve) -> dict[str, object]:
    mean = curve.accuracy.mean(axis=0)
    late = curve.accuracy[:, curve.rounds > ROUNDS // 2]
    return {
        "scheme": name,
        "accuracy": round(float(mean[-1]), 3),
        "worst_seed": round(float(curve.accuracy[:, -1].min()), 3),
        "deepest_dip": round(float((np.maximum.accumulate(late, axis=1) - late).max()), 3),
        **{
            f"rounds_to_{level:g}": int(curve.rounds[mean >= level][0])
            if (mean >= level).any()
            else None
            for level in (0.5, 0.8)
        },
        "held": round(curve.held, 3),
        "recovered": round(curve.recovered, 2),
        "uses": round(float(curve.uses[-1] / curve.rounds[-1]), 1),
        "seconds": round(float(curve.seconds[-1] / curve.rounds[-1]), 2),
    }


def _draw(found: dict[str, Curve]) -> Figure:
    caption = (
        "digits, one a client; uplinks lose 10 to 90 %, links between clients 25 %; cyclic code, "
        f"s = {NUM_STRAGGLERS}, {NUM_ATTEMPTS} attempts; mean of {len(SEEDS)} seeds;\n"
        f"one shared channel: {COMPUTE_SECONDS:g} s of computing, {PEER_SECONDS:g} s a message "
        f"between clients, {UPLINK_SECONDS:g} s to the server"
    )
    title = "Every scheme over links from good to bad"
    with new_figure(title, caption, height=5.6) as figure:
        panels = figure.subplots(1, 3, sharey=True)
        names = {"rounds": "rounds", "uses": "uses of links", "seconds": "seconds"}
        for axes, (field, label) in zip(panels, names.items(), strict=True):
            drawn = {name: found[name] for name in DRAWN if name in found}
            for number, (name, curve) in enumerate(drawn.items()):
                colour, line, mark = DRAWN[name]
                look = {"color": colour, "ls": line, "marker": mark, "ms": 5}
                look["markevery"] = (number % 5, 5)  # of curves on each other all marks are seen
                spent = getattr(curve, field)
                axes.plot(spent, curve.accuracy.mean(axis=0), label=name, lw=1.6, **look)
            last = sorted(float(getattr(curve, field)[-1]) for curve in drawn.values())
            axes.set_xlim(0, last[-1])
            if field == "uses":  # schemes without a code need a tenth of the messages
                axes.set_xscale("log")
                axes.set_xlim(last[0] / len(found["ideal"].rounds), last[-1])
            axes.set_xlabel(label)
        panels[0].set_ylabel("test accuracy")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
    return figure


if __name__ == "__main__":
    leave_results(schemes_on_digits)
