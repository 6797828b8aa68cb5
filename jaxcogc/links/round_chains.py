"""The links of a run's rounds as one chain: any round's, without those before it.

A word of a link says what its state becomes, or that it stays as it was. The state in a round is
therefore set by the last word, at that time or before, that decides it, or by the first one of the
run. It is looked for backwards, some rounds at a time; how far one has to go is geometric.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, Key
from jaxcogc.links.draws import (
    Links,
    Step,
    Streams,
    below,
    below_both,
    client_uniforms,
    deliver,
    draw_trial,
    link_uniforms,
    states_in_turn,
    streams,
    without_blocked,
)
from jaxcogc.links.thresholds import (
    ALL_ONES,
    ChainThresholds,
    LinkKind,
    LinkLaw,
    RoundSteps,
)
from jaxcogc.runtime.random_words import fold_in

_WORDS_AT_ONCE = 2**12
_ROUNDS_AT_ONCE = 16
_TRIAL = np.uint32(0)
"""A round has a key of its own: its links are those of the key's trial 0."""


class RoundStart(NamedTuple):
    """Where the chains stand in the first attempt of a round; None of what has no chain.

    Attributes:
      bad: bool [clients, clients], the uplinks' on the diagonal.
      blocked: bool [clients].
    """

    bad: Array | None
    blocked: Array | None


def round_start(
    words_of: Callable[[Array], Streams],
    number: Array,
    law: LinkLaw,
    steps: RoundSteps,
    *,
    num_attempts: int,
    kind: LinkKind,
) -> RoundStart:
    """Rebuild the states in a round's first attempt.

    Args:
      words_of: the streams of a round of the run, by its number.
      number: of the round, uint32 from 0.
      law, kind: of the links.
      steps: from round to round.
      num_attempts: attempts of every round, through which the chain goes on.
    """
    clients = law.num_clients
    bad = blocked = None
    if law.step is not None and steps.links is not None:
        step, between = law.step, steps.links

        def whole_round(place: Array) -> Step:
            of_links = link_uniforms(words_of(place).links, _TRIAL, clients, num_attempts, kind)
            at_first = _entered(place, below(of_links, law.start)[0], below_both(of_links, between))
            return _through(below_both(of_links, step), at_first)

        def first_attempt(place: Array) -> Step:
            of_links = link_uniforms(words_of(place).links, _TRIAL, clients, 1, kind)
            steps = below_both(of_links, between)
            return _entered(place, below(of_links, law.start)[0], steps)

        frozen = _never_moves(between)
        if num_attempts > 1:
            frozen &= _never_moves(step)
        bad = _looked_back(first_attempt, whole_round, number, frozen, num_attempts * clients**2)
    if law.blocked is not None and steps.blocked is not None:
        chain, at_start = steps.blocked, law.blocked

        def one_round(place: Array) -> Step:
            uniforms = client_uniforms(words_of(place), _TRIAL, clients)
            step = below_both(uniforms, chain)
            return _entered(place, below(uniforms, at_start), Step(step.bad[None], step.kept[None]))

        blocked = _looked_back(one_round, one_round, number, _never_moves(chain), clients)
    return RoundStart(bad, blocked)


def _entered(place: Array, at_start: Array, between: Step) -> Step:
    """The step into a round's first attempt; the first round of all decides everything."""
    first = place == 0
    return Step(jnp.where(first, at_start, between.bad[0]), between.kept[0] & ~first)


def _through(steps: Step, first: Step) -> Step:
    """From before a round to its last attempt: its steps after the first, one after another."""

    def move(found: Step, step: Step) -> tuple[Step, None]:
        return _then(found, step), None

    later = jax.tree.map(lambda x: x[1:], steps)
    found: Step = lax.scan(move, first, later)[0]
    return found


def _then(one: Step, other: Step) -> Step:
    """One step and then another, as one."""
    return Step(other.bad | (other.kept & one.bad), other.kept & one.kept)


def _never_moves(chain: ChainThresholds) -> Array:
    certain = (chain.kept.high == ALL_ONES) & (chain.kept.low == ALL_ONES)
    return jnp.asarray(certain & (chain.bad.high == 0) & (chain.bad.low == 0))


