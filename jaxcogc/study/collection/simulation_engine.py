"""What counts the blocks of a study: the compiled Monte Carlo program, kept per shape.

`SimulationEngine` is a `BlockCounter`; what its methods do is said there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from jaxcogc.coding.codes import GradientCode, make_code
from jaxcogc.links.network import Network
from jaxcogc.links.thresholds import LinkKind, link_kind
from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.outage.laws.closed_form import closed_form
from jaxcogc.outage.protocol import Protocol
from jaxcogc.outage.simulation.block_words import redrawn_code, run_words
from jaxcogc.outage.simulation.blocks import BlockSimulation, CountedBlocks, compile_blocks
from jaxcogc.outage.simulation.program_inputs import Run, prepare_run
from jaxcogc.runtime.random_words import seed_keys
from jaxcogc.study.specification.point import CodeText, Point


def code_of(point: Point) -> GradientCode:
    """A code, built once for all points that have it."""
    if point.own_code is not None:
        return _own_code(point.own_code, point.stragglers)
    return _family_code(point.family, point.num_clients, point.stragglers, point.seed)


@lru_cache(maxsize=256)
def _family_code(family: str, num_clients: int, num_stragglers: int, seed: int) -> GradientCode:
    return make_code(family, num_clients, num_stragglers, key=seed_keys(seed)[0])


@lru_cache(maxsize=256)
def _own_code(own: CodeText, num_stragglers: int) -> GradientCode:
    return GradientCode.from_matrix(own.matrix(), num_stragglers)


class Setting(NamedTuple):
    """A point as the engine takes it."""

    network: Network
    code: GradientCode
    protocol: Protocol

    @property
    def kind(self) -> LinkKind:
        """How its links are drawn."""
        how = self.protocol
        return link_kind(self.network, how["dynamics"], keep_heard=how["keep_heard"])


def setting_of(point: Point) -> Setting:
    """The network, code and protocol of a point."""
    code = code_of(point)
    protocol = Protocol(
        num_attempts=point.attempts,
        redraw_code=point.redraw_code,
        dynamics=point.time.dynamics(),
        keep_heard=point.keep_heard,
    )
    return Setting(point.network(), code, protocol)


def code_for_run(point: Point, code: GradientCode) -> GradientCode:
    """The code with every attempt's own coefficients, where the point redraws them."""
    if not point.redraw_code:
        return code
    return redrawn_code(seed_keys(point.seed)[1], code, point.attempts)


@lru_cache(maxsize=256)
def run_of(point: Point) -> Run:
    """What all blocks of a point share, prepared once."""
    setting = setting_of(point)
    code = code_for_run(point, setting.code)
    words, dynamics = _words_of(point.seed), setting.protocol["dynamics"]
    return prepare_run(words, setting.network, code, dynamics=dynamics, kind=setting.kind)


@lru_cache(maxsize=4096)
def program_of(point: Point) -> Hashable:
    """What points that share a compiled program have in common, if it serves their codes."""
    if point.time.text:
        kind = setting_of(point).kind
    else:  # without building the network of each of many points
        kind = LinkKind(reciprocal=point.links.reciprocal, keeps=point.keep_heard)
    modulus = None if point.own_code is None else code_of(point).modulus
    return point.num_clients, point.family, modulus, point.attempts, point.redraw_code, kind


@lru_cache(maxsize=256)
def _words_of(seed: int) -> np.ndarray:
    return run_words(seed_keys(seed)[1])


class SimulationEngine:
    """The Monte Carlo engine of this package on all (or some) devices."""

    def __init__(self, devices: Sequence[Any] | None = None) -> None:
        self._devices = devices
        self._programs: dict[Hashable, list[BlockSimulation]] = {}

    def _ready(self, point: Point) -> BlockSimulation | None:
        """A program that serves a point, if it is compiled."""
        programs = self._programs.get(program_of(point), [])
        return next((program for program in programs if program.serves(code_of(point))), None)

    def _program(self, point: Point) -> BlockSimulation:
        ready = self._ready(point)
        if ready is not None:
            return ready
        network, code, protocol = setting_of(point)
        compiled = compile_blocks(network, code, **protocol, devices=self._devices)
        self._programs.setdefault(program_of(point), []).append(compiled)
        return compiled

    def is_ready(self, point: Point) -> bool:
        """See `BlockCounter`."""
        return self._ready(point) is not None

    def prepare(self, point: Point) -> float:
        """See `BlockCounter`."""
        return self._program(point).compile_seconds

    def most_blocks(self, point: Point) -> int:
        """See `BlockCounter`."""
        return self._program(point).most_blocks

    def start(self, point: Point, first: int, num: int) -> Callable[[], list[OutcomeCounts]]:
        """See `BlockCounter`."""
        wait = self._start(point, first, num)
        return lambda: wait().counts

    def _start(self, point: Point, first: int, num: int) -> Callable[[], CountedBlocks]:
        return self._program(point).start(run_of(point), first, num)

    def event_position(self, point: Point, block: int, outcome: str, nth: int) -> int:
        """See `BlockCounter`."""
        return int(np.flatnonzero(self.events(point, block, outcome))[nth - 1])

    def events(self, point: Point, block: int, outcome: str) -> np.ndarray:
        """In which trials of a block an outcome happened: bool [trials]."""
        return self._start(point, block, 1)().happened.events(np.logical_not)[outcome]

    def closed_form(self, point: Point) -> float | None:
        """See `BlockCounter`."""
        network, code, protocol = setting_of(point)
        laws = closed_form(network, code, **protocol)
        return None if laws.gc_outage is None else float(laws.gc_outage)

    def device(self) -> str:
        """See `BlockCounter`."""
        import jax

        from jaxcogc.runtime.devices import describe_devices

        devices = jax.devices() if self._devices is None else self._devices
        return describe_devices(devices).replace(", ", " + ")
