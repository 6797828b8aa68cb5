"""The laws themselves: success and outage of the standard decoder as positive sums.

The laws are polynomials in the erasure probabilities, with positive terms only once every success
probability is kept beside its failure probability. They are summed in that form, in float64,
each number with an exponent of its own: nothing cancels, nothing underflows, and derivatives
stay right where a probability is 0 or 1. Called inside 64-bit scopes only.
"""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp

from jaxcogc._types import Array
from jaxcogc.names import RingKind
from jaxcogc.outage.laws.wide_range_floats import WideFloats, add, multiply, to_wide, total

_Pair: TypeAlias = tuple[WideFloats, WideFloats]


def outage_and_success(
    uplink: Array, peer: Array, stragglers: int | Array, kind: RingKind, attempts: int
) -> _Pair:
    """Probabilities of an outage and of success of the standard decoder, one code, A attempts.

    Args:
      uplink: [clients] float64 erasure probabilities.
      peer: [clients, clients] float64 erasure probabilities; the diagonal is not looked at.
      stragglers: s, an integer; may be traced.
      kind: ``"cyclic"`` (any M - s rows are needed), ``"blocks"`` (one row a block of s + 1) or
        ``"classes"`` (all rows of one class mod s + 1).
      attempts: number of attempts, static.

    Returns:
      Two scalars that add to 1, each accurate by itself.

    Source: docs/mathematics/outage.md, "Outage of standard decoding".

    >>> with jax.enable_x64(True):
    ...     halves = jnp.full(2, 0.5)
    ...     outage, success = outage_and_success(halves, jnp.zeros((2, 2)), 0, "cyclic", 1)
    ...     print(outage.digits, success.digits * 2.0**success.exponent)
    0.75 0.25
    """
    support = _support(uplink.shape[0], stragglers, kind)
    _, missing, complete = _row_probabilities(uplink, peer, support, attempts)
    return outage_of_rows(missing, complete, stragglers, kind)


def outage_of_rows(
    missing: WideFloats, complete: WideFloats, stragglers: int | Array, kind: RingKind
) -> _Pair:
    """`outage_and_success` from what becomes of each client's row, independent; [clients].

    Args:
      missing, complete: that no complete row of a client arrives, and that one does.
      stragglers, kind: as in `outage_and_success`.
    """
    clients = missing.digits.size
    if kind == "cyclic":
        law, _ = _num_missing(missing, complete)
        too_few = jnp.arange(clients + 1) > stragglers
        return total(law, too_few), total(law, ~too_few)
    if kind == "classes":
        # Blocks where rows that miss and rows that arrive have changed places.
        order, size = _by_class(clients, stragglers), clients // (stragglers + 1)
        last = (jnp.arange(clients) + 1) % size == 0
        success, outage = _block_by_block(_taken(complete, order), _taken(missing, order), last)[0]
        return outage, success
    last = (jnp.arange(clients) + 1) % (stragglers + 1) == 0
    return _block_by_block(missing, complete, last)[0]


def needs_both_directions(kind: RingKind, num_clients: int, num_stragglers: int) -> bool:
    """Whether rows use both directions between two clients: reciprocal links tie them together.

    >>> needs_both_directions("cyclic", 5, 2), needs_both_directions("cyclic", 4, 2)
    (False, True)
    """
    if kind == "blocks":
        return num_stragglers > 0
    return 2 * num_stragglers >= num_clients


