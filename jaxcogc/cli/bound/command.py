"""`jaxcogc bound`: how many rounds does training need when rounds fail?"""

from __future__ import annotations

from typing import Annotated

from jaxcogc.cli.bound.request import PLACEMENTS, RHO_FORMS, SCHEMES, BoundOptions, read_request
from jaxcogc.cli.shared.options import (
    Attempts,
    Clients,
    Code,
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
    RedrawCode,
    Seed,
    ServerLearningRate,
    Smoothness,
    Stragglers,
    Text,
    UplinkErasure,
    choice,
    option,
)

SchemeName = Annotated[str, choice("--scheme", SCHEMES)]
Placement = Annotated[
    str, option("--placement", "NAME", "Of the clients on the ring: fixed, or random every round.")
]
Rho = Annotated[str, choice("--rho", RHO_FORMS, "Spread of partial averages")]
Trials = Annotated[str, option("--trials", "N", "Rounds to simulate where no law is known.")]
LearningRate = Annotated[
    str, option("--learning-rate", "ETA", "Of local steps; best: the one with the lowest bound.")
]
Rounds = Annotated[str, option("--rounds", "R", "Rounds, those that fail included.")]
Target = Annotated[
    Text, option("--target", "T", "Rounds for the bound to fall to T; best: for the fewest rounds.")
]


def bound(
    clients: Clients = None,
    uplink_erasure: UplinkErasure = None,
    peer_erasure: PeerErasure = None,
    network: NetworkFile = None,
    reciprocal: Reciprocal = False,
    code: Code = "cyclic",
    stragglers: Stragglers = None,
    attempts: Attempts = "2",
    redraw_code: RedrawCode = False,
    scheme: SchemeName = SCHEMES[0],
    placement: Placement = PLACEMENTS[0],
    rho: Rho = "safe",
    smoothness: Smoothness = "1",
    gradient_variance: GradientVariance = "1",
    heterogeneity: Heterogeneity = "1",
    initial_gap: InitialGap = "1",
    learning_rate: LearningRate = "best",
    server_learning_rate: ServerLearningRate = "1",
    local_steps: LocalSteps = "5",
    rounds: Rounds = "1000",
    target: Target = None,
    trials: Trials = "1e5",
    seed: Seed = "0",
    level: Level = "0.95",
    json: Json = None,
    quiet: Quiet = False,
) -> int:
    """How fast can training be promised to converge when rounds fail?

    An upper bound on the mean of ||grad F||^2 over all rounds, from the smoothness of the losses,
    the variance and heterogeneity of gradients, the steps and the probability that a round is held.
    The derivation is in docs/convergence.md. For gc the closed form of the outage is taken where
    there is one; for gc-plus and row-space, and elsewhere, rounds are simulated.
    """
    request = read_request(BoundOptions(**locals()))
    from jaxcogc.cli.bound.run import run  # SciPy: only now, past --help and most mistakes

    return run(request)
