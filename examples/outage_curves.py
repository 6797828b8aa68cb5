"""Outage against peer erasure: what is left of gradient coding as the links between clients fail?

    python examples/outage_curves.py [FOLDER]

sweeps the peer erasure of a homogeneous network from 0 to 0.9, with one and with two attempts. One
compiled program serves a whole curve, because probabilities are its inputs; all points share their
random numbers, so the curves are smooth. Leaves a table and a picture in FOLDER (default: results).
"""

from functools import partial
from pathlib import Path

import jax
import numpy as np
from points import (
    attempts_text,
    compile_side_by_side,
    csv_row,
    leave_picture,
    leave_results,
    simulate_point,
    write_csv,
)

from jaxcogc import GradientCode, Network, Simulation, cyclic_code, gc_outage_probability
from jaxcogc.figures import OutageCurve, plot_outage_curves
from jaxcogc.outage import OutagePoint

NUM_CLIENTS, NUM_STRAGGLERS, UPLINK_ERASURE = 10, 7, 0.4
PEER_ERASURES = np.linspace(0.0, 0.9, 19)
ATTEMPTS = (1, 2)
NUM_TRIALS = 200_000
SEED = 0


def network_with(peer_erasure: float) -> Network:
    """The network of one point."""
    return Network.homogeneous(
        NUM_CLIENTS, uplink_erasure=UPLINK_ERASURE, peer_erasure=float(peer_erasure)
    )


def law(num_attempts: int) -> list[tuple[float, float]]:
    """The closed form of standard decoding, on a finer grid than that of the simulation."""
    fine = np.linspace(PEER_ERASURES[0], PEER_ERASURES[-1], 10 * (len(PEER_ERASURES) - 1) + 1)
    return [
        (float(p), float(gc_outage_probability(network_with(p), NUM_STRAGGLERS, num_attempts)))
        for p in fine
    ]


def sweep(
    trial_key: jax.Array, code: GradientCode, simulation: Simulation, num_attempts: int
) -> list[OutagePoint]:
    """All points of one curve, from one compilation."""
    print(
        f"outage curves, {attempts_text(num_attempts)}: compiled once, in "
        f"{simulation.compile_seconds:.1f} s, for {len(PEER_ERASURES)} points",
        flush=True,
    )
    return [
        simulate_point(
            simulation,
            trial_key,
            network_with(peer_erasure),
            code,
            x=float(peer_erasure),
            num_attempts=num_attempts,
            num_trials=NUM_TRIALS,
        )
        for peer_erasure in PEER_ERASURES
    ]


def outage_curves(folder: Path) -> list[tuple[Path, str]]:
    """Simulate, write the table and the picture; returns the files and what they show."""
    code_key, trial_key = jax.random.split(jax.random.key(SEED))
    code = cyclic_code(code_key, NUM_CLIENTS, NUM_STRAGGLERS)
    curves, rows = [], []
    simulations = compile_side_by_side(network_with(0.0), code, ATTEMPTS)
    for num_attempts, simulation in zip(ATTEMPTS, simulations, strict=True):
        points = sweep(trial_key, code, simulation, num_attempts)
        curves.append(OutageCurve(attempts_text(num_attempts), points, law(num_attempts)))
        rows += [
            csv_row(point, peer_erasure=round(point.x, 6), attempts=num_attempts)
            for point in points
        ]
    table, picture = folder / "outage-curves.csv", folder / "outage-curves.png"
    write_csv(table, rows)
    draw = partial(
        plot_outage_curves,
        curves,
        x_label="peer erasure probability",
        title=f"{NUM_CLIENTS} clients, cyclic code, {NUM_STRAGGLERS} stragglers, "
        f"uplink erasure {UPLINK_ERASURE}",
        caption=f"95 % Clopper-Pearson intervals; {NUM_TRIALS:,} trials a point, the same random "
        f"numbers at every point; seed {SEED}",
    )
    leave_picture(picture, draw)
    return [
        (table, "every outcome's probability by peer erasure and attempts"),
        (picture, "failures of the three decoders against the peer erasure"),
    ]


if __name__ == "__main__":
    leave_results(outage_curves)
