"""What `jaxcogc outage` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcogc.cli.shared.code_request import CodeOptions, build_code, check_redraw, read_stragglers
from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.network_request import read_network
from jaxcogc.cli.shared.outputs import read_targets
from jaxcogc.cli.shared.processes import join, read_processes
from jaxcogc.cli.shared.values import parse_choice, parse_count, parse_level, parse_power_of_two
from jaxcogc.study.specification.seeds import CODES, MAX_SEED

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.links.network import Network

INTERVALS = ("clopper-pearson", "wilson")
KERNELS = ("xla", "pallas")
RARE = ("importance", "strata")
MAX_TILE = 2**14
"""A block: what keys and counts go by."""


@dataclasses.dataclass(frozen=True)
class OutageOptions(CodeOptions):
    """The options as typed; None where an option was not given and its absence matters."""

    trials: str
    seed: str
    level: str
    interval: str
    json: str | None
    plot: str | None
    rare: str | None
    kernel: str
    tile: str | None
    distributed: bool
    coordinator: str | None
    num_processes: str | None
    process_id: str | None
    quiet: bool


@dataclasses.dataclass(frozen=True)
class OutageRequest:
    """A run that can start: every value is valid and every output can be written."""

    network: Network
    source: str
    """The network in words, for titles."""
    codes: tuple[GradientCode, ...]
    """One code for each number of stragglers."""
    family: str
    attempts: int
    redraw_code: bool
    trials: int
    seed: int
    level: float
    interval: str
    json: str | None
    plot: Path | None
    rare: str | None
    """The method for rare outcomes; None counts plain trials."""
    kernel: str
    tile: int | None
    quiet: bool
    started: float
    """`time.perf_counter()` when the verb began."""


def read_request(options: OutageOptions) -> OutageRequest:
    """Check the options, cheap ones first.

    Errors: UserError that names the option, its value and what is allowed.
    """
    started = time.perf_counter()
    family = parse_choice("--code", options.code, CODES)
    check_redraw(options)
    trials = parse_count("--trials", options.trials)
    seed = parse_count("--seed", options.seed, low=0, high=MAX_SEED)
    level = parse_level("--level", options.level)
    interval = parse_choice("--interval", options.interval, INTERVALS)
    kernel = parse_choice("--kernel", options.kernel, KERNELS)
    tile = None if options.tile is None else parse_power_of_two("--tile", options.tile, MAX_TILE)
    processes = read_processes(
        options.distributed, options.coordinator, options.num_processes, options.process_id
    )
    _check_rare(options)
    plot = read_targets(options.json, options.plot)
    from jaxcogc.links.draws import MAX_ATTEMPTS  # JAX, from here on

    attempts = parse_count("--attempts", options.attempts, high=MAX_ATTEMPTS)
    network, source = read_network(options)
    stragglers = read_stragglers(options, network.num_clients)
    for name, given in (("--json", options.json), ("--rare", options.rare)):
        if given is not None and len(stragglers) > 1:
            raise rejected("--stragglers", options.stragglers, f"one number with {name}")
    prints = join(processes)
    return OutageRequest(
        network=network,
        source=source,
        codes=tuple(build_code(family, network.num_clients, s, seed) for s in stragglers),
        family=family,
        attempts=attempts,
        redraw_code=options.redraw_code,
        trials=trials,
        seed=seed,
        level=level,
        interval=interval,
        json=options.json if prints else None,
        plot=plot if prints else None,
        rare=options.rare,
        kernel=kernel,
        tile=tile,
        quiet=options.quiet or not prints,
        started=started,
    )


def _check_rare(options: OutageOptions) -> None:
    """--rare has its own trials, intervals and table: what would say nothing is refused."""
    if options.rare is None:
        return
    parse_choice("--rare", options.rare, RARE)
    for name, given, plain in (
        ("--interval", options.interval, "clopper-pearson"),
        ("--plot", options.plot, None),
        ("--kernel", options.kernel, "xla"),
        ("--tile", options.tile, None),
        ("--distributed", options.distributed, False),
    ):
        if given != plain:
            raise UserError(f"{name} with --rare {options.rare}: allowed is one of the two")
