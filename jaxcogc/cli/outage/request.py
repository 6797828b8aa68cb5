"""What `jaxcogc outage` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from jaxcogc.cli.outage.options import ECHOED, OutageOptions
from jaxcogc.cli.shared.code_options import check_redraw, read_codes, read_stragglers, sized_by_file
from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.link_options import read_dynamics
from jaxcogc.cli.shared.network_options import read_network
from jaxcogc.cli.shared.process_options import check_processes, join

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.links.memory import LinkDynamics
    from jaxcogc.links.network import Network


@dataclasses.dataclass(frozen=True)
class OutageRequest:
    """A run that can start: every output can be written.

    Attributes:
        asked: what was asked for; quiet and without outputs in a process that does not print.
        network: the links.
        source: the network in words, for titles.
        dynamics: how links hang together in time; None: they do not.
        codes: one for each number of stragglers.
        started: `time.perf_counter()` when the verb began.
    """

    asked: OutageOptions
    network: Network
    source: str
    dynamics: LinkDynamics | None
    codes: tuple[GradientCode, ...]
    started: float

    @property
    def in_time(self) -> dict[str, Any]:
        """How links hang together in time, as keywords of whatever draws links or knows laws."""
        return {"dynamics": self.dynamics, "keep_heard": self.asked.keep_heard}

    @property
    def interval(self) -> str:
        """The method of the intervals."""
        return "stratified " * (self.asked.estimator == "stratified") + self.asked.interval

    def echo(self, code: GradientCode, trials: int | None) -> dict[str, Any]:
        """The settings that the results of one code repeat, with the trials that were made."""
        from jaxcogc.links.memory import LinkDynamics

        return {
            "clients": self.network.num_clients,
            "stragglers": int(code.num_stragglers),
            **self.asked.plain("code", *ECHOED),
            "code": code.family,
            **(self.dynamics or LinkDynamics()).to_dict(),
            "trials": trials,
        }


def read_request(options: OutageOptions) -> OutageRequest:
    """Check what goes together, cheap mistakes first, and build the network and the codes.

    Errors: UserError that names the option, its value and what is allowed.
    """
    started = time.perf_counter()
    check_redraw(options)
    check_processes(options)
    _check_rare(options)
    options = sized_by_file(options, options.code_file)
    network, source, _ = read_network(options)
    dynamics = read_dynamics(options, network)
    _check_independent(options, dynamics)
    stragglers = read_stragglers(options, network.num_clients)
    if options.rare is not None and len(stragglers) > 1:
        raise rejected("--stragglers", options.stragglers, "one number with --rare")
    if not join(options):
        options = dataclasses.replace(options, json=None, csv=None, plot=None, quiet=True)
    codes = read_codes(options, network.num_clients, options.seed)
    request = OutageRequest(
        asked=options,
        network=network,
        source=source,
        dynamics=dynamics,
        codes=codes,
        started=started,
    )
    _check_strata(request)
    return request


def _check_strata(request: OutageRequest) -> None:
    """Strata need a law of their own and intervals of their own."""
    options = request.asked
    if options.estimator != "stratified":
        return
    for name in ("redraw_code", "keep_heard", "interval"):
        if options.differs(name):
            raise UserError(
                f"{options.flag(name)} with --estimator stratified: allowed is one of the two"
            )
    from jaxcogc.outage.stratified.known_strata import sort_cells

    for code in request.codes:
        with blame("--estimator stratified"):
            sort_cells(
                request.network, code, num_attempts=options.attempts, dynamics=request.dynamics
            )


def _check_independent(options: OutageOptions, dynamics: LinkDynamics | None) -> None:
    """Strata are those of independent links; what they cannot draw is refused."""
    if options.rare == "strata" and (dynamics is not None or options.keep_heard):
        raise UserError(
            "--rare strata with links that remember, blocked clients or --keep-heard: "
            "allowed are independent links, or --rare importance"
        )


def _check_rare(options: OutageOptions) -> None:
    """--rare has its own trials, intervals and table: what would say nothing is refused."""
    if options.rare is not None:
        for name in ("estimator", "interval", "kernel", "tile", "distributed"):
            if options.differs(name):
                flag = options.flag(name)
                raise UserError(f"{flag} with --rare {options.rare}: allowed is one of the two")
