"""What `jaxcogc design` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.loss_request import LossOptions, read_loss_constants, read_steps
from jaxcogc.cli.shared.network_request import NetworkOptions, read_network
from jaxcogc.cli.shared.outputs import check_target, read_targets
from jaxcogc.cli.shared.values import parse_choice, parse_count, parse_level, parse_number
from jaxcogc.study.specification.seeds import MAX_SEED

if TYPE_CHECKING:
    from jaxcogc.design.candidates import Accuracy
    from jaxcogc.links.network import Network

OBJECTIVES = ("uplink", "total", "privacy")
ORDERS = ("fixed", "random", "optimised")
MAX_ATTEMPTS = 8
"""Every number of attempts is a program to compile."""
MAX_TRIES = 1000
MAX_TRIALS = 10**9
MAX_CLIENTS = 64


@dataclasses.dataclass(frozen=True)
class DesignOptions(LossOptions, NetworkOptions):
    """The options as typed; None where an option was not given and its absence matters."""

    target: str
    objective: str
    order: str
    max_attempts: str
    max_tries: str
    broadcast: bool
    trials: str
    accuracy: str
    sensitivity: bool
    seed: str
    level: str
    json: str | None
    plot: str | None
    quiet: bool


@dataclasses.dataclass(frozen=True)
class DesignRequest:
    """A question that can be answered: every value is valid and the outputs can be written."""

    network: Network
    source: str
    """The network in words, for titles."""
    target: float
    objective: str
    order: str
    max_attempts: int
    max_tries: int
    broadcast: bool
    trials: int
    accuracy: Accuracy
    sensitivity: bool
    seed: int
    level: float
    json: str | None
    plot: Path | None
    quiet: bool
    started: float


def read_request(options: DesignOptions) -> DesignRequest:
    """Check the options, cheap ones first.

    Errors: UserError that names the option, its value and what is allowed.
    """
    started = time.perf_counter()
    target = parse_number("--target", options.target)
    if target >= 1.0:
        raise rejected("--target", options.target, "a probability strictly between 0 and 1")
    objective = parse_choice("--objective", options.objective, OBJECTIVES)
    order = parse_choice("--order", options.order, ORDERS)
    max_attempts = parse_count("--max-attempts", options.max_attempts, high=MAX_ATTEMPTS)
    max_tries = parse_count("--max-tries", options.max_tries, high=MAX_TRIES)
    trials = parse_count("--trials", options.trials, high=MAX_TRIALS)
    accuracy = parse_number("--accuracy", options.accuracy)
    constants = read_loss_constants(options)
    steps = read_steps(options)
    seed = parse_count("--seed", options.seed, low=0, high=MAX_SEED)
    level = parse_level("--level", options.level)
    check_target("--json", options.json)
    if options.plot is not None and not options.sensitivity:
        raise rejected("--plot", options.plot, "this option together with --sensitivity")
    plot = read_targets(options.json, options.plot)
    from jaxcogc.design.candidates import Accuracy
    from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants

    network, source = read_network(options)
    if network.num_clients > MAX_CLIENTS:
        raise rejected("--clients", network.num_clients, f"at most {MAX_CLIENTS} clients to design")
    if options.sensitivity and network.reciprocal:
        raise UserError(
            "--sensitivity with reciprocal links: allowed are independent links (a closed form)"
        )
    return DesignRequest(
        network=network,
        source=source,
        target=target,
        objective=objective,
        order=order,
        max_attempts=max_attempts,
        max_tries=max_tries,
        broadcast=options.broadcast,
        trials=trials,
        accuracy=Accuracy(accuracy, LossConstants(*constants), LocalSteps(1.0, *steps)),
        sensitivity=options.sensitivity,
        seed=seed,
        level=level,
        json=options.json,
        plot=plot,
        quiet=options.quiet,
        started=started,
    )
