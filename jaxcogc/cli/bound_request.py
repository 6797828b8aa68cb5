"""What `jaxcogc bound` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jaxcogc.cli.errors import UserError, blame
from jaxcogc.cli.network_request import read_network, read_stragglers
from jaxcogc.cli.options import (
    parse_choice,
    parse_count,
    parse_level,
    parse_number,
)
from jaxcogc.cli.outage_request import build_code
from jaxcogc.cli.outputs import check_target
from jaxcogc.study.seeds import CODES, MAX_SEED

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.federated.convergence import LocalSteps, LossConstants
    from jaxcogc.links.network import Network

SCHEMES = ("gc", "gc-plus", "row-space")
RHO_FORMS = ("uniform", "safe", "simulated")
PLACEMENTS = ("fixed", "random")
MAX_ROUNDS = 10**12
MAX_TRIALS = 10**7
"""Every one is kept until the end."""


@dataclasses.dataclass(frozen=True)
class BoundOptions:
    """The options as typed; None where an option was not given and its absence matters."""

    clients: str | None
    uplink_erasure: str | None
    peer_erasure: str | None
    network: str | None
    reciprocal: bool
    code: str
    stragglers: str | None
    attempts: str
    redraw_code: bool
    scheme: str
    placement: str
    rho: str
    smoothness: str
    gradient_variance: str
    heterogeneity: str
    initial_gap: str
    learning_rate: str
    server_learning_rate: str
    local_steps: str
    rounds: str
    target: str | None
    trials: str
    seed: str
    level: str
    json: str | None
    quiet: bool


@dataclasses.dataclass(frozen=True)
class BoundRequest:
    """A question that can be answered: every value is valid and the output can be written."""

    network: Network
    source: str
    """The network in words, for titles."""
    code: GradientCode
    attempts: int
    redraw_code: bool
    scheme: str
    """As in Python: gc, gc_plus, row_space."""
    placement: str
    rho: str
    losses: LossConstants
    steps: LocalSteps
    best: bool
    """The learning rate is to be chosen; that of `steps` means nothing."""
    rounds: int
    target: float | None
    trials: int
    seed: int
    level: float
    json: str | None
    quiet: bool


def read_request(options: BoundOptions) -> BoundRequest:
    """Check the options, cheap ones first.

    Errors: UserError that names the option, its value and what is allowed.
    """
    family = parse_choice("--code", options.code, CODES)
    if options.redraw_code and family != "cyclic":
        raise UserError(f"--redraw-code with --code {family}: allowed is --code cyclic only")
    scheme = parse_choice("--scheme", options.scheme, SCHEMES).replace("-", "_")
    placement = parse_choice("--placement", options.placement, PLACEMENTS)
    rho = parse_choice("--rho", options.rho, RHO_FORMS)
    best = options.learning_rate == "best"
    rate = 1.0 if best else _learning_rate(options.learning_rate)
    gamma = parse_number("--server-learning-rate", options.server_learning_rate)
    steps_taken = parse_count("--local-steps", options.local_steps, high=10**6)
    smoothness = parse_number("--smoothness", options.smoothness)
    variance = parse_number("--gradient-variance", options.gradient_variance, zero=True)
    heterogeneity = parse_number("--heterogeneity", options.heterogeneity, zero=True)
    gap = parse_number("--initial-gap", options.initial_gap, zero=True)
    target = None if options.target is None else parse_number("--target", options.target)
    rounds = parse_count("--rounds", options.rounds, high=MAX_ROUNDS)
    trials = parse_count("--trials", options.trials, high=MAX_TRIALS)
    seed = parse_count("--seed", options.seed, low=0, high=MAX_SEED)
    level = parse_level("--level", options.level)
    check_target("--json", options.json)
    from jaxcogc.federated.convergence import LocalSteps, LossConstants
    from jaxcogc.links.sampling import MAX_ATTEMPTS  # JAX, from here on

    attempts = parse_count("--attempts", options.attempts, high=MAX_ATTEMPTS)
    network, source = read_network(options)
    stragglers = read_stragglers(options, family, network.num_clients)
    if len(stragglers) > 1:
        raise UserError(f"--stragglers = {options.stragglers}: allowed is one number")
    code = build_code(family, network.num_clients, stragglers[0], seed)
    if scheme != "gc":
        from jaxcogc.federated.partial_averages import check_theorem_applies

        with blame(f"--scheme {options.scheme} --rho {rho} --placement {placement}"):
            check_theorem_applies(network, code, form=rho, placement=placement)
    return BoundRequest(
        network=network,
        source=source,
        code=code,
        attempts=attempts,
        redraw_code=options.redraw_code,
        scheme=scheme,
        placement=placement,
        rho=rho,
        losses=LossConstants(smoothness, variance, heterogeneity, gap),
        steps=LocalSteps(rate, gamma, steps_taken),
        best=best,
        rounds=rounds,
        target=target,
        trials=trials,
        seed=seed,
        level=level,
        json=options.json,
        quiet=options.quiet,
    )


def _learning_rate(text: str) -> float:
    try:
        return parse_number("--learning-rate", text)
    except UserError as error:
        raise UserError(f"{error}, or best") from None
