"""What `jaxcogc outage` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from jaxcogc.cli.outage.options import OutageOptions
from jaxcogc.cli.outage.sweep import Axis, axes_of, check_picture
from jaxcogc.cli.shared.code_options import check_redraw, read_codes, read_stragglers, sized_by_file
from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.link_options import read_dynamics
from jaxcogc.cli.shared.network_options import read_network
from jaxcogc.cli.shared.process_options import check_processes, join

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.links.memory import LinkDynamics
    from jaxcogc.links.network import Network
    from jaxcogc.outage.protocol import Protocol


@dataclasses.dataclass(frozen=True)
class Setting:
    """What one line of the results is about.

    Attributes:
      asked: what was asked for, one value of everything but the stragglers.
      network: the links.
      source: the network in words, for titles.
      dynamics: how links hang together in time; None: they do not.
      code: the code.
    """

    asked: OutageOptions
    network: Network
    source: str
    dynamics: LinkDynamics | None
    code: GradientCode

    @property
    def protocol(self) -> Protocol:
        """How a round goes, as keywords of whatever draws links or knows laws."""
        return {
            "num_attempts": self.asked.attempts,
            "redraw_code": self.asked.redraw_code,
            "dynamics": self.dynamics,
            "keep_heard": self.asked.keep_heard,
        }

    def echo(self, trials: int | None) -> dict[str, Any]:
        """What the results of this setting repeat, with the trials that were made."""
        from jaxcogc.links.memory import LinkDynamics

        return {
            "clients": self.network.num_clients,
            **self.asked.erasures(),
            "reciprocal": self.network.reciprocal,
            "stragglers": int(self.code.num_stragglers),
            **self.asked.echo(),
            "code": self.code.family,
            **(self.dynamics or LinkDynamics()).to_dict(),
            "trials": trials,
        }


@dataclasses.dataclass(frozen=True)
class OutageRequest:
    """A run that can start: every output can be written.

    Attributes:
      asked: what was asked for; quiet and without outputs in a process that does not print.
      settings: a line of the results each, in their order.
      axes: in what the settings differ.
      started: `time.perf_counter()` when the verb began.
    """

    asked: OutageOptions
    settings: tuple[Setting, ...]
    axes: tuple[Axis, ...]
    started: float

    @property
    def interval(self) -> str:
        """The method of the intervals."""
        return "stratified " * (self.asked.estimator == "stratified") + self.asked.interval


def read_request(options: OutageOptions) -> OutageRequest:
    """Check what goes together, cheap mistakes first, and build the networks and the codes.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    started = time.perf_counter()
    check_redraw(options)
    check_processes(options)
    _check_rare(options)
    options = sized_by_file(options, options.code_file)
    networks = [(asked, read_network(asked)) for asked in options.each()]
    num_clients = networks[0][1].network.num_clients
    dynamics = [read_dynamics(asked, named.network) for asked, named in networks]
    _check_independent(options, dynamics[0])
    stragglers = read_stragglers(options, num_clients)
    axes = axes_of(options, stragglers)
    if options.rare is not None and axes:
        typed = ",".join(f"{value:g}" for value in axes[0].values)
        raise rejected(options.flag(axes[0].name), typed, "one number with --rare")
    if options.plot is not None:
        check_picture(axes)
    if not join(options):
        options = dataclasses.replace(options, json=None, csv=None, plot=None, quiet=True)
    codes = read_codes(options, num_clients, options.seed)
    settings = tuple(
        Setting(asked, named.network, named.source, in_time, code)
        for (asked, named), in_time in zip(networks, dynamics, strict=True)
        for code in codes
    )
    request = OutageRequest(options, settings, axes, started)
    _check_strata(request)
    _check_kernel(request)
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

    for setting in request.settings:
        attempts = setting.asked.attempts
        with blame("--estimator stratified"):
            sort_cells(
                setting.network, setting.code, num_attempts=attempts, dynamics=setting.dynamics
            )


def _check_kernel(request: OutageRequest) -> None:
    """The fused kernel serves some shapes on some devices."""
    if request.asked.kernel != "fused":
        return
    from jaxcogc.outage.simulation.kernels.fused_limits import why_not_fused
    from jaxcogc.outage.simulation.program_inputs import run_shape

    strata = int(request.asked.estimator == "stratified")
    for setting in request.settings:
        shape = run_shape(setting.network, setting.code, **setting.protocol)
        reason = why_not_fused(shape._replace(strata=strata), setting.code)
        if reason is not None:
            raise rejected("--kernel", "fused", f"auto or xla here: it {reason}")


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
