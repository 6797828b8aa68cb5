"""What `jaxcogc schemes` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np

from jaxcogc.cli.schemes.options import ALL, SchemesOptions
from jaxcogc.cli.shared.code_options import check_redraw, read_code, sized_by_file
from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.link_options import read_dynamics, time_text
from jaxcogc.cli.shared.network_options import read_network
from jaxcogc.names import SCHEMES, SECURE_SCHEMES, hyphened

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
    _check_schemes(options)
    options = sized_by_file(options, options.code_file)
    network, source, _ = read_network(options)
    clients = network.num_clients
    if options.min_recovered > clients:
        raise rejected("--min-recovered", options.min_recovered, f"at most {clients} clients")
    if options.relay_window is not None and options.relay_window >= clients:
        raise rejected("--relay-window", options.relay_window, f"at most {clients - 1}")
    dynamics = read_dynamics(options, network)
    code = read_code(options, clients, options.seed)
    if options.masks == "field":
        from jaxcogc.federated.privacy.masks import check_field_masks

        with blame("--masks field"):
            check_field_masks(code)
    if options.redraw_code:
        from jaxcogc.coding.codes import redraw
        from jaxcogc.runtime.random_words import fold_in, seed_keys

        code = redraw(fold_in(seed_keys(options.seed)[0], 1), code, options.attempts)
    from jaxcogc.federated.aggregation.link_evidence import LinkPolicy

    policy = LinkPolicy(
        num_attempts=options.attempts,
        num_tries=options.retransmissions,
        placement=options.placement,
        keep_heard=options.keep_heard,
        min_recovered=options.min_recovered,
    )
    reason = _no_relays(options, network, dynamics)
    everything = ALL in options.scheme
    if reason is not None and "colrel" in options.scheme:
        raise UserError(f"--scheme colrel: {reason}")
    left_out = {"colrel": reason} if reason is not None and everything else {}
    asked = SCHEMES if everything else options.scheme
    parts = [f"{clients} clients", source, *time_text(dynamics, keep_heard=options.keep_heard)]
    return SchemesRequest(
        asked=options,
        schemes=tuple(name for name in asked if name not in left_out),
        left_out=left_out,
        network=network,
        code=code,
        dynamics=dynamics,
        policy=policy,
        title=" · ".join(parts),
        started=started,
    )


def _check_schemes(options: SchemesOptions) -> None:
    for number, name in enumerate(options.scheme):
        if name in options.scheme[:number]:
            raise rejected("--scheme", hyphened(name), "each scheme once")
    if options.masks != "field":
        return
    if options.differs("mask_ratio"):
        raise rejected("--mask-ratio", options.mask_ratio, "nothing with --masks field")
    if not {ALL, *SECURE_SCHEMES} & set(options.scheme):
        raise rejected("--masks", "field", "nothing without a secure scheme")


def _no_relays(
    options: SchemesOptions, network: Network, dynamics: LinkDynamics | None
) -> str | None:
    """Why no weights of relays fit; None where some do."""
    if options.keep_heard:
        return "its weights are those of attempts that forget, not of --keep-heard"
    if dynamics is not None and np.any(dynamics.block_probability):
        return "no weights of relays fit blocked clients"
    from jaxcogc.federated.aggregation.relaying import colrel_weights

    try:
        colrel_weights(network, objective="trace", window=options.relay_window)
    except ValueError as error:
        return str(error)
    return None