def outage_slopes(
    uplink: Array, peer: Array, stragglers: int | Array, kind: RingKind, attempts: int
) -> _Pair:
    """Derivatives of the outage probability, positive sums too: small ones beside large ones.

    A link loses the round where it is the only one of its row to fail in an attempt, the row is
    missing in the other attempts, and everything hangs on that client's row.

    Args:
      uplink, peer, stragglers, kind, attempts: as in `outage_and_success`.

    Returns:
      [clients] by uplinks and [clients, clients] by peers.

    Source: docs/mathematics/outage.md, "Outage of standard decoding".

    >>> with jax.enable_x64(True):
    ...     halves = jnp.full(2, 0.5)
    ...     by_uplink, _ = outage_slopes(halves, jnp.zeros((2, 2)), 0, "cyclic", 1)
    ...     print(by_uplink.digits * 2.0**by_uplink.exponent)
    [0.5 0.5]
    """
    clients = jnp.arange(uplink.shape[0])
    support = _support(clients.size, stragglers, kind)
    fail, missing, complete = _row_probabilities(uplink, peer, support, attempts)
    pivotal = _all_hangs_on(missing, complete, stragglers, kind)
    fails_before, _ = _power(fail, attempts - 1)
    times = multiply(to_wide(jnp.full(clients.size, float(attempts))), fails_before)
    factor = multiply(pivotal, times)
    erasures = jnp.concatenate([uplink[None], jnp.where(support, peer, 0.0).T])
    slopes = multiply(
        WideFloats(*(leaf[None] for leaf in factor)), _others(to_wide(1.0 - erasures))
    )
    by_uplink, by_sender = (WideFloats(*(leaf[i] for leaf in slopes)) for i in (0, slice(1, None)))
    by_peer = jnp.where(support, by_sender.digits.T, 0.0)
    return by_uplink, WideFloats(by_peer, by_sender.exponent.T)


def _support(clients: int, stragglers: int | Array, kind: RingKind) -> Array:
    """Whom a row needs besides its own client: bool [receivers, senders]."""
    receivers, senders = jnp.arange(clients)[:, None], jnp.arange(clients)[None, :]
    size = stragglers + 1
    if kind != "blocks":
        covered = (senders - receivers) % clients < size
    else:
        covered = senders // size == receivers // size
    others: Array = covered & (senders != receivers)
    return others


def _row_probabilities(
    uplink: Array, peer: Array, support: Array, attempts: int
) -> tuple[WideFloats, WideFloats, WideFloats]:
    """Probabilities of a client's row; [clients].

    Returns:
      That it is lost in an attempt, that no complete one arrives in all, and that one does.
    """

    def one_link(carry: _Pair, erasure: Array) -> tuple[_Pair, None]:
        fails, works = carry  # 1 - works would cancel
        lost = multiply(works, to_wide(erasure))
        return (add(fails, lost), multiply(works, to_wide(1.0 - erasure))), None

    start = to_wide(uplink), to_wide(1.0 - uplink)
    (fail, work), _ = jax.lax.scan(one_link, start, jnp.where(support, peer, 0.0).T)
    missing, sums = _power(fail, attempts)
    return fail, missing, multiply(work, sums)


def _power(numbers: WideFloats, exponent: int) -> _Pair:
    """The numbers to that power, and the sum of all lower powers."""
    shape = numbers.digits.shape

    def once_more(carry: _Pair, _: None) -> tuple[_Pair, None]:
        power, sums = carry
        return (multiply(power, numbers), add(sums, power)), None

    start = to_wide(jnp.ones(shape)), to_wide(jnp.zeros(shape))
    return jax.lax.scan(once_more, start, None, length=exponent)[0]


def _others(numbers: WideFloats) -> WideFloats:
    """Of each number along the leading axis, the product of all others."""

    def one(product: WideFloats, number: WideFloats) -> tuple[WideFloats, WideFloats]:
        return multiply(product, number), product

    start = to_wide(jnp.ones(numbers.digits.shape[1:]))
    _, before = jax.lax.scan(one, start, numbers)
    _, after = jax.lax.scan(one, start, numbers, reverse=True)
    return multiply(before, after)


