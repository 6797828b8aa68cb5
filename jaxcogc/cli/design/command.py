"""`jaxcogc design`: which code, attempts, scheme and order are the cheapest for a target?"""

from __future__ import annotations

from typing import Annotated

from jaxcogc.cli.design.request import OBJECTIVES, ORDERS, DesignOptions, read_request
from jaxcogc.cli.shared.options import (
    Clients,
    GradientVariance,
    Heterogeneity,
    InitialGap,
    Json,
    Level,
    LocalSteps,
    NetworkFile,
    PeerErasure,
    Quiet,
    Reciprocal,
    Seed,
    ServerLearningRate,
    Smoothness,
    Text,
    UplinkErasure,
    choice,
    option,
)

Target = Annotated[str, option("--target", "P", "Largest probability of no exact average.")]
Objective = Annotated[
    str,
    option(
        "--objective",
        "NAME",
        "Least of: " + ", ".join(OBJECTIVES) + " (clients the server could read).",
    ),
]
Order = Annotated[str, choice("--order", ORDERS, "Of the clients on the ring")]
MaxAttempts = Annotated[str, option("--max-attempts", "A", "Attempts that a code may make.")]
MaxTries = Annotated[str, option("--max-tries", "N", "Tries of a client without a code.")]
Broadcast = Annotated[
    bool, option("--broadcast", None, "One use serves all neighbours of a client.")
]
Trials = Annotated[str, option("--trials", "N", "Trials for each finalist.")]
Accuracy = Annotated[str, option("--accuracy", "T", "Rounds for the bound to fall to T.")]
SensitivityFlag = Annotated[bool, option("--sensitivity", None, "Which link to repair first.")]
Plot = Annotated[
    Text, option("--plot", "FILE.png", "A heat map of the sensitivity (png, svg or pdf).")
]


def design(
    clients: Clients = None,
    uplink_erasure: UplinkErasure = None,
    peer_erasure: PeerErasure = None,
    network: NetworkFile = None,
    reciprocal: Reciprocal = False,
    target: Target = "1e-3",
    objective: Objective = "uplink",
    order: Order = "optimised",
    max_attempts: MaxAttempts = "2",
    max_tries: MaxTries = "8",
    broadcast: Broadcast = False,
    trials: Trials = "2e5",
    accuracy: Accuracy = "0.1",
    smoothness: Smoothness = "1",
    gradient_variance: GradientVariance = "1",
    heterogeneity: Heterogeneity = "1",
    initial_gap: InitialGap = "1",
    server_learning_rate: ServerLearningRate = "1",
    local_steps: LocalSteps = "5",
    sensitivity: SensitivityFlag = False,
    seed: Seed = "0",
    level: Level = "0.95",
    json: Json = None,
    plot: Plot = None,
    quiet: Quiet = False,
) -> int:
    """Which code, attempts, scheme and order are the cheapest for a target?

    Compares code families, stragglers, attempts and decoders, and retransmission and intermittent
    clients, at their expected uses of links. An outage is a round without the exact average.
    Closed forms and enumeration where they exist; else a short simulation of all codes, and a long
    one of the finalists. A target that nobody reaches is answered by the best found.
    """
    request = read_request(DesignOptions(**locals()))
    from jaxcogc.cli.design.run import run  # JAX and SciPy: only now, past most mistakes

    return run(request)
