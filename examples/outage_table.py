"""How many stragglers should the code tolerate, and does a second attempt pay?

    python examples/outage_table.py NETWORK.json [FOLDER]

simulates one network for several numbers of stragglers, with one and with two attempts, and leaves
a table (CSV) and a picture (PNG) in FOLDER (default: results).
"""

import sys
from functools import partial
from pathlib import Path

import jax
from points import (
    attempts_text,
    compile_side_by_side,
    csv_row,
    leave_picture,
    leave_results,
    simulate_point,
    write_csv,
)

from jaxcogc import Network, cyclic_code
from jaxcogc.figures import OutageCurve, plot_outage_curves

ATTEMPTS = (1, 2)
NUM_TRIALS = 100_000
SEED = 0


def outage_table(name: str, network: Network, folder: Path) -> list[tuple[Path, str]]:
    """Simulate, write `name`.csv and `name`.png; returns the files and what they show."""
    code_key, trial_key = jax.random.split(jax.random.key(SEED))
    curves, rows = [], []
    codes = [
        cyclic_code(code_key, network.num_clients, s) for s in range(1, network.num_clients, 2)
    ]
    simulations = compile_side_by_side(network, codes[0], ATTEMPTS)
    for num_attempts, simulation in zip(ATTEMPTS, simulations, strict=True):
        points = []
        for code in codes:
            s = int(code.num_stragglers)
            points.append(
                simulate_point(
                    simulation,
                    trial_key,
                    network,
                    code,
                    x=s,
                    num_attempts=num_attempts,
                    num_trials=NUM_TRIALS,
                )
            )
            rows.append(csv_row(points[-1], network=name, stragglers=s, attempts=num_attempts))
        label = attempts_text(num_attempts)
        curves.append(OutageCurve(label, points))
        print(f"{name}, {label}: compiled in {simulation.compile_seconds:.1f} s", flush=True)
    table, picture = folder / f"{name}.csv", folder / f"{name}.png"
    write_csv(table, rows)
    draw = partial(
        plot_outage_curves,
        curves,
        x_label="stragglers s that the cyclic code tolerates",
        title=f"{name}: {network.num_clients} clients, cyclic code",
        caption=f"95 % Clopper-Pearson intervals; {NUM_TRIALS:,} trials a point; seed {SEED}",
    )
    leave_picture(picture, draw)
    return [
        (table, f"{name}: every outcome's probability by stragglers and attempts"),
        (picture, f"{name}: failures of the three decoders against the number of stragglers"),
    ]


if __name__ == "__main__":
    network_file = Path(sys.argv[1])
    network = Network.from_json(network_file)
    leave_results(lambda folder: outage_table(network_file.stem, network, folder), 2)
