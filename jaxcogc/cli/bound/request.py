"""What `jaxcogc bound` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jaxcogc.cli.shared.code_request import CodeOptions, check_redraw, read_code
from jaxcogc.cli.shared.errors import UserError, blame
from jaxcogc.cli.shared.loss_request import LossOptions, read_loss_constants, read_steps
from jaxcogc.cli.shared.network_request import read_network
from jaxcogc.cli.shared.outputs import check_target
from jaxcogc.cli.shared.values import parse_choice, parse_count, parse_level, parse_number
from jaxcogc.study.specification.seeds import CODES, MAX_SEED

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants
    from jaxcogc.links.network import Network

SCHEMES = ("gc", "gc-plus", "row-space")
RHO_FORMS = ("uniform", "safe", "simulated")
PLACEMENTS = ("fixed", "random")
MAX_ROUNDS = 10**12
MAX_TRIALS = 10**7
"""Every one is kept until the end."""


@dataclasses.dataclass(frozen=True)
class BoundOptions(LossOptions, CodeOptions):
    """The options as typed; None where an option was not given and its absence matters."""

    scheme: str
    placement: str
    rho: str
    learning_rate: str
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
    parse_choice("--code", options.code, CODES)
    check_redraw(options)
    scheme = parse_choice("--scheme", options.scheme, SCHEMES).replace("-", "_")
    placement = parse_choice("--placement", options.placement, PLACEMENTS)
    rho = parse_choice("--rho", options.rho, RHO_FORMS)
    best = options.learning_rate == "best"
    rate = 1.0 if best else _learning_rate(options.learning_rate)
    steps = read_steps(options)
    constants = read_loss_constants(options)
    target = None if options.target is None else parse_number("--target", options.target)
    rounds = parse_count("--rounds", options.rounds, high=MAX_ROUNDS)
    trials = parse_count("--trials", options.trials, high=MAX_TRIALS)
    seed = parse_count("--seed", options.seed, low=0, high=MAX_SEED)
    level = parse_level("--level", options.level)
    check_target("--json", options.json)
    from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants
    from jaxcogc.links.draws import MAX_ATTEMPTS  # JAX, from here on

    attempts = parse_count("--attempts", options.attempts, high=MAX_ATTEMPTS)
    network, source = read_network(options)
    code = read_code(options, network.num_clients, seed)
    if scheme != "gc":
        from jaxcogc.federated.convergence.partial_averages import check_theorem_applies

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
        losses=LossConstants(*constants),
        steps=LocalSteps(rate, *steps),
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
