"""Which code, how many stragglers and attempts, which scheme and order: the cheapest for a target.

Every scheme is judged by its outage: the probability that the server cannot have the exact average
of a round, and holds. Costs are expected uses of links: an attempt costs M s unicasts (or M
broadcasts) between clients and M uplinks; a retransmission stops when it succeeded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from jaxcogc.coding.gradient_code import GradientCode
from jaxcogc.design.candidates import Candidate, coded_candidates, uncoded_candidates
from jaxcogc.design.code_outage import CodeOutage, Setting
from jaxcogc.design.configurations import CodeConfig, code_configs, own_configs
from jaxcogc.design.exact_outage import enumerated, within_what_is_known
from jaxcogc.design.ranking import finalists, ranked, undecided
from jaxcogc.design.relayed import relayed_candidates
from jaxcogc.design.ring_order import RANDOM, Order
from jaxcogc.design.rounds import Accuracy
from jaxcogc.design.simulated_outage import Sample, TrialsDone, compiled_counting, weighted
from jaxcogc.links.checks import check_choice, check_count
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import OBJECTIVES, ORDERS
from jaxcogc.outage.laws.waiting_times import MessageSeconds
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import seed_key

__all__ = ["Design", "design"]

_NUM_FINALISTS = 6
_NUM_RARE = 16
_FEWEST_EVENTS = 20
"""Counting decides about a target where the finalists' trials hold so many events at least."""

Found = dict[CodeConfig, CodeOutage]
Advance = Callable[[str, float], None]
COMPILING = "compiling"  # the stage that may take long without a share of it


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


