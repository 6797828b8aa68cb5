"""What `jaxcogc bound` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jaxcogc.cli.bound.options import BEST, BoundOptions
from jaxcogc.cli.shared.code_options import check_redraw, read_code
from jaxcogc.cli.shared.errors import blame
from jaxcogc.cli.shared.network_options import read_network
from jaxcogc.names import hyphened

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants
    from jaxcogc.links.network import Network


@dataclasses.dataclass(frozen=True)
class BoundRequest:
    """A question that can be answered: the output can be written.

    Attributes:
        asked: what was asked.
        network: the links.
        source: the network in words, for titles.
        code: the gradient code.
        losses: the constants of the losses.
        steps: of a round; their learning rate means nothing where the best one is to be found.
    """

    asked: BoundOptions
    network: Network
    source: str
    code: GradientCode
    losses: LossConstants
    steps: LocalSteps

    @property
    def best(self) -> bool:
        """Whether the learning rate is to be chosen."""
        return self.asked.learning_rate == BEST


def read_request(options: BoundOptions) -> BoundRequest:
    """Check what goes together, cheap mistakes first, and build the network and the code.

    Errors: UserError that names the option, its value and what is allowed.
    """
    check_redraw(options)
    network, source, _ = read_network(options)
    code = read_code(options, network.num_clients, options.seed)
    if options.scheme != "gc":
        from jaxcogc.federated.convergence.partial_averages import check_theorem_applies

        asked = f"--scheme {hyphened(options.scheme)}"
        with blame(f"{asked} --rho {options.rho} --placement {options.placement}"):
            check_theorem_applies(network, code, form=options.rho, placement=options.placement)
    rate = options.learning_rate
    return BoundRequest(
        asked=options,
        network=network,
        source=source,
        code=code,
        losses=options.constants(),
        steps=options.steps(rate if isinstance(rate, float) else 1.0),
    )
