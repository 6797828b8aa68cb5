"""What a verb is told of the losses and of the steps of training."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from jaxcogc.allowed import NOT_NEGATIVE, POSITIVE, whole
from jaxcogc.cli.shared.options import Headings, Options, option

if TYPE_CHECKING:
    from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossOptions(Options):
    """The constants of the convergence bounds."""

    headings: ClassVar[Headings] = (("smoothness", "Losses and steps, for the bound"),)
    smoothness: float = option("L", "Of every client's loss.", POSITIVE, 1.0, shown="1")
    gradient_variance: float = option(
        "V", "sigma^2, of a stochastic gradient.", NOT_NEGATIVE, 1.0, shown="1"
    )
    heterogeneity: float = option(
        "Z", "zeta^2, mean of ||grad F_m - grad F||^2.", NOT_NEGATIVE, 1.0, shown="1"
    )
    initial_gap: float = option("G", "F(x_0) - F*.", NOT_NEGATIVE, 1.0, shown="1")
    server_learning_rate: float = option("GAMMA", "Times the aggregate.", POSITIVE, 1.0, shown="1")
    local_steps: int = option("I", "Local steps of a round.", whole(1, 10**6), 5)

    def constants(self) -> LossConstants:
        """The constants of the losses."""
        from jaxcogc.federated.convergence.bound import LossConstants

        return LossConstants(
            self.smoothness, self.gradient_variance, self.heterogeneity, self.initial_gap
        )

    def steps(self, learning_rate: float = 1.0) -> LocalSteps:
        """The steps of a round."""
        from jaxcogc.federated.convergence.bound import LocalSteps

        return LocalSteps(learning_rate, self.server_learning_rate, self.local_steps)
