"""How a round goes: the keywords that programs, laws and enumeration have in common."""

from __future__ import annotations

from typing import TypedDict

from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.checks import check_same_clients
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network

__all__ = ["LinkUse", "Protocol", "check_code_fits"]


class LinkUse(TypedDict):
    """How a round uses its links.

    Attributes:
      num_attempts: attempts a round.
      dynamics: how links remember, and who is blocked; None: independent links.
      keep_heard: clients keep what they heard in earlier attempts.
    """

    num_attempts: int
    dynamics: LinkDynamics | None
    keep_heard: bool


class Protocol(LinkUse):
    """How a round uses its links and its code.

    Attributes:
      redraw_code: another code of the same random family in every attempt.
    """

    redraw_code: bool


def check_code_fits(network: Network, code: GradientCode, num_attempts: int) -> None:
    """Raise a ValueError unless a code has the network's clients, and no other attempts."""
    check_same_clients(code.num_clients, network.num_clients)
    if code.redrawn and len(code.field_matrix) != num_attempts:
        raise ValueError(
            f"num_attempts = {num_attempts}: allowed is {len(code.field_matrix)}, for which the "
            "code was redrawn"
        )
