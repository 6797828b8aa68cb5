"""Which code, how many stragglers and attempts, which scheme and order: the cheapest for a target.

Every scheme is judged by its outage: the probability that the server cannot have the exact average
of a round, and holds. Costs are expected uses of links: an attempt costs M s unicasts (or M
broadcasts) between clients and M uplinks; a retransmission stops when it succeeded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax

from jaxcogc.design.candidates import (
    OBJECTIVES,
    Accuracy,
    Candidate,
    coded_candidates,
    cost,
    ranked,
    uncoded_candidates,
)
from jaxcogc.design.codes import CodeConfig, code_configs
from jaxcogc.design.evaluation import Evaluation
from jaxcogc.design.evaluator import Evaluator
from jaxcogc.design.random_order import RANDOM, Order, alike
from jaxcogc.links.checks import check_count
from jaxcogc.links.network import Network

__all__ = ["ORDERS", "Design", "design"]

ORDERS = ("fixed", "random", "optimised")
_NUM_FINALISTS = 6
_NUM_RARE = 16
_FEWEST_EVENTS = 20
"""Counting decides about a target where the finalists' trials hold so many events at least."""

Found = dict[CodeConfig, Evaluation]
Rank = Callable[[Found], list[Candidate]]
Advance = Callable[[str, float], None]


class Design(NamedTuple):
    """The answer.

    Attributes:
        chosen: the cheapest candidate that reaches the target; the one of fewest outages if none.
        reached: whether it reaches the target; None when its interval does not decide.
        given_order: the chosen code in the clients' own order; None where that is the chosen one,
            or clients are placed at random.
        candidates: all, the best first.
    """

    chosen: Candidate
    reached: bool | None
    given_order: Candidate | None
    candidates: list[Candidate]


def design(
    network: Network,
    *,
    target: float = 1e-3,
    objective: str = "uplink",
    max_attempts: int = 2,
    max_tries: int = 8,
    order: str = "optimised",
    broadcast: bool = False,
    accuracy: Accuracy | None = None,
    num_trials: int = 200_000,
    screening_trials: int = 2**14,
    seed: int = 0,
    level: float = 0.95,
    advance: Advance = lambda stage, share: None,
) -> Design:
    """Find the cheapest way to have the exact average in all but a share `target` of the rounds.

    Args:
        network: the clients in their own order.
        target: largest outage probability, in (0, 1).
        objective: least "uplink" uses, least "total" uses, or least revealed ("privacy").
        max_attempts, max_tries: attempts of a code; tries of a client that sends without one.
        order: of the clients on the ring: "fixed", "random" (another one in every round; outages
            are means over all of them), or "optimised" for every code.
        broadcast: one use serves all neighbours of a client.
        accuracy: what `rounds` is about; None for the defaults.
        num_trials: trials for each finalist that has to be simulated.
        screening_trials: trials for each other code that has to be simulated.
        seed: of codes and trials.
        level: confidence level of the intervals.
        advance: called with the stage in words, and the share of it that is done.

    Returns:
        Design. A target that nobody reaches is an answer: `reached` is False.

    Raises:
        ValueError: an argument outside what is allowed.
    """
    _check(target, objective, order, max_attempts, max_tries)
    trials = check_count("num_trials", num_trials)
    screening = min(check_count("screening_trials", screening_trials), trials)
    own = tuple(range(network.num_clients))
    advance("ordering the ring", 0.0)
    configs = code_configs(network, max_attempts, order)
    one_order = order != RANDOM or alike(network)
    rare = one_order and target * trials < _FEWEST_EVENTS
    evaluator = Evaluator(jax.random.key(seed), network, level, links_by_host=rare or not one_order)
    advance("compiling", 0.0)
    evaluator.compile(configs)
    rank = _ranking(network, max_tries, broadcast, accuracy or Accuracy(), target, objective)
    found = _evaluate(evaluator.evaluate, configs, screening, "screening", advance)
    if rare:
        found = _search_rare(evaluator, found, own, rank, objective, (screening, trials), advance)
    else:
        wanted = _with_twins(_finalists(rank(found), target), own, order)
        found |= _evaluate(evaluator.evaluate, wanted, trials, "finalists", advance)
    candidates = rank(found)
    return Design(candidates[0], candidates[0].reaches, _given_order(candidates, own), candidates)


def _ranking(
    network: Network,
    max_tries: int,
    broadcast: bool,
    accuracy: Accuracy,
    target: float,
    objective: str,
) -> Rank:
    """What ranks the candidates of evaluated codes together with those without a code."""
    uncoded = uncoded_candidates(network, target, max_tries, accuracy)

    def rank(found: Found) -> list[Candidate]:
        coded = [
            coded_candidates(e, network.num_clients, broadcast, accuracy) for e in found.values()
        ]
        return ranked([c for three in coded for c in three] + uncoded, target, objective)

    return rank


