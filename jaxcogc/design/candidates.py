"""Candidates of a design: ways to run a round, and what each costs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.design.code_outage import CodeOutage, DecoderOutage, Setting
from jaxcogc.design.configurations import CodeConfig
from jaxcogc.design.link_uses import never_heard, peer_uses
from jaxcogc.design.ring_order import Placement
from jaxcogc.design.rounds import Accuracy, rounds_with_holds, rounds_with_partial_averages
from jaxcogc.federated.convergence.partial_averages import PartialLaw
from jaxcogc.outage.intervals import Estimate

__all__ = ["Candidate", "coded_candidates", "uncoded_candidates"]


class Candidate(NamedTuple):
    """A way to run a round, what it costs and how often it fails.

    Attributes:
      code: the family, "custom" for the caller's own code; None for a scheme without a code.
      stragglers, attempts: s, and A (or the most tries of a retransmission).
      redraw_code: another code in every attempt.
      keep_heard: clients keep what they heard in earlier attempts.
      seconds: expected seconds of a round; None where nobody said what messages take.
      scheme: "gc", "gc_plus", "row_space", "retransmission", "intermittent" or "colrel".
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
    keep_heard: bool = False
    seconds: float | None = None

    @property
    def config(self) -> CodeConfig | None:
        """The code and its use; None for a scheme without a code."""
        if self.code is None or self.order is None:
            return None
        use = self.attempts, self.redraw_code, self.order, self.keep_heard
        return CodeConfig(self.code, self.stragglers, *use)


def coded_candidates(
    found: CodeOutage, setting: Setting, broadcast: bool, accuracy: Accuracy
) -> list[Candidate]:
    """The three decoders of one code: the same messages, so the same costs.

    Args:
      found: how often the code fails.
      setting: the links.
      broadcast: one use serves all neighbours of a client.
      accuracy: what `rounds` is about.
    """
    config, clients = found.config, setting.network.num_clients
    between = peer_uses(setting, config, broadcast)
    uplinks = float(config.attempts * clients)
    seconds = None
    if setting.seconds is not None:
        seconds = setting.seconds.of_round(config.attempts, between, uplinks)
    return [
        Candidate(
            code=config.family,
            stragglers=config.stragglers,
            attempts=config.attempts,
            redraw_code=config.redraw_code,
            scheme=scheme,
            order=config.order,
            outage=decoder.outage,
            peer_uses=between,
            uplink_uses=uplinks,
            rounds=_coded_rounds(decoder, clients, accuracy),
            revealed=found.num_revealed,
            trials=None if decoder.outage.method == "exact" else found.trials,
            flagged=decoder.flagged,
            keep_heard=config.keep_heard,
            seconds=seconds,
        )
        for scheme, decoder in found.decoders.items()
    ]


def _coded_rounds(found: DecoderOutage, clients: int, accuracy: Accuracy) -> int | None:
    """Rounds of a server that holds without the exact average, or averages whom it recovered.

    The latter where no average favours anybody; whichever asks for fewer rounds.
    """
    outage, pmf = found.outage.best, found.partial_pmf
    rounds = [rounds_with_holds(outage, clients, accuracy)]
    if pmf is not None:
        law = PartialLaw(1.0 - outage, pmf, max(0.0, outage - float(pmf.sum())))
        rounds.append(rounds_with_partial_averages(law, accuracy))
    return min((r for r in rounds if r is not None), default=None)


def uncoded_candidates(
    setting: Setting, target: float, max_tries: int, accuracy: Accuracy
) -> list[Candidate]:
    """Clients that send their own update: until it arrives, or a fixed number of times.

    Retransmission stops at the first success and pays for the tries it made. Intermittent clients
    send every update as often as attempts say, and the server averages what arrived: a partial
    average, to which the bound of `rounds` applies when all uplinks are alike.

    Args:
      setting: only its uplinks matter, and who is blocked.
      target: tries are added until the outage is a hundredth of it ...
      max_tries: ... or there are so many.
      accuracy: what `rounds` is about.
    """
    clients = setting.network.num_clients
    unheard = never_heard(setting, max_tries)
    apart = setting.dynamics is None or setting.dynamics.independent_rounds
    found: list[Candidate] = []
    for tries in range(1, max_tries + 1):
        lost = unheard[tries]
        used = unheard[:tries].sum(axis=0)  # expected tries until the first success
        outage = Estimate.exact(_any_lost(lost))
        slots = float((1.0 - (1.0 - unheard[:tries]).prod(axis=1)).sum())
        resent = Candidate(
            code=None,
            stragglers=0,
            attempts=tries,
            redraw_code=False,
            scheme="retransmission",
            order=None,
            outage=outage,
            peer_uses=0.0,
            uplink_uses=float(used.sum()),
            rounds=rounds_with_holds(outage.best, clients, accuracy),
            revealed=float((1.0 - lost).sum()),
            trials=None,
            seconds=_uplink_seconds(setting, slots, float(used.sum())),
        )
        sent = resent._replace(
            scheme="intermittent",
            uplink_uses=float(tries * clients),
            seconds=_uplink_seconds(setting, tries, tries * clients),
        )
        fair = np.ptp(lost) == 0.0 and apart
        rounds = _rounds_of_whoever_arrives(lost, accuracy) if fair else None
        found += [resent, sent._replace(rounds=rounds)]
        if outage.best <= 0.01 * target:
            break
    return found


def _uplink_seconds(setting: Setting, slots: float, uses: float) -> float | None:
    return None if setting.seconds is None else setting.seconds.of_round(slots, 0.0, uses)


def _any_lost(lost: HostFloats) -> float:
    """Probability that somebody's update is lost, with its digits where it is small."""
    return abs(math.expm1(np.log1p(-lost).sum())) if lost.max() < 1.0 else 1.0


def _rounds_of_whoever_arrives(lost: HostFloats, accuracy: Accuracy) -> int | None:
    """Rounds of a server that averages whoever arrived, all equally likely."""
    from scipy import stats  # takes a second to load

    clients = len(lost)
    pmf = stats.binom.pmf(np.arange(clients + 1), clients, 1.0 - lost[0])
    exact, pmf[0], pmf[clients] = float(pmf[clients]), 0.0, 0.0
    return rounds_with_partial_averages(PartialLaw(exact, pmf, float(np.prod(lost))), accuracy)
