"""What do lost updates do to learning? Ten clients, one digit each, uplinks from good to bad.

    python examples/digits_over_bad_links.py [FOLDER]

Each client alone holds the images of one digit, and the uplinks of some lose up to nine messages
of ten. Averaging whoever arrives then learns the digits of the well connected; a code between the
clients repairs that. Every scheme and seed is trained in one compiled program. Leaves a table and a
picture in FOLDER (default: results).
"""

from functools import partial
from pathlib import Path

import jax
import numpy as np
from points import leave_picture, leave_results

from jaxcogc import GradientCode, Network, cyclic_code, load_dataset, make_partition
from jaxcogc.federated import LinkPolicy, RoundSettings
from jaxcogc.figures import accuracy_figure
from jaxcogc.runtime import write_atomically
from jaxcogc.training import Trained, TrainingPlan, compile_training, metrics_csv, summarize

SCHEMES = ("ideal", "intermittent", "gc", "gc_plus", "row_space")
NUM_CLIENTS, NUM_STRAGGLERS, NUM_ATTEMPTS = 10, 7, 2
NUM_ROUNDS, SEEDS = 100, tuple(range(8))


def bad_links() -> Network:
    """Uplinks that lose 0 to 90 %, links between clients that lose 25 % of all messages."""
    uplink = np.linspace(0.0, 0.9, NUM_CLIENTS)
    return Network(uplink, np.where(np.eye(NUM_CLIENTS), 0.0, 0.25))


def training_plan(network: Network, code: GradientCode, *, classes_per_client: int) -> TrainingPlan:
    """Digits, a small network of neurons, five local steps a round."""
    dataset = load_dataset("digits")
    settings = RoundSettings(
        SCHEMES,
        policy=LinkPolicy(num_attempts=NUM_ATTEMPTS),
        reciprocal=network.reciprocal,
        local_steps=5,
        batch_size=32,
        evaluate_every=4,
    )
    partition = make_partition(
        0,
        dataset.train_labels,
        network.num_clients,
        kind="shards",
        classes_per_client=classes_per_client,
    )
    return TrainingPlan(
        dataset=dataset,
        partition=partition,
        model="mlp",
        network=network,
        code=code,
        settings=settings,
        rounds=NUM_ROUNDS,
        seeds=SEEDS,
        learning_rate=0.1,
    )


def train(plan: TrainingPlan) -> Trained:
    """Compile and train, and say how long it took."""
    compiled = compile_training(plan)
    runs = f"{len(plan.settings.schemes)} schemes x {len(plan.seeds)} seeds"
    print(f"training, {runs}: compiled once, in {compiled.compile_seconds:.1f} s", flush=True)
    trained = compiled.start()
    for later in compiled.blocks(trained):
        trained = later
    for name, row in summarize(plan, trained).items():
        print(
            f"  {name:14} test accuracy {row.test['accuracy'].mean:.3f}, "
            f"held {row.hold_fraction:.3f}, "
            f"{row.uplink_uses:.0f} uplink and {row.peer_uses:.0f} peer uses a round"
        )
    return trained


def leave(plan: TrainingPlan, trained: Trained, name: str, title: str, folder: Path) -> list:
    """Write the table and the picture; returns the files and what they show."""
    table, picture = folder / f"{name}.csv", folder / f"{name}.png"
    write_atomically(table, metrics_csv(plan, trained))
    caption = f"mean and 95 % Student-t interval (of the logit) over {len(plan.seeds)} seeds"
    draw = partial(accuracy_figure, plan, trained, title=title, caption=caption)
    leave_picture(picture, draw)
    return [
        (table, f"{title}: every round of every scheme and seed"),
        (picture, f"{title}: accuracy against rounds and uplink uses"),
    ]


def digits_over_bad_links(folder: Path) -> list[tuple[Path, str]]:
    """The whole comparison; returns the files and what they show."""
    code = cyclic_code(jax.random.key(0), NUM_CLIENTS, NUM_STRAGGLERS)
    plan = training_plan(bad_links(), code, classes_per_client=1)
    title = "one digit a client, uplinks from good to bad"
    return leave(plan, train(plan), "digits-over-bad-links", title, folder)


if __name__ == "__main__":
    leave_results(digits_over_bad_links)