def _with_twins(finalists: list[CodeConfig], own: tuple[int, ...], order: str) -> list[CodeConfig]:
    """The finalists, and the same in the clients' own order."""
    twins = [config._replace(order=own) for config in finalists] if order != RANDOM else []
    return list(dict.fromkeys([*finalists, *twins]))


def _check(target: float, objective: str, order: str, max_attempts: int, max_tries: int) -> None:
    if not 0.0 < target < 1.0:
        raise ValueError(f"target = {target}: allowed is a probability strictly between 0 and 1")
    for name, value, allowed in (("objective", objective, OBJECTIVES), ("order", order, ORDERS)):
        if value not in allowed:
            raise ValueError(f"{name} = {value!r}: allowed are {', '.join(allowed)}")
    check_count("max_attempts", max_attempts)
    check_count("max_tries", max_tries)


def _evaluate(
    evaluate: Callable[[CodeConfig, int, Callable[[int], None]], Evaluation],
    configs: Sequence[CodeConfig],
    num_trials: int,
    stage: str,
    advance: Advance,
) -> Found:
    done = 0

    def count(part: int) -> None:
        nonlocal done
        done += part
        advance(stage, done / (num_trials * len(configs)))

    return {config: evaluate(config, num_trials, count) for config in configs}


def _search_rare(
    evaluator: Evaluator,
    found: Found,
    own: Order,
    rank: Rank,
    objective: str,
    num_trials: tuple[int, int],
    advance: Advance,
) -> Found:
    """Weighted trials for the codes about which counting says nothing.

    Short runs go from the cheapest code on, until one reaches the target, or there were many; then
    the choice, what ties with it and the choice in the clients' own order have a long run.
    """
    short: dict[CodeConfig, Evaluation] = {}
    while len(short) < _NUM_RARE:
        open_ones = _may_be_chosen(rank(found | short), objective)
        config = next((c for c in open_ones if c not in short), None)
        if config is None:
            break
        advance("rare events: short runs", len(short) / _NUM_RARE)
        short[config] = evaluator.evaluate_rare(config, num_trials[0], lambda done: None)
    found = found | short
    settled: Found = {}
    while len(settled) < _NUM_FINALISTS:
        candidates = rank(found | settled)
        ties = [c for c in candidates if c.tie and c.trials]
        wanted = [_config(c) for c in [*candidates[:1], *ties] if c.order is not None]
        wanted[1:1] = [c._replace(order=own) for c in wanted[:1] if c.order != RANDOM]
        config = next((c for c in wanted if c not in settled), None)
        if config is None:
            break
        settled |= _evaluate(
            evaluator.evaluate_rare, [config], num_trials[1], "rare events: long runs", advance
        )
    return found | settled


def _may_be_chosen(candidates: list[Candidate], objective: str) -> list[CodeConfig]:
    """Codes whose interval does not decide and that would not cost more, the cheapest first."""
    first = candidates[0]
    undecided = [c for c in candidates if c.reaches is None and c.order is not None]
    if first.reaches:
        undecided = [c for c in undecided if cost(c, objective) <= cost(first, objective)]
    undecided.sort(key=lambda c: cost(c, objective))
    return list(dict.fromkeys(map(_config, undecided)))


def _finalists(candidates: list[Candidate], target: float) -> list[CodeConfig]:
    """The codes that could be the choice: those that may be cheaper, and those that may be as good.

    Nobody who is sure to miss the target, unless all are.
    """
    chosen = candidates[0]
    simulated = [c for c in candidates if c.order is not None]
    if chosen.reaches:
        hopeful = [c for c in simulated if c.reaches or c.outage.low <= target]
    else:
        hopeful = sorted(simulated, key=lambda c: c.outage.best)
    configs = dict.fromkeys(map(_config, hopeful))
    return list(configs)[:_NUM_FINALISTS]


def _config(candidate: Candidate) -> CodeConfig:
    return CodeConfig(
        candidate.code or "",
        candidate.stragglers,
        candidate.attempts,
        candidate.redraw_code,
        candidate.order or (),
    )


def _given_order(candidates: list[Candidate], own: tuple[int, ...]) -> Candidate | None:
    chosen = candidates[0]
    if chosen.order in (None, own, RANDOM):
        return None
    same = (_config(chosen)._replace(order=own), chosen.scheme)
    return next((c for c in candidates if (_config(c), c.scheme) == same), None)
