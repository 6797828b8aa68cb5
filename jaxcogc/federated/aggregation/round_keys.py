"""Which key draws what in a training run.

Everything random in a round depends on (seed, round) alone, never on the scheme: two schemes of one
seed see the same links and the same batches, round by round.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxcogc._types import ArrayLike, Key
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import fold_in, split


class RoundKeys(NamedTuple):
    """The keys of one round, one typed key each.

    Attributes:
      links: of the links; folded with the number of the repeat.
      placement: of the clients' places on the ring.
      decoding: of the random null vector in `recover`.
      batches: of the local samples.
      loss: handed to the loss function, folded with client and step.
    """

    links: Key
    placement: Key
    decoding: Key
    batches: Key
    loss: Key


def initial_key(seed_key: Key) -> Key:
    """The key of a seed's initial parameters."""
    return split(seed_key)[0]


@under_plain_settings
def round_keys(seed_key: Key, round_index: ArrayLike) -> RoundKeys:
    """The keys of one round of one seed.

    Args:
      seed_key: ``jax.random.key(seed)``.
      round_index: uint32 scalar, the number of the round, from 0.
    """
    return RoundKeys(*split(round_key(seed_key, round_index), len(RoundKeys._fields)))


def round_key(seed_key: Key, round_index: ArrayLike) -> Key:
    """The key of one round of one seed, which a scheme of one's own draws with.

    Args:
      seed_key: ``jax.random.key(seed)``.
      round_index: uint32 scalar, from 0.
    """
    return fold_in(split(seed_key)[1], round_index)
