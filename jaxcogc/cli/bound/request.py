"""What `jaxcogc bound` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jaxcogc.cli.bound.options import BEST, UNBIASED, BoundOptions
from jaxcogc.cli.shared.code_options import check_redraw, read_code
from jaxcogc.cli.shared.errors import blame, rejected
from jaxcogc.cli.shared.network_options import read_network
from jaxcogc.names import DECODERS, hyphened

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

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    check_redraw(options)
    network, source, _ = read_network(options)
    code = read_code(options, network.num_clients, options.seed)
    if options.scheme in DECODERS and options.scheme != "gc":
        from jaxcogc.federated.convergence.partial_averages import check_theorem_applies

        asked = f"--scheme {hyphened(options.scheme)}"
        with blame(f"{asked} --rho {options.rho} --placement {options.placement}"):
            check_theorem_applies(network, code, form=options.rho, placement=options.placement)
    if options.scheme in UNBIASED:
        _check_unbiased(options, network)
    rate = options.learning_rate
    return BoundRequest(
        asked=options,
        network=network,
        source=source,
        code=code,
        losses=options.constants(),
        steps=options.steps(rate if isinstance(rate, float) else 1.0),
    )


def _check_unbiased(options: BoundOptions, network: Network) -> None:
    """Raise a UserError unless every client can be heard, and nothing asked for means nothing."""
    for name in ("rho", "placement"):
        if options.differs(name):
            allowed = f"nothing with --scheme {hyphened(options.scheme)}"
            raise rejected(options.flag(name), getattr(options, name), allowed)
    from jaxcogc.federated.aggregation.relaying import colrel_weights

    window = 0 if options.scheme == "inverse_probability" else None
    with blame(f"--scheme {hyphened(options.scheme)}"):
        colrel_weights(network, objective="trace", window=window)
