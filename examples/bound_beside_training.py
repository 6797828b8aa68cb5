"""Is the convergence bound any good? Softmax regression on digits, measured against its bound.

    python examples/bound_beside_training.py [FOLDER]

Ten clients with uneven shares of the digits, links all alike. The constants of the losses are
estimated on the model and data, and ||grad F||^2 is measured in every round. Takes a minute and
leaves a picture in FOLDER (default: results).
"""

import sys
from pathlib import Path

import jax

from jaxcogc import Network, cyclic_code, load_dataset, make_partition
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
from jaxcogc.federated.convergence.partial_averages import draw_rounds
from jaxcogc.federated.rounds.experiment import RoundSettings
from jaxcogc.figures import bound_figure, write_figure
from jaxcogc.training.bound_and_run import BoundBeside, bound_beside_training
from jaxcogc.training.plan import TrainingPlan

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


def main(folder: Path) -> None:
    """Print a line for each scheme and leave the picture."""
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
    figure = bound_figure(curves, title="A bound beside what it bounds: digits", caption=caption)
    path = folder / "bound-beside-training.png"
    write_figure(figure, path)
    print(f"{path}: the bound and the measured gradients, round by round")


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "results")
    target.mkdir(parents=True, exist_ok=True)
    main(target)