def _looked_back(
    first_attempt: Callable[[Array], Step],
    whole_round: Callable[[Array], Step],
    number: Array,
    frozen: Array,
    num_words: int,
) -> Array:
    """The states in the first attempt of a round."""
    chunk = max(1, min(_ROUNDS_AT_ONCE, _WORDS_AT_ONCE // num_words))

    def undecided(carry: tuple[Step, Array]) -> Array:
        found, place = carry
        return jnp.any(found.kept & ~frozen) & (place > 0)

    def look(carry: tuple[Step, Array]) -> tuple[Step, Array]:
        found, place = carry
        places = place - 1 - jnp.arange(chunk, dtype=jnp.int32)
        older = jax.vmap(whole_round)(jnp.maximum(places, 0).astype(jnp.uint32))
        there = (places >= 0).reshape(-1, *(1,) * frozen.ndim)
        older = Step(older.bad & there, older.kept | ~there)  # before the run: nothing moves

        def back(found: Step, before: Step) -> tuple[Step, None]:
            return _then(before, found), None

        return lax.scan(back, found, older)[0], jnp.maximum(place - chunk, 0)

    carry = first_attempt(number), number.astype(jnp.int32)
    found, _ = lax.while_loop(undecided, look, carry)
    # What never moves is as it was in the very beginning.
    return found.bad | (found.kept & first_attempt(jnp.zeros_like(number)).bad)


def draw_repeats(
    key: Key,
    law: LinkLaw,
    *,
    num_repeats: int,
    num_attempts: int,
    num_draws: int,
    kind: LinkKind,
    start: RoundStart | None = None,
) -> Links:
    """The links of a round and of its repeats, which go on where its attempts ended.

    Args:
      key: of the round; folded with the number of the repeat.
      law, kind: of the links.
      num_repeats: the round itself and its repeats.
      num_attempts: A, of each; after them the next repeat begins.
      num_draws: attempts to draw of each, at least A.
      start: where the chains stand; None: in stationarity.

    Returns:
      Links with a leading axis [repeats].
    """
    numbers = jnp.arange(num_repeats, dtype=jnp.uint32)
    unblocked, kind_of_links = law._replace(blocked=None), kind._replace(blocks=False)

    def one(repeat: Array) -> Links:
        return draw_trial(fold_in(key, repeat), unblocked, num_draws, kind=kind_of_links)

    if law.step is None:
        links = jax.vmap(one)(numbers)
    else:
        links = _chained(key, numbers, law, num_attempts, num_draws, kind, start)
    if kind.keeps and num_repeats > 1:
        links = links._replace(
            peer_delivered=_kept(jnp.asarray(links.peer_delivered), num_attempts)
        )
    if law.blocked is None:
        return links
    blocked = None if start is None else start.blocked
    if blocked is None:
        first = streams(fold_in(key, numbers[0]))
        blocked = below(client_uniforms(first, _TRIAL, law.num_clients), law.blocked)
    return jax.vmap(without_blocked, (0, None))(links, blocked)


def _chained(
    key: Key,
    numbers: Array,
    law: LinkLaw,
    num_attempts: int,
    num_draws: int,
    kind: LinkKind,
    start: RoundStart | None,
) -> Links:
    """The repeats in turn, of links that remember."""
    step = law.step
    assert step is not None
    clients = law.num_clients

    def one(before: Array, repeat: Array) -> tuple[Array, Links]:
        words = streams(fold_in(key, repeat))
        of_links = link_uniforms(words.links, _TRIAL, clients, num_draws, kind)
        steps = below_both(of_links, step)
        first = below(of_links, law.start)[0] if start is None else before
        first = jnp.where(repeat == 0, first, steps.bad[0] | (steps.kept[0] & before))
        bad = states_in_turn(steps, first)
        return bad[num_attempts - 1], deliver(words, law, bad, _TRIAL, kind)

    nothing = jnp.zeros((clients, clients), bool)
    begins = nothing if start is None or start.bad is None else start.bad
    links: Links = lax.scan(one, begins, numbers)[1]
    return links


def _kept(peers: Array, num_attempts: int) -> Array:
    """What was heard in a repeat is there in the next ones: [repeats, draws, clients, clients]."""
    heard = lax.associative_scan(jnp.logical_or, peers[:, num_attempts - 1])
    before = jnp.concatenate([jnp.zeros_like(heard[:1]), heard[:-1]])
    return peers | before[:, None]