@under_plain_settings
def design(
    network: Network,
    *,
    target: float = 1e-3,
    objective: str = "uplink",
    max_attempts: int = 2,
    max_tries: int = 8,
    order: str = "optimised",
    broadcast: bool = False,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
    seconds: MessageSeconds | None = None,
    accuracy: Accuracy | None = None,
    own_code: GradientCode | None = None,
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
      objective: least "uplink" uses, least "total" uses, least revealed ("privacy"), or least
        "seconds" for each exact round.
      max_attempts, max_tries: attempts of a code; tries of a client that sends without one.
      order: of the clients on the ring: "fixed", "random" (another one in every round; outages
        are means over all of them), or "optimised" for every code.
      broadcast: one use serves all neighbours of a client.
      dynamics: how links remember, and who is blocked; None: independent links.
      keep_heard: try codes of clients that keep what they heard in earlier attempts, too.
      seconds: what steps and messages take; needed for the objective of that name.
      accuracy: what `rounds` is about; None for the defaults.
      own_code: of the caller, tried beside the families; no order is optimised for it.
      num_trials: trials for each finalist that has to be simulated.
      screening_trials: trials for each other code that has to be simulated.
      seed, level: of codes and trials; confidence level of the intervals.
      advance: called with the stage in words, and the share of it that is done.

    Returns:
      Design. A target that nobody reaches is an answer: `reached` is False.

    Raises:
      ValueError: an argument outside what is allowed.
    """
    _check(target, objective, order, max_attempts, max_tries, told_seconds=seconds is not None)
    trials = check_count("num_trials", num_trials)
    screening = min(check_count("screening_trials", screening_trials), trials)
    accuracy = accuracy or Accuracy()
    setting = Setting.from_key(seed_key(seed), network, level, dynamics, seconds, own_code)
    uncoded = uncoded_candidates(setting, target, max_tries, accuracy)
    uncoded += relayed_candidates(setting, max_attempts, broadcast, accuracy)
    search = _Search(setting, target, objective, broadcast, accuracy, uncoded, advance)
    configs = _configs(search, max_attempts, order, keep_heard)
    candidates = _ranked(search, _evaluated(search, configs, trials, screening))
    given = _in_given_order(candidates, setting.own_order)
    return Design(candidates[0], candidates[0].reaches, given, candidates)


def _check(
    target: float,
    objective: str,
    order: str,
    max_attempts: int,
    max_tries: int,
    *,
    told_seconds: bool,
) -> None:
    if objective == "seconds" and not told_seconds:
        raise ValueError('objective = "seconds" without seconds: allowed with what messages take')
    if not 0.0 < target < 1.0:
        raise ValueError(f"target = {target}: allowed is a probability strictly between 0 and 1")
    check_choice("objective", objective, OBJECTIVES)
    check_choice("order", order, ORDERS)
    check_count("max_attempts", max_attempts)
    check_count("max_tries", max_tries)


class _Search(NamedTuple):
    """What the steps of a search share: what is asked, and those who need no search."""

    setting: Setting
    target: float
    objective: str
    broadcast: bool
    accuracy: Accuracy
    uncoded: list[Candidate]
    advance: Advance


def _configs(search: _Search, max_attempts: int, order: str, keep_heard: bool) -> list[CodeConfig]:
    """All codes that are tried: of the families, and the caller's own."""
    search.advance("ordering the ring", 0.0)
    setting, own = search.setting, search.setting.own_code
    found = code_configs(setting.mean_network, max_attempts, order, keep_heard=keep_heard)
    if own is None:
        return found
    clients = setting.network.num_clients
    if own.num_clients != clients or own.redrawn:
        raise ValueError(
            f"own_code of {own.num_clients} clients: allowed is one code for all attempts of the "
            f"network's {clients}"
        )
    return found + own_configs(own, max_attempts, order, keep_heard=keep_heard)


def _ranked(search: _Search, found: Found) -> list[Candidate]:
    """All candidates so far, the best first."""
    coded = (
        coded_candidates(code, search.setting, search.broadcast, search.accuracy)
        for code in found.values()
    )
    candidates = [*chain.from_iterable(coded), *search.uncoded]
    return ranked(candidates, search.target, search.objective)


def _evaluated(
    search: _Search, configs: Sequence[CodeConfig], num_trials: int, screening_trials: int
) -> Found:
    """All codes: exactly or by a short simulation; by a long one who may be the choice."""
    setting = search.setting
    anew = configs[0].order == RANDOM and not setting.clients_alike
    rare = not anew and search.target * num_trials < _FEWEST_EVENTS
    search.advance(COMPILING, 0.0)
    counted = compiled_counting(
        setting,
        configs,
        links_by_host=rare or anew or not setting.blocked_alike,
        # About: each finalist may be tried in the order given as well.
        num_trials=screening_trials * len(configs) + 2 * num_trials * _NUM_FINALISTS,
    )
    found = _evaluate_all(search, counted, configs, screening_trials, "screening")
    if rare:
        found = _short_weighted_runs(search, found, screening_trials)
        return _long_weighted_runs(search, found, num_trials)
    best = finalists(_ranked(search, found), search.target)[:_NUM_FINALISTS]
    best = list(dict.fromkeys([*best, *_in_order(setting.own_order, best)]))
    return found | _evaluate_all(search, counted, best, num_trials, "finalists")


def evaluate(
    setting: Setting, sample: Sample, config: CodeConfig, num_trials: int, advance: TrialsDone
) -> CodeOutage:
    """Outage of every decoder of a code: exactly where that is possible, else by trials."""
    found = enumerated(setting, config)
    if found is None:
        found = sample(setting, config, num_trials, advance)
    else:
        advance(num_trials)
    return within_what_is_known(setting, found)


def _evaluate_all(
    search: _Search, sample: Sample, configs: Sequence[CodeConfig], num_trials: int, stage: str
) -> Found:
    done = 0
    search.advance(stage, 0.0)

    def count(part: int) -> None:
        nonlocal done
        done += part
        search.advance(stage, done / (num_trials * len(configs)))

    return {
        config: evaluate(search.setting, sample, config, num_trials, count) for config in configs
    }


def _short_weighted_runs(search: _Search, found: Found, num_trials: int) -> Found:
    """From the cheapest code on of which counting says nothing, until one reaches the target."""
    short: Found = {}
    while len(short) < _NUM_RARE:
        hopeful = undecided(_ranked(search, found | short), search.objective)
        config = next((c for c in hopeful if c not in short), None)
        if config is None:
            break
        search.advance("rare events: short runs", len(short) / _NUM_RARE)
        short[config] = evaluate(search.setting, weighted, config, num_trials, lambda done: None)
    return found | short


def _long_weighted_runs(search: _Search, found: Found, num_trials: int) -> Found:
    """Of the choice, of the same in the clients' own order, and of what ties with it."""
    settled: Found = {}
    while len(settled) < _NUM_FINALISTS:
        chosen, *others = _ranked(search, found | settled)
        ties = [c for c in others if c.tie and c.trials]
        wanted = [c.config for c in [chosen, *ties] if c.config is not None]
        wanted[1:1] = _in_order(search.setting.own_order, wanted[:1])
        config = next((c for c in wanted if c not in settled), None)
        if config is None:
            break
        settled |= _evaluate_all(search, weighted, [config], num_trials, "rare events: long runs")
    return found | settled


def _in_order(order: Order, configs: Sequence[CodeConfig]) -> list[CodeConfig]:
    """The same codes in another order of the clients; those placed at random have none."""
    return [config._replace(order=order) for config in configs if config.order != RANDOM]


def _in_given_order(candidates: list[Candidate], own: Order) -> Candidate | None:
    """The choice in the clients' own order, unless it is that, or has none."""
    chosen = candidates[0]
    if chosen.config is None or chosen.order in (own, RANDOM):
        return None
    same = (chosen.config._replace(order=own), chosen.scheme)
    return next((c for c in candidates if (c.config, c.scheme) == same), None)
