"""Thresholds that first words tie with, to compare kernels where ties decide."""

from __future__ import annotations

import numpy as np

from jaxcogc._types import AnyArray
from jaxcogc.links.draws import Streams, link_place, link_word, streams
from jaxcogc.links.thresholds import (
    ChainThresholds,
    LinkKind,
    LinkLaw,
    LinkThresholds,
    StateThresholds,
)
from jaxcogc.outage.simulation.block_words import block_key
from jaxcogc.outage.simulation.program_inputs import Run
from jaxcogc.runtime.random_words import Words

# Trials of a block that tie: a GPU draws 32 at once again, and must not do so for another's sake.
_STEP = np.uint32(33)
_LEVELS = np.uint32(3) * _STEP
_OF_LINKS = np.uint32(144) * _LEVELS
"""In those below this, links do; more than twelve clients' share them."""
_OF_CLIENTS = np.uint32(12) * _STEP
"""In so many more, blocked clients."""
_CANDIDATES = np.uint32(780)
"""Then, one of these for each of the two states."""
_SMALL = np.uint32(2**32 // 5)


def tying_law(run: Run, clients: int, attempts: int, kind: LinkKind) -> LinkLaw:
    """Thresholds of which every one is a number that some trial of the first block draws there.

    Args:
      run: whose words they are.
      clients, attempts, kind: of the run.

    Returns:
      LinkLaw of NumPy arrays. A link's thresholds are its numbers in trials of its own: that of the
      start is one of the first attempt, those of a step are two of the second one (of the first,
      where that is the only one). A client is blocked below its number in a trial; soft states
      erase below numbers of client 0's uplink in trials that tell, as `_state_limit` chooses them.
    """
    words = streams(block_key(run.words, np.asarray(0, np.int32)))
    receiver, sender = np.indices((clients, clients)).astype(np.uint32)
    if kind.reciprocal:
        receiver, sender = np.minimum(receiver, sender), np.maximum(receiver, sender)
    place = link_place(receiver, sender, clients, kind.reciprocal)
    trial = (receiver * np.uint32(clients) + sender) * _LEVELS % _OF_LINKS

    def of_links(attempt: int, number: int) -> LinkThresholds:
        return _number(words.links, trial + np.uint32(number) * _STEP, attempt, place)

    second = min(1, attempts - 1)
    step = ChainThresholds(of_links(second, 1), of_links(second, 2)) if kind.remembers else None
    start = of_links(0, 0)
    client = np.arange(clients, dtype=np.uint32)
    trial_of = _OF_LINKS + client * _STEP % _OF_CLIENTS
    blocked = _number(words.blocking, trial_of, 0, (client, np.zeros_like(client)))
    states = None
    if kind.soft:
        limits = (
            _state_limit(words, start, blocked if kind.blocks else None, attempts, bad)
            for bad in (False, True)
        )
        states = StateThresholds(*limits)
    return LinkLaw(start, step, states, blocked if kind.blocks else None)


def _state_limit(
    words: Streams,
    start: LinkThresholds,
    blocked: LinkThresholds | None,
    attempts: int,
    bad: bool,
) -> LinkThresholds:
    """Near a quarter in the good state, near three in the bad one; where the tie is likely seen.

    The uplink is in that state in the first attempt, and most likely lost in the others; its client
    is not blocked. In another trial the server might have its row whatever the tie comes to.
    """
    zeros = np.zeros(_CANDIDATES, np.uint32)
    trials = _OF_LINKS + _OF_CLIENTS + np.arange(_CANDIDATES, dtype=np.uint32) + _STEP
    trials += np.uint32(bad) * (_CANDIDATES + _STEP)

    def numbers(of_stream: Words, attempt: int = 0) -> LinkThresholds:
        return _number(of_stream, trials, attempt, (zeros, zeros))

    fits = np.asarray((numbers(words.links).high < start.high[0, 0]) == bad)
    if blocked is not None:
        fits = fits & (numbers(words.blocking).high > blocked.high[0])
    for attempt in range(1, attempts):
        fits = fits & (numbers(words.erasures, attempt).high < _SMALL)
    erasures = numbers(words.erasures)
    distance = np.abs(np.asarray(erasures.high, np.float64) / 2**30 - (3 if bad else 1))
    place = np.argmin(np.where(fits, distance, np.inf))
    return LinkThresholds(erasures.high[place], erasures.low[place])


def _number(
    words: Words, trial: np.ndarray, attempt: int, place: tuple[AnyArray, AnyArray]
) -> LinkThresholds:
    """A uniform number as a threshold."""
    attempts = np.full_like(trial, attempt)
    both = (np.asarray(link_word(words, trial, attempts, place, half)) for half in (0, 1))
    return LinkThresholds(*both)
