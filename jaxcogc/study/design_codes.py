"""The codes a design may use, and how often each recovers: exactly, or by simulation.

One compiled program a number of attempts serves all families, stragglers and orders: every code is
taken over one prime field (that of the cyclic MDS codes), with coefficients of its own for every
attempt, and the standard decoder is decided by the rows themselves rather than by counting them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np

from jaxcogc._types import Key
from jaxcogc.coding import codes
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.conditioning import host_generator
from jaxcogc.coding.constructions import cyclic_residues
from jaxcogc.coding.host_field import largest_prime_one_mod
from jaxcogc.links.network import Network
from jaxcogc.outage.closed_form import closed_form_gc_outage
from jaxcogc.outage.counts import OutcomeCounts, Outcomes, outcomes_from_counts
from jaxcogc.outage.enumeration import MAX_RANDOM_LINKS, enumerate_outcomes
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.monte_carlo import Simulation, compile_simulation
from jaxcogc.outage.random_links import random_links
from jaxcogc.study.ring_order import best_order, reorder

__all__ = ["CodeConfig", "Evaluation", "Evaluator", "code_configs"]

Order = tuple[int, ...]


class CodeConfig(NamedTuple):
    """A code and how it is used.

    Attributes:
        family: "cyclic", "cyclic-mds", "fractional-repetition" or "uncoded".
        stragglers: s.
        attempts: A.
        redraw_code: another code in every attempt.
        order: place i of the ring holds client order[i].
    """

    family: str
    stragglers: int
    attempts: int
    redraw_code: bool
    order: Order


class Evaluation(NamedTuple):
    """How often a code recovers the exact average.

    Attributes:
        config: the code.
        outage: by decoder ("gc", "gc_plus", "row_space"), the probability of no exact average.
        num_revealed: mean number of clients whose update the server could read, |K|.
        trials: trials it rests on; None when all of it is exact.
    """

    config: CodeConfig
    outage: dict[str, Estimate]
    num_revealed: float
    trials: int | None


def code_configs(network: Network, max_attempts: int, order: str) -> list[CodeConfig]:
    """All codes of a network's size: every family, number of stragglers and of attempts.

    A code that another family has too is there once: s = 0 as uncoded, s = M - 1 as cyclic.

    Args:
        network: the network, in the clients' own order.
        max_attempts: attempts 1 .. max_attempts.
        order: "fixed" keeps the clients' own order; "optimised" looks for one with few outages.
    """
    clients = network.num_clients
    own = tuple(range(clients))
    cyclic = [("cyclic", s) for s in range(1, clients)]
    blocks = [("fractional-repetition", s) for s in range(1, clients - 1) if clients % (s + 1) == 0]
    mds = [("cyclic-mds", s) for s in range(1, clients - 1) if (clients - s) % 2 == 1]
    configs = []
    for attempts in range(1, max_attempts + 1):
        found: dict[tuple[str, int], Order] = {}
        for family, s in [("uncoded", 0), *cyclic, *blocks, *mds]:
            kind = "blocks" if family == "fractional-repetition" else "cyclic"
            if order == "optimised" and (kind, s) not in found:
                starts = tuple(v for (k, t), v in found.items() if k == kind and t == s - 1)
                search = best_order(network, s, attempts, kind=kind, starts=starts)
                found[kind, s] = search.order
            place = found.get((kind, s), own)
            configs.append(CodeConfig(family, s, attempts, False, place))
            if family == "cyclic" and attempts > 1 and s < clients - 1:
                configs.append(CodeConfig(family, s, attempts, True, place))
    return configs


class Evaluator:
    """Evaluates codes on a network: exactly where that is possible, else by simulation.

    Args:
        key: of the codes and of all trials; every simulation uses the same random numbers.
        network: the network, in the clients' own order.
        level: confidence level of the intervals.
    """

    def __init__(self, key: Key, network: Network, level: float) -> None:
        self._code_key, self._trial_key = jax.random.split(key)
        self._network = network
        self._level = level
        self._modulus = largest_prime_one_mod(network.num_clients)
        self._simulations: dict[int, Simulation] = {}

    def compile(self, configs: list[CodeConfig]) -> None:
        """Compile the programs that these codes need, side by side."""
        needed = sorted({c.attempts for c in configs if not self.can_enumerate(c)})
        missing = [attempts for attempts in needed if attempts not in self._simulations]

        def compiled(attempts: int) -> Simulation:
            plain = CodeConfig("uncoded", 0, attempts, False, ())
            return compile_simulation(self._network, self._field_code(plain), num_attempts=attempts)

        with ThreadPoolExecutor(max_workers=2) as pool:
            found = pool.map(compiled, missing)
            self._simulations.update(zip(missing, found, strict=True))

    def can_enumerate(self, config: CodeConfig) -> bool:
        """Whether all link patterns of a code can be looked at."""
        place = reorder(self._network, config.order)
        links, _ = random_links(place, self._field_code(config), config.attempts)
        return len(links) <= MAX_RANDOM_LINKS

    def gc_law(self, config: CodeConfig) -> float | None:
        """The closed form of standard decoding, where one is known."""
        return closed_form_gc_outage(
            reorder(self._network, config.order),
            self._code(config.family, config.stragglers),
            num_attempts=config.attempts,
            redraw_code=config.redraw_code,
        )

    def evaluate(
        self, config: CodeConfig, num_trials: int, advance: Callable[[int], None]
    ) -> Evaluation:
        """Outage of every decoder, and what is revealed.

        Args:
            config: the code.
            num_trials: trials, where the code has to be simulated.
            advance: called with the number of trials just done.
        """
        place = reorder(self._network, config.order)
        code = self._field_code(config)
        if self.can_enumerate(config):
            exact = enumerate_outcomes(place, code, num_attempts=config.attempts)
            advance(num_trials)
            return _evaluation(config, exact, self.gc_law(config))
        total = OutcomeCounts.zero(place.num_clients)
        simulation = self._simulations[config.attempts]
        for counts in simulation.counts(self._trial_key, place, code, num_trials):
            total = total + counts
            advance(counts.trials)
        outcomes = outcomes_from_counts(total, level=self._level)
        return _evaluation(config, outcomes, self.gc_law(config))

    def _code(self, family: str, stragglers: int) -> GradientCode:
        clients = self._network.num_clients
        if family == "cyclic":
            return codes.cyclic_code(self._code_key, clients, stragglers, num_draws=1)
        if family == "cyclic-mds":
            return codes.cyclic_mds_code(clients, stragglers)
        if family == "fractional-repetition":
            return codes.fractional_repetition_code(clients, stragglers)
        return codes.uncoded(clients)

    def _field_code(self, config: CodeConfig) -> GradientCode:
        """The code with coefficients for every attempt, over the one field of all families."""
        code = self._code(config.family, config.stragglers)
        generator = host_generator(self._code_key)
        clients, s = code.num_clients, config.stragglers
        fields: list[np.ndarray] = []
        for attempt in range(config.attempts):
            if attempt and not config.redraw_code:
                fields.append(fields[0])
            elif config.family == "cyclic" and 0 < s < clients - 1:
                fields.append(cyclic_residues(generator, clients, s, self._modulus))
            else:
                fields.append(code.field_matrix)
        return dataclasses.replace(
            code,
            matrix=np.broadcast_to(code.matrix, (config.attempts, clients, clients)),
            field_matrix=np.array(fields, np.uint32),
            family="custom",  # no family has a program of its own
            modulus=self._modulus,
        )


def _evaluation(config: CodeConfig, outcomes: Outcomes, law: float | None) -> Evaluation:
    outage = {
        "gc": outcomes.gc_outage if law is None else Estimate.exact(law),
        "gc_plus": _complement(outcomes.gc_plus_full),
        "row_space": _complement(outcomes.row_space_exact),
    }
    pmf = outcomes.num_recovered_pmf
    return Evaluation(config, outage, float(np.arange(pmf.size) @ pmf), outcomes.trials)


def _complement(value: Estimate) -> Estimate:
    low, best, high = 1.0 - value.high, 1.0 - value.best, 1.0 - value.low
    return Estimate(low, best, high, method=value.method, level=value.level)
