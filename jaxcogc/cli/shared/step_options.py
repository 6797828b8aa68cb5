"""What a verb is told of the steps of training: their losses, and the seconds that they take."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from jaxcogc.allowed import NOT_NEGATIVE, POSITIVE, whole
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.options import Headings, Options, named, option
from jaxcogc.names import CHANNELS

if TYPE_CHECKING:
    from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants
    from jaxcogc.outage.laws.waiting_times import MessageSeconds


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class SecondsOptions(Options):
    """What steps and messages take; None where nothing is said of it."""

    headings: ClassVar[Headings] = (("compute_seconds", "Seconds"),)
    compute_seconds: float | None = option(
        "T", "Of the clients' steps, a round.", NOT_NEGATIVE, echoed=True
    )
    peer_seconds: float | None = option(
        "T", "Of a message between clients.", NOT_NEGATIVE, echoed=True
    )
    uplink_seconds: float | None = option(
        "T", "Of a message to the server.", NOT_NEGATIVE, echoed=True
    )
    channel: str = named(
        "Messages of a kind at once, or one after another", CHANNELS, "shared", echoed=True
    )

    def tell_seconds(self) -> bool:
        """Whether anything is said of the time that a round takes."""
        return (self.compute_seconds, self.peer_seconds, self.uplink_seconds) != (None,) * 3

    def check_seconds(self) -> None:
        """Raise UserError where a channel is asked for and nothing takes time."""
        if self.differs("channel") and not self.tell_seconds():
            raise UserError(f"--channel {self.channel}: allowed beside --uplink-seconds")

    def message_seconds(self) -> MessageSeconds | None:
        """The seconds of steps and messages; None where nothing is said of them."""
        if not self.tell_seconds():
            return None
        from jaxcogc.outage.laws.waiting_times import MessageSeconds

        given = self.compute_seconds, self.peer_seconds, self.uplink_seconds
        compute, peer, uplink = (value or 0.0 for value in given)
        return MessageSeconds(compute, peer, uplink, self.channel)
