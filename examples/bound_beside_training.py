"""Is the convergence bound any good? Softmax regression on digits, measured against its bound.

    python examples/bound_beside_training.py [FOLDER]

Ten clients with uneven shares of the digits, links all alike. The constants of the losses are
estimated on the model and data, and ||grad F||^2 is measured in every round. Takes a minute and
leaves a picture in FOLDER (default: results).
"""

from functools import partial
from pathlib import Path

import jax
from points import leave_picture, leave_results

from jaxcogc import Network, cyclic_code, load_dataset, make_partition
from jaxcogc.federated import LinkPolicy, RoundSettings, draw_rounds
from jaxcogc.figures import bound_figure
from jaxcogc.training import BoundBeside, TrainingPlan, bound_beside_training

SCHEMES = ("gc", "gc_plus")
NUM_CLIENTS, NUM_STRAGGLERS = 10, 5
UPLINK, PEER = 0.2, 0.1
NUM_ROUNDS, NUM_DRAWN = 1000, 20_000
LEARNING_RATE = 0.003
SEEDS = (0, 1, 2)


def bound_beside() -> dict[str, BoundBeside]:
    """Train, measure and bound."""
    dataset = load_dataset("digits")
    network = Network.homogeneous(NUM_CLIENTS, uplink_erasure=UPLINK, peer_erasure=PEER)
    code = cyclic_code(jax.random.key(0), NUM_CLIENTS, NUM_STRAGGLERS)
    plan = TrainingPlan(
        dataset=dataset,
        partition=make_partition(0, dataset.train_labels, NUM_CLIENTS, kind="dirichlet", alpha=1.0),
        model="softmax",
        network=network,
        code=code,
        settings=RoundSettings(SCHEMES, LinkPolicy(), local_steps=5, batch_size=32),
        rounds=NUM_ROUNDS,
        seeds=SEEDS,
        learning_rate=LEARNING_RATE,
    )
    drawn = draw_rounds(jax.random.key(1), network, code, schemes=SCHEMES, num_trials=NUM_DRAWN)
    return bound_beside_training(plan, drawn)


def bound_picture(folder: Path) -> list[tuple[Path, str]]:
    """Print a line for each scheme; returns the picture's file and what it shows."""
    curves = bound_beside()
    for scheme, curve in curves.items():
        end = curve.measured[:, -1].mean()
        print(
            f"{scheme:8} held {curve.hold:.3f}, rho {curve.rho:.4f}: mean of ||grad F||^2 "
            f"{end:.4f} measured, at most {curve.bound[-1]:.4f} "
            f"({curve.bound[-1] / end:.1f} times as much)"
        )
    constants = next(iter(curves.values())).constants
    caption = (
        f"{NUM_CLIENTS} clients, softmax regression, s = {NUM_STRAGGLERS}, "
        f"uplink erasure {UPLINK}, peer erasure {PEER}; estimated L {constants.smoothness:.2f}, "
        f"sigma² {constants.gradient_variance:.2f}, zeta² {constants.heterogeneity:.2f}; "
        f"band: all {len(SEEDS)} seeds"
    )
    title = "A bound beside what it bounds: digits"
    path = folder / "bound-beside-training.png"
    leave_picture(path, partial(bound_figure, curves, title=title, caption=caption))
    return [(path, "the bound and the measured gradients, round by round")]


if __name__ == "__main__":
    leave_results(bound_picture)
