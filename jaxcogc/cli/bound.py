"""`jaxcogc bound`: how many rounds does training need when rounds fail?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jaxcogc.cli.bound_request import PLACEMENTS, RHO_FORMS, SCHEMES, BoundOptions, read_request
from jaxcogc.cli.outage import (
    Attempts,
    Clients,
    Code,
    Json,
    Level,
    NetworkFile,
    PeerErasure,
    Quiet,
    Reciprocal,
    RedrawCode,
    Seed,
    UplinkErasure,
)


def _option(name: str, metavar: str, help: str) -> Any:
    return typer.Option(name, metavar=metavar, help=help)


_Text = str | None
Stragglers = Annotated[
    _Text,
    typer.Option(
        "--stragglers", metavar="S", help="Stragglers tolerated. [default: 7]", show_default=False
    ),
]
SchemeName = Annotated[str, _option("--scheme", "NAME", ", ".join(SCHEMES) + ".")]
Placement = Annotated[
    str,
    _option("--placement", "NAME", "Of the clients on the ring: fixed, or random every round."),
]
Rho = Annotated[
    str,
    _option("--rho", "NAME", "Spread of partial averages: " + ", ".join(RHO_FORMS) + "."),
]
Trials = Annotated[str, _option("--trials", "N", "Rounds to simulate where no law is known.")]
Smoothness = Annotated[str, _option("--smoothness", "L", "Of every client's loss.")]
GradientVariance = Annotated[
    str, _option("--gradient-variance", "V", "sigma^2, of a stochastic gradient.")
]
Heterogeneity = Annotated[
    str, _option("--heterogeneity", "Z", "zeta^2, mean of ||grad F_m - grad F||^2.")
]
InitialGap = Annotated[str, _option("--initial-gap", "G", "F(x_0) - F*.")]
LearningRate = Annotated[
    str, _option("--learning-rate", "ETA", "Of local steps; best: the one with the lowest bound.")
]
ServerLearningRate = Annotated[
    str, _option("--server-learning-rate", "GAMMA", "Times the aggregate.")
]
LocalSteps = Annotated[str, _option("--local-steps", "I", "Local steps of a round.")]
Rounds = Annotated[str, _option("--rounds", "R", "Rounds, those that fail included.")]
Target = Annotated[
    _Text,
    typer.Option(
        "--target",
        metavar="T",
        help="Rounds for the bound to fall to T; best: for the fewest rounds.",
        show_default=False,
    ),
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
    options = BoundOptions(**locals())
    request = read_request(options)
    from jaxcogc.cli.bound_run import run  # SciPy: only now, past --help and most mistakes

    return run(request)
