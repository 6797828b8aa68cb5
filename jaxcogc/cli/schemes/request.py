"""What `jaxcogc schemes` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from jaxcogc.cli.schemes.options import SchemesOptions
from jaxcogc.cli.shared.code_options import check_redraw, read_code, redrawn, sized_by_file
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.link_options import read_dynamics, time_text
from jaxcogc.cli.shared.network_options import read_network
from jaxcogc.cli.shared.scheme_options import ALL, check_names, check_schemes, no_relays
from jaxcogc.names import SCHEMES

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
    from jaxcogc.links.memory import LinkDynamics
    from jaxcogc.links.network import Network


@dataclasses.dataclass(frozen=True)
class SchemesRequest:
    """A question that can be answered.

    Attributes:
      asked: what was asked.
      schemes: to compare.
      left_out: schemes that do not fit what was asked, by name with the reason.
      network, code, dynamics, policy: of the rounds.
      title: the network in words.
      started: `time.perf_counter()` when the verb began.
    """

    asked: SchemesOptions
    schemes: tuple[str, ...]
    left_out: dict[str, str]
    network: Network
    code: GradientCode
    dynamics: LinkDynamics | None
    policy: LinkPolicy
    title: str
    started: float


def read_request(options: SchemesOptions) -> SchemesRequest:
    """Check what goes together, and build the network and the code.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    started = time.perf_counter()
    check_redraw(options)
    check_names(options.scheme)
    options = sized_by_file(options, options.code_file)
    network, source, _ = read_network(options)
    dynamics = read_dynamics(options, network)
    code = read_code(options, network.num_clients, options.seed)
    everything = ALL in options.scheme
    asked = SCHEMES if everything else options.scheme
    check_schemes(options, asked, code)
    reason = no_relays(options, network, dynamics) if "colrel" in asked else None
    if reason is not None and "colrel" in options.scheme:
        raise UserError(f"--scheme colrel: {reason}")
    left_out = {} if reason is None else {"colrel": reason}
    parts = [
        f"{network.num_clients} clients",
        source,
        *time_text(dynamics, keep_heard=options.keep_heard),
    ]
    return SchemesRequest(
        asked=options,
        schemes=tuple(name for name in asked if name not in left_out),
        left_out=left_out,
        network=network,
        code=redrawn(options, code, options.seed),
        dynamics=dynamics,
        policy=options.policy(),
        title=" · ".join(parts),
        started=started,
    )
