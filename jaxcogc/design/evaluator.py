"""How often a code recovers the exact average: exactly, by counted or by weighted trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.recovery import Recovery
from jaxcogc.design.codes import CodeConfig, field_code, named_code, ring_kind
from jaxcogc.design.evaluation import (
    DECODERS,
    Evaluation,
    mean_revealed,
    outages,
    partial_sizes_of,
    within,
)
from jaxcogc.design.random_order import (
    RANDOM,
    PlacedMean,
    alike,
    distinct_orders,
    mean_gc_outage,
)
from jaxcogc.design.ring_order import reorder
from jaxcogc.links.network import Network
from jaxcogc.outage.closed_form import closed_form_gc_outage
from jaxcogc.outage.counts import EVENTS, OutcomeCounts, outcomes_from_counts
from jaxcogc.outage.enumeration import (
    MAX_RANDOM_LINKS,
    enumerate_outcomes,
    enumerate_partial_sizes,
    partial_sizes,
)
from jaxcogc.outage.intervals import Estimate, clopper_pearson
from jaxcogc.outage.random_links import random_links
from jaxcogc.outage.rare.rare_events import rare_outcomes
from jaxcogc.outage.simulation.given_links import events
from jaxcogc.outage.simulation.monte_carlo import Simulation, compile_simulation
from jaxcogc.outage.simulation.ring_placements import ring_trials

__all__ = ["Evaluator"]

_MOST_PLACEMENTS = 720
_MOST_PATTERNS = 2**MAX_RANDOM_LINKS


class Evaluator:
    """Evaluates codes on a network: exactly where that is possible, else by simulation.

    Args:
        key: of the codes and of all trials; every simulation uses the same random numbers.
        network: the network, in the clients' own order.
        level: confidence level of the intervals.
        links_by_host: draw the links on the host. Slower, but the same program then serves random
            placements and weighted trials.
    """

    def __init__(
        self, key: Key, network: Network, level: float, *, links_by_host: bool = False
    ) -> None:
        self._code_key, self._trial_key = jax.random.split(key)
        self._network = network
        self._own = tuple(range(network.num_clients))
        self._alike = alike(network)
        self._level = level
        self._links_by_host = links_by_host
        self._simulations: dict[int, Simulation] = {}

    def compile(self, configs: list[CodeConfig]) -> None:
        """Compile the programs that these codes need, side by side."""
        needed = sorted({c.attempts for c in configs if not self.can_enumerate(c)})

        def compiled(attempts: int) -> None:
            code = self._field_code(CodeConfig("uncoded", 0, attempts, False, self._own))
            if self._links_by_host:
                list(self._ring_trials(code, 1, None))
            elif attempts not in self._simulations:
                found = compile_simulation(self._network, code, num_attempts=attempts)
                self._simulations[attempts] = found

        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(compiled, needed))

    def can_enumerate(self, config: CodeConfig) -> bool:
        """Whether all link patterns of a code can be looked at, in all placements."""
        return self._all_orders(config) is not None

    def evaluate(
        self, config: CodeConfig, num_trials: int, advance: Callable[[int], None]
    ) -> Evaluation:
        """Outage of every decoder, and what is revealed.

        Args:
            config: the code.
            num_trials: trials, where the code has to be simulated.
            advance: called with the number of trials just done.
        """
        orders = self._all_orders(config)
        if orders is not None:
            advance(num_trials)
            return self._enumerated(config, orders)
        if self._links_by_host:
            return self._counted_by_host(config, num_trials, advance)
        place = reorder(self._network, self._one_order(config))
        total = OutcomeCounts.zero(place.num_clients)
        simulation = self._simulations[config.attempts]
        counted = simulation.counts(self._trial_key, place, self._field_code(config), num_trials)
        for counts in counted:
            total = total + counts
            advance(counts.trials)
        outcomes = outcomes_from_counts(total, level=self._level)
        found = self._evaluation(
            config, outages(outcomes), mean_revealed(outcomes), outcomes.trials
        )
        return self._with_partial(found, partial_sizes_of(total))

    def evaluate_rare(
        self, config: CodeConfig, num_trials: int, advance: Callable[[int], None]
    ) -> Evaluation:
        """The same by importance sampling, for outages that counting would not see.

        Exact where all patterns can be looked at.

        Args:
            config: a code with a fixed order.
            num_trials: weighted trials, beside those of the pilot runs.
            advance: called with the number of trials just done.
        """
        if self.can_enumerate(config):
            return self.evaluate(config, num_trials, advance)
        rare = rare_outcomes(
            self._trial_key,
            reorder(self._network, self._one_order(config)),
            self._field_code(config),
            num_trials=num_trials,
            num_attempts=config.attempts,
            level=self._level,
            advance=advance,
        )
        flagged = tuple(d for d, field in DECODERS.items() if field in rare.flagged)
        outcomes = rare.outcomes
        return self._evaluation(
            config, outages(outcomes), mean_revealed(outcomes), outcomes.trials, flagged
        )

    def lowest_outage(self, config: CodeConfig) -> float:
        """An outage that no decoder falls below: somebody's update reaches the server in no row."""
        if config.order == RANDOM and not self._alike:
            return 0.0
        place = reorder(self._network, self._one_order(config))
        support = np.asarray(self._field_code(config).field_matrix) != 0
        uplink, peer = place.uplink_erasure[:, None], place.peer_erasure
        lost = np.where(support, uplink + peer - uplink * peer, 1.0)
        return float(lost.prod(axis=(0, 1)).max())

    def _field_code(self, config: CodeConfig) -> GradientCode:
        return field_code(self._code_key, self._network.num_clients, config)

    def _one_order(self, config: CodeConfig) -> tuple[int, ...]:
        """The order of a code; where all links are alike a random one is as good as any."""
        return self._own if config.order == RANDOM else config.order

    def _all_orders(self, config: CodeConfig) -> list[tuple[int, ...]] | None:
        """Orders over which enumeration gives the outages; None where that would take long."""
        orders: list[tuple[int, ...]] | None = [self._one_order(config)]
        if config.order == RANDOM:
            kind = ring_kind(config.family)
            orders = distinct_orders(self._network, config.stragglers, kind, _MOST_PLACEMENTS)
        if orders is None:
            return None
        code, patterns = self._field_code(config), 0
        for order in orders:
            links, _ = random_links(reorder(self._network, order), code, config.attempts)
            patterns += 2 ** len(links)
            if patterns > _MOST_PATTERNS:
                return None
        return orders

    def _counted_by_host(
        self, config: CodeConfig, num_trials: int, advance: Callable[[int], None]
    ) -> Evaluation:
        order = None if config.order == RANDOM else config.order
        happened, recovered = np.zeros(len(EVENTS), np.int64), 0
        sizes = np.zeros((2, self._network.num_clients + 1))
        for recovery in self._ring_trials(self._field_code(config), num_trials, order):
            gc, exact, members, rank, _ = map(np.asarray, recovery)
            trials = len(rank)
            happened = happened + events(recovery).sum(axis=1)
            recovered += int(members.sum())
            sizes = sizes + partial_sizes(np.ones(trials), gc, exact, members)
            advance(trials)
        counts = {d: int(happened[EVENTS.index(field)]) for d, field in DECODERS.items()}
        failures = {d: k if d == "gc" else num_trials - k for d, k in counts.items()}
        outage = {d: clopper_pearson(k, num_trials, self._level) for d, k in failures.items()}
        found = self._evaluation(config, outage, recovered / num_trials, num_trials)
        return self._with_partial(found, sizes / num_trials)

    def _ring_trials(
        self, code: GradientCode, num_trials: int, order: tuple[int, ...] | None
    ) -> Iterator[Recovery]:
        return ring_trials(
            self._trial_key,
            self._network,
            code,
            num_trials=num_trials,
            num_attempts=len(code.field_matrix),
            order=order,
        )

    def _enumerated(self, config: CodeConfig, orders: list[tuple[int, ...]]) -> Evaluation:
        code, each = self._field_code(config), []
        for order in orders:
            place = reorder(self._network, order)
            outcomes = enumerate_outcomes(place, code, num_attempts=config.attempts)
            each.append([*map(float, outages(outcomes).values()), mean_revealed(outcomes)])
        *means, revealed = np.mean(each, axis=0).tolist()
        exact = dict(zip(DECODERS, map(Estimate.exact, means), strict=True))
        found = self._evaluation(config, exact, revealed, None)
        if not self._averages_partially(config):
            return found
        sizes = enumerate_partial_sizes(self._network, code, num_attempts=config.attempts)
        return self._with_partial(found, sizes)

    def _evaluation(
        self,
        config: CodeConfig,
        outage: dict[str, Estimate],
        num_revealed: float,
        trials: int | None,
        flagged: tuple[str, ...] = (),
    ) -> Evaluation:
        """What was found, and what is known without looking.

        The closed form takes the place of its estimate; no decoder fails more often than the
        standard one, and none less often than somebody's update is lost altogether. A flagged
        estimate keeps these bounds alone for an interval.
        """
        law = self._gc_law(config)
        if law is not None:
            outage = {**outage, "gc": law.estimate}
            flagged = (*(d for d in flagged if d != "gc"), *(["gc"] if law.flagged else []))
        gc = outage["gc"]
        high = gc.best if gc.method == "exact" else 1.0
        low = min(self.lowest_outage(config), high)
        judged = {d: within(e, low, high, d in flagged) for d, e in outage.items()}
        return Evaluation(config, judged, num_revealed, trials, flagged)

    def _gc_law(self, config: CodeConfig) -> PlacedMean | None:
        """The closed form of standard decoding, where one is known."""
        clients = self._network.num_clients
        law = closed_form_gc_outage(
            reorder(self._network, self._one_order(config)),
            named_code(self._code_key, clients, config),
            num_attempts=config.attempts,
            redraw_code=config.redraw_code,
        )
        if law is None or config.order != RANDOM or self._alike:
            return None if law is None else PlacedMean(Estimate.exact(law), False)
        power = config.attempts if config.redraw_code else 1
        return mean_gc_outage(
            self._network,
            config.stragglers,
            config.attempts // power,
            kind=ring_kind(config.family),
            power=power,
            level=self._level,
        )

    def _averages_partially(self, config: CodeConfig) -> bool:
        return config.order == RANDOM and self._alike

    def _with_partial(self, found: Evaluation, sizes: HostFloats) -> Evaluation:
        if not self._averages_partially(found.config):
            return found
        return found._replace(partial_pmf=dict(zip(("gc_plus", "row_space"), sizes, strict=True)))
