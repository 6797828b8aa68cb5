"""Who heard whom: exact-probability draws of all links of a trial.

A link is erased when its 64-bit uniform number lies below a 64-bit threshold, so the realised
probability is the asked one to 2^-64, and 0 and 1 are exact. The uniform number is two 32-bit
words; the second is looked at only where the first ties with the threshold (once in 2^32 links).

The words of a link depend on (key, trial, attempt, receiver, sender) alone. The sender is counted
from the receiver, ``offset = (sender - receiver) mod clients``; offset 0 is the receiver's uplink.
One Threefry call gives the words of offsets 2 i and 2 i + 1. Per trial, a code whose rows reach up
to offset s needs attempts x clients x (s + 1) words: 160 at (10 clients, s = 7, 2 attempts).

Links that remember use the same words for their states: a number below one threshold makes the
state bad, one above a second makes it good, and one in between keeps it. Soft states take a second
stream of words, blocked clients a third (a word a client and trial).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool

from jaxcogc._types import AnyArray, Array, ArrayLike, Key
from jaxcogc.allowed import MAX_ATTEMPTS, MAX_CLIENTS
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.links.thresholds import (
    ALL_ONES,
    ChainThresholds,
    LinkKind,
    LinkLaw,
    LinkThresholds,
    link_kind,
    link_law,
)
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import Words, fold_in, key_words, threefry

Uniforms = Callable[[int], Array]
"""Of some links or clients: the first words (0) of their uniform numbers, or the second (1)."""


class Links(NamedTuple):
    """Which links delivered, in one trial.

    Attributes:
      uplink_delivered: bool [attempts, clients]; the server heard client m.
      peer_delivered: bool [attempts, clients, clients]; client m (first) heard client k (second);
        the diagonal is True.
    """

    uplink_delivered: Bool[AnyArray, "attempts clients"]
    peer_delivered: Bool[AnyArray, "attempts clients clients"]


class Streams(NamedTuple):
    """The keys of the words of some trials.

    Attributes:
      links: two words; of the links, or of their states where they remember.
      erasures: of the erasures in soft states.
      blocking: of the clients that are blocked.
    """

    links: Words
    erasures: Words
    blocking: Words


def streams(key: Key) -> Streams:
    """The streams of one typed key."""
    return Streams(key_words(key), key_words(fold_in(key, 2)), key_words(fold_in(key, 3)))


@under_plain_settings
def draw_links(
    key: Key,
    network: Network,
    num_attempts: int = 1,
    *,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
) -> Links:
    """Draw every link of one trial.

    Args:
      key: one typed key.
      network: the mean erasure probabilities; reciprocal networks have T_mk = T_km.
      num_attempts: attempts; independent of each other without ``dynamics``.
      dynamics: how links remember, and which clients are blocked; the trial begins in stationarity.
      keep_heard: clients keep what they heard in earlier attempts: a peer link counts as delivered
        from the first attempt on in which it was.

    Returns:
      Links of one trial. Made for vmap over keys.

    Raises:
      ValueError: too many clients or attempts for the numbering of the words, or ``dynamics`` that
        do not fit the network.

    >>> import jax
    >>> from jaxcogc import LinkDynamics, Network, draw_links
    >>> network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=1.0)
    >>> links = draw_links(jax.random.key(0), network, num_attempts=2)
    >>> links.uplink_delivered.shape, bool(links.uplink_delivered.all())
    ((2, 4), True)
    >>> int(links.peer_delivered.sum())  # only every client's own update
    8
    >>> network = Network.homogeneous(4, uplink_erasure=0.5, peer_erasure=0.5)
    >>> links = draw_links(jax.random.key(0), network, 3, dynamics=LinkDynamics(memory=1.0))
    >>> bool((links.uplink_delivered == links.uplink_delivered[0]).all())  # one fade a round
    True
    """
    kind = link_kind(network, dynamics, keep_heard=keep_heard)
    return draw_trial(key, link_law(network, dynamics, kind), num_attempts, kind=kind)


def draw_trial(
    key: Key, law: LinkLaw, num_attempts: int, *, kind: LinkKind, trial: ArrayLike = 0
) -> Links:
    """`draw_links` for thresholds that are inputs of a compiled program, exact in 32-bit mode too.

    Args:
      key: one typed key.
      law: of a network.
      num_attempts: attempts; the first ones are the same whatever their number.
      kind: of the law.
      trial: uint32, a number below 2^31: with the key of a block, the trial's place in the block.
    """
    check_limits(law.num_clients, num_attempts)
    links: Links = _draw(key, law, trial, int(num_attempts), kind)
    return links


@partial(jax.jit, static_argnums=(3, 4))  # one program, where nothing is compiled around it
def _draw(key: Key, law: LinkLaw, trial: ArrayLike, num_attempts: int, kind: LinkKind) -> Links:
    words, number = streams(key), jnp.asarray(trial, jnp.uint32)
    of_links = link_uniforms(words.links, number, law.num_clients, num_attempts, kind)
    at_start = below(of_links, law.start)
    bad = at_start
    if law.step is not None:
        bad = states_in_turn(below_both(of_links, law.step), at_start[0])
    links = deliver(words, law, bad, number, kind)
    if law.blocked is None:
        return links
    return without_blocked(
        links, below(client_uniforms(words, number, law.num_clients), law.blocked)
    )


class Step(NamedTuple):
    """What chains do in one step: the next state is bad, or it stays as it was."""

    bad: Array
    kept: Array


def below_both(uniforms: Uniforms, step: ChainThresholds) -> Step:
    """A step of chains with given uniform numbers."""
    return Step(below(uniforms, step.bad), below(uniforms, step.kept))


def states_in_turn(steps: Step, first: Array) -> Array:
    """The bad states of chains, from the first one and the steps into the others.

    Args:
      steps: bool [attempts, ..]; the first attempt's is not looked at.
      first: bool [..].

    Returns:
      bool [attempts, ..].
    """

    def move(state: Array, step: Step) -> tuple[Array, Array]:
        state = step.bad | (step.kept & state)
        return state, state

    later: Array = lax.scan(move, first, jax.tree.map(lambda x: x[1:], steps))[1]
    return jnp.concatenate([first[None], later])


def deliver(words: Streams, law: LinkLaw, bad: Array, trial: ArrayLike, kind: LinkKind) -> Links:
    """Which links deliver in given states.

    Args:
      words: of the trial.
      law: of the links.
      bad: bool [attempts, clients, clients], the uplinks' on the diagonal; of links without memory,
        the erasures themselves.
      trial: the trial's number, uint32.
      kind: of the law.
    """
    attempts, clients, _ = bad.shape
    erased = bad
    if law.states is not None:
        again = link_uniforms(words.erasures, trial, clients, attempts, kind)
        erased = jnp.where(bad, below(again, law.states.bad), below(again, law.states.good))
    own = jnp.eye(clients, dtype=bool)
    peer = ~erased | own
    if kind.keeps:
        peer = lax.associative_scan(jnp.logical_or, peer)
    return Links(jnp.diagonal(~erased, axis1=1, axis2=2), peer)


def without_blocked(links: Links, blocked: Array) -> Links:
    """Links of which all from and to blocked clients, bool [clients], are erased."""
    apart = ~(blocked[:, None] | blocked) | jnp.eye(len(blocked), dtype=bool)
    return Links(links.uplink_delivered & ~blocked, links.peer_delivered & apart)


def below(uniforms: Uniforms, limits: LinkThresholds) -> Array:
    """Whether uniform numbers lie below thresholds."""
    first, second = jnp.asarray(uniforms(0)), jnp.asarray(uniforms(1))
    tie_is_below = (second < limits.low) | (limits.low == ALL_ONES)
    return (first < limits.high) | ((first == limits.high) & tie_is_below)


def link_uniforms(
    words: Words, trial: ArrayLike, clients: int, num_attempts: int, kind: LinkKind
) -> Uniforms:
    """The uniform numbers of all links of a trial, [attempts, clients, clients]."""
    attempt, receiver, sender = jnp.meshgrid(
        *(jnp.arange(n, dtype=jnp.uint32) for n in (num_attempts, clients, clients)), indexing="ij"
    )
    place = link_place(receiver, sender, clients, kind.reciprocal)
    return lambda refinement: link_word(words, trial, attempt, place, refinement)


def client_uniforms(words: Streams, trial: ArrayLike, clients: int) -> Uniforms:
    """The uniform numbers that say which clients are blocked, [clients] (or [clients, trials])."""
    client = jnp.arange(clients, dtype=jnp.uint32)
    client = client.reshape(clients, *(1,) * jnp.ndim(trial))
    attempt, offset = np.zeros((2, 1), np.uint32)
    return lambda refinement: link_word(
        words.blocking, trial, attempt, (client, offset), refinement
    )


def check_limits(num_clients: int, num_attempts: int) -> None:
    """Refuse sizes that the numbering of the random words has no room for (ValueError)."""
    if not 1 <= num_clients <= MAX_CLIENTS:
        raise ValueError(f"num_clients = {num_clients}: must lie in 1..{MAX_CLIENTS}")
    if isinstance(num_attempts, bool) or not isinstance(num_attempts, (int, np.integer)):
        raise ValueError(f"num_attempts = {num_attempts!r}: must be a whole number")
    if not 1 <= num_attempts <= MAX_ATTEMPTS:
        raise ValueError(f"num_attempts = {num_attempts}: must lie in 1..{MAX_ATTEMPTS}")


Place = tuple[AnyArray, AnyArray]
"""Number of a link among the links of its attempt: (receiver, offset)."""


def link_place(
    receiver: AnyArray,
    sender: AnyArray,
    clients: int,
    reciprocal: bool,
    offset: Array | None = None,
) -> Place:
    """Where links are numbered."""
    if reciprocal:  # both directions of a pair share the words of (lower, upper - lower)
        return jnp.minimum(receiver, sender), jnp.where(
            receiver > sender, receiver - sender, sender - receiver
        )
    if offset is None:
        offset = jnp.where(sender >= receiver, sender - receiver, sender + clients - receiver)
    return receiver, offset


def link_word(
    key: Words, trial: ArrayLike, attempt: AnyArray, place: Place, refinement: int
) -> Array:
    """The first (0) or second (1) word of the links at some places."""
    receiver, offset = place
    position = attempt << 20 | receiver << 10 | offset >> 1
    even, odd = threefry(key, (jnp.asarray(trial) | np.uint32(refinement << 31), position))
    return jnp.where(offset & 1 == 0, even, odd)
