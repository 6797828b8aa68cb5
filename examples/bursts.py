"""What do bursts do at the same mean erasure? Runs of held rounds, and learning through them.

    python examples/bursts.py [FOLDER]

Links fade for longer or shorter times, but are erased equally often: with one attempt a round the
server holds equally often, too. What changes is how long it holds without a break. Leaves two
tables and two pictures in FOLDER (default: results).
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from digits_over_bad_links import train, training_plan
from points import leave_picture, leave_results, write_csv

from jaxcogc import LinkDynamics, Network, cyclic_code, gc_outage_probability
from jaxcogc.figures import CURVE_COLOURS, Figure, new_figure
from jaxcogc.outage import successive_rounds

NUM_CLIENTS, NUM_STRAGGLERS = 10, 7
NETWORK = Network.homogeneous(NUM_CLIENTS, uplink_erasure=0.4, peer_erasure=0.2)
MEMORIES = (0.0, 0.8, 0.95)
STYLES = dict(zip(MEMORIES, ("o-", "s--", "^:"), strict=True))
LONGEST = 60
NUM_SERVERS, NUM_ROUNDS = 400, 2000
TRAINED_ROUNDS, SEEDS = 120, tuple(range(12))


def held_rounds(memory: float, seed: int = 0) -> np.ndarray:
    """Whether servers hold, round by round, link by link in NumPy: bool [servers, rounds]."""
    generator = np.random.default_rng(seed)
    places = np.arange(NUM_CLIENTS)
    support = (places[:, None] + np.arange(NUM_STRAGGLERS + 1)) % NUM_CLIENTS
    erasure = np.array(NETWORK.peer_erasure)
    np.fill_diagonal(erasure, NETWORK.uplink_erasure)
    bad = erasure[places[:, None], support]
    state = generator.random((NUM_SERVERS, *bad.shape)) < bad
    held = np.empty((NUM_SERVERS, NUM_ROUNDS), bool)
    for number in range(NUM_ROUNDS):
        held[:, number] = (~state).all(axis=2).sum(axis=1) < NUM_CLIENTS - NUM_STRAGGLERS
        anew = generator.random(state.shape) >= memory
        state = np.where(anew, generator.random(state.shape) < bad, state)
    return held


def run_lengths(held: np.ndarray) -> np.ndarray:
    """Lengths of all runs of held rounds, one server after another."""
    padded = np.pad(held, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(padded, axis=1)
    begins, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    return np.asarray(ends[:, 1] - begins[:, 1])


def runs(folder: Path) -> list[tuple[Path, str]]:
    """How long servers hold: counted, and the mean by its law."""
    code = cyclic_code(jax.random.key(0), NUM_CLIENTS, NUM_STRAGGLERS)
    outage = float(gc_outage_probability(NETWORK, NUM_STRAGGLERS))
    rows, curves = [], {}
    for memory in MEMORIES:
        lengths = run_lengths(held_rounds(memory))
        law = successive_rounds(NETWORK, code, dynamics=LinkDynamics(memory=memory))
        print(
            f"memory {memory:g}: held {outage:.3f} of the rounds, {lengths.mean():.2f} in a row, "
            f"by the law {law.mean_hold_run:.2f}",
            flush=True,
        )
        curves[memory] = [float((lengths >= n).mean()) for n in range(1, LONGEST + 1)]
        for n, share in enumerate(curves[memory], 1):
            rows.append({"memory": memory, "rounds": n, "share_at_least": share})
    table, picture = folder / "bursts-runs.csv", folder / "bursts-runs.png"
    write_csv(table, rows)
    leave_picture(picture, partial(_draw_runs, curves, outage))
    return [
        (table, "runs of held rounds with and without bursts"),
        (picture, "runs of held rounds with and without bursts, at the same mean erasure"),
    ]


def _draw_runs(curves: dict[float, list[float]], outage: float) -> Figure:
    with new_figure(
        f"The server holds {outage:.0%} of the rounds: how many in a row?",
        f"{NUM_CLIENTS} clients, standard decoding, s = {NUM_STRAGGLERS}, one attempt; all links "
        f"erased equally often; {NUM_SERVERS * NUM_ROUNDS:,} rounds a curve",
        height=4.4,
    ) as figure:
        axes = figure.subplots()
        numbers = np.arange(1, LONGEST + 1)
        for colour, (memory, shares) in zip(CURVE_COLOURS, curves.items(), strict=False):
            seen = np.where(np.array(shares) > 0, shares, np.nan)
            style: dict[str, Any] = {"color": colour, "ms": 4, "markevery": 4}
            axes.plot(numbers, seen, STYLES[memory], **style, label=f"memory {memory:g}")
        axes.set_yscale("log")
        axes.set_ylim(1e-4, 1.3)
        axes.set_xlabel("held rounds in a row, at least")
        axes.set_ylabel("share of all runs")
        axes.legend(title="links from round to round")
    return figure


def learning(folder: Path) -> list[tuple[Path, str]]:
    """Digits, one a client, standard decoding: accuracy with and without bursts."""
    code = cyclic_code(jax.random.key(0), NUM_CLIENTS, NUM_STRAGGLERS)
    base = training_plan(NETWORK, code, classes_per_client=1)
    once = replace(base.settings.policy, num_attempts=1)
    plain = replace(
        base,
        settings=replace(base.settings, schemes=("gc",), policy=once),
        rounds=TRAINED_ROUNDS,
        seeds=SEEDS,
    )
    curves, rows = {}, []
    for memory in (MEMORIES[0], MEMORIES[-1]):
        plan = replace(plain, dynamics=LinkDynamics(memory=memory))
        accuracy = np.asarray(train(plan).metrics.test["accuracy"])[:, 0]
        done = np.flatnonzero(np.isfinite(accuracy[0]))
        curves[memory] = (done + 1, accuracy[:, done])
        for seed, values in zip(plan.seeds, accuracy[:, done], strict=True):
            for number, value in zip(done + 1, values, strict=True):
                row = {"memory": memory, "seed": seed, "round": int(number)}
                rows.append(row | {"test_accuracy": float(value)})
    table, picture = folder / "bursts-learning.csv", folder / "bursts-learning.png"
    write_csv(table, rows)
    leave_picture(picture, partial(_draw_learning, curves))
    return [
        (table, "accuracy with and without bursts"),
        (picture, "accuracy with and without bursts, at the same mean erasure"),
    ]


def _draw_learning(curves: dict[float, tuple[np.ndarray, np.ndarray]]) -> Figure:
    with new_figure(
        "The same mean erasure, with and without bursts",
        f"digits, one a client; standard decoding, s = {NUM_STRAGGLERS}, one attempt; thick: mean "
        f"of {len(SEEDS)} seeds, thin: each of them",
        height=4.4,
    ) as figure:
        axes = figure.subplots()
        for colour, (memory, (numbers, accuracy)) in zip(
            CURVE_COLOURS, curves.items(), strict=False
        ):
            axes.plot(numbers, accuracy.T, color=colour, lw=0.6, alpha=0.35)
            style: dict[str, Any] = {"color": colour, "ms": 4, "markevery": 3, "lw": 2}
            mean = accuracy.mean(axis=0)
            axes.plot(numbers, mean, STYLES[memory], **style, label=f"memory {memory:g}")
        axes.set_xlabel("rounds")
        axes.set_ylabel("test accuracy")
        axes.legend(title="links from round to round", loc="upper left")
    return figure


def bursts(folder: Path) -> list[tuple[Path, str]]:
    """Both pictures; returns the files and what they show."""
    return [*runs(folder), *learning(folder)]


if __name__ == "__main__":
    leave_results(bursts)
