"""What a verb was told of the losses and of the steps of training."""

from __future__ import annotations

import dataclasses

from jaxcogc.cli.shared.values import parse_count, parse_number


@dataclasses.dataclass(frozen=True)
class LossOptions:
    """The options as typed."""

    smoothness: str
    gradient_variance: str
    heterogeneity: str
    initial_gap: str
    server_learning_rate: str
    local_steps: str


def read_loss_constants(options: LossOptions) -> tuple[float, float, float, float]:
    """The fields of `LossConstants`, in order; its module is slow to import.

    Errors: UserError that names the option, its value and what is allowed.
    """
    return (
        parse_number("--smoothness", options.smoothness),
        parse_number("--gradient-variance", options.gradient_variance, zero=True),
        parse_number("--heterogeneity", options.heterogeneity, zero=True),
        parse_number("--initial-gap", options.initial_gap, zero=True),
    )


def read_steps(options: LossOptions) -> tuple[float, int]:
    """The server's learning rate, and the local steps of a round.

    Errors: UserError that names the option, its value and what is allowed.
    """
    rate = parse_number("--server-learning-rate", options.server_learning_rate)
    return rate, parse_count("--local-steps", options.local_steps, high=10**6)