def _all_hangs_on(
    missing: WideFloats, complete: WideFloats, stragglers: int | Array, kind: RingKind
) -> WideFloats:
    """Probability that the round succeeds with a client's row and fails without it; [clients]."""
    clients, size = missing.digits.size, stragglers + 1
    place = jnp.arange(clients)
    if kind == "cyclic":  # exactly s of the other rows are missing
        _, before = _num_missing(missing, complete)
        _, after = _num_missing(missing, complete, reverse=True)
        number = jnp.arange(clients + 1)
        rest = WideFloats(*(leaf[:, (stragglers - number) % (clients + 1)] for leaf in after))
        both = multiply(before, rest)
        return total(WideFloats(*(leaf.T for leaf in both)), (number <= stragglers)[:, None])
    if kind == "classes":
        order, class_size = _by_class(clients, stragglers), clients // size
        rows = _taken(complete, order), _taken(missing, order)
        return _taken(_all_hangs_on(*rows, class_size - 1, "blocks"), jnp.argsort(order))
    # No other row of its block arrives, and one of every other block.
    _, before = _block_by_block(missing, complete, (place + 1) % size == 0)
    _, after = _block_by_block(missing, complete, place % size == 0, reverse=True)
    same = place[:, None] // size == place // size

    def one_client(alone: WideFloats, client: tuple[WideFloats, Array]) -> tuple[WideFloats, None]:
        misses, counts = client
        factor = WideFloats(jnp.where(counts, misses.digits, 1.0), jnp.where(counts, misses[1], 0))
        return multiply(alone, factor), None

    counted = same & (place[:, None] != place)
    alone, _ = jax.lax.scan(one_client, to_wide(jnp.ones(clients)), (missing, counted))
    return multiply(alone, multiply(before, after))


def _by_class(clients: int, stragglers: int | Array) -> Array:
    """The clients, one class mod s + 1 after another."""
    place, size = jnp.arange(clients), clients // (stragglers + 1)
    return place % size * (stragglers + 1) + place // size


def _taken(numbers: WideFloats, order: Array) -> WideFloats:
    return WideFloats(*(leaf[order] for leaf in numbers))


def _num_missing(
    missing: WideFloats, complete: WideFloats, *, reverse: bool = False
) -> tuple[WideFloats, WideFloats]:
    """Poisson-binomial law of how many clients miss, [clients + 1]; [m]: of those before m."""
    start = to_wide((jnp.arange(missing.digits.size + 1) == 0).astype(jnp.float64))

    def one_client(
        law: WideFloats, client: tuple[WideFloats, WideFloats]
    ) -> tuple[WideFloats, WideFloats]:
        misses, arrives = client
        # What rolls around is 0: no more clients can miss than there were.
        shifted = WideFloats(*(jnp.roll(leaf, 1) for leaf in law))
        return add(multiply(law, arrives), multiply(shifted, misses)), law

    return jax.lax.scan(one_client, start, (missing, complete), reverse=reverse)


def _block_by_block(
    missing: WideFloats, complete: WideFloats, last: Array, *, reverse: bool = False
) -> tuple[_Pair, WideFloats]:
    """Blocks of consecutive clients, ended where ``last``: one without a row, or none.

    Returns:
      Outage and success, and [clients]: success of all blocks that ended before a client.
    """
    one, zero = to_wide(jnp.ones(())), to_wide(jnp.zeros(()))

    def select(condition: Array, yes: WideFloats, no: WideFloats) -> WideFloats:
        return WideFloats(*(jnp.where(condition, y, n) for y, n in zip(yes, no, strict=True)))

    def one_client(
        carry: tuple[_Pair, _Pair], client: tuple[WideFloats, WideFloats, Array]
    ) -> tuple[tuple[_Pair, _Pair], WideFloats]:
        (outage, success), (empty, covered) = carry
        before = success
        misses, arrives, ends = client
        covered = add(covered, multiply(empty, arrives))
        empty = multiply(empty, misses)
        outage = select(ends, add(outage, multiply(success, empty)), outage)
        success = select(ends, multiply(success, covered), success)
        started = select(ends, one, empty), select(ends, zero, covered)
        return ((outage, success), started), before

    clients, start = (missing, complete, last), ((zero, one), (one, zero))
    (found, _), before = jax.lax.scan(one_client, start, clients, reverse=reverse)
    return found, before
