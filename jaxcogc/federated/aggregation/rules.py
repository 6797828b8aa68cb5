"""From what the links of a round tell to the coefficients that a scheme adds updates with.

Every scheme is linear: the server adds sum_k c_k Delta_k, or holds. Each rule below turns Evidence
into c for the round and each of its repeats; `conclude` keeps the first that does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc.federated.aggregation.link_evidence import Evidence, LinkPolicy

__all__ = ["RULES", "Attempted", "Coefficients", "conclude"]

_NEGLIGIBLE = 1e-9
"""A least-squares coefficient below this is rounding; exact zeros come out near 1e-17."""


class Coefficients(NamedTuple):
    """What a scheme makes of one round. Under a batch every field has the batch's axes too.

    Attributes:
      weights: floating [clients], c: the server adds sum_k c_k Delta_k; 0 when it holds.
      hold: bool; nothing was recovered: model and optimizer stay as they are.
      exact: bool; the target average itself.
      num_recovered: int32, clients with a non-zero coefficient.
      num_revealed: int32, clients whose own update the server could read from all it received.
      peer_uses: int32, messages between clients.
      uplink_uses: int32, messages to the server.
    """

    weights: jax.Array
    hold: jax.Array
    exact: jax.Array
    num_recovered: jax.Array
    num_revealed: jax.Array
    peer_uses: jax.Array
    uplink_uses: jax.Array


class Attempted(NamedTuple):
    """What a rule says of the round and of each repeat, as if it were the only one.

    Attributes:
      weights: floating [repeats, clients].
      hold, exact: bool [repeats].
      revealed: bool [repeats, clients], whose own update could be read.
      uplink_uses: int32 [repeats].
    """

    weights: jax.Array
    hold: jax.Array
    exact: jax.Array
    revealed: jax.Array
    uplink_uses: jax.Array


class Constants(NamedTuple):
    """What rules need beside the evidence.

    Attributes:
      arrival_weight: floating [clients], see Channel.
      policy: LinkPolicy.
    """

    arrival_weight: jax.Array
    policy: LinkPolicy

    @property
    def dtype(self) -> Any:
        """Of the coefficients."""
        return self.arrival_weight.dtype


Rule = Callable[[Evidence, Constants], Attempted]


def _average(who: jax.Array, constants: Constants, *, blind: bool = False) -> jax.Array:
    """1/|who| (blind: 1/M) on ``who`` [.., clients]; correctly rounded, from a table."""
    clients = who.shape[-1]
    inverse = (1.0 / np.maximum(np.arange(clients + 1), 1)).astype(constants.dtype)
    count = jnp.full(who.shape[:-1], clients) if blind else jnp.sum(who, -1, dtype=jnp.int32)
    return jnp.where(who, jnp.asarray(inverse)[count][..., None], jnp.zeros((), constants.dtype))


def _uplinks(evidence: Evidence) -> jax.Array:
    """Uplink uses [repeats] when every client that takes part sends once."""
    repeats = evidence.uplink_delivered.shape[0]
    return jnp.broadcast_to(jnp.sum(evidence.alive, dtype=jnp.int32), (repeats,))


def _uncoded(
    who: jax.Array, weights: jax.Array, uses: jax.Array, exact: jax.Array | None = None
) -> Attempted:
    """A scheme that averages those clients that it heard."""
    everybody = jnp.all(who, -1)
    return Attempted(weights, ~jnp.any(who, -1), everybody if exact is None else exact, who, uses)


def _ideal(evidence: Evidence, constants: Constants) -> Attempted:
    """No link fails."""
    repeats = evidence.uplink_delivered.shape[0]
    who = jnp.broadcast_to(evidence.alive, (repeats, *evidence.alive.shape))
    return _uncoded(who, _average(who, constants), _uplinks(evidence))


def _intermittent(evidence: Evidence, constants: Constants) -> Attempted:
    """The average of those whose uplink works."""
    who = evidence.uplink_delivered[:, 0]
    return _uncoded(who, _average(who, constants), _uplinks(evidence))


def _intermittent_blind(evidence: Evidence, constants: Constants) -> Attempted:
    """1/M for those whose uplink works; the server does not know who they are."""
    who = evidence.uplink_delivered[:, 0]
    return _uncoded(who, _average(who, constants, blind=True), _uplinks(evidence))


def _inverse_probability(evidence: Evidence, constants: Constants) -> Attempted:
    """1 / (M (1 - p_m)) for those whose uplink works: unbiased, and needs the p's."""
    who = evidence.uplink_delivered[:, 0]
    weight = constants.arrival_weight
    weights = jnp.where(who, weight, jnp.zeros((), constants.dtype))
    fair = jnp.asarray(1.0 / weight.shape[-1], constants.dtype)
    exact = jnp.all(who, -1) & jnp.all(weight == fair)
    return _uncoded(who, weights, _uplinks(evidence), exact)


