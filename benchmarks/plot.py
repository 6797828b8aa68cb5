"""The picture of the README, drawn from committed result files alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.report import short
from jaxcogc.figures import COLOURS, new_figure, write_figure

# By the beginning of a program's name: colour (Okabe and Ito's), mark, words for the legend.
_LOOKS = (
    ("jaxcogc, Pallas", "#56B4E9", "P", "jaxcogc, Pallas kernel"),
    ("jaxcogc", "#0072B2", "o", "jaxcogc"),
    ("numba", "#D55E00", "s", "Numba, written by hand"),
    ("jit(vmap", "#009E73", "^", "jit(vmap(jnp.linalg.pinv))"),
    ("np.linalg.pinv, batched", COLOURS["other"], "D", "np.linalg.pinv, batched"),
    ("np.linalg.pinv, Python", "#7F7F7F", "v", "np.linalg.pinv in a loop"),
)


def draw(results: Path, output: Path) -> None:
    """Draw decode.json, and beside it pipeline.json and scaling.json where there are any.

    Raises:
      ValueError: no decode.json, or a file that is not a result of ours.
    """
    found = {
        name: content
        for name in ("decode", "pipeline", "scaling")
        if (content := _read(results / f"{name}.json", name)) is not None
    }
    if "decode" not in found:
        raise ValueError(f"no decode.json in {results}: python -m benchmarks decode --json FILE")
    with new_figure("How fast?", _caption(found["decode"]), height=4.6) as figure:
        panels = figure.subplots(
            1, len(found), width_ratios=[1.35, 1, 1][: len(found)], squeeze=False
        )
        for axes, (name, content) in zip(panels[0], found.items(), strict=True):
            if name == "scaling":
                _trials(axes, content)
            else:
                unit = "stacks" if name == "decode" else "trials"
                text = {"decode": "Decode", "pipeline": "Draw to counts"}[name]
                _rates(axes, content, f"{text}: {unit}/s")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=5, fontsize=9.5)
        write_figure(figure, output)


def _read(path: Path, name: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        content = None
    if not isinstance(content, dict) or content.get("benchmark") != name:
        raise ValueError(f"{path.name} is not a result of `python -m benchmarks {name}`")
    return content


def _caption(result: dict[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    where = f"{machine['cpu']}, {machine['cores']} cores"
    if result["backend"] != "cpu":
        where = f"{result['device']}, beside {where}"
    return (
        f"Medians on {where}; jax {versions['jax']}, {result['date'][:10]}. "
        f"M clients, s stragglers, A attempts; every link is erased with probability 0.4."
    )


def _rates(axes: Axes, result: dict[str, Any], title: str) -> None:
    """One line of marks a shape, each program a little lower than the last; the number of ours."""
    cases = result["cases"]
    names = ["({clients}, {stragglers}, {attempts})".format(**case["shape"]) for case in cases]
    shown: set[str] = set()
    for row, case in enumerate(cases):
        rates = {name: program["rate"] for name, program in case["programs"].items()}
        for number, (name, rate) in enumerate(rates.items()):
            colour, marker, label = _look(name)
            axes.plot(
                rate, row + 0.14 * number, marker, color=colour, ms=8, mec="white", mew=0.8,
                ls="none",
                label="_" if label in shown else label, zorder=3,
            )  # fmt: skip
            shown.add(label)
        axes.annotate(
            short(rates["jaxcogc"]), (rates["jaxcogc"], row), xytext=(0, 9),
            textcoords="offset points", ha="center", color=_look("jaxcogc")[0], fontsize=9,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(cases)), names)
    axes.set(ylim=(len(cases) - 0.2, -0.6), title=title)
    axes.set_ylabel("(M, s, A)")
    axes.margins(x=0.12)


def _look(program: str) -> Sequence[str]:
    return next(look[1:] for look in _LOOKS if program.startswith(look[0]))


def _trials(axes: Axes, result: dict[str, Any]) -> None:
    """Seconds against trials, with the peak memory of each run."""
    runs = result["trials"]
    trials = [run["trials"] for run in runs]
    seconds = [run["trials"] / run["trials_per_second"] for run in runs]
    colour = _look("jaxcogc")[0]
    axes.loglog(trials, seconds, "o-", color=colour, mec="white", ms=8)
    for run, number, time in zip(runs, trials, seconds, strict=True):
        axes.annotate(
            f"{run['peak_memory_bytes'] / 1e6:.0f} MB", (number, time), xytext=(8, -11),
            textcoords="offset points", fontsize=9, color=COLOURS["note"],
        )  # fmt: skip
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set(title="Time and peak memory", xlabel="trials", ylabel="seconds")
    axes.tick_params(axis="x", labelsize=9)  # five labels side by side
    axes.margins(x=0.2, y=0.12)
