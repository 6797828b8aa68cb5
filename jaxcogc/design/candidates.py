"""Candidates of a design: what each costs, how often it fails, which one is best."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.design.evaluation import Evaluation
from jaxcogc.design.random_order import Placement
from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants, rounds_for_target
from jaxcogc.federated.convergence.learning_rate import best_learning_rate
from jaxcogc.federated.convergence.partial_averages import PartialLaw, uniform_rho
from jaxcogc.links.network import Network
from jaxcogc.outage.intervals import Estimate

__all__ = [
    "OBJECTIVES",
    "Accuracy",
    "Candidate",
    "coded_candidates",
    "cost",
    "ranked",
    "uncoded_candidates",
]

OBJECTIVES = ("uplink", "total", "privacy")
_SAME = 1e-9


class Accuracy(NamedTuple):
    """What `rounds` is about: the bound of `federated.convergence`.

    Attributes:
        target: of the mean of E||grad F||^2 over rounds.
        losses: constants of the losses.
        steps: what a round does; the best local learning rate takes the place of its own.
    """

    target: float = 0.1
    losses: LossConstants = LossConstants(1.0, 1.0, 1.0, 1.0)
    steps: LocalSteps = LocalSteps(1.0, 1.0, 5)


class Candidate(NamedTuple):
    """A way to run a round, what it costs and how often it fails.

    Attributes:
        code: the family; None for a scheme without a code.
        stragglers, attempts: s, and A (or the most tries of a retransmission).
        redraw_code: another code in every attempt.
        scheme: "gc", "gc_plus", "row_space", "retransmission" or "intermittent".
        order: place i of the ring holds client order[i]; "random" for another order in every round;
            None where there is no ring.
        outage: probability of no exact average.
        peer_uses, uplink_uses: expected uses of links a round, between clients and to the server.
        rounds: rounds to the accuracy asked for, from the bound; None where it does not hold.
        revealed: mean number of clients whose update the server could read.
        trials: trials behind it; None when it is exact.
        flagged: too few effective trials: `outage.best` is not to be relied on, and its interval is
            what is known without trials.
        reaches: True or False where the interval decides about the target, else None.
        tie: as good as the choice within the intervals.
        pareto: nobody else is at least as good in outage, costs and what is revealed.
    """

    code: str | None
    stragglers: int
    attempts: int
    redraw_code: bool
    scheme: str
    order: Placement | None
    outage: Estimate
    peer_uses: float
    uplink_uses: float
    rounds: int | None
    revealed: float
    trials: int | None
    flagged: bool = False
    reaches: bool | None = None
    tie: bool = False
    pareto: bool = False


def coded_candidates(
    evaluation: Evaluation, clients: int, broadcast: bool, accuracy: Accuracy
) -> list[Candidate]:
    """The three decoders of one code: the same messages, so the same costs.

    Args:
        evaluation: how often the code recovers the exact average.
        clients: M.
        broadcast: one use serves all neighbours of a client.
        accuracy: what `rounds` is about.
    """
    config = evaluation.config
    heard_by = min(config.stragglers, 1) if broadcast else config.stragglers
    partial = evaluation.partial_pmf
    return [
        Candidate(
            code=config.family,
            stragglers=config.stragglers,
            attempts=config.attempts,
            redraw_code=config.redraw_code,
            scheme=scheme,
            order=config.order,
            outage=outage,
            peer_uses=float(config.attempts * clients * heard_by),
            uplink_uses=float(config.attempts * clients),
            rounds=_coded_rounds(outage.best, partial.get(scheme), accuracy, clients),
            revealed=evaluation.num_revealed,
            trials=None if outage.method == "exact" else evaluation.trials,
            flagged=scheme in evaluation.flagged,
        )
        for scheme, outage in evaluation.outage.items()
    ]


def uncoded_candidates(
    network: Network, target: float, max_tries: int, accuracy: Accuracy
) -> list[Candidate]:
    """Clients that send their own update: until it arrives, or a fixed number of times.

    Retransmission stops at the first success and pays for the tries it made. Intermittent clients
    send every update as often as attempts say, and the server averages what arrived: a partial
    average, to which the bound of `rounds` applies when all uplinks are alike.

    Args:
        network: only its uplinks matter.
        target: tries are added until the outage is a hundredth of it ...
        max_tries: ... or there are so many.
        accuracy: what `rounds` is about.
    """
    erasure = network.uplink_erasure
    clients = len(erasure)
    found = []
    for tries in range(1, max_tries + 1):
        lost = erasure**tries
        outage = Estimate.exact(_any_lost(lost))
        used = np.where(
            erasure < 1.0, (1.0 - lost) / np.where(erasure < 1.0, 1.0 - erasure, 1.0), tries
        )
        alike = bool(np.all(erasure == erasure[0]))
        held = float(np.prod(lost))
        partial = _rounds(held, _uniform_rho(clients, float(lost[0])), clients, accuracy)
        for scheme, uses, rounds in (
            ("retransmission", float(used.sum()), _rounds(outage.best, 0.0, clients, accuracy)),
            ("intermittent", float(tries * clients), partial if alike else None),
        ):
            found.append(
                Candidate(
                    code=None,
                    stragglers=0,
                    attempts=tries,
                    redraw_code=False,
                    scheme=scheme,
                    order=None,
                    outage=outage,
                    peer_uses=0.0,
                    uplink_uses=uses,
                    rounds=rounds,
                    revealed=float((1.0 - lost).sum()),
                    trials=None,
                )
            )
        if outage.best <= 0.01 * target:
            break
    return found


def _any_lost(lost: HostFloats) -> float:
    """Probability that somebody's update is lost, with its digits where it is small."""
    return abs(math.expm1(np.log1p(-lost).sum())) if lost.max() < 1.0 else 1.0