def _retransmission(evidence: Evidence, constants: Constants) -> Attempted:
    """Every client tries until it is heard, n times at most, and pays for the tries it made."""
    tries = evidence.uplink_delivered[:, : constants.policy.num_tries]
    who = jnp.any(tries, axis=1)
    made = jnp.where(who, jnp.argmax(tries, axis=1) + 1, constants.policy.num_tries)
    uses = jnp.sum(jnp.where(evidence.alive, made, 0), -1, dtype=jnp.int32)
    return _uncoded(who, _average(who, constants), uses)


def _all_or_nothing(recovered: Any, constants: Constants, uses: jax.Array) -> Attempted:
    who = jnp.broadcast_to(recovered.gc[:, None], recovered.client_recovered.shape)
    weights = _average(who, constants)
    return Attempted(weights, ~recovered.gc, recovered.gc, recovered.client_recovered, uses)


def _replicated_gc(evidence: Evidence, constants: Constants) -> Attempted:
    """Clients hold the data of their rows' support, so that sharing cannot fail."""
    return _all_or_nothing(evidence.replicated, constants, _uplinks(evidence))


def _gc(evidence: Evidence, constants: Constants) -> Attempted:
    """Standard decoding: complete rows only, all or nothing."""
    uses = _uplinks(evidence) * constants.policy.num_attempts
    return _all_or_nothing(evidence.coded, constants, uses)


def _partial(
    evidence: Evidence, constants: Constants, full: jax.Array, revealed: jax.Array
) -> Attempted:
    """Everybody where ``full`` [repeats], else the average over K."""
    who = revealed | full[:, None]
    blind = constants.policy.partial_normalisation == "clients"
    uses = _uplinks(evidence) * constants.policy.num_attempts
    return _uncoded(who, _average(who, constants, blind=blind), uses)._replace(revealed=revealed)


def _gc_plus(evidence: Evidence, constants: Constants) -> Attempted:
    """Complementary decoding: what `gc` gives, else the clients recovered one by one."""
    coded = evidence.coded
    assert coded is not None
    return _partial(evidence, constants, coded.gc, coded.client_recovered)


def _row_space(evidence: Evidence, constants: Constants) -> Attempted:
    """The exact average whenever the rows that arrived span it, else as `gc_plus`."""
    coded = evidence.coded
    assert coded is not None
    return _partial(evidence, constants, coded.sum_recovered, coded.client_recovered)


def _least_squares(evidence: Evidence, constants: Constants) -> Attempted:
    """The combination closest to the average that can be formed, (1/M) P 1."""
    coded, projection = evidence.coded, evidence.projection
    assert coded is not None
    assert projection is not None
    with jax.enable_x64(True):
        small = jnp.abs(projection) <= _NEGLIGIBLE
        projection = jnp.where(small, 0.0, projection).astype(constants.dtype)
    hold, exact = coded.rank == 0, coded.sum_recovered
    everybody = jnp.ones_like(coded.client_recovered)
    weights = jnp.where(exact[:, None], _average(everybody, constants), projection)
    uses = _uplinks(evidence) * constants.policy.num_attempts
    return Attempted(weights, hold, exact, coded.client_recovered, uses)


RULES: dict[str, Rule] = {
    "ideal": _ideal,
    "intermittent": _intermittent,
    "intermittent_blind": _intermittent_blind,
    "inverse_probability": _inverse_probability,
    "retransmission": _retransmission,
    "replicated_gc": _replicated_gc,
    "gc": _gc,
    "gc_plus": _gc_plus,
    "row_space": _row_space,
    "least_squares": _least_squares,
}
"""The schemes, in the order of tables and pictures."""


def conclude(attempted: Attempted, peer_uses: jax.Array) -> tuple[Coefficients, jax.Array]:
    """Keep the first repeat that recovers something; pay for all that were made.

    Args:
      attempted: of the round and its repeats.
      peer_uses: int32 scalar, messages between clients in each.

    Returns:
      Coefficients, whose num_revealed is that of the last repeat alone, and bool [repeats]: which
      repeats were made.
    """
    repeats = attempted.hold.shape[0]
    number = jnp.arange(repeats)
    last = jnp.where(jnp.all(attempted.hold), repeats - 1, jnp.argmin(attempted.hold))
    made = number <= last
    weights = jnp.where(attempted.hold[last], 0, attempted.weights[last])
    coefficients = Coefficients(
        weights=weights,
        hold=attempted.hold[last],
        exact=attempted.exact[last] & ~attempted.hold[last],
        num_recovered=jnp.sum(weights != 0, dtype=jnp.int32),
        num_revealed=jnp.sum(attempted.revealed[last], dtype=jnp.int32),
        peer_uses=peer_uses * (last + 1).astype(jnp.int32),
        uplink_uses=jnp.sum(jnp.where(made, attempted.uplink_uses, 0), dtype=jnp.int32),
    )
    return coefficients, made
