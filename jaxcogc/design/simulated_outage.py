"""Outages of a code from trials: counted on the device, counted on the host, or weighted."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.design.code_outage import (
    CodeOutage,
    Setting,
    by_decoder,
    mean_revealed,
)
from jaxcogc.design.configurations import CodeConfig
from jaxcogc.design.exact_outage import orders_to_enumerate
from jaxcogc.design.ring_order import RANDOM
from jaxcogc.design.ring_placements import ring_trials
from jaxcogc.names import CUSTOM, DECODERS
from jaxcogc.outage.counts import OutcomeCounts, outcomes_from_counts
from jaxcogc.outage.intervals import clopper_pearson
from jaxcogc.outage.outcomes import classify
from jaxcogc.outage.pattern_sums import partial_sizes
from jaxcogc.outage.rare.rare_events import rare_outcomes
from jaxcogc.outage.simulation.monte_carlo import Simulation, compile_simulation

__all__ = ["Sample", "TrialsDone", "compiled_counting", "counted_on_host", "weighted"]

TrialsDone = Callable[[int], None]
"""Called with the number of trials just done."""
Sample = Callable[[Setting, CodeConfig, int, TrialsDone], CodeOutage]
"""A way to make so many trials of a code."""


def compiled_counting(
    setting: Setting,
    configs: Iterable[CodeConfig],
    *,
    links_by_host: bool,
    num_trials: int | None = None,
) -> Sample:
    """What counts trials of these codes, with its programs compiled side by side.

    Links drawn on the host are slower, but then the same program serves random placements and
    weighted trials. ``num_trials``, of all codes, where that is known: as of `compile_simulation`.
    """
    needed = (c for c in configs if orders_to_enumerate(setting, c) is None)
    by_program = {_program(config): config for config in needed}

    def compiled(config: CodeConfig) -> Simulation:
        code = setting.code(config)
        return compile_simulation(
            setting.network,
            code,
            num_trials=num_trials,
            **setting.link_use(config),
        )

    def run_once(config: CodeConfig) -> CodeOutage:
        return counted_on_host(setting, config, 1, lambda done: None)

    with ThreadPoolExecutor(max_workers=2) as pool:
        if links_by_host:
            list(pool.map(run_once, by_program.values()))
            return counted_on_host
        simulations = pool.map(compiled, by_program.values())
        return partial(_counted, dict(zip(by_program, simulations, strict=True)))


_Program = tuple[int, bool, bool]


def _program(config: CodeConfig) -> _Program:
    """What a compiled program is specialised to: attempts, whether clients keep, and the field."""
    return config.attempts, config.keep_heard, config.family == CUSTOM


def _counted(
    simulations: Mapping[_Program, Simulation],
    setting: Setting,
    config: CodeConfig,
    num_trials: int,
    advance: TrialsDone,
) -> CodeOutage:
    """By the compiled program of its attempts: one order, or links that are all alike."""
    simulation = simulations[_program(config)]
    total = OutcomeCounts.zero(setting.network.num_clients)
    place, code = setting.placed(config), setting.code(config)
    for counts in simulation.counts(setting.trial_key, place, code, num_trials):
        total = total + counts
        advance(counts.trials)
    outcomes = outcomes_from_counts(total, level=setting.level)
    sizes = _partial_sizes(total) if setting.averages_fairly(config) else None
    decoders = by_decoder(outcomes.outages(), partial_sizes=sizes)
    return CodeOutage(config, decoders, mean_revealed(outcomes), outcomes.trials)


def _partial_sizes(counts: OutcomeCounts) -> HostFloats:
    """Probabilities of partial averages of n clients, gc_plus and row_space: [2, clients + 1]."""
    tables = np.array([counts.gc_plus_partial_recovered, counts.row_space_partial_recovered])
    # A trial with |K| = n is there n times, once for every client of K.
    sizes = tables.sum(axis=1) / np.maximum(np.arange(tables.shape[2]), 1)
    return np.asarray(sizes / counts.trials, np.float64)


def counted_on_host(
    setting: Setting, config: CodeConfig, num_trials: int, advance: TrialsDone
) -> CodeOutage:
    """With links drawn on the host: slower, but for any placement, by the program of `weighted`."""
    failures, recovered = dict.fromkeys(DECODERS, 0), 0
    sizes = np.zeros((2, setting.network.num_clients + 1))
    for recovery in ring_trials(
        setting.trial_key,
        setting.network,
        setting.code(config),
        num_trials=num_trials,
        num_attempts=config.attempts,
        order=None if config.order == RANDOM else config.order,
        dynamics=setting.dynamics,
        keep_heard=config.keep_heard,
    ):
        for decoder, failed in classify(recovery).no_exact_average(operator.invert).items():
            failures[decoder] += int(failed.sum())
        recovered += int(recovery.client_recovered.sum())
        sizes = sizes + partial_sizes(np.ones(len(recovery.gc)), recovery)
        advance(len(recovery.gc))
    outage = {d: clopper_pearson(k, num_trials, setting.level) for d, k in failures.items()}
    fair = setting.averages_fairly(config)
    decoders = by_decoder(outage, partial_sizes=sizes / num_trials if fair else None)
    return CodeOutage(config, decoders, recovered / num_trials, num_trials)


def weighted(
    setting: Setting, config: CodeConfig, num_trials: int, advance: TrialsDone
) -> CodeOutage:
    """By importance sampling, for outages that counting would not see; of one order."""
    rare = rare_outcomes(
        setting.trial_key,
        setting.placed(config),
        setting.code(config),
        num_trials=num_trials,
        level=setting.level,
        advance=advance,
        **setting.link_use(config),
    )
    decoders = by_decoder(rare.outcomes.outages(), flagged=rare.flagged)
    return CodeOutage(config, decoders, mean_revealed(rare.outcomes), rare.outcomes.trials)
