"""What `jaxcogc design` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from jaxcogc.cli.design.options import DesignOptions
from jaxcogc.cli.shared.code_options import read_own_code, sized_by_file
from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.link_options import read_dynamics
from jaxcogc.cli.shared.network_options import read_network

if TYPE_CHECKING:
    from jaxcogc.coding.gradient_code import GradientCode
    from jaxcogc.design.rounds import Accuracy
    from jaxcogc.links.memory import LinkDynamics
    from jaxcogc.links.network import Network

MAX_CLIENTS = 64


@dataclasses.dataclass(frozen=True)
class DesignRequest:
    """A question that can be answered: the outputs can be written.

    Attributes:
      asked: what was asked.
      network: the links.
      source: the network in words, for titles.
      names: of the clients, where the network file has them.
      dynamics: how links hang together in time; None: they do not.
      accuracy: what training is to reach, for the numbers of rounds.
      own_code: to be tried beside the families; None: there is none.
      started: `time.perf_counter()` when the verb began.
    """

    asked: DesignOptions
    network: Network
    source: str
    names: tuple[str, ...] | None
    dynamics: LinkDynamics | None
    accuracy: Accuracy
    own_code: GradientCode | None
    started: float

    @property
    def client_names(self) -> tuple[str, ...]:
        """Names of the clients, numbers where they have none."""
        return self.names or tuple(map(str, range(self.network.num_clients)))


def read_request(options: DesignOptions) -> DesignRequest:
    """Check what goes together, cheap mistakes first, and build the network.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    started = time.perf_counter()
    if options.plot is not None and not options.sensitivity:
        raise rejected("--plot", options.plot, "only beside --sensitivity")
    options = sized_by_file(options, options.code_file)
    network, source, names = read_network(options)
    options.check_seconds()
    if options.objective == "seconds" and not options.tell_seconds():
        raise UserError(
            "--objective seconds without --compute-seconds, --peer-seconds or --uplink-seconds: "
            "allowed is one of them at least"
        )
    dynamics = read_dynamics(options, network)
    if network.num_clients > MAX_CLIENTS:
        raise rejected("--clients", network.num_clients, f"at most {MAX_CLIENTS} clients to design")
    if options.sensitivity and network.reciprocal:
        raise UserError(
            "--sensitivity with reciprocal links: allowed are independent links (a closed form)"
        )
    if options.sensitivity and (dynamics is not None or options.keep_heard):
        raise UserError(
            "--sensitivity with links that remember, blocked clients or --keep-heard: allowed are "
            "independent links"
        )
    if options.sensitivity and options.code_file is not None:
        raise UserError("--sensitivity with --code-file: allowed is one of the two (a closed form)")
    own_code = None
    if options.code_file is not None:
        own_code = read_own_code(options.code_file, network.num_clients)
    from jaxcogc.design.rounds import Accuracy

    accuracy = Accuracy(options.accuracy, options.constants(), options.steps())
    return DesignRequest(options, network, source, names, dynamics, accuracy, own_code, started)