def ranked(candidates: Sequence[Candidate], target: float, objective: str) -> list[Candidate]:
    """The candidates with `reaches`, `tie` and `pareto` filled in, the best first.

    Those that reach the target come first, by their cost; then the others, by their outage.

    Args:
        candidates: in any order.
        target: largest outage probability.
        objective: "uplink", "total" or "privacy".
    """
    judged = [c._replace(reaches=_reaches(c.outage, target)) for c in candidates]
    judged.sort(key=lambda c: _sort_key(c, objective))
    front = _pareto(judged)
    first = judged[0]
    return [
        c._replace(tie=index > 0 and _tie(c, first, objective), pareto=index in front)
        for index, c in enumerate(judged)
    ]


def _reaches(outage: Estimate, target: float) -> bool | None:
    if outage.high <= target:
        return True
    return None if outage.low <= target else False


def cost(candidate: Candidate, objective: str) -> tuple[float, ...]:
    """What to minimise, in turn; candidates of the same cost differ in their outage alone."""
    total = candidate.uplink_uses + candidate.peer_uses
    main = {
        "uplink": candidate.uplink_uses,
        "total": total,
        "privacy": candidate.revealed,
    }[objective]
    return (round(main, 9), round(total, 9), round(candidate.uplink_uses, 9))


def _sort_key(candidate: Candidate, objective: str) -> tuple[float, ...]:
    """Those that reach the target by cost, then the others by what their outage is at most."""
    costs, outage = cost(candidate, objective), candidate.outage
    return (0.0, *costs, outage.best) if candidate.reaches else (1.0, outage.high, *costs)


def _tie(candidate: Candidate, first: Candidate, objective: str) -> bool:
    """The same cost, or among those that miss the target any, and intervals that overlap."""
    if bool(candidate.reaches) != bool(first.reaches):
        return False
    overlap = (
        candidate.outage.low <= first.outage.high and first.outage.low <= candidate.outage.high
    )
    mine, best = (cost(c, objective)[0] for c in (candidate, first))
    return overlap and (not first.reaches or abs(mine - best) <= _SAME * max(abs(best), 1.0))


def _pareto(candidates: Sequence[Candidate]) -> set[int]:
    """Numbers of the candidates that no other one is at least as good as in everything."""
    points = np.array([(c.outage.best, c.peer_uses, c.uplink_uses, c.revealed) for c in candidates])
    front = set()
    for index, point in enumerate(points):
        at_least = np.all(points <= point, axis=1) & np.any(points < point, axis=1)
        if not at_least.any():
            front.add(index)
    return front


def _coded_rounds(
    outage: float, partial_pmf: HostFloats | None, accuracy: Accuracy, clients: int
) -> int | None:
    """Rounds of a server that holds without the exact average, or averages whom it recovered.

    The latter where no average favours anybody; whichever asks for fewer rounds.
    """
    rounds = _rounds(outage, 0.0, clients, accuracy)
    if partial_pmf is None:
        return rounds
    held = max(0.0, outage - float(partial_pmf.sum()))
    law = PartialLaw(1.0 - outage, partial_pmf, held)
    averaged = _rounds(held, uniform_rho(law) if held < 1.0 else None, clients, accuracy)
    return min((r for r in (rounds, averaged) if r is not None), default=None)


def _rounds(hold: float, rho: float | None, clients: int, accuracy: Accuracy) -> int | None:
    """Rounds that the bound asks for at the best learning rate; None where it does not hold."""
    if hold >= 1.0 or rho is None:
        return None
    return _cached_rounds(hold, rho, clients, accuracy)


@functools.lru_cache(maxsize=4096)
def _cached_rounds(hold: float, rho: float, clients: int, accuracy: Accuracy) -> int | None:
    rate = best_learning_rate(
        accuracy.losses,
        accuracy.steps,
        num_clients=clients,
        target=accuracy.target,
        hold_probability=hold,
        rho=rho,
    )
    return rounds_for_target(
        accuracy.target,
        accuracy.losses,
        accuracy.steps._replace(learning_rate=rate),
        num_clients=clients,
        hold_probability=hold,
        rho=rho,
    )


def _uniform_rho(clients: int, lost: float) -> float | None:
    """rho of an average over those that arrived, all alike: maths.md, section 7."""
    if clients == 1 or lost >= 1.0:
        return 0.0 if lost < 1.0 else None
    from scipy import stats

    arrived = np.arange(1, clients + 1)
    law = stats.binom.pmf(arrived, clients, 1.0 - lost)
    return float(np.sum(law * (clients - arrived) / (arrived * (clients - 1))) / law.sum())
