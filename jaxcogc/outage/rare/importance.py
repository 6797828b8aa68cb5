"""Importance sampling: erasures made likelier where it matters, and trials weighted back.

The proposal is a mixture: the network as it is; the network with all log-odds of an erasure shifted
together; and for every rare event tilts of its own (`independent_laws`, `chain_laws`), by link, by
row and by client, found by the cross-entropy method from pilot runs. A trial has the weight
p / sum_j share_j q_j, whichever component it came from, so that no weight exceeds 1 / (share of the
plain network), and what the tilts overlook shows: a few large weights, a small effective sample
size, a flag.

Sources: the balance heuristic of E. Veach and L. J. Guibas (SIGGRAPH 1995), with the plain law in
the mixture as in A. Owen and Y. Zhou (JASA 95, 2000); the cross-entropy method of R. Y. Rubinstein
(Methodology and Computing in Applied Probability 1, 1999).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from scipy import special

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.names import OUTCOMES
from jaxcogc.outage.outcomes import classify
from jaxcogc.outage.random_links import LinkTable
from jaxcogc.outage.rare.link_laws import Drawn, LinkLaws
from jaxcogc.outage.rare.weighted_sums import Group, Sums
from jaxcogc.outage.simulation.block_words import host_words
from jaxcogc.outage.simulation.link_patterns import BATCH_TRIALS, decide_patterns
from jaxcogc.runtime.random_words import fold_in, split

__all__ = ["Decided", "Mixture", "choose_mixture", "importance_groups"]

_PLAIN_SHARE, _SHIFT_SHARE = 0.2, 0.1
_PILOT_BATCHES, _PILOT_ROUNDS = 2, 4
_RARE = 0.05
_EFFECTIVE = 300
_GOLDEN = 0.6180339887498949


P = TypeVar("P")
S = TypeVar("S")


class Mixture(NamedTuple, Generic[P]):
    """Laws to draw from, the plain network first, and their shares.

    Attributes:
      proposals: the laws.
      shares: float64 [proposals], adding up to 1.
    """

    proposals: list[P]
    shares: HostFloats


class Decided(NamedTuple):
    """How trials are decided.

    Attributes:
      code: the code; redrawn for the attempts of the table, or one for all of them.
      table: the random links.
      keep_heard: clients keep what they heard in earlier attempts.
    """

    code: GradientCode
    table: LinkTable
    keep_heard: bool = False


class _Batch(NamedTuple, Generic[S]):
    """Trials of a mixture: which component each came from, and what came out."""

    component: np.ndarray
    seen: S
    recovery: Recovery
    weights: HostFloats


def importance_groups(
    key: Key,
    decided: Decided,
    laws: LinkLaws[P, S],
    num_trials: int,
    advance: Callable[[int], None],
    stop: Callable[[], bool],
) -> list[Group]:
    """Pilot runs, then ``num_trials`` weighted trials: one group for each component.

    Args:
      key: one typed key.
      decided: how trials are decided.
      laws: the laws of the links to choose among.
      num_trials: weighted trials; those of the pilot runs are not among them.
      advance: called with the number of trials just done.
      stop: asked after every batch; every prefix of the batches is a sample of its own right.

    Returns:
      A Group for each component of the mixture.
    """
    pilot_key, key = split(key)
    mixture = choose_mixture(pilot_key, decided, laws)
    sums = [Sums.zero(decided.code.num_clients) for _ in mixture.proposals]
    for batch in _batches(key, decided, laws, mixture, num_trials):
        for number in np.unique(batch.component).tolist():
            mine = batch.component == number
            recovery = Recovery(*(field[mine] for field in batch.recovery))
            sums[number] = sums[number].plus(Sums.of(batch.weights[mine], recovery))
        advance(len(batch.component))
        if stop():
            break
    masses = [1.0] + [0.0] * (len(sums) - 1)
    groups = map(Group, mixture.shares.tolist(), masses, sums)
    return [group for group in groups if group.sums.trials]


def choose_mixture(key: Key, decided: Decided, laws: LinkLaws[P, S]) -> Mixture[P]:
    """The mixture that suits all events that are rare on this network.

    Args:
      key: of the pilot runs.
      decided, laws: as in `importance_groups`.

    Returns:
      Mixture; of the plain network alone where no event is rare.
    """
    plain = laws.plain()
    shifts = [plain, *laws.shifts()]
    mixture = Mixture(shifts, np.full(len(shifts), 1.0 / len(shifts)))
    kept: list[P] = []
    tilts: dict[str, list[P]] = {}
    for pilot in range(_PILOT_ROUNDS):
        pilot_key = fold_in(key, pilot)
        num_trials = _PILOT_BATCHES * BATCH_TRIALS
        batches = list(_batches(pilot_key, decided, laws, mixture, num_trials))
        found = _rare_events(batches)
        if pilot == 0:
            best = {_best_shift(laws, mixture, batches, name) for name in found}
            kept = [shifts[number] for number in sorted(best)]
        for name, weights in found.items():
            # While a few trials have nearly all the weight, differences are levelled: the next
            # pilot run is closer to the event.
            tilts[name] = laws.fitted(_levelled(weights), [batch.seen for batch in batches])
        own = [tilt for pair in tilts.values() for tilt in pair]
        if not own:
            return Mixture([plain], np.ones(1))
        counts = (1, len(kept), len(own))
        parts = np.array([_PLAIN_SHARE, _SHIFT_SHARE, 1.0 - _PLAIN_SHARE - _SHIFT_SHARE])
        mixture = Mixture([plain, *kept, *own], np.repeat(parts / counts, counts))
    return mixture


def balance_weights(laws: LinkLaws[P, S], mixture: Mixture[P], seen: S) -> HostFloats:
    """Weights of trials of a mixture: p / sum_j share_j q_j, float64 [trials]."""
    logs = laws.log_ratios(mixture.proposals, seen)
    weights: HostFloats = np.exp(-special.logsumexp(logs, axis=1, b=mixture.shares))
    return weights


def _batches(
    key: Key, decided: Decided, laws: LinkLaws[P, S], mixture: Mixture[P], num_trials: int
) -> Iterator[_Batch[S]]:
    """Trials of the mixture, batch by batch."""
    for number, start in enumerate(range(0, num_trials, BATCH_TRIALS)):
        # Multiples of the golden ratio spread every component evenly over the run.
        position = np.arange(start, min(start + BATCH_TRIALS, num_trials)) * _GOLDEN % 1.0
        edges = np.cumsum(mixture.shares)[:-1]
        component = np.sort(np.searchsorted(edges, position, side="right"))
        generator, decision_key = host_words(key, number)
        parts = [
            laws.draw(generator, mixture.proposals[j], int(np.sum(component == j)))
            for j in np.unique(component).tolist()
        ]
        drawn = Drawn(*map(np.concatenate, zip(*parts, strict=True)))
        trials = decide_patterns(
            decision_key,
            decided.code,
            decided.table,
            laws.erased(drawn),
            keep_heard=decided.keep_heard,
        )
        seen = laws.seen(drawn, trials.looked_at)
        weights = balance_weights(laws, mixture, seen)
        yield _Batch(component, seen, trials.recovery, weights)


def _rare_events(batches: list[_Batch[S]]) -> dict[str, list[HostFloats]]:
    """The weights of the trials with each event that is rare, but was seen; by batch."""
    happened = [classify(batch.recovery).by_name() for batch in batches]
    count = sum(len(batch.weights) for batch in batches)
    found = {}
    for name in OUTCOMES:
        hits = [b.weights * event[name] for b, event in zip(batches, happened, strict=True)]
        if 0.0 < sum(float(h.sum()) for h in hits) / count < _RARE:
            found[name] = hits
    return found


def _best_shift(
    laws: LinkLaws[P, S], mixture: Mixture[P], batches: list[_Batch[S]], name: str
) -> int:
    """The component that alone would have the largest effective sample size for an event."""
    size = len(mixture.proposals)
    first, second = np.zeros(size), np.zeros(size)
    for batch in batches:
        hit = classify(batch.recovery).by_name()[name]
        logs = laws.log_ratios(mixture.proposals, batch.seen)
        alone = np.exp(-logs[np.arange(len(hit)), batch.component])
        first += np.bincount(batch.component[hit], alone[hit], size)
        second += np.bincount(batch.component[hit], alone[hit] ** 2, size)
    return int(np.argmax(first**2 / np.where(second > 0.0, second, 1.0)))


def _levelled(weights: list[HostFloats]) -> list[HostFloats]:
    """The highest power of the weights, at most 1, that leaves an effective sample of some size."""
    largest = max(w.max() for w in weights)
    scaled = [w / largest for w in weights]
    enough = min(_EFFECTIVE, sum(np.count_nonzero(w) for w in scaled) / 2)
    for power in np.linspace(1.0, 0.0, 41):
        raised = [np.where(w > 0.0, w**power, 0.0) for w in scaled]
        first, second = (sum(float((w**n).sum()) for w in raised) for n in (1, 2))
        if first**2 >= enough * second:
            break
    return raised
